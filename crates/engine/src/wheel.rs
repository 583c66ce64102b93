//! When to look at whom next.
//!
//! Each entry is a *lower bound*: a signal that moves a deadline on never touches the wheel. When the
//! entry comes up, the store is asked, and the heartbeat is filed again for later. So an entry may be too
//! early; it is never too late.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use nightbeat_domain::{HeartbeatId, UnixMicros};

/// How wide a far slot is: entries wait there without being sorted.
const FAR_SLOT_MICROS: i64 = 128_000_000;

/// The wheel: what is due soon is sorted, the rest waits in slots of about two minutes. Slots are made when
/// they are needed.
#[derive(Debug, Default)]
pub struct Wheel {
    /// When each heartbeat comes up. An entry that says otherwise is left over, and is dropped when it is
    /// met: without this, each look that was once filed earlier would be filed again for ever.
    filed: HashMap<HeartbeatId, UnixMicros>,
    near: BTreeSet<(UnixMicros, HeartbeatId)>,
    far: BTreeMap<i64, Vec<(UnixMicros, HeartbeatId)>>,
    /// Far slots below this number have been spread over the near ones.
    spread: i64,
}

impl Wheel {
    /// Look at `heartbeat` at `at`, or soon after. Where it comes up earlier anyway, this changes nothing.
    pub fn file(&mut self, heartbeat: HeartbeatId, at: UnixMicros) {
        match self.filed.entry(heartbeat) {
            Entry::Occupied(filed) if *filed.get() <= at => return,
            Entry::Occupied(mut filed) => {
                filed.insert(at);
            }
            Entry::Vacant(free) => {
                free.insert(at);
            }
        }
        let far = at.0.div_euclid(FAR_SLOT_MICROS);
        if far < self.spread {
            self.near.insert((at, heartbeat));
        } else {
            self.far.entry(far).or_default().push((at, heartbeat));
        }
    }

    /// Takes out up to `limit` entries that are due at `now`.
    pub fn due(&mut self, now: UnixMicros, limit: usize) -> Vec<HeartbeatId> {
        self.spread_until(now);
        let mut due = Vec::new();
        while due.len() < limit && self.near.first().is_some_and(|(at, _)| *at <= now) {
            let Some((at, heartbeat)) = self.near.pop_first() else {
                break;
            };
            if self.filed.get(&heartbeat) == Some(&at) {
                self.filed.remove(&heartbeat);
                due.push(heartbeat);
            }
        }
        due
    }

    /// A time before which nothing comes up; `None`: nothing is filed.
    pub fn next(&self) -> Option<UnixMicros> {
        if let Some((at, _)) = self.near.first() {
            return Some(*at);
        }
        let far = self.far.keys().next()?;
        Some(UnixMicros(far.saturating_mul(FAR_SLOT_MICROS)))
    }

    /// How many heartbeats are filed.
    pub fn len(&self) -> usize {
        self.filed.len()
    }

    /// Whether nothing is filed.
    pub fn is_empty(&self) -> bool {
        self.filed.is_empty()
    }

