//! The node's intake, shared between requests and the loop: the engine's, behind a lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nightbeat_domain::UnixMicros;
use nightbeat_engine::{self as engine, Announced, Reading};
use nightbeat_store::Arrival;
use tokio::sync::{Notify, oneshot};

use super::Answer;
use super::pace::Pace;
use crate::clock::Clock;

/// What the database's clock said, at some instant from `asked` to `answered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockSaid {
    pub(super) asked: Reading,
    pub(super) answered: Reading,
    pub(super) clock: UnixMicros,
}

impl ClockSaid {
    /// How long the answer took, in microseconds: so much is not known of when it was said.
    pub(super) fn took_micros(&self) -> i64 {
        let asked = self.asked.boot_micros;
        self.answered.boot_micros.saturating_sub(asked)
    }
}

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
    /// In which life of the node it was announced.
    life: u64,
    announced: Announced,
}

#[derive(Debug)]
pub(super) struct Intake {
    clock: Clock,
    signals_max: usize,
    per_second: Option<u32>,
    // Held for a push or a swap; never across an await, so a plain mutex.
    waiting: Mutex<Waiting>,
    pub(super) wake: Notify,
}

#[derive(Debug)]
struct Waiting {
    /// Of the present life of the node, or of its last: its axis goes on.
    signals: engine::Intake<Inbound>,
    pace: Option<Pace>,
    /// Counts the node's lives: 0 before the first one.
    life: u64,
    /// Whether the node lives, so that signals may be taken.
    lives: bool,
    /// A signal was refused since the node asked to join.
    refused: bool,
}

impl Intake {
    /// The intake of a server that is alone on its database.
    pub(super) fn alone(
        clock: Clock,
        floor: Option<UnixMicros>,
        signals_max: usize,
        per_second: Option<u32>,
    ) -> Self {
        let intake = Self::shared(clock, signals_max, per_second);
        let mut waiting = intake.lock();
        waiting.signals = engine::Intake::new(intake.read(), floor, signals_max);
        waiting.life = 1;
        waiting.lives = true;
        drop(waiting);
        intake
    }

    /// The intake of one of several nodes, which takes nothing before it has joined.
    pub(super) fn shared(clock: Clock, signals_max: usize, per_second: Option<u32>) -> Self {
        Self {
            signals_max,
            per_second,
            waiting: Mutex::new(Waiting {
                signals: engine::Intake::new(clock.read(), None, signals_max),
                pace: per_second.map(Pace::new),
                life: 0,
                lives: false,
                refused: false,
            }),
            clock,
            wake: Notify::new(),
        }
    }

    /// What the clocks say.
    pub(super) fn read(&self) -> Reading {
        self.clock.read()
    }

    pub(super) fn now(&self) -> UnixMicros {
        self.lock().signals.now(self.clock.read())
    }

    /// Whether [`Self::now`] says what time it is: a node learns that as it joins.
    pub(super) fn knows_the_time(&self) -> bool {
        self.lock().life > 0
    }

    /// The node is about to ask whether it may join.
    pub(super) fn asks(&self) -> Reading {
        self.lock().refused = false;
        self.read()
    }

    /// A life begins: the database's clock said `clock` to a node that asked at `asked`, and then `said`.
    pub(super) fn joined(&self, asked: Reading, clock: UnixMicros, said: Option<ClockSaid>) {
        let mut waiting = self.lock();
        let answered = self.read();
        waiting.signals = engine::Intake::joined(asked, answered, clock, self.signals_max);
        if let Some(said) = said {
            let ClockSaid {
                asked,
                answered,
                clock,
            } = said;
            waiting.signals.starts_no_earlier(asked, answered, clock);
        }
        if waiting.refused {
            // Nobody else knows of it: the gap of the absence ends with `clock`.
            waiting.signals.refused();
        }
        waiting.pace = self.per_second.map(Pace::new);
        waiting.life += 1;
        waiting.lives = true;
    }

    /// A life is over: what waits is refused, and so is what comes.
    pub(super) fn ends(&self) {
        let mut waiting = self.lock();
        waiting.lives = false;
        let left = waiting.signals.take(self.clock.read(), |_, _| None);
        drop(waiting);
        // Whoever waits for an answer is told that there is none.
        drop(left);
    }

    /// The lease was renewed by a transaction, in which the database's clock said `clock`.
    pub(super) fn renewed(&self, asked: Reading, answered: Reading, clock: UnixMicros) {
        self.lock().signals.renewed(asked, answered, clock);
    }

    /// Whether enough is left of the lease for signals to be sent here.
    pub(super) fn is_ready(&self) -> bool {
        self.lock().signals.is_ready(self.clock.read())
    }

