//! Carries out what a step found: in one transaction, by primary key.

use std::collections::BTreeMap;
use std::time::Duration;

use nightbeat_domain::{HeartbeatId, Outcome, Settings, UnixMicros};

use super::chain::{Cut, Log};
use super::{CHANGES_MAX, Looked, Plan};
use crate::codec::outcome;
use crate::sql::{Row, Sql, Value};
use crate::{Result, control, effects};

/// How many rows of a removed heartbeat one step deletes. Each may have a large body.
const REMOVED_ROWS: u32 = 50;

const DAY_MICROS: i64 = 86_400_000_000;

/// The day in UTC, counted from 1970.
pub(super) fn day_of(at: UnixMicros) -> i64 {
    at.0.div_euclid(DAY_MICROS)
}

/// How many rows were deleted.
pub(super) fn apply(sql: &mut dyn Sql, plan: &Plan) -> Result<u64> {
    let mut deleted = 0;
    for cut in &plan.cuts {
        deleted += take_out(sql, cut)?;
    }
    for (heartbeat, first_kept) in &plan.old_days {
        deleted += old_days(sql, *heartbeat, *first_kept)?;
    }
    for looked in &plan.looked {
        note(sql, looked)?;
    }
    if plan.removed {
        deleted += control::prune_removed(sql, REMOVED_ROWS)?;
    }
    for number in &plan.deliveries {
        deleted += delivery(sql, *number)?;
    }
    for (heartbeat, nonce) in &plan.nonces {
        deleted += sql.execute(
            "DELETE FROM signal_nonce WHERE heartbeat = $1 AND nonce = $2",
            &[(*heartbeat).into(), nonce.as_str().into()],
        )?;
    }
    if let Some(before) = plan.gaps_before {
        effects::gaps_change(sql)?;
        deleted += sql.execute(
            "DELETE FROM gap WHERE id IN
                 (SELECT id FROM gap WHERE to_at < $1 ORDER BY to_at LIMIT $2)",
            &[before.into(), (CHANGES_MAX as i64).into()],
        )?;
    }
    Ok(deleted)
}

/// Takes rows out of a chain. Not when the chain is no longer as it was found: its heartbeat may have been
/// removed, and its rows with it.
fn take_out(sql: &mut dyn Sql, cut: &Cut) -> Result<u64> {
    let table = cut.log.table();
    let of: [Value; 2] = [cut.anchor.into(), cut.heartbeat.into()];
    let query = format!("SELECT previous FROM {table} WHERE id = $1 AND heartbeat = $2");
    let anchor = sql.first(&query, &of)?;
    let previous: Option<i64> = anchor.map_or(Ok(None), |row| row.get(0))?;
    if previous.is_none() || previous != cut.rows.first().copied() {
        return Ok(0);
    }
    if let Some(rest) = cut.rest {
        sql.execute(
            &format!("UPDATE {table} SET previous = $3 WHERE id = $1 AND heartbeat = $2"),
            &[cut.anchor.into(), cut.heartbeat.into(), rest.into()],
        )?;
    }
    match cut.log {
        Log::Signals => {
            let mut deleted = 0;
            for row in &cut.rows {
                deleted += sql.execute("DELETE FROM signal WHERE id = $1", &[(*row).into()])?;
            }
            Ok(deleted)
        }
        Log::Runs => summarise(sql, cut),
    }
}

/// What is left of the runs of a day.
#[derive(Debug, Default)]
struct DaySum {
    ok: i64,
    warning: i64,
    failed: i64,
    timed: i64,
    duration_total: i64,
    duration_longest: i64,
}

