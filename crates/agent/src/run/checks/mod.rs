//! Whether the job's work is where it should be: the destination is mounted, has room, has become newer or
//! larger, and a dump is whole.
//!
//! An exit code of 0 says nothing of this: rsync onto a disk that is not mounted fills the root disk and is
//! content, and `dump | gzip` writes 20 bytes.

mod archive;
mod contents;
mod dump;
mod mounted;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::statvfs;

use contents::Contents;

/// How long one look at the destination may take. A network share that is gone answers never.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// How much disk must be free.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Free {
    /// So many bytes.
    Bytes(u64),
    /// So much of the whole disk.
    Percent(f64),
}

/// What must hold of the destination.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own, and they come in all combinations"
)]
#[derive(Debug, Clone, Default)]
pub struct Checks {
    /// The destination.
    pub dest: Option<PathBuf>,
    /// It lies on a disk of its own, not on the root disk.
    pub mounted: bool,
    /// This file is there; a relative path begins at the destination.
    pub sentinel: Option<PathBuf>,
    /// So much is free, before and after the job.
    pub min_free: Option<Free>,
    /// After the job its newest file is newer than before.
    pub newer: bool,
    /// After the job it holds more bytes than before.
    pub larger: bool,
    /// This dump, or the newest file in this folder, was written by the job, and is whole.
    pub dump: Option<PathBuf>,
    /// The job does not run unless all this holds, as far as it can hold before.
    pub first: bool,
}

/// What one look saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Look {
    /// What does not hold.
    pub(super) broken: Vec<String>,
    /// Free bytes.
    free: Option<u64>,
    contents: Option<Contents>,
}

/// What came of all checks.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// What does not hold: each of it fails the run.
    pub(super) broken: Vec<String>,
    /// What was measured.
    pub(super) metrics: Vec<(String, f64)>,
}

/// A look that is under way, or done.
#[derive(Debug)]
pub(super) enum Looking {
    UnderWay(Receiver<Look>),
    Done(Look),
}

impl Checks {
    /// Whether anything is to be looked at.
    pub(super) fn is_any(&self) -> bool {
        self.dest.is_some() || self.dump.is_some()
    }

    /// Whether the job must wait for the look before it: what it changes is compared with what was.
    pub(super) fn comes_first(&self) -> bool {
        self.first || self.larger || self.newer
    }

    /// Begins to look at the destination.
    pub(super) fn look(&self) -> Looking {
        let (sender, receiver) = mpsc::channel();
        let checks = self.clone();
        // A look that hangs is left behind with its thread.
        let spawned = thread::Builder::new()
            .name("look".to_owned())
            .spawn(move || {
                // Nobody waits any more.
                let _ = sender.send(checks.see());
            });
        drop(spawned);
        Looking::UnderWay(receiver)
    }

    fn see(&self) -> Look {
        let mut look = Look::default();
        let Some(dest) = &self.dest else {
            return look;
        };
        let shown = dest.display();
        if let Err(error) = std::fs::metadata(dest) {
            look.broken
                .push(format!("the destination {shown} is not there: {error}"));
            return look;
        }
        if self.mounted
            && let Err(problem) = mounted::check(dest)
        {
            look.broken.push(problem);
        }
        if let Some(sentinel) = &self.sentinel {
            let file = dest.join(sentinel);
            if let Err(error) = std::fs::metadata(&file) {
                let file = file.display();
                look.broken.push(format!(
                    "{file}, which says that this is the right disk, is not there: {error}"
                ));
            }
        }
        self.see_room(dest, &mut look);
        if self.newer || self.larger {
            look.contents = Some(contents::of(dest));
        }
        look
    }

