//! So many at once, and one more each time: what bounds guesses and requests. It lives in memory, at each node
//! for itself, and is bounded however many there are who ask. Time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nightbeat_domain::UnixMicros;

/// How many of those who ask are remembered.
pub(crate) const REMEMBERED_MAX: usize = 100_000;

/// So many at once, and one more each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// At least 1.
    pub(crate) at_once: u32,
    pub(crate) one_more_after: Duration,
}

/// What is left to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    /// So many at once.
    pub(crate) now: u32,
    /// After this all of them are there again.
    pub(crate) full_in: Duration,
}

/// What everybody has left, by who they are.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    /// When all will be there again; who is not in it has all. A std mutex: never held across an await.
    full_at: Mutex<HashMap<K, UnixMicros>>,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self {
            full_at: Mutex::default(),
        }
    }
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// Takes one of each of these, or of none. An error says how long to wait.
    pub(crate) fn take(&self, whom: &[(K, Allowance)], now: UnixMicros) -> Result<(), Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut full_at, now);
        let waits = whom.iter().filter_map(|(who, allowance)| {
            let full = full_at.get(who).copied().unwrap_or(now);
            allowance.wait(full, now)
        });
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        for (who, allowance) in whom {
            let full = full_at.entry(*who).or_insert(now);
            *full = (*full).max(now) + allowance.one_more_after;
        }
        Ok(())
    }

    /// Gives one back that was taken.
    pub(crate) fn give_back(&self, who: &K, allowance: Allowance) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full) = full_at.get_mut(who) {
            *full = *full - allowance.one_more_after;
        }
    }

    /// What is left to one.
    pub(crate) fn left(&self, who: &K, allowance: Allowance, now: UnixMicros) -> Left {
        let full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = full_at.get(who).copied().unwrap_or(now);
        let missing = full.since(now);
        let each = allowance.one_more_after.as_nanos().max(1);
        let taken = u32::try_from(missing.as_nanos().div_ceil(each)).unwrap_or(u32::MAX);
        Left {
            now: allowance.at_once.saturating_sub(taken),
            full_in: missing,
        }
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.full_at.lock().unwrap().len()
    }
}

impl Allowance {
    /// How long until there is one, where there is none now.
    fn wait(self, full_at: UnixMicros, now: UnixMicros) -> Option<Duration> {
        let missing = full_at.since(now);
        let most = self.one_more_after * self.at_once.saturating_sub(1);
        missing.checked_sub(most).filter(|wait| !wait.is_zero())
    }
}

/// Forgets those who have all again; if that is not enough, those who will have them first.
fn make_room<K: Copy + Eq + Hash>(full_at: &mut HashMap<K, UnixMicros>, now: UnixMicros) {
    if full_at.len() < REMEMBERED_MAX {
        return;
    }
    full_at.retain(|_, full| *full > now);
    if full_at.len() < REMEMBERED_MAX {
        return;
    }
    let mut times: Vec<UnixMicros> = full_at.values().copied().collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    full_at.retain(|_, full| *full > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMicros = UnixMicros(1_795_348_800_000_000);
    const THREE: Allowance = Allowance {
        at_once: 3,
        one_more_after: Duration::from_secs(20),
    };

    #[test]
    fn what_is_left_says_how_many_and_for_how_long() {
        let buckets = Buckets::default();
        let left = |now, seconds| {
            let full_in = Duration::from_secs(seconds);
            Left { now, full_in }
        };
        assert_eq!(buckets.left(&1, THREE, NOON), left(3, 0));
        for (taken, seconds) in [(2, 20), (1, 40), (0, 60)] {
            buckets.take(&[(1, THREE)], NOON).unwrap();
            assert_eq!(buckets.left(&1, THREE, NOON), left(taken, seconds));
        }
        let wait = Duration::from_secs(20);
        assert_eq!(buckets.take(&[(1, THREE)], NOON), Err(wait));
        assert_eq!(buckets.left(&1, THREE, NOON + wait), left(1, 40));
        // A part of one is none.
        let sooner = NOON + Duration::from_secs(19);
        assert_eq!(buckets.left(&1, THREE, sooner), left(0, 41));
        buckets.take(&[(2, THREE)], NOON).unwrap();
        buckets.give_back(&1, THREE);
        assert_eq!(buckets.left(&1, THREE, NOON), left(1, 40));
    }

    #[test]
    fn of_several_all_are_taken_or_none() {
        let buckets = Buckets::default();
        for _ in 0..3 {
            buckets.take(&[(1, THREE)], NOON).unwrap();
        }
        assert!(buckets.take(&[(1, THREE), (2, THREE)], NOON).is_err());
        assert_eq!(buckets.left(&2, THREE, NOON).now, 3);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let buckets = Buckets::default();
        for number in 0..=REMEMBERED_MAX as u64 {
            let now = NOON + Duration::from_micros(number);
            buckets.take(&[(number, THREE)], now).unwrap();
        }
        let remembered = buckets.remembered();
        assert!(remembered <= REMEMBERED_MAX, "{remembered}");
    }
}
