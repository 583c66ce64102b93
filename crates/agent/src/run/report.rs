//! What the server is told at the end: a kind, and a body that is the output, then what we have to say to it,
//! then what was read in it.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use nightbeat_evidence::wrapper::STEP_TAG;
pub use nightbeat_evidence::wrapper::{NOTE_TAG, READING_TAG};
use nightbeat_evidence::{Outcome, Reading};

use super::kept::{Kept, LIMIT_BYTES};
use super::mask::Masks;
use super::steps::FailedStep;
use super::supervise::Ending;
use super::{Attempt, Judging};
use crate::ping::Kind;

/// How many failed steps are named.
const STEPS_MAX: usize = 20;

/// A reading that is longer is not sent, in bytes: the output itself says more.
const READING_BYTES_MAX: usize = 32 * 1024;

/// The end of a run, or of one of its tries.
pub(super) struct Report {
    kind: Kind,
    kept: Kept,
    notes: Vec<String>,
    reading: Option<Reading>,
}

impl Report {
    /// Of one try of the job, as `judging` sees it. Each of `broken` is a check of the destination that fails it.
    pub(super) fn of(
        attempt: Attempt,
        judging: &Judging,
        mut notes: Vec<String>,
        broken: Vec<String>,
        wall: Duration,
    ) -> Self {
        let Attempt {
            code,
            ending,
            not_started,
            heard,
            failed_steps,
        } = attempt;
        let mut kind = Kind::ExitCode(code);
        notes.extend(not_started);
        notes.extend(about(&ending, wall));
        notes.extend(about_steps(&failed_steps));
        if code == 0 && !(failed_steps.is_empty() && broken.is_empty()) {
            kind = Kind::Fail;
        }
        notes.extend(
            broken
                .into_iter()
                .map(|problem| format!("check failed: {problem}")),
        );
        let (kept, mut reading) = match heard {
            Some(heard) => {
                if judging.stderr_is_failure && heard.errors_bytes > 0 && code == 0 {
                    kind = Kind::Fail;
                    notes.push("it said something on stderr, which counts as a failure".to_owned());
                }
                notes.extend(heard.problems);
                (heard.kept, heard.feed.finish(i32::from(code)))
            }
            None => (Kept::new(), None),
        };
        if judging.warn_exit.contains(&code) {
            let why = format!("exit code {code} counts as a warning (--warn-exit)");
            notes.push(why.clone());
            // An exit code alone is a failure to the server; the reading says that it is none.
            let reading = reading.get_or_insert_default();
            reading.outcome = Outcome::Warning;
            reading.why = Some(why);
        }
        Self {
            kind,
            kept,
            notes,
            reading,
        }
    }

    /// What the signal says.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The signal's body, without secrets, within what the server keeps.
    pub(super) fn body(self, masks: &Masks, limit: Option<usize>) -> Vec<u8> {
        let limit = limit.unwrap_or(LIMIT_BYTES);
        let mut ours = String::new();
        for note in &self.notes {
            for line in note.lines() {
                ours.extend([NOTE_TAG, &masks.apply_text(line), "\n"]);
            }
        }
        ours += &reading_line(self.reading.as_ref(), masks);
        let mut body = self
            .kept
            .finish(limit.saturating_sub(ours.len() + 1), masks);
        if !body.is_empty() && !ours.is_empty() && !body.ends_with(b"\n") {
            body.push(b'\n');
        }
        body.extend_from_slice(ours.as_bytes());
        body
    }
}

fn reading_line(reading: Option<&Reading>, masks: &Masks) -> String {
    let value = reading.and_then(|reading| serde_json::to_value(reading).ok());
    let Some(mut value) = value else {
        return String::new();
    };
    masks.apply_json(&mut value);
    let line = format!("{READING_TAG}{value}\n");
    if line.len() <= READING_BYTES_MAX {
        line
    } else {
        String::new()
    }
}

fn about(ending: &Ending, wall: Duration) -> Vec<String> {
    let mut notes = Vec::new();
    let seconds = wall.as_secs_f64();
    if ending.timed_out {
        notes.push(format!(
            "it ran longer than it may and was told to end, after {seconds:.1} s"
        ));
    }
    if let Some(signal) = ending.told_to_end {
        let number = signal.as_raw();
        notes.push(format!(
            "it was told to end by signal {number}, which we handed on"
        ));
    }
    if ending.killed {
        notes.push("it did not end when it was told to, and was killed".to_owned());
    }
    if ending.hangs {
        notes.push(
            "not even that ended it: it hangs in the kernel, as with a disk or a network share that is gone"
                .to_owned(),
        );
    }
    let signal = ending.status.and_then(|status| status.signal());
    if let (Some(signal), false, None) = (signal, ending.timed_out, ending.told_to_end) {
        notes.push(format!(
            "it was ended by signal {signal}{}",
            meaning(signal)
        ));
    }
    notes
}

/// What people ask about a signal that nobody remembers having sent.
fn meaning(signal: i32) -> &'static str {
    match signal {
        6 => " (it gave up by itself)",
        9 => " (somebody killed it, or the kernel did because memory ran out)",
        11 => " (a crash)",
        13 => " (what read its output was gone)",
        _ => "",
    }
}

fn about_steps(steps: &[FailedStep]) -> Vec<String> {
    let mut notes: Vec<String> = steps
        .iter()
        .take(STEPS_MAX)
        .map(|step| format!("{STEP_TAG}{step}"))
        .collect();
    if steps.len() > STEPS_MAX {
        notes.push(format!("and {} more", steps.len() - STEPS_MAX));
    }
    notes
}
