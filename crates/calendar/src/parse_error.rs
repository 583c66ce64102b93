//! What is wrong with an expression, where, and what would be right.

use std::{fmt, ops::Range};

/// Why an expression was refused: one sentence, the place in the expression, and, where a guess is
/// worth making, an expression that would be accepted.
///
/// Its `Display` is one line: `hour 24: 0 to 23 (column 3)`, followed by `; did you mean "…"?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    expression: Box<str>,
    message: Box<str>,
    place: Range<usize>,
    suggestion: Option<Box<str>>,
}

impl ParseError {
    /// An error about the bytes `place` of `expression`.
    pub(crate) fn new(expression: &str, place: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            expression: expression.into(),
            message: message.into().into(),
            place,
            suggestion: None,
        }
    }

    /// The same error with an expression that would be accepted.
    pub(crate) fn suggesting(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into().into());
        self
    }

    /// The whole expression, as it was typed.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// What is wrong, without place and suggestion: `hour 24: 0 to 23`.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The bytes of the expression that are wrong; empty where something is missing.
    pub fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// The first wrong character, counted from 1.
    pub fn column(&self) -> usize {
        let before = self.expression.get(..self.place.start);
        before.unwrap_or(&self.expression).chars().count() + 1
    }

    /// An expression that would be accepted and may be what was meant.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    /// Three lines for a terminal: the expression, carets under the wrong part, and the message.
    /// Characters that would break the line are shown as spaces.
    pub fn pointed(&self) -> String {
        let line: String = self.expression.chars().map(printable).collect();
        let wrong = self.expression.get(self.place.clone()).unwrap_or_default();
        let carets = "^".repeat(wrong.chars().count().max(1));
        let indent = " ".repeat(self.column() - 1);
        format!("{line}\n{indent}{carets}\n{}", self.with_suggestion())
    }

    fn with_suggestion(&self) -> String {
        match &self.suggestion {
            Some(suggestion) => format!("{}; did you mean {suggestion:?}?", self.message),
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

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (column {})", self.message, self.column())?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean {suggestion:?}?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ParseError {}
