//! What happened in a project in some time: the figures of a report. Each read is bounded, however many
//! heartbeats there are and however often they failed.

use nightbeat_domain::{Cause, Claim, HeartbeatId, Phase, ProjectId, UnixMicros};

use super::page::Cursor;
use super::query::select;
use crate::Result;
use crate::codec::phase_code;
use crate::fields::Fields;
use crate::sql::{Row, Sql, Value};

/// From `from` on, before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first instant.
    pub from: UnixMicros,
    /// The first instant after it.
    pub to: UnixMicros,
}

/// The most incidents that are read of one period.
pub const INCIDENTS_MAX: u32 = 1_000;
/// The most names of heartbeats that never signalled.
pub const NAMES_MAX: u32 = 10;
/// How many heartbeats' runs are counted in one read.
pub const HEARTBEATS_AT_ONCE: u32 = 50;

/// The most runs of one heartbeat that are counted one by one: as many as are kept of it.
const RUNS_MAX: i64 = 10_000;
/// The log is in the order of arrival: so many runs in a row that ended before the period, and none that ended
/// in it is expected behind them. Fewer may have been delivered late.
const STRAYS_MAX: i64 = 20;
/// A day's microseconds.
const DAY: i64 = 86_400_000_000;

/// An incident that opened or ended in the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The heartbeat it is about.
    pub heartbeat: HeartbeatId,
    /// The name that the heartbeat had when it opened.
    pub name: String,
    /// The heartbeat's slug; `None` where it was removed.
    pub slug: Option<String>,
    /// Why it opened.
    pub cause: Cause,
    /// What it claims.
    pub claim: Claim,
    /// When it opened.
    pub opened_at: UnixMicros,
    /// When it closed; `None`: it is open.
    pub closed_at: Option<UnixMicros>,
}

/// A heartbeat's name, and what it is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: HeartbeatId,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
}

/// How runs ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Runs {
    /// Those that were fine.
    pub ok: u64,
    /// Those that ended with a warning.
    pub warning: u64,
    /// Those that failed.
    pub failed: u64,
}

/// The runs of some of a project's heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunsPart {
    /// How they ended.
    pub runs: Runs,
    /// Of how many heartbeats.
    pub heartbeats: u64,
    /// How many rows were looked at.
    pub rows: u64,
    /// Where to go on; `None`: these were the last.
    pub next: Option<Cursor>,
}

const INCIDENT: [&str; 7] = [
    "told.heartbeat",
    "told.heartbeat_name",
    "heartbeat.slug",
    "told.cause",
    "told.claim",
    "told.opened_at",
    "told.closed_at",
];

/// The project's incidents that opened or ended in the period, the last to open first; the newest
/// [`INCIDENTS_MAX`] that opened in it, and as many that opened before.
pub fn incidents(sql: &mut dyn Sql, project: ProjectId, period: Period) -> Result<Vec<Incident>> {
    let rows = sql.query(
        &incidents_statement(),
        &[
            project.into(),
            period.from.into(),
            period.to.into(),
            INCIDENTS_MAX.into(),
        ],
    )?;
    rows.iter().map(incident).collect()
}

/// Two ranges of two indexes. The `+` keeps the second from the index of the first, in which it would go
/// through all of the past.
fn incidents_statement() -> String {
    select(
        &INCIDENT,
        "FROM (SELECT * FROM
                   (SELECT id, heartbeat, heartbeat_name, cause, claim, opened_at, closed_at FROM incident
                     WHERE project = $1 AND opened_at >= $2 AND opened_at < $3
                     ORDER BY opened_at DESC LIMIT $4) AS opened
               UNION ALL
               SELECT * FROM
                   (SELECT id, heartbeat, heartbeat_name, cause, claim, opened_at, closed_at FROM incident
                     WHERE project = $1 AND closed_at >= $2 AND +opened_at < $2
                     ORDER BY closed_at DESC LIMIT $4) AS ended) AS told
         LEFT JOIN heartbeat ON heartbeat.id = told.heartbeat
         ORDER BY told.opened_at DESC, told.id",
    )
}

fn incident(row: &Row) -> Result<Incident> {
    let fields = Fields::new(&INCIDENT, row);
    Ok(Incident {
        heartbeat: fields.get("told.heartbeat")?,
        name: fields.get("told.heartbeat_name")?,
        slug: fields.get("heartbeat.slug")?,
        cause: fields.named("told.cause")?,
        claim: fields.named("told.claim")?,
        opened_at: fields.get("told.opened_at")?,
        closed_at: fields.get("told.closed_at")?,
    })
}

