//! The one place that knows the reader of evidence.

use nightbeat_evidence::{Reader, Reading, Stream};

/// Reads the whole output on its way.
pub(super) struct Feed {
    reader: Reader,
}

impl Feed {
    /// Nothing read yet.
    pub(super) fn new() -> Self {
        Self {
            reader: Reader::new(),
        }
    }

    /// Some of stdout.
    pub(super) fn output(&mut self, data: &[u8]) {
        self.reader.push(Stream::Output, data);
    }

    /// Some of stderr.
    pub(super) fn errors(&mut self, data: &[u8]) {
        self.reader.push(Stream::Errors, data);
    }

    /// What it says the job did; `None` where it says nothing that the exit code does not say.
    pub(super) fn finish(self, exit_code: i32) -> Option<Reading> {
        let reading = self.reader.finish(Some(exit_code));
        let says = !reading.evidence.is_empty() || !reading.telltales.is_empty();
        says.then_some(reading)
    }
}
