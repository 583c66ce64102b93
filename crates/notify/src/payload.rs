//! What a machine is told: a message as JSON values, for bodies and for placeholders.

use nightbeat_domain::{AlertKind, AlertSnapshot, ProjectId, Status, UnixMicros};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clean::clean_line;
use crate::template::percent_encode;
use crate::{Content, Message, render};

/// What a message is about, in one word: the API's and the webhook's `event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// A heartbeat is down, or overdue and unverified.
    Down,
    /// A run ended with a warning.
    Warning,
    /// An incident is over.
    Up,
    /// An incident is still open, or a heartbeat never started.
    Reminder,
    /// Several alerts in one message.
    Digest,
    /// Someone tries the channel.
    Test,
}

impl Event {
    pub(crate) const ALL: [Self; 6] = [
        Self::Down,
        Self::Warning,
        Self::Up,
        Self::Reminder,
        Self::Digest,
        Self::Test,
    ];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Warning => "warning",
            Self::Up => "up",
            Self::Reminder => "reminder",
            Self::Digest => "digest",
            Self::Test => "test",
        }
    }

    /// The event of one alert.
    pub fn of_alert(kind: AlertKind) -> Self {
        match kind {
            AlertKind::Down | AlertKind::Unverified => Self::Down,
            AlertKind::Warning => Self::Warning,
            AlertKind::Up => Self::Up,
            AlertKind::Reminder | AlertKind::NeverStarted => Self::Reminder,
        }
    }

    /// The event of a message.
    pub fn of(content: &Content) -> Self {
        match content {
            Content::One(snapshot) => Self::of_alert(snapshot.alert.kind),
            Content::Digest(_) => Self::Digest,
            Content::Test { .. } => Self::Test,
        }
    }
}

/// All placeholders about the message.
pub(crate) const PATHS: &[&str] = &[
    "event",
    "title",
    "text",
    "link",
    "delivery_id",
    "sent_at",
    "project",
    "heartbeat",
    "heartbeat.id",
    "heartbeat.name",
    "heartbeat.slug",
    "heartbeat.tags",
    "heartbeat.status",
    "heartbeat.url",
    "incident",
    "incident.id",
    "incident.cause",
    "incident.opened_at",
    "incident.closed_at",
    "incident.text",
    "heartbeats",
];

/// Whether `path` is a placeholder about the message.
pub(crate) fn is_path(path: &str) -> bool {
    PATHS.contains(&path)
}

/// The values of all [`PATHS`] for `message`. What a message does not have is `null`. The text is cut
/// to `text_bytes_max`.
pub(crate) fn values(message: &Message, text_bytes_max: Option<usize>) -> Value {
    let text = render::text(message);
    let (heartbeat, incident, heartbeats) = match &message.content {
        Content::One(snapshot) => (
            heartbeat(snapshot, &message.base_url),
            incident(snapshot),
            Value::Array(vec![both(snapshot, &message.base_url)]),
        ),
        Content::Digest(snapshots) => {
            let all = snapshots.iter().map(|one| both(one, &message.base_url));
            (Value::Null, Value::Null, all.collect())
        }
        Content::Test { .. } => (Value::Null, Value::Null, Value::Array(Vec::new())),
    };
    json!({
        "event": Event::of(&message.content),
        "title": text.title,
        "text": text.plain(text_bytes_max),
        "link": text.link,
        "delivery_id": message.delivery_id,
        "sent_at": rfc3339(message.sent_at),
        "project": project(&message.content),
        "heartbeat": heartbeat,
        "incident": incident,
        "heartbeats": heartbeats,
    })
}

/// Where a person looks at a heartbeat: its page. Never the signal URL, which is a secret that mail servers and
/// phones would keep.
pub(crate) fn page_url(snapshot: &AlertSnapshot, base_url: &str) -> String {
    let facts = &snapshot.heartbeat;
    heartbeat_url(base_url, facts.project_id, &facts.slug)
}

/// The page of the heartbeat with this slug.
pub(crate) fn heartbeat_url(base_url: &str, project: ProjectId, slug: &str) -> String {
    let slug = percent_encode(slug);
    format!("{base_url}/projects/{project}/heartbeats/{slug}")
}

/// RFC 3339 in UTC, with a fraction where there is one.
fn rfc3339(at: UnixMicros) -> String {
    at.timestamp().to_string()
}

fn both(snapshot: &AlertSnapshot, base_url: &str) -> Value {
    json!({
        "heartbeat": heartbeat(snapshot, base_url),
        "incident": incident(snapshot),
    })
}

fn heartbeat(snapshot: &AlertSnapshot, base_url: &str) -> Value {
    let facts = &snapshot.heartbeat;
    let status: Status = snapshot.alert.status;
    let tags = facts.tags.iter().map(|tag| clean_line(tag, Some(facts.id)));
    json!({
        "id": facts.id,
        "name": clean_line(&facts.name, Some(facts.id)),
        "slug": facts.slug,
        "tags": tags.collect::<Vec<_>>(),
        "status": status.as_str(),
        "url": page_url(snapshot, base_url),
    })
}

fn incident(snapshot: &AlertSnapshot) -> Value {
    let Some(incident) = &snapshot.alert.incident else {
        return Value::Null;
    };
    json!({
        "id": incident.id,
        "cause": incident.cause.as_str(),
        "opened_at": rfc3339(incident.opened_at),
        "closed_at": incident.closed_at.map(rfc3339),
        "text": render::incident_text(snapshot),
    })
}

/// The project's name; of a digest, that of its first heartbeat, since a channel lives in one project.
fn project(content: &Content) -> Option<String> {
    let name = match content {
        Content::One(snapshot) => &snapshot.heartbeat.project_name,
        Content::Digest(snapshots) => &snapshots.first()?.heartbeat.project_name,
        Content::Test { project_name, .. } => project_name,
    };
    Some(clean_line(name, None))
}
