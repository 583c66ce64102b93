//! Incidents.

use nightbeat_notify::incident_text;
use nightbeat_store::control::{incidents, notes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::IncidentNoteText;
use super::{Time, Viewer};

/// The time in which a heartbeat was down, or to be warned about.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Incident {
    /// Its id.
    id: Uuid,
    /// The heartbeat it is about, which may be removed by now; `null` for a read-only key.
    #[schema(required)]
    heartbeat_id: Option<Uuid>,
    /// The name that the heartbeat had when it opened.
    heartbeat_name: String,
    /// Why it opened.
    cause: Cause,
    /// What is claimed.
    claim: Claim,
    /// When it opened.
    opened_at: Time,
    /// When it closed.
    #[schema(required)]
    closed_at: Option<Time>,
    /// How it closed; `null` while it is open, and where the heartbeat was deleted.
    #[schema(required, value_type = Option<Closing>)]
    closing: Option<String>,
    /// When someone said that it is seen.
    #[schema(required)]
    acknowledged_at: Option<Time>,
    /// Until when alerts about it are held back.
    #[schema(required)]
    snoozed_until: Option<Time>,
    /// What happened, in a sentence; `null` where a snooze held its alerts back.
    #[schema(required)]
    text: Option<String>,
    /// What people wrote about it, the oldest first.
    notes: Vec<Note>,
}

/// What someone wrote about an incident.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IncidentNote)]
struct Note {
    /// When.
    at: Time,
    /// The e-mail address of who wrote it, as it was then; `API key` and its name where a program did.
    by: String,
    /// What it says.
    text: String,
}

/// A note that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewIncidentNote)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewNote {
    /// What it says.
    #[schema(value_type = IncidentNoteText)]
    pub(in crate::api) text: String,
}

/// Why an incident opened.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Cause {
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
    /// The server cannot read what it stored about the heartbeat, and nobody watches the job.
    Internal,
}

/// What an incident claims.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Claim {
    /// The server could receive the whole time, and no success came; or the job said that it failed.
    Down,
    /// It is overdue, but the server could not receive all the time; or the server cannot judge it at all.
    Unverified,
    /// The job was done, with something to look at.
    Warning,
}

/// How an incident closed.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(
    dead_code,
    reason = "only its schema matters: the store keeps the name"
)]
enum Closing {
    /// A success came.
    Success,
    /// A success that was delivered late shows that the job ran in time.
    RanInTime,
    /// It had been claimed wrongly.
    Retracted,
    /// An edit of the schedule: it is no longer overdue.
    Edited,
    /// A person paused the heartbeat.
    Paused,
    /// Another incident took its place.
    Replaced,
    /// The server can read the heartbeat again.
    Readable,
}

/// Until when alerts are to be held back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Snooze {
    /// A time in the future.
    pub(in crate::api) until: Time,
}

impl Incident {
    /// What `viewer` sees of it and its notes.
    pub(in crate::api) fn of(
        found: incidents::Incident,
        notes: Vec<notes::Note>,
        viewer: &Viewer,
    ) -> Self {
        Self {
            notes: notes.into_iter().map(Note::from).collect(),
            id: found.id.0,
            heartbeat_id: viewer.heartbeat_id(found.heartbeat),
            heartbeat_name: found.heartbeat_name,
            cause: found.cause.into(),
            claim: found.claim.into(),
            opened_at: found.opened_at.into(),
            closed_at: found.closed_at.map(Time::from),
            closing: found.closing,
            acknowledged_at: found.acknowledged_at.map(Time::from),
            snoozed_until: found.snoozed_until.map(Time::from),
            text: found.alert.as_ref().map(incident_text),
        }
    }
}

impl From<notes::Note> for Note {
    fn from(note: notes::Note) -> Self {
        Self {
            at: note.at.into(),
            by: note.who,
            text: note.text,
        }
    }
}

impl From<nightbeat_domain::Cause> for Cause {
    fn from(cause: nightbeat_domain::Cause) -> Self {
        match cause {
            nightbeat_domain::Cause::Missed => Self::Missed,
            nightbeat_domain::Cause::Overran => Self::Overran,
            nightbeat_domain::Cause::Failed => Self::Failed,
            nightbeat_domain::Cause::Hollow => Self::Hollow,
            nightbeat_domain::Cause::NeverStarted => Self::NeverStarted,
            nightbeat_domain::Cause::Internal => Self::Internal,
        }
    }
}

impl From<nightbeat_domain::Claim> for Claim {
    fn from(claim: nightbeat_domain::Claim) -> Self {
        match claim {
            nightbeat_domain::Claim::Down => Self::Down,
            nightbeat_domain::Claim::Unverified => Self::Unverified,
            nightbeat_domain::Claim::Warning => Self::Warning,
        }
    }
}
