//! The text of several alerts in one message.

use std::collections::HashMap;

use nightbeat_domain::{Alert, AlertKind, AlertSnapshot, GapLedger, HeartbeatId};

use crate::clean::clean_line;
use crate::gaps;
use crate::render::{expected_by, incident_text, label, name};
use crate::text::{Paragraph, Text};
use crate::words::{Clock, count};

/// How many heartbeats a digest names; the rest is counted.
const POINTS_MAX: usize = 50;
/// How many of our own interruptions a digest names.
const GAPS_MAX: usize = 5;

/// The text of a digest. A heartbeat with several alerts is told once, by its last, and how often it changed:
/// that one incident opened stands in the text of its end.
pub(crate) fn text(snapshots: &[AlertSnapshot], base_url: &str) -> Text {
    let mut latest = latest_of_each(snapshots);
    let told = told_of_each(snapshots);
    latest.sort_by_key(|snapshot| urgency(&snapshot.alert));
    let away = !latest.is_empty()
        && latest
            .iter()
            .all(|snapshot| snapshot.alert.digest && snapshot.alert.kind == AlertKind::Unverified);
    let (title, lead) = if away {
        (away_title(latest.len()), away_lead(&latest))
    } else {
        (mixed_title(&latest), "Since the last message:".to_owned())
    };
    let point = |snapshot: &&AlertSnapshot| {
        if away {
            overdue_point(snapshot)
        } else {
            let told = told.get(&snapshot.heartbeat.id).copied();
            point(snapshot, told.unwrap_or_default())
        }
    };
    let mut points: Vec<String> = latest.iter().take(POINTS_MAX).map(point).collect();
    if latest.len() > POINTS_MAX {
        points.push(format!("and {} more", latest.len() - POINTS_MAX));
    }
    let mut paragraphs = vec![Paragraph::Prose(lead), Paragraph::List(points)];
    if let Some(snapshot) = latest.first() {
        let project = clean_line(&snapshot.heartbeat.project_name, None);
        paragraphs.push(Paragraph::Prose(format!("Project: {project}")));
    }
    Text {
        title,
        paragraphs,
        link: format!("{base_url}/"),
    }
}

/// The last alert of each heartbeat, in the order in which heartbeats first appear.
fn latest_of_each(snapshots: &[AlertSnapshot]) -> Vec<&AlertSnapshot> {
    let mut latest: Vec<&AlertSnapshot> = Vec::new();
    let mut places: HashMap<HeartbeatId, usize> = HashMap::new();
    for snapshot in snapshots {
        let place = *places.entry(snapshot.heartbeat.id).or_insert(latest.len());
        match latest.get_mut(place) {
            None => latest.push(snapshot),
            Some(known) if known.alert.sequence < snapshot.alert.sequence => *known = snapshot,
            Some(_) => {}
        }
    }
    latest
}

/// How often a heartbeat is told to have changed.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    went_down: usize,
    unverified: usize,
    warnings: usize,
    came_back: usize,
}

fn told_of_each(snapshots: &[AlertSnapshot]) -> HashMap<HeartbeatId, Told> {
    let mut all: HashMap<HeartbeatId, Told> = HashMap::new();
    for snapshot in snapshots {
        let told = all.entry(snapshot.heartbeat.id).or_default();
        match snapshot.alert.kind {
            AlertKind::Down => told.went_down += 1,
            AlertKind::Unverified => told.unverified += 1,
            AlertKind::Warning => told.warnings += 1,
            AlertKind::Up => told.came_back += 1,
            AlertKind::Reminder | AlertKind::NeverStarted => {}
        }
    }
    all
}

/// ` Since the last message it went down 3 times and came back 2 times.`, where the last alert does not say
/// it all.
fn changes(last: AlertKind, told: Told) -> String {
    let opened = told.went_down + told.unverified + told.warnings;
    let one_incident = (opened, told.came_back) == (1, 1) && last == AlertKind::Up;
    if opened + told.came_back < 2 || one_incident {
        return String::new();
    }
    let parts = [
        ("went down", told.went_down),
        ("was unverified", told.unverified),
        ("ended with a warning", told.warnings),
        ("came back", told.came_back),
    ];
    let mut parts: Vec<String> = parts
        .iter()
        .filter(|(_, times)| *times > 0)
        .map(|(what, times)| match times {
            1 => format!("{what} once"),
            times => format!("{what} {times} times"),
        })
        .collect();
    let last = parts.pop().unwrap_or_default();
    let and = if parts.is_empty() { "" } else { " and " };
    format!(
        " Since the last message it {}{and}{last}.",
        parts.join(", ")
    )
}

/// What to tell first: the lowest.
fn urgency(alert: &Alert) -> u8 {
    match alert.kind {
        AlertKind::Down => 0,
        AlertKind::Unverified => 1,
        AlertKind::Warning => 2,
        AlertKind::Reminder => 3,
        AlertKind::NeverStarted => 4,
        AlertKind::Up => 5,
    }
}

fn away_title(jobs: usize) -> String {
    let were = if jobs == 1 { "was" } else { "were" };
    format!(
        "UNVERIFIED: {} {were} due while Nightbeat was away",
        count(jobs, "job")
    )
}

/// `Nightbeat was away 2026-11-22 01:50–06:00 UTC (it was not running); these 3 jobs were due then.`
fn away_lead(snapshots: &[&AlertSnapshot]) -> String {
    let all = snapshots.iter().flat_map(|snapshot| &snapshot.alert.gaps);
    let ledger = GapLedger::new(all.copied());
    let told: Vec<String> = ledger
        .all()
        .iter()
        .rev()
        .take(GAPS_MAX)
        .rev()
        .map(|gap| {
            format!(
                "{} ({})",
                gaps::stretch(gap, &Clock::utc()),
                gaps::reason(gap.kind)
            )
        })
        .collect();
    let when = if told.is_empty() {
        "Nightbeat was away".to_owned()
    } else {
        format!("Nightbeat was away {}", told.join(", "))
    };
    match snapshots.len() {
        1 => format!("{when}; this job was due then. Please check whether it ran:"),
        jobs => format!("{when}; these {jobs} jobs were due then. Please check whether they ran:"),
    }
}

/// `3 down, 1 up`.
fn mixed_title(snapshots: &[&AlertSnapshot]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for snapshot in snapshots {
        let label = label(&snapshot.alert);
        match counts.last_mut() {
            Some((known, number)) if *known == label => *number += 1,
            _ => counts.push((label, 1)),
        }
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(label, number)| format!("{number} {label}"))
        .collect();
    format!("{}: {}", count(snapshots.len(), "job"), counts.join(", "))
}

fn point(snapshot: &AlertSnapshot, told: Told) -> String {
    format!(
        "{}: {}. {}{}",
        label(&snapshot.alert),
        name(snapshot),
        incident_text(snapshot),
        changes(snapshot.alert.kind, told)
    )
}

/// In a digest of overdue jobs the lead says why; each job says what was expected.
fn overdue_point(snapshot: &AlertSnapshot) -> String {
    let clock = Clock::of(&snapshot.heartbeat.schedule);
    let expected = expected_by(snapshot).unwrap_or_else(|| "overdue".to_owned());
    match snapshot.alert.last_success_at {
        Some(at) => format!(
            "{}: {expected}, last success {}",
            name(snapshot),
            clock.instant(at)
        ),
        None => format!("{}: {expected}, no success yet", name(snapshot)),
    }
}
