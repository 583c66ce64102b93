//! Where signals wait for the engine, and where they get their time.
//!
//! A signal is stamped and queued in one step, and the queue and the time are taken out in one step. So
//! whoever holds an instant in its hand holds every signal with an earlier stamp too, or knows it as
//! announced: that instant is the watermark. Whoever shares an intake between threads locks it for each
//! step.

use std::collections::BTreeMap;
use std::time::Duration;

use nightbeat_domain::nodes::{NODE_LEASE, NODE_LEASE_LEFT_MIN, NODE_READY_LEFT_MIN};
use nightbeat_domain::{Gap, UnixMicros};

use crate::{Reading, SteadyClock};

/// How long a signal whose body is on its way holds judgements back. A body that takes longer is no
/// reason to tell nobody anything, and a stranger's need not even be a signal.
pub const ANNOUNCEMENT_HOLDS: Duration = Duration::from_secs(2);

/// What was taken out of an [`Intake`].
#[derive(Debug)]
pub struct Taken<A> {
    /// The instant.
    pub now: UnixMicros,
    /// Every signal up to this instant has been taken out.
    pub watermark: UnixMicros,
    /// The signals.
    pub signals: Vec<A>,
    /// A signal was refused since the last time.
    pub refused: bool,
    /// The clock jumped since the last time.
    pub jump: Option<Gap>,
}

/// A signal whose body is still on its way. Until it is put or withdrawn, but for two seconds at most, no
/// later instant is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    number: u64,
    at: UnixMicros,
}

/// Waiting signals of type `A`, and the time axis on which they are stamped.
#[derive(Debug)]
pub struct Intake<A> {
    axis: SteadyClock,
    /// The axis never goes back, whatever the clocks do.
    latest: UnixMicros,
    /// The last watermark that was given out: no signal may be stamped before it any more.
    watermark: UnixMicros,
    signals: Vec<A>,
    signals_max: usize,
    refused: bool,
    closed: bool,
    arriving: BTreeMap<u64, UnixMicros>,
    arrivals: u64,
    /// With several nodes: until when the boot clock lets this node write, in microseconds.
    lease_ends: Option<i64>,
}

impl<A> Intake<A> {
    /// An empty intake whose axis starts at `reading`, but never before `floor`. At most `signals_max`
    /// signals wait.
    pub fn new(reading: Reading, floor: Option<UnixMicros>, signals_max: usize) -> Self {
        Self {
            axis: SteadyClock::start(reading, floor),
            latest: UnixMicros::MIN,
            watermark: UnixMicros::MIN,
            signals: Vec::new(),
            signals_max,
            refused: false,
            closed: false,
            arriving: BTreeMap::new(),
            arrivals: 0,
            lease_ends: None,
        }
    }

    /// The intake of a node that has joined others on a database whose clock said `clock`, at some instant
    /// from `asked` to `answered`. Its lease runs on the boot clock, from before it was asked for: it ends
    /// here no later than there.
    pub fn joined(
        asked: Reading,
        answered: Reading,
        clock: UnixMicros,
        signals_max: usize,
    ) -> Self {
        let mut intake = Self::new(answered, None, signals_max);
        intake.axis = SteadyClock::start_by_database(answered, clock);
        intake.renewed(asked, answered, clock);
        intake
    }

    /// Before it took a signal, the database's clock said `clock` once more, at some instant from `asked` to
    /// `answered`: see [`SteadyClock::starts_no_earlier`].
    pub fn starts_no_earlier(&mut self, asked: Reading, answered: Reading, clock: UnixMicros) {
        self.axis.starts_no_earlier(asked, answered, clock);
    }

    /// A transaction of this node was stored: its lease is renewed, and the database's clock said `clock` at
    /// some instant from `asked` to `answered`.
    pub fn renewed(&mut self, asked: Reading, answered: Reading, clock: UnixMicros) {
        self.axis.database_said(asked, answered, clock);
        let ends = asked.boot_micros.saturating_add(micros(NODE_LEASE));
        self.lease_ends = self.lease_ends.max(Some(ends));
    }

