//! What a decision wants told to people, as facts. Words and formats are made elsewhere.

use nightbeat_calendar::Schedule;
use nightbeat_evidence::BrokenRule;
use serde::{Deserialize, Serialize};

use crate::{Gap, HeartbeatId, IncidentId, ProjectId, Status, UnixMicros};

/// Why an incident opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// No success by the deadline.
    Missed,
    /// A run lasted longer than its limit.
    Overran,
    /// The job said that it failed.
    Failed,
    /// The job said that it succeeded, but a rule about its work did not hold.
    Hollow,
    /// No signal ever came.
    NeverStarted,
    /// What is stored of the heartbeat cannot be read, so that nobody watches the job: our own error.
    Internal,
}

impl Cause {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Overran => "overran",
            Self::Failed => "failed",
            Self::Hollow => "hollow",
            Self::NeverStarted => "never_started",
            Self::Internal => "internal",
        }
    }
}

/// What an incident claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// The job was done, with something to look at.
    Warning,
    /// It is overdue, but we ourselves could not receive all the time; or we cannot judge it at all.
    Unverified,
    /// We could receive the whole time and no success came; or the job itself said that it failed.
    Down,
}

impl Claim {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Unverified => "unverified",
            Self::Down => "down",
        }
    }
}

/// What kind of message an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A heartbeat is down.
    Down,
    /// A heartbeat is overdue, and we could not receive all the time; or we cannot judge it at all.
    Unverified,
    /// A run ended with a warning.
    Warning,
    /// An incident is over.
    Up,
    /// An incident is still open.
    Reminder,
    /// No signal ever came. Goes to the project's e-mail channels only.
    NeverStarted,
}

/// The incident that an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentFacts {
    /// Its id.
    pub id: IncidentId,
    /// Why it opened.
    pub cause: Cause,
    /// What is claimed.
    pub claim: Claim,
    /// When it opened.
    pub opened_at: UnixMicros,
    /// When it closed.
    pub closed_at: Option<UnixMicros>,
}

/// How an incident ended, where it was not simply a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// A success came.
    Success,
    /// A success that was delivered late shows that the job ran in time, at this instant.
    RanInTime(UnixMicros),
    /// A success had arrived in time, and *down* was claimed all the same: our error.
    Retracted,
    /// An edit of the schedule: it is no longer overdue.
    Edited,
    /// A person paused the heartbeat.
    Paused,
    /// Another incident took its place: a warning became a failure, or the reverse.
    Replaced,
    /// What is stored of the heartbeat can be read again.
    Readable,
}

impl Closing {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RanInTime(_) => "ran_in_time",
            Self::Retracted => "retracted",
            Self::Edited => "edited",
            Self::Paused => "paused",
            Self::Replaced => "replaced",
            Self::Readable => "readable",
        }
    }
}

/// One thing to tell, before it is known to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Which of the heartbeat's alerts it is; 1 is the first. Orders them on every channel.
    pub sequence: u32,
    /// What kind of message it is.
    pub kind: AlertKind,
    /// When it was decided.
    pub at: UnixMicros,
    /// The status that the heartbeat now has.
    pub status: Status,
    /// The incident it is about; none for a job that never started.
    pub incident: Option<IncidentFacts>,
    /// When a success was expected.
    pub expected_at: Option<UnixMicros>,
    /// The deadline that passed.
    pub deadline: Option<UnixMicros>,
    /// When the last success happened.
    pub last_success_at: Option<UnixMicros>,
    /// When the run in question started.
    pub run_started_at: Option<UnixMicros>,
    /// The exit code that the job told.
    pub exit_code: Option<u8>,
    /// Rules that did not hold.
    pub broken_rules: Vec<BrokenRule>,
    /// The gaps that keep us from being sure; at most [`Alert::GAPS_MAX`], the latest.
    pub gaps: Vec<Gap>,
    /// May wait for others of its kind and travel with them in one message: overdue after a long gap.
    pub digest: bool,
    /// How the incident ended, for [`AlertKind::Up`].
    pub closing: Option<Closing>,
    /// What cannot be read, for [`Cause::Internal`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Alert {
    /// How many gaps an alert carries.
    pub const GAPS_MAX: usize = 10;
}

/// The heartbeat as it was when the alert was decided. Deleting the heartbeat later loses no alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatFacts {
    /// Its id: a secret that opens the signal URL, so machines may have it and texts must not show it.
    pub id: HeartbeatId,
    /// The project it lives in.
    pub project_id: ProjectId,
    /// The project's name.
    pub project_name: String,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// When a success is expected. Where the settings cannot be read ([`Cause::Internal`]), any: nothing
    /// is told of it.
    #[serde(deserialize_with = "Schedule::deserialize_stored")]
    pub schedule: Schedule,
}

/// An alert with all that a message needs: what a delivery stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSnapshot {
    /// What is told.
    pub alert: Alert,
    /// About whom.
    pub heartbeat: HeartbeatFacts,
    /// The last lines of the output that came with the last signal.
    pub output_tail: Option<String>,
}
