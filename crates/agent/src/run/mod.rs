//! `nightbeat run`: runs a job as if we were not there, and says how it went.
//!
//! The job comes first. It starts before anything is sent; what the server answers, or that it does not,
//! changes neither its output nor its exit code, and its caller is kept waiting for a second at most. There
//! is no async runtime: a handful of threads that sleep take less memory and start faster.

pub mod checks;
mod child;
mod evidence;
mod guard;
mod helper;
mod kept;
mod lock;
mod mail;
mod mask;
mod output;
mod report;
mod signals;
mod steps;
mod supervise;
mod tree;
mod usage;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use crate::clock;
use crate::ping::{Address, Kind, Signal};
use crate::spool::Spool;

pub use kept::ERRORS_TAG;
pub use lock::{LockWanted, Overlap};
pub use report::{NOTE_TAG, READING_TAG};
pub use supervise::Limits;
pub use usage::{CPU, PEAK_MEMORY, WALL};

use checks::{Checks, Looking};
use child::{Start, shell_code};
use guard::Guard;
use lock::{Holder, Locked};
use mail::Mail;
use mask::Masks;
use output::{Heard, Output};
use report::Report;
use signals::Received;
use steps::{FailedStep, Steps};
use supervise::{Ending, supervise};

/// The variable that tells the job its run's id: `nightbeat ping --log --rid "$NIGHTBEAT_RUN_ID"`.
pub const RUN_ID: &str = "NIGHTBEAT_RUN_ID";

/// The job ran longer than it may: the code that coreutils' `timeout` gives.
pub const EXIT_TIMED_OUT: u8 = 124;

/// The job did not run, because another run has its lock: `EX_TEMPFAIL` of sysexits.h.
pub const EXIT_LOCKED: u8 = 75;

/// The job did not run, because its destination was not as it should be: `EX_UNAVAILABLE` of sysexits.h.
pub const EXIT_CHECK: u8 = 69;

/// How long our caller waits for the server after the job's end, where nothing else was said. With what comes
/// after it (the spool's disk, starting a helper) it stays under a second.
pub const LINGER: Duration = Duration::from_millis(800);

/// What is run, and how.
#[derive(Debug, Clone)]
pub struct Task {
    /// What is run.
    pub job: Job,
    /// Where its signals go; or why they cannot go anywhere, which is said when the job has ended.
    pub route: Result<Address, String>,
    /// Where signals wait for a server that is away; `None`: nowhere.
    pub spool: Option<Spool>,
    /// How long it may run.
    pub limits: Limits,
    /// The lock it needs.
    pub lock: Option<LockWanted>,
    /// How often a failed job is run again.
    pub retries: u32,
    /// How long is waited before it is run again.
    pub retry_wait: Duration,
    /// What counts as a failure.
    pub judging: Judging,
    /// What must hold of the destination.
    pub checks: Checks,
    /// What is kept of the output.
    pub keeping: Keeping,
    /// Numbers that go with the end's signal.
    pub metrics: Vec<(String, f64)>,
    /// How long the caller may wait for the server after the job's end.
    pub linger: Duration,
    /// Nothing of our own is said on stderr.
    pub quiet: bool,
}

/// What is run.
#[derive(Debug, Clone)]
pub enum Job {
    /// A program and its arguments.
    Command(Vec<OsString>),
    /// A line for a shell, of which a failing step in the middle is noticed too.
    Shell(OsString),
}

/// What counts as a failure.
#[derive(Debug, Clone, Default)]
pub struct Judging {
    /// A job that says something on stderr has failed, whatever its exit code.
    pub stderr_is_failure: bool,
    /// These exit codes are a warning.
    pub warn_exit: Vec<u8>,
}

/// What is kept of the output.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keeping {
    /// The text is not kept. It is read for evidence all the same.
    pub no_text: bool,
    /// Also what goes to a terminal is read: the job then writes to a pipe, and may look different.
    pub terminal: bool,
}

/// What can happen while the job runs.
#[derive(Debug)]
enum Event {
    /// It has ended. `None`: how is not known.
    Ended(Option<std::process::ExitStatus>),
    /// A signal for it came.
    Signal(Received),
}

