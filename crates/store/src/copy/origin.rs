//! What is copied: nobody may use it meanwhile, and it must be the same from the first page to the last.

use nightbeat_domain::UnixMicros;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::tables::TABLES;
use crate::sql::{Sql, Value};
use crate::{Result, Store, StoreError, effects, nodes};

/// The database that is copied, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// How many rows each table has.
    counts: Vec<u64>,
    /// Until when receiving is known to have worked there.
    pub(super) alive_until: Option<UnixMicros>,
    pub(super) stopped_clean: bool,
    pub(super) gap_revision: i64,
    /// The last number that a delivery got, also where that is deleted.
    pub(super) delivery_number: i64,
    /// What it is known by: another one, or this one once it has served again, has another.
    pub(super) mark: String,
}

impl Origin {
    pub(super) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Looks at the database that is to be copied; refuses one that is in use or incomplete.
pub(super) async fn look(from: &Store) -> Result<Origin> {
    refuse_used(from).await?;
    let is_shared = from.is_shared();
    from.read(move |sql| read(sql, is_shared)).await
}

fn read(sql: &mut dyn Sql, is_shared: bool) -> Result<Origin> {
    if super::is_unfinished(sql, is_shared)? {
        return Err(super::unfinished());
    }
    let alive_until = if is_shared {
        nodes::alive_until(sql)?
    } else {
        effects::alive_until(sql)?
    };
    let service = sql.first("SELECT stopped_clean, gap_revision FROM service", &[])?;
    let service =
        service.ok_or_else(|| StoreError::Broken("service has no row to be copied".to_owned()))?;
    let counts = TABLES.iter().map(|table| table.count(sql));
    let counts = counts.collect::<Result<Vec<u64>>>()?;
    let mut mark = Sha256::new();
    mark.update(format!(
        "{is_shared} {alive_until:?} {counts:?} {service:?}"
    ));
    let mut known_by = vec!["SELECT id, ping_key FROM project ORDER BY id"];
    if is_shared {
        known_by.push("SELECT id, epoch, watermark FROM node ORDER BY id");
    }
    for query in known_by {
        mark.update(format!("{:?}", sql.query(query, &[])?));
    }
    Ok(Origin {
        counts,
        alive_until,
        stopped_clean: service.get(0)?,
        gap_revision: service.get(1)?,
        delivery_number: delivery_number(sql, is_shared)?,
        mark: short(mark),
    })
}

fn short(mark: Sha256) -> String {
    let mut first = [0; 16];
    first.copy_from_slice(&mark.finalize()[..16]);
    Uuid::from_bytes(first).to_string()
}

fn delivery_number(sql: &mut dyn Sql, is_shared: bool) -> Result<i64> {
    let query = if is_shared {
        "SELECT last_value FROM pg_sequences
          WHERE schemaname = current_schema() AND sequencename = 'delivery_number_seq'"
    } else {
        "SELECT seq FROM sqlite_sequence WHERE name = 'delivery'"
    };
    let row = sql.first(query, &[])?;
    let last: Option<i64> = row.map_or(Ok(None), |row| row.get(0))?;
    Ok(last.unwrap_or(0))
}

/// Refuses a database that a node uses. A SQLite file is held by its lock, as by a server.
pub(super) async fn refuse_used(from: &Store) -> Result<()> {
    if !from.is_shared() {
        return Ok(());
    }
    let alive = from.read(|sql| {
        let rows = sql.query(
            "SELECT name FROM node WHERE gone = 0
                AND lease_until > CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)
              ORDER BY name",
            &[],
        )?;
        rows.iter()
            .map(|row| row.get(0))
            .collect::<Result<Vec<String>>>()
    });
    let alive = alive.await?;
    if alive.is_empty() {
        return Ok(());
    }
    Err(StoreError::Conflict(format!(
        "servers use the database that is to be copied ({}): stop them first; one that was killed counts for \
         ten seconds more",
        alive.join(", ")
    )))
}

pub(super) fn changed() -> StoreError {
    StoreError::Conflict(
        "the database that is copied was changed meanwhile: empty the target, stop what uses the source, and \
         begin again"
            .to_owned(),
    )
}

/// PostgreSQL has no text with a zero in it: what stands for a character that cannot be shown takes its place
/// there.
pub(super) fn as_everywhere(value: &Value) -> std::borrow::Cow<'_, Value> {
    use std::borrow::Cow;

    match value {
        Value::Text(text) if text.contains('\0') => {
            Cow::Owned(Value::Text(text.replace('\0', "\u{fffd}")))
        }
        other => Cow::Borrowed(other),
    }
}
