//! From bytes to lines and texts. Pure.
//!
//! A line ends with CR LF, and a text with CR LF . CR LF, and with nothing else: where a server before us sees
//! one mail, no two must be seen here. A line feed or a carriage return that stands alone is refused.

/// The longest command, its CR LF included. RFC 5321 (4.5.3.1.4) has 512, and extensions add to that.
pub const LINE_BYTES_MAX: usize = 2_048;

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineProblem {
    /// It is longer than [`LINE_BYTES_MAX`].
    TooLong,
    /// It holds a line feed or carriage return that stands alone, or a NUL.
    Bare,
}

/// What came and is not understood yet.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// How many of them are taken already.
    taken: usize,
    /// A line that is too long is being passed over.
    passing: bool,
}

impl Inbox {
    /// Adds what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether everything that came is taken.
    pub fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    /// Drops what came: behind STARTTLS, anybody on the way may have added it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.taken = 0;
        self.passing = false;
    }

    /// The next line with its CR LF; `None`: it is not complete.
    pub fn line(&mut self) -> Option<Result<Vec<u8>, LineProblem>> {
        let rest = &self.bytes[self.taken..];
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            if self.passing || rest.len() >= LINE_BYTES_MAX {
                self.passing = true;
                self.taken = self.bytes.len();
            }
            return None;
        };
        let line = rest[..=end].to_vec();
        self.taken += line.len();
        if std::mem::take(&mut self.passing) || line.len() > LINE_BYTES_MAX {
            return Some(Err(LineProblem::TooLong));
        }
        let is_whole = line
            .strip_suffix(b"\r\n")
            .is_some_and(|content| !content.contains(&b'\r') && !content.contains(&0));
        Some(is_whole.then_some(line).ok_or(LineProblem::Bare))
    }

    /// Hands what came to `text`, up to its end; whether that was there.
    pub fn text(&mut self, text: &mut Text) -> bool {
        let (taken, ended) = text.push(&self.bytes[self.taken..]);
        self.taken += taken;
        ended
    }
}

/// Where in a line of a text we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Inside,
    /// Behind a CR.
    Cr,
    /// Behind a dot that a line began with.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
}

/// A text that is being read: what follows DATA.
#[derive(Debug)]
pub struct Text {
    at: At,
    bytes: Vec<u8>,
    bytes_max: usize,
    /// How long it is so far, with what is not kept.
    total: u64,
    problem: Option<TextProblem>,
}

/// Why a text is not taken. Its end is looked for all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextProblem {
    /// It holds a line feed or a carriage return that stands alone.
    Bare,
    /// It is longer than it may be.
    TooLarge,
}

