//! How often somebody may try to sign in: for each account, and for each address.
//!
//! It lives in memory, at each node for itself: with several nodes somebody has as many times the tries.

use std::net::IpAddr;
use std::time::Duration;

use nightbeat_domain::UnixMicros;

use super::key_hash;
use crate::config::neighbourhood;
use crate::rate::{Allowance, Buckets};

/// How many wrong tries an account has at once, and after how long one more.
const ACCOUNT: Allowance = Allowance {
    at_once: 10,
    one_more_after: Duration::from_secs(90),
};
/// The same for an address (IPv6: a /64), behind which many people may be.
const ADDRESS: Allowance = Allowance {
    at_once: 40,
    one_more_after: Duration::from_secs(20),
};
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
    buckets: Buckets<Who>,
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
        let whom: Vec<_> = taken.iter().map(|who| (*who, who.allowance())).collect();
        self.buckets.take(&whom, now)?;
        Ok(Taken(taken))
    }

    /// Gives tries back.
    pub fn give_back(&self, taken: Taken) {
        for who in taken.0 {
            self.buckets.give_back(&who, who.allowance());
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
}
