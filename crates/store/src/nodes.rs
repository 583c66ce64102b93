//! The nodes of a database that several share. Portable SQL; what it means is decided by
//! [`nightbeat_domain::nodes`].

use nightbeat_domain::nodes::{self, Fenced, Lease, NodeId, NodeRow};
use nightbeat_domain::{Gap, UnixMicros};

use crate::sql::{Row, Sql};
use crate::{Result, StoreError, effects};

/// How many nodes can be told apart: as many as fit into the ids of rows.
pub(crate) const SLOTS: i64 = 1 << 10;

/// How many transactions a life of a node can have: at ten thousand a second, three and a half years.
const BATCHES_MAX: i64 = 1 << 40;

/// The row of a node that has not been there for this long is forgotten.
const FORGOTTEN_AFTER: std::time::Duration = std::time::Duration::from_secs(86_400);

/// Who joins, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// The node.
    pub id: NodeId,
    /// Its host's name.
    pub name: String,
    /// The version of its program.
    pub version: String,
}

/// A node has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// What it shows with each of its transactions.
    pub lease: Lease,
    /// The cluster's time as it joined, by the database's clock.
    pub clock: UnixMicros,
    /// The gaps that its absence left, or everybody's. They are in the ledger.
    pub gaps: Vec<Gap>,
}

/// A node as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredNode {
    pub(crate) row: NodeRow,
    /// A small number of its own, as long as its row stands.
    pub(crate) slot: i64,
    /// The last id of a signal or a run that it gave.
    pub(crate) last_id: i64,
    /// The last of its transactions on the hot path that was committed.
    pub(crate) last_batch: i64,
}

/// The columns of a node, in the order in which [`read`] wants them.
pub(crate) const COLUMNS: &str =
    "id, epoch, lease_until, watermark, gone, slot, last_id, last_batch";

