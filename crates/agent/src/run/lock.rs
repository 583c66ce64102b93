//! One job at a time: a lock by name on this machine.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::Event;
use super::signals::Received;
use crate::clock;
use crate::spool::private_folder;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

/// How often a lock that somebody holds is tried again.
const LOOK: Duration = Duration::from_millis(200);

/// How much is read of what the holder says of itself, in bytes.
const HOLDER_BYTES_MAX: u64 = 200;

/// What to do while another run has the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Do not run.
    Skip,
    /// Wait for it: so long, or for ever.
    Wait(Option<Duration>),
}

/// Which lock, and what to do when it is taken.
#[derive(Debug, Clone)]
pub struct LockWanted {
    /// The file that is locked.
    pub file: PathBuf,
    /// What to do while another run has it.
    pub overlap: Overlap,
}

impl LockWanted {
    /// The lock with this name in `folder`; a name with a slash is a file's path.
    pub fn named(name: &str, folder: &Path, overlap: Overlap) -> Self {
        let file = if name.contains('/') {
            PathBuf::from(name)
        } else {
            folder.join(format!("{name}.lock"))
        };
        Self { file, overlap }
    }
}

/// What came of it.
pub(super) enum Locked {
    /// It is ours until this is dropped, or this process is gone. The job does not inherit it: a service that
    /// it leaves behind holds nothing.
    Ours(Held),
    /// Somebody else has it.
    Theirs(Holder),
    /// Somebody told us to end while we waited.
    Ended(Received),
    /// It cannot be used.
    Broken(String),
}

/// A lock that we hold.
pub(super) struct Held {
    _file: File,
    /// How long it was waited for, and for whom.
    pub(super) waited: Option<(Duration, Holder)>,
}

/// Who has a lock, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder(pub(super) String);

/// Takes the lock. `waiting` is told once that it is waited for.
pub(super) fn take(
    wanted: &LockWanted,
    events: &Receiver<Event>,
    mut waiting: impl FnMut(&Holder),
) -> Locked {
    let broken =
        |error: io::Error| Locked::Broken(format!("the lock {}: {error}", wanted.file.display()));
    let mut file = match open(&wanted.file) {
        Ok(file) => file,
        Err(error) => return broken(error),
    };
    let began = clock::steady();
    let mut held_by: Option<Holder> = None;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return broken(error.into()),
        }
        let holder = match &held_by {
            Some(known) => known.clone(),
            None => Holder(read(&mut file)),
        };
        let end = match wanted.overlap {
            Overlap::Skip => return Locked::Theirs(holder),
            Overlap::Wait(limit) => limit.map(|limit| began + limit),
        };
        if end.is_some_and(|end| clock::steady() >= end) {
            return Locked::Theirs(holder);
        }
        if held_by.is_none() {
            waiting(&holder);
            held_by = Some(holder);
        }
        if let Some(received) = ended(events, end) {
            return Locked::Ended(received);
        }
    }
    // What stands there is only for people; a full disk does not stop the job.
    let _ = sign(&mut file);
    Locked::Ours(Held {
        _file: file,
        waited: held_by.map(|holder| (began.elapsed(), holder)),
    })
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent()
        && !folder.exists()
    {
        private_folder(folder).map_err(|error| io::Error::other(error.to_string()))?;
    }
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).open(path)
}

/// Waits a little; a signal that asks us to end ends the wait.
fn ended(events: &Receiver<Event>, end: Option<Instant>) -> Option<Received> {
    let now = clock::steady();
    let wait = end.map_or(LOOK, |end| LOOK.min(end.saturating_duration_since(now)));
    match events.recv_timeout(wait) {
        Ok(Event::Signal(received)) if received.ends() => Some(received),
        Ok(_) | Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => {
            thread::sleep(wait);
            None
        }
    }
}

fn read(file: &mut File) -> String {
    let mut text = String::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(HOLDER_BYTES_MAX).read_to_string(&mut text));
    let said = text.lines().next().unwrap_or_default().trim();
    if read.is_err() || said.is_empty() {
        return "another run".to_owned();
    }
    said.to_owned()
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    let pid = std::process::id();
    writeln!(file, "process {pid}, since {}", clock::wall())
}