/// One try of the job.
struct Attempt {
    /// What a shell's exit code would be.
    code: u8,
    ending: Ending,
    /// Why it could not be started.
    not_started: Option<String>,
    heard: Option<Heard>,
    failed_steps: Vec<FailedStep>,
}

/// Serves the commands that this program calls itself with. `false`: it is none of them.
pub fn hidden(arguments: &[OsString]) -> bool {
    let Some((command, rest)) = arguments.split_first() else {
        return false;
    };
    match command.to_str() {
        Some(guard::COMMAND) => guard::watch(rest),
        Some(helper::COMMAND) => helper::deliver(rest),
        _ => return false,
    }
    true
}

/// Runs a job, reports it, and returns the exit code that our caller should get.
pub fn run(task: &Task) -> u8 {
    let (sender, events) = channel();
    if let Err(error) = signals::watch(sender.clone()) {
        note(task, &format!("signals cannot be handed on: {error}"));
    }
    let mut run = Run {
        task,
        rid: clock::random(),
        began: clock::steady(),
        began_at: clock::wall(),
        masks: Masks::of(std::env::vars_os()),
        mail: None,
        troubles: Vec::new(),
        metrics: task.metrics.clone(),
        notes: Vec::new(),
    };
    let _lock = match run.lock(&events) {
        Ok(held) => held,
        Err(code) => return code,
    };
    let looking = match run.look() {
        Ok(looking) => looking,
        Err(code) => return code,
    };
    run.began = clock::steady();
    run.began_at = clock::wall();
    let attempt = run.attempts(&sender, &events);
    run.end(attempt, looking)
}

/// One run of a job, from its lock to its last signal.
struct Run<'t> {
    task: &'t Task,
    rid: Uuid,
    began: Instant,
    began_at: Timestamp,
    masks: Masks,
    /// What brings the signals, from the first one on.
    mail: Option<Mail>,
    /// What our caller must be told.
    troubles: Vec<String>,
    /// What goes with the end's signal.
    metrics: Vec<(String, f64)>,
    /// What the server is told in words.
    notes: Vec<String>,
}