/// All nodes, whether they are there or not.
pub(crate) fn all(sql: &mut dyn Sql) -> Result<Vec<StoredNode>> {
    let rows = sql.query(&format!("SELECT {COLUMNS} FROM node ORDER BY id"), &[])?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<StoredNode> {
    Ok(StoredNode {
        row: NodeRow {
            node: NodeId(row.get(0)?),
            epoch: row.get(1)?,
            lease_until: row.get(2)?,
            watermark: row.get(3)?,
            left: row.get(4)?,
        },
        slot: row.get(5)?,
        last_id: row.get(6)?,
        last_batch: row.get(7)?,
    })
}

/// A node begins, or begins again, where the database's clock says `clock`. Its older lease is void, and the
/// gaps are in the ledger.
pub(crate) fn join(sql: &mut dyn Sql, who: &NodeFacts, clock: UnixMicros) -> Result<Joined> {
    let stored = all(sql)?;
    let mut rows: Vec<NodeRow> = stored.iter().map(|node| node.row).collect();
    let alive_until = alive_until(sql)?;
    let now = nodes::cluster_time(&rows, alive_until, clock);
    let joined = nodes::join(&mut rows, who.id, alive_until, now);
    for gap in &joined.gaps {
        effects::insert_gap(sql, *gap)?;
    }
    for row in &rows {
        match stored.iter().find(|node| node.row.node == row.node) {
            Some(known) if known.row == *row => {}
            Some(_) => update(sql, row)?,
            None => insert(sql, row, free_slot(&stored)?, now)?,
        }
    }
    let epoch = i64::try_from(joined.lease.epoch).unwrap_or(i64::MAX);
    sql.execute(
        "UPDATE node SET name = $2, version = $3, joined_at = $4, last_batch = $5 WHERE id = $1",
        &[
            who.id.0.into(),
            who.name.as_str().into(),
            who.version.as_str().into(),
            now.into(),
            // Each life has its own numbers: none is taken for one of another life.
            epoch.saturating_mul(BATCHES_MAX).into(),
        ],
    )?;
    forget(sql, now)?;
    Ok(Joined {
        lease: joined.lease,
        clock: now,
        gaps: joined.gaps,
    })
}

/// Until when any node is known to have received. None of them writes the one row of `service`, which all
/// would share; it may say what was copied from another database.
pub(crate) fn alive_until(sql: &mut dyn Sql) -> Result<Option<UnixMicros>> {
    let row = sql.first("SELECT max(watermark) FROM node", &[])?;
    let watermark: Option<UnixMicros> = row.map_or(Ok(None), |row| row.get(0))?;
    Ok(watermark.max(effects::alive_until(sql)?))
}

/// Takes for lost, of these nodes, whoever's lease is over when its transaction under way has ended; the
/// gaps that they leave, which are not in the ledger yet.
pub(crate) fn reap(sql: &mut dyn Sql, suspects: &[NodeId], now: UnixMicros) -> Result<Vec<Gap>> {
    let mut gaps = Vec::new();
    let query = format!("SELECT {COLUMNS} FROM node WHERE id = $1 FOR UPDATE");
    for suspect in suspects {
        let Some(found) = sql.first(&query, &[suspect.0.into()])? else {
            continue;
        };
        let mut row = [read(&found)?.row];
        let lost = nodes::reap(&mut row, now);
        if !lost.is_empty() || row[0].left {
            update(sql, &row[0])?;
        }
        gaps.extend(lost);
    }
    Ok(gaps)
}

/// A node ends cleanly, in a transaction that has renewed its lease.
pub(crate) fn leave(sql: &mut dyn Sql, lease: Lease) -> Result<()> {
    let epoch = i64::try_from(lease.epoch).unwrap_or(i64::MAX);
    let left = sql.execute(
        "UPDATE node SET gone = 1, epoch = epoch + 1 WHERE id = $1 AND epoch = $2",
        &[lease.node.0.into(), epoch.into()],
    )?;
    if left == 1 {
        return Ok(());
    }
    Err(Fenced.into())
}

fn update(sql: &mut dyn Sql, row: &NodeRow) -> Result<()> {
    sql.execute(
        "UPDATE node SET epoch = $2, lease_until = $3, watermark = $4, gone = $5 WHERE id = $1",
        &[
            row.node.0.into(),
            i64::try_from(row.epoch).unwrap_or(i64::MAX).into(),
            row.lease_until.into(),
            row.watermark.into(),
            row.left.into(),
        ],
    )?;
    Ok(())
}

fn insert(sql: &mut dyn Sql, row: &NodeRow, slot: i64, now: UnixMicros) -> Result<()> {
    sql.execute(
        "INSERT INTO node (id, slot, epoch, lease_until, watermark, gone, last_id, last_batch, name,
                           version, joined_at)
         VALUES ($1, $2, $3, $4, $5, $6, 0, 0, '', '', $7)",
        &[
            row.node.0.into(),
            slot.into(),
            i64::try_from(row.epoch).unwrap_or(i64::MAX).into(),
            row.lease_until.into(),
            row.watermark.into(),
            row.left.into(),
            now.into(),
        ],
    )?;
    Ok(())
}

fn free_slot(nodes: &[StoredNode]) -> Result<i64> {
    let is_free = |slot: &i64| nodes.iter().all(|node| node.slot != *slot);
    (0..SLOTS).find(is_free).ok_or_else(|| {
        let text = format!("{SLOTS} nodes were here within a day: no more can be told apart");
        StoreError::Unavailable(text)
    })
}

/// Forgets who left long ago. The row that says how far the cluster had come stays.
fn forget(sql: &mut dyn Sql, now: UnixMicros) -> Result<()> {
    sql.execute(
        "DELETE FROM node WHERE gone = 1 AND watermark < $1
            AND watermark < (SELECT max(watermark) FROM node)",
        &[(now - FORGOTTEN_AFTER).into()],
    )?;
    Ok(())
}
