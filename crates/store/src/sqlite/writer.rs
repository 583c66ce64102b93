//! The writer: one thread, one connection, one queue. Signals, judgements and people's changes pass
//! through it one after another, so that nothing has to be locked and nothing can overtake.

use std::sync::Arc;

use nightbeat_domain::{GapLedger, HeartbeatId, UnixMicros};
use rusqlite::{Connection, TransactionBehavior};

use super::checkpoint::{self, Copier};
use super::lock::Witness;
use super::place::Place;
use super::portable::failed;
use crate::broken::Marker;
use crate::hot::{Memory, NextRows, Shared, Worker, panicked};
use crate::{Result, StoreError};

/// What the writer thread works with.
pub(crate) struct Writer {
    connection: Connection,
    pub(super) memory: Memory,
    /// Keeps the log short; a tool leaves that to SQLite.
    copier: Option<Copier>,
    /// Where the files are; `None` where that cannot be told.
    place: Option<Arc<Place>>,
    /// Remembers what a server acknowledges.
    witness: Option<Witness>,
    /// Why the database cannot be used any more, once it cannot.
    fatal: Option<String>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        gaps: GapLedger,
        markers: Vec<(HeartbeatId, Marker)>,
        copier: Option<Copier>,
        place: Option<Arc<Place>>,
        witness: Option<Witness>,
    ) -> Result<Self> {
        let next = |table: &str| {
            let sql = format!("SELECT coalesce(max(id), 0) + 1 FROM {table}");
            connection
                .query_row(&sql, [], |row| row.get(0))
                .map_err(failed)
        };
        let next = NextRows {
            signal: next("signal")?,
            run: next("run")?,
        };
        Ok(Self {
            connection,
            memory: Memory::new(gaps, markers, next),
            copier,
            place,
            witness,
            fatal: None,
        })
    }

    /// Runs `work` in one transaction: all of it is stored and synced to disk, or nothing.
    pub(crate) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Shared<'_>) -> Result<T>,
    ) -> Result<T> {
        if let Some(reason) = &self.fatal {
            return Err(StoreError::Fatal(reason.clone()));
        }
        // A row that makes a decision panic is a broken row: the server would only start, meet it and end
        // again. What the work has changed is rolled back, here and in the database.
        let attempt = std::panic::AssertUnwindSafe(|| self.attempt(work));
        let mut result =
            std::panic::catch_unwind(attempt).unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        if result.is_err() {
            self.memory.rolled_back();
            if !self.connection.is_autocommit() {
                let reason = "a transaction could not be rolled back".to_owned();
                result = Err(StoreError::Fatal(reason));
            }
        }
        if let Err(StoreError::Fatal(reason)) = &result {
            self.fatal = Some(reason.clone());
        }
        result
    }

    fn attempt<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Shared<'_>) -> Result<T>,
    ) -> Result<T> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let mut shared = self.memory.share();
        // Dropping the transaction on an error rolls it back.
        let done = work(&transaction, &mut shared)?;
        let changed = shared.changed();
        transaction.commit().map_err(failed)?;
        if let Some(place) = &self.place {
            place.check()?;
        }
        self.memory.keep(changed);
        Ok(done)
    }

    /// Receiving until `until` is durable.
    pub(super) fn is_durable(&mut self, until: UnixMicros) {
        if let Some(witness) = &mut self.witness {
            witness.note(until);
        }
    }
}

impl Worker for Writer {
    /// Keeps the log short.
    fn after_job(&mut self) {
        let Some(copier) = &mut self.copier else {
            return;
        };
        match copier.tend(&self.connection) {
            Ok(()) => {}
            Err(StoreError::Fatal(reason)) => self.fatal = Some(reason),
            Err(error) => tracing::warn!(%error, "the log cannot be copied into the database"),
        }
    }

    /// Leaves one file behind: nothing in the log.
    fn close(mut self) {
        let Some(copier) = self.copier.take() else {
            return;
        };
        copier.stop();
        if let Err(error) = checkpoint::empty(&self.connection) {
            tracing::warn!(%error, "the log is left beside the database; the next start reads it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE signal (id INTEGER); CREATE TABLE run (id INTEGER)")
            .unwrap();
        Writer::new(
            connection,
            GapLedger::default(),
            Vec::new(),
            None,
            None,
            None,
        )
        .unwrap()
    }

    #[test]
    fn a_decision_that_panics_is_rolled_back_and_the_next_one_works() {
        let mut writer = writer();
        let insert = "INSERT INTO signal (id) VALUES (1)";
        let panicked = writer.transaction(|connection, shared| -> Result<()> {
            connection.execute(insert, []).map_err(failed)?;
            shared.next.signal += 1;
            panic!("no such calendar");
        });
        let error = panicked.unwrap_err();
        assert!(
            matches!(&error, StoreError::Broken(text) if text.contains("no such calendar")),
            "{error}"
        );
        assert_eq!(writer.memory.next.signal, 1);
        let found = writer.transaction(|connection, _| {
            let count = "SELECT count(*) FROM signal";
            connection
                .query_row(count, [], |row| row.get::<_, i64>(0))
                .map_err(failed)
        });
        assert_eq!(found.unwrap(), 0);
    }
}
