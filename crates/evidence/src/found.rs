//! What was read: the data types. All of them can be stored as JSON; a field that is not known is left out.

use serde::{Deserialize, Serialize};

use crate::limits::{EVIDENCES_MAX, TELLTALES_MAX};
use crate::text::{cut, shown};
use crate::{Metric, Tool};

/// How a run went, from what its output and its exit code say. The greater is the worse.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing speaks against it. It may still have done too little: that is for the rules.
    #[default]
    Ok,
    /// It did its work, but not all of it: a file that could not be read.
    Warning,
    /// It did not do its work.
    Failed,
}

impl Outcome {
    /// Its name in JSON: `warning`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What one run of one tool says it did. What the tool does not say is `None`, never zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The program that said it.
    pub tool: Tool,
    /// The program's version: `1.2.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Files that the source holds. Directories are not counted where the tool tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_total: Option<u64>,
    /// Files that were new or changed, so were copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_changed: Option<u64>,
    /// Bytes that the source holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_total: Option<u64>,
    /// Bytes that were written, sent or added to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_added: Option<u64>,
    /// Files that were deleted at the destination (or are gone from the source, for tools that keep versions).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes: Option<u64>,
    /// What failed, counted by the tool or, where it does not count, by its messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<u64>,
    /// What was warned about, counted in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<u64>,
    /// Whether it was only a rehearsal (`--dry-run`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// What was made: a snapshot's id, an archive's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// How long it took by its own clock, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Other numbers that it says, at most [`Evidence::METRICS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// How it went by its own words, without the exit code of the whole job.
    pub outcome: Outcome,
    /// Why it is not [`Outcome::Ok`], in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The line of the output that shows it, cut to [`LINE_SHOWN_CHARS_MAX`].
    pub line: String,
}

/// The longest line that is kept to be shown, in characters.
pub const LINE_SHOWN_CHARS_MAX: usize = 300;

impl Evidence {
    /// How many other numbers one evidence holds.
    pub const METRICS_MAX: usize = 16;

    /// Evidence of a tool that has said nothing yet.
    pub fn new(tool: Tool) -> Self {
        Self {
            tool,
            version: None,
            files_total: None,
            files_changed: None,
            bytes_total: None,
            bytes_added: None,
            deletes: None,
            errors: None,
            warnings: None,
            dry_run: None,
            snapshot: None,
            duration: None,
            metrics: Vec::new(),
            outcome: Outcome::Ok,
            why: None,
            line: String::new(),
        }
    }
}

/// The numbers of all evidence of a run together. A field is `None` when no tool says it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// See [`Evidence::files_total`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_total: Option<u64>,
    /// See [`Evidence::files_changed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_changed: Option<u64>,
    /// See [`Evidence::bytes_total`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_total: Option<u64>,
    /// See [`Evidence::bytes_added`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_added: Option<u64>,
    /// See [`Evidence::deletes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes: Option<u64>,
    /// See [`Evidence::errors`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<u64>,
    /// See [`Evidence::warnings`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<u64>,
    /// Whether any of them was a rehearsal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// The seconds of all tools together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
}

/// A line that gives away what went wrong, whoever printed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telltale {
    /// What it gives away.
    pub kind: TelltaleKind,
    /// What it means for a run that is not known to have failed otherwise.
    pub outcome: Outcome,
    /// The program that said so, as it names itself at the start of the line: `cp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The line, cut to [`LINE_SHOWN_CHARS_MAX`].
    pub line: String,
    /// How many lines said the same: the same kind, of the same program.
    pub times: u64,
}

/// What a telltale line gives away. Its name in JSON is kebab-case: `no-space-left`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TelltaleKind {
    /// A disk or a quota is full.
    NoSpaceLeft,
    /// A program is not on the path, as so often under cron.
    CommandNotFound,
    /// A shell could not read its script; in a crontab often an unescaped `%`.
    SyntaxError,
    /// A whole source is not there and was left out.
    SourceMissing,
    /// Something is not mounted.
    NotMounted,
    /// A mount whose server is gone.
    StaleHandle,
    /// A disk answers with errors.
    InputOutputError,
    /// A file system can only be read.
    ReadOnly,
    /// The memory was not enough.
    OutOfMemory,
    /// A program crashed.
    Crash,
    /// An archive or a dump is cut off or damaged.
    Damaged,
    /// Somebody else holds the lock: often the run before this one.
    LockHeld,
    /// A password was needed and there was none, or nobody to ask.
    EmptyPassword,
    /// A password or a key was refused.
    LoginRefused,
    /// A server could not be reached.
    ConnectionFailed,
    /// A file or a directory is not there.
    NoSuchFile,
    /// A file may not be read or written.
    PermissionDenied,
    /// Something was left out.
    Skipping,
}

