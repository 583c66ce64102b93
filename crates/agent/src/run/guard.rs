//! The guard: a small process that ends the job when we are killed without a chance to do it (`kill -9`, the
//! kernel out of memory). It holds the other end of a pipe; when the pipe closes without a word, we are gone.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::{Child as Process, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{
    Pid, Signal, kill_process_group, setsid, test_kill_process, test_kill_process_group,
};

use super::child::{Child, is_init};
use super::tree;
use crate::clock;

/// The hidden command that is the guard. Nobody types it.
pub(super) const COMMAND: &str = "__guard";

/// This program, also after its file was replaced or deleted.
pub(super) const SELF: &str = "/proc/self/exe";

/// What is written into the pipe when all went well.
const DONE: &[u8] = b"d";

/// How long a job may take to end after a TERM, before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

/// Our end of the pipe.
#[derive(Debug)]
pub(super) struct Guard {
    process: Process,
}

impl Guard {
    /// Has the job watched over. `None`: it cannot be, or (as a container's first process) need not be.
    pub(super) fn start(child: Child) -> Option<Self> {
        if is_init() {
            return None;
        }
        let kind = if child.own_group { "group" } else { "process" };
        let mut command = Command::new(SELF);
        command
            .args([COMMAND, kind, &child.pid.as_raw_nonzero().to_string()])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Without it the job runs as well; only a kill -9 of this process would leave it behind.
        let process = command.spawn().ok()?;
        Some(Self { process })
    }

    /// The job has ended: nothing is left to watch over.
    pub(super) fn dismiss(mut self) {
        if let Some(mut pipe) = self.process.stdin.take() {
            // It is gone already: then it watches over nothing.
            let _ = pipe.write_all(DONE);
        }
    }
}

/// The guard's own life. `arguments`: `group` or `process`, and the id.
pub(super) fn watch(arguments: &[OsString]) {
    // Away from the terminal and the group whose signals are for the job.
    let _ = setsid();
    let [kind, id] = arguments else {
        return;
    };
    let id = id.to_str().and_then(|id| id.parse().ok());
    let Some(pid) = id.and_then(Pid::from_raw) else {
        return;
    };
    let mut said = Vec::new();
    let heard = std::io::stdin().lock().read_to_end(&mut said);
    if heard.is_err() || said == DONE {
        return;
    }
    let is_group = kind == "group";
    let signal = |signal| {
        if is_group {
            let _ = kill_process_group(pid, signal);
        } else {
            tree::signal(pid, signal);
        }
    };
    let is_left = || {
        if is_group {
            test_kill_process_group(pid).is_ok()
        } else {
            test_kill_process(pid).is_ok()
        }
    };
    signal(Signal::TERM);
    // One that is stopped takes the TERM only when it goes on.
    signal(Signal::CONT);
    let began = clock::steady();
    while is_left() {
        if began.elapsed() >= PATIENCE {
            signal(Signal::KILL);
            return;
        }
        thread::sleep(LOOK);
    }
}