    fn spread_until(&mut self, now: UnixMicros) {
        // One far slot ahead, so that what is filed for the next moments is near already.
        let until = now.0.div_euclid(FAR_SLOT_MICROS).saturating_add(2);
        self.spread = self.spread.max(until);
        while let Some(slot) = self.far.first_entry() {
            if *slot.key() >= self.spread {
                break;
            }
            let filed = &self.filed;
            let live = slot.remove().into_iter();
            self.near
                .extend(live.filter(|(at, heartbeat)| filed.get(heartbeat) == Some(at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn beat(number: u128) -> HeartbeatId {
        HeartbeatId(Uuid::from_u128(number))
    }

    #[test]
    fn nothing_comes_up_before_its_time() {
        let mut wheel = Wheel::default();
        wheel.file(beat(1), UnixMicros(5_500_000));
        assert_eq!(wheel.due(UnixMicros(5_499_999), 10), []);
        assert_eq!(wheel.due(UnixMicros(5_500_000), 10), [beat(1)]);
        assert!(wheel.is_empty());
    }

    #[test]
    fn a_limit_leaves_the_rest_for_the_next_time() {
        let mut wheel = Wheel::default();
        for number in 0..5 {
            wheel.file(beat(number), UnixMicros(10));
        }
        assert_eq!(wheel.due(UnixMicros(10), 3).len(), 3);
        assert_eq!(wheel.due(UnixMicros(10), 3).len(), 2);
    }

    #[test]
    fn what_is_filed_for_the_past_comes_up_at_once() {
        let mut wheel = Wheel::default();
        assert_eq!(wheel.due(UnixMicros::from_seconds(1_000_000), 1), []);
        wheel.file(beat(1), UnixMicros::from_seconds(3));
        assert_eq!(wheel.next(), Some(UnixMicros::from_seconds(3)));
        assert_eq!(wheel.due(UnixMicros::from_seconds(1_000_000), 1), [beat(1)]);
    }

    #[test]
    fn a_heartbeat_comes_up_once_however_often_it_was_filed_earlier() {
        // A job that signals its starts: each start brings the next look forward, each success puts it
        // off again. A year of days later there is still one entry.
        let mut wheel = Wheel::default();
        let mut looks = 0;
        for day in 0..365 {
            let start = UnixMicros::from_seconds(day * 86_400);
            wheel.file(beat(1), start + std::time::Duration::from_secs(3_600));
            for hour in 0..24 {
                let now = start + std::time::Duration::from_secs(hour * 3_600);
                for heartbeat in wheel.due(now, usize::MAX) {
                    looks += 1;
                    let deadline = start + std::time::Duration::from_secs(25 * 3_600);
                    wheel.file(heartbeat, deadline);
                }
            }
        }
        assert_eq!(wheel.len(), 1);
        assert!(looks <= 2 * 365, "{looks}");
    }

    #[test]
    fn filed_earlier_it_comes_up_then_and_only_then() {
        let mut wheel = Wheel::default();
        wheel.file(beat(1), UnixMicros::from_seconds(1_000));
        wheel.file(beat(1), UnixMicros::from_seconds(10));
        wheel.file(beat(1), UnixMicros::from_seconds(500));
        assert_eq!(wheel.due(UnixMicros::from_seconds(10), 10), [beat(1)]);
        assert_eq!(wheel.due(UnixMicros::from_seconds(2_000), 10), []);
        assert!(wheel.is_empty());
        // Looked at, it is filed anew; what is left of the old entries does not bring it up twice.
        wheel.file(beat(1), UnixMicros::from_seconds(5_000));
        wheel.file(beat(1), UnixMicros::from_seconds(3_000));
        assert_eq!(wheel.due(UnixMicros::from_seconds(6_000), 10), [beat(1)]);
    }

    proptest! {
        #[test]
        fn everything_comes_up_once_in_time(
            times in prop::collection::vec(0_i64..2_000_000_000, 0..200),
            steps in prop::collection::vec(1_i64..400_000_000, 1..30),
        ) {
            let mut wheel = Wheel::default();
            for (number, at) in times.iter().enumerate() {
                wheel.file(beat(number as u128), UnixMicros(*at));
            }
            let mut now = 0;
            let mut seen = 0;
            for step in steps {
                now += step;
                if let Some(next) = wheel.next() {
                    let first_left = times.iter().filter(|at| **at > now - step).min();
                    prop_assert!(first_left.is_none_or(|at| next.0 <= *at));
                }
                seen += wheel.due(UnixMicros(now), usize::MAX).len();
                prop_assert_eq!(seen, times.iter().filter(|at| **at <= now).count());
                prop_assert_eq!(wheel.len(), times.len() - seen);
            }
        }
    }
}
