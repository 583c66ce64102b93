//! What a job said, and what its runs did, line by line.

use std::time::Duration;

use nightbeat_domain::work::{PastRun, past_facts};
use nightbeat_domain::{IgnoredBecause, SignalKind};
use nightbeat_evidence::rules::Field;
use nightbeat_store::control::runs::Run;
use nightbeat_store::control::signals::Signal;

use super::charts::words;
use crate::web::time::{Reader, When, bytes, took};

/// How much of a body a page shows; the API gives all that is kept.
const BODY_CHARS_MAX: usize = 20_000;
/// The most metrics of one run that are told.
const METRICS_MAX: usize = 8;

/// A run.
pub(super) struct RunRow {
    /// Its number.
    pub(super) id: i64,
    pub(super) ended: When,
    pub(super) outcome: &'static str,
    pub(super) took: Option<String>,
    pub(super) exit_code: Option<u8>,
    /// What it did, as its output says: `restic: 1 204 files, 3.2 GB`.
    pub(super) work: Vec<(String, String)>,
    /// What speaks against it.
    pub(super) objections: Vec<String>,
}

/// A signal.
pub(super) struct SignalRow {
    /// Its number: rows keep their state while newer ones come.
    pub(super) id: i64,
    pub(super) received: When,
    /// When it happened, where that was long before.
    pub(super) happened: Option<When>,
    pub(super) kind: &'static str,
    pub(super) mark: &'static str,
    pub(super) exit_code: Option<u8>,
    pub(super) ignored: Option<&'static str>,
    pub(super) method: String,
    pub(super) source: String,
    pub(super) user_agent: String,
    pub(super) metrics: String,
    pub(super) body: Option<String>,
    pub(super) size: String,
    pub(super) is_cut: bool,
}

/// A run as later ones are held against it.
pub(super) fn past(run: &Run) -> PastRun {
    PastRun {
        started_at: run.started_at,
        ended_at: run.ended_at,
        outcome: run.outcome,
        work: run.work.clone(),
    }
}

impl RunRow {
    pub(super) fn of(run: &Run, reader: &Reader) -> Self {
        let facts = past_facts(&past(run));
        let mut work: Vec<(String, String)> = Vec::new();
        if let Some(reading) = run.work.as_ref().and_then(|work| work.reading.as_ref()) {
            let mut tools: Vec<&str> = reading
                .evidence
                .iter()
                .map(|one| one.tool.command())
                .collect();
            tools.dedup();
            if !tools.is_empty() {
                work.push(("tool".to_owned(), tools.join(", ")));
            }
        }
        let told = [
            (Field::FilesTotal, "files"),
            (Field::FilesChanged, "changed"),
            (Field::BytesTotal, "data"),
            (Field::BytesAdded, "added"),
            (Field::Deletes, "deleted"),
            (Field::Errors, "errors"),
            (Field::Warnings, "warnings"),
        ];
        for (field, name) in told {
            let quiet = matches!(field, Field::Deletes | Field::Errors | Field::Warnings);
            let value = facts.value(&field).filter(|value| !quiet || *value > 0.0);
            work.extend(value.map(|value| (name.to_owned(), words(&field, value))));
        }
        for (name, value) in facts.metrics().iter().take(METRICS_MAX) {
            let field = Field::Metric(name.clone());
            work.push((name.clone(), words(&field, *value)));
        }
        Self {
            id: run.id,
            ended: reader.when(run.ended_at),
            outcome: run.outcome.as_str(),
            took: run.started_at.map(|at| took(run.ended_at.since(at))),
            exit_code: run.exit_code,
            work,
            objections: objections(run),
        }
    }
}

fn objections(run: &Run) -> Vec<String> {
    let Some(work) = &run.work else {
        return Vec::new();
    };
    let broken = work.broken_rules.iter();
    let mut told: Vec<String> = broken
        .map(|broken| format!("{}: {}", broken.rule, broken.explanation))
        .collect();
    if told.is_empty() {
        told.extend(
            work.reading
                .as_ref()
                .and_then(|reading| reading.why.clone()),
        );
    }
    told
}

impl SignalRow {
    pub(super) fn of(signal: Signal, reader: &Reader) -> Self {
        const LATE: Duration = Duration::from_secs(1);
        let late = signal.received_at.since(signal.happened_at) > LATE;
        let metrics: Vec<String> = signal
            .metrics
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let size = signal.body_bytes.unwrap_or(0);
        let kept = signal.body.as_ref().map_or(0, Vec::len) as u64;
        let shown = signal.body.as_deref().map(readable);
        let is_cut = kept < size || shown.as_ref().is_some_and(|(_, cut)| *cut);
        Self {
            id: signal.id,
            received: reader.when(signal.received_at),
            happened: late.then(|| reader.when(signal.happened_at)),
            kind: signal.kind.as_str(),
            mark: match (signal.ignored, signal.kind) {
                (Some(_), _) | (None, SignalKind::Log) => "new",
                (None, SignalKind::Success) => "ok",
                (None, SignalKind::Start) => "running",
                (None, SignalKind::Fail) => "failed",
            },
            exit_code: signal.exit_code,
            ignored: signal.ignored.map(|why| match why {
                IgnoredBecause::Paused => "ignored: the heartbeat was paused",
                IgnoredBecause::Method => "ignored: only POST counts",
                IgnoredBecause::Previewer => "ignored: a link previewer",
                IgnoredBecause::OutOfOrder => "ignored: its run had ended",
                IgnoredBecause::Keywords => "ignored: none of its words is in the text",
            }),
            method: signal.method,
            source: signal.source,
            user_agent: signal.user_agent,
            metrics: metrics.join(", "),
            body: shown.map(|(text, _)| text).filter(|text| !text.is_empty()),
            size: bytes(size as f64),
            is_cut,
        }
    }
}

/// A body as text; whether it was too long to show. Of control characters only line breaks and tabs stay: a
/// terminal's colours are no text.
fn readable(body: &[u8]) -> (String, bool) {
    let text = String::from_utf8_lossy(body);
    let mut chars = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    let shown: String = chars.by_ref().take(BODY_CHARS_MAX).collect();
    let cut = chars.next().is_some();
    (shown.trim_end().to_owned(), cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_as_text_whatever_it_is() {
        assert_eq!(
            readable(b"a\r\n\tb\x1b[31m\n"),
            ("a\n\tb[31m".to_owned(), false)
        );
        assert_eq!(readable(b"\xff\xfe").0, "\u{fffd}\u{fffd}");
        let (shown, cut) = readable(&vec![b'x'; BODY_CHARS_MAX + 1]);
        assert!(cut && shown.len() == BODY_CHARS_MAX);
    }
}
