//! When to look at whom next.
//!
//! Each entry is a *lower bound*: a signal that moves a deadline on never touches the wheel. When the
//! entry comes up, the store is asked, and the heartbeat is filed again for later. So an entry may be too
//! early or there twice; it is never too late.

use std::collections::BTreeMap;

use nightbeat_domain::{HeartbeatId, UnixMicros};

/// How wide a near slot is. Entries in it come up at their exact time.
const NEAR_SLOT_MICROS: i64 = 1_000_000;

/// How wide a far slot is: entries wait there without being sorted.
const FAR_SLOT_MICROS: i64 = 128 * NEAR_SLOT_MICROS;

type Slot = Vec<(UnixMicros, HeartbeatId)>;

/// The wheel: near slots of a second, far slots of about two minutes. Slots are made when they are needed.
#[derive(Debug, Default)]
pub struct Wheel {
    near: BTreeMap<i64, Slot>,
    far: BTreeMap<i64, Slot>,
    /// Far slots below this number have been spread over the near ones.
    spread: i64,
    entries: usize,
}

impl Wheel {
    /// Look at `heartbeat` at `at`, or soon after.
    pub fn file(&mut self, heartbeat: HeartbeatId, at: UnixMicros) {
        self.entries += 1;
        let far = at.0.div_euclid(FAR_SLOT_MICROS);
        if far < self.spread {
            let near = at.0.div_euclid(NEAR_SLOT_MICROS);
            self.near.entry(near).or_default().push((at, heartbeat));
        } else {
            self.far.entry(far).or_default().push((at, heartbeat));
        }
    }

    /// Takes out up to `limit` entries that are due at `now`.
    pub fn due(&mut self, now: UnixMicros, limit: usize) -> Vec<HeartbeatId> {
        self.spread_until(now);
        let mut due = Vec::new();
        while due.len() < limit {
            let Some(mut slot) = self.near.first_entry() else {
                break;
            };
            if UnixMicros(slot.key().saturating_mul(NEAR_SLOT_MICROS)) > now {
                break;
            }
            let waiting = slot.get_mut();
            let room = limit - due.len();
            let mut taken = 0;
            waiting.retain(|(at, heartbeat)| {
                let take = *at <= now && taken < room;
                if take {
                    taken += 1;
                    due.push(*heartbeat);
                }
                !take
            });
            if waiting.is_empty() {
                slot.remove();
            } else {
                // Either the limit is reached, or the rest of this slot is not due yet.
                break;
            }
        }
        self.entries -= due.len();
        due
    }

    /// A time before which nothing comes up; `None`: nothing is filed.
    pub fn next(&self) -> Option<UnixMicros> {
        let near = self.near.values().next();
        let near = near.and_then(|slot| slot.iter().map(|(at, _)| *at).min());
        near.or_else(|| {
            let far = self.far.keys().next()?;
            Some(UnixMicros(far.saturating_mul(FAR_SLOT_MICROS)))
        })
    }

    /// How many entries are filed.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether nothing is filed.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    fn spread_until(&mut self, now: UnixMicros) {
        // One far slot ahead, so that what is filed for the next moments is near already.
        let until = now.0.div_euclid(FAR_SLOT_MICROS).saturating_add(2);
        self.spread = self.spread.max(until);
        while let Some(slot) = self.far.first_entry() {
            if *slot.key() >= self.spread {
                break;
            }
            for (at, heartbeat) in slot.remove() {
                let near = at.0.div_euclid(NEAR_SLOT_MICROS);
                self.near.entry(near).or_default().push((at, heartbeat));
            }
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