    fn see_room(&self, dest: &Path, look: &mut Look) {
        let disk = match statvfs(dest) {
            Ok(disk) => disk,
            Err(error) => {
                let shown = dest.display();
                look.broken
                    .push(format!("the room on {shown} is not known: {error}"));
                return;
            }
        };
        let free = disk.f_bavail * disk.f_frsize;
        let whole = disk.f_blocks * disk.f_frsize;
        look.free = Some(free);
        let wanted = match self.min_free {
            None => return,
            Some(Free::Bytes(bytes)) => bytes,
            Some(Free::Percent(percent)) => (whole as f64 * percent / 100.0) as u64,
        };
        if free < wanted {
            let (free, wanted) = (Bytes(free), Bytes(wanted));
            let shown = dest.display();
            look.broken.push(format!(
                "{free} are free on {shown}, and {wanted} should be"
            ));
        }
    }

    /// After the job: compares with the look `before` it. `began` is when the job was started.
    pub(super) fn judge(&self, before: Looking, began: SystemTime) -> Checked {
        let before = before.result();
        let after = self.look().result();
        let mut checked = Checked::default();
        checked.broken.clone_from(&after.broken);
        // What was already wrong before is said once.
        let only_before = before
            .broken
            .iter()
            .filter(|one| !after.broken.contains(one));
        checked
            .broken
            .extend(only_before.map(|one| format!("before the job: {one}")));
        let mut metric = |name: &str, value: Option<u64>| {
            if let Some(value) = value {
                checked.metrics.push((name.to_owned(), value as f64));
            }
        };
        metric("dest_free_bytes_before", before.free);
        metric("dest_free_bytes", after.free);
        if let Some(contents) = &after.contents {
            metric("dest_bytes", Some(contents.bytes));
            metric("dest_files", Some(contents.files));
            // As `age(newest_file)` wants it: seconds since 1970.
            metric(
                "newest_file",
                contents.newest.as_ref().and_then(contents::Newest::seconds),
            );
        }
        if let (Some(before), Some(after)) = (&before.contents, &after.contents) {
            let dest = self.dest.as_deref().unwrap_or(Path::new("."));
            checked.broken.extend(self.compare(dest, before, after));
        }
        if let Some(path) = &self.dump {
            match dump::check(path, began) {
                Ok(dump) => {
                    checked
                        .metrics
                        .push(("dump_bytes".to_owned(), dump.bytes as f64));
                    checked
                        .metrics
                        .push(("dump_content_bytes".to_owned(), dump.content_bytes as f64));
                }
                Err(problem) => checked.broken.push(problem),
            }
        }
        checked
    }

    fn compare(&self, dest: &Path, before: &Contents, after: &Contents) -> Vec<String> {
        let shown = dest.display();
        if !before.complete || !after.complete {
            return vec![format!(
                "{shown} holds too much to look at all of it: leave out --newer and --larger, or name a smaller folder"
            )];
        }
        let mut broken = Vec::new();
        if self.newer && after.changed_at() <= before.changed_at() {
            let newest = after.newest.as_ref().map_or_else(
                || "it is empty".to_owned(),
                |newest| format!("its newest file is {newest}"),
            );
            broken.push(format!(
                "nothing in {shown} is newer than before the job; {newest}"
            ));
        }
        if self.larger && after.bytes <= before.bytes {
            let (now, then) = (Bytes(after.bytes), Bytes(before.bytes));
            broken.push(format!(
                "{shown} holds {now}, not more than before the job: {then}"
            ));
        }
        broken
    }
}

impl Looking {
    /// Waits for its end, but not for ever.
    pub(super) fn result(self) -> Look {
        let receiver = match self {
            Self::Done(look) => return look,
            Self::UnderWay(receiver) => receiver,
        };
        receiver.recv_timeout(LOOK_MAX).unwrap_or_else(|_| Look {
            broken: vec![format!(
                "the destination did not answer within {} s, as a network share that is gone",
                LOOK_MAX.as_secs()
            )],
            ..Look::default()
        })
    }
}

/// A number of bytes as people read it.
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
            if value < 1024.0 || unit == "TiB" {
                let digits = usize::from(unit != "B" && value < 10.0);
                return write!(f, "{value:.digits$} {unit}");
            }
            value /= 1024.0;
        }
        Ok(())
    }
}

