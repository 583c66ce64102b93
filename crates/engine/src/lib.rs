//! One node as a pure state machine: events in, commands out.
//!
//! [`Engine::step`] takes what happened and says what to do. It does nothing itself: no I/O, no clock, no
//! thread. The server's loop and the simulator drive the same code.
//!
//! Its promises:
//! - no signal is acknowledged before it is durable;
//! - a deadline is judged only after every signal received before it was handed to the store, in the same
//!   queue ([`Event::Tick`] brings that watermark);
//! - every gap reaches the ledger before the first decision that it concerns;
//! - deleting every timer in here costs time, never an alert: [`Event::Filed`] brings back what was lost.
#![forbid(unsafe_code)]

mod blind;
mod clock;
mod intake;
mod outbox;
mod retry;
mod wheel;

use std::time::Duration;

use nightbeat_domain::{Gap, HeartbeatId, UnixMicros};

pub use blind::LATE_TICK;
use blind::{Blind, Carried};
pub use clock::{Reading, STEP_MICROS, SteadyClock};
pub use intake::{ANNOUNCEMENT_HOLDS, Announced, Intake, Taken};
use outbox::Outbox;
pub use outbox::{
    Answer, CLAIM_PER_CHANNEL, Claimed, Ending, Finished, LANE_CONCURRENCY, LANE_FAILURES_MAX,
    LANE_PROBE_EVERY, LEASE, LEASE_LEFT_MIN, POLL_EVERY, Send,
};
pub use retry::{ATTEMPTS_MIN, GIVE_UP_AFTER, PAUSES, RETRY_AFTER_MAX, next_try};
pub use wheel::Wheel;

/// How many heartbeats are judged in one transaction: few enough not to delay the signals behind it.
pub const JUDGED_AT_ONCE: usize = 500;
/// How many signals are recorded in one transaction.
pub const RECORDED_AT_ONCE: usize = 2_000;
/// With nothing else to write, how often the store is told that receiving works.
pub const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// Ticks for deadlines are at least this far apart: where one cannot be judged yet (a signal from before it
/// is still on its way), asking again at once changes nothing.
pub const TICK_EVERY_MIN: Duration = Duration::from_millis(5);
/// What could not be judged or stored is tried again after this.
pub const JUDGE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Signals in the inbox.
    pub inbox_signals_max: usize,
    /// Bytes of bodies in the inbox.
    pub inbox_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inbox_signals_max: 100_000,
            inbox_bytes_max: 64 << 20,
        }
    }
}

/// What happened. `A` is a signal on its way, with whatever is needed to answer it.
#[derive(Debug)]
pub enum Event<A> {
    /// A signal arrived; `bytes` is the size of its body.
    Received {
        /// The signal.
        arrival: A,
        /// The size of its body in bytes.
        bytes: usize,
    },
    /// A signal was refused before it came here (too many connections), or could not be let in.
    Refused,
    /// Time passed. Every signal received up to `watermark` has come here before this event.
    Tick {
        /// Every signal received up to this instant is here or was refused.
        watermark: UnixMicros,
    },
    /// A gap that is known from elsewhere: before the start, a jump of the clock, an operator's word.
    Gap(Gap),
    /// A transaction of signals is durable, or failed.
    Recorded {
        /// Which.
        batch: u64,
        /// What it did.
        result: Result<Written, Failed>,
    },
    /// A judgement is durable, or failed.
    Elapsed {
        /// Whom it judged.
        heartbeats: Vec<HeartbeatId>,
        /// What it did.
        result: Result<Written, Failed>,
    },
    /// Look at these then: at the start, after people's changes, and what a search found overdue.
    Filed(Vec<(HeartbeatId, UnixMicros)>),
    /// Deliveries may be due.
    Queued,
    /// Deliveries were claimed, or could not be.
    Claimed(Result<Vec<Claimed>, Failed>),
    /// A message came to its end.
    Sent {
        /// Which.
        message: u64,
        /// What the receiver answered.
        answer: Answer,
    },
    /// The ends of messages are durable, or could not be stored: then they are brought back.
    Finished(Result<(), Vec<Finished>>),
}

