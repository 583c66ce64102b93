//! [`Disk`]: what tests say to the disk, and what the shim asks it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, stat, utimensat};

use crate::fault::{Armed, Counted, Fault, Harm, Op};
use crate::model::File;
use crate::shim;

/// When a file that has lost something was last written, as far as anyone can tell. Who writes it behind
/// SQLite's back changes that.
const LONG_AGO_SECONDS: i64 = 1_000_000_000;

static STATE: Mutex<Option<State>> = Mutex::new(None);
static TURN: Mutex<()> = Mutex::new(());

/// What a power loss leaves of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// Of each thing by the toss of a coin, which this seed decides.
    Some(u64),
}

/// The disk of this process, under every database that SQLite opens from now on. Only one test has it at a
/// time; the others wait.
#[derive(Debug)]
pub struct Disk {
    _turn: MutexGuard<'static, ()>,
}

impl Disk {
    /// Waits for the disk, and takes it. It is sound, and knows no files.
    pub fn take() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        shim::register();
        *lock() = Some(State::default());
        Self { _turn: turn }
    }

    /// From now on this goes wrong. It takes the place of what was armed before.
    pub fn arm(&self, fault: Fault) {
        with(|state| state.armed = Armed::new(fault));
    }

    /// What came of the fault so far.
    pub fn counted(&self) -> Counted {
        with(|state| state.armed.counted())
    }

    /// Nothing goes wrong any more; what did.
    pub fn disarm(&self) -> Counted {
        with(|state| std::mem::take(&mut state.armed).counted())
    }

    /// The power fails: each file below `folder` becomes what the platter has of it. Nothing may have them
    /// open: whoever did is dead.
    pub fn power_loss(&self, folder: &Path, kept: Kept) -> std::io::Result<()> {
        with(|state| state.power_loss(folder, kept))
    }

    /// Nobody will ask for the files below `folder` again.
    pub fn forget(&self, folder: &Path) {
        with(|state| state.files.retain(|path, _| !path.starts_with(folder)));
    }
}

/// What a file that SQLite has open is to the model.
#[derive(Debug, Clone)]
struct Handle {
    path: PathBuf,
    /// The first sync of it syncs its folder too.
    syncs_folder: bool,
}

#[derive(Debug, Default)]
struct State {
    armed: Armed,
    files: HashMap<PathBuf, File>,
    handles: HashMap<u64, Handle>,
    last_handle: u64,
}

fn lock() -> MutexGuard<'static, Option<State>> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    work(lock().get_or_insert_default())
}

/// What goes wrong with the next operation, which is an `op` on an open file.
pub(crate) fn next(op: Op, handle: u64) -> Option<Harm> {
    slow(with(|state| {
        let handle = state.handles.get(&handle)?;
        state.armed.next(op, &handle.path)
    }))
}

/// The same of a file that is not open.
pub(crate) fn next_of(op: Op, path: &Path) -> Option<Harm> {
    slow(with(|state| state.armed.next(op, path)))
}

fn slow(harm: Option<Harm>) -> Option<Harm> {
    if let Some(Harm::Slow(time)) = harm {
        std::thread::sleep(time);
        return None;
    }
    harm
}

/// To be called before a file is opened: what others have left there.
pub(crate) fn look(path: &Path) {
    with(|state| state.look(path));
}

/// A file was opened; its handle. `journal`: a rollback journal or a log, that may have been created.
pub(crate) fn opened(path: &Path, journal: bool) -> u64 {
    with(|state| {
        let file = state.files.entry(path.to_owned()).or_default();
        file.exists = true;
        state.last_handle += 1;
        let handle = Handle {
            path: path.to_owned(),
            syncs_folder: journal,
        };
        state.handles.insert(state.last_handle, handle);
        state.last_handle
    })
}

pub(crate) fn closed(handle: u64) {
    with(|state| state.handles.remove(&handle));
}

/// To be called before a file is changed: what others have written meanwhile.
pub(crate) fn changes(handle: u64) {
    with(|state| {
        let path = state.handles.get(&handle).map(|handle| handle.path.clone());
        path.map(|path| state.notice_others(&path))
    });
}

