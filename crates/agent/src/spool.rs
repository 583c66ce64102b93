//! The spool: signals that wait on this machine's disk for a server that was away.
//!
//! One file for each signal, with its true time and its nonce: delivered late, it counts for when it
//! happened, and delivered twice, it counts once. A file is complete and durable before it has its name.
//! Whoever can read one may signal in its heartbeat's name, so nobody but its owner can.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::ping::{Address, Signal};

mod deliver;

pub use deliver::{Delivery, Refused};

/// How many signals wait at most. For one more the oldest is given up.
const FILES_MAX: usize = 1_000;

/// How many bytes they take at most, bodies included.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How the name of a waiting signal ends.
const SUFFIX: &str = ".signal";

/// The version of the files' format.
const VERSION: u32 = 1;

/// A folder of waiting signals.
#[derive(Debug, Clone)]
pub struct Spool {
    folder: PathBuf,
}

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk says no.
    #[error("cannot use the spool {folder}: {reason}")]
    Io {
        /// The folder.
        folder: String,
        /// Why.
        reason: io::Error,
    },
    /// It belongs to somebody else, who could read and change what waits in it.
    #[error("the spool {folder} belongs to another user; name another one with --spool")]
    Foreign {
        /// The folder.
        folder: String,
    },
}

/// The first line of a file; the signal's body follows as it is.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    address: Address,
    signal: Signal,
}

/// Who runs this: enough to choose a folder.
#[derive(Debug, Clone, Default)]
pub struct Owner {
    /// The effective user id.
    pub uid: u32,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl Owner {
    /// Of this process.
    pub fn of_process() -> Self {
        let path = |name| {
            let value = std::env::var_os(name).map(PathBuf::from);
            value.filter(|path| path.is_absolute())
        };
        Self {
            uid: rustix::process::geteuid().as_raw(),
            state_home: path("XDG_STATE_HOME"),
            home: path("HOME"),
        }
    }

    /// The folder where nothing was said: root's is the system's, whatever `HOME` says, so that a cron job
    /// and a systemd unit share it.
    pub fn folder(&self, name: &str) -> PathBuf {
        if self.uid == 0 {
            return Path::new("/var/spool/nightbeat").join(name);
        }
        let state = self.state_home.clone();
        let state = state.or_else(|| self.home.as_ref().map(|home| home.join(".local/state")));
        match state {
            Some(state) => state.join("nightbeat").join(name),
            None => PathBuf::from(format!("/var/tmp/nightbeat-{}", self.uid)).join(name),
        }
    }
}

/// Makes a folder that only its owner can enter, and checks that its owner is us.
pub(crate) fn private_folder(folder: &Path) -> Result<(), SpoolError> {
    let failed = |reason| SpoolError::Io {
        folder: folder.display().to_string(),
        reason,
    };
    let mut builder = DirBuilder::new();
    let builder = builder.recursive(true).mode(0o700);
    builder.create(folder).map_err(failed)?;
    let found = fs::metadata(folder).map_err(failed)?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(SpoolError::Foreign {
            folder: folder.display().to_string(),
        });
    }
    Ok(())
}

impl Spool {
    /// The spool in `folder`, which is made when something must wait.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps `signal` until it can be delivered to `address`. What it returns is how many older ones were
    /// given up for it, because the spool was full.
    pub fn put(&self, address: &Address, signal: &Signal) -> Result<usize, SpoolError> {
        private_folder(&self.folder)?;
        self.write(address, signal)
            .and_then(|()| self.shrink())
            .map_err(|reason| self.failed(reason))
    }

    /// How many signals wait.
    pub fn len(&self) -> Result<usize, SpoolError> {
        self.names()
            .map(|names| names.len())
            .map_err(|reason| self.failed(reason))
    }

    /// Whether nothing waits. A spool that cannot be read holds nothing for us.
    pub fn is_empty(&self) -> bool {
        self.names().map_or(true, |names| names.is_empty())
    }

    fn failed(&self, reason: io::Error) -> SpoolError {
        SpoolError::Io {
            folder: self.folder.display().to_string(),
            reason,
        }
    }

    fn write(&self, address: &Address, signal: &Signal) -> io::Result<()> {
        let head = Head {
            version: VERSION,
            address: address.clone(),
            signal: signal.clone(),
        };
        let mut bytes = serde_json::to_vec(&head)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&signal.body);
        // By time, so that they are delivered in the order in which they happened.
        let micros = signal.at.as_microsecond().max(0);
        let name = format!("{micros:020}-{}{SUFFIX}", clock::random().simple());
        let path = self.folder.join(&name);
        let unfinished = path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)?;
        let written = file
            .write_all(&bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| File::open(&self.folder)?.sync_all());
        if written.is_err() {
            // The first error is the one that matters.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Gives up the oldest until the rest is within the limits.
    fn shrink(&self) -> io::Result<usize> {
        let names = self.names()?;
        let size =
            |name: &String| fs::metadata(self.folder.join(name)).map_or(0, |found| found.len());
        let mut bytes: u64 = names.iter().map(size).sum();
        let mut given_up = 0;
        for (older, name) in names.iter().enumerate() {
            if names.len() - older <= FILES_MAX && bytes <= BYTES_MAX {
                break;
            }
            bytes -= size(name);
            fs::remove_file(self.folder.join(name))?;
            given_up += 1;
        }
        Ok(given_up)
    }

    /// The names of the waiting signals, the oldest first.
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name().into_string().unwrap_or_default();
            if name.ends_with(SUFFIX) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Held while somebody delivers, so that nobody else does. `None`: somebody does.
    fn lock(&self) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.folder.join("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
