//! Portable SQL on SQLite.
//!
//! SQLite takes `$2` for a *name* and numbers names by their first appearance, so the values are bound by
//! name: `$2` is the second value here wherever it stands, as other engines have it.

use rusqlite::ffi::{self, ErrorCode};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};

use crate::sql::{Row, Sql, Value};
use crate::{Result, StoreError};

/// A SQLite connection that speaks portable SQL. Whoever makes one has begun a transaction, and rolls
/// it back on every error: a statement that failed leaves the ones before it standing.
#[derive(Debug)]
pub struct Portable<'c>(&'c Connection);

impl<'c> Portable<'c> {
    /// Speaks over `connection`; a `rusqlite::Transaction` derefs to one.
    pub fn new(connection: &'c Connection) -> Self {
        Self(connection)
    }

    fn prepare(&self, sql: &str, params: &[Value]) -> Result<CachedStatement<'c>> {
        let mut statement = self.0.prepare_cached(sql).map_err(failed)?;
        if statement.parameter_count() != params.len() {
            return Err(misnumbered(sql));
        }
        for place in 1..=params.len() {
            let number = statement
                .parameter_name(place)
                .and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
            let value = number.and_then(|number| params.get(number.checked_sub(1)?));
            let value = value.ok_or_else(|| misnumbered(sql))?;
            statement.raw_bind_parameter(place, value).map_err(failed)?;
        }
        Ok(statement)
    }
}

impl Sql for Portable<'_> {
    fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        let mut statement = self.prepare(sql, params)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let values = (0..columns)
                .map(|index| owned(sql, row.get_ref(index).map_err(failed)?))
                .collect::<Result<_>>()?;
            found.push(Row { values });
        }
        Ok(found)
    }

    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        let changed = self.prepare(sql, params)?.raw_execute().map_err(failed)?;
        Ok(changed as u64)
    }
}

fn owned(sql: &str, value: ValueRef<'_>) -> Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(bytes) => Value::Text(
            String::from_utf8(bytes.to_vec())
                .map_err(|_| StoreError::Broken(format!("text that is not UTF-8, from {sql}")))?,
        ),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Real(_) => {
            return Err(StoreError::Broken(format!("a floating number, from {sql}")));
        }
    })
}

