//! While the job runs: signals for it, its time limit, and its end.

use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Event;
use super::child::Child;
use crate::clock;

/// Between TERM and KILL, where nothing else was said.
const KILL_AFTER: Duration = Duration::from_secs(10);

/// A job that is still there so long after a KILL hangs in the kernel (a dead network disk). Nobody can end
/// it, and it is not waited for.
const UNKILLABLE_AFTER: Duration = Duration::from_secs(10);

/// How long the job may run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// After this long it gets a TERM.
    pub timeout: Option<Duration>,
    /// So long after a TERM, ours or one that was handed on, it is killed. Where nothing is said, 10 s after
    /// our own, and never after one that was handed on.
    pub kill_after: Option<Duration>,
}

/// How the job ended.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// As the kernel tells it. `None`: it cannot be known.
    pub(super) status: Option<ExitStatus>,
    /// It ran longer than it may.
    pub(super) timed_out: bool,
    /// Somebody told us, and so it, to end.
    pub(super) told_to_end: Option<Signal>,
    /// It was killed because a TERM did not end it.
    pub(super) killed: bool,
    /// Not even that ended it.
    pub(super) hangs: bool,
}

/// What comes next if the job does not end.
#[derive(Debug, Clone, Copy)]
enum Step {
    Term,
    Kill,
    GiveUp,
}

/// Waits for the job's end.
pub(super) fn supervise(child: Child, events: &Receiver<Event>, limits: Limits) -> Ending {
    let mut ending = Ending::default();
    let mut next: Option<(Instant, Step)> = limits
        .timeout
        .map(|timeout| (clock::steady() + timeout, Step::Term));
    loop {
        let event = match &next {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((at, _)) => events.recv_timeout(at.saturating_duration_since(clock::steady())),
        };
        match event {
            Ok(Event::Ended(status)) => {
                ending.status = status;
                break;
            }
            Ok(Event::Signal(received)) => {
                if child.own_group || !received.from_terminal {
                    child.signal(received.signal);
                }
                if received.ends() {
                    ending.told_to_end = ending.told_to_end.or(Some(received.signal));
                    if let (Some(patience), Some((_, Step::Term)) | None) =
                        (limits.kill_after, &next)
                    {
                        next = Some((clock::steady() + patience, Step::Kill));
                    }
                }
            }
            // Both threads that could tell something hold a sender as long as they live.
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                next = next.and_then(|(_, step)| press(step, child, limits, &mut ending));
                if ending.hangs {
                    break;
                }
            }
        }
    }
    if ending.timed_out || ending.told_to_end.is_some() {
        child.end_group(limits.kill_after.unwrap_or(KILL_AFTER));
    }
    ending
}

/// Takes one step, and says which is the next.
fn press(step: Step, child: Child, limits: Limits, ending: &mut Ending) -> Option<(Instant, Step)> {
    let now = clock::steady();
    match step {
        Step::Term => {
            ending.timed_out = true;
            child.signal(Signal::TERM);
            // One that is stopped takes the TERM only when it goes on.
            child.signal(Signal::CONT);
            let patience = limits.kill_after.unwrap_or(KILL_AFTER);
            Some((now + patience, Step::Kill))
        }
        Step::Kill => {
            ending.killed = true;
            child.signal(Signal::KILL);
            Some((now + UNKILLABLE_AFTER, Step::GiveUp))
        }
        Step::GiveUp => {
            ending.hangs = true;
            None
        }
    }
}
