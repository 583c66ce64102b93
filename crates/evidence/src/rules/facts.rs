//! One run's numbers.

use std::collections::BTreeMap;

use super::{Field, words};
use crate::{Evidence, Metric, Outcome, Reading, Severity, Telltale, Tool, Totals};

/// What is known about one run: what was read from its output, how long it took, what it reported.
///
/// Made from the reading, then told the rest:
/// `RunFacts::read(reading).lasted(seconds).exited(code).reported(&metrics).ended_at(unix_seconds)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunFacts {
    /// Whether the signal carried an output, be it an empty one.
    pub(crate) has_output: bool,
    /// What the output says against the run, and how bad that is.
    pub(crate) verdict: Option<(Severity, String)>,
    pub(crate) parts: Vec<Part>,
    pub(crate) telltales: Vec<Telltale>,
    totals: Totals,
    duration: Option<f64>,
    exit_code: Option<i32>,
    metrics: BTreeMap<String, f64>,
    ended_at: Option<f64>,
}

/// What one tool said, as far as rules look at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) tool: Tool,
    pub(crate) files_total: Option<u64>,
    pub(crate) bytes_total: Option<u64>,
    pub(crate) dry_run: bool,
    pub(crate) line: String,
}

impl RunFacts {
    /// The numbers of all evidence together. `None` where the signal carried no output at all (a GET); an empty
    /// output is a reading, too, in which nothing was found.
    pub fn read(reading: Option<&Reading>) -> Self {
        let Some(reading) = reading else {
            return Self::default();
        };
        let mut facts = Self {
            has_output: true,
            verdict: verdict(reading),
            parts: reading.evidence.iter().map(Part::of).collect(),
            telltales: reading.telltales.clone(),
            totals: reading.sum().unwrap_or_default(),
            ..Self::default()
        };
        for metric in reading.evidence.iter().flat_map(|one| &one.metrics) {
            *facts.metrics.entry(metric.name.clone()).or_default() += metric.value;
        }
        if !facts.parts.is_empty() || !facts.telltales.is_empty() {
            let found = |wanted: Outcome| trouble(reading, wanted);
            let totals = &mut facts.totals;
            totals.errors = totals.errors.max(Some(found(Outcome::Failed)));
            totals.warnings = totals.warnings.max(Some(found(Outcome::Warning)));
        }
        facts
    }

    /// How long the run took from its start signal to its end, in seconds. Without it the tools' own clocks count.
    #[must_use]
    pub fn lasted(mut self, seconds: Option<f64>) -> Self {
        self.duration = seconds.filter(|seconds| seconds.is_finite());
        self
    }

    /// The exit code that the job sent.
    #[must_use]
    pub fn exited(mut self, code: Option<i32>) -> Self {
        self.exit_code = code;
        self
    }

    /// What the job reports itself. It knows better than what was read beside a tool's fields.
    #[must_use]
    pub fn reported(mut self, metrics: &[Metric]) -> Self {
        for metric in metrics.iter().filter(|metric| metric.value.is_finite()) {
            self.metrics.insert(metric.name.clone(), metric.value);
        }
        self
    }

    /// When the run ended, in Unix seconds: what an age counts back from.
    #[must_use]
    pub fn ended_at(mut self, unix_seconds: Option<f64>) -> Self {
        self.ended_at = unix_seconds.filter(|at| at.is_finite());
        self
    }

    /// A number of this run: in bytes, in seconds, or as it is; `None` if nothing says it.
    ///
    /// What no tool says may be a metric of the same name: a script of one's own reports `m.files_total`.
    pub fn value(&self, field: &Field) -> Option<f64> {
        let totals = &self.totals;
        let count = |number: Option<u64>| number.map(|number| number as f64);
        let read = match field {
            Field::FilesTotal => count(totals.files_total),
            Field::FilesChanged => count(totals.files_changed),
            Field::BytesTotal => count(totals.bytes_total),
            Field::BytesAdded => count(totals.bytes_added),
            Field::Deletes => count(totals.deletes),
            Field::Errors => count(totals.errors),
            Field::Warnings => count(totals.warnings),
            Field::Duration => self.duration.or(totals.duration),
            Field::ExitCode => self.exit_code.map(f64::from),
            Field::Metric(name) => return self.metrics.get(name).copied(),
            Field::Age(name) => {
                return Some(self.ended_at? - self.metrics.get(name)?);
            }
        };
        read.or_else(|| self.metrics.get(field.word()).copied())
    }

    /// The metrics of this run: those that the job reports, and those that tools say beside their fields.
    pub fn metrics(&self) -> &BTreeMap<String, f64> {
        &self.metrics
    }

    /// Whether a known tool said anything.
    pub fn has_evidence(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The line that shows the numbers, behind a sentence: of several tools, that which read nothing, else the
    /// last.
    pub(crate) fn line(&self) -> String {
        let shows = |part: &&Part| !part.line.trim().is_empty();
        let mut lines = self.parts.iter().filter(shows);
        let nothing = lines.clone().find(|part| part.is_empty());
        nothing
            .or_else(|| lines.next_back())
            .map_or(String::new(), |part| {
                words::quote(part.tool.command(), &part.line)
            })
    }

    /// How many tools said that they read nothing.
    pub(crate) fn empty_parts(&self) -> usize {
        self.parts.iter().filter(|part| part.is_empty()).count()
    }

    /// The tools that spoke, each once, as people type them: `rsync and restic`.
    pub(crate) fn speakers(&self) -> String {
        let mut names: Vec<&str> = self.parts.iter().map(|part| part.tool.command()).collect();
        names.dedup();
        match names.as_slice() {
            [] => "the output".to_owned(),
            [one] => (*one).to_owned(),
            [one, other] => format!("{one} and {other}"),
            [one, rest @ ..] => format!("{one} and {} more", rest.len()),
        }
    }
}

impl Part {
    fn of(evidence: &Evidence) -> Self {
        Self {
            tool: evidence.tool,
            files_total: evidence.files_total,
            bytes_total: evidence.bytes_total,
            dry_run: evidence.dry_run == Some(true),
            line: evidence.line.clone(),
        }
    }

    /// Whether it says that it read nothing. Where files are counted they decide: rclone counts only the bytes
    /// that it moves, and a tree may hold nothing but empty files.
    pub(crate) fn is_empty(&self) -> bool {
        self.files_total.or(self.bytes_total) == Some(0)
    }

    /// Whether it says how much it read.
    pub(crate) fn is_measured(&self) -> bool {
        self.files_total.or(self.bytes_total).is_some()
    }
}

/// How many tools and telltale lines say that it went so.
fn trouble(reading: &Reading, wanted: Outcome) -> u64 {
    let tools = reading.evidence.iter().filter(|one| one.outcome == wanted);
    let lines = reading.telltales.iter().filter(|one| one.outcome == wanted);
    let lines = lines.fold(0_u64, |sum, one| sum.saturating_add(one.times));
    lines.saturating_add(tools.count() as u64)
}

/// What an output says against its run, where it says why.
fn verdict(reading: &Reading) -> Option<(Severity, String)> {
    let severity = match reading.outcome {
        Outcome::Ok => return None,
        Outcome::Warning => Severity::Warning,
        Outcome::Failed => Severity::Failure,
    };
    Some((severity, reading.why.clone()?))
}