impl TelltaleKind {
    /// Its name in JSON: `no-space-left`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSpaceLeft => "no-space-left",
            Self::CommandNotFound => "command-not-found",
            Self::SyntaxError => "syntax-error",
            Self::SourceMissing => "source-missing",
            Self::NotMounted => "not-mounted",
            Self::StaleHandle => "stale-handle",
            Self::InputOutputError => "input-output-error",
            Self::ReadOnly => "read-only",
            Self::OutOfMemory => "out-of-memory",
            Self::Crash => "crash",
            Self::Damaged => "damaged",
            Self::LockHeld => "lock-held",
            Self::EmptyPassword => "empty-password",
            Self::LoginRefused => "login-refused",
            Self::ConnectionFailed => "connection-failed",
            Self::NoSuchFile => "no-such-file",
            Self::PermissionDenied => "permission-denied",
            Self::Skipping => "skipping",
        }
    }

    /// It in words, at the start of a sentence: `no space left`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoSpaceLeft => "no space left",
            Self::CommandNotFound => "a command was not found",
            Self::SyntaxError => "a shell could not read its script",
            Self::SourceMissing => "a source is missing",
            Self::NotMounted => "something is not mounted",
            Self::StaleHandle => "a mount's server is gone",
            Self::InputOutputError => "a disk answered with an error",
            Self::ReadOnly => "a file system is read-only",
            Self::OutOfMemory => "a process was killed or found no memory",
            Self::Crash => "a program crashed",
            Self::Damaged => "something is damaged",
            Self::LockHeld => "somebody else holds the lock",
            Self::EmptyPassword => "a password is missing",
            Self::LoginRefused => "a login was refused",
            Self::ConnectionFailed => "a server could not be reached",
            Self::NoSuchFile => "a file or folder is missing",
            Self::PermissionDenied => "something may not be read or written",
            Self::Skipping => "something was left out",
        }
    }
}

/// All that was read from one run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// What each tool says it did, in the order of the output, at most [`crate::limits::EVIDENCES_MAX`].
    pub evidence: Vec<Evidence>,
    /// The lines that give something away, at most [`crate::limits::TELLTALES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub telltales: Vec<Telltale>,
    /// How it went, all in all.
    pub outcome: Outcome,
    /// Why it is not [`Outcome::Ok`], in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Reading {
    /// The numbers of all evidence together; `None` without evidence.
    pub fn sum(&self) -> Option<Totals> {
        if self.evidence.is_empty() {
            return None;
        }
        let mut sum = Totals::default();
        for one in &self.evidence {
            add(&mut sum.files_total, one.files_total);
            add(&mut sum.files_changed, one.files_changed);
            add(&mut sum.bytes_total, one.bytes_total);
            add(&mut sum.bytes_added, one.bytes_added);
            add(&mut sum.deletes, one.deletes);
            add(&mut sum.errors, one.errors);
            add(&mut sum.warnings, one.warnings);
            sum.dry_run = match (sum.dry_run, one.dry_run) {
                (Some(sum), Some(one)) => Some(sum || one),
                (sum, one) => sum.or(one),
            };
            sum.duration = match (sum.duration, one.duration) {
                (Some(sum), Some(one)) => Some(sum + one),
                (sum, one) => sum.or(one),
            };
        }
        Some(sum)
    }

    /// The same within the limits that a [`Reader`](crate::Reader) keeps, for one that came from elsewhere.
    #[must_use]
    pub fn within_limits(mut self) -> Self {
        self.evidence.truncate(EVIDENCES_MAX);
        self.telltales.truncate(TELLTALES_MAX);
        for one in &mut self.evidence {
            one.metrics.truncate(Evidence::METRICS_MAX);
            one.metrics
                .retain(|metric| Metric::new(&metric.name, metric.value).is_some());
            one.duration = one.duration.filter(|it| it.is_finite() && *it >= 0.0);
            one.line = shown(&one.line);
            for text in [&mut one.version, &mut one.snapshot, &mut one.why] {
                *text = text.take().map(|it| cut(&it, TEXT_CHARS_MAX));
            }
        }
        for one in &mut self.telltales {
            one.line = shown(&one.line);
            one.program = one.program.take().map(|it| cut(&it, TEXT_CHARS_MAX));
        }
        self.why = self.why.map(|it| cut(&it, TEXT_CHARS_MAX));
        self
    }
}

/// The longest text of a reading that is no line of the output, in characters.
const TEXT_CHARS_MAX: usize = 1_000;

/// Adds a number that may not be known.
pub(crate) fn add(sum: &mut Option<u64>, one: Option<u64>) {
    if let Some(one) = one {
        *sum = Some(sum.unwrap_or(0).saturating_add(one));
    }
}
