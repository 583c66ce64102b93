//! SQLite: one writer thread, a few readers, one file.

mod backup;
mod broken;
mod check;
mod checkpoint;
mod file_system;
mod hot;
pub(crate) mod open;
pub(crate) mod portable;
mod readers;
mod rows;
pub(crate) mod writer;

use std::path::{Path, PathBuf};

use nightbeat_domain::{GapLedger, UnixMicros};
use rusqlite::{Connection, TransactionBehavior};

pub use self::backup::BackupDone;
pub use self::check::{CheckReport, CheckedPart, check_sqlite};
use self::checkpoint::Copier;
use self::open::ServerLock;
use self::portable::{Portable, failed};
use self::readers::Readers;
use self::writer::{Writer, WriterHandle};
use crate::hot::{Done, Elapse, Record};
use crate::sql::Sql;
use crate::{
    PruneCursor, PruneProgress, Result, Retention, StoreError, effects, migrate, outbox, retention,
};

/// A SQLite file, opened.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    // Dropped in this order: the writer finishes what is queued before the file is given up.
    writer: WriterHandle,
    readers: Readers,
    _lock: Option<ServerLock>,
}

impl Sqlite {
    /// Opens (or creates) the file, brings its schema up to date and starts the writer. `serves`: refuse
    /// a second server on the file.
    pub(crate) fn open(
        path: &Path,
        serves: bool,
        allow_network_file_system: bool,
    ) -> Result<(Self, Option<UnixMicros>)> {
        open::folder(path, allow_network_file_system)?;
        let lock = serves.then(|| open::lock(path)).transpose()?;
        let mut connection = open::writer(path)?;
        if serves || !open::is_served(path) {
            open::renew_log(&mut connection, path)?;
        }
        migrate::migrate(&mut connection)?;
        let (gaps, alive_until, markers) = inside(&mut connection, |sql| {
            if serves {
                outbox::free_leases(sql)?;
            }
            let markers = crate::broken::markers(sql)?;
            Ok((effects::gaps(sql)?, effects::alive_until(sql)?, markers))
        })?;
        let copier = if serves {
            open::leave_log_alone(&connection)?;
            Some(Copier::start(path)?)
        } else {
            None
        };
        let writer = Writer::new(connection, GapLedger::new(gaps), markers, copier)?;
        let writer = WriterHandle::start(writer)?;
        let sqlite = Self {
            path: path.to_owned(),
            writer,
            readers: Readers::open(path)?,
            _lock: lock,
        };
        Ok((sqlite, alive_until))
    }

    /// Copies the file, as of now, on a thread of its own.
    pub(crate) async fn backup(&self, to: PathBuf, replace: bool) -> Result<BackupDone> {
        let database = self.path.clone();
        on_a_thread(move || backup::backup(&database, &to, replace)).await
    }

    /// Looks the file through, on a thread of its own.
    pub(crate) async fn check(&self) -> Result<CheckReport> {
        let database = self.path.clone();
        on_a_thread(move || check_sqlite(&database)).await
    }

    pub(crate) fn wal_bytes(&self) -> u64 {
        checkpoint::wal_bytes(&self.path)
    }

    pub(crate) fn record(
        &self,
        batch: Record,
    ) -> impl Future<Output = Result<Done>> + Send + use<> {
        self.writer.run(move |writer| hot::record(writer, &batch))
    }

    pub(crate) fn elapse(&self, due: Elapse) -> impl Future<Output = Result<Done>> + Send + use<> {
        self.writer.run(move |writer| hot::judge(writer, &due))
    }

    /// Runs portable SQL in one transaction on the writer.
    pub(crate) fn write<T, F>(&self, verb: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Sql) -> Result<T> + Send + 'static,
    {
        self.writer.run(move |writer| {
            writer.transaction(|connection, _| verb(&mut Portable::new(connection)))
        })
    }

    pub(crate) async fn watch_list(&self) -> Result<Vec<crate::Watched>> {
        self.readers.run(rows::watch_list).await
    }

    /// One step of a sweep: found on a reader, carried out by the writer.
    pub(crate) async fn prune_step(
        &self,
        retention: Retention,
        now: UnixMicros,
        cursor: PruneCursor,
    ) -> Result<PruneProgress> {
        let plan = self
            .read(move |sql| retention::plan(sql, &retention, now, &cursor))
            .await?;
        if plan.is_empty() {
            return Ok(plan.progress());
        }
        let carry_out = self.writer.run(move |writer| {
            let deleted = writer.transaction(|connection, shared| {
                let mut sql = Portable::new(connection);
                let deleted = plan.apply(&mut sql)?;
                if plan.changes_gaps() {
                    *shared.gaps_mut() = GapLedger::new(effects::gaps(&mut sql)?);
                }
                Ok(deleted)
            })?;
            Ok(PruneProgress {
                deleted,
                ..plan.progress()
            })
        });
        carry_out.await
    }

    /// Runs portable SQL on a snapshot.
    pub(crate) async fn read<T, F>(&self, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Sql) -> Result<T> + Send + 'static,
    {
        self.readers
            .run(|connection| verb(&mut Portable::new(connection)))
            .await
    }
}

/// Runs what takes long beside everything else.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StoreError::Unavailable(format!("it was cut off: {error}"))))
}

/// Runs portable SQL in one transaction on a connection of one's own.
pub(crate) fn inside<T>(
    connection: &mut Connection,
    verb: impl FnOnce(&mut dyn Sql) -> Result<T>,
) -> Result<T> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let done = verb(&mut Portable::new(&transaction))?;
    transaction.commit().map_err(failed)?;
    Ok(done)
}
