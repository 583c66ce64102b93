//! From wall-clock times to instants: what happens when the clocks change.
//!
//! A *gap* is a stretch of wall time that a forward jump skips; a *fold* is one that a backward jump
//! repeats. Outside both, wall times are ordered as their instants are, so the search goes along the
//! wall clock ([`Pattern`]) and asks the zone only about `from` and about the candidate it found.

use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use crate::{
    Zone,
    pattern::{Pattern, Wall},
};

/// How a kind of schedule treats a jump of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jumps {
    /// Debian cron, minute or hour field begins with `*`: skipped minutes are lost, repeated ones run
    /// twice.
    Wild,
    /// Debian cron, all other jobs: skipped minutes run once after the jump, repeated ones run once;
    /// only for jumps up to 3 hours, beyond which cron takes the clock to have been set.
    Fixed,
    /// systemd: skipped times are lost, repeated ones run the first time only.
    Calendar,
}

/// One wall-clock schedule: a cron expression or one line of calendar events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) pattern: &'a Pattern,
    pub(crate) zone: &'a Zone,
    pub(crate) jumps: Jumps,
}

impl Line<'_> {
    /// The first instant strictly after `from`.
    pub(crate) fn next_after(&self, from: Timestamp) -> Option<Timestamp> {
        next_after(self.pattern, self.zone.rules(), self.jumps, from)
    }

    /// The last instant strictly before `from`.
    pub(crate) fn previous_before(&self, from: Timestamp) -> Option<Timestamp> {
        previous_before(self.pattern, self.zone.rules(), self.jumps, from)
    }
}

/// Most clock changes that one search passes over without finding an instant: `*/5 2 8-14 3 */7` in New
/// York falls into the gap of each year. Enough for two of them in each of systemd's 230 years.
const CHANGES_MAX: u32 = 500;
/// From this length on a gap is not made up for by cron (cron(8): "changes of less than 3 hours").
const CATCH_UP_SECONDS: i32 = 3 * 3600;
/// Up to this length a fold does not repeat cron's fixed jobs.
const REPEAT_SECONDS: i32 = 3 * 3600;

impl Jumps {
    fn catches_up(self, jump: &Jump) -> bool {
        self == Self::Fixed && jump.seconds() < CATCH_UP_SECONDS
    }

    fn repeats(self, jump: &Jump) -> bool {
        match self {
            Self::Wild => true,
            Self::Fixed => jump.seconds() > REPEAT_SECONDS,
            Self::Calendar => false,
        }
    }
}

/// The first instant of the pattern strictly after `from`.
pub(crate) fn next_after(
    pattern: &Pattern,
    zone: &TimeZone,
    jumps: Jumps,
    from: Timestamp,
) -> Option<Timestamp> {
    let offset = zone.to_offset(from);
    let local = offset.to_datetime(from);
    let mut least = Wall::after(local);
    // In the first pass of a fold, smaller wall times are still to come: those of the second pass.
    let mut second_pass = match jumps {
        Jumps::Calendar => None,
        _ => Jump::around(zone, local).filter(|it| it.before == offset && jumps.repeats(it)),
    };
    for _ in 0..CHANGES_MAX {
        let found = pattern.at_or_after(least);
        if let Some(fold) = second_pass.take()
            && found.is_none_or(|wall| wall >= fold.end())
        {
            let again = pattern.at_or_after(fold.start());
            if let Some(wall) = again.filter(|&wall| wall < fold.end()) {
                return instant(fold.after, wall);
            }
        }
        let wall = found?;
        match zone.to_ambiguous_timestamp(wall.datetime()).offset() {
            AmbiguousOffset::Unambiguous { offset } => return instant(offset, wall),
            AmbiguousOffset::Gap { before, after } => {
                let gap = Jump::of(zone, wall, before, after)?;
                if jumps.catches_up(&gap) && gap.first_minute() > from {
                    return Some(gap.first_minute());
                }
                least = gap.end();
            }
            AmbiguousOffset::Fold { before, after } => {
                let first = instant(before, wall)?;
                if first > from {
                    return Some(first);
                }
                let fold = Jump::of(zone, wall, before, after)?;
                if jumps.repeats(&fold) {
                    return instant(after, wall);
                }
                least = fold.end();
            }
        }
    }
    None
}

