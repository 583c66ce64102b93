//! The writer: one thread, one connection, one queue. Signals, judgements and people's changes pass
//! through it one after another, so that nothing has to be locked and nothing can overtake.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use nightbeat_domain::{Gap, GapLedger, HeartbeatId, Settings, UnixMicros};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::checkpoint::{self, Copier};
use super::lock::Witness;
use super::place::Place;
use super::portable::failed;
use crate::broken::Marker;
use crate::{Result, StoreError};

/// What the writer thread is asked to do.
type Job = Box<dyn FnOnce(&mut Writer) + Send>;

/// How many distinct settings are kept decoded.
const SETTINGS_CACHED_MAX: usize = 50_000;

/// What the writer thread works with.
pub(crate) struct Writer {
    connection: Connection,
    /// Settings by their row; rows are immutable, so this can never be stale.
    pub(crate) settings: HashMap<i64, Arc<Settings>>,
    /// The gap ledger, as stored.
    pub(crate) gaps: GapLedger,
    /// Heartbeats that cannot be read, or could not be lately, as stored. One that was removed may be left.
    pub(crate) broken: HashMap<HeartbeatId, Marker>,
    /// Every signal received up to this instant has been recorded or refused: the latest that a judgement
    /// was told.
    pub(crate) watermark: UnixMicros,
    /// The gap that failed batches left behind; the next transaction on the hot path enters it.
    pub(crate) refused: Option<Gap>,
    /// The id of the next row of the signal log.
    pub(crate) next_signal: i64,
    /// The id of the next row of the run log.
    pub(crate) next_run: i64,
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
        let (next_signal, next_run) = (next("signal")?, next("run")?);
        Ok(Self {
            connection,
            settings: HashMap::new(),
            gaps,
            broken: markers.into_iter().collect(),
            watermark: UnixMicros::MIN,
            refused: None,
            next_signal,
            next_run,
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
        let mut result = std::panic::catch_unwind(attempt).unwrap_or_else(|panic| {
            let said = panic_text(panic.as_ref());
            Err(StoreError::Broken(format!("a decision panicked: {said}")))
        });
        if result.is_err() {
            // What was rolled back may have stored settings, and their row is given to others next.
            self.settings.clear();
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
        if self.settings.len() > SETTINGS_CACHED_MAX {
            self.settings.clear();
        }
        let (mut next_signal, mut next_run) = (self.next_signal, self.next_run);
        let mut gaps = None;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let mut shared = Shared {
            settings: &mut self.settings,
            ledger: &self.gaps,
            broken: &self.broken,
            changed_ledger: &mut gaps,
            next_signal: &mut next_signal,
            next_run: &mut next_run,
        };
        // Dropping the transaction on an error rolls it back.
        let done = work(&transaction, &mut shared)?;
        transaction.commit().map_err(failed)?;
        if let Some(place) = &self.place {
            place.check()?;
        }
        self.next_signal = next_signal;
        self.next_run = next_run;
        if let Some(gaps) = gaps {
            self.gaps = gaps;
        }
        Ok(done)
    }

    /// Receiving until `until` is durable.
    pub(super) fn is_durable(&mut self, until: UnixMicros) {
        if let Some(witness) = &mut self.witness {
            witness.note(until);
        }
    }

    /// Keeps the log short.
    fn tend_log(&mut self) {
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

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a word")
}

/// What a transaction may use of the writer. Counters and the ledger change only when it commits.
pub(crate) struct Shared<'w> {
    pub(crate) settings: &'w mut HashMap<i64, Arc<Settings>>,
    ledger: &'w GapLedger,
    changed_ledger: &'w mut Option<GapLedger>,
    /// Heartbeats that cannot be read, or could not be lately, as they were when the transaction began.
    pub(crate) broken: &'w HashMap<HeartbeatId, Marker>,
    pub(crate) next_signal: &'w mut i64,
    pub(crate) next_run: &'w mut i64,
}

impl Shared<'_> {
    /// The gap ledger, as this transaction sees it.
    pub(crate) fn gaps(&self) -> &GapLedger {
        self.changed_ledger.as_ref().unwrap_or(self.ledger)
    }

    /// The gap ledger, to change.
    pub(crate) fn gaps_mut(&mut self) -> &mut GapLedger {
        self.changed_ledger
            .get_or_insert_with(|| self.ledger.clone())
    }
}

/// The way to the writer thread.
#[derive(Debug)]
pub(crate) struct WriterHandle {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl WriterHandle {
    pub(crate) fn start(writer: Writer) -> Result<Self> {
        let (jobs, inbox) = channel::<Job>();
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || work(writer, &inbox))
            .map_err(|error| StoreError::Fatal(format!("cannot start the writer: {error}")))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Queues `job` at once, and answers when it is done. The queue keeps the order of the calls, not of
    /// the awaits.
    pub(crate) fn run<T, F>(&self, job: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |writer| {
            // Whoever asked may have gone away; the work is done all the same.
            drop(answer.send(job(writer)));
        });
        let queued = match &self.jobs {
            Some(jobs) => jobs.send(job).is_ok(),
            None => false,
        };
        async move {
            if !queued {
                return Err(StoreError::Fatal("the writer has stopped".to_owned()));
            }
            answered
                .await
                .unwrap_or_else(|_| Err(StoreError::Fatal("the writer has stopped".to_owned())))
        }
    }
}

/// Waits until all that is queued is done.
impl Drop for WriterHandle {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer ended in a panic");
        }
    }
}

fn work(mut writer: Writer, inbox: &Receiver<Job>) {
    let guard = AbortOnPanic;
    while let Ok(job) = inbox.recv() {
        job(&mut writer);
        writer.tend_log();
    }
    writer.close();
    drop(guard);
}

/// A writer that has panicked must not leave a server behind that looks alive: end the process, and let
/// whoever supervises it start a new one.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
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
            *shared.next_signal += 1;
            panic!("no such calendar");
        });
        let error = panicked.unwrap_err();
        assert!(
            matches!(&error, StoreError::Broken(text) if text.contains("no such calendar")),
            "{error}"
        );
        assert_eq!(writer.next_signal, 1);
        let found = writer.transaction(|connection, _| {
            let count = "SELECT count(*) FROM signal";
            connection
                .query_row(count, [], |row| row.get::<_, i64>(0))
                .map_err(failed)
        });
        assert_eq!(found.unwrap(), 0);
    }
}