    /// How much is left of the lease, in microseconds; `None` for one that needs none.
    fn lease_left(&self, reading: Reading) -> Option<i64> {
        let ends = self.lease_ends?;
        Some(ends.saturating_sub(reading.boot_micros))
    }

    /// Whether a balancer may send signals here: enough is left of the lease for it to hear that there is
    /// not, before signals are refused.
    pub fn is_ready(&self, reading: Reading) -> bool {
        let left = self.lease_left(reading);
        !self.closed && left.is_none_or(|left| left >= micros(NODE_READY_LEFT_MIN))
    }

    /// Whether a signal may be taken: there is room, and the lease holds long enough to store it. Where it
    /// may not it is refused, and that is remembered.
    pub fn may_take(&mut self, reading: Reading) -> bool {
        let left = self.lease_left(reading);
        let over = left.is_some_and(|left| left < micros(NODE_LEASE_LEFT_MIN));
        self.refused |= over;
        !over && self.has_room()
    }

    /// The instant of a reading.
    pub fn now(&mut self, reading: Reading) -> UnixMicros {
        self.latest = self.latest.max(self.axis.instant(reading));
        self.latest
    }

    /// The time of a signal that is all there at `now`. One that was announced keeps the time of its
    /// announcement, unless that has been judged since.
    pub fn stamp(&self, now: UnixMicros, announced: Option<Announced>) -> UnixMicros {
        let judged = UnixMicros(self.watermark.0.saturating_add(1));
        announced.map_or(now, |it| it.at).max(judged)
    }

    /// Whether there is room for a signal. Where there is none it is refused, and that is remembered.
    pub fn has_room(&mut self) -> bool {
        let full = self.closed || self.signals.len() >= self.signals_max;
        self.refused |= full;
        !full
    }

    /// Queues a stamped signal; whether it is the first one that waits.
    pub fn push(&mut self, signal: A) -> bool {
        self.signals.push(signal);
        self.signals.len() == 1
    }

    /// Announces a signal whose body is still on its way.
    pub fn announce(&mut self, reading: Reading) -> Announced {
        let at = self.now(reading);
        self.arrivals += 1;
        let number = self.arrivals;
        self.arriving.insert(number, at);
        Announced { number, at }
    }

    /// An announced signal is queued now, or will never be.
    pub fn withdraw(&mut self, announced: Announced) {
        self.arriving.remove(&announced.number);
    }

    /// A signal was refused before it came here.
    pub fn refused(&mut self) {
        self.refused = true;
    }

