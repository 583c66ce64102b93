//! From chunks to lines: in any chunking the same lines, in bounded memory.

use memchr::{memchr2, memrchr2};

use crate::keywords;
use crate::limits::{DOCUMENT_BYTES_MAX, LINE_BYTES_MAX};

/// What is found on a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found<'a> {
    /// A line that holds a word worth a closer look.
    Line(&'a [u8]),
    /// A JSON document over several lines.
    Document(&'a [u8]),
}

/// One stream: what has come of its last line, and of a document that is not closed yet. A carriage return ends a
/// line like a line feed, so that progress bars are lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// A document whose end has not come; empty when there is none.
    document: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes. Every line and document that ends in them is handed over.
    pub(crate) fn push(&mut self, mut bytes: &[u8], found: &mut impl FnMut(Found<'_>)) {
        if !self.partial.is_empty() {
            let end = memchr2(b'\n', b'\r', bytes);
            let (head, rest) = match end {
                Some(end) => bytes.split_at(end),
                None => (bytes, &[][..]),
            };
            self.keep(head);
            let Some(&ending) = rest.first() else {
                return;
            };
            let mut line = std::mem::take(&mut self.partial);
            line.push(ending);
            self.search(&line, found);
            line.clear();
            self.partial = line;
            bytes = &rest[1..];
        }
        let whole = memrchr2(b'\n', b'\r', bytes).map_or(0, |end| end + 1);
        let (lines, tail) = bytes.split_at(whole);
        self.search(lines, found);
        self.keep(tail);
    }

    /// Nothing follows: the last line may have no end.
    pub(crate) fn finish(&mut self, found: &mut impl FnMut(Found<'_>)) {
        if !self.partial.is_empty() {
            self.push(b"\n", found);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX - self.partial.len();
        self.partial
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Searches lines that are whole, each with its end.
    fn search(&mut self, lines: &[u8], found: &mut impl FnMut(Found<'_>)) {
        let mut from = 0;
        while from < lines.len() {
            if !self.document.is_empty() {
                let end = line_end(lines, from);
                self.document_line(&lines[from..end], found);
                from = end + 1;
                continue;
            }
            let Some(word_end) = keywords::find(lines, from) else {
                return;
            };
            // The word's own last byte may be the line's end.
            let start =
                memrchr2(b'\n', b'\r', &lines[from..word_end - 1]).map_or(from, |at| from + at + 1);
            let end = line_end(lines, word_end - 1);
            if word_end - start <= LINE_BYTES_MAX + 1 {
                self.line(capped(&lines[start..end]), found);
            }
            from = end + 1;
        }
    }

    /// A line with a word in it, outside of a document.
    fn line(&mut self, line: &[u8], found: &mut impl FnMut(Found<'_>)) {
        if opens(line) {
            self.document.extend_from_slice(line);
            self.document.push(b'\n');
        } else {
            found(Found::Line(line));
        }
    }

    /// Any line, while a document is open. What is not indented is not of it: the other stream's lines may stand
    /// between its own.
    fn document_line(&mut self, line: &[u8], found: &mut impl FnMut(Found<'_>)) {
        let line = capped(line);
        let closes = matches!(line, [b'}' | b']', ..]);
        let inside = matches!(line, [b' ' | b'\t', ..]);
        if opens(line) {
            self.document.clear();
        }
        if closes || inside || opens(line) {
            self.document.extend_from_slice(line);
            self.document.push(b'\n');
        }
        if closes {
            found(Found::Document(&self.document));
            self.document.clear();
        } else if self.document.len() > DOCUMENT_BYTES_MAX {
            self.document.clear();
            self.document.shrink_to(LINE_BYTES_MAX);
        }
        if !closes && !opens(line) && keywords::find(line, 0).is_some() {
            found(Found::Line(line));
        }
    }
}

/// Whether a line is the first of a document that is written over several lines.
fn opens(line: &[u8]) -> bool {
    matches!(line.trim_ascii_end(), b"{" | b"[") && line.len() < 8
}

/// Where the line ends that holds this position.
fn line_end(lines: &[u8], at: usize) -> usize {
    memchr2(b'\n', b'\r', &lines[at..]).map_or(lines.len(), |end| at + end)
}

fn capped(line: &[u8]) -> &[u8] {
    &line[..line.len().min(LINE_BYTES_MAX)]
}
