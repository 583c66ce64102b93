//! What we could not see: gaps on their way into the ledger.

use std::time::Duration;

use nightbeat_domain::{Gap, GapKind, UnixMicros};

/// A tick that comes this much later than the one before means that the process or the machine stood
/// still. Ticks come at least every second.
pub const LATE_TICK: Duration = Duration::from_secs(3);

/// A stretch of refusals ends when there was none for this long.
const REFUSALS_END: Duration = Duration::from_secs(1);

/// What a transaction carried: hand it back once it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carried {
    up_to: u64,
    storage: bool,
}

/// Gaps that are not in the ledger yet. They travel with the next transaction, before its decisions, and
/// stay here until one is known to be durable.
#[derive(Debug, Default)]
pub(crate) struct Blind {
    /// Each with its number, to know which ones a transaction carried.
    waiting: Vec<(u64, Gap)>,
    added: u64,
    /// The earliest instant of which something was lost, while storing fails.
    storage_since: Option<UnixMicros>,
    /// The first and the last refusal of a stretch.
    refusals: Option<(UnixMicros, UnixMicros)>,
    last_tick: Option<UnixMicros>,
}

impl Blind {
    /// A gap that is known from outside: before the start, a jump of the clock, an operator's word.
    pub(crate) fn add(&mut self, gap: Gap) {
        self.added += 1;
        self.waiting.push((self.added, gap));
    }

    /// Time passes. Whoever calls this decides nothing before it.
    pub(crate) fn tick(&mut self, now: UnixMicros) {
        if let Some(last) = self.last_tick
            && now.since(last) > LATE_TICK
        {
            self.add(Gap {
                from: last,
                to: now,
                kind: GapKind::Suspended,
            });
        }
        self.last_tick = self.last_tick.max(Some(now));
        if let Some((first, last)) = self.refusals
            && now.since(last) > REFUSALS_END
        {
            self.refusals = None;
            self.add(refused(first, last));
        }
    }

    /// A signal was refused that came between `since` and `at`.
    pub(crate) fn refused(&mut self, since: UnixMicros, at: UnixMicros) {
        let (first, last) = self.refusals.unwrap_or((since, at));
        self.refusals = Some((first.min(since), last.max(at)));
    }

    /// Storing failed; `since` is the earliest instant of what is lost.
    pub(crate) fn storage_failed(&mut self, since: UnixMicros) {
        self.storage_since = Some(self.storage_since.map_or(since, |known| known.min(since)));
    }

    /// Whether storing fails.
    pub(crate) fn storage_fails(&self) -> bool {
        self.storage_since.is_some()
    }

    /// The gaps to store with a transaction at `now`.
    pub(crate) fn to_store(&self, now: UnixMicros) -> (Vec<Gap>, Carried) {
        let mut gaps: Vec<Gap> = self.waiting.iter().map(|(_, gap)| *gap).collect();
        if let Some(since) = self.storage_since {
            gaps.push(Gap {
                from: since,
                to: now,
                kind: GapKind::Storage,
            });
        }
        // Still going on: what is known of it so far. The ledger joins the pieces.
        if let Some((first, last)) = self.refusals {
            gaps.push(refused(first, last));
        }
        let carried = Carried {
            up_to: self.added,
            storage: self.storage_since.is_some(),
        };
        (gaps, carried)
    }

    /// A transaction that carried these is durable.
    pub(crate) fn stored(&mut self, carried: Carried) {
        self.waiting.retain(|(number, _)| *number > carried.up_to);
        // One that was queued before the failure says nothing about it.
        if carried.storage {
            self.storage_since = None;
        }
    }
}

fn refused(first: UnixMicros, last: UnixMicros) -> Gap {
    Gap {
        from: first,
        // The end is not part of a gap, and the last refusal was in it.
        to: last + Duration::from_micros(1),
        kind: GapKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UnixMicros {
        UnixMicros::from_seconds(seconds)
    }

    #[test]
    fn a_late_tick_is_a_gap() {
        let mut blind = Blind::default();
        blind.tick(at(0));
        blind.tick(at(3));
        assert_eq!(blind.to_store(at(3)).0, []);
        blind.tick(at(60));
        let gap = Gap {
            from: at(3),
            to: at(60),
            kind: GapKind::Suspended,
        };
        assert_eq!(blind.to_store(at(60)).0, [gap]);
    }

    #[test]
    fn a_gap_travels_with_each_transaction_until_one_is_durable() {
        let mut blind = Blind::default();
        blind.storage_failed(at(5));
        let (first, carried) = blind.to_store(at(8));
        assert_eq!((first[0].from, first[0].to), (at(5), at(8)));
        let (second, _) = blind.to_store(at(9));
        assert_eq!((second[0].from, second[0].to), (at(5), at(9)));
        blind.stored(carried);
        assert_eq!(blind.to_store(at(10)).0, []);
    }

    #[test]
    fn a_transaction_queued_before_a_failure_does_not_hide_it() {
        let mut blind = Blind::default();
        let (_, queued_before) = blind.to_store(at(1));
        blind.storage_failed(at(2));
        blind.stored(queued_before);
        assert!(blind.storage_fails());
    }

    #[test]
    fn a_gap_added_after_a_transaction_was_queued_waits_for_the_next() {
        let mut blind = Blind::default();
        let (_, carried) = blind.to_store(at(1));
        blind.tick(at(0));
        blind.tick(at(60));
        blind.stored(carried);
        assert_eq!(blind.to_store(at(60)).0.len(), 1);
    }

    #[test]
    fn refusals_are_one_gap_from_the_first_to_the_last() {
        let mut blind = Blind::default();
        for refusal in [10, 11, 12] {
            blind.refused(at(refusal), at(refusal));
        }
        let so_far = blind.to_store(at(12)).0;
        assert_eq!((so_far[0].from, so_far[0].kind), (at(10), GapKind::Refused));
        assert!(so_far[0].to > at(12));
        blind.tick(at(14));
        assert_eq!(blind.to_store(at(14)).0, so_far);
    }
}
