//! SQLite: one writer thread, a few readers, one file.

mod backup;
mod check;
mod checkpoint;
mod file_system;
mod hot;
mod lock;
pub(crate) mod open;
mod past;
mod place;
pub(crate) mod portable;
mod readers;
mod rows;
pub(crate) mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nightbeat_domain::{GapLedger, UnixMicros};
use rusqlite::{Connection, TransactionBehavior};

pub use self::backup::BackupDone;
pub use self::check::{CheckReport, CheckedPart, check_sqlite};
use self::checkpoint::Copier;
use self::lock::ServerLock;
use self::place::Place;
use self::portable::{Portable, failed};
use self::readers::Readers;
use self::writer::Writer;
use crate::hot::{Done, Elapse, Queue, Record, judge, record};
use crate::retention::Logs;
use crate::sql::Sql;
use crate::{
    Opener, PruneCursor, PruneProgress, Result, Retention, StoreError, copy, effects, migrate,
    outbox, retention,
};

/// A SQLite file, opened.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    place: Option<Arc<Place>>,
    // Dropped in this order: the writer finishes what is queued before the file is given up.
    writer: Queue<Writer>,
    readers: Readers,
    _lock: Option<ServerLock>,
}

impl Sqlite {
    /// Opens (or creates) the file, brings its schema up to date and starts the writer. All but a
    /// tool refuse a second server on the file.
    pub(crate) fn open(
        path: &Path,
        opener: Opener,
        allow_network_file_system: bool,
    ) -> Result<(Self, Before)> {
        let serves = opener != Opener::Tool;
        open::folder(path, allow_network_file_system)?;
        let lock = serves.then(|| lock::lock(path)).transpose()?;
        past::refuse_lost(path)?;
        if serves {
            past::refuse_strange_log(path)?;
        }
        let (mut connection, inode) = open::writer(path)?;
        if serves || !lock::is_served(path) {
            open::renew_log(&mut connection, path)?;
        }
        if serves {
            past::refuse_damaged(&connection, path)?;
        }
        migrate::migrate(&mut connection)?;
        if opener != Opener::Copy && inside(&mut connection, |sql| copy::is_unfinished(sql, false))?
        {
            return Err(copy::unfinished());
        }
        let before = match &lock {
            Some(lock) => begin(&mut connection, path, lock)?,
            None => Before {
                alive_until: inside(&mut connection, effects::alive_until)?,
                setback: None,
            },
        };
        let (gaps, markers) = inside(&mut connection, |sql| {
            Ok((effects::gaps(sql)?, crate::broken::markers(sql)?))
        })?;
        // The numbers that files have on another machine may change.
        let place = (!allow_network_file_system).then(|| Place::of(path, inode));
        let place = place.transpose()?.map(Arc::new);
        let copier = if serves {
            open::leave_log_alone(&connection)?;
            Some(Copier::start(path)?)
        } else {
            None
        };
        let witness = lock.as_ref().map(|lock| lock.witness(before.alive_until));
        let gaps = GapLedger::new(gaps);
        let writer = Writer::new(connection, gaps, markers, copier, place.clone(), witness)?;
        let writer = Queue::start(writer)?;
        let sqlite = Self {
            path: path.to_owned(),
            place: place.clone(),
            writer,
            readers: Readers::open(path, place)?,
            _lock: lock,
        };
        Ok((sqlite, before))
    }

    /// Copies the file, as of now, on a thread of its own.
    pub(crate) async fn backup(&self, to: PathBuf, replace: bool) -> Result<BackupDone> {
        let database = self.path.clone();
        let place = self.place.clone();
        on_a_thread(move || backup::backup(&database, place.as_deref(), &to, replace)).await
    }

    /// Looks the file through, on a thread of its own.
    pub(crate) async fn check(&self) -> Result<CheckReport> {
        self.look(check_sqlite).await
    }

    /// Looks the pages over, on a thread of its own.
    pub(crate) async fn damage(&self) -> Result<Vec<String>> {
        self.look(check::damage).await
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Path) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (database, place) = (self.path.clone(), self.place.clone());
        on_a_thread(move || {
            let found = look(&database)?;
            // It was the file that is in use.
            place.map_or(Ok(()), |place| place.check())?;
            Ok(found)
        })
        .await
    }

    pub(crate) fn wal_bytes(&self) -> u64 {
        checkpoint::wal_bytes(&self.path)
    }

    pub(crate) fn record(
        &self,
        batch: Record,
    ) -> impl Future<Output = Result<Done>> + Send + use<> {
        self.writer.run(move |writer| record(writer, &batch))
    }

    pub(crate) fn elapse(&self, due: Elapse) -> impl Future<Output = Result<Done>> + Send + use<> {
        self.writer.run(move |writer| judge(writer, &due))
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
            .read(move |sql| retention::plan(sql, &retention, now, &cursor, Logs::Swept))
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

/// What a server finds of the time before it.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) alive_until: Option<UnixMicros>,
    /// Why the database is older than what was acknowledged on it.
    pub(crate) setback: Option<String>,
}

/// A server begins: what was under way is free again.
fn begin(connection: &mut Connection, path: &Path, lock: &ServerLock) -> Result<Before> {
    let alive_until = inside(connection, effects::alive_until)?;
    let setback = past::setback(connection, path, alive_until, lock.acknowledged_until)?;
    inside(connection, |sql| {
        if setback.is_some() {
            past::begin_after(sql)?;
        }
        outbox::free_leases(sql)
    })?;
    if setback.is_some() {
        past::settle(connection, path)?;
    }
    Ok(Before {
        alive_until,
        setback,
    })
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
