//! A whole database, copied to an empty one on whichever engine.
//!
//! Tables are copied one after the other, in the order of their keys, page by page; each page is one
//! transaction of the target. So the last key in the target says how far a copy has come, and one that was cut
//! off goes on there. Until it is done, the table `copy_progress` stands in the target, and keeps servers and
//! tools out.

mod check;
mod origin;
mod tables;
mod target;

use std::ops::ControlFlow;

use self::tables::{TABLES, Table};
pub(crate) use self::target::{is_unfinished, unfinished};
use crate::sql::{Row, Value};
use crate::{Result, Store, StoreError};

/// How many rows are copied in one transaction.
const PAGE_ROWS: u32 = 4_000;

/// A page larger than this, in bytes, is followed by smaller ones.
const PAGE_BYTES: usize = 16 * 1024 * 1024;

/// The fewest rows of a page, unless fewer are asked for.
const PAGE_ROWS_MIN: u32 = 64;

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// What is being done with the table.
    pub phase: CopyPhase,
    /// The table.
    pub table: &'static str,
    /// How many rows of all tables this phase is done with.
    pub done: u64,
    /// How many rows of all tables there are.
    pub total: u64,
}

/// The two halves of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyPhase {
    /// Rows are copied.
    Copying,
    /// Both databases are read and compared.
    Checking,
}

/// A copy is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Each table and how many rows it has, in both.
    pub tables: Vec<(&'static str, u64)>,
    /// How many rows an earlier attempt had copied already.
    pub found: u64,
}

/// How a copy is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyOptions {
    /// How many rows are copied in one transaction.
    pub page_rows: u32,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            page_rows: PAGE_ROWS,
        }
    }
}

/// Who is told how far it is, and may end it: another copy then goes on from there.
pub type Tell<'t> = &'t mut (dyn FnMut(CopyProgress) -> ControlFlow<()> + Send);

/// Copies everything in `from` to `to`, which is empty or holds a part of such a copy, and compares the two.
/// Both were opened with [`Opener::Copy`](crate::Opener::Copy).
///
/// [`Conflict`](StoreError::Conflict) where `to` holds something else, where `from` is in use, and where it
/// changed since the copy began. After any error the same call goes on where it ended.
pub async fn copy(
    from: &Store,
    to: &Store,
    options: CopyOptions,
    tell: Tell<'_>,
) -> Result<Copied> {
    let origin = origin::look(from).await?;
    target::begin(to, &origin).await?;
    let total = origin.total();
    let mut told = Told {
        progress: CopyProgress {
            phase: CopyPhase::Copying,
            table: TABLES[0].name,
            done: 0,
            total,
        },
        tell,
    };
    let mut found = 0;
    for table in &TABLES {
        origin::refuse_used(from).await?;
        found += copy_table(from, to, table, options, &mut told).await?;
    }
    told.progress.phase = CopyPhase::Checking;
    told.progress.done = 0;
    let mut tables = Vec::with_capacity(TABLES.len());
    for table in &TABLES {
        tables.push((table.name, check::same(from, to, table, &mut told).await?));
    }
    if origin::look(from).await? != origin {
        return Err(origin::changed());
    }
    target::finish(to, &origin).await?;
    Ok(Copied { tables, found })
}

/// Who is told, and what was told last.
struct Told<'t> {
    progress: CopyProgress,
    tell: Tell<'t>,
}

impl Told<'_> {
    fn add(&mut self, table: &'static str, rows: u64) -> Result<()> {
        self.progress.table = table;
        self.progress.done += rows;
        match (self.tell)(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(StoreError::Unavailable(
                "the copy was interrupted; the same command goes on from here".to_owned(),
            )),
        }
    }
}

/// Copies what the target does not have of a table; how many rows it had.
async fn copy_table(
    from: &Store,
    to: &Store,
    table: &'static Table,
    options: CopyOptions,
    told: &mut Told<'_>,
) -> Result<u64> {
    let columns = tables::shared_columns(from, to, table).await?;
    let (found, mut after) = to.read(move |sql| table.reached(sql)).await?;
    told.add(table.name, found)?;
    let mut wanted = options.page_rows.max(1);
    loop {
        let query = table.page(&columns, after.as_deref(), wanted);
        let rows = from
            .read(move |sql| sql.query(&query.sql, &query.params))
            .await?;
        let Some(last) = rows.last() else {
            return Ok(found);
        };
        after = Some(table.key_of(&columns, last)?);
        let (count, bytes) = (rows.len(), rows.iter().map(bytes).sum::<usize>());
        target::insert(to, table, &columns, rows).await?;
        told.add(table.name, count as u64)?;
        if (count as u64) < u64::from(wanted) {
            return Ok(found);
        }
        if bytes > PAGE_BYTES {
            wanted = (wanted / 2).max(PAGE_ROWS_MIN.min(wanted));
        }
    }
}

/// About how much memory a row takes.
fn bytes(row: &Row) -> usize {
    let of_value = |value: &Value| match value {
        Value::Null | Value::Int(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    };
    row.values.iter().map(of_value).sum()
}
