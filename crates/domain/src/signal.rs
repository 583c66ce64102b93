//! What a job says.

use nightbeat_evidence::{BrokenRule, Metric, Reading};
use serde::{Deserialize, Serialize};

use crate::{RunId, UnixMicros};

/// What a signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// The job finished well.
    Success,
    /// The job began.
    Start,
    /// The job failed.
    Fail,
    /// The job says something; it changes nothing.
    Log,
}

impl SignalKind {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Start => "start",
            Self::Fail => "fail",
            Self::Log => "log",
        }
    }
}

/// One message from a job, as far as decisions depend on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// What it says. An exit code arrives as success (0) or failure, with the code beside it.
    pub kind: SignalKind,
    /// When it reached us.
    pub received_at: UnixMicros,
    /// When it really happened, where the client says so; see [`Signal::happened_at`].
    pub claimed_at: Option<UnixMicros>,
    /// The run it belongs to, where the client says so.
    pub rid: Option<RunId>,
    /// The job's exit code, where it was told.
    pub exit_code: Option<u8>,
    /// Numbers that the job reports.
    pub metrics: Vec<Metric>,
    /// What its output says, where it says anything. Boxed: rare.
    pub reading: Option<Box<Reading>>,
    /// Rules about the run that did not hold.
    pub broken_rules: Vec<BrokenRule>,
    /// It is recorded, but must not count, for this reason.
    pub ignored: Option<IgnoredBecause>,
}

impl Signal {
    /// How far back a client's own time is believed: seven days.
    pub const CLAIMED_AGE_MAX: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

    /// A plain signal of `kind`, received at `received_at`.
    pub fn new(kind: SignalKind, received_at: UnixMicros) -> Self {
        Self {
            kind,
            received_at,
            claimed_at: None,
            rid: None,
            exit_code: None,
            metrics: Vec::new(),
            reading: None,
            broken_rules: Vec::new(),
            ignored: None,
        }
    }

    /// When it happened: the client's word, never after its arrival, never more than seven days before.
    pub fn happened_at(&self) -> UnixMicros {
        self.claimed_at.map_or(self.received_at, |claimed| {
            claimed.clamp(self.received_at - Self::CLAIMED_AGE_MAX, self.received_at)
        })
    }
}

/// Why a signal was recorded without counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoredBecause {
    /// The heartbeat is paused, and resumes only by hand.
    Paused,
    /// The heartbeat counts only POST.
    Method,
    /// A known link previewer or prefetcher fetched the URL.
    Previewer,
    /// A start that arrived after the end of its own run.
    OutOfOrder,
    /// The heartbeat's keywords decide, and none of them is in its text.
    Keywords,
}

impl IgnoredBecause {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Method => "method",
            Self::Previewer => "previewer",
            Self::OutOfOrder => "out_of_order",
            Self::Keywords => "keywords",
        }
    }
}
