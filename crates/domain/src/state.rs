//! What is known of a heartbeat: the state that every decision reads and writes.

use serde::{Deserialize, Serialize};

use crate::time::UnixMicros;
use crate::{Cause, Claim, RunId};

/// The stored part of a status. `late` is not stored: it follows from the time, see [`Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No success and no failure yet.
    New,
    /// The last run was ok, and none is overdue.
    Up,
    /// The last run ended with a warning. An incident is open.
    Warning,
    /// A job is missing, overran or failed. An incident is open.
    Down,
    /// Overdue, but we could not receive all the time. An incident is open.
    Unverified,
    /// A person paused it: nothing is expected.
    Paused,
}

/// What a person is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No success and no failure yet.
    New,
    /// The last run was ok, and none is overdue.
    Up,
    /// The last run ended with a warning.
    Warning,
    /// A success was expected and has not come; the grace is running.
    Late,
    /// A job is missing, overran or failed.
    Down,
    /// Overdue, but we could not receive all the time.
    Unverified,
    /// A person paused it.
    Paused,
}

impl Status {
    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Warning => "warning",
            Self::Late => "late",
            Self::Down => "down",
            Self::Unverified => "unverified",
            Self::Paused => "paused",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should.
    Ok,
    /// Done, with something to look at.
    Warning,
    /// Not done.
    Failed,
}

impl Outcome {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// A run that has started and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRun {
    /// Its run id, where the client sent one. At most one open run has none.
    pub rid: Option<RunId>,
    /// When it started.
    pub started_at: UnixMicros,
    /// When it has run too long.
    pub deadline: UnixMicros,
    /// It ran past its deadline, and that has been judged.
    pub overran: bool,
    /// That is one of [`State::failures`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted: bool,
}

/// The last run that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// When it started, where it said so.
    pub started_at: Option<UnixMicros>,
    /// When it ended.
    pub ended_at: UnixMicros,
    /// How it ended.
    pub outcome: Outcome,
}

/// The incident that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIncident {
    /// Which of the heartbeat's incidents it is; 1 is the first.
    pub number: u32,
    /// Why it opened.
    pub cause: Cause,
    /// What is claimed.
    pub claim: Claim,
    /// When it opened.
    pub opened_at: UnixMicros,
    /// The deadline that passed, for a missed or overrun job.
    pub deadline: Option<UnixMicros>,
    /// When the last alert about it was raised.
    pub alerted_at: UnixMicros,
    /// Someone has seen it: no more repeats.
    pub acknowledged: bool,
    /// Alerts are held back until then.
    pub snoozed_until: Option<UnixMicros>,
    /// An alert was held back by the snooze.
    pub held_back: bool,
}

/// What was expected at one instant, and is now expected at a later one: its time zone has new rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// By the rules of before. A machine that still has them runs the job here.
    pub from: UnixMicros,
    /// By the present rules.
    pub to: UnixMicros,
}

/// What is known of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The stored part of the status.
    pub phase: Phase,
    /// Since when something is expected: created, or resumed.
    pub armed_at: UnixMicros,
    /// When the last signal that counted reached us. What was refused or ignored is not here.
    pub last_signal_at: Option<UnixMicros>,
    /// When the last run that was done (ok or with a warning) ended.
    pub last_success_at: Option<UnixMicros>,
    /// The instant from which the next success is late. `None`: nothing is expected.
    pub expected_at: Option<UnixMicros>,
    /// The next instant at which [`crate::elapse`] has something to look at: a lower bound, never late.
    pub wake_at: Option<UnixMicros>,
    /// Misses and failures since the last success.
    pub failures: u32,
    /// Successes since the last miss or failure.
    pub successes: u32,
    /// How many signals were recorded.
    pub signals: u64,
    /// How many incidents were opened.
    pub incidents: u32,
    /// How many alerts were raised.
    pub alerts: u32,
    /// Grows by one with each change: the compare-and-set of every judgement.
    pub version: u64,
    /// The last run that ended.
    pub last_run: Option<LastRun>,
    /// Runs that have started and not ended, by start; at most [`State::RUNS_MAX`].
    pub runs: Vec<OpenRun>,
    /// The ids of the runs that ended last; at most [`State::FINISHED_MAX`].
    pub finished: Vec<RunId>,
    /// The incident that is open.
    pub incident: Option<OpenIncident>,
    /// How new zone rules moved `expected_at` last, or would have, were it not overdue: see
    /// [`Self::moved_slot`].
    pub moved: Option<Moved>,
    /// Until then a run held back a miss that was due before, and then went without an end that counts. What
    /// we could not receive up to here may have been that end, or the next run's. `None` after the next end.
    pub held_until: Option<UnixMicros>,
    /// The output of a run said what a tool did: one that says nothing is worth a look.
    pub speaks: bool,
}

impl State {
    /// How many open runs are timed at once. A further start is recorded, but its run is not timed.
    pub const RUNS_MAX: usize = 32;
    /// How many ended run ids are remembered, to know a start that arrives after its own end.
    pub const FINISHED_MAX: usize = 8;

    /// How new zone rules moved what is expected now, or is overdue; `None` once that is over.
    pub fn moved_slot(&self) -> Option<Moved> {
        let expected = self.expected_at?;
        self.moved
            .filter(|moved| [moved.from, moved.to].contains(&expected))
    }

    /// Since when a run is on, where one is: the start of the oldest that has not overrun.
    pub fn running_since(&self) -> Option<UnixMicros> {
        let live = self.runs.iter().filter(|run| !run.overran);
        live.map(|run| run.started_at).min()
    }

    /// What a person is shown at `now`.
    pub fn status(&self, now: UnixMicros) -> Status {
        match self.phase {
            Phase::New => Status::New,
            Phase::Down => Status::Down,
            Phase::Unverified => Status::Unverified,
            Phase::Paused => Status::Paused,
            Phase::Up | Phase::Warning if self.expected_at.is_some_and(|at| at <= now) => {
                Status::Late
            }
            Phase::Up => Status::Up,
            Phase::Warning => Status::Warning,
        }
    }
}
