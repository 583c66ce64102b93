//! The logs of signals and of runs lie in parts: one for each day, made ahead, and one for all days before,
//! which takes in the days as they get old. What is no longer kept is left out then: it goes with the table
//! that it was in, not row by row. Only where a part could not be made does the default partition take rows.

mod merge;

use std::collections::BTreeSet;
use std::time::Duration;

use deadpool_postgres::{GenericClient, Object, Transaction};
use tokio_postgres::IsolationLevel;
use tokio_postgres::error::SqlState;

pub(super) use self::merge::merge;
use super::begin::first_id;
use super::error::failed;
use crate::Result;

/// How many days the parts are made ahead.
const AHEAD_DAYS: i64 = 7;

const DAY: Duration = Duration::from_secs(86_400);

/// One of the two logs.
struct Log {
    table: &'static str,
    /// The column of `heartbeat_state` that names its newest row.
    newest: &'static str,
    /// The instant by which a row ages.
    at: &'static str,
    /// Its columns besides `previous`.
    columns: &'static [&'static str],
}

const SIGNALS: Log = Log {
    table: "signal",
    newest: "newest_signal",
    at: "received_at",
    columns: &[
        "id",
        "heartbeat",
        "kind",
        "received_at",
        "happened_at",
        "rid",
        "exit_code",
        "ignored",
        "method",
        "source",
        "user_agent",
        "metrics",
        "body",
        "body_bytes",
    ],
};

const RUNS: Log = Log {
    table: "run",
    newest: "newest_run",
    at: "ended_at",
    columns: &[
        "id",
        "heartbeat",
        "rid",
        "started_at",
        "ended_at",
        "outcome",
        "exit_code",
        "work",
    ],
};

/// The parts of a log that there are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parts {
    /// The part for all days before this one, counted from 1970 in UTC.
    before: Option<i64>,
    /// Those that have a part of their own.
    days: BTreeSet<i64>,
}

impl Parts {
    /// Reads which there are.
    async fn read(client: &impl GenericClient, log: &Log) -> DatabaseResult<Self> {
        let query = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                      WHERE i.inhparent = CAST($1 AS regclass)";
        // A name with quotes would be another type of parameter.
        let query = query.replace("$1", &format!("'{}'", log.table));
        let mut parts = Self::default();
        for row in client.query(&query, &[]).await? {
            let name: &str = row.try_get(0)?;
            let rest = name.strip_prefix(log.table).unwrap_or_default();
            let day = |prefix| rest.strip_prefix(prefix)?.parse::<i64>().ok();
            if let Some(before) = day("_before_") {
                parts.before = Some(before);
            }
            parts.days.extend(day("_day_"));
        }
        Ok(parts)
    }

    fn has(&self, day: i64) -> bool {
        self.before.is_some_and(|before| day < before) || self.days.contains(&day)
    }
}

impl Log {
    /// The part of one day.
    fn day(&self, day: i64) -> String {
        format!("{}_day_{day}", self.table)
    }

    /// The part of all days before this one.
    fn before(&self, day: i64) -> String {
        format!("{}_before_{day}", self.table)
    }

    /// What lies in no other part.
    fn other(&self) -> String {
        format!("{}_other", self.table)
    }

    /// An empty table that can become a part.
    fn create(&self, name: &str) -> String {
        format!(
            "CREATE TABLE {name} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
            self.table
        )
    }
}

/// The first id of a day.
fn start_of(day: i64) -> i64 {
    first_id(day * DAY.as_secs() as i64, 0)
}

type DatabaseResult<T> = std::result::Result<T, tokio_postgres::Error>;

/// Makes the parts of today and of the next days, where they are missing. Several nodes may do so at once.
pub(super) async fn make_ahead(client: &mut Object) -> Result<()> {
    let made = async {
        let today = "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) / 86400) AS BIGINT)";
        let today: i64 = client.query_one(today, &[]).await?.try_get(0)?;
        for log in [&SIGNALS, &RUNS] {
            if !missing(&Parts::read(client, log).await?, today).is_empty() {
                make_parts(client, log, today).await?;
            }
        }
        Ok(())
    };
    let made: DatabaseResult<()> = made.await;
    made.map_err(|error| failed(&error))
}

