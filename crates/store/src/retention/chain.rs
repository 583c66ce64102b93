//! Walks the chain of a heartbeat's signals or runs from its newest row back, and says what to cut out.

use nightbeat_domain::{HeartbeatId, UnixMicros};

use super::BODY_BYTES_MAX;
use crate::Result;
use crate::sql::{Sql, Value};

/// Which chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    Signals,
    Runs,
}

impl Log {
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Signals => "signal",
            Self::Runs => "run",
        }
    }

    /// The instant by which a row ages.
    fn at(self) -> &'static str {
        match self {
            Self::Signals => "received_at",
            Self::Runs => "ended_at",
        }
    }

    /// The size of a row's body. `length` of a blob does not read it.
    fn bytes(self) -> &'static str {
        match self {
            Self::Signals => "coalesce(length(signal.body), 0)",
            Self::Runs => "0",
        }
    }
}

/// Consecutive rows to take out of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) heartbeat: HeartbeatId,
    pub(super) log: Log,
    /// The row that stays before them: it is newer, and links to the first of them.
    pub(super) anchor: i64,
    /// The rows, newest first.
    pub(super) rows: Vec<i64>,
    /// What the last of them links to, where that may be a row that stays. At the end of the chain nothing
    /// is linked anew: readers take a link to a missing row for the end.
    pub(super) rest: Option<i64>,
}

/// A row of a chain.
#[derive(Debug, Clone, Copy)]
struct Link {
    id: i64,
    previous: Option<i64>,
    at: UnixMicros,
    bytes: i64,
}

/// Where a walk stands: at a row that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) anchor: i64,
    /// How many rows stay, up to and with the anchor.
    pub(super) kept: u64,
}

/// How much one step may still read and change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) reads: usize,
    pub(super) changes: usize,
    pub(super) body_bytes: i64,
}

impl Budget {
    pub(super) fn is_spent(&self) -> bool {
        self.reads == 0 || self.changes == 0 || self.body_bytes <= 0
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            reads: super::READ_MAX,
            changes: super::CHANGES_MAX,
            body_bytes: BODY_BYTES_MAX,
        }
    }
}

/// What a walk found.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) cuts: Vec<Cut>,
    /// Where to go on; `None`: the end was reached.
    pub(super) rest: Option<Position>,
}

/// Walks from `from` on. `keep` says of each row, by how many newer ones stay and its instant, whether it
/// stays too.
pub(super) fn walk(
    sql: &mut dyn Sql,
    (log, heartbeat): (Log, HeartbeatId),
    from: Position,
    budget: &mut Budget,
    mut keep: impl FnMut(&mut dyn Sql, u64, UnixMicros) -> Result<bool>,
) -> Result<Walked> {
    let mut position = from;
    let mut cuts: Vec<Cut> = Vec::new();
    // One more than may be read: the anchor was read before.
    let limit = budget.reads.saturating_add(1);
    let links = links(sql, log, heartbeat, from.anchor, limit)?;
    let at_end = links.len() < limit;
    let older = links.get(1..).unwrap_or(&[]);
    for (index, link) in older.iter().enumerate() {
        if budget.is_spent() {
            return Ok(Walked {
                cuts,
                rest: Some(position),
            });
        }
        budget.reads -= 1;
        if keep(sql, position.kept, link.at)? {
            position = Position {
                anchor: link.id,
                kept: position.kept + 1,
            };
            continue;
        }
        budget.changes -= 1;
        budget.body_bytes -= link.bytes;
        let ends = at_end && index + 1 == older.len();
        let rest = link.previous.filter(|_| !ends);
        match cuts.last_mut() {
            Some(cut) if cut.anchor == position.anchor => {
                cut.rows.push(link.id);
                cut.rest = rest;
            }
            _ => {
                // The row that stays is linked anew: a change as well.
                budget.changes = budget.changes.saturating_sub(1);
                cuts.push(Cut {
                    heartbeat,
                    log,
                    anchor: position.anchor,
                    rows: vec![link.id],
                    rest,
                });
            }
        }
    }
    Ok(Walked {
        cuts,
        rest: (!at_end).then_some(position),
    })
}

fn links(
    sql: &mut dyn Sql,
    log: Log,
    heartbeat: HeartbeatId,
    from: i64,
    limit: usize,
) -> Result<Vec<Link>> {
    let (table, at, bytes) = (log.table(), log.at(), log.bytes());
    let query = format!(
        "WITH RECURSIVE chain (id, previous, at, bytes, depth) AS (
             SELECT id, previous, {at}, {bytes}, 1 FROM {table} WHERE id = $1 AND heartbeat = $2
             UNION ALL
             SELECT {table}.id, {table}.previous, {table}.{at}, {bytes}, chain.depth + 1
             FROM chain JOIN {table} ON {table}.id = chain.previous
             WHERE {table}.heartbeat = $2 AND chain.depth < $3
         ) SELECT id, previous, at, bytes FROM chain ORDER BY depth"
    );
    let params: [Value; 3] = [from.into(), heartbeat.into(), (limit as i64).into()];
    let rows = sql.query(&query, &params)?;
    rows.iter()
        .map(|row| {
            Ok(Link {
                id: row.get(0)?,
                previous: row.get(1)?,
                at: row.get(2)?,
                bytes: row.get(3)?,
            })
        })
        .collect()
}
