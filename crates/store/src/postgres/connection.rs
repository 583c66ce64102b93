//! The hot path's connection for the length of one transaction.

use std::time::Duration;

use deadpool_postgres::Object;
use tokio::runtime::Handle;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::error::{Again, Failure};
use super::portable::Portable;
use crate::StoreError;

/// How long an answer is waited for: longer than the server's own limit for a statement of the hot path.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

type Answer<T> = std::result::Result<T, tokio_postgres::Error>;

/// A connection in the middle of a transaction. Dropped there, it is closed.
pub(super) struct Connection {
    client: Option<Object>,
    kept: bool,
}

impl Connection {
    pub(super) fn new(client: Object) -> Self {
        Self {
            client: Some(client),
            kept: false,
        }
    }

    fn client(&self) -> &Object {
        // It is taken out when this is dropped, and only then.
        self.client.as_ref().expect("a connection in use")
    }

    /// Portable SQL on it.
    pub(super) fn portable<'c>(&'c self, runtime: &'c Handle) -> Portable<'c> {
        Portable::new(self.client(), runtime, ANSWER_TIMEOUT)
    }

    /// Has a statement ready, so that running it takes no round trip more.
    pub(super) async fn prepare(&self, sql: &str) -> Answer<()> {
        self.client().prepare_cached(sql).await.map(drop)
    }

    pub(super) async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Answer<Vec<Row>> {
        let statement = self.client().prepare_cached(sql).await?;
        self.client().query(&statement, params).await
    }

    /// Says something that has no answer.
    pub(super) async fn say(&self, text: &str) -> Answer<()> {
        self.client().batch_execute(text).await
    }

    /// The transaction is over: the connection may be used again.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }

    /// Ends the transaction without storing anything. A connection that cannot even do that is closed.
    pub(super) fn roll_back(self, runtime: &Handle, error: StoreError, again: Again) -> Failure {
        if again != Again::Elsewhere && wait(runtime, self.say("ROLLBACK")).is_ok() {
            self.keep();
        }
        Failure { error, again }
    }
}

/// Waits for an answer.
pub(super) fn wait<T>(
    runtime: &Handle,
    work: impl Future<Output = Answer<T>>,
) -> std::result::Result<T, Failure> {
    let limited = async { tokio::time::timeout(ANSWER_TIMEOUT, work).await };
    match runtime.block_on(limited) {
        Ok(answer) => Ok(answer?),
        // A second try would take as long.
        Err(_) => Err(Failure {
            again: Again::Never,
            ..Failure::no_answer()
        }),
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|_| !self.kept) {
            drop(Object::take(client));
        }
    }
}
