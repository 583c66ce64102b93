//! A fixed distance between two runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A fixed distance between two runs, in whole seconds, from 1 s to 10 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Interval {
    seconds: u32,
}

/// Why a number of seconds is not an [`Interval`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an interval of {0} seconds is outside 1 second to 10 years (315360000 seconds)")]
pub struct IntervalError(pub u64);

impl Interval {
    /// The shortest interval: one second.
    pub const SECONDS_MIN: u64 = 1;
    /// The longest interval: ten years of 365 days.
    pub const SECONDS_MAX: u64 = 10 * 365 * 86_400;

    /// An interval of `seconds`; refused outside 1 second to 10 years.
    pub fn from_seconds(seconds: u64) -> Result<Self, IntervalError> {
        match u32::try_from(seconds) {
            Ok(short) if (Self::SECONDS_MIN..=Self::SECONDS_MAX).contains(&seconds) => {
                Ok(Self { seconds: short })
            }
            _ => Err(IntervalError(seconds)),
        }
    }

    /// The length in seconds.
    pub fn seconds(self) -> u64 {
        u64::from(self.seconds)
    }

    /// The length as a [`Duration`].
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds())
    }
}

impl TryFrom<u64> for Interval {
    type Error = IntervalError;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        Self::from_seconds(seconds)
    }
}

impl From<Interval> for u64 {
    fn from(interval: Interval) -> Self {
        interval.seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_between_a_second_and_ten_years() {
        assert_eq!(Interval::from_seconds(0), Err(IntervalError(0)));
        assert_eq!(Interval::from_seconds(1).unwrap().seconds(), 1);
        assert_eq!(
            Interval::from_seconds(315_360_000).unwrap().seconds(),
            315_360_000
        );
        assert_eq!(
            Interval::from_seconds(315_360_001),
            Err(IntervalError(315_360_001))
        );
        assert_eq!(
            Interval::from_seconds(u64::MAX),
            Err(IntervalError(u64::MAX))
        );
    }
}
