//! How fast a service takes messages, kept from our side, so that it does not have to refuse any.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::kind::Rate;

/// How many destinations are remembered before those that are idle are forgotten.
const LANES_KEPT: usize = 1_000;

/// For each destination, the instant at which its allowance is whole again (the "theoretical arrival
/// time" of the generic cell rate algorithm, ITU-T I.371).
#[derive(Debug, Default)]
pub(crate) struct Pace {
    whole_at: Mutex<HashMap<String, Instant>>,
}

impl Pace {
    /// Takes one message's worth at `now`, or says how long to wait.
    pub(crate) fn take(&self, lane: &str, rate: Rate, now: Instant) -> Result<(), Duration> {
        let each = Duration::from_secs(60) / rate.per_minute.max(1);
        let allowance = each * (rate.burst.max(1) - 1);
        // A std mutex: it is held for a look-up, never over a wait.
        let mut lanes = self
            .whole_at
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if lanes.len() >= LANES_KEPT {
            lanes.retain(|_, whole_at| *whole_at > now);
        }
        let whole_at = lanes.get(lane).copied().unwrap_or(now).max(now);
        let ahead = whole_at.duration_since(now);
        let wait = ahead.saturating_sub(allowance);
        if !wait.is_zero() {
            return Err(wait);
        }
        lanes.insert(lane.to_owned(), whole_at + each);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_at_a_time() {
        let pace = Pace::default();
        let rate = Rate {
            per_minute: 12,
            burst: 3,
        };
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(pace.take("a", rate, start), Ok(()));
        }
        assert_eq!(pace.take("a", rate, start), Err(Duration::from_secs(5)));
        assert_eq!(pace.take("b", rate, start), Ok(()));
        let later = start + Duration::from_secs(5);
        assert_eq!(pace.take("a", rate, later), Ok(()));
        assert_eq!(pace.take("a", rate, later), Err(Duration::from_secs(5)));
    }
}
