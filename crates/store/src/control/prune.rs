//! What is left of heartbeats and projects that were removed.

use nightbeat_domain::{HeartbeatId, ProjectId};

use super::projects;
use crate::Result;
use crate::sql::{Row, Sql, Value};

/// Deletes up to `rows_max` rows that removed heartbeats and projects left behind; how many. 0: nothing is left.
/// Call it again and again between other work: one call is short, so that no signal waits for it.
///
/// The incidents of a heartbeat stay, and so do alerts that are on their way; of a project nothing stays.
pub fn prune_removed(sql: &mut dyn Sql, rows_max: u32) -> Result<u64> {
    let removed = sql.first("SELECT id FROM removed_project ORDER BY id LIMIT 1", &[])?;
    match removed {
        Some(row) => of_project(sql, row.get(0)?, rows_max.max(1)),
        None => of_heartbeat(sql, rows_max),
    }
}

/// Its heartbeats, where the one who removed it did not come that far; then what names the project.
fn of_project(sql: &mut dyn Sql, project: ProjectId, rows_max: u32) -> Result<u64> {
    let heartbeats = projects::remove_heartbeats(sql, project, rows_max)?;
    if heartbeats > 0 {
        return Ok(heartbeats);
    }
    for (table, key) in [("delivery", "number"), ("incident", "id")] {
        let statement = format!(
            "DELETE FROM {table} WHERE {key} IN
                 (SELECT {key} FROM {table} WHERE project = $1 LIMIT $2)"
        );
        let deleted = sql.execute(&statement, &[project.into(), rows_max.into()])?;
        if deleted > 0 {
            return Ok(deleted);
        }
    }
    sql.execute(
        "DELETE FROM removed_project WHERE id = $1",
        &[project.into()],
    )
}

fn of_heartbeat(sql: &mut dyn Sql, rows_max: u32) -> Result<u64> {
    let removed = sql.first(
        "SELECT id, newest_signal, newest_run FROM removed_heartbeat ORDER BY id LIMIT 1",
        &[],
    )?;
    let Some(row) = removed else {
        return Ok(0);
    };
    prune(sql, &row, rows_max)
}

/// The same for this heartbeat alone; whether nothing of it is left.
pub(super) fn prune_this(sql: &mut dyn Sql, id: HeartbeatId, rows_max: u32) -> Result<bool> {
    let query = "SELECT id, newest_signal, newest_run FROM removed_heartbeat WHERE id = $1";
    let Some(row) = sql.first(query, &[id.into()])? else {
        return Ok(true);
    };
    prune(sql, &row, rows_max)?;
    Ok(sql.first(query, &[id.into()])?.is_none())
}

fn prune(sql: &mut dyn Sql, row: &Row, rows_max: u32) -> Result<u64> {
    let heartbeat: HeartbeatId = row.get(0)?;
    let mut left = u64::from(rows_max.max(1));
    left -= log(sql, "signal", (heartbeat, row, 1), left)?;
    left -= log(sql, "run", (heartbeat, row, 2), left)?;
    left -= rest(sql, heartbeat, "signal_nonce", "nonce", left)?;
    left -= rest(sql, heartbeat, "run_day", "day", left)?;
    if left > 0 {
        // All of it fitted in: the heartbeat is gone, and this last row is the one that is left to count.
        left -= sql.execute(
            "DELETE FROM removed_heartbeat WHERE id = $1",
            &[heartbeat.into()],
        )?;
    }
    Ok(u64::from(rows_max.max(1)) - left)
}

/// Deletes the newest rows of a chain, and moves its head back to the first that stays.
fn log(
    sql: &mut dyn Sql,
    table: &str,
    (heartbeat, removed, column): (HeartbeatId, &Row, usize),
    rows_max: u64,
) -> Result<u64> {
    let Some(head) = removed.get::<Option<i64>>(column)?.filter(|_| rows_max > 0) else {
        return Ok(0);
    };
    let chain = format!(
        "WITH RECURSIVE chain (id, previous, depth) AS (
             SELECT id, previous, 1 FROM {table} WHERE id = $1 AND heartbeat = $2
             UNION ALL
             SELECT {table}.id, {table}.previous, chain.depth + 1
             FROM chain JOIN {table} ON {table}.id = chain.previous
             WHERE {table}.heartbeat = $2 AND chain.depth < $3
         )"
    );
    let params: [Value; 3] = [head.into(), heartbeat.into(), (rows_max as i64).into()];
    let last = format!("{chain} SELECT previous FROM chain ORDER BY depth DESC LIMIT 1");
    let previous: Option<i64> = match sql.first(&last, &params)? {
        Some(row) => row.get(0)?,
        None => None,
    };
    let delete = format!("DELETE FROM {table} WHERE id IN ({chain} SELECT id FROM chain)");
    let deleted = sql.execute(&delete, &params)?;
    sql.execute(
        &format!("UPDATE removed_heartbeat SET newest_{table} = $2 WHERE id = $1"),
        &[heartbeat.into(), previous.into()],
    )?;
    Ok(deleted)
}

/// Deletes rows of a table whose key begins with the heartbeat.
fn rest(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    table: &str,
    key: &str,
    rows_max: u64,
) -> Result<u64> {
    let statement = format!(
        "DELETE FROM {table} WHERE heartbeat = $1 AND {key} IN
             (SELECT {key} FROM {table} WHERE heartbeat = $1 LIMIT $2)"
    );
    sql.execute(&statement, &[heartbeat.into(), (rows_max as i64).into()])
}
