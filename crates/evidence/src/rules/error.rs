//! What is wrong with a rule, where, and what was perhaps meant.

use std::{fmt, ops::Range};

/// Why a rule was refused: one sentence, the place in the text, and a word that would be understood there.
///
/// Its `Display` is one line: `file_total is not known (column 1); did you mean "files_total"?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    text: Box<str>,
    message: Box<str>,
    at: Range<usize>,
    suggestion: Option<Box<str>>,
}

impl RuleError {
    /// An error about the bytes `at` of `text`.
    pub(crate) fn new(text: &str, at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            message: message.into().into(),
            at,
            suggestion: None,
        }
    }

    /// The same error with what would be understood instead of the wrong part.
    pub(crate) fn suggesting(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into().into());
        self
    }

    /// The whole rule, as it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong, without place and suggestion.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The bytes of the text that are wrong; empty where something is missing.
    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    /// The first wrong character, counted from 1.
    pub fn column(&self) -> usize {
        let before = self.text.get(..self.at.start).unwrap_or(&self.text);
        before.chars().count() + 1
    }

    /// What may have been meant instead of the wrong part.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    /// Three lines for a terminal: the rule, carets under the wrong part, and the message.
    /// Characters that would break the line are shown as spaces.
    pub fn pointed(&self) -> String {
        let line: String = self.text.chars().map(printable).collect();
        let wrong = self.text.get(self.at.clone()).unwrap_or_default();
        let carets = "^".repeat(wrong.chars().count().max(1));
        let indent = " ".repeat(self.column() - 1);
        format!("{line}\n{indent}{carets}\n{}", self.with_suggestion())
    }

    fn with_suggestion(&self) -> String {
        match &self.suggestion {
            Some(suggestion) => format!("{}; did you mean \"{suggestion}\"?", self.message),
            None => self.message.to_string(),
        }
    }
}

fn printable(character: char) -> char {
    if character.is_control() {
        ' '
    } else {
        character
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (column {})", self.message, self.column())?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean \"{suggestion}\"?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RuleError {}

/// Why a list of rules was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSetError {
    /// There are more than [`super::RULES_MAX`].
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// One of them is refused.
    Rule {
        /// Which one, counted from 0.
        index: usize,
        /// Why.
        error: RuleError,
    },
}

impl fmt::Display for RuleSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { count } => {
                write!(f, "{count} rules: at most {} are taken", super::RULES_MAX)
            }
            Self::Rule { index, error } => write!(f, "rule {}: {error}", index + 1),
        }
    }
}

impl std::error::Error for RuleSetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::TooMany { .. } => None,
            Self::Rule { error, .. } => Some(error),
        }
    }
}
