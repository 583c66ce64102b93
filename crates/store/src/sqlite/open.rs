//! Opening a SQLite file: who may, and with which settings.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::file_system;
use super::place::Inode;
use super::portable::failed;
use crate::{Result, StoreError};

/// How long a statement waits for another process (a backup, the administrator's tool).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The oldest SQLite that does not lose committed pages when a checkpoint meets a write
/// (<https://sqlite.org/wal.html#the_wal_reset_bug>).
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// How much of the log is written again at once.
const RENEWED_BYTES: usize = 1024 * 1024;

/// How many prepared statements a connection keeps.
const STATEMENTS_CACHED: usize = 128;

/// A connection that writes, and which file it is on. Creates the file, readable by its owner only.
pub(crate) fn writer(database: &Path) -> Result<(Connection, Inode)> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(StoreError::Fatal(format!(
            "SQLite {} can lose committed data; 3.51.3 is the oldest that may be used",
            rusqlite::version()
        )));
    }
    let inode = create_private(database)?;
    let connection = Connection::open(database).map_err(failed)?;
    common(&connection)?;
    log_ahead(&connection, database)?;
    for (name, value) in [
        // What is acknowledged survives a power cut. NORMAL would lose the last commits.
        ("synchronous", "FULL"),
        ("fullfsync", "ON"),
        ("journal_size_limit", "67108864"),
        ("foreign_keys", "ON"),
        // At most 256 MiB of pages, taken as they are needed: the hot rows of a million heartbeats fit.
        ("cache_size", "-262144"),
    ] {
        pragma(&connection, name, value)?;
    }
    Ok((connection, inode))
}

/// SQLite keeps its old journal where it cannot keep a log, and does not call that an error.
fn log_ahead(connection: &Connection, database: &Path) -> Result<()> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(failed)?;
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError::Fatal(format!(
        "{} cannot have a write-ahead log (its journal mode stays {mode}): \
         its file system lacks shared memory or locks; move it to a local disk",
        database.display()
    )))
}

/// Writes what the log of an earlier process holds once more, byte for byte, and syncs it.
///
/// After a sync that failed, the kernel takes the pages for clean: the next process still reads from memory
/// what never came to the disk, and no sync of its own would write it. SQLite would take such commits for
/// stored and append to them, and a power cut would then take what was acknowledged behind them. Written
/// again, they are synced, or the start fails.
pub(crate) fn renew_log(writer: &mut Connection, database: &Path) -> Result<()> {
    // Nobody appends to the log meanwhile, begins it anew or removes it.
    let held = writer
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let path = beside(database, "-wal");
    match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(log) => write_again(&log).map_err(|error| unusable(&path, &error))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(unusable(&path, &error)),
    }
    held.rollback().map_err(failed)
}

fn write_again(log: &File) -> std::io::Result<()> {
    let mut buffer = vec![0; RENEWED_BYTES];
    let mut at = 0;
    loop {
        let read = log.read_at(&mut buffer, at)?;
        if read == 0 {
            break;
        }
        log.write_all_at(&buffer[..read], at)?;
        at += read as u64;
    }
    if at == 0 {
        return Ok(());
    }
    log.sync_all()
}

/// A connection that only reads.
pub(crate) fn reader(database: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(failed)?;
    common(&connection)?;
    pragma(&connection, "query_only", "ON")?;
    pragma(&connection, "cache_size", "-8192")?;
    Ok(connection)
}

/// A connection without `query_only`, which would forbid to write a copy, or the log into the database.
pub(crate) fn snapshot(database: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(failed)?;
    common(&connection)?;
    Ok(connection)
}

/// A connection that copies the log into the database. It syncs what it copies as the writer would.
pub(crate) fn checkpointer(database: &Path) -> Result<Connection> {
    let connection = snapshot(database)?;
    pragma(&connection, "synchronous", "FULL")?;
    pragma(&connection, "fullfsync", "ON")?;
    pragma(&connection, "checkpoint_fullfsync", "ON")?;
    // Until its first statement a connection does not know that there is a log.
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(failed)?;
    Ok(connection)
}

/// No commit of the writer copies the log back: see [`super::checkpoint`].
pub(crate) fn leave_log_alone(writer: &Connection) -> Result<()> {
    pragma(writer, "wal_autocheckpoint", "0")
}

fn common(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    pragma(connection, "trusted_schema", "OFF")?;
    pragma(connection, "cell_size_check", "ON")?;
    pragma(connection, "temp_store", "MEMORY")
}

fn pragma(connection: &Connection, name: &str, value: &str) -> Result<()> {
    connection.pragma_update(None, name, value).map_err(failed)
}

/// Creates the folder of the database where it is missing, and refuses one that lies on another machine.
pub(crate) fn folder(database: &Path, allow_network_file_system: bool) -> Result<()> {
    let folder = match database.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    create_folder(folder).map_err(|error| unusable(folder, &error))?;
    if allow_network_file_system {
        return Ok(());
    }
    file_system::refuse_network(folder)
}

/// With the folders above it that are missing. The name of a folder is on the disk when the one above it
/// was synced; SQLite syncs only the last one.
fn create_folder(folder: &Path) -> std::io::Result<()> {
    let named = |path: &&Path| !path.as_os_str().is_empty();
    let above = folder.ancestors().filter(named);
    let missing: Vec<&Path> = above.take_while(|path| !path.exists()).collect();
    std::fs::create_dir_all(folder)?;
    for created in missing {
        let above = created.parent().filter(named).unwrap_or(Path::new("."));
        if let Err(error) = File::open(above).and_then(|folder| folder.sync_all()) {
            let above = above.display();
            tracing::warn!(%error, "{above} cannot be synced: a power cut now may lose the new folder in it");
        }
    }
    Ok(())
}

fn create_private(database: &Path) -> Result<Inode> {
    let created = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(database)
        .and_then(|file| file.metadata());
    let file = created.map_err(|error| unusable(database, &error))?;
    Ok(Inode::of(&file))
}

/// The file beside the database with `suffix` added to its whole name.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn unusable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Fatal(format!("cannot use {}: {error}", path.display()))
}
