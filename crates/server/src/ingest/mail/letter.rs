//! What a mail says: its subject, its text, and which mail it is. Pure.

use mail_parser::decoders::html::html_to_text;
use mail_parser::{HeaderName, Message, MessageParser, PartType};
use sha2::{Digest as _, Sha256};

/// A mail with more parts than this is not taken apart: no job sends one, and taking it apart would cost far
/// more than its size.
const PARTS_MAX: usize = 100;
/// The longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 1_000;
/// How many bytes of its hash stand for a mail.
const MARK_BYTES: usize = 20;

/// A mail, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// Its subject, decoded; empty where it has none. One line.
    pub subject: String,
    /// Its text: the plain part, or what the HTML part says. Lines end with LF.
    pub text: String,
    /// The HTML part beside a plain one, as text: words may stand in it alone.
    pub beside: String,
    /// Stands for this mail, however often it comes; `None` where it bears neither id nor date.
    pub mark: Option<String>,
}

impl Letter {
    /// Reads a mail as it came: header, empty line, body. What is no mail is text.
    pub fn read(raw: &[u8]) -> Self {
        let parser = MessageParser::new()
            .with_mime_headers()
            .header_text(HeaderName::Subject)
            .header_raw(HeaderName::From)
            .header_raw(HeaderName::Date)
            .header_raw(HeaderName::MessageId)
            .default_header_ignore();
        let whole = (parts(raw) <= PARTS_MAX).then(|| parser.parse(raw));
        if let Some(Some(message)) = &whole {
            return Self::of(message, raw);
        }
        let (head, body) = match parser.parse_headers(raw) {
            Some(head) => (Self::of(&head, raw), body(raw)),
            None => (Self::default(), raw),
        };
        Self {
            text: text_of(&String::from_utf8_lossy(body)),
            ..head
        }
    }

    fn of(message: &Message<'_>, raw: &[u8]) -> Self {
        let plain: Vec<_> = (0..message.text_body_count())
            .filter_map(|at| message.body_text(at))
            .collect();
        let html = message.html_body.iter();
        let beside = html
            .filter(|id| !message.text_body.contains(id))
            .filter_map(|id| match &message.part(*id)?.body {
                PartType::Html(html) => Some(html_to_text(html)),
                _ => None,
            });
        Self {
            subject: subject(message.subject().unwrap_or_default()),
            text: text_of(&plain.join("\n")),
            beside: beside.collect::<Vec<_>>().join("\n"),
            mark: mark(message, raw),
        }
    }
}

/// At most how many parts a mail has. Each but the simplest says what it is, at the beginning of a line.
fn parts(raw: &[u8]) -> usize {
    const SAYS: &[u8] = b"content-type";
    let lines = raw.split(|byte| *byte == b'\n');
    let says = |line: &&[u8]| {
        line.get(..SAYS.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(SAYS))
    };
    lines.filter(says).count()
}

/// What stands behind the first empty line.
fn body(raw: &[u8]) -> &[u8] {
    let mut at = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
    }
    &raw[at..]
}

fn text_of(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// One line, without what is no text.
fn subject(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = one_line.chars().filter(|c| !c.is_control());
    plain.take(SUBJECT_CHARS_MAX).collect()
}

/// A mail that is sent again is the same in what its sender wrote, though servers on its way add lines of
/// their own to its header. The text counts, too: some devices give all their mails one id.
fn mark(message: &Message<'_>, raw: &[u8]) -> Option<String> {
    let line = |name: HeaderName<'static>| {
        let value = message.header(name).and_then(|value| value.as_text());
        value.map(str::trim).filter(|value| !value.is_empty())
    };
    let id = line(HeaderName::MessageId);
    let date = line(HeaderName::Date);
    if id.is_none() && date.is_none() {
        return None;
    }
    let mut hash = Sha256::new();
    for part in [id, date, line(HeaderName::From), message.subject()] {
        hash.update(part.unwrap_or_default());
        hash.update([0]);
    }
    hash.update(body(raw));
    let hash = hash.finalize();
    let hex = hash
        .iter()
        .take(MARK_BYTES)
        .map(|byte| format!("{byte:02x}"));
    Some(hex.collect())
}

#[cfg(test)]
#[path = "letter_tests.rs"]
mod tests;
