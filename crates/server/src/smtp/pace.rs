//! How many mails one address sends.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use nightbeat_domain::UnixMicros;

use crate::config::neighbourhood;

/// How many addresses are counted; of more than that, nobody is refused.
const ADDRESSES_MAX: usize = 100_000;
/// A minute, in microseconds.
const MINUTE_MICROS: i64 = 60_000_000;

/// Counts mails by the minute.
#[derive(Debug)]
pub(super) struct Pace {
    per_minute: Option<u32>,
    // A std mutex: held for one look-up, never across an await.
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    minute: i64,
    mails: HashMap<IpAddr, u32>,
}

impl Pace {
    /// So many mails a minute for each address; `None`: any number.
    pub(super) fn new(per_minute: Option<u32>) -> Self {
        Self {
            per_minute,
            counts: Mutex::default(),
        }
    }

    /// Whether one more mail of this address may come.
    pub(super) fn take(&self, address: IpAddr, now: UnixMicros) -> bool {
        let Some(per_minute) = self.per_minute else {
            return true;
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.0.div_euclid(MINUTE_MICROS);
        if counts.minute != minute {
            counts.minute = minute;
            counts.mails.clear();
        }
        let address = neighbourhood(address);
        if counts.mails.len() >= ADDRESSES_MAX && !counts.mails.contains_key(&address) {
            return true;
        }
        let mails = counts.mails.entry(address).or_default();
        *mails = mails.saturating_add(1);
        *mails <= per_minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_number_each_minute() {
        let pace = Pace::new(Some(2));
        let take = |address: &str, second| {
            let address = address.parse().unwrap();
            pace.take(address, UnixMicros::from_seconds(second))
        };
        for (address, second, may) in [
            ("192.0.2.1", 0, true),
            ("192.0.2.1", 30, true),
            ("192.0.2.1", 59, false),
            ("192.0.2.2", 59, true),
            ("2001:db8::1", 59, true),
            ("2001:db8::2", 59, true),
            ("2001:db8::3", 59, false),
            ("192.0.2.1", 60, true),
        ] {
            assert_eq!(take(address, second), may, "{address} {second}");
        }
        let any = Pace::new(None);
        assert!((0..100).all(|_| any.take("192.0.2.1".parse().unwrap(), UnixMicros(0))));
    }
}
