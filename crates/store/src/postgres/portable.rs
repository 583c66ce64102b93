//! Portable SQL on PostgreSQL: each statement is prepared once a connection, run, and waited for.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use deadpool_postgres::ClientWrapper;
use tokio::runtime::Handle;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{Row as PostgresRow, Statement};

use super::error::{Again, Failure};
use crate::sql::{Row, Sql, Value};
use crate::{Result, StoreError};

type BoxedError = Box<dyn std::error::Error + Sync + Send>;

/// A connection that speaks portable SQL, for a thread that may wait: never for one that runs futures.
/// Whoever makes one has begun a transaction, and rolls it back when anything of it fails: after an error
/// PostgreSQL takes no other statement of the transaction.
pub(crate) struct Portable<'c> {
    client: &'c ClientWrapper,
    runtime: &'c Handle,
    /// How long an answer is waited for: longer than the server's own limit.
    limit: Duration,
    failure: Option<Again>,
}

impl<'c> Portable<'c> {
    /// Speaks over `client`, and waits for it on `runtime`.
    pub(crate) fn new(client: &'c ClientWrapper, runtime: &'c Handle, limit: Duration) -> Self {
        Self {
            client,
            runtime,
            limit,
            failure: None,
        }
    }

    /// Whether the server refused a statement, so that the transaction cannot be committed; and whether it
    /// may be tried again.
    pub(crate) fn failure(&self) -> Option<Again> {
        self.failure
    }

    /// The statement, ready to be run with these values.
    fn prepare(&mut self, sql: &str, params: &[Value]) -> Result<Statement> {
        let statement = self.wait(self.client.prepare_cached(sql))?;
        check(sql, statement.params(), params)?;
        Ok(statement)
    }

    /// Runs a statement of the hot path, with values of the driver's own types.
    pub(super) fn raw(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<PostgresRow>> {
        let statement = self.wait(self.client.prepare_cached(sql))?;
        self.wait(self.client.query(&statement, params))
    }

    /// Waits for an answer of the server.
    fn wait<T>(&mut self, work: impl Future<Output = Answer<T>>) -> Result<T> {
        let limited = async { tokio::time::timeout(self.limit, work).await };
        let failure = match self.runtime.block_on(limited) {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::from(error),
            Err(_) => Failure::no_answer(),
        };
        self.failure = Some(failure.again);
        Err(failure.error)
    }
}

type Answer<T> = std::result::Result<T, tokio_postgres::Error>;

/// Values as the driver takes them.
fn as_params(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

impl Sql for Portable<'_> {
    fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        let statement = self.prepare(sql, params)?;
        let found = self.wait(self.client.query(&statement, &as_params(params)))?;
        found.iter().map(|row| owned(sql, row)).collect()
    }

    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        let statement = self.prepare(sql, params)?;
        self.wait(self.client.execute(&statement, &as_params(params)))
    }
}

/// Whether each value can be sent as what the statement takes it for.
fn check(sql: &str, types: &[Type], params: &[Value]) -> Result<()> {
    if types.len() != params.len() {
        return Err(StoreError::Broken(format!(
            "parameters and values do not match in {sql}"
        )));
    }
    let misfit = types
        .iter()
        .zip(params)
        .position(|(ty, value)| !fits(value, ty));
    match misfit {
        None => Ok(()),
        Some(index) => Err(StoreError::Broken(format!(
            "${} is {}, where {} is wanted in {sql}",
            index + 1,
            params[index],
            types[index]
        ))),
    }
}

fn fits(value: &Value, ty: &Type) -> bool {
    match value {
        Value::Null => true,
        Value::Int(number) => match *ty {
            Type::INT8 => true,
            Type::INT4 => i32::try_from(*number).is_ok(),
            Type::INT2 => i16::try_from(*number).is_ok(),
            _ => false,
        },
        Value::Text(_) => [Type::TEXT, Type::VARCHAR].contains(ty),
        Value::Blob(_) => *ty == Type::BYTEA,
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, BoxedError> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Int(number) => match *ty {
                Type::INT4 => out.put_i32(i32::try_from(*number)?),
                Type::INT2 => out.put_i16(i16::try_from(*number)?),
                _ => out.put_i64(*number),
            },
            // PostgreSQL has no text with a zero in it; SQLite has, and what a receiver answers may. What
            // stands for a character that cannot be shown takes its place.
            Self::Text(text) if text.contains('\0') => {
                out.put_slice(text.replace('\0', "\u{fffd}").as_bytes());
            }
            Self::Text(text) => out.put_slice(text.as_bytes()),
            Self::Blob(bytes) => out.put_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A value as it came.
struct Raw<'r>(&'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> std::result::Result<Self, BoxedError> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn owned(sql: &str, row: &PostgresRow) -> Result<Row> {
    let columns = row.columns().iter().enumerate();
    let values = columns.map(|(index, column)| {
        let raw: Option<Raw<'_>> = row.try_get(index).map_err(|error| {
            StoreError::Broken(format!(
                "column {index} cannot be read: {error}, from {sql}"
            ))
        })?;
        match raw {
            None => Ok(Value::Null),
            Some(Raw(bytes)) => decode(column.type_(), bytes).ok_or_else(|| {
                let ty = column.type_();
                StoreError::Broken(format!("column {index} is of type {ty}, from {sql}"))
            }),
        }
    });
    Ok(Row {
        values: values.collect::<Result<_>>()?,
    })
}

/// A value of the types that portable SQL knows.
fn decode(ty: &Type, bytes: &[u8]) -> Option<Value> {
    Some(match *ty {
        Type::INT8 => Value::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
        Type::INT4 => Value::Int(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::INT2 => Value::Int(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::BOOL => Value::Int(i64::from(*bytes.first()? != 0)),
        Type::TEXT | Type::VARCHAR | Type::NAME => {
            Value::Text(String::from_utf8(bytes.to_vec()).ok()?)
        }
        Type::BYTEA => Value::Blob(bytes.to_vec()),
        _ => return None,
    })
}
