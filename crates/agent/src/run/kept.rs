//! What is kept of the output: its beginning and its end, with stderr's lines marked.

use std::collections::VecDeque;

use super::mask::{Masks, SECRET_BYTES_MAX};

/// Stands before each line of stderr.
pub const ERRORS_TAG: &str = "[stderr] ";

/// How much is kept where the server has not said how much it keeps: its own default, in bytes.
pub(super) const LIMIT_BYTES: usize = 100_000;

/// The most that is kept whatever the server says, in bytes: it is in memory while the job runs.
const LIMIT_BYTES_MAX: usize = 1_000_000;

/// A longer line of one stream is kept in pieces of this size, in bytes.
const PIECE_BYTES: usize = 8 * 1024;

/// How much room the note in the middle may take, in bytes.
const NOTE_BYTES: usize = 64;

/// More is held than is kept, so that a secret that is cut in two is still known.
const MARGIN_BYTES: usize = SECRET_BYTES_MAX;

/// Both streams as one text.
#[derive(Debug)]
pub(super) struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    limit: usize,
    /// How many bytes came, tags included.
    total: u64,
    /// The last line of each stream, while it has no end.
    open: [Vec<u8>; 2],
    /// The text ends in the middle of a line of this stream.
    broken_by: Option<usize>,
}

impl Kept {
    /// Nothing yet; at most `limit` bytes will be kept.
    pub(super) fn new() -> Self {
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            limit: LIMIT_BYTES,
            total: 0,
            open: [Vec::new(), Vec::new()],
            broken_by: None,
        }
    }

    /// From now on this much is kept.
    pub(super) fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes.min(LIMIT_BYTES_MAX);
    }

    /// Takes what one stream (0: stdout, 1: stderr) said. Whole lines only are put together: two streams that
    /// write at the same time do not tear each other's lines.
    pub(super) fn push(&mut self, stream: usize, data: &[u8]) {
        let mut rest = data;
        if stream == 0 && self.open[0].is_empty() && self.broken_by.is_none() {
            // Nothing to mark and nothing to join: all whole lines at once.
            let lines = memchr::memrchr(b'\n', rest).map_or(0, |end| end + 1);
            self.append(&rest[..lines]);
            rest = &rest[lines..];
        }
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.open[stream].extend_from_slice(&rest[..=end]);
            rest = &rest[end + 1..];
            self.close(stream);
        }
        self.open[stream].extend_from_slice(rest);
        if self.open[stream].len() >= PIECE_BYTES {
            self.close(stream);
        }
    }

    /// Puts the open line of a stream to the text.
    fn close(&mut self, stream: usize) {
        let line = std::mem::take(&mut self.open[stream]);
        if self.broken_by.is_some_and(|other| other != stream) {
            self.append(b"\n");
        }
        // Another piece of the same long line is not marked again.
        if stream == 1 && self.broken_by != Some(stream) {
            self.append(ERRORS_TAG.as_bytes());
        }
        self.append(&line);
        self.broken_by = (!line.ends_with(b"\n")).then_some(stream);
    }

    fn append(&mut self, data: &[u8]) {
        self.total += data.len() as u64;
        let room = (self.head_bytes() + MARGIN_BYTES).saturating_sub(self.head.len());
        let (first, rest) = data.split_at(room.min(data.len()));
        self.head.extend_from_slice(first);
        let capacity = self.limit - self.head_bytes() + MARGIN_BYTES;
        let rest = &rest[rest.len().saturating_sub(capacity)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(capacity);
        self.tail.drain(..excess.min(self.tail.len()));
        self.tail.extend(rest);
    }

    fn head_bytes(&self) -> usize {
        self.limit / 10
    }

    /// The text without secrets, cut in its middle to `limit` bytes or to the server's limit.
    pub(super) fn finish(mut self, limit: usize, masks: &Masks) -> Vec<u8> {
        for stream in [0, 1] {
            if !self.open[stream].is_empty() {
                self.close(stream);
            }
        }
        let limit = limit.min(self.limit);
        let whole = self.total == (self.head.len() + self.tail.len()) as u64;
        let tail = Vec::from(self.tail);
        if whole {
            let mut text = self.head;
            text.extend_from_slice(&tail);
            let text = masks.apply(text);
            return if text.len() <= limit {
                text
            } else {
                join(&text, &text, limit, text.len() as u64)
            };
        }
        // What the cut left of a secret lies in the margins, which are not kept.
        let head = masks.apply(self.head);
        let tail = masks.apply(tail);
        let head = &head[..head.len().saturating_sub(MARGIN_BYTES)];
        let tail = &tail[MARGIN_BYTES.min(tail.len())..];
        join(head, tail, limit, self.total)
    }
}

