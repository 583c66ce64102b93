//! Copies a database that is in use, as of one instant.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};

use super::open::{self, beside};
use super::past;
use super::place::Place;
use super::portable::failed;
use crate::{Result, StoreError};

/// A backup that is complete, checked and on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupDone {
    /// Its size.
    pub bytes: u64,
}

/// Copies the database to `to`. The copy is made under another name beside it, checked and synced, and
/// only then given its name: a file called `to` is a whole backup, however this ends. `replace`: a file of
/// that name may go.
///
/// Signals go on meanwhile: the copy is read from a snapshot. The log cannot shrink before it is done.
pub(super) fn backup(
    database: &Path,
    place: Option<&Place>,
    to: &Path,
    replace: bool,
) -> Result<BackupDone> {
    refuse_existing(database, to, replace)?;
    let partial = beside(to, ".partial");
    let held = hold(&partial).map_err(|error| impossible(to, &error))?;
    let done = fill(database, place, &partial)
        .and_then(|()| keep(&held, &partial, to, replace, database))
        .inspect_err(|_| {
            if let Err(error) = std::fs::remove_file(&partial) {
                let partial = partial.display();
                tracing::warn!(%error, "the unfinished backup {partial} could not be removed");
            }
        });
    // Only now: whoever comes next may have the name.
    drop(held);
    done
}

fn refuse_existing(database: &Path, to: &Path, replace: bool) -> Result<()> {
    if same_file(database, to) {
        return Err(refused(to, "it is the database itself"));
    }
    match std::fs::symlink_metadata(to) {
        Ok(found) if found.is_dir() => Err(refused(to, "it is a folder; name a file in it")),
        Ok(_) if !replace => Err(refused(
            to,
            "it exists; name another file, or say that it may be replaced",
        )),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(impossible(to, &error)),
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Creates the unfinished backup, or takes over what a process that died has left of one. The lock says
/// that it is still being made.
fn hold(partial: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(partial)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        let busy = "another backup to this name is being made";
        std::io::Error::new(std::io::ErrorKind::WouldBlock, busy)
    })?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    // SQLite wants a new file or an empty one.
    file.set_len(0)?;
    Ok(file)
}

fn fill(database: &Path, place: Option<&Place>, partial: &Path) -> Result<()> {
    let target = partial
        .to_str()
        .ok_or_else(|| refused(partial, "its name is not UTF-8"))?;
    let source = open::snapshot(database)?;
    // It is on the file that is in use.
    place.map_or(Ok(()), Place::check)?;
    source
        .execute("VACUUM INTO ?1", [target])
        .map_err(|error| because(partial, error))?;
    mark(partial).map_err(|error| because(partial, error))?;
    verify(partial)
}

/// Has the copy say that it is one: the server that is started on it must know. See [`past`].
fn mark(copy: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(copy, flags)?;
    // It needs no journal: unfinished, it is thrown away.
    connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    connection.pragma_update(None, "user_version", past::IS_A_COPY)
}

/// A backup that cannot be read is none.
fn verify(copy: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(copy, flags).map_err(failed)?;
    let answer: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| because(copy, error))?;
    if answer == "ok" {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "the copy is damaged ({answer}), so it was deleted; check the database, then its disk"
    )))
}

fn keep(
    held: &File,
    partial: &Path,
    to: &Path,
    replace: bool,
    database: &Path,
) -> Result<BackupDone> {
    let told = |error| impossible(to, &error);
    held.sync_all().map_err(told)?;
    let bytes = held.metadata().map_err(told)?.len();
    // Again: the copy may have taken an hour.
    refuse_existing(database, to, replace)?;
    std::fs::rename(partial, to).map_err(told)?;
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(told)?;
    Ok(BackupDone { bytes })
}

/// What went wrong with the copy says nothing of the database, unless that is corrupt.
fn because(target: &Path, error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => failed(error),
        _ => StoreError::Unavailable(format!("no backup to {}: {error}", target.display())),
    }
}

fn refused(to: &Path, why: &str) -> StoreError {
    StoreError::Conflict(format!("no backup to {}: {why}", to.display()))
}

fn impossible(to: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("no backup to {}: {error}", to.display()))
}
