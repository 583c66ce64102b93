//! What a rule can speak about.

use std::fmt;

use serde_json::Value;

/// A number of a run that a rule can speak about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// See [`crate::Evidence::files_total`].
    FilesTotal,
    /// See [`crate::Evidence::files_changed`].
    FilesChanged,
    /// See [`crate::Evidence::bytes_total`].
    BytesTotal,
    /// See [`crate::Evidence::bytes_added`].
    BytesAdded,
    /// See [`crate::Evidence::deletes`].
    Deletes,
    /// See [`crate::Evidence::errors`]. Zero where tools were read and none of them speaks of any.
    Errors,
    /// See [`crate::Evidence::warnings`]. Zero where tools were read and none of them speaks of any.
    Warnings,
    /// How long the run took, in seconds: from its start to its end; where no start is known, by the tools'
    /// own clocks.
    Duration,
    /// The exit code that the job sent.
    ExitCode,
    /// A number that the job reports itself, or that a tool says beside its fields.
    Metric(String),
    /// How long before the end of the run an instant was, in seconds. The metric with this name is that
    /// instant, in Unix seconds.
    Age(String),
}

/// What a number counts, so which units fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How many of something.
    Count,
    /// A size.
    Bytes,
    /// A length of time.
    Seconds,
    /// An exit code.
    Code,
    /// A metric, which may be anything.
    Free,
}

impl Field {
    /// Those that need no name in parentheses, as the language lists them.
    pub const PLAIN: [Self; 9] = [
        Self::FilesTotal,
        Self::FilesChanged,
        Self::BytesTotal,
        Self::BytesAdded,
        Self::Deletes,
        Self::Errors,
        Self::Warnings,
        Self::Duration,
        Self::ExitCode,
    ];

    /// Its word in a rule: `files_total`; `metric` and `age` without what follows.
    pub fn word(&self) -> &'static str {
        match self {
            Self::FilesTotal => "files_total",
            Self::FilesChanged => "files_changed",
            Self::BytesTotal => "bytes_total",
            Self::BytesAdded => "bytes_added",
            Self::Deletes => "deletes",
            Self::Errors => "errors",
            Self::Warnings => "warnings",
            Self::Duration => "duration",
            Self::ExitCode => "exit_code",
            Self::Metric(_) => "metric",
            Self::Age(_) => "age",
        }
    }

    /// What it counts.
    pub fn kind(&self) -> Kind {
        match self {
            Self::FilesTotal
            | Self::FilesChanged
            | Self::Deletes
            | Self::Errors
            | Self::Warnings => Kind::Count,
            Self::BytesTotal | Self::BytesAdded => Kind::Bytes,
            Self::Duration | Self::Age(_) => Kind::Seconds,
            Self::ExitCode => Kind::Code,
            Self::Metric(_) => Kind::Free,
        }
    }

    /// Whether good runs are remembered with it. An age speaks for itself, and an exit code is no amount.
    pub fn has_history(&self) -> bool {
        !matches!(self, Self::ExitCode | Self::Age(_))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metric(name) => write!(f, "metric({})", quoted(name)),
            Self::Age(name) if is_plain(name) => write!(f, "age({name})"),
            Self::Age(name) => write!(f, "age({})", quoted(name)),
            plain => f.write_str(plain.word()),
        }
    }
}

/// Whether a name needs no quotes.
pub(crate) fn is_plain(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A name in quotes, escaped as in JSON.
fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}