    /// Takes no more signals.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Takes out what waits. `kept_back` may add signals that were kept elsewhere until the instant it is
    /// told, and says since when others are still kept: nothing from then on may be judged.
    pub fn take(
        &mut self,
        reading: Reading,
        kept_back: impl FnOnce(UnixMicros, &mut Vec<A>) -> Option<UnixMicros>,
    ) -> Taken<A> {
        // A balancer sends nothing here any more, and perhaps there is nowhere else to send it: what it
        // refuses, nobody but us can enter into the ledger.
        self.refused |= !self.closed && !self.is_ready(reading);
        let jump = self.axis.follow(reading);
        let now = self.now(reading);
        let mut signals = std::mem::take(&mut self.signals);
        let kept_since = kept_back(now, &mut signals);
        let holds = |at: &&UnixMicros| now.since(**at) < ANNOUNCEMENT_HOLDS;
        let announced = self.arriving.values().find(holds).copied();
        // A signal may still be stamped with this very microsecond.
        let first_missing = announced.into_iter().chain(kept_since).fold(now, Ord::min);
        self.watermark = UnixMicros(first_missing.0 - 1).max(self.watermark);
        Taken {
            now,
            watermark: self.watermark,
            signals,
            refused: std::mem::take(&mut self.refused),
            jump,
        }
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn at(micros: i64) -> Reading {
        Reading {
            boot_micros: micros,
            wall_micros: micros,
        }
    }

    fn take(intake: &mut Intake<UnixMicros>, micros: i64) -> Taken<UnixMicros> {
        intake.take(at(micros), |_, _| None)
    }

    fn put(intake: &mut Intake<UnixMicros>, micros: i64, announced: Option<Announced>) {
        let now = intake.now(at(micros));
        let stamp = intake.stamp(now, announced);
        intake.push(stamp);
        if let Some(announced) = announced {
            intake.withdraw(announced);
        }
    }

    #[test]
    fn no_signal_is_stamped_at_or_before_a_watermark_given_out() {
        let mut intake = Intake::new(at(0), None, 10);
        let before = take(&mut intake, 5 * SECOND).watermark;
        // The same reading again, and one that went back.
        put(&mut intake, 5 * SECOND, None);
        put(&mut intake, 4 * SECOND, None);
        let taken = take(&mut intake, 6 * SECOND);
        assert!(taken.signals.iter().all(|stamp| *stamp > before));
        assert!(taken.signals.iter().all(|stamp| *stamp <= taken.watermark));
    }

    #[test]
    fn an_announced_signal_holds_the_watermark_back_for_two_seconds() {
        let mut intake = Intake::new(at(0), None, 10);
        let announced = intake.announce(at(SECOND));
        assert_eq!(take(&mut intake, 2 * SECOND).watermark.0, SECOND - 1);
        put(&mut intake, 2 * SECOND, Some(announced));
        let taken = take(&mut intake, 2 * SECOND + 5);
        assert_eq!(taken.signals, [UnixMicros(SECOND)]);
        let slow = intake.announce(at(3 * SECOND));
        assert_eq!(take(&mut intake, 5 * SECOND).watermark.0, 5 * SECOND - 1);
        put(&mut intake, 6 * SECOND, Some(slow));
        let taken = take(&mut intake, 7 * SECOND);
        assert_eq!(
            taken.signals,
            [UnixMicros(5 * SECOND)],
            "after what was judged"
        );
    }

    #[test]
    fn what_is_kept_elsewhere_holds_the_watermark_back() {
        let mut intake: Intake<UnixMicros> = Intake::new(at(0), None, 10);
        let taken = intake.take(at(9), |now, signals| {
            signals.push(now);
            Some(UnixMicros(4))
        });
        assert_eq!(
            (taken.signals, taken.watermark),
            (vec![UnixMicros(9)], UnixMicros(3))
        );
    }

    #[test]
    fn without_room_a_refusal_is_told_once() {
        let mut intake = Intake::new(at(0), None, 1);
        assert!(intake.has_room());
        assert!(intake.push(UnixMicros(0)));
        assert!(!intake.has_room());
        assert!(take(&mut intake, 1).refused);
        assert!(!take(&mut intake, 2).refused);
        intake.close();
        assert!(!intake.has_room());
    }

    #[test]
    fn a_node_that_is_not_ready_counts_as_refusing_though_nothing_comes() {
        let mut intake: Intake<UnixMicros> =
            Intake::joined(at(0), at(SECOND), UnixMicros(77 * SECOND), 10);
        assert!(!take(&mut intake, 4 * SECOND).refused);
        assert!(take(&mut intake, 4 * SECOND + 1).refused);
        intake.renewed(at(5 * SECOND), at(6 * SECOND), UnixMicros(81 * SECOND));
        assert!(!take(&mut intake, 6 * SECOND).refused, "ready again");
        intake.close();
        assert!(!take(&mut intake, 10 * SECOND).refused, "it says so before");
    }

    #[test]
    fn a_node_takes_nothing_that_its_lease_is_too_short_for() {
        let mut intake: Intake<UnixMicros> =
            Intake::joined(at(0), at(SECOND), UnixMicros(77 * SECOND), 10);
        // It counts from before the question, on a clock that nobody can set.
        assert_eq!(intake.now(at(3 * SECOND)).0, 79 * SECOND);
        assert!(intake.is_ready(at(4 * SECOND)));
        assert!(!intake.is_ready(at(4 * SECOND + 1)), "a balancer hears it");
        assert!(intake.may_take(at(8 * SECOND)), "and meanwhile it takes");
        assert!(!intake.may_take(at(8 * SECOND + 1)));
        assert!(take(&mut intake, 9 * SECOND).refused);
        intake.renewed(at(9 * SECOND), at(10 * SECOND), UnixMicros(85 * SECOND));
        assert!(intake.may_take(at(17 * SECOND)));
        assert!(!intake.may_take(at(17 * SECOND + 1)));
    }
}
