//! The job's process: started, signalled, waited for.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process_group, test_kill_process_group, wait, waitpid,
};

use super::{Event, tree};
use crate::clock;

/// A command that does not exist, as a shell says it.
const NOT_FOUND: u8 = 127;

/// A command that cannot be run, as a shell says it.
const NOT_RUNNABLE: u8 = 126;

/// How often it is looked whether the rest of a group is gone.
const GROUP_LOOK: Duration = Duration::from_millis(20);

/// What is started.
#[derive(Debug, Clone, Default)]
pub(super) struct Start {
    /// The program and its arguments.
    pub(super) words: Vec<OsString>,
    /// Variables that it gets beside ours.
    pub(super) variables: Vec<(OsString, OsString)>,
    /// Its stdout is read by us.
    pub(super) reads_output: bool,
    /// Its stderr is read by us.
    pub(super) reads_errors: bool,
}

/// The running job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child {
    /// Its process, and its group's id where it has one of its own.
    pub(super) pid: Pid,
    /// It has a process group of its own.
    pub(super) own_group: bool,
}

/// Where its output is read from.
#[derive(Debug)]
pub(super) struct Pipes {
    /// Its stdout, where we read it.
    pub(super) output: Option<ChildStdout>,
    /// Its stderr, where we read it.
    pub(super) errors: Option<ChildStderr>,
}

/// Why there is no job.
#[derive(Debug)]
pub(super) struct NotStarted {
    /// What a shell's exit code would be.
    pub(super) code: u8,
    /// Why, in a sentence.
    pub(super) reason: String,
}

/// Whether this process is its container's first: then all orphans are ours to reap, and nobody outlives us.
pub(super) fn is_init() -> bool {
    getpid().is_init()
}

/// Whether a person sits at a terminal that controls us. Then the job stays in our process group: in one of
/// its own it would be in the background there, and stopped as soon as it reads.
fn has_terminal() -> bool {
    let mut options = OpenOptions::new();
    options.read(true).write(true).open("/dev/tty").is_ok()
}

/// Starts the job.
pub(super) fn start(start: &Start) -> Result<(Child, Pipes), NotStarted> {
    let own_group = !has_terminal();
    let Some((program, arguments)) = start.words.split_first() else {
        return Err(NotStarted {
            code: NOT_FOUND,
            reason: "there is no command to run".to_owned(),
        });
    };
    let spawned = match command(program, arguments, start, own_group).spawn() {
        // A script without a first line that names its shell: a shell runs it itself, and so do we.
        Err(error) if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
            let mut words = vec![program.clone()];
            words.extend_from_slice(arguments);
            command(&"/bin/sh".into(), &words, start, own_group).spawn()
        }
        outcome => outcome,
    };
    let mut spawned = spawned.map_err(|error| not_started(program, &error))?;
    let pipes = Pipes {
        output: spawned.stdout.take(),
        errors: spawned.stderr.take(),
    };
    let child = Child {
        pid: Pid::from_child(&spawned),
        own_group,
    };
    Ok((child, pipes))
}

fn command(program: &OsString, arguments: &[OsString], start: &Start, own_group: bool) -> Command {
    let stdio = |piped| {
        if piped {
            Stdio::piped()
        } else {
            Stdio::inherit()
        }
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(start.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::inherit())
        .stdout(stdio(start.reads_output))
        .stderr(stdio(start.reads_errors));
    if own_group {
        command.process_group(0);
    }
    command
}

fn not_started(program: &OsString, error: &io::Error) -> NotStarted {
    let name = program.display();
    let (code, reason) = match error.kind() {
        ErrorKind::NotFound => (NOT_FOUND, format!("{name}: command not found")),
        ErrorKind::PermissionDenied => (NOT_RUNNABLE, format!("{name}: permission denied")),
        _ => (NOT_RUNNABLE, format!("{name}: cannot be run: {error}")),
    };
    NotStarted { code, reason }
}

impl Child {
    /// Sends a signal to the job: to its whole group, or to it and all below it. A job that is gone needs none.
    pub(super) fn signal(self, signal: Signal) {
        if self.own_group {
            let _ = kill_process_group(self.pid, signal);
        } else {
            tree::signal(self.pid, signal);
        }
    }

    /// Tells `events` when it has ended. As a container's first process, this reaps all others on the way.
    pub(super) fn watch(self, events: Sender<Event>) -> io::Result<()> {
        thread::Builder::new()
            .name("wait".to_owned())
            .spawn(move || {
                let status = self.wait();
                // Nobody listens any more: the program is about to end.
                let _ = events.send(Event::Ended(status));
            })?;
        Ok(())
    }

    fn wait(self) -> Option<ExitStatus> {
        loop {
            let found = if is_init() {
                wait(WaitOptions::empty())
            } else {
                waitpid(Some(self.pid), WaitOptions::empty())
            };
            match found {
                Ok(Some((pid, status))) if pid == self.pid => {
                    return Some(ExitStatus::from_raw(status.as_raw()));
                }
                Ok(_) | Err(Errno::INTR) => {}
                // ECHILD: somebody who started us ignores SIGCHLD, so the kernel keeps no exit code.
                Err(_) => return None,
            }
        }
    }

    /// Whether anybody of its own group is left.
    fn group_is_left(self) -> bool {
        if is_init() {
            // They stay as zombies until we reap them.
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        }
        self.own_group && test_kill_process_group(self.pid).is_ok()
    }

    /// After the job was told to end and has ended: gives the rest of its group `patience`, then kills it.
    pub(super) fn end_group(self, patience: Duration) {
        let began = clock::steady();
        while self.group_is_left() {
            if began.elapsed() >= patience {
                self.signal(Signal::KILL);
                return;
            }
            thread::sleep(GROUP_LOOK);
        }
    }
}

/// The exit code that a shell gives: the job's own, or 128 and the signal that killed it.
pub(super) fn shell_code(status: ExitStatus) -> u8 {
    let code = status.code();
    let code = code.or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(NOT_RUNNABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(shell_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(shell_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(shell_code(ExitStatus::from_raw(15)), 143);
        // With a core dump.
        assert_eq!(shell_code(ExitStatus::from_raw(0x0b | 0x80)), 139);
    }

    #[test]
    fn what_cannot_be_started_has_a_shells_code() {
        let code = |words: &[&str]| {
            let words = words.iter().map(OsString::from).collect();
            let start = Start {
                words,
                ..Start::default()
            };
            let error = super::start(&start).unwrap_err();
            (error.code, error.reason)
        };
        let missing = code(&["nightbeat-no-such-command"]);
        assert_eq!(missing.0, 127);
        assert_eq!(missing.1, "nightbeat-no-such-command: command not found");
        assert_eq!(code(&["/etc/passwd"]).0, 126);
        assert_eq!(code(&[]).0, 127);
    }
}
