//! How a transaction on the hot path ends: one round trip writes everything and commits. Where the answer is
//! lost, the node's row tells what became of it.

use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::runtime::Handle;

use super::begin::OwnNode;
use super::connection::{Connection, wait};
use super::error::{Failure, text};
use super::flush::{Params, WRITE};
use super::rows::Written;
use super::session::{COMMIT, is_refusal, pause};
use crate::StoreError;

/// How long is looked for what became of a transaction whose answer was lost.
const LOOK_TIMEOUT: Duration = Duration::from_secs(4);

/// The server may still be at the old transaction: then its lock is waited for.
const LAST_BATCH: &str = "SELECT last_batch FROM node WHERE id = $1 FOR UPDATE";

/// Writes everything and commits.
pub(super) fn commit(
    connection: Connection,
    runtime: &Handle,
    node: &OwnNode,
    written: &Written,
) -> Result<(), Lost> {
    let id: &[u8] = node.row.node.0.as_bytes();
    let (lease_until, watermark) = (node.row.lease_until.0, node.row.watermark.0);
    let mut params: Params<'_> = written.signals.params();
    params.extend(written.runs.params());
    params.extend(written.states.params());
    params.extend::<Params<'_>>(vec![
        &id,
        &lease_until,
        &watermark,
        &node.last_id,
        &node.batch,
    ]);
    if let Err(failure) = wait(runtime, connection.prepare(&WRITE)) {
        let Failure { error, again } = failure;
        return Err(Lost::Not(connection.roll_back(runtime, error, again)));
    }
    // Sent at once, in this order. Where the first is refused, so is COMMIT.
    let all = async {
        let (wrote, committed) =
            tokio::join!(connection.query(&WRITE, &params), connection.say(COMMIT));
        wrote.map(drop).and(committed)
    };
    let limited = async { tokio::time::timeout(COMMIT_TIMEOUT, all).await };
    match runtime.block_on(limited) {
        Ok(Ok(())) => {
            connection.keep();
            Ok(())
        }
        Ok(Err(error)) if is_refusal(&error) => {
            let Failure { error, again } = error.into();
            Err(Lost::Not(connection.roll_back(runtime, error, again)))
        }
        Ok(Err(error)) => Err(Lost::Answer(text(&error))),
        Err(_) => Err(Lost::Answer("no answer in time".to_owned())),
    }
}

/// How long the last round trip may take; the server may wait for its standby.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a transaction was not seen to be committed.
pub(super) enum Lost {
    /// It was not committed.
    Not(Failure),
    /// Nobody said: see [`look`].
    Answer(String),
}

/// Whether the transaction of `node` was committed. The old connection is closed by now.
pub(super) fn look(
    pool: &Pool,
    runtime: &Handle,
    node: &OwnNode,
    why: &str,
) -> Result<bool, StoreError> {
    let looked = async {
        loop {
            match last_batch(pool, node).await {
                Ok(Some(last)) if last <= node.batch => return Some(last == node.batch),
                // The node has begun anew, or is forgotten: what its last life did nobody knows.
                Ok(_) => return None,
                Err(error) => {
                    tracing::debug!(error, "what became of a transaction is not known yet");
                }
            }
            tokio::time::sleep(pause()).await;
        }
    };
    let limited = async { tokio::time::timeout(LOOK_TIMEOUT, looked).await };
    let found = runtime.block_on(limited).ok().flatten();
    found.ok_or_else(|| {
        let text = format!("the connection was lost at COMMIT ({why}), and no other can be had");
        StoreError::Unknown(text)
    })
}

async fn last_batch(pool: &Pool, node: &OwnNode) -> Result<Option<i64>, String> {
    let client = pool.get().await.map_err(|error| error.to_string())?;
    // Closed, where its answer is not waited for to the end.
    let connection = Connection::new(client);
    let id: &[u8] = node.row.node.0.as_bytes();
    let rows = connection.query(LAST_BATCH, &[&id]).await;
    let rows = rows.map_err(|error| text(&error))?;
    connection.keep();
    let last = rows.first().map(|row| row.try_get(0)).transpose();
    last.map_err(|error| text(&error))
}
