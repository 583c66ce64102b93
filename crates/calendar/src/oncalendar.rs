//! systemd's calendar events, as in `OnCalendar=` of a timer.

mod chain;
mod line;
mod reader;
mod slips;
mod stored;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};

use self::line::Line;
use crate::{ParseError, Zone, english, pattern::Wall, walk, walk::Jumps};

/// One or more systemd calendar events (systemd.time(7), "Calendar Events") in a time zone.
///
/// Several lines are the union of their instants, as several `OnCalendar=` lines of a timer are. A zone
/// at the end of a line (`Mon 02:00 Europe/Madrid`) wins over the zone of the whole. Cloning is cheap.
/// Two are equal when expression and zone were typed alike.
#[derive(Clone)]
pub struct OnCalendar {
    inner: Arc<Inner>,
}

struct Inner {
    expression: Box<str>,
    zone: Zone,
    lines: Vec<Line>,
}

/// 2000-01-01 00:00 UTC: what fires only before is refused as never firing.
const OLDEST_SECONDS: i64 = 946_684_800;

impl OnCalendar {
    /// Longest expression, all its lines together, in characters.
    pub const CHARACTERS_MAX: usize = 1000;
    /// Most lines.
    pub const LINES_MAX: usize = 20;

    /// Reads an expression. Refused are those that systemd refuses, and those that name no date from
    /// 2000 to 2199 (`*-02-30`, `1999-12-31`).
    pub fn parse(expression: &str, zone: &Zone) -> Result<Self, ParseError> {
        let oldest = Timestamp::from_second(OLDEST_SECONDS).unwrap_or(Timestamp::UNIX_EPOCH);
        Self::parse_since(expression, zone, oldest)
    }

    /// As [`OnCalendar::parse`], but refuses what names no time after `since`: today's date refuses
    /// what is over, a date in the past keeps what was once due.
    pub fn parse_since(
        expression: &str,
        zone: &Zone,
        since: Timestamp,
    ) -> Result<Self, ParseError> {
        let whole = |message: String| ParseError::new(expression, 0..expression.len(), message);
        if expression.chars().count() > Self::CHARACTERS_MAX {
            let most = Self::CHARACTERS_MAX;
            return Err(whole(format!("more than {most} characters")));
        }
        let mut lines = Vec::new();
        let mut start = 0;
        for text in expression.split('\n') {
            if lines.len() == Self::LINES_MAX {
                let place = start..expression.len();
                let message = format!("at most {} lines", Self::LINES_MAX);
                return Err(ParseError::new(expression, place, message));
            }
            let place = start..start + text.len();
            let accepted = |guess: &str| line::parse(guess, 0..guess.len(), zone).is_ok();
            let line = line::parse(expression, place.clone(), zone);
            lines.push(line.map_err(|error| slips::explain(expression, place, error, accepted))?);
            start += text.len() + 1;
        }
        let names_a_time = |line: &Line| {
            let wall = Wall::after(line.zone.rules().to_datetime(since));
            line.pattern.at_or_after(wall).is_some()
        };
        if !lines.iter().any(names_a_time) {
            let year = since.to_zoned(TimeZone::UTC).year();
            return Err(whole(format!("this never fires from {year} on")));
        }
        Ok(Self {
            inner: Arc::new(Inner {
                expression: expression.into(),
                zone: zone.clone(),
                lines,
            }),
        })
    }

    /// The expression as it was typed.
    pub fn expression(&self) -> &str {
        &self.inner.expression
    }

    /// The time zone of the lines that name none.
    pub fn zone(&self) -> &Zone {
        &self.inner.zone
    }

    /// The first instant strictly after `from`; `None` when the years have run out (2199 at the latest).
    ///
    /// Wall times that the clocks skip are left out, and those that they repeat count the first time
    /// only, even for `hourly`.
    pub fn next_after(&self, from: Timestamp) -> Option<Timestamp> {
        let next =
            |line: &Line| walk::next_after(&line.pattern, line.zone.rules(), Jumps::Calendar, from);
        self.inner.lines.iter().filter_map(next).min()
    }

    /// The last instant strictly before `from`; `None` before the first year (1970 at the earliest).
    pub fn previous_before(&self, from: Timestamp) -> Option<Timestamp> {
        let previous = |line: &Line| {
            walk::previous_before(&line.pattern, line.zone.rules(), Jumps::Calendar, from)
        };
        self.inner.lines.iter().filter_map(previous).max()
    }

    /// The lines in plain English, one after the other: "At 02:00 on Monday, UTC; Every hour, UTC".
    pub fn explain(&self) -> String {
        let lines = self.inner.lines.iter();
        let explained =
            lines.map(|line| format!("{}, {}", english::pattern(&line.pattern), line.zone));
        explained.collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = walk::Line<'_>> {
        self.inner.lines.iter().map(|line| walk::Line {
            pattern: &line.pattern,
            zone: &line.zone,
            jumps: Jumps::Calendar,
        })
    }
}

impl PartialEq for OnCalendar {
    fn eq(&self, other: &Self) -> bool {
        self.expression() == other.expression() && self.zone() == other.zone()
    }
}

impl Eq for OnCalendar {}

impl Hash for OnCalendar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expression().hash(state);
        self.zone().hash(state);
    }
}

impl fmt::Debug for OnCalendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnCalendar({:?}, {})", self.expression(), self.zone())
    }
}