/// What a transaction did, as far as the engine must know.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// When to look at heartbeats.
    pub watched: Vec<(HeartbeatId, UnixMicros)>,
    /// Whether deliveries were queued.
    pub deliveries: bool,
}

/// A transaction failed: nothing of it is stored, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

/// What to do. The store's commands take effect in the order in which they are given.
#[derive(Debug)]
pub enum Command<A> {
    /// Record these signals in one transaction, after entering the gaps.
    Record {
        /// Which transaction: say it with the result.
        batch: u64,
        /// The signals.
        arrivals: Vec<A>,
        /// Every signal received up to this instant is in this transaction or an earlier one.
        watermark: UnixMicros,
        /// Gaps that are not known to be stored.
        gaps: Vec<Gap>,
    },
    /// Answer the signals of this transaction: it is durable, or they are refused.
    Answer {
        /// Which.
        batch: u64,
        /// Whether it is durable.
        durable: bool,
    },
    /// Refuse this signal: too many are waiting.
    Refuse(A),
    /// Judge these heartbeats in one transaction, after entering the gaps.
    Elapse {
        /// Whom.
        heartbeats: Vec<HeartbeatId>,
        /// Every signal received up to this instant has been given to the store.
        asof: UnixMicros,
        /// Gaps that are not known to be stored.
        gaps: Vec<Gap>,
    },
    /// Claim deliveries that are due, but none of these channels.
    Claim {
        /// Channels that are busy or broken.
        skip: Vec<nightbeat_domain::ChannelId>,
    },
    /// Send a message.
    Send(Send),
    /// Store what became of deliveries.
    Finish(Vec<Finished>),
}

/// How the node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Storing works.
    pub storing: bool,
    /// How long the deadline that waits longest for its judgement has been waiting.
    pub judging_lag: Duration,
    /// Signals in the inbox.
    pub inbox_signals: usize,
    /// How many entries are watched.
    pub watched: usize,
    /// How many messages are under way.
    pub sending: usize,
}

/// One node.
#[derive(Debug)]
pub struct Engine<A> {
    limits: Limits,
    inbox: Vec<A>,
    inbox_bytes: usize,
    batches: u64,
    /// Transactions of signals that are on their way to the disk, with what they carry.
    recording: Vec<(u64, Carried, UnixMicros)>,
    /// A judgement on its way, and the instant up to which it decides.
    judging: Option<(Carried, UnixMicros)>,
    wheel: Wheel,
    watermark: UnixMicros,
    /// Every signal received up to this instant has been given to the store.
    recorded_to: UnixMicros,
    blind: Blind,
    /// When the store last took something.
    stored_at: UnixMicros,
    /// When it was last asked to.
    tried_at: UnixMicros,
    outbox: Outbox,
    claiming: bool,
    claimed_at: UnixMicros,
    /// Deliveries were queued while a claim was under way.
    claim_again: bool,
    finishing: bool,
    /// Storing the ends of messages failed: not again before this.
    finish_from: UnixMicros,
}

impl<A> Engine<A> {
    /// A node that begins at `now`.
    pub fn new(limits: Limits, now: UnixMicros) -> Self {
        let before = now - Duration::from_micros(1);
        Self {
            limits,
            inbox: Vec::new(),
            inbox_bytes: 0,
            batches: 0,
            recording: Vec::new(),
            judging: None,
            wheel: Wheel::default(),
            watermark: before,
            recorded_to: before,
            blind: Blind::default(),
            stored_at: now,
            tried_at: now - ALIVE_EVERY,
            outbox: Outbox::default(),
            claiming: false,
            claimed_at: now - POLL_EVERY,
            claim_again: false,
            finishing: false,
            finish_from: before,
        }
    }