/// Reads a [`Free`]: `10G`, `500 MB`, `2TiB`, `5%`. Letters alone mean powers of 1024, as in `df -h`.
pub fn parse_free(text: &str) -> Result<Free, String> {
    let problem = || format!("`{text}` is no size; write 10G, 500MB or 5%");
    let text = text.trim();
    if let Some(percent) = text.strip_suffix('%') {
        let percent: f64 = percent.trim().parse().map_err(|_| problem())?;
        return if (0.0..=100.0).contains(&percent) {
            Ok(Free::Percent(percent))
        } else {
            Err(problem())
        };
    }
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| problem())?;
    let unit = text[digits..].trim().to_ascii_lowercase();
    let power = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(problem()),
    };
    let decimal = unit.ends_with('b') && !unit.ends_with("ib") && power > 0;
    let base: f64 = if decimal { 1000.0 } else { 1024.0 };
    Ok(Free::Bytes((number * base.powi(power)) as u64))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let bytes = |text| match parse_free(text) {
            Ok(Free::Bytes(bytes)) => Some(bytes),
            _ => None,
        };
        assert_eq!(bytes("10G"), Some(10 << 30));
        assert_eq!(bytes("10 GiB"), Some(10 << 30));
        assert_eq!(bytes("500MB"), Some(500_000_000));
        assert_eq!(bytes("1.5k"), Some(1536));
        assert_eq!(bytes("77"), Some(77));
        assert_eq!(bytes("77B"), Some(77));
        assert_eq!(parse_free("5%"), Ok(Free::Percent(5.0)));
        for bad in ["", "G", "5x", "105%", "ten", "5 %%"] {
            assert!(parse_free(bad).is_err(), "{bad}");
        }
    }

    fn judged(checks: &Checks, job: impl FnOnce()) -> Vec<String> {
        let looking = Looking::Done(checks.look().result());
        let began = SystemTime::from(crate::clock::wall());
        job();
        checks.judge(looking, began).broken
    }

    #[test]
    fn a_destination_must_be_there_have_room_and_its_sentinel() {
        let folder = TempDir::new().unwrap();
        let checks = Checks {
            dest: Some(folder.path().to_owned()),
            sentinel: Some("this-is-the-nas".into()),
            min_free: Some(Free::Bytes(u64::MAX)),
            ..Checks::default()
        };
        let broken = judged(&checks, || {});
        assert_eq!(broken.len(), 2, "{broken:?}");
        assert!(broken[0].contains("this-is-the-nas, which says"));
        assert!(broken[1].contains("are free on"));
        let fine = Checks {
            min_free: Some(Free::Percent(0.0)),
            ..checks.clone()
        };
        fs::write(folder.path().join("this-is-the-nas"), "").unwrap();
        assert_eq!(judged(&fine, || {}), Vec::<String>::new());
        let gone = Checks {
            dest: Some(folder.path().join("gone")),
            ..Checks::default()
        };
        assert!(judged(&gone, || {})[0].contains("is not there"));
        assert_eq!(
            judged(&gone, || {}).len(),
            1,
            "before and after are one problem"
        );
    }

    #[test]
    fn a_job_that_changes_nothing_is_told_from_one_that_does() {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("sub/old"), "1234").unwrap();
        let checks = Checks {
            dest: Some(folder.path().to_owned()),
            newer: true,
            larger: true,
            ..Checks::default()
        };
        let broken = judged(&checks, || {});
        assert_eq!(broken.len(), 2, "{broken:?}");
        assert!(
            broken[0].contains("is newer than before the job; its newest file is "),
            "{broken:?}"
        );
        assert!(
            broken[1].ends_with("holds 4 B, not more than before the job: 4 B"),
            "{broken:?}"
        );
        let wrote = || fs::write(folder.path().join("sub/new"), "5").unwrap();
        assert_eq!(judged(&checks, wrote), Vec::<String>::new());
    }

    #[test]
    fn bytes_are_shown_as_people_read_them() {
        let shown = |bytes| Bytes(bytes).to_string();
        assert_eq!(shown(20), "20 B");
        assert_eq!(shown(1536), "1.5 KiB");
        assert_eq!(shown(305 << 20), "305 MiB");
    }
}
