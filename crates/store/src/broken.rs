//! Heartbeats that cannot be judged, or whose signals cannot be recorded, because a row of theirs cannot be
//! read: what is told about them, and what is kept of it. Portable SQL; whoever calls has a transaction.
//!
//! Nothing here may trust the rows of such a heartbeat. What can be read of them is told, each value by
//! itself; the rest is left out.

use std::time::Duration;

use nightbeat_domain::{
    AlertKind, AlertSnapshot, DeliveryId, Gap, GapKind, HeartbeatFacts, HeartbeatId,
    IncidentChange, IncidentFacts, IncidentId, ProjectId, Schedule, Settings, State, UnixMicros,
    readable_again, unreadable,
};

use crate::codec::{json, short};
use crate::effects::{self, About, channels_for, queue, store_incident};
use crate::sql::{FromValue, Sql};
use crate::{Result, StoreError, Target};

/// How often it is told again that a heartbeat cannot be read.
pub(crate) const REMIND_EVERY: Duration = Duration::from_secs(86_400);

/// How much of what is wrong is kept and told, in characters.
const PROBLEM_CHARS_MAX: usize = 300;

/// What stands for the schedule in an alert whose heartbeat's settings cannot be read; nothing is told of it.
const ANY_SCHEDULE_SECONDS: u64 = 86_400;

/// What is kept of a heartbeat that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    /// Since when.
    pub(crate) since: UnixMicros,
    /// Until when; `None`: it still cannot be read.
    pub(crate) mended_at: Option<UnixMicros>,
    /// When it was told last.
    pub(crate) told_at: UnixMicros,
}

impl Marker {
    /// The stretch in which its signals were refused. It counts for this heartbeat alone.
    pub(crate) fn gap(&self, now: UnixMicros) -> Gap {
        Gap {
            from: self.since,
            to: self.mended_at.unwrap_or(now) + Duration::from_micros(1),
            kind: GapKind::Storage,
        }
    }

    /// Whether there is nothing to tell about a heartbeat that still cannot be read.
    pub(crate) fn is_told(&self, now: UnixMicros) -> bool {
        self.mended_at.is_none() && now < self.told_at + REMIND_EVERY
    }

    /// Whether no decision about `state` can depend on the gap any more.
    pub(crate) fn is_past(&self, state: &State) -> bool {
        let Some(mended_at) = self.mended_at else {
            return false;
        };
        state.last_success_at.is_some_and(|at| at > mended_at)
            && state.runs.iter().all(|run| run.started_at > mended_at)
    }
}

/// All of them.
pub(crate) fn markers(sql: &mut dyn Sql) -> Result<Vec<(HeartbeatId, Marker)>> {
    let rows = sql.query(
        "SELECT heartbeat, since, mended_at, told_at FROM broken_heartbeat",
        &[],
    )?;
    rows.iter()
        .map(|row| {
            let marker = Marker {
                since: row.get(1)?,
                mended_at: row.get(2)?,
                told_at: row.get(3)?,
            };
            Ok((row.get(0)?, marker))
        })
        .collect()
}

/// How many heartbeats cannot be read.
pub(crate) fn count(sql: &mut dyn Sql) -> Result<u64> {
    let count = "SELECT count(*) FROM broken_heartbeat WHERE mended_at IS NULL";
    sql.first(count, &[])?.map_or(Ok(0), |row| row.get(0))
}

