//! The parts of a rule, taken one after the other.

use std::ops::Range;

use crate::rules::{
    RuleError,
    lexer::{self, Placed, Token},
};

/// Where the reading of a rule stands.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    parts: Vec<Placed>,
    next: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, RuleError> {
        let parts = lexer::cut(text)?;
        Ok(Self {
            text,
            parts,
            next: 0,
        })
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.parts.get(self.next).map(|part| &part.token)
    }

    /// Where the next part stands; empty at the end of the text if there is none.
    pub(super) fn place(&self) -> Range<usize> {
        let end = self.text.trim_end().len();
        self.parts
            .get(self.next)
            .map_or(end..end, |part| part.at.clone())
    }

    /// Where the last part that was taken ends.
    pub(super) fn end_of_last(&self) -> usize {
        let last = self
            .next
            .checked_sub(1)
            .and_then(|last| self.parts.get(last));
        last.map_or(0, |part| part.at.end)
    }

    /// Goes on to the next part.
    pub(super) fn step(&mut self) {
        self.next += 1;
    }

    pub(super) fn takes(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn takes_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    pub(super) fn number(&mut self) -> Option<f64> {
        let Some(Token::Number(number)) = self.peek() else {
            return None;
        };
        let number = *number;
        self.next += 1;
        Some(number)
    }

    pub(super) fn fail<T>(
        &self,
        at: Range<usize>,
        message: impl Into<String>,
    ) -> Result<T, RuleError> {
        Err(RuleError::new(self.text, at, message))
    }

    pub(super) fn fail_here<T>(&self, message: impl Into<String>) -> Result<T, RuleError> {
        self.fail(self.place(), message)
    }
}
