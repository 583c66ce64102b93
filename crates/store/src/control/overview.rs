//! What a page that shows a whole project needs: a sorted part of its heartbeats, how many have which status,
//! the last runs of each, and a number that changes when any of it does. Each is one query, however many
//! heartbeats there are on the page.

use std::collections::{BTreeSet, HashMap};

use nightbeat_domain::{HeartbeatId, LastRun, Phase, ProjectId, Status, UnixMicros};

use super::heartbeats::{COLUMNS, FROM, Filter, Heartbeat, apply, read_all};
use super::query::Query;
use crate::Result;
use crate::codec::{self, phase_code};
use crate::sql::{Row, Sql, Value};

/// The most heartbeats of one page.
pub const HEARTBEATS_MAX: u32 = 200;

/// The most runs of each that are looked up for a page.
pub const RUNS_MAX: i64 = 30;

/// How the heartbeats of a project are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// What needs a person first: down, unverified, warning, late, new, up, paused.
    #[default]
    Status,
    /// By name, upper and lower case of A to Z are the same.
    Name,
    /// Those that were heard of last first; those that never were last.
    LastSignal,
    /// Those that are expected soonest first; those that are not expected last.
    Expected,
}

/// Which part of a sorted list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// How it is sorted.
    pub sort: Sort,
    /// The other way round.
    pub reversed: bool,
    /// How many heartbeats stand before it.
    pub skip: u32,
    /// How many it has at most: 1 to [`HEARTBEATS_MAX`], or the nearest of these.
    pub limit: u32,
}

/// The project's heartbeats that the filter lets through, sorted. Of equal ones the name decides, then the
/// order of creation. `now` decides who is late.
pub fn part(
    sql: &mut dyn Sql,
    project: ProjectId,
    filter: &Filter,
    now: UnixMicros,
    part: Part,
) -> Result<Vec<Heartbeat>> {
    let mut query = Query::new(&COLUMNS, FROM);
    query.and_equal("heartbeat.project", project);
    apply(&mut query, filter, now)?;
    let key = match part.sort {
        Sort::Status => urgency(&mut query, now),
        Sort::Name => "lower(heartbeat.name)".to_owned(),
        // Not NULL, which one engine takes for the least and the other for the greatest.
        Sort::LastSignal => "-coalesce(heartbeat_state.last_signal_at, 0)".to_owned(),
        Sort::Expected => format!("coalesce(heartbeat_state.expected_at, {})", i64::MAX),
    };
    let direction = if part.reversed { "DESC" } else { "ASC" };
    let limit = query.bind(part.limit.clamp(1, HEARTBEATS_MAX));
    let skip = query.bind(part.skip);
    let tail = format!(
        "ORDER BY {key} {direction}, lower(heartbeat.name), heartbeat.created_at, heartbeat.id
         LIMIT {limit} OFFSET {skip}"
    );
    let rows = query.run(sql, &tail)?;
    read_all(sql, &rows)
}

/// [`Status`] as a number: the lower needs a person sooner. One whose state is missing is unverified.
fn urgency(query: &mut Query, now: UnixMicros) -> String {
    let now = query.bind(now);
    let code = phase_code;
    format!(
        "CASE WHEN heartbeat_state.phase = {down} THEN 0
              WHEN heartbeat_state.phase IS NULL OR heartbeat_state.phase = {unverified} THEN 1
              WHEN heartbeat_state.phase = {warning} AND NOT {late} THEN 2
              WHEN heartbeat_state.phase IN ({up}, {warning}) AND {late} THEN 3
              WHEN heartbeat_state.phase = {new} THEN 4
              WHEN heartbeat_state.phase = {up} THEN 5
              ELSE 6 END",
        down = code(Phase::Down),
        unverified = code(Phase::Unverified),
        warning = code(Phase::Warning),
        up = code(Phase::Up),
        new = code(Phase::New),
        late = format!(
            "(heartbeat_state.expected_at IS NOT NULL AND heartbeat_state.expected_at <= {now})"
        ),
    )
}

/// How many of the project's heartbeats that the filter lets through have each status; those that none has
/// are left out. A status in the filter is not looked at.
pub fn counts(
    sql: &mut dyn Sql,
    project: ProjectId,
    filter: &Filter,
    now: UnixMicros,
) -> Result<HashMap<Status, u64>> {
    // The first parameter: it stands before the conditions.
    let late = "CASE WHEN heartbeat_state.expected_at <= $1 THEN 1 ELSE 0 END";
    let mut query = Query::new(&["heartbeat_state.phase", late, "count(*)"], FROM);
    query.bind(now);
    query.and_equal("heartbeat.project", project);
    let any_status = Filter {
        status: None,
        ..filter.clone()
    };
    apply(&mut query, &any_status, now)?;
    let mut counts = HashMap::new();
    for row in query.run(sql, "GROUP BY 1, 2")? {
        let phase: Option<i64> = row.get(0)?;
        let is_late: bool = row.get(1)?;
        let status = match phase.and_then(codec::phase) {
            None | Some(Phase::Unverified) => Status::Unverified,
            Some(Phase::Up | Phase::Warning) if is_late => Status::Late,
            Some(Phase::Up) => Status::Up,
            Some(Phase::Warning) => Status::Warning,
            Some(Phase::New) => Status::New,
            Some(Phase::Down) => Status::Down,
            Some(Phase::Paused) => Status::Paused,
        };
        *counts.entry(status).or_default() += row.get::<u64>(2)?;
    }
    Ok(counts)
}

