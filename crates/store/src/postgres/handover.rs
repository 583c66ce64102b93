//! What a node that does not watch stored, and is due earlier than the others know.

use std::time::Duration;

use nightbeat_domain::{HeartbeatId, UnixMicros};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::Postgres;
use super::connection::Connection;
use super::error::{Failure, no_connection};
use super::rows::{key, whose};
use crate::codec::broken;
use crate::{Result, Watched};

/// How long an answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// In the order of their keys: two nodes that do so at once do not wait for each other in a circle.
const HAND_OVER: &str = "
INSERT INTO handed_over (heartbeat, wake_at)
SELECT id, min(wake_at) FROM unnest($1::bytea[], $2::bigint[]) AS v (id, wake_at) GROUP BY id ORDER BY id
    ON CONFLICT (heartbeat) DO UPDATE SET wake_at = least(handed_over.wake_at, excluded.wake_at)";

const HANDED_OVER: &str = "SELECT heartbeat, wake_at FROM handed_over ORDER BY heartbeat LIMIT $1";

/// Not a row that has become earlier since it was read; nor one that another node takes now.
const TAKEN_OVER: &str = "
DELETE FROM handed_over WHERE heartbeat IN (
    SELECT h.heartbeat FROM handed_over h
      JOIN unnest($1::bytea[], $2::bigint[]) AS v (id, wake_at)
        ON v.id = h.heartbeat AND v.wake_at = h.wake_at
     ORDER BY h.heartbeat FOR UPDATE OF h SKIP LOCKED)";

impl Postgres {
    pub(crate) async fn hand_over(&self, watched: &[Watched]) -> Result<()> {
        let (ids, looks) = columns(watched);
        self.ask(HAND_OVER, &[&ids, &looks]).await.map(drop)
    }

    pub(crate) async fn handed_over(&self, limit: u32) -> Result<Vec<Watched>> {
        let rows = self.ask(HANDED_OVER, &[&i64::from(limit)]).await?;
        rows.iter().map(watched).collect()
    }

    pub(crate) async fn taken_over(&self, watched: &[Watched]) -> Result<()> {
        let (ids, looks) = columns(watched);
        self.ask(TAKEN_OVER, &[&ids, &looks]).await.map(drop)
    }

    /// One statement, which is a transaction.
    async fn ask(&self, statement: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let client = self.pool.get().await;
        // Closed, unless its answer is waited for to the end.
        let connection = Connection::new(client.map_err(|error| no_connection(&error))?);
        let asked = connection.query(statement, params);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, asked).await;
        match answer {
            Ok(Ok(rows)) => {
                connection.keep();
                Ok(rows)
            }
            Ok(Err(error)) => Err(Failure::from(error).error),
            Err(_) => Err(Failure::no_answer().error),
        }
    }
}

/// Those that are to be looked at, column by column.
fn columns(watched: &[Watched]) -> (Vec<Vec<u8>>, Vec<i64>) {
    let looks = watched.iter();
    looks
        .filter_map(|it| Some((key(it.heartbeat), it.wake_at?.0)))
        .unzip()
}

fn watched(row: &Row) -> Result<Watched> {
    let heartbeat: HeartbeatId = whose(row)?;
    let wake_at: i64 = row
        .try_get(1)
        .map_err(|error| broken("handed_over", "wake_at", heartbeat.0, error))?;
    Ok(Watched {
        heartbeat,
        wake_at: Some(UnixMicros(wake_at)),
    })
}
