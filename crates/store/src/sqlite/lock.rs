//! The file `.lock` beside a database: it keeps a second server out, and remembers until when the last one
//! acknowledged signals. A database that knows less than that has lost something.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nightbeat_domain::UnixMicros;
use rustix::fs::{FlockOperation, flock};

use super::open::{beside, unusable};
use crate::{Result, StoreError};

/// What the second line begins with. The first one is the process that holds the file, or held it last.
const UNTIL: &str = "acknowledged until ";

/// Holds the database for one server. Freed by the kernel when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct ServerLock {
    file: Arc<File>,
    path: PathBuf,
    /// What the last server left there.
    pub(crate) acknowledged_until: Option<UnixMicros>,
}

/// Remembers, beside the database, until when signals were acknowledged.
///
/// It is written after each commit and never synced: what it says was on the disk before it. So it may say
/// too little after a power cut, and never too much.
#[derive(Debug)]
pub(crate) struct Witness {
    file: Arc<File>,
    path: PathBuf,
    until: Option<UnixMicros>,
}

/// Refuses a second server on the same file, and says who holds it.
pub(crate) fn lock(database: &Path) -> Result<ServerLock> {
    let path = beside(database, ".lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| unusable(&path, &error))?;
    let is_free = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
    let mut said = String::new();
    file.read_to_string(&mut said)
        .map_err(|error| unusable(&path, &error))?;
    if !is_free {
        return Err(StoreError::Fatal(format!(
            "another server (process {}) uses {}; stop it first, or give this one its own database",
            said.lines().next().unwrap_or_default(),
            database.display()
        )));
    }
    let acknowledged_until = until(&said);
    let text = text(acknowledged_until);
    file.write_all_at(text.as_bytes(), 0)
        .and_then(|()| file.set_len(text.len() as u64))
        .map_err(|error| unusable(&path, &error))?;
    Ok(ServerLock {
        file: Arc::new(file),
        path,
        acknowledged_until,
    })
}

/// Whether a server uses the database now: it has written the log again itself, and must not wait for a
/// tool that does it once more.
pub(crate) fn is_served(database: &Path) -> bool {
    File::open(beside(database, ".lock"))
        .is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err())
}

/// Until when a server, of now or of before, has acknowledged signals on this database.
pub(crate) fn acknowledged_until(database: &Path) -> Option<UnixMicros> {
    // No such file, or one that cannot be read: nothing is known.
    let said = std::fs::read_to_string(beside(database, ".lock")).ok()?;
    until(&said)
}

impl ServerLock {
    /// What remembers from now on. `until`: what the database itself knows.
    pub(crate) fn witness(&self, until: Option<UnixMicros>) -> Witness {
        let witness = Witness {
            file: Arc::clone(&self.file),
            path: self.path.clone(),
            until,
        };
        witness.write();
        witness
    }
}

impl Witness {
    /// Signals up to `until` are durable, and will be acknowledged.
    pub(crate) fn note(&mut self, until: UnixMicros) {
        if self.until.is_none_or(|known| known < until) {
            self.until = Some(until);
            self.write();
        }
    }

    fn write(&self) {
        if let Err(error) = self.file.write_all_at(text(self.until).as_bytes(), 0) {
            // It only serves to notice a loss later.
            let path = self.path.display();
            tracing::warn!(%error, "{path} cannot be written");
        }
    }
}

/// As long at each time, so that nothing older is left behind it.
fn text(until: Option<UnixMicros>) -> String {
    let process = std::process::id();
    match until {
        Some(UnixMicros(micros)) => format!("{process}\n{UNTIL}{micros:>20}\n"),
        None => format!("{process}\n"),
    }
}

fn until(said: &str) -> Option<UnixMicros> {
    let line = said.lines().nth(1)?.strip_prefix(UNTIL)?;
    line.trim_start().parse().ok().map(UnixMicros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_is_remembered_for_the_next_server() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("beats.db");
        let first = lock(&database).unwrap();
        assert_eq!(first.acknowledged_until, None);
        let mut witness = first.witness(Some(UnixMicros(-7)));
        witness.note(UnixMicros(1_772_409_600_000_000));
        witness.note(UnixMicros(5));
        drop((first, witness));
        let second = lock(&database).unwrap();
        let known = Some(UnixMicros(1_772_409_600_000_000));
        assert_eq!(second.acknowledged_until, known);
        assert_eq!(acknowledged_until(&database), known);
        // A backup that was put back knows less, and from then on that counts.
        drop(second.witness(Some(UnixMicros(3))));
        assert_eq!(acknowledged_until(&database), Some(UnixMicros(3)));
    }

    #[test]
    fn what_a_power_cut_has_left_of_it_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("beats.db");
        for left in [
            "",
            "\0\0\0\0",
            "17",
            "17\n",
            "17\nacknowledged un",
            "17\nacknowledged until x\n",
        ] {
            std::fs::write(folder.path().join("beats.db.lock"), left).unwrap();
            assert_eq!(
                lock(&database).unwrap().acknowledged_until,
                None,
                "{left:?}"
            );
        }
    }
}
