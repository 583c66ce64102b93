//! The helper: a process of its own that goes on delivering the spool when our caller does not wait for us
//! any longer.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::setsid;

use super::child::is_init;
use super::guard::SELF;
use crate::clock;
use crate::ping::spread;
use crate::spool::Spool;

/// The hidden command that is the helper. Nobody types it.
pub(super) const COMMAND: &str = "__deliver";

/// For how long it tries. What waits then is delivered by the next call.
const TOTAL: Duration = Duration::from_secs(3_600);

/// How long one try may take.
const ONE_TRY: Duration = Duration::from_secs(10);

/// The first wait between two rounds; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait between two rounds.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Starts one. Where it cannot be started, or would be ended with us, the next call delivers.
pub(super) fn start(spool: &Spool) {
    if is_init() {
        return;
    }
    let mut command = Command::new(SELF);
    command
        .arg(COMMAND)
        .arg(spool.folder())
        // It holds no folder that somebody wants to unmount, and no pipe that somebody reads to its end.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    // Not waited for: we are about to end, and then it has another parent.
    drop(command.spawn());
}

/// The helper's own life. `arguments`: the spool's folder.
pub(super) fn deliver(arguments: &[OsString]) {
    // Away from the terminal, whose hang-up would end it.
    let _ = setsid();
    let [folder] = arguments else {
        return;
    };
    let spool = Spool::new(PathBuf::from(folder));
    let began = clock::steady();
    let mut wait = FIRST_WAIT;
    while began.elapsed() < TOTAL {
        match spool.deliver(ONE_TRY, || true) {
            // Another one is at it.
            Ok(delivery) if delivery.busy => return,
            Ok(delivery) if delivery.waiting == 0 => return,
            Ok(_) => {}
            Err(_) => return,
        }
        thread::sleep(spread(wait, clock::random().as_bytes()[0]));
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
