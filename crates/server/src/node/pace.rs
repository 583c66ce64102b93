//! The operator's limit on how fast one heartbeat may signal.
//!
//! A signal beyond the limit is answered 429, but the newest of them is not thrown away: it is recorded
//! when its second is over. So a job that we refuse to hear is never taken for a silent one.

use std::collections::HashMap;

use nightbeat_domain::UnixMicros;
use nightbeat_store::{Arrival, Target};

/// How many heartbeats are counted at once; beyond it, a heartbeat that is not counted yet passes.
const COUNTED_MAX: usize = 100_000;

/// Counts the signals of each heartbeat in each second.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u32,
    counted: HashMap<Whom, Second>,
    /// The second in which old counts were thrown out last.
    swept: i64,
    /// When the oldest of the signals that are kept came.
    kept_since: Option<UnixMicros>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Whom {
    Id(nightbeat_domain::HeartbeatId),
    Slug(String, String),
}

#[derive(Debug)]
struct Second {
    number: i64,
    signals: u32,
    /// The newest signal that was refused in it.
    refused: Option<Arrival>,
}

impl Pace {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            counted: HashMap::new(),
            swept: i64::MIN,
            kept_since: None,
        }
    }

    /// Lets a signal pass that was stamped at `now`, or keeps it as a sign of life.
    pub(super) fn pass(&mut self, arrival: Arrival, now: UnixMicros) -> Option<Arrival> {
        let number = second_of(now);
        let whom = whom(&arrival.target);
        if self.counted.len() >= COUNTED_MAX && !self.counted.contains_key(&whom) {
            return Some(arrival);
        }
        let second = self.counted.entry(whom).or_insert(Second {
            number,
            signals: 0,
            refused: None,
        });
        if second.number != number && second.refused.is_none() {
            second.number = number;
            second.signals = 0;
        }
        second.signals = second.signals.saturating_add(1);
        if second.signals <= self.per_second {
            return Some(arrival);
        }
        let at = arrival.signal.received_at;
        self.kept_since = Some(self.kept_since.map_or(at, |known| known.min(at)));
        second.refused = Some(arrival);
        None
    }

    /// The signs of life whose second is over at `now`.
    pub(super) fn signs_of_life(&mut self, now: UnixMicros) -> Vec<Arrival> {
        let number = second_of(now);
        if self.swept == number {
            return Vec::new();
        }
        self.swept = number;
        let mut signs = Vec::new();
        let mut kept_since: Option<UnixMicros> = None;
        self.counted.retain(|_, second| {
            if second.number < number {
                signs.extend(second.refused.take());
                return false;
            }
            let at = second.refused.as_ref().map(|kept| kept.signal.received_at);
            kept_since = kept_since.into_iter().chain(at).min();
            true
        });
        self.kept_since = kept_since;
        signs
    }

    /// Since when a signal is kept back: nothing from then on may be judged without it.
    pub(super) fn kept_since(&self) -> Option<UnixMicros> {
        self.kept_since
    }
}

fn second_of(at: UnixMicros) -> i64 {
    at.0.div_euclid(1_000_000)
}

fn whom(target: &Target) -> Whom {
    match target {
        Target::Id(id) => Whom::Id(*id),
        Target::Slug { ping_key, slug, .. } => Whom::Slug(ping_key.clone(), slug.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightbeat_domain::{HeartbeatId, Signal, SignalKind};

    fn arrival(heartbeat: u128, at: UnixMicros) -> Arrival {
        Arrival {
            target: Target::Id(HeartbeatId(uuid::Uuid::from_u128(heartbeat))),
            signal: Signal::new(SignalKind::Success, at),
            nonce: None,
            method: "GET",
            source: String::new(),
            user_agent: String::new(),
            body: None,
            body_bytes: 0,
            mail: None,
        }
    }

    #[test]
    fn signals_within_the_limit_pass_and_each_heartbeat_has_its_own() {
        let mut pace = Pace::new(2);
        let at = UnixMicros(500_000);
        for (heartbeat, passes) in [(1, true), (1, true), (1, false), (2, true)] {
            let passed = pace.pass(arrival(heartbeat, at), at);
            assert_eq!(passed.is_some(), passes, "{heartbeat}");
        }
    }

    #[test]
    fn the_newest_refused_signal_is_recorded_when_its_second_is_over() {
        let mut pace = Pace::new(1);
        for micros in [100_000, 200_000, 300_000] {
            let at = UnixMicros(micros);
            pace.pass(arrival(1, at), at);
        }
        assert_eq!(pace.signs_of_life(UnixMicros(999_999)), []);
        assert_eq!(pace.kept_since(), Some(UnixMicros(300_000)));
        let signs = pace.signs_of_life(UnixMicros(1_000_000));
        assert_eq!(signs, [arrival(1, UnixMicros(300_000))]);
        assert_eq!(pace.kept_since(), None);
        let at = UnixMicros(1_000_001);
        assert!(pace.pass(arrival(1, at), at).is_some());
    }
}
