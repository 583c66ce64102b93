//! For tests of other crates: rows as no version of this program writes them, and runs without their signals.

use nightbeat_domain::{HeartbeatId, Outcome, UnixMicros};

use crate::codec::outcome_code;
use crate::sql::Sql;
use crate::{Result, Store, StoreError};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// What was decided last.
    State,
    /// Its cron schedule `30 3 * * *` becomes one that is refused.
    Schedule,
    /// Its tags.
    Tags,
}

/// Breaks a row of a heartbeat. [`Conflict`](StoreError::Conflict) where there is nothing to break.
pub async fn damage(store: &Store, heartbeat: HeartbeatId, what: Damage) -> Result<()> {
    let statement = match what {
        Damage::State => "UPDATE heartbeat_state SET rare = '<' WHERE id = $1",
        Damage::Schedule => {
            "UPDATE settings SET json = replace(json, '30 3 *', '30 33 *')
              WHERE json LIKE '%30 3 *%' AND id = (SELECT settings FROM heartbeat_state WHERE id = $1)"
        }
        Damage::Tags => "UPDATE heartbeat SET tags = '{' WHERE id = $1",
    };
    let changed = store.write(move |sql| sql.execute(statement, &[heartbeat.into()]));
    match changed.await? {
        1 => Ok(()),
        rows => Err(StoreError::Conflict(format!("{rows} rows to break"))),
    }
}

/// Writes a state that belongs to no heartbeat.
pub async fn stray_state(store: &Store, heartbeat: HeartbeatId) -> Result<()> {
    let written = store.write(move |sql| {
        sql.execute(
            "INSERT INTO heartbeat_state (id, settings, phase, armed_at, failures, successes,
                                          signals, incidents, alerts, version)
             VALUES ($1, 1, 77, 0, 0, 0, 0, 0, 0, 0)",
            &[heartbeat.into()],
        )
    });
    written.await.map(drop)
}

/// Gives a new heartbeat a past: the runs in the order of time, numbered from `first` on. Nothing is decided
/// of them.
pub fn append_runs(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    first: i64,
    runs: &[(UnixMicros, UnixMicros, Outcome)],
) -> Result<()> {
    let mut previous: Option<i64> = None;
    for (number, (started_at, ended_at, outcome)) in (first..).zip(runs) {
        sql.execute(
            "INSERT INTO run (id, previous, heartbeat, started_at, ended_at, outcome)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                number.into(),
                previous.into(),
                heartbeat.into(),
                (*started_at).into(),
                (*ended_at).into(),
                outcome_code(*outcome).into(),
            ],
        )?;
        previous = Some(number);
    }
    sql.execute(
        "UPDATE heartbeat_state SET newest_run = $2 WHERE id = $1",
        &[heartbeat.into(), previous.into()],
    )
    .map(drop)
}