/// Notes that a heartbeat could not be read at `now`, and tells it where it has not been told or a day has
/// passed. `since`: when the first signal may have been refused for it. What is kept of it now, and how
/// many deliveries were queued.
pub(crate) fn note(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    problem: &str,
    since: UnixMicros,
    now: UnixMicros,
) -> Result<(Marker, u32)> {
    let known = sql.first(
        "SELECT since, mended_at, told_at, incident FROM broken_heartbeat WHERE heartbeat = $1",
        &[heartbeat.into()],
    )?;
    let mut marker = Marker {
        since,
        mended_at: None,
        told_at: now,
    };
    let mut open = None;
    if let Some(row) = known {
        // One gap that covers an earlier one too can only turn a *down* into an *unverified*.
        marker.since = row.get::<UnixMicros>(0)?.min(since);
        let stored = Marker {
            mended_at: row.get(1)?,
            told_at: row.get(2)?,
            ..marker
        };
        if stored.is_told(now) {
            return Ok((stored, 0));
        }
        if stored.mended_at.is_none() {
            open = row.get::<Option<IncidentId>>(3)?;
        }
    }
    let problem: String = problem.chars().take(PROBLEM_CHARS_MAX).collect();
    let (incident, deliveries) = match open {
        Some(incident) => (open, remind(sql, heartbeat, incident, &problem, now)?),
        None => raise(sql, heartbeat, &problem, now)?,
    };
    sql.execute(
        "INSERT INTO broken_heartbeat (heartbeat, since, mended_at, told_at, incident, problem)
         VALUES ($1, $2, NULL, $3, $4, $5)
             ON CONFLICT (heartbeat) DO UPDATE
            SET since = excluded.since, mended_at = NULL, told_at = excluded.told_at,
                incident = excluded.incident, problem = excluded.problem",
        &[
            heartbeat.into(),
            marker.since.into(),
            now.into(),
            incident.into(),
            problem.into(),
        ],
    )?;
    Ok((marker, deliveries))
}

/// Opens the incident and tells it. `None`: there is no project, and so nobody to tell.
fn raise(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    problem: &str,
    now: UnixMicros,
) -> Result<(Option<IncidentId>, u32)> {
    let who = short(heartbeat.0);
    tracing::error!(heartbeat = %who, problem, "a heartbeat cannot be read: nobody watches its job");
    let Some((facts, routed)) = facts(sql, heartbeat)? else {
        tracing::error!(heartbeat = %who, "its project cannot be found: nobody can be told");
        return Ok((None, 0));
    };
    let (number, sequence) = next_numbers(sql, heartbeat, now)?;
    let incident = IncidentFacts::unreadable(heartbeat, number, now);
    let change = IncidentChange::Opened {
        id: incident.id,
        number,
        cause: incident.cause,
        claim: incident.claim,
        at: now,
    };
    let id = incident.id;
    let kind = AlertKind::Unverified;
    let alert = unreadable(sequence, kind, incident, problem.to_owned(), now);
    let snapshot = snapshot(sql, facts, alert)?;
    store_incident(sql, &snapshot.heartbeat, &change, Some(json(&snapshot)?))?;
    Ok((Some(id), tell(sql, &snapshot, &routed)?))
}

/// Tells it again, unless somebody has seen it or holds it back.
fn remind(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    incident: IncidentId,
    problem: &str,
    now: UnixMicros,
) -> Result<u32> {
    let row = sql.first(
        "SELECT opened_at, acknowledged_at, snoozed_until, number FROM incident WHERE id = $1",
        &[incident.into()],
    )?;
    let Some(row) = row else { return Ok(0) };
    let seen = row.get::<Option<UnixMicros>>(1)?.is_some();
    let snoozed = row
        .get::<Option<UnixMicros>>(2)?
        .is_some_and(|until| until > now);
    if seen || snoozed {
        return Ok(0);
    }
    let Some((facts, routed)) = facts(sql, heartbeat)? else {
        return Ok(0);
    };
    let sequence = next_sequence(sql, heartbeat, now)?;
    let incident = IncidentFacts::unreadable(heartbeat, row.get(3)?, row.get(0)?);
    let kind = AlertKind::Reminder;
    let alert = unreadable(sequence, kind, incident, problem.to_owned(), now);
    let snapshot = snapshot(sql, facts, alert)?;
    tell(sql, &snapshot, &routed)
}

fn snapshot(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatFacts,
    mut alert: nightbeat_domain::Alert,
) -> Result<AlertSnapshot> {
    let state = "heartbeat_state WHERE id = $1";
    let id = heartbeat.id;
    alert.expected_at = readable(sql, &format!("SELECT expected_at FROM {state}"), id)?;
    alert.last_success_at = readable(sql, &format!("SELECT last_success_at FROM {state}"), id)?;
    Ok(AlertSnapshot {
        alert,
        heartbeat,
        output_tail: None,
    })
}

fn tell(sql: &mut dyn Sql, snapshot: &AlertSnapshot, routed: &str) -> Result<u32> {
    let channels = channels_for(sql, &snapshot.heartbeat, routed, snapshot.alert.kind)?;
    for channel in &channels {
        queue(sql, snapshot, *channel)?;
    }
    Ok(u32::try_from(channels.len()).unwrap_or(u32::MAX))
}