    /// Takes in what happened at `now`; what to do is added to `commands`.
    pub fn step(&mut self, now: UnixMicros, event: Event<A>, commands: &mut Vec<Command<A>>) {
        match event {
            Event::Received { arrival, bytes } => self.received(now, arrival, bytes, commands),
            // It came after the last tick's watermark: what came before was here.
            Event::Refused => self.blind.refused(self.watermark, now),
            Event::Tick { watermark } => {
                self.blind.tick(now);
                self.watermark = self.watermark.max(watermark);
            }
            Event::Gap(gap) => self.blind.add(gap),
            Event::Recorded { batch, result } => self.recorded(now, batch, result, commands),
            Event::Elapsed { heartbeats, result } => self.elapsed(now, heartbeats, result),
            Event::Filed(entries) => self.file(entries),
            Event::Queued => self.claim_again = true,
            Event::Claimed(result) => {
                self.claiming = false;
                self.outbox.claimed(result.unwrap_or_default(), now);
            }
            Event::Sent { message, answer } => self.outbox.sent(message, &answer, now),
            Event::Finished(result) => {
                self.finishing = false;
                // What is finished may have held up what comes after it.
                self.claim_again |= result.is_ok();
                if result.is_err() {
                    self.finish_from = now + JUDGE_AGAIN_AFTER;
                }
                self.outbox.put_back(result.err().unwrap_or_default());
            }
        }
        // A signal alone waits for the end of its burst: whoever drives this ends it with a tick.
    }

    /// Gives out the work that is ready. Call it after each burst of events.
    pub fn work(&mut self, now: UnixMicros, commands: &mut Vec<Command<A>>) {
        self.judge(now, commands);
        self.record(now, commands);
        self.deliver(now, commands);
    }

    /// When a tick is due at the latest.
    pub fn next_tick(&self, now: UnixMicros) -> UnixMicros {
        let latest = now + ALIVE_EVERY;
        let busy = self.judging.is_some();
        match self.wheel.next() {
            Some(next) if !busy => next.clamp(now + TICK_EVERY_MIN, latest),
            _ => latest,
        }
    }

    /// How the node is.
    pub fn health(&self, now: UnixMicros) -> Health {
        Health {
            storing: !self.blind.storage_fails(),
            judging_lag: self
                .wheel
                .next()
                .map_or(Duration::ZERO, |next| now.since(next)),
            inbox_signals: self.inbox.len(),
            watched: self.wheel.len(),
            sending: self.outbox.in_flight(),
        }
    }

    /// Begins no more messages; what was claimed and not begun goes back to the queue.
    pub fn stop(&mut self) {
        self.outbox.stopping = true;
    }

    /// Whether nothing waits: neither a signal for the disk nor a result.
    pub fn is_drained(&self) -> bool {
        self.inbox.is_empty()
            && self.recording.is_empty()
            && self.judging.is_none()
            && self.outbox.in_flight() == 0
            && !self.claiming
            && !self.finishing
            && !self.outbox.has_finished()
    }

    fn received(&mut self, now: UnixMicros, arrival: A, bytes: usize, out: &mut Vec<Command<A>>) {
        let full = self.inbox.len() >= self.limits.inbox_signals_max
            || self.inbox_bytes.saturating_add(bytes) > self.limits.inbox_bytes_max;
        if full {
            self.blind.refused(self.watermark, now);
            out.push(Command::Refuse(arrival));
            return;
        }
        self.inbox.push(arrival);
        self.inbox_bytes += bytes;
    }

    fn file(&mut self, entries: impl IntoIterator<Item = (HeartbeatId, UnixMicros)>) {
        for (heartbeat, at) in entries {
            self.wheel.file(heartbeat, at);
        }
    }

    /// Hands the waiting signals to the store, one transaction at a time: while one is on its way to the
    /// disk, the next grows.
    fn record(&mut self, now: UnixMicros, out: &mut Vec<Command<A>>) {
        if !self.recording.is_empty() {
            return;
        }
        let idle = now.since(self.tried_at) >= ALIVE_EVERY && self.judging.is_none();
        if !self.inbox.is_empty() || idle {
            self.flush(now, out);
        }
    }

