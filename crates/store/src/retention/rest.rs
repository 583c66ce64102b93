//! What is too old besides the logs of heartbeats: found on a reader.

use nightbeat_domain::{HeartbeatId, UnixMicros};

use super::{CHANGES_MAX, READ_MAX};
use crate::Result;
use crate::sql::Sql;

/// Whether removed heartbeats and projects have left something behind.
pub(super) fn removed(sql: &mut dyn Sql) -> Result<bool> {
    let query = "SELECT id FROM removed_heartbeat UNION ALL SELECT id FROM removed_project LIMIT 1";
    let found = sql.first(query, &[])?;
    Ok(found.is_some())
}

/// Deliveries after `after` that were settled before `before`, and where to go on. Numbers are given in
/// the order of creation, so the first that is too young to be settled ends the search.
pub(super) fn deliveries(
    sql: &mut dyn Sql,
    after: i64,
    before: UnixMicros,
) -> Result<(Vec<i64>, Option<i64>)> {
    let rows = sql.query(
        "SELECT number, created_at, attempts,
                CASE WHEN state IN ('sent', 'cancelled') OR dismissed_at IS NOT NULL
                     THEN coalesce(dismissed_at, sent_at, created_at) END
           FROM delivery WHERE number > $1 ORDER BY number LIMIT $2",
        &[after.into(), (READ_MAX as i64).into()],
    )?;
    let mut old = Vec::new();
    let mut changes = 0;
    let mut last = after;
    for row in &rows {
        let created_at: UnixMicros = row.get(1)?;
        if created_at >= before {
            return Ok((old, None));
        }
        if changes >= CHANGES_MAX as i64 {
            return Ok((old, Some(last)));
        }
        last = row.get(0)?;
        let settled_at: Option<UnixMicros> = row.get(3)?;
        if settled_at.is_some_and(|at| at < before) {
            old.push(last);
            let attempts: i64 = row.get(2)?;
            changes += 1 + attempts;
        }
    }
    Ok((old, (rows.len() == READ_MAX).then_some(last)))
}

/// Marks of signals from before `before`; fewer than [`CHANGES_MAX`]: these are all.
pub(super) fn nonces(sql: &mut dyn Sql, before: UnixMicros) -> Result<Vec<(HeartbeatId, String)>> {
    let rows = sql.query(
        "SELECT heartbeat, nonce FROM signal_nonce WHERE received_at < $1
         ORDER BY received_at LIMIT $2",
        &[before.into(), (CHANGES_MAX as i64).into()],
    )?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect()
}

/// How many gaps ended before `before`.
pub(super) fn gaps(sql: &mut dyn Sql, before: UnixMicros) -> Result<i64> {
    let found = sql.first(
        "SELECT count(*) FROM gap WHERE to_at < $1",
        &[before.into()],
    )?;
    found.map_or(Ok(0), |row| row.get(0))
}
