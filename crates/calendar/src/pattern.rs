//! The wall-clock times that an expression names, before any time zone.

use jiff::civil::{Date, DateTime};

use crate::{
    days::Days,
    times::{self, SECOND, Times},
};

/// A set of wall-clock times: years × months × days × times of day.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) years: Years,
    /// Bit m: month m, 1 to 12.
    pub(crate) months: u16,
    pub(crate) days: Days,
    pub(crate) times: Times,
}

/// The years of a pattern.
#[derive(Debug, Clone)]
pub(crate) enum Years {
    /// All from the first to the second.
    Between(i16, i16),
    /// Some, ascending.
    These(Vec<i16>),
}

/// A wall-clock time to the microsecond, the finest step an expression can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wall {
    date: Date,
    /// Since midnight; a whole day or more means "after this day".
    micros: u64,
}

impl Wall {
    /// The earliest microsecond strictly after `time`.
    pub(crate) fn after(time: DateTime) -> Self {
        let mut wall = Self::floor(time);
        wall.micros += 1;
        wall
    }

    /// The latest microsecond strictly before `time`; `None` before the first day jiff knows.
    pub(crate) fn before(time: DateTime) -> Option<Self> {
        let floor = Self::floor(time);
        if time.subsec_nanosecond() % 1000 != 0 {
            return Some(floor);
        }
        match floor.micros.checked_sub(1) {
            Some(micros) => Some(Self { micros, ..floor }),
            None => Some(Self {
                date: floor.date.yesterday().ok()?,
                micros: times::DAY - 1,
            }),
        }
    }

    /// `time`, rounded down to the microsecond.
    pub(crate) fn floor(time: DateTime) -> Self {
        let seconds = i64::from(time.hour()) * 3600
            + i64::from(time.minute()) * 60
            + i64::from(time.second());
        Self {
            date: time.date(),
            micros: seconds as u64 * SECOND + time.subsec_nanosecond() as u64 / 1000,
        }
    }

    /// The same as jiff's type. Only for a time that exists on the day.
    pub(crate) fn datetime(self) -> DateTime {
        let seconds = (self.micros / SECOND) as i32;
        let nanos = (self.micros % SECOND) as i32 * 1000;
        self.date.at(
            (seconds / 3600) as i8,
            (seconds / 60 % 60) as i8,
            (seconds % 60) as i8,
            nanos,
        )
    }
}

impl Pattern {
    /// The first wall time of the pattern at or after `least`.
    pub(crate) fn at_or_after(&self, least: Wall) -> Option<Wall> {
        let date = self.day_at_or_after(least.date)?;
        if date == least.date {
            if let Some(micros) = self.times.at_or_after(least.micros) {
                return Some(Wall { date, micros });
            }
        } else {
            let micros = self.times.at_or_after(0)?;
            return Some(Wall { date, micros });
        }
        let date = self.day_at_or_after(date.tomorrow().ok()?)?;
        let micros = self.times.at_or_after(0)?;
        Some(Wall { date, micros })
    }

    /// The last wall time of the pattern at or before `most`.
    pub(crate) fn at_or_before(&self, most: Wall) -> Option<Wall> {
        let date = self.day_at_or_before(most.date)?;
        if date == most.date {
            if let Some(micros) = self.times.at_or_before(most.micros) {
                return Some(Wall { date, micros });
            }
        } else {
            let micros = self.times.at_or_before(times::DAY - 1)?;
            return Some(Wall { date, micros });
        }
        let date = self.day_at_or_before(date.yesterday().ok()?)?;
        let micros = self.times.at_or_before(times::DAY - 1)?;
        Some(Wall { date, micros })
    }

    /// Whether any day of the pattern exists in some year. Twelve months, two lengths of February and seven weekdays
    /// to begin with are all the months there can be, and the Gregorian calendar has each of them.
    pub(crate) fn has_days(&self) -> bool {
        (1..=12)
            .filter(|month| self.months >> month & 1 == 1)
            .flat_map(|month| [(month, false), (month, true)])
            .any(|(month, leap)| {
                (0..7).any(|first| self.days.in_month(month_length(month, leap), first) != 0)
            })
    }

    /// How many times the year holds.
    pub(crate) fn count_in_year(&self, year: i16) -> u64 {
        if self.years.at_or_after(year) != Some(year) {
            return 0;
        }
        let months = (1..=12).filter(|month| self.months >> month & 1 == 1);
        let days: u64 = months
            .map(|month| u64::from(self.in_month(year, month).count_ones()))
            .sum();
        days * self.times.count()
    }

    fn day_at_or_after(&self, date: Date) -> Option<Date> {
        let mut year = self.years.at_or_after(date.year())?;
        let (mut month, mut day) = (1, 1);
        if year == date.year() {
            (month, day) = (date.month(), date.day());
        }
        loop {
            if let Some(found) = times::lowest(u64::from(self.months) & (u64::MAX << month)) {
                if found as i8 != month {
                    (month, day) = (found as i8, 1);
                }
                let days = u64::from(self.in_month(year, month)) & (u64::MAX << day);
                if let Some(day) = times::lowest(days) {
                    return Date::new(year, month, day as i8).ok();
                }
                (month, day) = (month + 1, 1);
            } else {
                year = self.years.at_or_after(year + 1)?;
                (month, day) = (1, 1);
            }
        }
    }

    fn day_at_or_before(&self, date: Date) -> Option<Date> {
        let mut year = self.years.at_or_before(date.year())?;
        let (mut month, mut day) = (12, 31);
        if year == date.year() {
            (month, day) = (date.month(), date.day());
        }
        loop {
            if let Some(found) = times::highest(u64::from(self.months) & up_to(month)) {
                if found as i8 != month {
                    (month, day) = (found as i8, 31);
                }
                let days = u64::from(self.in_month(year, month)) & up_to(day);
                if let Some(day) = times::highest(days) {
                    return Date::new(year, month, day as i8).ok();
                }
                (month, day) = (month - 1, 31);
            } else {
                year = self.years.at_or_before(year - 1)?;
                (month, day) = (12, 31);
            }
        }
    }

    fn in_month(&self, year: i16, month: i8) -> u32 {
        // Every year and month here is one of jiff's.
        let first = Date::constant(year, month, 1);
        let weekday = first.weekday().to_sunday_zero_offset();
        self.days
            .in_month(month_length(month, first.in_leap_year()), weekday as u32)
    }
}

impl Years {
    fn at_or_after(&self, year: i16) -> Option<i16> {
        match self {
            Self::Between(first, last) => (year <= *last).then_some(year.max(*first)),
            Self::These(years) => years.iter().copied().find(|&one| one >= year),
        }
    }

    fn at_or_before(&self, year: i16) -> Option<i16> {
        match self {
            Self::Between(first, last) => (year >= *first).then_some(year.min(*last)),
            Self::These(years) => years.iter().rev().copied().find(|&one| one <= year),
        }
    }
}

/// How many days a month has.
pub(crate) fn month_length(month: i8, leap: bool) -> u32 {
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Bits 0 to `index`.
fn up_to(index: i8) -> u64 {
    (2 << index) - 1
}
