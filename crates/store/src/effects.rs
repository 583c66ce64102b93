//! What a decision caused besides the state itself: incidents, deliveries, gaps. Portable SQL, inside the
//! transaction of the decision.

use std::time::Duration;

use nightbeat_domain::{
    Alert, AlertKind, AlertSnapshot, ChannelId, DeliveryId, Effects, Gap, GapKind, HeartbeatFacts,
    HeartbeatId, IncidentChange, Maintenance, ProjectId, Settings, State, UnixMicros,
};

use crate::codec::{Columns, broken, json, named, short};
use crate::control::settings::intern;
use crate::sql::{Row, Sql, Value};
use crate::{NewHeartbeat, Result, StoreError, Watched};

/// How long an alert that may travel with others waits for them: a judgement of many heartbeats takes
/// several transactions.
pub const DIGEST_COLLECTS: Duration = Duration::from_secs(3);

/// How much of the last output an alert carries, in characters and in lines.
const TAIL_CHARS_MAX: usize = 1_000;
const TAIL_LINES_MAX: usize = 10;

/// Whose effects they are.
pub(crate) struct About<'a> {
    pub(crate) heartbeat: HeartbeatId,
    pub(crate) settings: &'a Settings,
    pub(crate) newest_signal: Option<i64>,
}

/// Stores incidents and queues deliveries; how many deliveries.
pub(crate) fn store(sql: &mut dyn Sql, about: &About<'_>, effects: &Effects) -> Result<u32> {
    if effects.incidents.is_empty() && effects.alerts.is_empty() {
        return Ok(0);
    }
    let (facts, channels) = facts(sql, about)?;
    let output_tail = match about.newest_signal {
        Some(row) => output_tail(sql, row)?,
        None => None,
    };
    let snapshot = |alert: &Alert| AlertSnapshot {
        alert: alert.clone(),
        heartbeat: facts.clone(),
        output_tail: output_tail.clone(),
    };
    for change in &effects.incidents {
        let (IncidentChange::Opened { id, .. }
        | IncidentChange::Confirmed { id }
        | IncidentChange::Closed { id, .. }) = change;
        let alert = effects
            .alerts
            .iter()
            .find(|alert| alert.incident.as_ref().is_some_and(|it| it.id == *id));
        let alert = alert.map(|alert| json(&snapshot(alert))).transpose()?;
        store_incident(sql, &facts, change, alert)?;
    }
    let mut queued = 0;
    for alert in &effects.alerts {
        for channel in channels_for(sql, &facts, &channels, alert.kind)? {
            queue(sql, &snapshot(alert), channel)?;
            queued += 1;
        }
    }
    Ok(queued)
}

fn facts(sql: &mut dyn Sql, about: &About<'_>) -> Result<(HeartbeatFacts, String)> {
    let found = sql.first(
        "SELECT h.project, p.name, h.name, h.slug, h.tags, h.channels
           FROM heartbeat h JOIN project p ON p.id = h.project WHERE h.id = $1",
        &[about.heartbeat.into()],
    )?;
    let row = found.ok_or_else(|| {
        broken(
            "heartbeat",
            "id",
            short(about.heartbeat.0),
            "no such row, but it has a state",
        )
    })?;
    let tags: String = row.get(4)?;
    // An alert without its tags is better than none.
    let tags = serde_json::from_str(&tags).unwrap_or_else(|error| {
        let heartbeat = short(about.heartbeat.0);
        tracing::error!(%heartbeat, %error, "its tags cannot be read: an alert goes without them");
        Vec::new()
    });
    let facts = HeartbeatFacts {
        id: about.heartbeat,
        project_id: row.get(0)?,
        project_name: row.get(1)?,
        name: row.get(2)?,
        slug: row.get(3)?,
        tags,
        schedule: about.settings.schedule.clone(),
    };
    Ok((facts, row.get(5)?))
}

pub(crate) fn store_incident(
    sql: &mut dyn Sql,
    facts: &HeartbeatFacts,
    change: &IncidentChange,
    alert: Option<String>,
) -> Result<()> {
    match *change {
        IncidentChange::Opened {
            id,
            number,
            cause,
            claim,
            at,
        } => sql.execute(
            "INSERT INTO incident (id, project, heartbeat, heartbeat_name, number, cause, claim, opened_at, alert)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &[
                id.into(),
                facts.project_id.into(),
                facts.id.into(),
                facts.name.clone().into(),
                number.into(),
                cause.as_str().into(),
                claim.as_str().into(),
                at.into(),
                alert.unwrap_or_else(|| "null".to_owned()).into(),
            ],
        ),
        IncidentChange::Confirmed { id } => sql.execute(
            // Held back by a snooze, there is no new alert: the one that opened it stays.
            "UPDATE incident SET claim = 'down', alert = coalesce($2, alert) WHERE id = $1",
            &[id.into(), alert.into()],
        ),
        IncidentChange::Closed { id, at, closing } => sql.execute(
            "UPDATE incident SET closed_at = $2, closing = $3 WHERE id = $1",
            &[id.into(), at.into(), closing.as_str().into()],
        ),
    }?;
    Ok(())
}

