//! One steady time axis.
//!
//! The axis runs with the machine's boot clock, which no one can set and which goes on while the machine
//! is suspended. Wall time sets it once, at the start; after that a wall clock that drifts pulls it along
//! slowly, and one that is set forward is followed in one step that counts as a gap.
//!
//! Where several nodes share a database, it is the database's clock that the axis follows, and no node's
//! wall clock means anything. What it said is known only to the time that the question took: an axis
//! that lies within that is left alone.

use nightbeat_domain::{Gap, GapKind, UnixMicros};

/// What the machine's clocks say, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Since the machine started, suspended time included (`CLOCK_BOOTTIME`).
    pub boot_micros: i64,
    /// Since 1970, as anyone may set it (`CLOCK_REALTIME`).
    pub wall_micros: i64,
}

/// The axis.
#[derive(Debug, Clone)]
pub struct SteadyClock {
    /// What to add to the boot clock.
    offset_micros: i64,
    last: Reading,
    /// Where the axis follows a database: what to add to the boot clock, at least and at most, by the last
    /// answer.
    database: Option<(i64, i64)>,
}

/// The wall clock differs from the axis by more than this: somebody set it.
pub const STEP_MICROS: i64 = 1_000_000;

/// The axis follows a wall clock that drifts by at most one part in this many: 5 ms a second.
const SLEW_PARTS: i64 = 200;

/// And of a longer time than this between two looks, no more than of this: after hours of suspension the
/// axis, which has been told already to whoever asked, would stand still until it is past that again.
const SLEWED_AT_ONCE_MICROS: i64 = 2_000_000;

impl SteadyClock {
    /// An axis that starts at the wall's time, but never before `floor`: time that is on record has passed,
    /// whatever a clock with an empty battery says.
    pub fn start(reading: Reading, floor: Option<UnixMicros>) -> Self {
        let floor = floor.map_or(i64::MIN, |at| at.0);
        Self {
            offset_micros: reading.wall_micros.max(floor) - reading.boot_micros,
            last: reading,
            database: None,
        }
    }

    /// An axis that follows a database's clock, which said `clock` to what was asked before `answered`. It
    /// starts there: no later than the database's clock, and never before what it said.
    pub fn start_by_database(answered: Reading, clock: UnixMicros) -> Self {
        let offset_micros = clock.0.saturating_sub(answered.boot_micros);
        Self {
            offset_micros,
            last: answered,
            database: Some((offset_micros, offset_micros)),
        }
    }

    /// The database's clock said `clock` at some instant from `asked` to `answered`. [`Self::follow`] does
    /// the rest.
    pub fn database_said(&mut self, asked: Reading, answered: Reading, clock: UnixMicros) {
        let least = clock.0.saturating_sub(answered.boot_micros);
        let most = clock.0.saturating_sub(asked.boot_micros);
        self.database = Some((least, most.max(least)));
    }

    /// Before anybody was told an instant of the axis, the database's clock was asked once more: where the first
    /// answer took long on its way, the axis began too early by that, and is set right at once.
    pub fn starts_no_earlier(&mut self, asked: Reading, answered: Reading, clock: UnixMicros) {
        self.database_said(asked, answered, clock);
        let least = clock.0.saturating_sub(answered.boot_micros);
        self.offset_micros = self.offset_micros.max(least);
    }

    /// The instant of a reading on the axis. Does not move the axis, so anyone may ask.
    pub fn instant(&self, reading: Reading) -> UnixMicros {
        UnixMicros(reading.boot_micros.saturating_add(self.offset_micros))
    }

    /// How far the axis is ahead of the wall clock, in microseconds; negative: behind.
    pub fn ahead_of_wall_micros(&self, reading: Reading) -> i64 {
        self.instant(reading).0.saturating_sub(reading.wall_micros)
    }

    /// How far the axis is ahead of the clock that it follows, as far as is known.
    fn ahead_micros(&self, reading: Reading) -> i64 {
        match self.database {
            None => self.ahead_of_wall_micros(reading),
            Some((least, most)) => self.offset_micros - self.offset_micros.clamp(least, most),
        }
    }