/// A heartbeat was read, whose marker says that it could not be: the incident closes and that is told. The
/// row stays: what was refused meanwhile is a gap of later decisions. How many deliveries were queued.
pub(crate) fn mend(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    settings: &Settings,
    state: &mut State,
    now: UnixMicros,
) -> Result<u32> {
    let row = sql.first(
        "SELECT i.number, i.opened_at FROM broken_heartbeat b
           JOIN incident i ON i.id = b.incident AND i.closed_at IS NULL
          WHERE b.heartbeat = $1 AND b.mended_at IS NULL",
        &[heartbeat.into()],
    )?;
    sql.execute(
        "UPDATE broken_heartbeat SET mended_at = $2 WHERE heartbeat = $1 AND mended_at IS NULL",
        &[heartbeat.into(), now.into()],
    )?;
    let Some(row) = row else { return Ok(0) };
    let heartbeat_short = short(heartbeat.0);
    tracing::info!(heartbeat = %heartbeat_short, "a heartbeat can be read again");
    let incident = IncidentFacts::unreadable(heartbeat, row.get(0)?, row.get(1)?);
    let effects = readable_again(state, &incident, now);
    let about = About {
        heartbeat,
        settings,
        newest_signal: None,
    };
    effects::store(sql, &about, &effects)
}

/// Nothing depends on it any more.
pub(crate) fn forget(sql: &mut dyn Sql, heartbeat: HeartbeatId) -> Result<()> {
    sql.execute(
        "DELETE FROM broken_heartbeat WHERE heartbeat = $1",
        &[heartbeat.into()],
    )?;
    Ok(())
}

/// The heartbeat that a signal is for, where there is exactly one.
pub(crate) fn target(sql: &mut dyn Sql, target: &Target) -> Result<Option<HeartbeatId>> {
    let (ping_key, slug) = match target {
        Target::Id(id) => return Ok(Some(*id)),
        Target::Slug { ping_key, slug, .. } => (ping_key, slug),
    };
    let rows = sql.query(
        "SELECT h.id FROM project p JOIN heartbeat h ON h.project = p.id AND h.slug = $2
          WHERE p.ping_key = $1 LIMIT 2",
        &[ping_key.as_str().into(), slug.as_str().into()],
    )?;
    match rows.as_slice() {
        [row] => row.get(0).map(Some),
        _ => Ok(None),
    }
}

/// The heartbeat is there, as people see it.
pub(crate) fn exists(sql: &mut dyn Sql, heartbeat: HeartbeatId) -> Result<bool> {
    let query = "SELECT 1 FROM heartbeat WHERE id = $1";
    Ok(sql.first(query, &[heartbeat.into()])?.is_some())
}

/// Which of its incidents and alerts come next. The state counts them, and goes on from here once it can be
/// read; where its numbers cannot be, the list of incidents and the time are as good.
fn next_numbers(sql: &mut dyn Sql, heartbeat: HeartbeatId, now: UnixMicros) -> Result<(u32, u32)> {
    let (incidents, _) = counted(sql, heartbeat, now)?;
    let number = incidents.saturating_add(1);
    sql.execute(
        "UPDATE heartbeat_state SET incidents = $2 WHERE id = $1 AND incidents BETWEEN 0 AND $2",
        &[heartbeat.into(), number.into()],
    )?;
    Ok((number, next_sequence(sql, heartbeat, now)?))
}

fn next_sequence(sql: &mut dyn Sql, heartbeat: HeartbeatId, now: UnixMicros) -> Result<u32> {
    let (_, alerts) = counted(sql, heartbeat, now)?;
    let mut sequence = alerts.saturating_add(1);
    // A damaged count may be one that was passed long ago: then the alerts of these numbers are there.
    if is_given(sql, heartbeat, sequence)? {
        sequence = sequence.max(seconds(now));
    }
    sql.execute(
        "UPDATE heartbeat_state SET alerts = $2 WHERE id = $1 AND alerts BETWEEN 0 AND $2",
        &[heartbeat.into(), sequence.into()],
    )?;
    Ok(sequence)
}

