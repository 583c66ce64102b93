//! An incident, for people.

use nightbeat_domain::{Cause, Claim, UnixMicros};
use nightbeat_notify::incident_text;
use nightbeat_store::control::incidents::Incident;
use nightbeat_store::control::notes::Note;

use crate::web::time::{Reader, When, took};

/// An incident as pages show it.
#[derive(Debug, Clone)]
pub(in crate::web) struct Told {
    pub(in crate::web) id: String,
    pub(in crate::web) heartbeat: String,
    /// Its slug, where it is there and the page shows several.
    pub(in crate::web) slug: Option<String>,
    /// The mark: `down`, `unverified`, `warning`.
    pub(in crate::web) claim: &'static str,
    pub(in crate::web) cause: &'static str,
    pub(in crate::web) text: String,
    pub(in crate::web) is_open: bool,
    pub(in crate::web) opened: When,
    pub(in crate::web) closed: Option<When>,
    pub(in crate::web) how: Option<String>,
    pub(in crate::web) lasted: String,
    pub(in crate::web) acknowledged: Option<When>,
    pub(in crate::web) snoozed: Option<When>,
    /// What happened, and what people wrote, in its order.
    pub(in crate::web) timeline: Vec<Moment>,
}

/// A line of an incident's timeline.
#[derive(Debug, Clone)]
pub(in crate::web) struct Moment {
    pub(in crate::web) at: When,
    pub(in crate::web) text: String,
    /// Who wrote it, where it is a note.
    pub(in crate::web) by: Option<String>,
}

impl Told {
    /// What a reader is told of it and of its notes.
    pub(in crate::web) fn of(incident: Incident, notes: Vec<Note>, reader: &Reader) -> Self {
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
            timeline: timeline(&incident, notes, reader),
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

/// What the incident says of itself, in a sentence.
fn sentence(incident: &Incident) -> String {
    match &incident.alert {
        Some(alert) => incident_text(alert),
        None => "Its alerts were held back.".to_owned(),
    }
}

fn timeline(incident: &Incident, notes: Vec<Note>, reader: &Reader) -> Vec<Moment> {
    let mut moments: Vec<(UnixMicros, String, Option<String>)> =
        vec![(incident.opened_at, "Opened.".to_owned(), None)];
    moments.extend(
        notes
            .into_iter()
            .map(|note| (note.at, note.text, Some(note.who))),
    );
    if let Some(at) = incident.acknowledged_at {
        moments.push((at, "Acknowledged.".to_owned(), None));
    }
    if let Some(at) = incident.closed_at {
        let how = ending(incident.closing.as_deref());
        moments.push((at, format!("Over: {how}."), None));
    }
    // Stable: a note that came with the acknowledgement stands before it.
    moments.sort_by_key(|(at, ..)| *at);
    let told = moments.into_iter().map(|(at, text, by)| Moment {
        at: reader.when(at),
        text,
        by,
    });
    told.collect()
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
