//! What a folder holds.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock;

/// How many entries are looked at.
const ENTRIES_MAX: u64 = 1_000_000;

/// How long is looked.
const TIME_MAX: Duration = Duration::from_secs(30);

/// All files below a folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Contents {
    /// Their bytes together.
    pub(super) bytes: u64,
    /// How many there are.
    pub(super) files: u64,
    /// The one that was written last.
    pub(super) newest: Option<Newest>,
    /// When one was last changed or made here: seconds and nanoseconds. Unlike the time of writing, which
    /// rsync and tar bring along from the source, it is of this disk.
    changed: Option<(i64, i64)>,
    /// All of it was looked at.
    pub(super) complete: bool,
}

/// A file and when it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Newest {
    path: PathBuf,
    written: i64,
}

impl Newest {
    /// When it was written, in seconds since 1970.
    pub(super) fn seconds(&self) -> Option<u64> {
        u64::try_from(self.written).ok()
    }
}

impl fmt::Display for Newest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match Timestamp::from_second(self.written) {
            Ok(at) => write!(f, "{path}, of {at}"),
            Err(_) => write!(f, "{path}"),
        }
    }
}

impl Contents {
    /// When something last changed.
    pub(super) fn changed_at(&self) -> Option<(i64, i64)> {
        self.changed
    }

    fn add(&mut self, path: &Path, found: &fs::Metadata) {
        self.files += 1;
        self.bytes += found.len();
        let changed = Some((found.ctime(), found.ctime_nsec()));
        self.changed = self.changed.max(changed);
        let written = found.mtime();
        if self
            .newest
            .as_ref()
            .is_none_or(|newest| newest.written < written)
        {
            self.newest = Some(Newest {
                path: path.to_owned(),
                written,
            });
        }
    }
}

/// Looks at a folder, or at a single file. What cannot be read is left out: the job's own exit code tells it.
pub(super) fn of(path: &Path) -> Contents {
    let mut contents = Contents::default();
    let mut folders = vec![path.to_owned()];
    if let Ok(found) = fs::metadata(path)
        && found.is_file()
    {
        contents.add(path, &found);
        folders.clear();
    }
    let began = clock::steady();
    let mut seen: u64 = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > ENTRIES_MAX || began.elapsed() > TIME_MAX {
                return contents;
            }
            // Links are not followed: they lead in circles, or away.
            let Ok(found) = entry.metadata() else {
                continue;
            };
            if found.is_dir() {
                folders.push(entry.path());
            } else if found.is_file() {
                contents.add(&entry.path(), &found);
            }
        }
    }
    contents.complete = true;
    contents
}

/// The file in a folder that was changed last.
pub(super) fn newest_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| {
        let found = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some(((found.ctime(), found.ctime_nsec()), entry.path()))
    });
    files.max().map(|(_, path)| path)
}
