//! One field of a cron expression: lists, ranges, steps and names (crontab(5)).

use std::ops::Range;

use crate::ParseError;

/// A field: its place in the expression, what it is called, and what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

/// What a field names, one bit a value, and what goes beyond values.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// Bit v: value v. Sunday is both 0 and 7.
    pub(super) bits: u64,
    /// Day of month: `L` and `LW`.
    pub(super) last: bool,
    pub(super) last_workday: bool,
    /// Day of week: bit n of `nth[w]` for `w#n`, bit 0 for `wL`.
    pub(super) nth: [u8; 7],
    /// Something in it is not in crontab(5).
    pub(super) beyond_crontab: bool,
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        }
    }

    fn low(self) -> u64 {
        match self {
            Self::DayOfMonth | Self::Month => 1,
            _ => 0,
        }
    }

    fn high(self) -> u64 {
        match self {
            Self::Minute => 59,
            Self::Hour => 23,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 7,
        }
    }

    /// The limits in words, for messages.
    fn limits(self) -> &'static str {
        match self {
            Self::Minute => "0 to 59",
            Self::Hour => "0 to 23",
            Self::DayOfMonth => "1 to 31",
            Self::Month => "1 to 12 or JAN to DEC",
            Self::DayOfWeek => "0 to 7 or SUN to SAT",
        }
    }

    /// The value of a name.
    fn named(self, name: &str) -> Option<u64> {
        let (names, first): (&[&str], u64) = match self {
            Self::Month => (&MONTHS, 1),
            Self::DayOfWeek => (&WEEKDAYS, 0),
            _ => return None,
        };
        let index = names
            .iter()
            .position(|one| one.eq_ignore_ascii_case(name))?;
        Some(first + index as u64)
    }
}

/// Reads `expression[place]` as `field`.
pub(super) fn read(
    expression: &str,
    place: Range<usize>,
    field: Field,
) -> Result<Values, ParseError> {
    let mut values = Values::default();
    let mut start = place.start;
    for item in expression[place].split(',') {
        let mut reader = Reader {
            expression,
            field,
            at: start,
            end: start + item.len(),
        };
        reader.item(&mut values)?;
        start += item.len() + 1;
    }
    Ok(values)
}

