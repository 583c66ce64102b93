//! Debian's cron.

mod field;
mod parse;
mod slips;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    ParseError, Zone, english,
    pattern::Pattern,
    walk::{self, Jumps, Line},
};

/// A cron expression in a time zone, read as Debian's cron 3.0pl1 reads a crontab.
///
/// Five fields (minute, hour, day of month, month, day of week) or an alias such as `@daily`; beyond
/// crontab(5) also `a/n`, `L`, `LW`, `5L` and `FRI#2`. Cloning is cheap. Two are equal when expression
/// and zone were typed alike.
#[derive(Clone)]
pub struct Cron {
    inner: Arc<Inner>,
}

struct Inner {
    expression: Box<str>,
    zone: Zone,
    pattern: Pattern,
    jumps: Jumps,
    beyond_crontab: bool,
}

impl Cron {
    /// Longest expression, in characters.
    pub const CHARACTERS_MAX: usize = 100;

    /// Reads an expression. Refused are those that cron refuses, those in which it silently ignores a
    /// part (`5*`, `1.5`, `22-4`), and those that name no day (`0 0 31 2 *`).
    pub fn parse(expression: &str, zone: &Zone) -> Result<Self, ParseError> {
        let parsed = parse::parse(expression).map_err(|error| {
            slips::explain(expression, error, |guess| parse::parse(guess).is_ok())
        })?;
        let jumps = if parsed.wild {
            Jumps::Wild
        } else {
            Jumps::Fixed
        };
        Ok(Self {
            inner: Arc::new(Inner {
                expression: expression.into(),
                zone: zone.clone(),
                pattern: parsed.pattern,
                jumps,
                beyond_crontab: parsed.beyond_crontab,
            }),
        })
    }

    /// The expression as it was typed.
    pub fn expression(&self) -> &str {
        &self.inner.expression
    }

    /// The time zone whose wall clock the expression speaks of.
    pub fn zone(&self) -> &Zone {
        &self.inner.zone
    }

    /// Whether it says something that crontab(5) does not know: `a/n`, `L`, `LW`, `5L`, `FRI#2`. A cron
    /// that is given such a line refuses it, or reads it otherwise.
    pub fn beyond_crontab(&self) -> bool {
        self.inner.beyond_crontab
    }

    /// The first instant strictly after `from` at which cron starts the job; `None` only near the year
    /// 9999.
    pub fn next_after(&self, from: Timestamp) -> Option<Timestamp> {
        let inner = &*self.inner;
        walk::next_after(&inner.pattern, inner.zone.rules(), inner.jumps, from)
    }

    /// The last instant strictly before `from` at which cron started the job; `None` only near the
    /// year -9999.
    pub fn previous_before(&self, from: Timestamp) -> Option<Timestamp> {
        let inner = &*self.inner;
        walk::previous_before(&inner.pattern, inner.zone.rules(), inner.jumps, from)
    }

    /// The expression in plain English: "At 02:00 on Monday to Friday, Europe/Madrid".
    pub fn explain(&self) -> String {
        let pattern = english::pattern(&self.inner.pattern);
        format!("{pattern}, {}", self.zone())
    }

    #[cfg(test)]
    pub(crate) fn walked(&self) -> (&Pattern, Jumps) {
        (&self.inner.pattern, self.inner.jumps)
    }

    pub(crate) fn line(&self) -> Line<'_> {
        Line {
            pattern: &self.inner.pattern,
            zone: &self.inner.zone,
            jumps: self.inner.jumps,
        }
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.expression() == other.expression() && self.zone() == other.zone()
    }
}

impl Eq for Cron {}

impl Hash for Cron {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expression().hash(state);
        self.zone().hash(state);
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({:?}, {})", self.expression(), self.zone())
    }
}