    fn flush(&mut self, now: UnixMicros, out: &mut Vec<Command<A>>) {
        let mut waiting = std::mem::take(&mut self.inbox);
        self.inbox_bytes = 0;
        self.tried_at = now;
        let before = std::mem::replace(&mut self.recorded_to, self.watermark);
        loop {
            let rest = waiting.split_off(waiting.len().min(RECORDED_AT_ONCE));
            let (gaps, carried) = self.blind.to_store(now);
            self.batches += 1;
            // The signals in it came after `before`.
            self.recording
                .push((self.batches, carried, before.min(now)));
            out.push(Command::Record {
                batch: self.batches,
                arrivals: waiting,
                // What is left for the next transaction may be older than the tick.
                watermark: if rest.is_empty() {
                    self.watermark
                } else {
                    before
                },
                gaps,
            });
            if rest.is_empty() {
                return;
            }
            waiting = rest;
        }
    }

    fn recorded(
        &mut self,
        now: UnixMicros,
        batch: u64,
        result: Result<Written, Failed>,
        out: &mut Vec<Command<A>>,
    ) {
        let Some(index) = self
            .recording
            .iter()
            .position(|(known, ..)| *known == batch)
        else {
            return;
        };
        let (_, carried, since) = self.recording.remove(index);
        out.push(Command::Answer {
            batch,
            durable: result.is_ok(),
        });
        self.written(now, result, carried, since);
    }

    fn elapsed(
        &mut self,
        now: UnixMicros,
        heartbeats: Vec<HeartbeatId>,
        result: Result<Written, Failed>,
    ) {
        let Some((carried, asof)) = self.judging.take() else {
            return;
        };
        let again = now + JUDGE_AGAIN_AFTER;
        if result.is_err() {
            self.file(heartbeats.into_iter().map(|heartbeat| (heartbeat, again)));
        }
        let result = result.map(|mut written| {
            // A look that is still due now would be taken again at once, without end.
            for (_, at) in written.watched.iter_mut().filter(|(_, at)| *at <= asof) {
                *at = again;
            }
            written
        });
        self.written(now, result, carried, now);
    }

    fn written(
        &mut self,
        now: UnixMicros,
        result: Result<Written, Failed>,
        carried: Carried,
        since: UnixMicros,
    ) {
        match result {
            Ok(written) => {
                self.blind.stored(carried);
                self.stored_at = now;
                self.claim_again |= written.deliveries;
                self.file(written.watched);
            }
            // What was refused now may have waited since the last success.
            Err(Failed) => self.blind.storage_failed(since.min(self.stored_at)),
        }
    }

    /// Judges what has come up, once all signals received before are on their way to the store.
    fn judge(&mut self, now: UnixMicros, out: &mut Vec<Command<A>>) {
        if self.judging.is_some() {
            return;
        }
        let due = self.wheel.due(self.watermark, JUDGED_AT_ONCE);
        if due.is_empty() {
            return;
        }
        if !self.inbox.is_empty() {
            self.flush(now, out);
        }
        let (gaps, carried) = self.blind.to_store(now);
        self.judging = Some((carried, self.watermark));
        out.push(Command::Elapse {
            heartbeats: due,
            asof: self.watermark,
            gaps,
        });
    }

    fn deliver(&mut self, now: UnixMicros, out: &mut Vec<Command<A>>) {
        if self.outbox.stopping {
            self.outbox.give_back_all(now);
        }
        let due = self.claim_again || now.since(self.claimed_at) >= POLL_EVERY;
        if !self.claiming && due && !self.outbox.stopping {
            self.claiming = true;
            self.claim_again = false;
            self.claimed_at = now;
            out.push(Command::Claim {
                skip: self.outbox.skip(now),
            });
        }
        let sends = self.outbox.dispatch(now);
        out.extend(sends.into_iter().map(Command::Send));
        let may_finish = !self.finishing && now >= self.finish_from;
        if may_finish && self.outbox.has_finished() {
            self.finishing = true;
            out.push(Command::Finish(self.outbox.take_finished()));
        }
    }
}
