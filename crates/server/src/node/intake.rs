//! The node's intake, shared between requests and the loop: the engine's, behind a lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nightbeat_domain::UnixMicros;
use nightbeat_engine::{self as engine, Announced};
use nightbeat_store::Arrival;
use tokio::sync::{Notify, oneshot};

use super::Answer;
use super::pace::Pace;
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

/// A signal whose body is still on its way. While it lives, but for two seconds at most, no later instant
/// is judged.
#[derive(Debug)]
pub struct Arriving {
    intake: Arc<Intake>,
    announced: Announced,
}

#[derive(Debug)]
pub(super) struct Intake {
    clock: Clock,
    // Held for a push or a swap; never across an await, so a plain mutex.
    waiting: Mutex<Waiting>,
    pub(super) wake: Notify,
}

#[derive(Debug)]
struct Waiting {
    signals: engine::Intake<Inbound>,
    pace: Option<Pace>,
}

impl Intake {
    pub(super) fn new(
        clock: Clock,
        floor: Option<UnixMicros>,
        signals_max: usize,
        per_second: Option<u32>,
    ) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                signals: engine::Intake::new(clock.read(), floor, signals_max),
                pace: per_second.map(Pace::new),
            }),
            clock,
            wake: Notify::new(),
        }
    }

    pub(super) fn now(&self) -> UnixMicros {
        self.lock().signals.now(self.clock.read())
    }

    /// Stamps a signal and queues it. One that was announced keeps the time of its announcement, unless
    /// that has been judged since.
    pub(super) fn put(&self, inbound: Inbound, announced: Option<Arriving>) {
        let Inbound {
            mut arrival,
            answer,
        } = inbound;
        let mut waiting = self.lock();
        let now = waiting.signals.now(self.clock.read());
        let announcement = announced.as_ref().map(|arriving| arriving.announced);
        arrival.signal.received_at = waiting.signals.stamp(now, announcement);
        let passed = if waiting.signals.has_room() {
            waiting.pass(arrival, now)
        } else {
            Err(Answer::Refused {
                retry_after_seconds: super::RETRY_AFTER_SECONDS,
            })
        };
        let (first, refusal) = match passed {
            Ok(arrival) => (waiting.signals.push(Inbound { arrival, answer }), None),
            Err(refusal) => (false, Some((answer, refusal))),
        };
        drop(waiting);
        // Only now: from here on the queue speaks for it.
        drop(announced);
        if let Some((answer, refusal)) = refusal {
            // The client may have gone away.
            let _ = answer.send(refusal);
        } else if first {
            self.wake.notify_one();
        }
    }

    /// Announces a signal whose body is still on its way.
    pub(super) fn announce(self: &Arc<Self>) -> Arriving {
        let announced = self.lock().signals.announce(self.clock.read());
        Arriving {
            intake: Arc::clone(self),
            announced,
        }
    }

    /// A signal was refused before it came here.
    pub(super) fn refused(&self) {
        self.lock().signals.refused();
    }

    /// Takes no more signals.
    pub(super) fn close(&self) {
        self.lock().signals.close();
        self.wake.notify_one();
    }

    /// Takes out what waits.
    pub(super) fn take(&self) -> engine::Taken<Inbound> {
        let mut waiting = self.lock();
        let Waiting { signals, pace } = &mut *waiting;
        signals.take(self.clock.read(), |now, signals| {
            let pace = pace.as_mut()?;
            signals.extend(pace.signs_of_life(now).into_iter().map(|arrival| {
                // It was answered 429 long ago.
                let (answer, _) = oneshot::channel();
                Inbound { arrival, answer }
            }));
            pace.kept_since()
        })
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
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.intake.lock().signals.withdraw(self.announced);
    }
}
