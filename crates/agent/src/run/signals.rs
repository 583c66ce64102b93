//! Signals that are for the job.
//!
//! `signal-hook` and not a runtime: its iterator needs one thread that sleeps in `read`, and its
//! `WithOrigin` tells a terminal's Ctrl-C, which the job has got too, from a `kill`, which it has not.

use std::fs;
use std::io;
use std::sync::mpsc::Sender;
use std::thread;

use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use super::Event;

/// The signals that are handed on.
const FORWARDED: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// A signal that came to us and is for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    /// Which one.
    pub(super) signal: Signal,
    /// The kernel sent it, on behalf of a terminal: all of the terminal's foreground group has got it.
    pub(super) from_terminal: bool,
}

impl Received {
    /// Whether it asks the job to end.
    pub(super) fn ends(self) -> bool {
        !matches!(self.signal, Signal::USR1 | Signal::USR2)
    }
}

/// From now on, signals for the job are told to `events` and no longer end this process.
///
/// One that is ignored stays ignored, for us and for the job, whose disposition is ours: `nohup` works.
pub(super) fn watch(events: Sender<Event>) -> io::Result<()> {
    let ignored = ignored();
    let wanted = FORWARDED
        .into_iter()
        .filter(|number| ignored & (1 << (number - 1)) == 0);
    let mut signals = SignalsInfo::<WithOrigin>::new(wanted)?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for origin in signals.forever() {
                let Some(signal) = Signal::from_named_raw(origin.signal) else {
                    continue;
                };
                let received = Received {
                    signal,
                    from_terminal: origin.cause == Cause::Kernel,
                };
                if events.send(Event::Signal(received)).is_err() {
                    return;
                }
            }
        })?;
    Ok(())
}

/// The mask of ignored signals, as `/proc/self/status` tells it; where there is no `/proc`, none is.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    mask(&status).unwrap_or(0)
}

fn mask(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_proc() {
        // What `nohup` leaves behind.
        assert_eq!(mask("Name:\tx\nSigIgn:\t0000000000000001\n"), Some(1));
        assert_eq!(mask(""), None);
        // The test harness of Rust ignores SIGPIPE, as every Rust program does.
        assert_ne!(ignored() & (1 << 12), 0);
    }
}
