//! The rows of the hot path on PostgreSQL: read all at once as a transaction begins, written all at once as
//! it ends.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use nightbeat_domain::{FinishedRun, HeartbeatId, Settings, UnixMicros};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use super::error::Again;
use super::flush::{Runs, Signals, States};
use super::portable::Portable;
use crate::codec::{Columns, broken, short};
use crate::control::settings;
use crate::hot::{Loaded, Renewed, Rows, Shared, TakenFor};
use crate::sql::Sql;
use crate::{Arrival, Result};

/// What is read of heartbeats. In the order of their ids: whoever locks several locks them in this order.
macro_rules! states {
    ($locked:literal) => {
        concat!(
            "SELECT h.id, settings, newest_signal, newest_run, phase, armed_at, last_signal_at,
                    last_success_at, expected_at, wake_at, failures, successes, signals, incidents,
                    alerts, version, run_started_at, run_ended_at, run_outcome, rare
               FROM unnest($1::bytea[]) AS wanted (id) JOIN heartbeat_state h ON h.id = wanted.id
              ORDER BY h.id FOR UPDATE OF h",
            $locked
        )
    };
}

/// Waits for whoever else changes one of them.
pub(super) const STATES: &str = states!("");

/// Leaves out those that somebody else changes now.
pub(super) const FREE_STATES: &str = states!(" SKIP LOCKED");

/// A transaction's rows.
pub(super) struct PostgresRows<'c> {
    portable: Portable<'c>,
    /// As read, locked, not yet loaded.
    found: HashMap<HeartbeatId, Row>,
    /// Asked for as the transaction began, and not yet loaded.
    asked: HashSet<HeartbeatId>,
    /// Those that are not found are perhaps another node's now.
    leaves_held: bool,
    judged_to: UnixMicros,
    renewed: Option<Renewed>,
    signals: Signals,
    runs: Runs,
    states: States,
}

/// What a transaction knows as it begins.
pub(super) struct Begun {
    pub(super) found: Vec<(HeartbeatId, Row)>,
    pub(super) asked: HashSet<HeartbeatId>,
    pub(super) leaves_held: bool,
    pub(super) judged_to: UnixMicros,
    pub(super) renewed: Option<Renewed>,
}

/// What is to be written as it ends.
pub(super) struct Written {
    pub(super) signals: Signals,
    pub(super) runs: Runs,
    pub(super) states: States,
}

impl<'c> PostgresRows<'c> {
    pub(super) fn new(portable: Portable<'c>, begun: Begun) -> Self {
        let found = begun.found.into_iter();
        Self {
            portable,
            found: found.collect(),
            asked: begun.asked,
            leaves_held: begun.leaves_held,
            judged_to: begun.judged_to,
            renewed: begun.renewed,
            signals: Signals::default(),
            runs: Runs::default(),
            states: States::default(),
        }
    }

    /// Whether the server refused something, and may be asked again; and what is to be written.
    pub(super) fn end(self) -> (Option<Again>, Written) {
        let written = Written {
            signals: self.signals,
            runs: self.runs,
            states: self.states,
        };
        (self.portable.failure(), written)
    }

    /// Whether it was looked for as the transaction began, and not found.
    fn is_missed(&self, heartbeat: HeartbeatId) -> bool {
        self.asked.contains(&heartbeat) && !self.found.contains_key(&heartbeat)
    }

    /// The row of a heartbeat, locked.
    fn take(&mut self, heartbeat: HeartbeatId) -> Result<Option<Row>> {
        let asked = self.asked.remove(&heartbeat);
        let found = self.found.remove(&heartbeat);
        if found.is_some() || (asked && !self.leaves_held) {
            return Ok(found);
        }
        let rows = self.portable.raw(STATES, &[&vec![key(heartbeat)]])?;
        Ok(rows.into_iter().next())
    }

    fn settings(&mut self, shared: &mut Shared<'_>, row: i64) -> Result<Arc<Settings>> {
        if let Some(known) = shared.settings.get(&row) {
            return Ok(Arc::clone(known));
        }
        let settings = Arc::new(settings::load(&mut self.portable, row)?);
        shared.settings.insert(row, Arc::clone(&settings));
        Ok(settings)
    }
}