    /// Lets the axis follow the wall clock, or the database's. A step forward is followed at once, and answered as the gap
    /// that it is: what fell due in it was never waited for. A step back is never followed by standing
    /// still: the axis goes on, and the difference melts at 5 ms a second.
    pub fn follow(&mut self, reading: Reading) -> Option<Gap> {
        let passed = reading.boot_micros.saturating_sub(self.last.boot_micros);
        self.last = reading;
        let ahead = self.ahead_micros(reading);
        let now = self.instant(reading);
        if ahead < -STEP_MICROS {
            self.offset_micros -= ahead;
            return Some(Gap {
                from: now,
                to: self.instant(reading),
                kind: GapKind::ClockJump,
            });
        }
        let slew = passed.clamp(0, SLEWED_AT_ONCE_MICROS) / SLEW_PARTS;
        self.offset_micros -= ahead.clamp(-slew, slew);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3_600 * SECOND;

    fn reading(boot: i64, wall: i64) -> Reading {
        Reading {
            boot_micros: boot,
            wall_micros: wall,
        }
    }

    #[test]
    fn the_axis_starts_at_the_wall_and_runs_with_the_boot_clock() {
        let clock = SteadyClock::start(reading(5, 1_000), None);
        assert_eq!(clock.instant(reading(7, 99_999)), UnixMicros(1_002));
    }

    #[test]
    fn a_clock_with_an_empty_battery_does_not_turn_time_back() {
        let clock = SteadyClock::start(reading(0, 0), Some(UnixMicros(50 * HOUR)));
        assert_eq!(
            clock.instant(reading(SECOND, SECOND)),
            UnixMicros(50 * HOUR + SECOND)
        );
    }

    #[test]
    fn a_wall_clock_set_forward_is_followed_and_is_a_gap() {
        let mut clock = SteadyClock::start(reading(0, HOUR), None);
        let gap = clock.follow(reading(SECOND, 3 * HOUR + SECOND)).unwrap();
        assert_eq!(gap.kind, GapKind::ClockJump);
        assert_eq!((gap.from.0, gap.to.0), (HOUR + SECOND, 3 * HOUR + SECOND));
        assert_eq!(
            clock.ahead_of_wall_micros(reading(2 * SECOND, 3 * HOUR + 2 * SECOND)),
            0
        );
    }

    #[test]
    fn a_wall_clock_set_back_stops_nothing() {
        let mut clock = SteadyClock::start(reading(0, 3 * HOUR), None);
        assert_eq!(clock.follow(reading(SECOND, HOUR + SECOND)), None);
        let later = clock.instant(reading(2 * SECOND, HOUR + 2 * SECOND));
        assert!(later.0 > 3 * HOUR + SECOND, "time goes on: {later:?}");
    }

    #[test]
    fn after_a_long_suspension_the_axis_does_not_stand_still() {
        let mut clock = SteadyClock::start(reading(0, HOUR), None);
        // Meanwhile the wall clock was set back by an hour: the axis is ahead of it.
        let resumed = reading(2 * HOUR, 2 * HOUR);
        let told = clock.instant(resumed);
        assert_eq!(clock.follow(resumed), None);
        let later = clock.instant(reading(2 * HOUR + SECOND, 2 * HOUR + SECOND));
        assert!(later > told, "{later:?} after {told:?}");
    }

    #[test]
    fn an_axis_that_follows_a_database_knows_no_wall_clock() {
        let mut clock = SteadyClock::start_by_database(reading(SECOND, 0), UnixMicros(HOUR));
        assert_eq!(clock.follow(reading(2 * SECOND, 9 * HOUR)), None);
        assert_eq!(
            clock.instant(reading(2 * SECOND, 9 * HOUR)),
            UnixMicros(HOUR + SECOND)
        );
    }

    #[test]
    fn an_axis_that_began_after_a_slow_answer_is_set_right_before_it_is_used() {
        // The clock said one hour at second 1; the answer took until second 3.
        let mut clock = SteadyClock::start_by_database(reading(3 * SECOND, 0), UnixMicros(HOUR));
        let (asked, answered) = (reading(3 * SECOND, 0), reading(3 * SECOND + 1_000, 0));
        clock.starts_no_earlier(asked, answered, UnixMicros(HOUR + 2 * SECOND + 500));
        assert_eq!(clock.instant(answered), UnixMicros(HOUR + 2 * SECOND + 500));
        assert_eq!(clock.follow(reading(4 * SECOND, 0)), None);

        // Never back: what the cluster has come past stays past.
        clock.starts_no_earlier(
            reading(5 * SECOND, 0),
            reading(5 * SECOND, 0),
            UnixMicros(HOUR),
        );
        assert!(clock.instant(reading(5 * SECOND, 0)) > UnixMicros(HOUR + 3 * SECOND));
    }

    #[test]
    fn a_slow_answer_of_the_database_says_only_what_it_says() {
        let mut clock = SteadyClock::start_by_database(reading(0, 0), UnixMicros(HOUR));
        // Said at some instant of twenty seconds: the axis is within.
        let (asked, answered) = (reading(SECOND, 0), reading(21 * SECOND, 0));
        clock.database_said(asked, answered, UnixMicros(HOUR + 15 * SECOND));
        assert_eq!(clock.follow(answered), None);
        assert_eq!(clock.instant(answered), UnixMicros(HOUR + 21 * SECOND));
    }

    #[test]
    fn a_database_clock_set_forward_is_a_gap_and_one_set_back_melts() {
        let mut clock = SteadyClock::start_by_database(reading(0, 0), UnixMicros(HOUR));
        let now = reading(SECOND, 0);
        clock.database_said(now, now, UnixMicros(3 * HOUR));
        let gap = clock.follow(now).unwrap();
        assert_eq!(gap.kind, GapKind::ClockJump);
        assert_eq!((gap.from.0, gap.to.0), (HOUR + SECOND, 3 * HOUR));
        let now = reading(2 * SECOND, 0);
        clock.database_said(now, now, UnixMicros(2 * HOUR));
        assert_eq!(clock.follow(now), None);
        assert_eq!(clock.instant(now).0, 3 * HOUR + SECOND - 5_000);
    }

    #[test]
    fn a_drifting_wall_clock_is_followed_slowly() {
        let mut clock = SteadyClock::start(reading(0, 0), None);
        // 10 ms ahead: 5 ms are followed in the first second, 5 ms in the next.
        clock.follow(reading(SECOND, SECOND + 10_000));
        assert_eq!(
            clock.ahead_of_wall_micros(reading(SECOND, SECOND + 10_000)),
            -5_000
        );
        clock.follow(reading(2 * SECOND, 2 * SECOND + 10_000));
        assert_eq!(
            clock.ahead_of_wall_micros(reading(2 * SECOND, 2 * SECOND + 10_000)),
            0
        );
    }
}
