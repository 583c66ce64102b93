//! The gap ledger: every stretch in which signals could not be received.

use serde::{Deserialize, Serialize};

use crate::time::UnixMicros;

/// Why signals could not be received for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// Nightbeat was not running: stopped, crashed, restarted.
    Stopped,
    /// The machine was suspended, or the process was paused.
    Suspended,
    /// The clock jumped forward.
    ClockJump,
    /// The database or its disk refused to store.
    Storage,
    /// Signals were refused (503 or 429) because too many were waiting.
    Refused,
    /// An operator declared it.
    Declared,
}

/// A stretch in which signals could not be received: from `from` (inclusive) to `to` (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The last instant at which receiving is known to have worked.
    pub from: UnixMicros,
    /// The first instant at which it is known to work again.
    pub to: UnixMicros,
    /// Why.
    pub kind: GapKind,
}

/// All gaps, in order of time, none touching another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GapLedger {
    gaps: Vec<Gap>,
}

impl GapLedger {
    /// How many gaps are told apart. Beyond it, the oldest two become one that covers both, which can
    /// only turn a *down* into an *unverified*, and only for a job silent since before them.
    pub const GAPS_MAX: usize = 10_000;

    /// A ledger of `gaps`, in any order.
    pub fn new(gaps: impl IntoIterator<Item = Gap>) -> Self {
        let mut gaps: Vec<Gap> = gaps.into_iter().collect();
        gaps.sort_by_key(|gap| (gap.from, gap.to));
        let mut ledger = Self::default();
        for gap in gaps {
            ledger.add(gap);
        }
        ledger
    }

    /// Adds a gap; overlapping and touching ones become one, which keeps the kind of the longer.
    pub fn add(&mut self, mut gap: Gap) {
        if gap.to <= gap.from {
            return;
        }
        let first = self.gaps.partition_point(|known| known.to < gap.from);
        let last = self.gaps.partition_point(|known| known.from <= gap.to);
        for known in self.gaps.drain(first..last) {
            if known.to.since(known.from) > gap.to.since(gap.from) {
                gap.kind = known.kind;
            }
            gap.from = gap.from.min(known.from);
            gap.to = gap.to.max(known.to);
        }
        self.gaps.insert(first, gap);
        if self.gaps.len() > Self::GAPS_MAX {
            let oldest = self.gaps.remove(0);
            self.gaps[0].from = oldest.from;
        }
    }

    /// All gaps, the oldest first.
    pub fn all(&self) -> &[Gap] {
        &self.gaps
    }

    /// The gaps that share an instant with the stretch from `since` to `until`, both inclusive.
    pub fn touching(&self, since: UnixMicros, until: UnixMicros) -> &[Gap] {
        let first = self.gaps.partition_point(|gap| gap.to <= since);
        let last = self.gaps.partition_point(|gap| gap.from <= until);
        self.gaps.get(first..last).unwrap_or(&[])
    }

    /// The first instant at which `span` of receiving time has passed since `start`.
    pub fn available(&self, start: UnixMicros, span: std::time::Duration) -> UnixMicros {
        let mut from = start;
        let mut left = span;
        let first = self.gaps.partition_point(|gap| gap.to <= start);
        for gap in &self.gaps[first..] {
            let before = gap.from.since(from);
            if before >= left {
                break;
            }
            left -= before;
            from = gap.to;
        }
        from + left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: i64) -> UnixMicros {
        UnixMicros::from_seconds(seconds)
    }

    fn gap(from: i64, to: i64) -> Gap {
        Gap {
            from: at(from),
            to: at(to),
            kind: GapKind::Stopped,
        }
    }

    #[test]
    fn overlapping_and_touching_gaps_become_one() {
        let ledger = GapLedger::new([gap(10, 20), gap(40, 50), gap(20, 30), gap(45, 60)]);
        assert_eq!(ledger.all(), [gap(10, 30), gap(40, 60)]);
    }

    #[test]
    fn an_empty_or_reversed_gap_is_none() {
        assert!(GapLedger::new([gap(5, 5), gap(9, 3)]).all().is_empty());
    }

    #[test]
    fn a_gap_touches_a_stretch_that_it_shares_an_instant_with() {
        let ledger = GapLedger::new([gap(10, 20), gap(40, 50)]);
        assert_eq!(ledger.touching(at(20), at(39)), []);
        assert_eq!(ledger.touching(at(19), at(39)), [gap(10, 20)]);
        assert_eq!(ledger.touching(at(20), at(40)), [gap(40, 50)]);
    }

    #[test]
    fn receiving_time_stands_still_in_gaps() {
        let ledger = GapLedger::new([gap(10, 20), gap(25, 50)]);
        assert_eq!(ledger.available(at(0), Duration::from_secs(5)), at(5));
        assert_eq!(ledger.available(at(0), Duration::from_secs(10)), at(10));
        assert_eq!(ledger.available(at(0), Duration::from_secs(12)), at(22));
        assert_eq!(ledger.available(at(12), Duration::from_secs(7)), at(52));
    }

    #[test]
    fn too_many_gaps_are_remembered_as_fewer_wider_ones() {
        let many = (0..=GapLedger::GAPS_MAX as i64).map(|n| gap(10 * n, 10 * n + 5));
        let ledger = GapLedger::new(many);
        assert_eq!(ledger.all().len(), GapLedger::GAPS_MAX);
        assert_eq!(ledger.all()[0], gap(0, 15));
    }
}