/// The project's heartbeats that were created before `before`, are not paused, and never signalled: how many,
/// and the oldest [`NAMES_MAX`]. One pass over the project's heartbeats.
pub fn never_signalled(
    sql: &mut dyn Sql,
    project: ProjectId,
    before: UnixMicros,
) -> Result<(u64, Vec<Named>)> {
    const FROM: &str = "FROM heartbeat JOIN heartbeat_state ON heartbeat_state.id = heartbeat.id
         WHERE heartbeat.project = $1 AND heartbeat.created_at < $2 AND heartbeat_state.signals = 0
           AND heartbeat_state.phase <> $3";
    let params: [Value; 3] = [
        project.into(),
        before.into(),
        phase_code(Phase::Paused).into(),
    ];
    let counted = sql.first(&format!("SELECT count(*) {FROM}"), &params)?;
    let count: u64 = counted.map_or(Ok(0), |row| row.get(0))?;
    if count == 0 {
        return Ok((0, Vec::new()));
    }
    let query = format!(
        "SELECT heartbeat.id, heartbeat.name, heartbeat.slug {FROM}
         ORDER BY heartbeat.created_at, heartbeat.id LIMIT {NAMES_MAX}"
    );
    let rows = sql.query(&query, &params)?;
    let named = |row: &Row| {
        Ok(Named {
            id: row.get(0)?,
            name: row.get(1)?,
            slug: row.get(2)?,
        })
    };
    Ok((count, rows.iter().map(named).collect::<Result<_>>()?))
}

/// How the runs ended that ended in the period, of the next [`HEARTBEATS_AT_ONCE`] of the project's heartbeats
/// after `after`. Look-ups by key only. Runs of which only daily sums are left count with the whole days, in
/// UTC, that lie in the period.
pub fn runs(
    sql: &mut dyn Sql,
    project: ProjectId,
    period: Period,
    after: Option<Cursor>,
) -> Result<RunsPart> {
    let after = after.unwrap_or(Cursor::FIRST);
    let rows = sql.query(
        "SELECT heartbeat.created_at, heartbeat.id FROM heartbeat
         WHERE heartbeat.project = $1 AND (heartbeat.created_at, heartbeat.id) > ($2, $3)
         ORDER BY heartbeat.created_at, heartbeat.id LIMIT $4",
        &[
            project.into(),
            after.number.into(),
            after.id.into(),
            HEARTBEATS_AT_ONCE.into(),
        ],
    )?;
    let mut ids: Vec<HeartbeatId> = Vec::with_capacity(rows.len());
    let mut next = None;
    for row in &rows {
        let id: HeartbeatId = row.get(1)?;
        ids.push(id);
        next = Some(Cursor {
            number: row.get(0)?,
            id: id.0,
        });
    }
    let Some(last) = ids.last().copied() else {
        return Ok(RunsPart::default());
    };
    let is_end = ids.len() < HEARTBEATS_AT_ONCE as usize;
    let heartbeats = ids.len() as u64;
    // Always as many parameters, so that the statement is prepared once; the same one again finds nothing new.
    ids.resize(HEARTBEATS_AT_ONCE as usize, last);
    let mut part = logged(sql, &ids, period)?;
    add_summed(sql, &ids, period, &mut part.runs)?;
    part.heartbeats = heartbeats;
    part.next = next.filter(|_| !is_end);
    Ok(part)
}

fn logged(sql: &mut dyn Sql, ids: &[HeartbeatId], period: Period) -> Result<RunsPart> {
    let mut params: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
    params.extend([period.from.into(), period.to.into()]);
    let Some(row) = sql.first(&logged_statement(), &params)? else {
        return Ok(RunsPart::default());
    };
    Ok(RunsPart {
        runs: Runs {
            ok: row.get(0)?,
            warning: row.get(1)?,
            failed: row.get(2)?,
        },
        rows: row.get(3)?,
        ..RunsPart::default()
    })
}