/// Parameters are `$1` to `$n`, each used, and `n` values are given; other engines want that too.
fn misnumbered(sql: &str) -> StoreError {
    StoreError::Broken(format!("parameters and values do not match in {sql}"))
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// What an error of SQLite means to a caller.
///
/// A failed fsync is never tried again: the kernel may have marked the lost pages as clean, and the next
/// fsync would then succeed without them (<https://wiki.postgresql.org/wiki/Fsync_Errors>).
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` is given"
)]
pub(crate) fn failed(error: rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(code, _) = &error else {
        return StoreError::Broken(error.to_string());
    };
    let text = format!("{error} (SQLite error {})", code.extended_code);
    match (code.code, code.extended_code) {
        (_, extended) if FATAL.contains(&extended) => StoreError::Fatal(text),
        (ErrorCode::DatabaseCorrupt, _) => StoreError::Fatal(format!("{text}: {DAMAGED}")),
        (ErrorCode::NotADatabase, _) => StoreError::Fatal(text),
        (_, extended) if TAKEN.contains(&extended) => StoreError::Conflict(text),
        (
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted,
            _,
        ) => StoreError::Unavailable(text),
        // A statement that does not fit the schema, or a value that does not fit its column.
        _ => StoreError::Broken(text),
    }
}

/// What to do with a database that is damaged.
pub(crate) const DAMAGED: &str =
    "check the disk, stop the server and put the last backup in its place (handbook: Operations)";

/// What this process cannot recover from, besides a corrupt file: a sync that failed, a file system that
/// says it is corrupt or hands back other bytes than were written, a file that was moved or replaced.
const FATAL: [i32; 5] = [
    ffi::SQLITE_IOERR_FSYNC,
    ffi::SQLITE_IOERR_DIR_FSYNC,
    ffi::SQLITE_IOERR_CORRUPTFS,
    ffi::SQLITE_IOERR_DATA,
    ffi::SQLITE_READONLY_DBMOVED,
];

/// A row with this key exists already, or the row that this one hangs on does not.
const TAKEN: [i32; 4] = [
    ffi::SQLITE_CONSTRAINT_UNIQUE,
    ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
    ffi::SQLITE_CONSTRAINT_ROWID,
    ffi::SQLITE_CONSTRAINT_FOREIGNKEY,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        let connection = Connection::open_in_memory().unwrap();
        Portable::new(&connection).query(sql, params)
    }

    fn meaning(extended_code: i32) -> StoreError {
        let code = ffi::Error::new(extended_code);
        failed(rusqlite::Error::SqliteFailure(code, None))
    }

    #[test]
    fn a_number_names_the_same_value_wherever_it_stands() {
        let rows = answer("SELECT $2, $1, $2", &["one".into(), "two".into()]).unwrap();
        let expected: Vec<Value> = vec!["two".into(), "one".into(), "two".into()];
        assert_eq!(rows[0].values, expected);
    }

    #[test]
    fn every_kind_of_value_comes_back_as_it_went() {
        let values = [
            Value::Null,
            Value::Int(i64::MIN),
            Value::Text("Ünïcode\0".to_owned()),
            Value::Blob(vec![0, 255]),
        ];
        let rows = answer("SELECT $1, $2, $3, $4", &values).unwrap();
        assert_eq!(rows[0].values, values);
    }

    #[test]
    fn values_that_do_not_match_the_parameters_are_refused() {
        let one = [Value::Int(1)];
        let two = [Value::Int(1), Value::Int(2)];
        for (sql, params) in [
            ("SELECT $1, $2", &one[..]),
            ("SELECT $1", &two[..]),
            ("SELECT $1, $3", &two[..]),
            ("SELECT $0", &one[..]),
            ("SELECT ?1", &one[..]),
        ] {
            let error = answer(sql, params).unwrap_err();
            assert!(matches!(error, StoreError::Broken(_)), "{sql}: {error}");
        }
    }

    #[test]
    fn a_value_of_an_earlier_call_does_not_linger_in_a_cached_statement() {
        let connection = Connection::open_in_memory().unwrap();
        let mut sql = Portable::new(&connection);
        for number in [1, 2] {
            let rows = sql.query("SELECT $1", &[Value::Int(number)]).unwrap();
            assert_eq!(rows[0].values, [Value::Int(number)]);
        }
    }

    #[test]
    fn errors_are_sorted_by_what_a_caller_can_do() {
        for code in [
            ffi::SQLITE_BUSY,
            ffi::SQLITE_BUSY_SNAPSHOT,
            ffi::SQLITE_LOCKED,
            ffi::SQLITE_FULL,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_READONLY,
        ] {
            assert!(
                matches!(meaning(code), StoreError::Unavailable(_)),
                "{code}"
            );
        }
        for code in [
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR_DIR_FSYNC,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_CORRUPT_INDEX,
            ffi::SQLITE_NOTADB,
            ffi::SQLITE_READONLY_DBMOVED,
        ] {
            assert!(matches!(meaning(code), StoreError::Fatal(_)), "{code}");
        }
        for code in [
            ffi::SQLITE_CONSTRAINT_UNIQUE,
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
        ] {
            assert!(matches!(meaning(code), StoreError::Conflict(_)), "{code}");
        }
        for code in [ffi::SQLITE_ERROR, ffi::SQLITE_CONSTRAINT_NOTNULL] {
            assert!(matches!(meaning(code), StoreError::Broken(_)), "{code}");
        }
    }

    #[test]
    fn a_unique_constraint_is_a_conflict() {
        let connection = Connection::open_in_memory().unwrap();
        let mut sql = Portable::new(&connection);
        sql.execute("CREATE TABLE t (name TEXT UNIQUE) STRICT", &[])
            .unwrap();
        let insert = "INSERT INTO t (name) VALUES ($1)";
        assert_eq!(sql.execute(insert, &["a".into()]).unwrap(), 1);
        let error = sql.execute(insert, &["a".into()]).unwrap_err();
        assert!(matches!(error, StoreError::Conflict(_)), "{error}");
    }
}