/// The tags of the project's heartbeats, sorted. Those that cannot be read are left out.
pub fn tags(sql: &mut dyn Sql, project: ProjectId) -> Result<BTreeSet<String>> {
    let rows = sql.query(
        "SELECT DISTINCT heartbeat.tags FROM heartbeat WHERE heartbeat.project = $1",
        &[project.into()],
    )?;
    let mut tags = BTreeSet::new();
    for row in rows {
        let json: String = row.get(0)?;
        tags.extend(serde_json::from_str::<Vec<String>>(&json).unwrap_or_default());
    }
    Ok(tags)
}

/// The last [`RUNS_MAX`] runs of each of these heartbeats, the oldest first; of at most [`HEARTBEATS_MAX`]
/// heartbeats, which were found through their project.
pub fn last_runs(
    sql: &mut dyn Sql,
    heartbeats: &[HeartbeatId],
) -> Result<HashMap<HeartbeatId, Vec<LastRun>>> {
    let mut runs: HashMap<HeartbeatId, Vec<LastRun>> = HashMap::new();
    let Some(last) = heartbeats.last() else {
        return Ok(runs);
    };
    // Always as many parameters, so that the statement is prepared once; the same one again finds nothing new.
    let asked = heartbeats.iter().chain(std::iter::repeat(last));
    let params: Vec<Value> = asked
        .take(HEARTBEATS_MAX as usize)
        .map(|id| (*id).into())
        .collect();
    for row in sql.query(&last_runs_statement(), &params)? {
        let outcome: i64 = row.get(3)?;
        let Some(outcome) = codec::outcome(outcome) else {
            continue;
        };
        runs.entry(row.get(0)?).or_default().push(LastRun {
            started_at: row.get(1)?,
            ended_at: row.get(2)?,
            outcome,
        });
    }
    for of_one in runs.values_mut() {
        of_one.reverse();
    }
    Ok(runs)
}

/// Walks all chains of runs at once, from their heads back: look-ups by key only.
fn last_runs_statement() -> String {
    let places: Vec<String> = (1..=HEARTBEATS_MAX)
        .map(|place| format!("${place}"))
        .collect();
    format!(
        "WITH RECURSIVE chain (heartbeat, previous, depth, started_at, ended_at, outcome) AS (
             SELECT run.heartbeat, run.previous, 1, run.started_at, run.ended_at, run.outcome
             FROM heartbeat_state JOIN run ON run.id = heartbeat_state.newest_run
             WHERE heartbeat_state.id IN ({}) AND run.heartbeat = heartbeat_state.id
             UNION ALL
             SELECT run.heartbeat, run.previous, chain.depth + 1, run.started_at, run.ended_at, run.outcome
             FROM chain JOIN run ON run.id = chain.previous
             WHERE run.heartbeat = chain.heartbeat AND chain.depth < {RUNS_MAX}
         )
         SELECT heartbeat, started_at, ended_at, outcome FROM chain ORDER BY heartbeat, depth",
        places.join(", ")
    )
}

/// A number that changes whenever a heartbeat of the project does, or is late: whoever shows the project looks
/// again when it is another one. It costs one pass over the project's heartbeats.
pub fn version(sql: &mut dyn Sql, project: ProjectId, now: UnixMicros) -> Result<u64> {
    let row = sql.first(
        "SELECT count(*),
                CAST(coalesce(sum(heartbeat.version), 0) AS BIGINT),
                CAST(coalesce(sum(heartbeat_state.version), 0) AS BIGINT),
                CAST(coalesce(sum(CASE WHEN heartbeat_state.expected_at <= $2 THEN 1 ELSE 0 END), 0) AS BIGINT)
         FROM heartbeat LEFT JOIN heartbeat_state ON heartbeat_state.id = heartbeat.id
         WHERE heartbeat.project = $1",
        &[project.into(), now.into()],
    )?;
    row.map_or(Ok(0), |row| hashed(&row))
}

/// The same for a page that shows one heartbeat: it changes when this one does, is late, or is written a note
/// about. Look-ups by key.
pub fn heartbeat_version(
    sql: &mut dyn Sql,
    project: ProjectId,
    heartbeat: HeartbeatId,
    now: UnixMicros,
) -> Result<u64> {
    let row = sql.first(
        "SELECT heartbeat.version,
                coalesce(heartbeat_state.version, 0),
                CASE WHEN heartbeat_state.expected_at <= $3 THEN 1 ELSE 0 END,
                (SELECT count(*) FROM incident JOIN incident_note ON incident_note.incident = incident.id
                  WHERE incident.heartbeat = heartbeat.id)
         FROM heartbeat LEFT JOIN heartbeat_state ON heartbeat_state.id = heartbeat.id
         WHERE heartbeat.project = $1 AND heartbeat.id = $2",
        &[project.into(), heartbeat.into(), now.into()],
    )?;
    row.map_or(Ok(0), |row| hashed(&row))
}

/// FNV-1a, a number at a time: the same numbers are the same version after a restart, too.
fn hashed(row: &Row) -> Result<u64> {
    let mut version = 0xcbf2_9ce4_8422_2325_u64;
    for column in 0..row.values.len() {
        version = (version ^ row.get::<u64>(column)?).wrapping_mul(0x0000_0100_0000_01b3);
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::migrate::migrate;
    use crate::sqlite::portable::Portable;

    #[test]
    fn the_last_runs_cost_look_ups_by_key_however_long_the_log() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let mut sql = Portable::new(&connection);
        let explain = format!("EXPLAIN QUERY PLAN {}", last_runs_statement());
        let params: Vec<Value> = (0..HEARTBEATS_MAX).map(|_| Value::Blob(vec![0])).collect();
        let plan = sql.query(&explain, &params).unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get(3).unwrap()).collect();
        let scans = ["SCAN run", "SCAN heartbeat_state"];
        for step in &steps {
            assert!(
                !scans.iter().any(|scan| step.starts_with(scan)),
                "{steps:#?}"
            );
        }
    }
}
