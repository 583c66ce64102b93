//! One line: `[weekdays] [date] [time] [zone]`.

use std::ops::Range;

use jiff::{Timestamp, tz::Offset};

use super::{
    chain::{self, Chain, Part},
    reader::Reader,
};
use crate::{
    ParseError, Zone,
    days::{CalendarDays, Days},
    pattern::{Pattern, Years},
    times::{MINUTE, Run, SECOND, Times},
};

/// A line, read.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) pattern: Pattern,
    pub(super) zone: Zone,
}

/// systemd's shorthands and what they stand for; case does not matter.
const SHORTHANDS: [(&str, &str); 13] = [
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("semi-annually", "*-01,07-01 00:00:00"),
    ("biannually", "*-01,07-01 00:00:00"),
    ("bi-annually", "*-01,07-01 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
    // systemd's own slip, which it keeps accepting.
    ("anually", "*-01-01 00:00:00"),
];

/// Full names first: `Monday` begins with `Mon`. Sunday = 0.
const WEEKDAYS: [(&str, u32); 14] = [
    ("Monday", 1),
    ("Mon", 1),
    ("Tuesday", 2),
    ("Tue", 2),
    ("Wednesday", 3),
    ("Wed", 3),
    ("Thursday", 4),
    ("Thu", 4),
    ("Friday", 5),
    ("Fri", 5),
    ("Saturday", 6),
    ("Sat", 6),
    ("Sunday", 0),
    ("Sun", 0),
];

/// Year, month and day of a date; `None` is `*`.
#[derive(Default)]
struct DateChains {
    year: Chain,
    month: Chain,
    day: Chain,
    from_end: bool,
}

/// Reads `text[place]`; `zone` is that of lines which name none.
pub(super) fn parse(text: &str, place: Range<usize>, zone: &Zone) -> Result<Line, ParseError> {
    let mut reader = Reader {
        text,
        at: place.start,
        end: place.end,
    };
    let zone = reader.zone_suffix().unwrap_or_else(|| zone.clone());
    let word = reader.rest();
    if word.is_empty() {
        let message = match text.len() {
            0 => "the expression is empty",
            _ => "a line is empty",
        };
        return Err(reader.error(place, message));
    }
    let shorthand = |(name, _): &&(&str, &str)| name.eq_ignore_ascii_case(word);
    if let Some((_, meaning)) = SHORTHANDS.iter().find(shorthand) {
        return parse(meaning, 0..meaning.len(), &zone);
    }
    let weekdays = reader.weekdays()?;
    if reader.take("@") {
        let pattern = reader.unix_time(weekdays)?;
        return Ok(Line {
            pattern,
            zone: Zone::utc(),
        });
    }
    let date = reader.date()?;
    let times = reader.time()?;
    let pattern = reader.pattern(weekdays, &date, times)?;
    Ok(Line { pattern, zone })
}

impl Reader<'_> {
    /// Cuts the zone off the end, if the last word is one.
    fn zone_suffix(&mut self) -> Option<Zone> {
        let space = self.rest().rfind(' ')?;
        let word = &self.rest()[space + 1..];
        let zone = if word.eq_ignore_ascii_case("UTC") {
            Zone::utc()
        } else if word.starts_with(|first: char| first.is_ascii_alphabetic()) {
            Zone::exact(word).ok()?
        } else {
            return None;
        };
        self.end = self.at + space;
        Some(zone)
    }

    /// `Mon..Fri,Sun `: bits, Sunday = 0; all seven where none is named.
    fn weekdays(&mut self) -> Result<u8, ParseError> {
        let mut bits = 0;
        let mut range_from = None;
        while let Some(weekday) = self.weekday(bits == 0)? {
            let (day, place) = weekday;
            // Ranges run from Monday to Sunday.
            let index = (day + 6) % 7;
            match range_from.take() {
                Some(first) if first > index => {
                    let message = "a range of weekdays goes from Monday towards Sunday";
                    return Err(self.error(place, message));
                }
                Some(first) => (first..=index).for_each(|day| bits |= 1 << ((day + 1) % 7)),
                None => bits |= 1 << day,
            }
            let in_range = self.text[..place.start].ends_with(['.', '-']);
            if self.rest().is_empty() {
                return Ok(bits);
            }
            if self.take(" ") {
                self.take_spaces();
                return Ok(bits);
            }
            let joined = self.at;
            if self.take("..") || self.take("-") {
                if in_range && joined > place.start {
                    return Err(self.error(joined..self.at, "a range has two ends"));
                }
                range_from = Some(index);
                if self.rest().is_empty() || self.rest().starts_with(' ') {
                    return Err(self.error(joined..self.at, "the range of weekdays has no end"));
                }
            } else if self.take(",") {
                if self.rest().is_empty() || self.rest().starts_with(' ') {
                    self.take_spaces();
                    return Ok(bits);
                }
            } else {
                return Err(self.error(joined..joined, "a blank is missing after the weekdays"));
            }
        }
        Ok(0x7f)
    }

    /// One weekday and its place; `None` where the line begins without one.
    fn weekday(&mut self, first: bool) -> Result<Option<(u32, Range<usize>)>, ParseError> {
        let from = self.at;
        let rest = self.rest();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let word = &rest[..letters];
        if let Some((_, day)) = WEEKDAYS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
        {
            self.at += letters;
            return Ok(Some((*day, from..self.at)));
        }
        if first && letters == 0 {
            return Ok(None);
        }
        self.skip_word();
        let message = match self.since(from) {
            "" => "a weekday is missing".to_owned(),
            typed => format!("{typed:?} is not a weekday: Mon to Sun, or Monday to Sunday"),
        };
        Err(self.error(from..self.at, message))
    }

    /// `@1900000000`: seconds since 1970, in UTC whatever the zone.
    fn unix_time(&mut self, weekdays: u8) -> Result<Pattern, ParseError> {
        let from = self.at;
        let digits = self.take_digits();
        if digits.is_empty() {
            let message = "@ begins a Unix time in seconds; a number is missing";
            return Err(self.error(from - 1..self.end, message));
        }
        self.finish("the Unix time")?;
        let range = || {
            self.error(
                from..self.at,
                "a Unix time is a number of seconds up to the year 2199",
            )
        };
        let seconds = digits.parse().map_err(|_| range())?;
        let instant = Timestamp::from_second(seconds).map_err(|_| range())?;
        let time = Offset::UTC.to_datetime(instant);
        if !(1970..=2199).contains(&time.year()) {
            return Err(range());
        }
        Ok(Pattern {
            years: Years::Between(time.year(), time.year()),
            months: 1 << time.month(),
            days: Days::Calendar(CalendarDays {
                days: [1 << time.day(); 4],
                weekdays,
            }),
            times: Times {
                hours: 1 << time.hour(),
                minutes: 1 << time.minute(),
                seconds: vec![Run::once(time.second() as u64 * SECOND)],
            },
        })
    }

    /// `year-month-day`, `month-day`, both also with `~` before the day; nothing where a time follows.
    fn date(&mut self) -> Result<DateChains, ParseError> {
        let begin = self.at;
        if self.rest().is_empty() {
            return Ok(DateChains::default());
        }
        let first = self.chain(false)?;
        if self.rest().is_empty() || self.rest().starts_with(':') {
            self.at = begin;
            return Ok(DateChains::default());
        }
        let mut date = DateChains {
            from_end: self.day_separator()?,
            ..DateChains::default()
        };
        let second = self.chain(false)?;
        if self.rest().is_empty() || self.rest().starts_with(' ') {
            (date.month, date.day) = (first, second);
        } else {
            if date.from_end {
                return Err(self.left_over("the date"));
            }
            date.from_end = self.day_separator()?;
            (date.year, date.month) = (first, second);
            date.day = self.chain(false)?;
        }
        if !self.rest().is_empty() && !self.rest().starts_with(' ') {
            return Err(self.left_over("the date"));
        }
        self.take_spaces();
        Ok(date)
    }

    /// `-`, or `~` which counts the day from the end of the month.
    fn day_separator(&mut self) -> Result<bool, ParseError> {
        if self.take("~") {
            Ok(true)
        } else if self.take("-") {
            Ok(false)
        } else {
            Err(self.left_over("the date"))
        }
    }

    /// `hour:minute` or `hour:minute:second`; midnight where there is none.
    fn time(&mut self) -> Result<Times, ParseError> {
        let mut times = Times {
            hours: 1,
            minutes: 1,
            seconds: vec![Run::once(0)],
        };
        if self.rest().is_empty() {
            return Ok(times);
        }
        let hours = self.chain(false)?;
        if !self.take(":") {
            let message = "a time needs minutes: hour:minute, such as 02:00";
            return Err(self.error(self.at..self.end, message));
        }
        let minutes = self.chain(false)?;
        times.hours = self.bits(hours, Part::Hour)? as u32;
        times.minutes = self.bits(minutes, Part::Minute)?;
        if self.take(":") {
            times.seconds = match self.chain(true)? {
                Some(items) => self.runs(&items, Part::Second)?,
                None => vec![Run {
                    start: 0,
                    stop: MINUTE - SECOND,
                    step: SECOND,
                }],
            };
        }
        self.finish("the time")?;
        Ok(times)
    }

    fn pattern(
        &self,
        weekdays: u8,
        date: &DateChains,
        times: Times,
    ) -> Result<Pattern, ParseError> {
        let years = match &date.year {
            None => Years::Between(1970, 2199),
            Some(items) => {
                let runs = self.runs(items, Part::Year)?;
                let named = |year: &i16| runs.iter().any(|run| run.holds(*year as u64));
                Years::These((1970..=2199).filter(named).collect())
            }
        };
        let days = match &date.day {
            None => [u32::MAX; 4],
            Some(items) if date.from_end => {
                let from_end = chain::bits(&self.runs(items, Part::DayFromEnd)?);
                // Day n from the end of a month of 28 days is day 29 - n.
                let in_28 = (from_end as u32).reverse_bits() >> 2;
                [in_28, in_28 << 1, in_28 << 2, in_28 << 3]
            }
            Some(items) => [chain::bits(&self.runs(items, Part::Day)?) as u32; 4],
        };
        let months = match &date.month {
            None => 0x1ffe,
            Some(items) => chain::bits(&self.runs(items, Part::Month)?) as u16,
        };
        Ok(Pattern {
            years,
            months,
            days: Days::Calendar(CalendarDays { days, weekdays }),
            times,
        })
    }

    fn bits(&self, chain: Chain, part: Part) -> Result<u64, ParseError> {
        match chain {
            None => Ok(u64::MAX >> if part == Part::Hour { 40 } else { 4 }),
            Some(items) => Ok(chain::bits(&self.runs(&items, part)?)),
        }
    }
}