pub(crate) fn wrote(handle: u64, at: usize, data: &[u8]) {
    with(|state| state.change(handle, |file| file.write(at, data)));
}

pub(crate) fn truncated(handle: u64, size: usize) {
    with(|state| state.change(handle, |file| file.truncate(size)));
}

pub(crate) fn synced(handle: u64) {
    changes(handle);
    with(|state| {
        state.change(handle, File::sync);
        let folder = state.handles.get_mut(&handle).and_then(|handle| {
            let first = std::mem::take(&mut handle.syncs_folder);
            first.then(|| handle.path.clone())
        });
        if let Some(file) = folder {
            state.sync_folder(&file);
        }
    });
}

pub(crate) fn sync_failed(handle: u64) {
    with(|state| state.change(handle, File::fail_sync));
}

/// A file was deleted. `folder_synced`: and its folder synced.
pub(crate) fn deleted(path: &Path, folder_synced: bool) {
    with(|state| {
        if state.files.get_mut(path).is_some_and(File::delete) {
            state.files.remove(path);
        }
        if folder_synced {
            state.sync_folder(path);
        }
    });
}

impl State {
    fn look(&mut self, path: &Path) {
        self.notice_others(path);
        if self.handles.values().any(|handle| handle.path == path) {
            return;
        }
        match std::fs::read(path) {
            Ok(content) => {
                let known = self.files.get(path);
                if known.is_none_or(|file| !file.holds(&content)) {
                    // Who creates a file in advance leaves it empty, and has not synced its folder.
                    let named = !content.is_empty() || known.is_some_and(|file| file.named);
                    self.files
                        .insert(path.to_owned(), File::settled(content, named));
                }
            }
            // Not there: others have deleted it, or SQLite has.
            Err(_) => {
                if self.files.get(path).is_some_and(|file| file.exists) {
                    self.files.remove(path);
                }
            }
        }
    }

    /// Whether others have written what was lost again.
    fn notice_others(&mut self, path: &Path) {
        if let Some(file) = self.files.get_mut(path)
            && file.has_lost()
            && stat(path).is_ok_and(|found| found.st_mtime != LONG_AGO_SECONDS)
        {
            file.settle();
        }
    }

    fn change(&mut self, handle: u64, change: impl FnOnce(&mut File)) {
        let Some(handle) = self.handles.get(&handle) else {
            return;
        };
        let path = handle.path.clone();
        let file = self.files.entry(path.clone()).or_default();
        change(file);
        if file.has_lost() {
            let long_ago = Timespec {
                tv_sec: LONG_AGO_SECONDS,
                tv_nsec: 0,
            };
            let times = Timestamps {
                last_access: long_ago,
                last_modification: long_ago,
            };
            utimensat(CWD, &path, &times, AtFlags::empty())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }

    fn sync_folder(&mut self, file: &Path) {
        let folder = file.parent();
        self.files
            .retain(|path, file| path.parent() != folder || !file.name());
    }

    fn power_loss(&mut self, folder: &Path, kept: Kept) -> std::io::Result<()> {
        if let Some(open) = self.handles.values().find(|it| it.path.starts_with(folder)) {
            panic!("{} is still open", open.path.display());
        }
        let mut random = match kept {
            Kept::Nothing => None,
            Kept::Some(seed) => Some(seed),
        };
        let mut coin = || random.as_mut().is_some_and(|seed| splitmix(seed) & 1 == 1);
        let mut paths: Vec<PathBuf> = self.files.keys().cloned().collect();
        paths.retain(|path| path.starts_with(folder));
        // In the same order each time: the coin's tosses follow it.
        paths.sort();
        for path in paths {
            self.notice_others(&path);
            let Some(file) = self.files.remove(&path) else {
                continue;
            };
            match file.after_power_loss(&mut coin) {
                Some(content) => {
                    std::fs::write(&path, &content)?;
                    self.files.insert(path, File::settled(content, true));
                }
                None if path.exists() => std::fs::remove_file(&path)?,
                None => {}
            }
        }
        Ok(())
    }
}

/// The next number of a small generator (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
