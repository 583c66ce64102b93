//! A number with its unit, as a rule says it.

use std::fmt;

use super::Kind;

/// A unit of size or time, as rules write it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// How it is written: `MiB`.
    pub name: &'static str,
    /// What it measures.
    pub kind: Kind,
    /// How many bytes or seconds it is.
    pub factor: f64,
    /// Other ways to write it, in small letters.
    others: &'static [&'static str],
}

const fn size(name: &'static str, bytes: u64, others: &'static [&'static str]) -> Unit {
    Unit {
        name,
        kind: Kind::Bytes,
        factor: bytes as f64,
        others,
    }
}

const fn time(name: &'static str, seconds: f64, others: &'static [&'static str]) -> Unit {
    Unit {
        name,
        kind: Kind::Seconds,
        factor: seconds,
        others,
    }
}

impl Unit {
    /// All of them, sizes first.
    pub const ALL: [Self; 17] = [
        size("B", 1, &["byte", "bytes"]),
        size("KB", 1_000, &[]),
        size("MB", 1_000_000, &[]),
        size("GB", 1_000_000_000, &[]),
        size("TB", 1_000_000_000_000, &[]),
        size("PB", 1_000_000_000_000_000, &[]),
        size("KiB", 1 << 10, &[]),
        size("MiB", 1 << 20, &[]),
        size("GiB", 1 << 30, &[]),
        size("TiB", 1 << 40, &[]),
        size("PiB", 1 << 50, &[]),
        time("ms", 0.001, &["msec", "milliseconds"]),
        time("s", 1.0, &["sec", "secs", "second", "seconds"]),
        time("m", 60.0, &["min", "mins", "minute", "minutes"]),
        time("h", 3_600.0, &["hr", "hrs", "hour", "hours"]),
        time("d", 86_400.0, &["day", "days"]),
        time("w", 604_800.0, &["week", "weeks"]),
    ];

    /// The unit that this word means. Capitals do not matter where they tell nothing: there is no `M` or `S`.
    pub fn named(word: &str) -> Option<Self> {
        let exact = Self::ALL.into_iter().find(|unit| unit.name == word);
        exact.or_else(|| {
            let small = word.to_ascii_lowercase();
            Self::ALL.into_iter().find(|unit| {
                let loose = unit.name.len() > 1 && unit.name.to_ascii_lowercase() == small;
                loose || unit.others.contains(&small.as_str())
            })
        })
    }
}

/// A number, and the unit that its author chose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity {
    /// How many of the unit; finite.
    pub number: f64,
    /// The unit, if any was written.
    pub unit: Option<Unit>,
}

impl Quantity {
    /// In bytes, in seconds, or as it stands.
    pub fn value(self) -> f64 {
        self.number * self.unit.map_or(1.0, |unit| unit.factor)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)?;
        match self.unit {
            // People write 500 MiB, but 26h.
            Some(unit) if unit.kind == Kind::Bytes => write!(f, " {}", unit.name),
            Some(unit) => f.write_str(unit.name),
            None => Ok(()),
        }
    }
}
