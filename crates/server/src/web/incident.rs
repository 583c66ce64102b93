//! An incident, for people.

use nightbeat_domain::{Cause, Claim};
use nightbeat_store::control::incidents::Incident;

use super::heartbeat::sentence;
use super::time::{Reader, When, took};

/// An incident as pages show it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) heartbeat: String,
    /// Its slug, where it is there and the page shows several.
    pub(super) slug: Option<String>,
    /// The mark: `down`, `unverified`, `warning`.
    pub(super) claim: &'static str,
    pub(super) cause: &'static str,
    pub(super) text: String,
    pub(super) is_open: bool,
    pub(super) opened: When,
    pub(super) closed: Option<When>,
    pub(super) how: Option<String>,
    pub(super) lasted: String,
    pub(super) acknowledged: Option<When>,
    pub(super) snoozed: Option<When>,
}

impl Told {
    /// What a reader is told of it.
    pub(super) fn of(incident: Incident, reader: &Reader) -> Self {
        let end = incident.closed_at.unwrap_or(reader.now());
        let when = |at: Option<_>| at.map(|at| reader.when(at));
        Self {
            id: incident.id.to_string(),
            slug: None,
            claim: match incident.claim {
                Claim::Down => "down",
                Claim::Unverified => "unverified",
                Claim::Warning => "warning",
            },
            cause: match incident.cause {
                Cause::Missed => "missed",
                Cause::Overran => "ran too long",
                Cause::Failed => "failed",
                Cause::Hollow => "did not do its work",
                Cause::NeverStarted => "never started",
                Cause::Internal => "cannot be read",
            },
            text: sentence(&incident),
            is_open: incident.closed_at.is_none(),
            opened: reader.when(incident.opened_at),
            closed: when(incident.closed_at),
            how: incident
                .closed_at
                .map(|_| ending(incident.closing.as_deref())),
            lasted: took(end.since(incident.opened_at)),
            acknowledged: when(incident.acknowledged_at),
            snoozed: when(incident.snoozed_until.filter(|until| *until > reader.now())),
            heartbeat: incident.heartbeat_name,
        }
    }
}

fn ending(closing: Option<&str>) -> String {
    match closing {
        Some("success") => "a success came",
        Some("ran_in_time") => "it had run in time; its signal came late",
        Some("retracted") => "it was claimed wrongly",
        Some("edited") => "its schedule was changed",
        Some("paused") => "it was paused",
        Some("replaced") => "another incident took its place",
        Some("readable") => "it can be read again",
        Some(other) => other,
        None => "the heartbeat was deleted",
    }
    .to_owned()
}