/// The last instant of the pattern strictly before `from`: [`next_after`] in the mirror.
pub(crate) fn previous_before(
    pattern: &Pattern,
    zone: &TimeZone,
    jumps: Jumps,
    from: Timestamp,
) -> Option<Timestamp> {
    let offset = zone.to_offset(from);
    let local = offset.to_datetime(from);
    let mut most = Wall::before(local)?;
    // In the second pass of a fold, greater wall times have already been: those of the first pass.
    let mut first_pass = None;
    if let Some(fold) = Jump::around(zone, local).filter(|fold| fold.after == offset) {
        if jumps.repeats(&fold) {
            first_pass = Some(fold);
        } else {
            most = fold.before_end()?;
        }
    }
    for _ in 0..CHANGES_MAX {
        let found = pattern.at_or_before(most);
        if let Some(fold) = first_pass.take()
            && found.is_none_or(|wall| wall < fold.start())
        {
            let again = pattern.at_or_before(fold.before_end()?);
            if let Some(wall) = again.filter(|&wall| wall >= fold.start()) {
                return instant(fold.before, wall);
            }
        }
        let wall = found?;
        match zone.to_ambiguous_timestamp(wall.datetime()).offset() {
            AmbiguousOffset::Unambiguous { offset } => return instant(offset, wall),
            AmbiguousOffset::Gap { before, after } => {
                let gap = Jump::of(zone, wall, before, after)?;
                if jumps.catches_up(&gap) && gap.first_minute() < from {
                    return Some(gap.first_minute());
                }
                most = gap.before_start()?;
            }
            AmbiguousOffset::Fold { before, after } => {
                let second = instant(after, wall)?;
                if second < from && jumps.repeats(&Jump::of(zone, wall, before, after)?) {
                    return Some(second);
                }
                return instant(before, wall);
            }
        }
    }
    None
}

fn instant(offset: Offset, wall: Wall) -> Option<Timestamp> {
    offset.to_timestamp(wall.datetime()).ok()
}

/// A change of the offset from `before` to `after` at the instant `at`, which skips or repeats the
/// stretch of wall time from `start` to `end`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Jump {
    pub(crate) at: Timestamp,
    before: Offset,
    after: Offset,
}

impl Jump {
    /// The changes of the zone's offset after `from`, ascending.
    pub(crate) fn following(zone: &TimeZone, from: Timestamp) -> impl Iterator<Item = Self> {
        zone.following(from).filter_map(|change| {
            let at = change.timestamp();
            let earlier = at.checked_sub(jiff::SignedDuration::from_nanos(1)).ok()?;
            let (before, after) = (zone.to_offset(earlier), change.offset());
            (before != after).then_some(Self { at, before, after })
        })
    }

    /// Whether wall time is skipped; else it is repeated.
    pub(crate) fn skips(&self) -> bool {
        self.after > self.before
    }

    /// What a clock on the wall shows at the jump, before and after it.
    pub(crate) fn shown(&self) -> (DateTime, DateTime) {
        (
            self.before.to_datetime(self.at),
            self.after.to_datetime(self.at),
        )
    }