/// The channels that an alert of this kind goes to.
pub(crate) fn channels_for(
    sql: &mut dyn Sql,
    facts: &HeartbeatFacts,
    routed: &str,
    kind: AlertKind,
) -> Result<Vec<ChannelId>> {
    let rows = if kind == AlertKind::NeverStarted {
        sql.query(
            "SELECT id FROM channel WHERE project = $1 AND kind = 'email' ORDER BY id",
            &[facts.project_id.into()],
        )?
    } else {
        sql.query(
            "SELECT id FROM channel WHERE project = $1 ORDER BY id",
            &[facts.project_id.into()],
        )?
    };
    let all: Vec<ChannelId> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    if routed == "all" {
        return Ok(all);
    }
    let chosen: Vec<ChannelId> = match serde_json::from_str(routed) {
        Ok(chosen) => chosen,
        Err(error) => {
            // Better all of them than nobody.
            let heartbeat = short(facts.id.0);
            tracing::error!(%heartbeat, %error, "its channels cannot be read: an alert goes to all");
            return Ok(all);
        }
    };
    let left: Vec<ChannelId> = all
        .iter()
        .copied()
        .filter(|id| chosen.contains(id))
        .collect();
    // Every channel that was chosen has been removed since: better all that are left than nobody.
    if left.is_empty() && !chosen.is_empty() {
        return Ok(all);
    }
    Ok(left)
}

pub(crate) fn queue(sql: &mut dyn Sql, snapshot: &AlertSnapshot, channel: ChannelId) -> Result<()> {
    let alert = &snapshot.alert;
    let next_try_at = if alert.digest {
        alert.at + DIGEST_COLLECTS
    } else {
        alert.at
    };
    sql.execute(
        "INSERT INTO delivery (id, project, channel, heartbeat, incident, event, digest, snapshot, state,
                               created_at, next_try_at, attempts, claim, fallback)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $10, 0, 0, 0)",
        &[
            DeliveryId::derive(snapshot.heartbeat.id, alert.sequence, channel).into(),
            snapshot.heartbeat.project_id.into(),
            channel.into(),
            snapshot.heartbeat.id.into(),
            alert.incident.as_ref().map(|incident| incident.id).into(),
            event(alert).into(),
            alert.digest.into(),
            json(snapshot)?.into(),
            alert.at.into(),
            next_try_at.into(),
        ],
    )?;
    Ok(())
}

/// The name of an alert's event, as receivers see it.
pub fn event(alert: &Alert) -> &'static str {
    match alert.kind {
        AlertKind::Unverified if alert.digest => "digest",
        AlertKind::Down | AlertKind::Unverified => "down",
        AlertKind::Warning => "warning",
        AlertKind::Up => "up",
        AlertKind::Reminder | AlertKind::NeverStarted => "reminder",
    }
}

/// The last lines of a signal's body.
fn output_tail(sql: &mut dyn Sql, signal: i64) -> Result<Option<String>> {
    let row = sql.first("SELECT body FROM signal WHERE id = $1", &[signal.into()])?;
    let body: Option<Vec<u8>> = row.map_or(Ok(None), |row| row.get(0))?;
    Ok(body.and_then(|body| last_lines(&body)))
}

/// The last lines of a body, as an alert carries them; `None` where there is nothing to see.
pub fn last_lines(body: &[u8]) -> Option<String> {
    // A character is at most four bytes: what is cut off here could not be shown anyway.
    let from = body.len().saturating_sub(4 * TAIL_CHARS_MAX);
    let text = String::from_utf8_lossy(&body[from..]);
    let lines: Vec<&str> = text.trim_end().lines().rev().take(TAIL_LINES_MAX).collect();
    let tail: String = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
    let skip = tail.chars().count().saturating_sub(TAIL_CHARS_MAX);
    let tail: String = tail.chars().skip(skip).collect();
    (!tail.trim().is_empty()).then_some(tail)
}

/// The maintenance windows of a heartbeat's project.
pub(crate) fn maintenance(sql: &mut dyn Sql, heartbeat: HeartbeatId) -> Result<Vec<Maintenance>> {
    let rows = sql.query(
        "SELECT m.from_at, m.to_at FROM maintenance m
           JOIN heartbeat h ON h.project = m.project WHERE h.id = $1",
        &[heartbeat.into()],
    )?;
    rows.iter()
        .map(|row| {
            Ok(Maintenance {
                from: row.get(0)?,
                to: row.get(1)?,
            })
        })
        .collect()
}

