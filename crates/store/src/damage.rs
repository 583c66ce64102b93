//! For tests of other crates: rows as no version of this program writes them.

use nightbeat_domain::HeartbeatId;

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