    /// The fold that contains `local`.
    fn around(zone: &TimeZone, local: DateTime) -> Option<Self> {
        match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Fold { before, after } => {
                Self::of(zone, Wall::floor(local), before, after)
            }
            _ => None,
        }
    }

    /// The jump that makes `wall` ambiguous between two offsets. It lies between the two instants that
    /// `wall` would be.
    fn of(zone: &TimeZone, wall: Wall, before: Offset, after: Offset) -> Option<Self> {
        let one_nanosecond = jiff::SignedDuration::from_nanos(1);
        let latest = instant(before, wall)?.max(instant(after, wall)?);
        zone.preceding(latest.checked_add(one_nanosecond).ok()?)
            .map(|change| change.timestamp())
            .take_while(|&at| Some(at) >= instant(before.max(after), wall))
            .find(|&at| {
                let earlier = at.checked_sub(one_nanosecond);
                zone.to_offset(at) == after && earlier.is_ok_and(|at| zone.to_offset(at) == before)
            })
            .map(|at| Self { at, before, after })
    }

    fn seconds(&self) -> i32 {
        (self.after.seconds() - self.before.seconds()).abs()
    }

    /// How much wall time is skipped or repeated.
    pub(crate) fn length(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_secs(self.seconds().into())
    }

    pub(crate) fn start(&self) -> Wall {
        Wall::floor(self.before.min(self.after).to_datetime(self.at))
    }

    pub(crate) fn end(&self) -> Wall {
        Wall::floor(self.before.max(self.after).to_datetime(self.at))
    }

    pub(crate) fn before_start(&self) -> Option<Wall> {
        Wall::before(self.before.min(self.after).to_datetime(self.at))
    }

    pub(crate) fn before_end(&self) -> Option<Wall> {
        Wall::before(self.before.max(self.after).to_datetime(self.at))
    }

    /// The first instant from the jump on at which the wall clock shows a whole minute. That is the
    /// jump itself, but for the local mean times of before tzdata's zones.
    fn first_minute(&self) -> Timestamp {
        let past = i64::from(self.after.to_datetime(self.at).second());
        let wait = jiff::SignedDuration::from_secs((60 - past) % 60);
        self.at.saturating_add(wait).unwrap_or(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cron, Zone};

    /// Instants of a cron expression on 2027-06-02, when a clock that is 4 hours off jumps by as much.
    fn instants(expression: &str, rules: &str) -> Vec<String> {
        let cron = Cron::parse(expression, &Zone::utc()).unwrap();
        let zone = TimeZone::posix(rules).unwrap();
        let (pattern, jumps) = cron.walked();
        let end: Timestamp = "2027-06-04T00:00:00Z".parse().unwrap();
        let start: Timestamp = "2027-06-02T00:00:00Z".parse().unwrap();
        let forwards: Vec<Timestamp> =
            std::iter::successors(next_after(pattern, &zone, jumps, start), |&at| {
                next_after(pattern, &zone, jumps, at)
            })
            .take_while(|&at| at < end)
            .collect();
        let mut backwards: Vec<Timestamp> =
            std::iter::successors(previous_before(pattern, &zone, jumps, end), |&at| {
                previous_before(pattern, &zone, jumps, at)
            })
            .take_while(|&at| at > start)
            .collect();
        backwards.reverse();
        assert_eq!(forwards, backwards);
        forwards.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_jump_of_more_than_three_hours_is_a_clock_that_was_set() {
        // 153 is 2 June: summer begins (the clock jumps from 02:00 to 06:00) or ends (06:00 to 02:00).
        let forward = "STD0DST-4,J153/2,J300";
        let back = "STD0DST-4,J10,J153/6";
        assert_eq!(instants("30 3 2 6 *", forward), [""; 0]);
        assert_eq!(
            instants("30 5 2 6 *", back),
            ["2027-06-02T01:30:00Z", "2027-06-02T05:30:00Z"]
        );
    }

    #[test]
    fn a_jump_back_of_three_hours_is_not_repeated_one_forward_not_made_up() {
        let forward = "STD0DST-3,J153/2,J300";
        let back = "STD0DST-3,J10,J153/5";
        assert_eq!(instants("30 3 2 6 *", forward), [""; 0]);
        assert_eq!(instants("30 4 2 6 *", back), ["2027-06-02T01:30:00Z"]);
    }
}