/// Walks all chains of runs at once, from their heads back until they leave the period.
fn logged_statement() -> String {
    let (from, to) = (HEARTBEATS_AT_ONCE + 1, HEARTBEATS_AT_ONCE + 2);
    let count = |outcome: i64| {
        format!(
            "CAST(coalesce(sum(CASE WHEN outcome = {outcome} AND ended_at >= ${from} AND ended_at < ${to}
                                    THEN 1 ELSE 0 END), 0) AS BIGINT)"
        )
    };
    format!(
        "WITH RECURSIVE chain (heartbeat, previous, depth, strays, ended_at, outcome) AS (
             SELECT run.heartbeat, run.previous, 1, CASE WHEN run.ended_at < ${from} THEN 1 ELSE 0 END,
                    run.ended_at, run.outcome
             FROM heartbeat_state JOIN run ON run.id = heartbeat_state.newest_run
             WHERE heartbeat_state.id IN ({places}) AND run.heartbeat = heartbeat_state.id
             UNION ALL
             SELECT run.heartbeat, run.previous, chain.depth + 1,
                    CASE WHEN run.ended_at < ${from} THEN chain.strays + 1 ELSE 0 END,
                    run.ended_at, run.outcome
             FROM chain JOIN run ON run.id = chain.previous
             WHERE run.heartbeat = chain.heartbeat AND chain.depth < {RUNS_MAX}
               AND chain.strays < {STRAYS_MAX}
         )
         SELECT {}, {}, {}, count(*) FROM chain",
        count(0),
        count(1),
        count(2),
        places = places(),
    )
}

fn add_summed(
    sql: &mut dyn Sql,
    ids: &[HeartbeatId],
    period: Period,
    runs: &mut Runs,
) -> Result<()> {
    let first = period.from.0.div_euclid(DAY) + i64::from(period.from.0.rem_euclid(DAY) > 0);
    let end = period.to.0.div_euclid(DAY);
    if first >= end {
        return Ok(());
    }
    let query = format!(
        "SELECT CAST(coalesce(sum(run_day.ok), 0) AS BIGINT),
                CAST(coalesce(sum(run_day.warning), 0) AS BIGINT),
                CAST(coalesce(sum(run_day.failed), 0) AS BIGINT)
         FROM run_day WHERE run_day.heartbeat IN ({}) AND run_day.day >= ${} AND run_day.day < ${}",
        places(),
        HEARTBEATS_AT_ONCE + 1,
        HEARTBEATS_AT_ONCE + 2
    );
    let mut params: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
    params.extend([first.into(), end.into()]);
    if let Some(row) = sql.first(&query, &params)? {
        runs.ok += row.get::<u64>(0)?;
        runs.warning += row.get::<u64>(1)?;
        runs.failed += row.get::<u64>(2)?;
    }
    Ok(())
}

fn places() -> String {
    let places: Vec<String> = (1..=HEARTBEATS_AT_ONCE)
        .map(|place| format!("${place}"))
        .collect();
    places.join(", ")
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::migrate::migrate;
    use crate::sqlite::portable::Portable;

    fn plan(statement: &str, params: &[Value]) -> Vec<String> {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let mut sql = Portable::new(&connection);
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let plan = sql.query(&explain, params).unwrap();
        plan.iter().map(|row| row.get(3).unwrap()).collect()
    }

    #[test]
    fn incidents_cost_as_many_look_ups_as_there_are_in_the_period() {
        let blob = Value::Blob(vec![0]);
        let params = [blob, Value::Int(1), Value::Int(2), Value::Int(3)];
        let steps = plan(&incidents_statement(), &params);
        for index in ["incident_project", "incident_closed"] {
            let uses =
                |step: &String| step.starts_with("SEARCH incident USING") && step.contains(index);
            assert!(steps.iter().any(uses), "{index}: {steps:#?}");
        }
        assert!(
            !steps.iter().any(|step| step.starts_with("SCAN incident")),
            "{steps:#?}"
        );
    }

    #[test]
    fn runs_cost_look_ups_by_key_however_long_the_log() {
        let mut params = vec![Value::Blob(vec![0]); HEARTBEATS_AT_ONCE as usize];
        params.extend([Value::Int(1), Value::Int(2)]);
        let steps = plan(&logged_statement(), &params);
        for table in ["run", "heartbeat_state"] {
            let scans = |step: &String| step.starts_with(&format!("SCAN {table}"));
            assert!(!steps.iter().any(scans), "{steps:#?}");
        }
    }
}