/// Whether the heartbeat's project has a delivery of its alert with this number.
fn is_given(sql: &mut dyn Sql, heartbeat: HeartbeatId, sequence: u32) -> Result<bool> {
    let channels = sql.query(
        "SELECT c.id FROM channel c JOIN heartbeat h ON h.project = c.project WHERE h.id = $1",
        &[heartbeat.into()],
    )?;
    for channel in channels {
        let id = DeliveryId::derive(heartbeat, sequence, channel.get(0)?);
        let query = "SELECT 1 FROM delivery WHERE id = $1";
        if sql.first(query, &[id.into()])?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Seconds since 1970: a number that no heartbeat's alerts reach by being counted.
fn seconds(now: UnixMicros) -> u32 {
    u32::try_from(now.0 / 1_000_000).unwrap_or(u32::MAX / 2)
}

/// How many incidents and alerts a heartbeat has had, or more: no number after these was ever given.
pub(crate) fn counted(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    now: UnixMicros,
) -> Result<(u32, u32)> {
    let listed: u32 = readable(
        sql,
        "SELECT coalesce(max(number), 0) FROM incident WHERE heartbeat = $1",
        heartbeat,
    )?
    .unwrap_or(0);
    let state = "heartbeat_state WHERE id = $1";
    let incidents: Option<u32> =
        readable(sql, &format!("SELECT incidents FROM {state}"), heartbeat)?;
    let alerts: Option<u32> = readable(sql, &format!("SELECT alerts FROM {state}"), heartbeat)?;
    Ok((
        incidents.unwrap_or(0).max(listed),
        alerts.unwrap_or_else(|| seconds(now)),
    ))
}

/// What can be read of a heartbeat, and where its alerts go. `None`: it has no project.
fn facts(sql: &mut dyn Sql, id: HeartbeatId) -> Result<Option<(HeartbeatFacts, String)>> {
    let project = "SELECT project FROM heartbeat WHERE id = $1";
    let Some(project_id) = readable::<ProjectId>(sql, project, id)? else {
        return Ok(None);
    };
    let project_name =
        "SELECT p.name FROM heartbeat h JOIN project p ON p.id = h.project WHERE h.id = $1";
    let project_name = readable(sql, project_name, id)?;
    let name = readable(sql, "SELECT name FROM heartbeat WHERE id = $1", id)?;
    let slug = readable(sql, "SELECT slug FROM heartbeat WHERE id = $1", id)?;
    let tags: Option<String> = readable(sql, "SELECT tags FROM heartbeat WHERE id = $1", id)?;
    let tags = tags.and_then(|tags| serde_json::from_str(&tags).ok());
    let routed = readable(sql, "SELECT channels FROM heartbeat WHERE id = $1", id)?;
    let facts = HeartbeatFacts {
        id,
        project_id,
        project_name: project_name.unwrap_or_else(|| short(project_id.0)),
        name: name.unwrap_or_else(|| short(id.0)),
        slug: slug.unwrap_or_default(),
        tags: tags.unwrap_or_default(),
        schedule: schedule(sql, id)?,
    };
    Ok(Some((facts, routed.unwrap_or_else(|| "all".to_owned()))))
}

fn schedule(sql: &mut dyn Sql, id: HeartbeatId) -> Result<Schedule> {
    let settings: Option<String> = readable(
        sql,
        "SELECT s.json FROM heartbeat_state h JOIN settings s ON s.id = h.settings WHERE h.id = $1",
        id,
    )?;
    let settings = settings.and_then(|json| serde_json::from_str::<Settings>(&json).ok());
    match settings {
        Some(settings) => Ok(settings.schedule),
        None => stand_in().map(|settings| settings.schedule),
    }
}

/// What stands for settings that cannot be read, where a value is needed; nothing is decided by it.
pub(crate) fn stand_in() -> Result<Settings> {
    let schedule = Schedule::every_seconds(ANY_SCHEDULE_SECONDS)
        .map_err(|error| StoreError::Broken(error.to_string()))?;
    Ok(Settings::new(schedule))
}

/// One value of a heartbeat, where there is one that can be read.
fn readable<T: FromValue>(
    sql: &mut dyn Sql,
    query: &str,
    heartbeat: HeartbeatId,
) -> Result<Option<T>> {
    let row = match sql.first(query, &[heartbeat.into()]) {
        Err(StoreError::Broken(_)) => return Ok(None),
        answer => answer?,
    };
    Ok(row.and_then(|row| row.get(0).ok()))
}
