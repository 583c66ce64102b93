//! One component of a date or time: `*`, or a list of values, ranges and repetitions.
//!
//! Reads what systemd's `calendarspec.c` reads, and refuses what it refuses: also a repetition that
//! never comes about (`5/55` minutes) and an empty range.

use super::reader::Reader;
use crate::{
    ParseError,
    times::{Run, SECOND},
};

/// A component of the expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Month,
    Day,
    /// A day counted from the end of the month, 1 being the last. Only 28 of them always exist.
    DayFromEnd,
    Hour,
    Minute,
    /// In microseconds; the only part that takes fractions.
    Second,
}

/// A component before it is known which part it is: `10-15` begins like `10:15`. `None` is `*`.
pub(super) type Chain = Option<Vec<Item>>;

/// `start`, `start..stop`, `start/step` or `start..stop/step`, each with its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    start: Number,
    end: Option<Number>,
    step: Option<Number>,
    from: usize,
    to: usize,
}

#[derive(Debug, Clone, Copy)]
struct Number {
    value: u64,
    from: usize,
    to: usize,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::DayFromEnd => "day from the end of the month",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
        }
    }

    /// The least and the greatest value.
    fn limits(self) -> (u64, u64) {
        match self {
            Self::Year => (1970, 2199),
            Self::Month => (1, 12),
            Self::Day => (1, 31),
            Self::DayFromEnd => (1, 28),
            Self::Hour => (0, 23),
            Self::Minute => (0, 59),
            Self::Second => (0, 60 * SECOND - 1),
        }
    }

    fn limits_text(self) -> &'static str {
        match self {
            Self::Year => "1970 to 2199",
            Self::Month => "1 to 12",
            Self::Day => "1 to 31",
            Self::DayFromEnd => "1 to 28",
            Self::Hour => "0 to 23",
            Self::Minute => "0 to 59",
            Self::Second => "0 to 59.999999",
        }
    }
}

