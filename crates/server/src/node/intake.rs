//! Where signals wait for the node, and where they get their time.
//!
//! A signal is stamped and queued under one lock, and the node takes the queue and the time under the
//! same lock. So when the node holds an instant in its hand, every signal with an earlier stamp is in its
//! hand too, or announced as still arriving: that instant is the watermark.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nightbeat_domain::{Gap, UnixMicros};
use nightbeat_engine::SteadyClock;
use nightbeat_store::Arrival;
use tokio::sync::{Notify, oneshot};

use super::Answer;
use crate::clock::Clock;

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

/// A signal whose body is still on its way. While it lives, no later instant is judged.
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
    signals: Vec<Inbound>,
    refused: bool,
    closed: bool,
    arriving: BTreeMap<u64, UnixMicros>,
    arrivals: u64,
}

impl Intake {
    pub(super) fn new(clock: Clock, floor: Option<UnixMicros>, signals_max: usize) -> Self {
        let axis = SteadyClock::start(clock.read(), floor);
        Self {
            waiting: Mutex::new(Waiting {
                axis,
                latest: UnixMicros::MIN,
                signals: Vec::new(),
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

    /// Stamps a signal and queues it. One that was announced keeps the time of its announcement.
    pub(super) fn put(&self, mut inbound: Inbound, announced: Option<Arriving>) {
        let mut waiting = self.lock();
        let now = waiting.now(&self.clock);
        inbound.arrival.signal.received_at = announced.as_ref().map_or(now, |arriving| arriving.at);
        let full = waiting.closed || waiting.signals.len() >= self.signals_max;
        if full {
            waiting.refused = true;
            drop(waiting);
            inbound.answer(Answer::Refused {
                retry_after_seconds: super::RETRY_AFTER_SECONDS,
            });
            return;
        }
        let first = waiting.signals.is_empty();
        waiting.signals.push(inbound);
        drop(waiting);
        // Only now: from here on the queue speaks for it.
        drop(announced);
        if first {
            self.wake.notify_one();
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
        // A signal may still be stamped with this very microsecond.
        let before_now = UnixMicros(now.0 - 1);
        let announced = waiting.arriving.first_key_value();
        let watermark =
            announced.map_or(before_now, |(_, at)| UnixMicros(at.0 - 1).min(before_now));
        Taken {
            now,
            watermark,
            signals: std::mem::take(&mut waiting.signals),
            refused: std::mem::take(&mut waiting.refused),
            jump,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
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