/// The beginning of `head`, a note, and the end of `tail`: what is left of `total` bytes.
fn join(head: &[u8], tail: &[u8], limit: usize, total: u64) -> Vec<u8> {
    let head = &head[..before_character(head, (limit / 10).min(head.len()))];
    let room = limit.saturating_sub(head.len() + NOTE_BYTES);
    let tail = &tail[after_character(tail, tail.len().saturating_sub(room))..];
    let cut = total.saturating_sub((head.len() + tail.len()) as u64);
    let note = format!("\n[… {cut} bytes cut …]\n");
    [head, note.as_bytes(), tail].concat()
}

/// Whether this byte of UTF-8 goes on with a character.
fn continues(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// How far a cut is moved at most to spare a character, in bytes.
const CHARACTER_BYTES_MAX: usize = 4;

fn before_character(text: &[u8], cut: usize) -> usize {
    let begins = |at: &usize| text.get(*at).is_none_or(|byte| !continues(*byte));
    let lowest = cut.saturating_sub(CHARACTER_BYTES_MAX);
    (lowest..=cut).rev().find(begins).unwrap_or(cut)
}

fn after_character(text: &[u8], cut: usize) -> usize {
    let begins = |at: &usize| text.get(*at).is_none_or(|byte| !continues(*byte));
    let highest = (cut + CHARACTER_BYTES_MAX).min(text.len());
    (cut..=highest).find(begins).unwrap_or(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kept: Kept, limit: usize) -> String {
        String::from_utf8(kept.finish(limit, &Masks::default())).unwrap()
    }

    #[test]
    fn lines_of_stderr_are_marked_and_no_line_is_torn() {
        let mut kept = Kept::new();
        kept.push(0, b"one\ntw");
        kept.push(1, b"warn");
        kept.push(0, b"o\n");
        kept.push(1, b"ing\nlast");
        kept.push(0, b"end");
        assert_eq!(
            text(kept, 1_000),
            "one\ntwo\n[stderr] warning\nend\n[stderr] last"
        );
    }

    #[test]
    fn of_a_long_output_the_beginning_and_the_end_are_kept() {
        let mut kept = Kept::new();
        kept.push(0, b"begin\n");
        for _ in 0..3_000 {
            kept.push(0, &[b'x'; 999]);
            kept.push(0, b"\n");
        }
        kept.push(0, b"end\n");
        let text = text(kept, LIMIT_BYTES);
        assert!(text.starts_with("begin\nx") && text.ends_with("x\nend\n"));
        assert!(text.len() <= LIMIT_BYTES && text.len() > LIMIT_BYTES - 100);
        let (before, after) = text.split_once("\n[… ").unwrap();
        let (cut, after) = after.split_once(" bytes cut …]\n").unwrap();
        let cut: usize = cut.parse().unwrap();
        assert_eq!(before.len() + cut + after.len(), 3_000_010);
        assert_eq!(before.len(), LIMIT_BYTES / 10);
    }

    #[test]
    fn the_servers_smaller_limit_holds_at_the_end() {
        let mut kept = Kept::new();
        for number in 0..1_000 {
            kept.push(0, format!("zeile {number} größer\n").as_bytes());
        }
        let text = text(kept, 1_000);
        assert!(text.len() <= 1_000, "{}", text.len());
        assert!(text.starts_with("zeile 0 ") && text.ends_with("zeile 999 größer\n"));
    }

    #[test]
    fn a_secret_at_the_edge_of_what_is_kept_does_not_shine_through() {
        let secret = "correct-horse-battery";
        let masks = Masks::of([("DB_PASSWORD".into(), secret.into())]);
        for shift in 0..40 {
            let mut kept = Kept::new();
            kept.push(0, "y".repeat(LIMIT_BYTES / 10 - 30 + shift).as_bytes());
            kept.push(0, secret.as_bytes());
            kept.push(0, "y".repeat(300_000).as_bytes());
            kept.push(0, secret.as_bytes());
            kept.push(0, "y".repeat(LIMIT_BYTES * 9 / 10 - 100 + shift).as_bytes());
            let text = kept.finish(LIMIT_BYTES, &masks);
            let text = String::from_utf8(text).unwrap();
            for part in ["correct", "horse", "battery", "rect", "tery"] {
                assert!(!text.contains(part), "{part} {shift}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_as_they_are() {
        let mut kept = Kept::new();
        let bytes: Vec<u8> = (0..=255).collect();
        kept.push(0, &bytes);
        assert_eq!(kept.finish(1_000, &Masks::default()), bytes);
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_is_kept() {
        let mut kept = Kept::new();
        for _ in 0..500 {
            kept.push(1, &[b'z'; 10_000]);
        }
        let held = kept.head.len() + kept.tail.len() + kept.open[1].len();
        assert!(held < LIMIT_BYTES + 3 * MARGIN_BYTES, "{held}");
    }
}
