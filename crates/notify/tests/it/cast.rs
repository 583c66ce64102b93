//! The fixed cast: one heartbeat, its incident, and ways to make alerts about them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::{
    Alert, AlertKind, AlertSnapshot, Cause, ChannelId, Claim, DeliveryId, HeartbeatFacts,
    HeartbeatId, IncidentFacts, IncidentId, ProjectId, Schedule, Status, UnixMicros,
};
use nightbeat_notify::{Catalogue, Content, IpNet, Message, Notifier, Outgoing, SmtpSettings};
use uuid::Uuid;

pub(crate) const BASE_URL: &str = "https://beats.example.org";
pub(crate) const HEARTBEAT: &str = "4c1e8f9a-1b2c-4d3e-8f90-0123456789ab";
/// Long enough for a slow machine; no test waits for it.
const PATIENT: Duration = Duration::from_secs(60);
/// For receivers that never answer.
const IMPATIENT: Duration = Duration::from_millis(200);

pub(crate) fn at(text: &str) -> UnixMicros {
    let text = if text.len() == 16 {
        format!("{text}:00")
    } else {
        text.to_owned()
    };
    let timestamp: jiff::Timestamp = format!("{}Z", text.replace(' ', "T")).parse().unwrap();
    timestamp.into()
}

pub(crate) fn heartbeat() -> HeartbeatFacts {
    HeartbeatFacts {
        id: HEARTBEAT.parse().unwrap(),
        project_id: ProjectId(Uuid::from_u128(1)),
        project_name: "home".to_owned(),
        name: "nightly backup".to_owned(),
        slug: "nightly-backup".to_owned(),
        tags: vec!["prod".to_owned(), "nas".to_owned()],
        schedule: Schedule::every_seconds(86_400).unwrap(),
    }
}

pub(crate) fn incident(cause: Cause, claim: Claim) -> IncidentFacts {
    let heartbeat: HeartbeatId = HEARTBEAT.parse().unwrap();
    IncidentFacts {
        id: IncidentId::derive(heartbeat, 1),
        cause,
        claim,
        opened_at: at("2026-11-22 03:04"),
        closed_at: None,
    }
}

/// A job that was missed: last success the night before, one hour of grace.
pub(crate) fn missed() -> AlertSnapshot {
    AlertSnapshot {
        alert: Alert {
            sequence: 1,
            kind: AlertKind::Down,
            at: at("2026-11-22 03:04"),
            status: Status::Down,
            incident: Some(incident(Cause::Missed, Claim::Down)),
            expected_at: Some(at("2026-11-22 02:04")),
            deadline: Some(at("2026-11-22 03:04")),
            last_success_at: Some(at("2026-11-21 02:04")),
            run_started_at: None,
            exit_code: None,
            broken_rules: Vec::new(),
            gaps: Vec::new(),
            digest: false,
            closing: None,
            problem: None,
        },
        heartbeat: heartbeat(),
        output_tail: None,
    }
}

/// The `number`-th of several heartbeats, missed.
pub(crate) fn missed_number(number: u32) -> AlertSnapshot {
    let mut snapshot = missed();
    snapshot.heartbeat.id = HeartbeatId(Uuid::from_u128(u128::from(number)));
    snapshot.heartbeat.name = format!("job {number}");
    snapshot.heartbeat.slug = format!("job-{number}");
    snapshot
}

pub(crate) fn message(content: Content) -> Message {
    let heartbeat: HeartbeatId = HEARTBEAT.parse().unwrap();
    Message {
        delivery_id: DeliveryId::derive(heartbeat, 1, ChannelId(Uuid::from_u128(7))),
        sent_at: at("2026-11-22 03:04:01"),
        base_url: BASE_URL.to_owned(),
        content,
    }
}

pub(crate) fn one(snapshot: AlertSnapshot) -> Message {
    message(Content::One(Box::new(snapshot)))
}

pub(crate) fn test_message() -> Message {
    message(Content::Test {
        project_name: "home".to_owned(),
        channel_name: "ops".to_owned(),
    })
}

pub(crate) fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::load(None).unwrap())
}

fn outgoing(allow: &[&str], timeout: Duration) -> Outgoing {
    Outgoing {
        allow: allow
            .iter()
            .map(|net| net.parse::<IpNet>().unwrap())
            .collect(),
        proxy: None,
        timeout,
    }
}

/// May dial this machine, and waits as long as it takes.
pub(crate) fn notifier() -> Notifier {
    Notifier::new(
        catalogue(),
        outgoing(&["127.0.0.0/8", "::1"], PATIENT),
        None,
    )
    .unwrap()
}

/// May dial this machine, and gives up soon.
pub(crate) fn impatient(smtp: Option<SmtpSettings>) -> Notifier {
    Notifier::new(catalogue(), outgoing(&["127.0.0.0/8"], IMPATIENT), smtp).unwrap()
}

/// May dial the public internet only.
pub(crate) fn guarded() -> Notifier {
    Notifier::new(catalogue(), outgoing(&[], PATIENT), None).unwrap()
}

/// Waits for mail servers as long as it takes.
pub(crate) fn mailing(smtp: SmtpSettings) -> Notifier {
    Notifier::new(catalogue(), outgoing(&[], PATIENT), Some(smtp)).unwrap()
}
