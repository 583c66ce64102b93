//! Reading a line from left to right.

use std::ops::Range;

use crate::ParseError;

/// Reads a line from left to right; places count from the start of the whole expression.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) end: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn finish(&self, after: &str) -> Result<(), ParseError> {
        match self.rest() {
            "" => Ok(()),
            _ => Err(self.left_over(after)),
        }
    }

    pub(super) fn left_over(&self, after: &str) -> ParseError {
        let rest = self.rest();
        self.error(
            self.at..self.end,
            format!("{rest:?} is left over after {after}"),
        )
    }

    pub(super) fn take(&mut self, wanted: &str) -> bool {
        let found = self.looks_at(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    pub(super) fn looks_at(&self, wanted: &str) -> bool {
        self.rest().starts_with(wanted)
    }

    pub(super) fn take_digits(&mut self) -> &'a str {
        let rest = self.rest();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        self.at += digits;
        &rest[..digits]
    }

    pub(super) fn take_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(' ').len();
    }

    /// Steps over what stands where something else should be.
    pub(super) fn skip_word(&mut self) {
        let rest = self.rest();
        let separators = [' ', ',', '/', ':', '-', '~', '.'];
        self.at += rest.find(separators).unwrap_or(rest.len());
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..self.end]
    }

    pub(super) fn since(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    pub(super) fn text(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    pub(super) fn error(&self, place: Range<usize>, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, place, message)
    }
}
