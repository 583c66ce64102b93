//! The rows of the hot path: read, written and appended, one statement each.

use std::sync::Arc;

use nightbeat_domain::{FinishedRun, HeartbeatId, Settings, UnixMicros};
use rusqlite::{Connection, OptionalExtension, named_params, params};
use uuid::Uuid;

use super::portable::failed;
use crate::codec::{
    Columns, broken, ignored_code, kind_code, metrics_json, outcome_code, short, work_json,
};
use crate::hot::{Loaded, Shared, TakenFor};
use crate::{Arrival, Result, StoreError, Watched};

/// Everything that is to be watched.
pub(super) fn watch_list(connection: &Connection) -> Result<Vec<Watched>> {
    let sql = "SELECT id, wake_at FROM heartbeat_state WHERE wake_at IS NOT NULL";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let rows = statement.query_map([], |row| {
        Ok(Watched {
            heartbeat: HeartbeatId(uuid_at(row, 0)?),
            wake_at: Some(UnixMicros(row.get(1)?)),
        })
    });
    rows.and_then(Iterator::collect).map_err(failed)
}

pub(super) fn uuid_at(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Uuid> {
    let bytes: [u8; 16] = row.get(index)?;
    Ok(Uuid::from_bytes(bytes))
}

const READ: &str = "
SELECT settings, newest_signal, newest_run,
       phase, armed_at, last_signal_at, last_success_at, expected_at, wake_at, failures, successes,
       signals, incidents, alerts, version, run_started_at, run_ended_at, run_outcome, rare
  FROM heartbeat_state WHERE id = ?1";

pub(super) fn read(
    connection: &Connection,
    shared: &mut Shared<'_>,
    heartbeat: HeartbeatId,
) -> Result<Option<Loaded>> {
    let mut statement = connection.prepare_cached(READ).map_err(failed)?;
    let row = statement
        .query_row(params![heartbeat.0.as_bytes().as_slice()], |row| {
            let heads: (i64, Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let columns = Columns {
                phase: row.get(3)?,
                armed_at: row.get(4)?,
                last_signal_at: row.get(5)?,
                last_success_at: row.get(6)?,
                expected_at: row.get(7)?,
                wake_at: row.get(8)?,
                failures: row.get(9)?,
                successes: row.get(10)?,
                signals: row.get(11)?,
                incidents: row.get(12)?,
                alerts: row.get(13)?,
                version: row.get(14)?,
                run_started_at: row.get(15)?,
                run_ended_at: row.get(16)?,
                run_outcome: row.get(17)?,
                rare: row.get(18)?,
            };
            Ok((heads, columns))
        })
        .optional()
        .map_err(failed)?;
    let Some(((settings_row, newest_signal, newest_run), columns)) = row else {
        return Ok(None);
    };
    let state = columns.into_state(heartbeat)?;
    Ok(Some(Loaded {
        settings: settings(connection, shared, settings_row)?,
        settings_row,
        wake_before: state.wake_at,
        state,
        newest_signal,
        newest_run,
        changed: false,
    }))
}

pub(super) fn settings(
    connection: &Connection,
    shared: &mut Shared<'_>,
    row: i64,
) -> Result<Arc<Settings>> {
    if let Some(known) = shared.settings.get(&row) {
        return Ok(Arc::clone(known));
    }
    let json: String = connection
        .prepare_cached("SELECT json FROM settings WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([row], |found| found.get(0)))
        .map_err(failed)?;
    let read =
        serde_json::from_str(&json).map_err(|error| broken("settings", "json", row, error))?;
    let settings = Arc::new(read);
    shared.settings.insert(row, Arc::clone(&settings));
    Ok(settings)
}

const WRITE: &str = "
UPDATE heartbeat_state
   SET settings = :settings, newest_signal = :newest_signal, newest_run = :newest_run, phase = :phase,
       armed_at = :armed_at, last_signal_at = :last_signal_at, last_success_at = :last_success_at,
       expected_at = :expected_at, wake_at = :wake_at, failures = :failures, successes = :successes,
       signals = :signals, incidents = :incidents, alerts = :alerts, version = :version,
       run_started_at = :run_started_at, run_ended_at = :run_ended_at, run_outcome = :run_outcome,
       rare = :rare
 WHERE id = :id";

pub(super) fn write(
    connection: &Connection,
    heartbeat: HeartbeatId,
    loaded: &Loaded,
) -> Result<()> {
    let columns = Columns::from_state(&loaded.state)?;
    let mut statement = connection.prepare_cached(WRITE).map_err(failed)?;
    let changed = statement
        .execute(named_params! {
            ":id": heartbeat.0.as_bytes().as_slice(),
            ":settings": loaded.settings_row,
            ":newest_signal": loaded.newest_signal,
            ":newest_run": loaded.newest_run,
            ":phase": columns.phase,
            ":armed_at": columns.armed_at,
            ":last_signal_at": columns.last_signal_at,
            ":last_success_at": columns.last_success_at,
            ":expected_at": columns.expected_at,
            ":wake_at": columns.wake_at,
            ":failures": columns.failures,
            ":successes": columns.successes,
            ":signals": columns.signals,
            ":incidents": columns.incidents,
            ":alerts": columns.alerts,
            ":version": columns.version,
            ":run_started_at": columns.run_started_at,
            ":run_ended_at": columns.run_ended_at,
            ":run_outcome": columns.run_outcome,
            ":rare": columns.rare,
        })
        .map_err(failed)?;
    if changed == 1 {
        return Ok(());
    }
    Err(StoreError::Broken(format!(
        "table heartbeat_state, row {}: gone in the middle of a transaction",
        short(heartbeat.0)
    )))
}

const INSERT_SIGNAL: &str = "
INSERT INTO signal (id, previous, heartbeat, kind, received_at, happened_at, rid, exit_code, ignored,
                    method, source, user_agent, metrics, body, body_bytes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

pub(super) fn insert_signal(
    connection: &Connection,
    row: i64,
    heartbeat: HeartbeatId,
    arrival: &Arrival,
    taken_for: TakenFor,
    previous: Option<i64>,
) -> Result<()> {
    let signal = &arrival.signal;
    let happened_at = signal.happened_at();
    let mut statement = connection.prepare_cached(INSERT_SIGNAL).map_err(failed)?;
    statement
        .execute(params![
            row,
            previous,
            heartbeat.0.as_bytes().as_slice(),
            kind_code(taken_for.kind),
            signal.received_at.0,
            (happened_at != signal.received_at).then_some(happened_at.0),
            signal.rid.as_ref().map(|rid| rid.0.as_bytes().as_slice()),
            signal.exit_code,
            taken_for.ignored.map(ignored_code),
            arrival.method,
            arrival.source,
            arrival.user_agent,
            metrics_json(&signal.metrics)?,
            arrival.body,
            arrival.body.as_ref().map(|_| arrival.body_bytes as i64),
        ])
        .map_err(failed)?;
    Ok(())
}

const INSERT_RUN: &str = "
INSERT INTO run (id, previous, heartbeat, rid, started_at, ended_at, outcome, exit_code, work)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

pub(super) fn insert_run(
    connection: &Connection,
    row: i64,
    heartbeat: HeartbeatId,
    run: &FinishedRun,
    previous: Option<i64>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(INSERT_RUN).map_err(failed)?;
    statement
        .execute(params![
            row,
            previous,
            heartbeat.0.as_bytes().as_slice(),
            run.rid.as_ref().map(|rid| rid.0.as_bytes().as_slice()),
            run.started_at.map(|at| at.0),
            run.ended_at.0,
            outcome_code(run.outcome),
            run.exit_code,
            work_json(run.work.as_deref())?,
        ])
        .map_err(failed)?;
    Ok(())
}
