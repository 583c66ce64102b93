//! The run's signals on their way, beside the job: one thread that brings them in their order, tries again
//! with back-off, and keeps on disk what has waited too long.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::ping::{Address, Courier, PingError, Refusal, Signal, spread};
use crate::spool::Spool;

/// How long one try may take.
const ONE_TRY: Duration = Duration::from_secs(10);

/// The first wait between two tries; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The wait between two tries when the job has ended and its caller waits for us.
const LAST_WAIT: Duration = Duration::from_millis(200);

/// A signal that was tried for this long is kept on disk too, while the job goes on: whatever happens to
/// this process, it is not lost.
const SPOOL_AFTER: Duration = Duration::from_secs(60);

/// How often the spool is offered to a server that was away, while the job runs.
const SPOOL_ROUND: Duration = Duration::from_secs(60);

/// Brings the signals of one run.
pub(super) struct Mail {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the thread and the run share. A std mutex: it is never held over a request.
#[derive(Default)]
struct State {
    /// Not delivered yet, in their order. The first may be on its way.
    queue: VecDeque<Signal>,
    /// The job has ended: no long waits any more.
    closing: bool,
    /// What the server says that it keeps of a body.
    body_limit: Option<usize>,
    /// What went wrong last, and was not made good since.
    trouble: Option<String>,
}

/// How the mail ended.
#[derive(Debug, Default)]
pub(super) struct Closed {
    /// What could not be delivered in time.
    pub(super) left: Vec<Signal>,
    /// What went wrong last.
    pub(super) trouble: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mail {
    /// Begins to bring what [`Mail::post`] is given to `address`. What waits too long goes to `spool`.
    pub(super) fn start(address: Address, spool: Option<Spool>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let carrier = Carrier {
            shared: Arc::clone(&shared),
            courier: Courier::new(address),
            spool,
            failures: 0,
            not_before: None,
            spool_round: None,
        };
        thread::Builder::new()
            .name("mail".to_owned())
            .spawn(move || carrier.carry())?;
        Ok(Self { shared })
    }

    /// Sends a signal after those before it. Returns at once.
    pub(super) fn post(&self, signal: Signal) {
        self.shared.lock().queue.push_back(signal);
        self.shared.changed.notify_all();
    }

    /// What the server says that it keeps of a body, once it has answered.
    pub(super) fn body_limit(&self) -> Option<usize> {
        self.shared.lock().body_limit
    }

    /// The job has ended: waits until all is delivered, but not beyond `end`.
    pub(super) fn close(self, end: Instant) -> Closed {
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.changed.notify_all();
        while !state.queue.is_empty() {
            let left = end.saturating_duration_since(clock::steady());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        Closed {
            left: state.queue.drain(..).collect(),
            trouble: state.trouble.take(),
        }
    }
}

/// The thread's own part.
struct Carrier {
    shared: Arc<Shared>,
    courier: Courier,
    spool: Option<Spool>,
    /// How many tries in a row failed.
    failures: u32,
    /// Before, nothing is tried.
    not_before: Option<Instant>,
    /// When the spool is offered again.
    spool_round: Option<Instant>,
}

/// What the thread does next.
enum Work {
    Signal(Signal),
    Spool,
    End,
}

impl Carrier {
    fn carry(mut self) {
        loop {
            match self.next() {
                Work::Signal(signal) => self.bring(&signal),
                Work::Spool => self.empty_spool(),
                Work::End => return,
            }
        }
    }

    fn next(&self) -> Work {
        let mut state = self.shared.lock();
        loop {
            let now = clock::steady();
            let mut look = None;
            match state.queue.front() {
                Some(first) => match self.not_before.filter(|at| *at > now) {
                    None => return Work::Signal(first.clone()),
                    Some(at) => look = Some(at),
                },
                None if state.closing => return Work::End,
                None => match self.spool_round {
                    Some(at) if at <= now => return Work::Spool,
                    round => look = round.or(look),
                },
            }
            let closing = state.closing;
            let left = look.map_or(LONGEST_WAIT, |at| at - now);
            let left = if closing { left.min(LAST_WAIT) } else { left };
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
            if closing || state.closing {
                // Whoever waits for us now waits for a last try.
                if let Some(first) = state.queue.front() {
                    return Work::Signal(first.clone());
                }
            }
        }
    }

    fn bring(&mut self, signal: &Signal) {
        match self.courier.try_once(signal, ONE_TRY) {
            Ok(receipt) => {
                self.failures = 0;
                self.not_before = None;
                // The server is there: what waits on disk goes too, as soon as there is nothing else.
                self.spool_round = self.spool.as_ref().map(|_| clock::steady());
                let mut state = self.shared.lock();
                state.body_limit = receipt.body_limit.or(state.body_limit);
                state.trouble = None;
                Self::delivered(&mut state, signal);
            }
            Err(Refusal::Final(error)) => {
                let mut state = self.shared.lock();
                state.trouble = Some(error.to_string());
                Self::delivered(&mut state, signal);
            }
            Err(Refusal::Later(failure)) => {
                self.failures += 1;
                let asked = failure.retry_after.unwrap_or_default();
                self.wait_longer(asked);
                let error = failure.error(self.failures as usize);
                self.put_off(signal, &error);
            }
        }
        self.shared.changed.notify_all();
    }

    /// It is off our hands, unless the run has taken it back meanwhile.
    fn delivered(state: &mut State, signal: &Signal) {
        if state
            .queue
            .front()
            .is_some_and(|first| first.nonce == signal.nonce)
        {
            state.queue.pop_front();
        }
    }

    fn wait_longer(&mut self, asked: Duration) {
        let doubled = FIRST_WAIT * 2_u32.saturating_pow(self.failures.min(10) - 1);
        let random = clock::random().as_bytes()[0];
        let wait = spread(doubled.min(LONGEST_WAIT), random).max(asked.min(LONGEST_WAIT));
        self.not_before = Some(clock::steady() + wait);
    }

    fn put_off(&mut self, signal: &Signal, error: &PingError) {
        let age = clock::wall().duration_since(signal.at).unsigned_abs();
        let mut state = self.shared.lock();
        state.trouble = Some(error.to_string());
        if state.closing || age < SPOOL_AFTER {
            return;
        }
        let Some(spool) = &self.spool else {
            return;
        };
        // Under the lock: the run must not keep it on disk a second time.
        match spool.put(self.courier.address(), signal) {
            Ok(_) => {
                Self::delivered(&mut state, signal);
                self.spool_round = Some(clock::steady() + SPOOL_ROUND);
            }
            Err(error) => state.trouble = Some(error.to_string()),
        }
    }

    fn empty_spool(&mut self) {
        self.spool_round = None;
        let Some(spool) = &self.spool else {
            return;
        };
        let idle = || {
            let state = self.shared.lock();
            !state.closing && state.queue.is_empty()
        };
        // What goes wrong here is not this run's; the next call, or `nightbeat flush`, says it.
        if let Ok(delivery) = spool.deliver(ONE_TRY, idle)
            && delivery.waiting > 0
            && !delivery.busy
        {
            self.spool_round = Some(clock::steady() + SPOOL_ROUND);
        }
    }
}