    /// Stamps a signal and queues it. One that was announced keeps the time of its announcement, unless
    /// that has been judged since.
    pub(super) fn put(&self, inbound: Inbound, announced: Option<Arriving>) {
        let Inbound {
            mut arrival,
            answer,
        } = inbound;
        let mut waiting = self.lock();
        let reading = self.clock.read();
        let now = waiting.signals.now(reading);
        let announcement = announced.as_ref().map(|arriving| arriving.announced);
        arrival.signal.received_at = waiting.signals.stamp(now, announcement);
        let passed = if waiting.may_take(reading, announced.as_ref()) {
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
        let mut waiting = self.lock();
        let announced = waiting.signals.announce(self.clock.read());
        Arriving {
            intake: Arc::clone(self),
            life: waiting.life,
            announced,
        }
    }

    /// A signal was refused before it came here.
    pub(super) fn refused(&self) {
        self.lock().refuse();
    }

    /// Takes no more signals.
    pub(super) fn close(&self) {
        self.lock().signals.close();
        self.wake.notify_one();
    }

    /// Takes out what waits.
    pub(super) fn take(&self) -> engine::Taken<Inbound> {
        let mut waiting = self.lock();
        let Waiting { signals, pace, .. } = &mut *waiting;
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
    /// Whether a signal may be taken. One that was announced in an earlier life may not: its time may have
    /// been judged by others.
    fn may_take(&mut self, reading: Reading, announced: Option<&Arriving>) -> bool {
        let of_this_life = announced.is_none_or(|arriving| arriving.life == self.life);
        if !self.lives || !of_this_life {
            self.refuse();
            return false;
        }
        self.signals.may_take(reading)
    }

    fn refuse(&mut self) {
        if self.lives {
            self.signals.refused();
        } else {
            self.refused = true;
        }
    }

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
        let mut waiting = self.intake.lock();
        if waiting.life == self.life {
            waiting.signals.withdraw(self.announced);
        }
    }
}

#[cfg(test)]
mod tests {
    use nightbeat_domain::{HeartbeatId, Signal, SignalKind};
    use nightbeat_store::Target;

    use super::*;

    const CLOCK: UnixMicros = UnixMicros::from_seconds(1_795_312_800);

    fn signal() -> (Inbound, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let arrival = Arrival {
            target: Target::Id(HeartbeatId(uuid::Uuid::from_u128(1))),
            signal: Signal::new(SignalKind::Success, UnixMicros::MIN),
            nonce: None,
            method: "GET",
            source: String::new(),
            user_agent: String::new(),
            body: None,
            body_bytes: 0,
            mail: None,
        };
        (Inbound { arrival, answer }, answered)
    }

    fn is_refused(intake: &Intake, announced: Option<Arriving>) -> bool {
        let (inbound, mut answered) = signal();
        intake.put(inbound, announced);
        matches!(answered.try_recv(), Ok(Answer::Refused { .. }))
    }

    fn of_several() -> Arc<Intake> {
        Arc::new(Intake::shared(Clock::default(), 10, None))
    }

    #[test]
    fn before_it_has_joined_it_refuses_and_does_not_know_the_time() {
        let intake = of_several();
        assert!(is_refused(&intake, None));
        assert!(!intake.knows_the_time());
        let asked = intake.asks();
        intake.joined(asked, CLOCK, None);
        assert!(intake.knows_the_time() && intake.is_ready());
        assert!(intake.now().since(CLOCK).as_secs() < 60);
        assert!(!is_refused(&intake, None));
        let taken = intake.take();
        assert!(!taken.refused, "the gap of its absence knows of that");
        assert_eq!(taken.signals.len(), 1);
    }

    #[test]
    fn what_is_refused_while_it_joins_is_remembered_by_the_new_life() {
        let intake = of_several();
        let asked = intake.asks();
        assert!(is_refused(&intake, None));
        intake.joined(asked, CLOCK, None);
        assert!(intake.take().refused);
    }

    #[test]
    fn the_end_of_a_life_refuses_what_waits_and_what_was_announced_in_it() {
        let intake = of_several();
        let asked = intake.asks();
        intake.joined(asked, CLOCK, None);
        let (inbound, mut answered) = signal();
        intake.put(inbound, None);
        let announced = intake.announce();
        intake.ends();
        assert!(answered.try_recv().is_err(), "its answer was dropped");
        assert!(is_refused(&intake, None));
        assert!(intake.knows_the_time());
        let asked = intake.asks();
        intake.joined(asked, CLOCK, None);
        assert!(is_refused(&intake, Some(announced)), "of another life");
        assert!(!is_refused(&intake, None));
    }
}
