//! Whether the files that SQLite has open are still the ones that have their names.
//!
//! A file that was deleted or replaced can be written as before, and nobody will ever read it again. SQLite
//! does not look. So it is looked after each commit, before anything is acknowledged.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::open::beside;
use crate::{Result, StoreError};

/// The database, its log, and the log's shared memory.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// The files of a database that is open, as they were found when it was opened.
#[derive(Debug)]
pub(crate) struct Place {
    files: Vec<(PathBuf, Inode)>,
}

/// Which file it is, whatever it is called. The number is not given to another one while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    pub(crate) fn of(file: &std::fs::Metadata) -> Self {
        Self {
            device: file.dev(),
            number: file.ino(),
        }
    }
}

impl Place {
    /// Of a database on which there was a transaction since it was opened. `database_inode`: as it was
    /// before that, so that nobody has replaced it in between.
    pub(crate) fn of(database: &Path, database_inode: Inode) -> Result<Self> {
        let mut files = Vec::new();
        for suffix in SUFFIXES {
            let path = beside(database, suffix);
            let inode = look(&path)?;
            files.push((path, inode));
        }
        files[0].1 = database_inode;
        let place = Self { files };
        place.check()?;
        Ok(place)
    }

    /// [`StoreError::Fatal`] once one of the files is gone, or is another one.
    pub(crate) fn check(&self) -> Result<()> {
        for (path, known) in &self.files {
            if look(path)? != *known {
                let path = path.display();
                return Err(StoreError::Fatal(format!(
                    "{path} was replaced by another file while it was in use, so nothing more can be \
                     acknowledged; exchange a database only while the server is stopped"
                )));
            }
        }
        Ok(())
    }
}

fn look(path: &Path) -> Result<Inode> {
    let found = std::fs::metadata(path).map_err(|error| {
        let path = path.display();
        StoreError::Fatal(match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => format!(
                "{path} was deleted or moved away while it was in use, so nothing more can be acknowledged"
            ),
            _ => format!("{path} cannot be looked at any more: {error}"),
        })
    })?;
    Ok(Inode::of(&found))
}
