//! What the server says. No reply repeats what the client said.

use std::borrow::Cow;

/// A reply: a code, and a line of text or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What programs read (RFC 5321, 4.2).
    pub code: u16,
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// A reply of one line. Behind 2xx, 4xx and 5xx of a mail it begins with an enhanced code (RFC 3463).
    pub(super) fn new(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            lines: vec![text.into()],
        }
    }

    /// A reply of several lines.
    pub(super) fn of_lines(code: u16, lines: Vec<Cow<'static, str>>) -> Self {
        Self { code, lines }
    }

    /// Whether it says that the client did something wrong.
    pub(super) fn is_refusal(&self) -> bool {
        self.code >= 500
    }

    /// Writes it as the wire wants it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let last = self.lines.len() - 1;
        for (at, line) in self.lines.iter().enumerate() {
            let mark = if at == last { ' ' } else { '-' };
            out.extend_from_slice(format!("{}{mark}{line}\r\n", self.code).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_but_the_last_say_that_more_comes() {
        let mut out = Vec::new();
        Reply::new(250, "2.0.0 fine").write(&mut out);
        Reply::of_lines(250, vec!["a".into(), "b".into(), "c".into()]).write(&mut out);
        assert_eq!(out, b"250 2.0.0 fine\r\n250-a\r\n250-b\r\n250 c\r\n");
    }
}