/// Enters a gap into the ledger. Nodes that keep it in memory see its revision grow; transactions that enter
/// gaps come one after another for it.
pub(crate) fn insert_gap(sql: &mut dyn Sql, gap: Gap) -> Result<()> {
    gaps_change(sql)?;
    let kind: serde_json::Value =
        serde_json::to_value(gap.kind).map_err(|error| StoreError::Broken(error.to_string()))?;
    sql.execute(
        "INSERT INTO gap (from_at, to_at, kind) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[
            gap.from.into(),
            gap.to.into(),
            kind.as_str().unwrap_or_default().into(),
        ],
    )?;
    Ok(())
}

/// The ledger is about to change: whoever keeps it in memory reads it again.
pub(crate) fn gaps_change(sql: &mut dyn Sql) -> Result<()> {
    sql.execute(
        "UPDATE service SET gap_revision = gap_revision + 1 WHERE one = 1",
        &[],
    )?;
    Ok(())
}

/// All gaps, in any order.
pub(crate) fn gaps(sql: &mut dyn Sql) -> Result<Vec<Gap>> {
    let rows = sql.query("SELECT from_at, to_at, kind, id FROM gap", &[])?;
    rows.iter()
        .map(|row| {
            let kind: String = row.get(2)?;
            let id: i64 = row.get(3)?;
            let kind: GapKind =
                named(&kind).ok_or_else(|| broken("gap", "kind", id, "an unknown kind"))?;
            Ok(Gap {
                from: row.get(0)?,
                to: row.get(1)?,
                kind,
            })
        })
        .collect()
}

/// Until `now`, receiving worked.
pub(crate) fn alive(sql: &mut dyn Sql, now: UnixMicros) -> Result<()> {
    sql.execute(
        "UPDATE service SET alive_until = $1 WHERE one = 1 AND (alive_until IS NULL OR alive_until < $1)",
        &[now.into()],
    )?;
    Ok(())
}

/// Until when receiving is known to have worked; `None` on a database that never served.
pub(crate) fn alive_until(sql: &mut dyn Sql) -> Result<Option<UnixMicros>> {
    let row = sql.first("SELECT alive_until FROM service WHERE one = 1", &[])?;
    row.map_or(Ok(None), |row| row.get(0))
}

/// Waits for whoever else has locked the project, and keeps others waiting until the transaction ends.
pub(crate) fn lock_project(sql: &mut dyn Sql, project: ProjectId) -> Result<()> {
    sql.execute(
        "UPDATE project SET name = name WHERE id = $1",
        &[project.into()],
    )?;
    Ok(())
}

/// Creates the heartbeat that a signal with `?create=1` names.
pub(crate) fn create_from_signal(
    sql: &mut dyn Sql,
    project: ProjectId,
    slug: &str,
    new: &NewHeartbeat,
    at: UnixMicros,
) -> Result<()> {
    sql.execute(
        "INSERT INTO heartbeat (id, project, name, slug, description, tags, channels, created_at, version)
         VALUES ($1, $2, $3, $3, '', '[]', 'all', $4, 1)",
        &[new.id.into(), project.into(), slug.into(), at.into()],
    )?;
    let settings = intern(sql, &new.settings)?;
    insert_state(sql, new.id, settings, &State::new(&new.settings, at))
}

/// Writes the first state of a heartbeat.
pub(crate) fn insert_state(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    settings: i64,
    state: &State,
) -> Result<()> {
    let mut values: Vec<Value> = vec![heartbeat.into(), settings.into()];
    values.extend(Columns::from_state(state)?.into_values());
    let places: Vec<String> = (1..=values.len())
        .map(|place| format!("${place}"))
        .collect();
    let statement = format!(
        "INSERT INTO heartbeat_state (id, settings, {}) VALUES ({})",
        Columns::NAMES.join(", "),
        places.join(", ")
    );
    sql.execute(&statement, &values)?;
    Ok(())
}

/// What should have been looked at before `before`. Reads the whole table: there is no index on a column
/// that every signal changes. Heartbeats that cannot be read are looked at again each time, besides: many
/// of them must not keep the others from being found.
pub(crate) fn overdue(sql: &mut dyn Sql, before: UnixMicros, limit: u32) -> Result<Vec<Watched>> {
    let mut rows = sql.query(
        "SELECT id, wake_at FROM heartbeat_state
          WHERE wake_at < $1
            AND id NOT IN (SELECT heartbeat FROM broken_heartbeat WHERE mended_at IS NULL)
          LIMIT $2",
        &[before.into(), limit.into()],
    )?;
    rows.extend(sql.query(
        "SELECT heartbeat, since FROM broken_heartbeat
          WHERE mended_at IS NULL AND since < $1 LIMIT $2",
        &[before.into(), limit.into()],
    )?);
    rows.iter().map(watched_row).collect()
}

fn watched_row(row: &Row) -> Result<Watched> {
    Ok(Watched {
        heartbeat: row.get(0)?,
        wake_at: row.get(1)?,
    })
}
