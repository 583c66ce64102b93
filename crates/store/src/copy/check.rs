//! Whether two tables are the same: each is read whole, in the order of its keys, and summed up.

use sha2::{Digest, Sha256};

use super::origin::as_everywhere;
use super::tables::{Table, shared_columns};
use super::{PAGE_BYTES, PAGE_ROWS, PAGE_ROWS_MIN, Told, bytes};
use crate::sql::{Row, Value};
use crate::{Result, Store, StoreError};

/// A table, summed up as far as it was read.
struct Sum<'s> {
    store: &'s Store,
    table: &'static Table,
    columns: &'s [String],
    after: Option<Vec<Value>>,
    wanted: u32,
    rows: u64,
    hash: Sha256,
}

/// Compares a table in both databases by count and checksum; how many rows it has.
pub(super) async fn same(
    from: &Store,
    to: &Store,
    table: &'static Table,
    told: &mut Told<'_>,
) -> Result<u64> {
    let columns = shared_columns(from, to, table).await?;
    let mut source = Sum::new(from, table, &columns);
    let mut target = Sum::new(to, table, &columns);
    loop {
        let (of_source, of_target) = tokio::try_join!(source.step(), target.step())?;
        told.add(table.name, of_source)?;
        if of_source == 0 && of_target == 0 {
            break;
        }
    }
    let rows = source.rows;
    if rows != target.rows {
        return Err(differs(&format!(
            "{} has {rows} rows in the source and {} in the target",
            table.name, target.rows
        )));
    }
    if source.hash.finalize() != target.hash.finalize() {
        let what = format!("the checksums of {} differ over {rows} rows", table.name);
        return Err(differs(&what));
    }
    Ok(rows)
}

impl<'s> Sum<'s> {
    fn new(store: &'s Store, table: &'static Table, columns: &'s [String]) -> Self {
        Self {
            store,
            table,
            columns,
            after: None,
            wanted: PAGE_ROWS,
            rows: 0,
            hash: Sha256::new(),
        }
    }

    /// Sums the next page up; how many rows it had.
    async fn step(&mut self) -> Result<u64> {
        let query = self
            .table
            .page(self.columns, self.after.as_deref(), self.wanted);
        let rows = self
            .store
            .read(move |sql| sql.query(&query.sql, &query.params));
        let rows = rows.await?;
        if let Some(last) = rows.last() {
            self.after = Some(self.table.key_of(self.columns, last)?);
        }
        if rows.iter().map(bytes).sum::<usize>() > PAGE_BYTES {
            self.wanted = (self.wanted / 2).max(PAGE_ROWS_MIN);
        }
        for row in &rows {
            add(&mut self.hash, row);
        }
        self.rows += rows.len() as u64;
        Ok(rows.len() as u64)
    }
}

/// Each value with its kind and its length, so that no two rows sum up to the same.
fn add(hash: &mut Sha256, row: &Row) {
    for value in &row.values {
        match as_everywhere(value).as_ref() {
            Value::Null => hash.update([0]),
            Value::Int(number) => {
                hash.update([1]);
                hash.update(number.to_be_bytes());
            }
            Value::Text(text) => {
                hash.update([2]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
            Value::Blob(bytes) => {
                hash.update([3]);
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
        }
    }
}

fn differs(what: &str) -> StoreError {
    StoreError::Conflict(format!(
        "{what}: one of the two was changed meanwhile; empty the target and begin again"
    ))
}
