//! What is wrong with a database's past: it is missing, damaged, or older than what was acknowledged on it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nightbeat_domain::UnixMicros;
use rusqlite::Connection;

use super::check;
use super::lock;
use super::open::{beside, unusable};
use super::portable::failed;
use crate::sql::Sql;
use crate::{Result, StoreError};

/// A database up to this size is looked through at each start: that takes less than a second.
const CHECKED_AT_START_BYTES_MAX: i64 = 128 * 1024 * 1024;

/// A copy says in its header that it is one (`PRAGMA user_version`), until a server begins to use it.
pub(super) const IS_A_COPY: u32 = 1;

/// Where `user_version` stands in the file (<https://sqlite.org/fileformat.html#user_version_number>).
const USER_VERSION_AT: u64 = 60;

/// How many alerts of one heartbeat may have been told after a backup was made: the numbers of so many are
/// not given again. Keys that receivers know follow from them.
const ALERTS_LOST_MAX: u32 = 100_000;

/// Refuses to begin an empty database in the place of one that was lost: nobody would notice.
pub(super) fn refuse_lost(database: &Path) -> Result<()> {
    let length = std::fs::metadata(database).map_or(0, |file| file.len());
    if length > 0 {
        return Ok(());
    }
    let name = database.display();
    if log_bytes(database) > 0 {
        return Err(StoreError::Fatal(format!(
            "{name} is missing or empty, but its log {name}-wal is there, which is worth nothing alone; \
             put the database back beside it, or restore a backup and remove {name}-wal and {name}-shm"
        )));
    }
    if lock::acknowledged_until(database).is_some() {
        return Err(StoreError::Fatal(format!(
            "{name} is missing or empty, but a server has used it; put it or a backup of it back, \
             or remove {name}.lock to begin with an empty one"
        )));
    }
    Ok(())
}

/// Refuses a copy with a log beside it: that log belongs to the database which was there before, and SQLite
/// would write its pages into the copy.
pub(super) fn refuse_strange_log(database: &Path) -> Result<()> {
    if log_bytes(database) == 0 || !is_a_copy(database)? {
        return Ok(());
    }
    let name = database.display();
    Err(StoreError::Fatal(format!(
        "{name} is a backup that was put back, and the log of the database before it is still there; \
         remove {name}-wal and {name}-shm, and start again"
    )))
}

/// Whether the file itself, without its log, says that it is a copy.
fn is_a_copy(database: &Path) -> Result<bool> {
    let mut version = [0; 4];
    let file = File::open(database).map_err(|error| unusable(database, &error))?;
    match file.read_exact_at(&mut version, USER_VERSION_AT) {
        Ok(()) => Ok(u32::from_be_bytes(version) == IS_A_COPY),
        // Too short to be a database: SQLite will say so.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(unusable(database, &error)),
    }
}

fn log_bytes(database: &Path) -> u64 {
    std::fs::metadata(beside(database, "-wal")).map_or(0, |file| file.len())
}

/// Refuses a file that is damaged, where it is small enough to look.
pub(super) fn refuse_damaged(connection: &Connection, database: &Path) -> Result<()> {
    let number = |name| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(failed)
    };
    let bytes = number("page_count")?.saturating_mul(number("page_size")?);
    if bytes > CHECKED_AT_START_BYTES_MAX {
        return Ok(());
    }
    check::refuse_damaged(connection, database, check::Depth::Pages)
}

/// Why the database is older than what was acknowledged on it, in words; `None` where it is not.
pub(super) fn setback(
    connection: &Connection,
    database: &Path,
    alive_until: Option<UnixMicros>,
    acknowledged_until: Option<UnixMicros>,
) -> Result<Option<String>> {
    let name = database.display();
    let known = alive_until.map_or_else(|| "never".to_owned(), |known| known.to_string());
    if let Some(acknowledged) = acknowledged_until.filter(|it| Some(*it) > alive_until) {
        // What was lost may be a part of a log: what is left need not fit together.
        check::refuse_damaged(connection, database, check::Depth::Indexes)?;
        return Ok(Some(format!(
            "{name} is older than it was: signals were acknowledged on it until {acknowledged}, and it \
             knows of none after {known}; a backup was put back, or its log {name}-wal is gone"
        )));
    }
    let version: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(failed)?;
    let text = format!("{name} is a backup of {known} that was put back");
    Ok((version == IS_A_COPY).then_some(text))
}

/// Begins anew after a setback. Alerts that were told in the time which is lost had numbers, which would be
/// given again now, and with them the keys by which receivers know that they have an alert already: they
/// would throw away new ones.
pub(super) fn begin_after(sql: &mut dyn Sql) -> Result<()> {
    sql.execute("PRAGMA user_version = 0", &[])?;
    let most = i64::from(u32::MAX);
    let lost = i64::from(ALERTS_LOST_MAX);
    sql.execute(
        "UPDATE heartbeat_state SET alerts = min(alerts + $1, $2)",
        &[lost.into(), most.into()],
    )?;
    Ok(())
}

/// Has the file itself no longer say that it is a copy, before its log holds anything that matters.
pub(super) fn settle(connection: &Connection, database: &Path) -> Result<()> {
    super::checkpoint::empty(connection)?;
    if is_a_copy(database)? {
        let name = database.display();
        return Err(StoreError::Unavailable(format!(
            "{name} is being read by another program; start again when that is done"
        )));
    }
    Ok(())
}
