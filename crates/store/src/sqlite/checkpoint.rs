//! Keeps the write-ahead log short without keeping signals waiting.
//!
//! SQLite would copy the log back into the database on the writer, after every thousandth page: each of
//! those commits takes as long as the copying. Here another thread copies, beside the writer; what is
//! written meanwhile is then little, and the writer copies that itself. All of the log is copied then, and
//! the next commit begins it anew.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::open::{self, beside};
use super::portable::failed;
use crate::{Result, StoreError};

/// A rest longer than this is copied back.
const COPY_OVER_BYTES: u64 = 16 * 1024 * 1024;

/// A rest longer than this is copied once more beside the writer, before the writer copies the last of it.
const LAST_BYTES_MAX: u64 = 1024 * 1024;

/// How often the rest is copied beside the writer, should signals come faster than the disk can copy.
const ROUNDS_MAX: u32 = 4;

/// After copying failed, nothing is tried for so long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// SQLite's page, unless a file was made otherwise: an estimate is enough here.
const PAGE_BYTES: u64 = 4_096;
const FRAME_HEADER_BYTES: u64 = 24;

/// The size of the log as a file: what it takes on the disk.
pub(super) fn wal_bytes(database: &Path) -> u64 {
    // No such file: all of it is in the database.
    std::fs::metadata(beside(database, "-wal")).map_or(0, |file| file.len())
}

/// Copies back what nobody still reads, and empties the log: for a clean end.
pub(super) fn empty(connection: &Connection) -> Result<()> {
    checkpoint(connection, "TRUNCATE").map(drop)
}

/// The bytes that are not copied back yet.
fn checkpoint(connection: &Connection, mode: &str) -> Result<u64> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    // Frames of a page each; -1 where there is no log.
    let (frames, copied): (i64, i64) = statement
        .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
        .map_err(failed)?;
    let rest = frames.saturating_sub(copied).max(0) as u64;
    Ok(rest.saturating_mul(PAGE_BYTES + FRAME_HEADER_BYTES))
}

/// The writer's side: the thread that copies, and when to wake it.
#[derive(Debug)]
pub(super) struct Copier {
    nudges: SyncSender<()>,
    copied: Receiver<Result<()>>,
    thread: JoinHandle<()>,
    copying: bool,
    /// A rest of so many bytes is copied back. Grows while a long read (a backup) forbids it.
    copy_over: u64,
}

impl Copier {
    /// Starts the thread.
    pub(super) fn start(database: &Path) -> Result<Self> {
        let connection = open::checkpointer(database)?;
        let (nudges, inbox) = sync_channel(1);
        let (answers, copied) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || work(&connection, &inbox, &answers))
            .map_err(|error| StoreError::Fatal(format!("cannot start a thread: {error}")))?;
        Ok(Self {
            nudges,
            copied,
            thread,
            copying: false,
            copy_over: COPY_OVER_BYTES,
        })
    }

    /// To be called after each transaction of the writer, on its connection.
    pub(super) fn tend(&mut self, writer: &Connection) -> Result<()> {
        if self.copying {
            let Ok(answer) = self.copied.try_recv() else {
                return Ok(());
            };
            self.copying = false;
            answer?;
            // With this the whole log is copied, and the next commit begins it anew.
            let rest = checkpoint(writer, "PASSIVE")?;
            self.copy_over = rest + COPY_OVER_BYTES;
        } else if checkpoint(writer, "NOOP")? >= self.copy_over {
            // The thread waits for nothing else, so there is room.
            self.copying = self.nudges.try_send(()).is_ok();
        }
        Ok(())
    }

    /// Ends the thread, after what it is at.
    pub(super) fn stop(self) {
        drop(self.nudges);
        if self.thread.join().is_err() {
            tracing::error!("the thread that shortens the log ended in a panic");
        }
    }
}

fn work(connection: &Connection, inbox: &Receiver<()>, answers: &SyncSender<Result<()>>) {
    while inbox.recv().is_ok() {
        let answer = rounds(connection);
        if answer.is_err() {
            // No nudge comes before the answer: this ends early only where the writer does.
            let _ = inbox.recv_timeout(PAUSE_AFTER_FAILURE);
        }
        if answers.send(answer).is_err() {
            return;
        }
    }
}

fn rounds(connection: &Connection) -> Result<()> {
    for _ in 0..ROUNDS_MAX {
        if checkpoint(connection, "PASSIVE")? <= LAST_BYTES_MAX {
            break;
        }
    }
    Ok(())
}
