//! Debian's real cron.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What our files in /etc/cron.d are called, before the number of their process.
const PREFIX: &str = "nightbeat-test-";

/// A file in /etc/cron.d, and the daemon that obeys it. The file is gone when this is dropped, and so is the
/// daemon, where this started it. Needs root.
#[derive(Debug)]
pub struct RealCron {
    file: PathBuf,
    daemon: Option<Child>,
}

impl RealCron {
    /// Has `lines` done by cron: each begins with five fields and a user.
    pub fn with(lines: &str) -> Self {
        sweep();
        let file = Path::new("/etc/cron.d").join(format!("{PREFIX}{}", std::process::id()));
        // Cron reads a file as soon as it is there, and refuses one that others may write to.
        let fresh = file.with_extension("fresh");
        fs::write(&fresh, lines).unwrap();
        fs::set_permissions(&fresh, Permissions::from_mode(0o644)).unwrap();
        fs::rename(&fresh, &file).unwrap();
        let mut cron = Self { file, daemon: None };
        if !daemon_runs() {
            cron.daemon = Some(daemon());
        }
        cron
    }
}

impl Drop for RealCron {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.file) {
            eprintln!("{} stays: {error}", self.file.display());
        }
        if let Some(mut daemon) = self.daemon.take() {
            // It may have ended by itself; either way it is gone.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// In the foreground, so that it is our child and nobody else's.
fn daemon() -> Child {
    Command::new("/usr/sbin/cron")
        .arg("-f")
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Debian's cron is installed: ./test does that")
}

/// Debian's daemon holds a lock on this file; a second one would refuse to run.
fn daemon_runs() -> bool {
    let Ok(file) = fs::File::open("/var/run/crond.pid") else {
        return false;
    };
    let operation = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    rustix::fs::flock(&file, operation).is_err()
}

/// Removes what tests left behind that were killed: cron would obey it for ever.
fn sweep() {
    for entry in fs::read_dir("/etc/cron.d").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let process = name
            .strip_prefix(PREFIX)
            .map(|rest| rest.trim_end_matches(".fresh"));
        let left = process.is_some_and(|process| !Path::new("/proc").join(process).exists());
        if left {
            fs::remove_file(&path).unwrap();
        }
    }
}
