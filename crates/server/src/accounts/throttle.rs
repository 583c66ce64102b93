//! How often somebody may try to sign in: for each account, and for each address.
//!
//! It lives in memory, at each node for itself: with several nodes somebody has as many times the tries.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nightbeat_domain::UnixMicros;

use super::key_hash;
use crate::config::neighbourhood;

/// How many wrong tries an account has at once, and after how long one more.
const ACCOUNT: Allowance = Allowance {
    tries: 10,
    one_more_after: Duration::from_secs(90),
};
/// The same for an address (IPv6: a /64), behind which many people may be.
const ADDRESS: Allowance = Allowance {
    tries: 40,
    one_more_after: Duration::from_secs(20),
};
/// How many accounts and addresses are remembered.
const REMEMBERED_MAX: usize = 100_000;

/// So many tries at once, and one more each time.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    tries: u32,
    one_more_after: Duration,
}

/// Whose tries are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    /// By the hash of its e-mail address, whether there is such an account or not.
    Account([u8; 32]),
    Address(IpAddr),
}

/// Counts tries.
#[derive(Debug, Default)]
pub struct Throttle {
    /// When all tries will be there again. A std mutex: never held across an await.
    full_at: Mutex<HashMap<Who, UnixMicros>>,
}

/// Tries that were taken; they are given back when the person turns out to be the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken(Vec<Who>);

impl Throttle {
    /// Takes a try for this account from this address. Programs on this machine and Unix sockets count for
    /// the account only: a proxy that nobody told us to trust would lock everybody out. An error says how
    /// long to wait.
    pub fn take(
        &self,
        email_key: &str,
        address: Option<IpAddr>,
        now: UnixMicros,
    ) -> Result<Taken, Duration> {
        let account = Who::Account(key_hash(email_key));
        self.take_all([Some(account), from(address)], now)
    }

    /// Takes a try of this address alone.
    pub fn take_of_address(
        &self,
        address: Option<IpAddr>,
        now: UnixMicros,
    ) -> Result<Taken, Duration> {
        self.take_all([None, from(address)], now)
    }

    fn take_all(&self, whom: [Option<Who>; 2], now: UnixMicros) -> Result<Taken, Duration> {
        let taken: Vec<Who> = whom.into_iter().flatten().collect();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut full_at, now);
        let waits = taken.iter().filter_map(|who| {
            let full = full_at.get(who).copied().unwrap_or(now);
            who.allowance().wait(full, now)
        });
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        for who in &taken {
            let full = full_at.entry(*who).or_insert(now);
            *full = (*full).max(now) + who.allowance().one_more_after;
        }
        Ok(Taken(taken))
    }

    /// Gives tries back.
    pub fn give_back(&self, taken: Taken) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        for who in taken.0 {
            if let Some(full) = full_at.get_mut(&who) {
                *full = *full - who.allowance().one_more_after;
            }
        }
    }
}

/// The address, unless it is this machine's.
fn from(address: Option<IpAddr>) -> Option<Who> {
    let address = address.filter(|address| !address.to_canonical().is_loopback());
    address.map(|address| Who::Address(neighbourhood(address)))
}

impl Who {
    fn allowance(self) -> Allowance {
        match self {
            Self::Account(_) => ACCOUNT,
            Self::Address(_) => ADDRESS,
        }
    }
}

impl Allowance {
    /// How long until there is a try, where there is none now.
    fn wait(self, full_at: UnixMicros, now: UnixMicros) -> Option<Duration> {
        let missing = full_at.since(now);
        let most = self.one_more_after * (self.tries - 1);
        missing.checked_sub(most).filter(|wait| !wait.is_zero())
    }
}

/// Forgets those who have all their tries again; if that is not enough, those who will have them first.
fn make_room(full_at: &mut HashMap<Who, UnixMicros>, now: UnixMicros) {
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

    #[expect(clippy::unnecessary_wraps, reason = "as it is taken")]
    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_account_has_ten_tries_and_then_one_each_ninety_seconds() {
        let throttle = Throttle::default();
        for number in 0..10 {
            let from = address(&format!("203.0.113.{number}"));
            throttle.take("a@example.org", from, NOON).unwrap();
        }
        let late = throttle.take("a@example.org", address("203.0.113.99"), NOON);
        assert_eq!(late, Err(Duration::from_secs(90)));
        throttle
            .take("b@example.org", address("203.0.113.99"), NOON)
            .unwrap();
        let later = NOON + Duration::from_secs(90);
        throttle.take("a@example.org", None, later).unwrap();
        assert!(throttle.take("a@example.org", None, later).is_err());
    }

    #[test]
    fn an_address_has_forty_tries_whatever_the_accounts() {
        let throttle = Throttle::default();
        for number in 0..40 {
            let neighbour = address(&format!("2001:db8::{number:x}"));
            let email = format!("{number}@example.org");
            throttle.take(&email, neighbour, NOON).unwrap();
        }
        let email = "new@example.org";
        let same_net = throttle.take(email, address("2001:db8::ffff"), NOON);
        assert_eq!(same_net, Err(Duration::from_secs(20)));
        throttle
            .take(email, address("2001:db8:1::1"), NOON)
            .unwrap();
    }

    #[test]
    fn this_machine_is_no_address_that_could_be_locked_out() {
        let throttle = Throttle::default();
        for number in 0..100 {
            let email = format!("{number}@example.org");
            for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
                throttle.take(&email, address(local), NOON).unwrap();
            }
        }
    }

    #[test]
    fn a_right_try_costs_nothing() {
        let throttle = Throttle::default();
        for _ in 0..100 {
            let taken = throttle.take("a@example.org", address("203.0.113.1"), NOON);
            throttle.give_back(taken.unwrap());
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let throttle = Throttle::default();
        for number in 0..=REMEMBERED_MAX as u64 {
            let now = NOON + Duration::from_micros(number);
            throttle.take(&number.to_string(), None, now).unwrap();
        }
        let remembered = throttle.full_at.lock().unwrap().len();
        assert!(remembered <= REMEMBERED_MAX, "{remembered}");
    }
}
