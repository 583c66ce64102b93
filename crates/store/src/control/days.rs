//! What became of a heartbeat's runs, day by day: from the log as far as it reaches, from the daily sums
//! before.

use std::collections::BTreeMap;

use nightbeat_domain::{HeartbeatId, ProjectId};

use crate::Result;
use crate::sql::Sql;

/// The most runs of the log that are looked at: as many as are kept of one heartbeat.
const RUNS_MAX: i64 = 10_000;

/// A day's microseconds.
const DAY: i64 = 86_400_000_000;

/// The runs that ended on one day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day {
    /// Those that were fine.
    pub ok: u64,
    /// Those that ended with a warning.
    pub warning: u64,
    /// Those that failed.
    pub failed: u64,
}

/// The days since `first` (days since 1970 in UTC) on which runs of the project's heartbeat ended.
pub fn list(
    sql: &mut dyn Sql,
    project: ProjectId,
    heartbeat: HeartbeatId,
    first: i64,
) -> Result<BTreeMap<i64, Day>> {
    let mut days: BTreeMap<i64, Day> = BTreeMap::new();
    let sums = sql.query(
        "SELECT run_day.day, run_day.ok, run_day.warning, run_day.failed
         FROM run_day JOIN heartbeat ON heartbeat.id = run_day.heartbeat
         WHERE heartbeat.project = $1 AND heartbeat.id = $2 AND run_day.day >= $3",
        &[project.into(), heartbeat.into(), first.into()],
    )?;
    let logged = sql.query(
        "WITH RECURSIVE chain (previous, depth, ended_at, outcome) AS (
             SELECT run.previous, 1, run.ended_at, run.outcome
             FROM heartbeat JOIN heartbeat_state ON heartbeat_state.id = heartbeat.id
                  JOIN run ON run.id = heartbeat_state.newest_run
             WHERE heartbeat.project = $1 AND heartbeat.id = $2 AND run.heartbeat = $2
             UNION ALL
             SELECT run.previous, chain.depth + 1, run.ended_at, run.outcome
             FROM chain JOIN run ON run.id = chain.previous
             WHERE run.heartbeat = $2 AND chain.depth < $3
         )
         SELECT ended_at / 86400000000,
                CAST(sum(CASE WHEN outcome = 0 THEN 1 ELSE 0 END) AS BIGINT),
                CAST(sum(CASE WHEN outcome = 1 THEN 1 ELSE 0 END) AS BIGINT),
                CAST(sum(CASE WHEN outcome = 2 THEN 1 ELSE 0 END) AS BIGINT)
         FROM chain WHERE ended_at >= $4 GROUP BY 1",
        &[
            project.into(),
            heartbeat.into(),
            RUNS_MAX.into(),
            first.saturating_mul(DAY).into(),
        ],
    )?;
    for row in sums.iter().chain(&logged) {
        let day = days.entry(row.get(0)?).or_default();
        day.ok += row.get::<u64>(1)?;
        day.warning += row.get::<u64>(2)?;
        day.failed += row.get::<u64>(3)?;
    }
    Ok(days)
}