impl Rows for PostgresRows<'_> {
    fn sql(&mut self) -> Result<&mut dyn Sql> {
        // The body of a signal may be asked for.
        self.signals.flush(&mut self.portable)?;
        Ok(&mut self.portable)
    }

    fn load(&mut self, shared: &mut Shared<'_>, heartbeat: HeartbeatId) -> Result<Option<Loaded>> {
        let Some(row) = self.take(heartbeat)? else {
            return Ok(None);
        };
        let column = Read {
            heartbeat,
            row: &row,
        };
        let settings_row = column.get("settings")?;
        let state = columns(&column)?.into_state(heartbeat)?;
        Ok(Some(Loaded {
            settings: self.settings(shared, settings_row)?,
            settings_row,
            wake_before: state.wake_at,
            state,
            newest_signal: column.get("newest_signal")?,
            newest_run: column.get("newest_run")?,
            changed: false,
        }))
    }

    fn created(&mut self, heartbeat: HeartbeatId) {
        // As the transaction began there was none.
        self.asked.remove(&heartbeat);
    }

    fn write(&mut self, heartbeat: HeartbeatId, loaded: &Loaded) -> Result<()> {
        self.states.push(heartbeat, loaded)
    }

    fn insert_signal(
        &mut self,
        row: i64,
        heartbeat: HeartbeatId,
        arrival: &Arrival,
        taken_for: TakenFor,
        previous: Option<i64>,
    ) -> Result<()> {
        self.signals
            .push(row, heartbeat, arrival, taken_for, previous)
    }

    fn insert_run(
        &mut self,
        row: i64,
        heartbeat: HeartbeatId,
        run: &FinishedRun,
        previous: Option<i64>,
    ) -> Result<()> {
        self.runs.push(row, heartbeat, run, previous)
    }

    fn judge_to(&self, wish: UnixMicros) -> UnixMicros {
        wish.min(self.judged_to)
    }

    fn is_held_elsewhere(&mut self, heartbeat: HeartbeatId) -> Result<bool> {
        if !self.leaves_held || !self.is_missed(heartbeat) {
            return Ok(false);
        }
        let query = "SELECT 1 FROM heartbeat_state WHERE id = $1";
        let found = self.portable.query(query, &[heartbeat.into()])?;
        Ok(!found.is_empty())
    }

    fn renewed(&self) -> Option<Renewed> {
        self.renewed
    }
}

/// A heartbeat's id as it stands in its column.
pub(super) fn key(heartbeat: HeartbeatId) -> Vec<u8> {
    heartbeat.0.as_bytes().to_vec()
}

/// The heartbeat that a row is of.
pub(super) fn whose(row: &Row) -> Result<HeartbeatId> {
    let bytes: &[u8] = row
        .try_get(0)
        .map_err(|error| broken("heartbeat_state", "id", "?", error))?;
    let id =
        Uuid::from_slice(bytes).map_err(|error| broken("heartbeat_state", "id", "?", error))?;
    Ok(HeartbeatId(id))
}

/// A row of `heartbeat_state`, to be read column by column.
struct Read<'r> {
    heartbeat: HeartbeatId,
    row: &'r Row,
}

impl Read<'_> {
    fn get<T: for<'a> FromSql<'a>>(&self, column: &str) -> Result<T> {
        self.row
            .try_get(column)
            .map_err(|error| broken("heartbeat_state", column, short(self.heartbeat.0), error))
    }
}

fn columns(row: &Read<'_>) -> Result<Columns> {
    Ok(Columns {
        phase: row.get("phase")?,
        armed_at: row.get("armed_at")?,
        last_signal_at: row.get("last_signal_at")?,
        last_success_at: row.get("last_success_at")?,
        expected_at: row.get("expected_at")?,
        wake_at: row.get("wake_at")?,
        failures: row.get("failures")?,
        successes: row.get("successes")?,
        signals: row.get("signals")?,
        incidents: row.get("incidents")?,
        alerts: row.get("alerts")?,
        version: row.get("version")?,
        run_started_at: row.get("run_started_at")?,
        run_ended_at: row.get("run_ended_at")?,
        run_outcome: row.get("run_outcome")?,
        rare: row.get("rare")?,
    })
}