/// Deletes runs and adds them to their days: exactly those that were deleted.
fn summarise(sql: &mut dyn Sql, cut: &Cut) -> Result<u64> {
    let mut days: BTreeMap<i64, DaySum> = BTreeMap::new();
    let mut deleted = 0;
    for id in &cut.rows {
        let row = sql.first(
            "DELETE FROM run WHERE id = $1 RETURNING started_at, ended_at, outcome",
            &[(*id).into()],
        )?;
        if let Some(row) = row {
            let ended_at: UnixMicros = row.get(1)?;
            add(days.entry(day_of(ended_at)).or_default(), &row, *id)?;
            deleted += 1;
        }
    }
    for (day, sum) in &days {
        sql.execute(
            "INSERT INTO run_day (heartbeat, day, ok, warning, failed, timed, duration_total,
                                  duration_longest)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (heartbeat, day) DO UPDATE SET
                 ok = run_day.ok + excluded.ok,
                 warning = run_day.warning + excluded.warning,
                 failed = run_day.failed + excluded.failed,
                 timed = run_day.timed + excluded.timed,
                 duration_total = run_day.duration_total + excluded.duration_total,
                 duration_longest =
                     CASE WHEN run_day.duration_longest > excluded.duration_longest
                          THEN run_day.duration_longest ELSE excluded.duration_longest END",
            &[
                cut.heartbeat.into(),
                (*day).into(),
                sum.ok.into(),
                sum.warning.into(),
                sum.failed.into(),
                sum.timed.into(),
                sum.duration_total.into(),
                sum.duration_longest.into(),
            ],
        )?;
    }
    Ok(deleted)
}

fn add(sum: &mut DaySum, run: &Row, id: i64) -> Result<()> {
    let started_at: Option<UnixMicros> = run.get(0)?;
    let ended_at: UnixMicros = run.get(1)?;
    let code: i64 = run.get(2)?;
    match outcome(code) {
        Some(Outcome::Ok) => sum.ok += 1,
        Some(Outcome::Warning) => sum.warning += 1,
        Some(Outcome::Failed) => sum.failed += 1,
        None => {
            // One broken row must not end retention for good. It is not made to look well.
            tracing::warn!(run = id, code, "an unknown outcome is counted as failed");
            sum.failed += 1;
        }
    }
    if let Some(started_at) = started_at {
        // No run is allowed to last longer; and a day of such runs still fits into the sum.
        let lasted: Duration = ended_at.since(started_at).min(Settings::SPAN_MAX);
        let lasted = lasted.as_micros() as i64;
        sum.timed += 1;
        sum.duration_total = sum.duration_total.saturating_add(lasted);
        sum.duration_longest = sum.duration_longest.max(lasted);
    }
    Ok(())
}

fn old_days(sql: &mut dyn Sql, heartbeat: HeartbeatId, first_kept: i64) -> Result<u64> {
    sql.execute(
        "DELETE FROM run_day WHERE heartbeat = $1 AND day IN
             (SELECT day FROM run_day WHERE heartbeat = $1 AND day < $2 ORDER BY day LIMIT $3)",
        &[
            heartbeat.into(),
            first_kept.into(),
            (CHANGES_MAX as i64).into(),
        ],
    )
}

/// Remembers that a heartbeat was looked through, if it is still there.
fn note(sql: &mut dyn Sql, looked: &Looked) -> Result<()> {
    sql.execute(
        "INSERT INTO pruned (heartbeat, signals, runs, look_at)
         SELECT id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT)
           FROM heartbeat WHERE id = $1
         ON CONFLICT (heartbeat) DO UPDATE SET
             signals = excluded.signals, runs = excluded.runs, look_at = excluded.look_at",
        &[
            looked.heartbeat.into(),
            looked.signals.into(),
            looked.runs.into(),
            looked.look_at.into(),
        ],
    )?;
    Ok(())
}

/// Its attempts go with it.
fn delivery(sql: &mut dyn Sql, number: i64) -> Result<u64> {
    let attempts = sql.execute("DELETE FROM attempt WHERE delivery = $1", &[number.into()])?;
    let deliveries = sql.execute("DELETE FROM delivery WHERE number = $1", &[number.into()])?;
    Ok(attempts + deliveries)
}