impl Reader<'_> {
    /// Reads a component; `fractions` for the seconds, whose numbers are in microseconds then.
    pub(super) fn chain(&mut self, fractions: bool) -> Result<Chain, ParseError> {
        if self.take("*") {
            return Ok(None);
        }
        let mut items = vec![self.item(fractions)?];
        while self.take(",") {
            items.push(self.item(fractions)?);
        }
        Ok(Some(items))
    }

    fn item(&mut self, fractions: bool) -> Result<Item, ParseError> {
        let from = self.at();
        let start = self.number(fractions)?;
        let end = if self.take("..") {
            Some(self.number(fractions)?)
        } else {
            None
        };
        let step = if self.take("/") {
            Some(self.number(fractions)?)
        } else {
            None
        };
        if let Some(step) = step.filter(|step| step.value == 0) {
            return Err(self.error(step.from..step.to, "a repetition of 0: 1 or more"));
        }
        // A range of seconds without a repetition goes by whole seconds, and must have two of them.
        let end_value = end.map_or(u64::MAX, |end| end.value);
        if fractions && step.is_none() && start.value + SECOND > end_value {
            let message = "a range of seconds spans at least one second";
            return Err(self.error(from..self.at(), message));
        }
        let to = self.at();
        Ok(Item {
            start,
            end,
            step,
            from,
            to,
        })
    }

    fn number(&mut self, fractions: bool) -> Result<Number, ParseError> {
        let from = self.at();
        let digits = self.take_digits();
        if digits.is_empty() {
            self.skip_word();
            let typed = self.since(from);
            let message = match typed {
                "" => "a number is missing".to_owned(),
                _ => format!("{typed:?} is not a number"),
            };
            return Err(self.error(from..self.at(), message));
        }
        let mut value: u64 = digits.parse().unwrap_or(u64::MAX);
        if fractions {
            value = value.saturating_mul(SECOND);
            if !self.looks_at("..") && self.take(".") {
                value = value.saturating_add(self.fraction()?);
            }
        }
        // Greater ones are refused by every limit; this keeps sums of them from overflowing.
        let value = value.min(u64::from(u32::MAX));
        let to = self.at();
        Ok(Number { value, from, to })
    }

    /// The digits after the point, in microseconds, rounded half up at the sixth.
    fn fraction(&mut self) -> Result<u64, ParseError> {
        let from = self.at();
        let digits = self.take_digits();
        if digits.is_empty() {
            return Err(self.error(from..from, "digits are missing after the point"));
        }
        let digit = |index: usize| {
            digits
                .as_bytes()
                .get(index)
                .map_or(0, |byte| u64::from(byte - b'0'))
        };
        let micros = (0..6).fold(0, |value, index| value * 10 + digit(index));
        Ok(micros + u64::from(digit(6) >= 5))
    }

    /// The values of a component as runs, checked against the limits of `part`.
    pub(super) fn runs(&self, items: &[Item], part: Part) -> Result<Vec<Run>, ParseError> {
        items.iter().map(|item| self.run(*item, part)).collect()
    }

    fn run(&self, item: Item, part: Part) -> Result<Run, ParseError> {
        let start = self.within(item.start, part)?;
        let unit = if part == Part::Second { SECOND } else { 1 };
        let Some(end) = item.end else {
            return match item.step {
                None => Ok(Run::once(start)),
                Some(step) => self.repetition(item, part, start, step.value),
            };
        };
        let last = read_year(part, end.value);
        if last < start {
            let message = format!(
                "{} {}: a range goes from the smaller to the greater value",
                part.name(),
                self.text(item.from, item.to)
            );
            return Err(self.error(item.from..item.to, message));
        }
        let distance = item.step.map_or(unit, |step| step.value);
        // As in systemd, only the last value that is reached must be within the limits: 19..26/20.
        let stop = last - (last - start) % distance;
        if stop > part.limits().1 {
            return Err(self.outside(end, part));
        }
        Ok(Run {
            start,
            stop,
            step: distance,
        })
    }

    /// `start/step`, which must repeat at least once before the greatest value.
    fn repetition(&self, item: Item, part: Part, start: u64, step: u64) -> Result<Run, ParseError> {
        let (least, most) = part.limits();
        let room = match part {
            Part::DayFromEnd => start - least,
            _ => most - start,
        };
        if step > room {
            let message = format!(
                "{} {}: the repetition does not fit in {}",
                part.name(),
                self.text(item.from, item.to),
                part.limits_text()
            );
            return Err(self.error(item.from..item.to, message));
        }
        // From the end of the month, a repetition runs towards it: 7/1 is the last seven days.
        Ok(match part {
            Part::DayFromEnd => Run {
                start: start - room / step * step,
                stop: start,
                step,
            },
            _ => Run {
                start,
                stop: most,
                step,
            },
        })
    }

    fn within(&self, number: Number, part: Part) -> Result<u64, ParseError> {
        let value = read_year(part, number.value);
        let (least, most) = part.limits();
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        Err(self.outside(number, part))
    }

    fn outside(&self, number: Number, part: Part) -> ParseError {
        let typed = self.text(number.from, number.to);
        let message = format!("{} {typed}: {}", part.name(), part.limits_text());
        self.error(number.from..number.to, message)
    }
}

/// Years of two digits as systemd reads them: 12 is 2012, 89 is 1989.
fn read_year(part: Part, value: u64) -> u64 {
    match (part, value) {
        (Part::Year, 0..70) => value + 2000,
        (Part::Year, 70..100) => value + 1900,
        _ => value,
    }
}

/// The values of runs as bits; all of them fit.
pub(super) fn bits(runs: &[Run]) -> u64 {
    let mut bits = 0;
    for run in runs {
        for value in (run.start..=run.stop).step_by(run.step as usize) {
            bits |= 1 << value;
        }
    }
    bits
}
