//! Where a copy goes: an empty database, or one that an earlier attempt has filled in part.

use nightbeat_domain::UnixMicros;

use super::origin::Origin;
use super::tables::{TABLES, Table, places};
use crate::sql::{Row, Sql, Value};
use crate::{Result, Store, StoreError, effects};

/// How many values one statement carries. PostgreSQL takes 65,535; SQLite looks for each by its name.
const POSTGRES_VALUES: usize = 16_000;
const SQLITE_VALUES: usize = 240;

/// The seconds in an id that a node on PostgreSQL gave, as a power of two.
const ID_SECONDS_BITS: u32 = 31;

/// Whether a copy into this database is not finished.
pub(crate) fn is_unfinished(sql: &mut dyn Sql, is_shared: bool) -> Result<bool> {
    let query = if is_shared {
        "SELECT 1 WHERE to_regclass('copy_progress') IS NOT NULL"
    } else {
        "SELECT 1 FROM sqlite_schema WHERE name = 'copy_progress'"
    };
    Ok(sql.first(query, &[])?.is_some())
}

/// What everybody but the copy itself is told.
pub(crate) fn unfinished() -> StoreError {
    StoreError::Fatal(
        "a copy into this database is not finished: run the same `nightbeat db copy` again, which goes on \
         where it ended, or begin with an empty database"
            .to_owned(),
    )
}

/// Begins, or finds that it goes on. Refuses whatever holds something else.
pub(super) async fn begin(to: &Store, origin: &Origin) -> Result<()> {
    let is_shared = to.is_shared();
    let mark = origin.mark.clone();
    to.write(move |sql| {
        if is_unfinished(sql, is_shared)? {
            return refuse_other(sql, &mark);
        }
        refuse_filled(sql, is_shared)?;
        sql.execute("CREATE TABLE copy_progress (origin TEXT PRIMARY KEY)", &[])?;
        let insert = "INSERT INTO copy_progress (origin) VALUES ($1)";
        sql.execute(insert, &[mark.as_str().into()])?;
        Ok(())
    })
    .await
}

fn refuse_other(sql: &mut dyn Sql, mark: &str) -> Result<()> {
    let row = sql.first("SELECT origin FROM copy_progress", &[])?;
    let begun: Option<String> = row.map(|row| row.get(0)).transpose()?;
    if begun.as_deref() == Some(mark) {
        return Ok(());
    }
    Err(StoreError::Conflict(
        "the target holds a part of a copy of another database, or of this one before it was used again: \
         begin with an empty target"
            .to_owned(),
    ))
}

fn refuse_filled(sql: &mut dyn Sql, is_shared: bool) -> Result<()> {
    let mut filled = None;
    for name in TABLES.iter().map(|table| table.name) {
        if has_rows(sql, name)? {
            filled = Some(name);
            break;
        }
    }
    if filled.is_none() && is_shared && has_rows(sql, "node")? {
        filled = Some("node");
    }
    let has_served = effects::alive_until(sql)?.is_some();
    match filled.or(has_served.then_some("service")) {
        None => Ok(()),
        Some(name) => Err(StoreError::Conflict(format!(
            "the target is not empty (there is something in {name}): a copy needs a database of its own"
        ))),
    }
}

fn has_rows(sql: &mut dyn Sql, table: &str) -> Result<bool> {
    let query = format!("SELECT 1 FROM {table} LIMIT 1");
    Ok(sql.first(&query, &[])?.is_some())
}

/// Stores a page, all of it or nothing.
pub(super) async fn insert(
    to: &Store,
    table: &'static Table,
    columns: &[String],
    rows: Vec<Row>,
) -> Result<()> {
    let values = if to.is_shared() {
        POSTGRES_VALUES
    } else {
        SQLITE_VALUES
    };
    let at_once = (values / columns.len()).max(1);
    let mut statements = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let params: Vec<Value> = rows
            .by_ref()
            .take(at_once)
            .flat_map(|row| row.values)
            .collect();
        statements.push((statement(table, columns, params.len()), params));
    }
    to.write(move |sql| {
        for (statement, params) in &statements {
            sql.execute(statement, params)?;
        }
        Ok(())
    })
    .await
}

fn statement(table: &Table, columns: &[String], values: usize) -> String {
    let width = columns.len();
    let rows: Vec<_> = (0..values / width)
        .map(|row| format!("({})", places(row * width + 1, width)))
        .collect();
    format!(
        "INSERT INTO {} ({}) VALUES {}",
        table.name,
        columns.join(", "),
        rows.join(", ")
    )
}

/// Ends a copy whose rows are all there: from now on servers may use it. It has never served itself, so the
/// time from the source's last moment to its first start becomes a gap.
pub(super) async fn finish(to: &Store, origin: &Origin) -> Result<()> {
    let is_shared = to.is_shared();
    let origin = origin.clone();
    to.write(move |sql| {
        if is_shared {
            refuse_future(sql)?;
            number_on_postgres(sql, &origin)?;
        } else {
            number_on_sqlite(sql, &origin)?;
        }
        sql.execute(
            "UPDATE service SET alive_until = $1, stopped_clean = $2, gap_revision = $3",
            &[
                origin.alive_until.into(),
                origin.stopped_clean.into(),
                origin.gap_revision.into(),
            ],
        )?;
        sql.execute("DROP TABLE copy_progress", &[])?;
        Ok(())
    })
    .await
}

/// Numbers of rows that the target gives itself go on after the source's.
fn number_on_postgres(sql: &mut dyn Sql, origin: &Origin) -> Result<()> {
    for (table, column, given) in [
        ("settings", "id", 0),
        ("gap", "id", 0),
        ("delivery", "number", origin.delivery_number),
    ] {
        let query = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'),
                           greatest(coalesce(max({column}), 1), $1)) FROM {table}"
        );
        sql.query(&query, &[given.into()])?;
    }
    Ok(())
}

fn number_on_sqlite(sql: &mut dyn Sql, origin: &Origin) -> Result<()> {
    let given = [origin.delivery_number.into()];
    let raise = "UPDATE sqlite_sequence SET seq = max(seq, $1) WHERE name = 'delivery'";
    if sql.execute(raise, &given)? == 0 {
        let insert = "INSERT INTO sqlite_sequence (name, seq) VALUES ('delivery', $1)";
        sql.execute(insert, &given)?;
    }
    Ok(())
}

/// Ids of signals and runs are made of the time on PostgreSQL. Those of another database, whose clock was
/// ahead of this one's, would be given again.
fn refuse_future(sql: &mut dyn Sql) -> Result<()> {
    let newest = "SELECT greatest(coalesce((SELECT max(id) FROM signal), 0),
                                  coalesce((SELECT max(id) FROM run), 0)),
                         CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";
    let Some(row) = sql.first(newest, &[])? else {
        return Ok(());
    };
    let (newest, now): (i64, UnixMicros) = (row.get(0)?, row.get(1)?);
    let ahead = (newest >> ID_SECONDS_BITS) - now.0 / 1_000_000;
    if ahead < 0 {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "the clock of the target is at least {} s behind that of the source: set it right, and run the same \
         command again",
        ahead + 1
    )))
}