impl Run<'_> {
    /// Takes the lock, where one is wanted. `Err`: the job does not run, and we exit with this code.
    fn lock(&mut self, events: &Receiver<Event>) -> Result<Option<lock::Held>, u8> {
        let Some(wanted) = &self.task.lock else {
            return Ok(None);
        };
        let locked = lock::take(wanted, events, |holder| {
            let text = format!("waits for the lock, which {} has", holder.0);
            self.post(
                Kind::Log,
                format!("{NOTE_TAG}overlap: {text}\n").into_bytes(),
            );
        });
        match locked {
            Locked::Ours(mut held) => {
                if let Some((waited, Holder(holder))) = held.waited.take() {
                    let seconds = waited.as_secs_f64();
                    self.notes.push(format!(
                        "overlap: waited {seconds:.0} s for the lock, which {holder} had"
                    ));
                    self.metrics
                        .push(("lock_wait_seconds".to_owned(), seconds.round()));
                }
                Ok(Some(held))
            }
            Locked::Theirs(Holder(holder)) => {
                let text = format!("overlap: the job was not run, because {holder} has the lock");
                Err(self.not_run(&text, EXIT_LOCKED))
            }
            Locked::Ended(received) => {
                let number = received.signal.as_raw();
                let text = format!(
                    "the job was not run: signal {number} came while it waited for the lock"
                );
                Err(self.not_run(&text, u8::try_from(128 + number).unwrap_or(EXIT_LOCKED)))
            }
            // A broken lock is no reason not to run a backup.
            Locked::Broken(problem) => {
                self.notes.push(problem.clone());
                self.troubles.push(problem);
                Ok(None)
            }
        }
    }

    /// Looks at the destination, where that is wanted. `Err`: the job does not run, and we exit with this code.
    fn look(&mut self) -> Result<Option<Looking>, u8> {
        let checks = &self.task.checks;
        if !checks.is_any() {
            return Ok(None);
        }
        let looking = checks.look();
        if !checks.comes_first() {
            return Ok(Some(looking));
        }
        let look = looking.result();
        if !checks.first || look.broken.is_empty() {
            return Ok(Some(Looking::Done(look)));
        }
        let text = format!("the job was not run: {}", look.broken.join("; "));
        note(self.task, &text);
        self.post(Kind::Fail, format!("{NOTE_TAG}{text}\n").into_bytes());
        self.close(clock::steady());
        Err(EXIT_CHECK)
    }

    /// Says that the job was not run, which changes nothing of what is expected of it.
    fn not_run(&mut self, text: &str, code: u8) -> u8 {
        note(self.task, text);
        self.post(Kind::Log, format!("{NOTE_TAG}{text}\n").into_bytes());
        self.close(clock::steady());
        code
    }

    /// Runs the job until it succeeds or has had its tries.
    fn attempts(&mut self, sender: &Sender<Event>, events: &Receiver<Event>) -> Attempt {
        let mut tried = 0;
        loop {
            tried += 1;
            let attempt = self.attempt(tried, sender, events);
            let warns = self.task.judging.warn_exit.contains(&attempt.code);
            let again = attempt.code != 0
                && !warns
                && attempt.ending.told_to_end.is_none()
                && !attempt.ending.hangs
                && tried <= self.task.retries;
            if !again {
                if tried > 1 {
                    self.metrics.push(("attempts".to_owned(), f64::from(tried)));
                }
                return attempt;
            }
            let of = self.task.retries + 1;
            let text = format!("try {tried} of {of} ended with exit code {}", attempt.code);
            self.notes.push(text);
            let report = self.report(attempt, Vec::new());
            self.post(Kind::Log, report.body(&self.masks, self.body_limit()));
            if let Some(received) = pause(events, self.task.retry_wait) {
                let number = received.signal.as_raw();
                self.notes
                    .push(format!("signal {number} came before the next try"));
                return Attempt {
                    code: u8::try_from(128 + number).unwrap_or(EXIT_LOCKED),
                    ending: Ending::default(),
                    not_started: None,
                    heard: None,
                    failed_steps: Vec::new(),
                };
            }
        }
    }

    /// Runs the job once.
    fn attempt(&mut self, tried: u32, sender: &Sender<Event>, events: &Receiver<Event>) -> Attempt {
        let keeping = self.task.keeping;
        let mut start = Start {
            variables: vec![(RUN_ID.into(), self.rid.to_string().into())],
            reads_output: keeping.terminal || !std::io::stdout().is_terminal(),
            reads_errors: keeping.terminal || !std::io::stderr().is_terminal(),
            ..Start::default()
        };
        let steps = match &self.task.job {
            Job::Command(words) => {
                start.words.clone_from(words);
                None
            }
            Job::Shell(line) => Steps::prepare(line, &mut start, &mut self.troubles),
        };
        let started = child::start(&start);
        if tried == 1 && started.is_ok() {
            self.post(Kind::Start, Vec::new());
        }
        let (child, pipes) = match started {
            Ok(started) => started,
            Err(error) => {
                // What a shell would say, and is kept with the output.
                say(&error.reason);
                return Attempt {
                    code: error.code,
                    ending: Ending::default(),
                    not_started: Some(error.reason),
                    heard: None,
                    failed_steps: Vec::new(),
                };
            }
        };
        if let Err(error) = child.watch(sender.clone()) {
            self.troubles
                .push(format!("the job's end cannot be noticed: {error}"));
        }
        let output = Output::start(pipes, !keeping.no_text);
        let guard = Guard::start(child);
        let ending = supervise(child, events, self.task.limits);
        if let Some(guard) = guard {
            guard.dismiss();
        }
        let heard = match output {
            Ok(output) => {
                if let Some(limit) = self.mail.as_ref().and_then(Mail::body_limit) {
                    output.set_limit(limit);
                }
                Some(output.finish())
            }
            Err(error) => {
                self.troubles
                    .push(format!("the output cannot be read: {error}"));
                None
            }
        };
        Attempt {
            code: code(&ending),
            ending,
            not_started: None,
            heard,
            failed_steps: steps.map(Steps::failed).unwrap_or_default(),
        }
    }

    fn report(&self, attempt: Attempt, broken: Vec<String>) -> Report {
        let wall = self.began.elapsed();
        let judging = &self.task.judging;
        Report::of(attempt, judging, self.notes.clone(), broken, wall)
    }

    /// Reports the end, and says goodbye to our caller.
    fn end(mut self, attempt: Attempt, looking: Option<Looking>) -> u8 {
        let code = attempt.code;
        let mut metrics = usage::metrics(self.began.elapsed());
        metrics.append(&mut self.metrics);
        let mut broken = Vec::new();
        if let Some(before) = looking {
            let mut checked = self.task.checks.judge(before, self.began_at.into());
            metrics.append(&mut checked.metrics);
            broken = checked.broken;
        }
        self.metrics = metrics;
        let report = self.report(attempt, broken);
        let kind = report.kind();
        let body = report.body(&self.masks, self.body_limit());
        self.post(kind, body);
        // The time that the checks took is not the server's fault.
        self.close(clock::steady());
        code
    }

    fn body_limit(&self) -> Option<usize> {
        self.mail.as_ref().and_then(Mail::body_limit)
    }

    /// Sends a signal of this run in the background.
    fn post(&mut self, kind: Kind, body: Vec<u8>) {
        let Ok(address) = &self.task.route else {
            return;
        };
        let at = match kind {
            Kind::Start => self.began_at,
            _ => clock::wall(),
        };
        let mut signal = Signal::new(kind, at, clock::random().to_string());
        signal.rid = Some(self.rid);
        signal.body = body;
        if !matches!(kind, Kind::Start | Kind::Log) {
            signal.metrics.clone_from(&self.metrics);
        }
        if self.mail.is_none() {
            match Mail::start(address.clone(), self.task.spool.clone()) {
                Ok(mail) => self.mail = Some(mail),
                Err(error) => {
                    self.troubles.push(format!("nothing can be sent: {error}"));
                    return;
                }
            }
        }
        if let Some(mail) = &self.mail {
            mail.post(signal);
        }
    }

    /// Waits a moment for the last signals (from `ended` on), keeps the rest on disk, and says what our caller must know.
    fn close(&mut self, ended: Instant) {
        if let Err(problem) = &self.task.route {
            note(self.task, &format!("nothing was sent: {problem}"));
        }
        if let Some(mail) = self.mail.take() {
            let closed = mail.close(ended + self.task.linger);
            let waits = !closed.left.is_empty();
            if let Some(trouble) = closed.trouble {
                self.troubles.push(trouble);
            }
            self.keep(&closed.left);
            if waits && let Some(spool) = &self.task.spool {
                helper::start(spool);
            }
        }
        for trouble in &self.troubles {
            note(self.task, trouble);
        }
    }

    /// Keeps signals on disk.
    fn keep(&mut self, left: &[Signal]) {
        let (Ok(address), false) = (&self.task.route, left.is_empty()) else {
            return;
        };
        let Some(spool) = &self.task.spool else {
            let count = left.len();
            self.troubles
                .push(format!("{count} signals are lost: there is no spool"));
            return;
        };
        for signal in left {
            match spool.put(address, signal) {
                Ok(0) => {}
                Ok(older) => self.troubles.push(format!(
                    "the spool is full: {older} older signals were given up"
                )),
                Err(error) => self.troubles.push(format!("a signal is lost: {error}")),
            }
        }
        let folder = spool.folder().display();
        self.troubles.push(format!(
            "{} of this run's signals wait in {folder}; the next call or `nightbeat flush` delivers them",
            left.len()
        ));
    }
}

/// Waits before the next try. A signal that asks us to end ends the wait.
fn pause(events: &Receiver<Event>, wait: Duration) -> Option<Received> {
    let end = clock::steady() + wait;
    loop {
        let left = end.saturating_duration_since(clock::steady());
        match events.recv_timeout(left) {
            Ok(Event::Signal(received)) if received.ends() => return Some(received),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

fn code(ending: &Ending) -> u8 {
    if ending.timed_out {
        return EXIT_TIMED_OUT;
    }
    // Where SIGCHLD is ignored nobody can know; 0 would be a claim.
    ending.status.map_or(u8::MAX, shell_code)
}

/// Tells our caller something that is not the job's.
fn note(task: &Task, text: &str) {
    if !task.quiet {
        say(text);
    }
}

fn say(text: &str) {
    // Nobody may listen there any more, and that must not change how we end.
    let _ = writeln!(std::io::stderr(), "nightbeat: {text}");
}
