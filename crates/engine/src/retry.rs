//! When is a delivery tried again?

use std::time::Duration;

use nightbeat_domain::{DeliveryId, UnixMicros};

/// The pauses after the first, second, … failed attempt; after the last of them it stays at that.
pub const PAUSES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(45),
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(15 * 60),
];

/// A delivery older than this is not tried again, where it was tried often enough. It stays visible as
/// failing until someone dismisses it.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// A delivery is not given up before so many attempts, which take more than five hours: time in which we
/// were away ourselves is no time in which a receiver failed.
pub const ATTEMPTS_MIN: u32 = 30;

/// A receiver may ask for a pause of at most this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// When to try a delivery again that failed at `now` for the `attempts`-th time; `None`: never.
///
/// The pause is spread by ±20 %, by a hash of the delivery's id: the same delivery always waits the same
/// time, and a thousand that failed together do not come back together.
pub fn next_try(
    delivery: DeliveryId,
    created_at: UnixMicros,
    attempts: u32,
    retry_after: Option<Duration>,
    now: UnixMicros,
) -> Option<UnixMicros> {
    if now.since(created_at) >= GIVE_UP_AFTER && attempts >= ATTEMPTS_MIN {
        return None;
    }
    let last = PAUSES.len() - 1;
    let pause = PAUSES[(attempts.max(1) as usize - 1).min(last)];
    let wanted = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
    Some(now + spread(pause, delivery, attempts).max(wanted))
}

/// `pause`, longer or shorter by up to a fifth.
fn spread(pause: Duration, delivery: DeliveryId, attempts: u32) -> Duration {
    // FNV-1a: small, and good enough to tell deliveries apart.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in delivery.0.as_bytes().iter().chain(&attempts.to_le_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let per_mille = 800 + hash % 401;
    pause * (per_mille as u32) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn pause(attempts: u32, retry_after: Option<u64>) -> f64 {
        let retry_after = retry_after.map(Duration::from_secs);
        let id = DeliveryId(Uuid::from_u128(7));
        let at = UnixMicros::from_seconds(1_000);
        let next = next_try(id, at, attempts, retry_after, at).unwrap();
        next.since(at).as_secs_f64()
    }

    #[test]
    fn pauses_grow_to_a_quarter_of_an_hour() {
        for (attempts, seconds) in [
            (1, 5.0),
            (2, 15.0),
            (3, 45.0),
            (4, 120.0),
            (5, 300.0),
            (6, 600.0),
            (7, 900.0),
            (8, 900.0),
            (90, 900.0),
        ] {
            let paused = pause(attempts, None);
            assert!(
                (0.8 * seconds..=1.2 * seconds).contains(&paused),
                "{attempts}: {paused}"
            );
        }
    }

    #[test]
    fn a_receiver_may_ask_for_up_to_an_hour() {
        assert!((pause(1, Some(90)) - 90.0).abs() < 1e-6);
        assert!((pause(1, Some(86_400)) - 3_600.0).abs() < 1e-6);
        assert!(pause(4, Some(1)) > 90.0, "never shorter than our own pause");
    }

    #[test]
    fn after_a_day_it_is_given_up() {
        let id = DeliveryId(Uuid::from_u128(7));
        let created = UnixMicros(0);
        let day = created + GIVE_UP_AFTER;
        assert!(next_try(id, created, 100, None, day - Duration::from_secs(1)).is_some());
        assert_eq!(next_try(id, created, 100, None, day), None);
    }

    #[test]
    fn a_day_in_which_we_were_away_gives_nothing_up() {
        let id = DeliveryId(Uuid::from_u128(7));
        let after_days = UnixMicros(0) + 3 * GIVE_UP_AFTER;
        for attempts in 1..ATTEMPTS_MIN {
            let next = next_try(id, UnixMicros(0), attempts, None, after_days);
            assert!(next.is_some_and(|next| next > after_days), "{attempts}");
        }
        assert_eq!(
            next_try(id, UnixMicros(0), ATTEMPTS_MIN, None, after_days),
            None
        );
    }

    #[test]
    fn those_that_failed_together_do_not_come_back_together() {
        let at = UnixMicros(0);
        let times: std::collections::HashSet<_> = (0..100)
            .filter_map(|n| next_try(DeliveryId(Uuid::from_u128(n)), at, 1, None, at))
            .collect();
        assert!(times.len() > 50, "{}", times.len());
    }
}