/// Reads one item of a list from left to right.
struct Reader<'a> {
    expression: &'a str,
    field: Field,
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// `*`, `*/n`, `a`, `a-b`, `a-b/n`, `a/n`, and the extensions of the two day fields.
    fn item(&mut self, values: &mut Values) -> Result<(), ParseError> {
        if self.rest().is_empty() {
            let message = format!("{}: a value is missing at the comma", self.field.name());
            return Err(self.error(self.at..self.end, message));
        }
        if self.last_day(values)? {
            values.beyond_crontab = true;
            return self.finish();
        }
        let start = self.at;
        let low;
        let high;
        // A single value with a step runs to the field's end: `5/15` is `5-59/15`.
        let stepped_high;
        if self.take('*') {
            (low, high) = (self.field.low(), self.field.high());
            stepped_high = high;
        } else {
            low = self.value()?;
            if self.nth_weekday(low, values)? {
                values.beyond_crontab = true;
                return self.finish();
            }
            if self.take('-') {
                high = self.range_end(start, low)?;
                stepped_high = high;
            } else {
                (high, stepped_high) = (low, self.field.high());
            }
        }
        if self.take('/') {
            let step = self.step()?;
            self.finish()?;
            values.beyond_crontab |= high != stepped_high;
            values.add(low, stepped_high, step);
        } else {
            self.finish()?;
            values.add(low, high, 1);
        }
        Ok(())
    }

    /// `L` and `LW` in the day of month. A step says nothing about one day, and is let through.
    fn last_day(&mut self, values: &mut Values) -> Result<bool, ParseError> {
        if self.field != Field::DayOfMonth || !(self.take('L') || self.take('l')) {
            return Ok(false);
        }
        if self.take('W') || self.take('w') {
            values.last_workday = true;
        } else {
            values.last = true;
        }
        if self.take('/') {
            self.step()?;
        }
        Ok(true)
    }

    /// `5#2`, `FRI#2` and `5L` (a number only) in the day of week, after the weekday.
    fn nth_weekday(&mut self, weekday: u64, values: &mut Values) -> Result<bool, ParseError> {
        if self.field != Field::DayOfWeek {
            return Ok(false);
        }
        let nth = &mut values.nth[weekday as usize % 7];
        if self.take('L') || self.take('l') {
            *nth |= 1;
            return Ok(true);
        }
        if !self.take('#') {
            return Ok(false);
        }
        let start = self.at;
        if let Some(n @ 1..=5) = self.number() {
            *nth |= 1 << n;
            return Ok(true);
        }
        self.skip_word();
        let typed = &self.expression[start..self.at];
        let message = format!("{typed:?} after #: 1 to 5, which of them in the month");
        Err(self.error(start..self.at, message))
    }

    /// A number or a name within the field's limits.
    fn value(&mut self) -> Result<u64, ParseError> {
        let start = self.at;
        let (name, limits) = (self.field.name(), self.field.limits());
        if let Some(number) = self.number() {
            if (self.field.low()..=self.field.high()).contains(&number) {
                return Ok(number);
            }
            let typed = &self.expression[start..self.at];
            return Err(self.error(start..self.at, format!("{name} {typed}: {limits}")));
        }
        let rest = self.rest();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        if let Some(value) = self.field.named(&rest[..letters]) {
            self.at += letters;
            return Ok(value);
        }
        self.skip_word();
        let typed = &self.expression[start..self.at];
        let message = if typed.is_empty() {
            format!("{name}: a value is missing; it takes {limits}")
        } else {
            format!("{name} {typed:?}: {limits}")
        };
        Err(self.error(start..self.at, message))
    }

    fn range_end(&mut self, start: usize, low: u64) -> Result<u64, ParseError> {
        let high = self.value()?;
        if high >= low {
            return Ok(high);
        }
        let typed = &self.expression[start..self.at];
        let message = format!(
            "{} {typed}: a range goes from the smaller to the greater value",
            self.field.name()
        );
        Err(self.error(start..self.at, message))
    }

    fn step(&mut self) -> Result<u64, ParseError> {
        let start = self.at;
        match self.number() {
            Some(0) => Err(self.error(start..self.at, "a step of 0: 1 or more")),
            Some(step) => Ok(step),
            None => {
                self.skip_word();
                let typed = &self.expression[start..self.at];
                let message = format!("the step {typed:?} after /: a number from 1");
                Err(self.error(start..self.at, message))
            }
        }
    }

    /// Digits, however many; too great ones stay too great.
    fn number(&mut self) -> Option<u64> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let text = &self.rest()[..digits];
        let number = text.parse().unwrap_or(u64::MAX);
        self.at += digits;
        (digits > 0).then_some(number)
    }

    /// Debian's cron ignores what follows a value it understood (`5*`, `1.5`); a typing error then runs
    /// at a time nobody meant.
    fn finish(&mut self) -> Result<(), ParseError> {
        if self.at == self.end {
            return Ok(());
        }
        let message = format!("{}: {:?} is left over", self.field.name(), self.rest());
        Err(self.error(self.at..self.end, message))
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// Steps over what stands where a value should be.
    fn skip_word(&mut self) {
        let rest = self.rest();
        self.at += rest
            .find(['-', '/', '#'])
            .filter(|&at| at > 0)
            .unwrap_or(rest.len());
    }

    fn rest(&self) -> &'a str {
        &self.expression[self.at..self.end]
    }

    fn error(&self, place: Range<usize>, message: impl Into<String>) -> ParseError {
        ParseError::new(self.expression, place, message)
    }
}

impl Values {
    fn add(&mut self, low: u64, high: u64, step: u64) {
        let mut value = low;
        while value <= high {
            self.bits |= 1 << value;
            value = value.saturating_add(step);
        }
    }
}