/// The days that have no part yet.
fn missing(parts: &Parts, today: i64) -> Vec<i64> {
    let days = today..=today + AHEAD_DAYS;
    days.filter(|day| !parts.has(*day)).collect()
}

async fn make_parts(client: &mut Object, log: &Log, today: i64) -> DatabaseResult<()> {
    let transaction = begin(client).await?;
    // One node after the other, as for migrations; nobody waits for long.
    let alone = "SELECT 1 FROM schema_version WHERE version = 0 FOR UPDATE";
    transaction.execute(alone, &[]).await?;
    let parts = Parts::read(&transaction, log).await?;
    if parts.before.is_none() {
        let first = parts.days.first().map_or(today, |first| today.min(*first));
        let range = ("MINVALUE".to_owned(), start_of(first).to_string());
        make_part(&transaction, log, &log.before(first), range).await?;
    }
    for day in missing(&parts, today) {
        let range = (start_of(day).to_string(), start_of(day + 1).to_string());
        make_part(&transaction, log, &log.day(day), range).await?;
    }
    transaction.commit().await
}

/// Makes an empty part. Rows that came to the default partition before it was there are moved.
async fn make_part(
    transaction: &Transaction<'_>,
    log: &Log,
    name: &str,
    (from, to): (String, String),
) -> DatabaseResult<()> {
    let (table, other) = (log.table, log.other());
    let lower = if from == "MINVALUE" {
        String::new()
    } else {
        format!("id >= {from} AND ")
    };
    let create = log.create(name);
    let statements = format!(
        "{create};
         ALTER TABLE {name} ADD PRIMARY KEY (id);
         LOCK TABLE {other} IN ACCESS EXCLUSIVE MODE;
         WITH moved AS (DELETE FROM {other} WHERE {lower} id < {to} RETURNING *)
         INSERT INTO {name} SELECT * FROM moved;
         ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})"
    );
    transaction.batch_execute(&statements).await
}

/// A transaction that changes tables: what waits for a lock makes all others wait behind it.
async fn begin(client: &mut Object) -> DatabaseResult<Transaction<'_>> {
    let transaction = client.build_transaction();
    let transaction = transaction
        .isolation_level(IsolationLevel::ReadCommitted)
        .start()
        .await?;
    let settings = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '1s';
                    SET LOCAL idle_in_transaction_session_timeout = '60s'";
    transaction.batch_execute(settings).await?;
    Ok(transaction)
}

/// Whether another node is at it: it holds a lock, or has just finished.
fn is_anothers(error: &tokio_postgres::Error) -> bool {
    let codes = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::UNDEFINED_TABLE,
        SqlState::DUPLICATE_TABLE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ];
    error.code().is_some_and(|code| codes.contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_range_of_ids() {
        let seconds = 20_781 * 86_400;
        assert_eq!(start_of(20_781), first_id(seconds, 0));
        let last = first_id(seconds + 86_399, crate::nodes::SLOTS - 1);
        assert!(start_of(20_781) < last && last < start_of(20_782));
    }

    #[test]
    fn what_is_missing_is_made() {
        let mut parts = Parts::default();
        assert_eq!(missing(&parts, 10), (10..=17).collect::<Vec<_>>());
        parts.before = Some(12);
        parts.days = [13, 17].into();
        assert_eq!(missing(&parts, 10), [12, 14, 15, 16]);
    }

    /// A column that is added to a log and forgotten here would be lost when days are merged. Both engines
    /// have the same tables, which is a test of its own.
    #[test]
    fn all_columns_of_the_logs_are_known() {
        let mut connection = rusqlite::Connection::open_in_memory().unwrap();
        crate::migrate::migrate(&mut connection).unwrap();
        for log in [&SIGNALS, &RUNS] {
            let query = format!("SELECT name FROM pragma_table_info('{}')", log.table);
            let mut statement = connection.prepare(&query).unwrap();
            let names = statement.query_map([], |row| row.get::<_, String>(0));
            let mut names: Vec<String> = names.unwrap().map(|name| name.unwrap()).collect();
            names.retain(|name| name != "previous");
            names.sort();
            let mut known = log.columns.to_vec();
            known.sort_unstable();
            assert_eq!(names, known, "{}", log.table);
        }
    }
}
