//! Where signals wait for the node, and where they get their time.
//!
//! A signal is stamped and queued under one lock, and the node takes the queue and the time under the
//! same lock. So when the node holds an instant in its hand, every signal with an earlier stamp is in its
//! hand too, or announced as still arriving: that instant is the watermark.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nightbeat_domain::{Gap, UnixMicros};
use nightbeat_engine::SteadyClock;
use nightbeat_store::Arrival;
use tokio::sync::{Notify, oneshot};

use super::Answer;
use super::pace::Pace;
use crate::clock::Clock;

/// How long a signal whose body is on its way holds judgements back. A body that takes longer is no
/// reason to tell nobody anything, and a stranger's need not even be a signal.
const ANNOUNCEMENT_HOLDS: Duration = Duration::from_secs(2);

/// A signal that waits for its answer.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) arrival: Arrival,
    pub(super) answer: oneshot::Sender<Answer>,
}

impl Inbound {
    /// What it weighs in the inbox, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.arrival.body.as_ref().map_or(0, Vec::len)
    }

    pub(super) fn answer(self, answer: Answer) {
        // The client may have gone away.
        let _ = self.answer.send(answer);
    }
}

/// What the node takes out.
#[derive(Debug)]
pub(super) struct Taken {
    /// The instant.
    pub(super) now: UnixMicros,
    /// Every signal up to this instant has been taken out.
    pub(super) watermark: UnixMicros,
    pub(super) signals: Vec<Inbound>,
    /// A signal was refused since the last time.
    pub(super) refused: bool,
    /// The clock jumped since the last time.
    pub(super) jump: Option<Gap>,
}

/// A signal whose body is still on its way. While it lives, but for two seconds at most, no later instant
/// is judged.
#[derive(Debug)]
pub struct Arriving {
    intake: std::sync::Arc<Intake>,
    number: u64,
    at: UnixMicros,
}

#[derive(Debug)]
pub(super) struct Intake {
    clock: Clock,
    // Held for a push or a swap; never across an await, so a plain mutex.
    waiting: Mutex<Waiting>,
    pub(super) wake: Notify,
    signals_max: usize,
}

#[derive(Debug)]
struct Waiting {
    axis: SteadyClock,
    /// The axis never goes back, whatever the clocks do.
    latest: UnixMicros,
    /// The last watermark that was given out: no signal may be stamped before it any more.
    watermark: UnixMicros,
    signals: Vec<Inbound>,
    pace: Option<Pace>,
    refused: bool,
    closed: bool,
    arriving: BTreeMap<u64, UnixMicros>,
    arrivals: u64,
}

impl Intake {
    pub(super) fn new(
        clock: Clock,
        floor: Option<UnixMicros>,
        signals_max: usize,
        per_second: Option<u32>,
    ) -> Self {
        let axis = SteadyClock::start(clock.read(), floor);
        Self {
            waiting: Mutex::new(Waiting {
                axis,
                latest: UnixMicros::MIN,
                watermark: UnixMicros::MIN,
                signals: Vec::new(),
                pace: per_second.map(Pace::new),
                refused: false,
                closed: false,
                arriving: BTreeMap::new(),
                arrivals: 0,
            }),
            clock,
            wake: Notify::new(),
            signals_max,
        }
    }

    pub(super) fn now(&self) -> UnixMicros {
        self.lock().now(&self.clock)
    }

    /// Stamps a signal and queues it. One that was announced keeps the time of its announcement, unless
    /// that has been judged since.
    pub(super) fn put(&self, inbound: Inbound, announced: Option<Arriving>) {
        let Inbound {
            mut arrival,
            answer,
        } = inbound;
        let mut waiting = self.lock();
        let now = waiting.now(&self.clock);
        let announced_at = announced.as_ref().map_or(now, |arriving| arriving.at);
        let judged = UnixMicros(waiting.watermark.0.saturating_add(1));
        arrival.signal.received_at = announced_at.max(judged);
        let full = waiting.closed || waiting.signals.len() >= self.signals_max;
        waiting.refused |= full;
        let passed = if full {
            Err(Answer::Refused {
                retry_after_seconds: super::RETRY_AFTER_SECONDS,
            })
        } else {
            waiting.pass(arrival, now)
        };
        let first = waiting.signals.is_empty();
        let refusal = match passed {
            Ok(arrival) => {
                waiting.signals.push(Inbound { arrival, answer });
                None
            }
            Err(refusal) => Some((answer, refusal)),
        };
        drop(waiting);
        // Only now: from here on the queue speaks for it.
        drop(announced);
        match refusal {
            // The client may have gone away.
            Some((answer, refusal)) => drop(answer.send(refusal).is_ok()),
            None if first => self.wake.notify_one(),
            None => {}
        }
    }

    /// Announces a signal whose body is still on its way.
    pub(super) fn announce(self: &std::sync::Arc<Self>) -> Arriving {
        let mut waiting = self.lock();
        let at = waiting.now(&self.clock);
        waiting.arrivals += 1;
        let number = waiting.arrivals;
        waiting.arriving.insert(number, at);
        Arriving {
            intake: std::sync::Arc::clone(self),
            number,
            at,
        }
    }

    /// A signal was refused before it came here.
    pub(super) fn refused(&self) {
        self.lock().refused = true;
    }

    /// Takes no more signals.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Takes out what waits.
    pub(super) fn take(&self) -> Taken {
        let reading = self.clock.read();
        let mut waiting = self.lock();
        let jump = waiting.axis.follow(reading);
        let now = waiting.now(&self.clock);
        let mut signals = std::mem::take(&mut waiting.signals);
        let pace = waiting.pace.as_mut();
        let (signs, kept_since) = pace.map_or((Vec::new(), None), |pace| {
            (pace.signs_of_life(now), pace.kept_since())
        });
        signals.extend(signs.into_iter().map(|arrival| {
            // It was answered 429 long ago.
            let (answer, _) = oneshot::channel();
            Inbound { arrival, answer }
        }));
        let holds = |at: &&UnixMicros| now.since(**at) < ANNOUNCEMENT_HOLDS;
        let announced = waiting.arriving.values().find(holds).copied();
        // A signal may still be stamped with this very microsecond.
        let first_missing = announced.into_iter().chain(kept_since).fold(now, Ord::min);
        let watermark = UnixMicros(first_missing.0 - 1).max(waiting.watermark);
        waiting.watermark = watermark;
        Taken {
            now,
            watermark,
            signals,
            refused: std::mem::take(&mut waiting.refused),
            jump,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Lets a signal pass, within the operator's limit for one heartbeat.
    fn pass(&mut self, arrival: Arrival, now: UnixMicros) -> Result<Arrival, Answer> {
        let Some(pace) = self.pace.as_mut() else {
            return Ok(arrival);
        };
        pace.pass(arrival, now).ok_or(Answer::TooFast {
            retry_after_seconds: 1,
        })
    }

    fn now(&mut self, clock: &Clock) -> UnixMicros {
        self.latest = self.latest.max(self.axis.instant(clock.read()));
        self.latest
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.intake.lock().arriving.remove(&self.number);
    }
}