impl Text {
    /// A text of at most so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            at: At::Start,
            bytes: Vec::new(),
            bytes_max,
            total: 0,
            problem: None,
        }
    }

    /// How long it is so far, with what is not kept.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many bytes are kept.
    pub fn kept(&self) -> usize {
        self.bytes.len()
    }

    /// Keeps no more of it than there is: nobody will look at it.
    pub fn drop_bytes(&mut self) {
        self.bytes = Vec::new();
        self.bytes_max = 0;
    }

    /// The text without the dots that hide its dots.
    pub fn finish(self) -> Result<Vec<u8>, TextProblem> {
        match self.problem {
            None => Ok(self.bytes),
            Some(problem) => Err(problem),
        }
    }

    /// Takes bytes up to the end of the text: how many, and whether it was there.
    fn push(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (number, byte) in bytes.iter().enumerate() {
            self.total += 1;
            self.at = match (self.at, byte) {
                (At::DotCr, b'\n') => return (number + 1, true),
                (At::Cr, b'\n') => self.keep(b"\r\n", At::Start),
                (At::Start, b'.') => At::Dot,
                (At::Dot, b'\r') => At::DotCr,
                (At::Start | At::Inside, b'\r') => At::Cr,
                // This one and the one before stand alone, or the next one will tell.
                (At::Cr | At::DotCr, b'\r') => self.refuse(At::Cr),
                (At::Cr | At::DotCr, _) | (_, b'\n') => self.refuse(At::Inside),
                (_, byte) => self.keep(&[*byte], At::Inside),
            };
        }
        (bytes.len(), false)
    }

    fn keep(&mut self, bytes: &[u8], at: At) -> At {
        if self.bytes.len() + bytes.len() <= self.bytes_max {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.spoil(TextProblem::TooLarge);
        }
        at
    }

    fn refuse(&mut self, at: At) -> At {
        self.spoil(TextProblem::Bare);
        at
    }

    fn spoil(&mut self, problem: TextProblem) {
        self.problem.get_or_insert(problem);
        self.drop_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of `wire`, in pieces of so many bytes: the text, and what is behind it.
    fn text(wire: &[u8], piece: usize) -> (Result<Vec<u8>, TextProblem>, Vec<u8>) {
        let mut inbox = Inbox::default();
        let mut text = Text::new(1_000);
        for piece in wire.chunks(piece) {
            inbox.push(piece);
            if inbox.text(&mut text) {
                let taken = usize::try_from(text.total()).unwrap();
                let rest = wire[taken..].to_vec();
                return (text.finish(), rest);
            }
        }
        panic!("no end in {:?}", String::from_utf8_lossy(wire));
    }

    #[test]
    fn a_text_ends_with_a_dot_on_a_line_of_its_own() {
        for (wire, expected, rest) in [
            (&b".\r\n"[..], &b""[..], &b""[..]),
            (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n"),
            (b"..\r\n.\r\n", b".\r\n", b""),
            (b"...a\r\n.\r\n", b"..a\r\n", b""),
            (b".a\r\n.\r\n", b"a\r\n", b""),
            (b"a.\r\nb .\r\n.\r\n", b"a.\r\nb .\r\n", b""),
            (b"\r\n\r\n.\r\n", b"\r\n\r\n", b""),
            (b"\0\xff\r\n.\r\n", b"\0\xff\r\n", b""),
        ] {
            for piece in [1, 2, 3, 100] {
                let found = text(wire, piece);
                assert_eq!(found, (Ok(expected.to_vec()), rest.to_vec()), "{piece}");
            }
        }
    }

    #[test]
    fn nothing_else_ends_it_and_what_stands_alone_is_refused() {
        for false_end in [
            &b"\n.\n"[..],
            b"\n.\r\n",
            b"\r\n.\n",
            b"\r.\r\n",
            b"\r\n.\r",
            b"\r\n.\r\r\n",
            b"\r.\r",
            b"\n.\r",
            b"\r\r\n.\r\r\n",
            b"a\nb",
            b"a\rb",
        ] {
            let wire = [b"a", false_end, b"MAIL FROM:<x>\r\n.\r\nQUIT\r\n"].concat();
            for piece in [1, 2, 5, 100] {
                let (found, rest) = text(&wire, piece);
                assert_eq!(found, Err(TextProblem::Bare), "{false_end:?}");
                assert_eq!(rest, b"QUIT\r\n", "{false_end:?}");
            }
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_passed_over() {
        let long = [vec![b'x'; 1_001], b"\r\n.\r\nQUIT\r\n".to_vec()].concat();
        assert_eq!(
            text(&long, 64),
            (Err(TextProblem::TooLarge), b"QUIT\r\n".to_vec())
        );
        let fits = [vec![b'x'; 998], b"\r\n.\r\n".to_vec()].concat();
        assert_eq!(text(&fits, 64).0.unwrap().len(), 1_000);
    }

    fn lines(wire: &[u8], piece: usize) -> Vec<Result<Vec<u8>, LineProblem>> {
        let mut inbox = Inbox::default();
        let mut found = Vec::new();
        for piece in wire.chunks(piece) {
            inbox.push(piece);
            while let Some(line) = inbox.line() {
                found.push(line);
            }
        }
        found
    }

    #[test]
    fn a_line_ends_with_both() {
        for piece in [1, 3, 5_000] {
            let found = lines(b"NOOP\r\nRSET\nA\rB\r\nNO\0OP\r\n\r\nQUIT\r\nrest", piece);
            let bare = Err(LineProblem::Bare);
            let whole = |text: &[u8]| Ok(text.to_vec());
            let expected = [
                whole(b"NOOP\r\n"),
                bare.clone(),
                bare.clone(),
                bare,
                whole(b"\r\n"),
                whole(b"QUIT\r\n"),
            ];
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_long_line_is_passed_over_and_holds_no_memory() {
        let long = vec![b'x'; 100_000];
        let wire = [b"NOOP\r\n", &long[..], b"\r\nQUIT\r\n"].concat();
        for piece in [1, 64, 4_096, 200_000] {
            let found = lines(&wire, piece);
            let expected = [
                Ok(b"NOOP\r\n".to_vec()),
                Err(LineProblem::TooLong),
                Ok(b"QUIT\r\n".to_vec()),
            ];
            assert_eq!(found, expected);
        }
        let mut inbox = Inbox::default();
        for piece in long.chunks(1_000) {
            inbox.push(piece);
            assert_eq!(inbox.line(), None);
            assert!(inbox.bytes.len() <= LINE_BYTES_MAX + 1_000);
        }
    }
}
