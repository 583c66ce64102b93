//! How far apart the instants of a schedule are.

use std::time::Duration;

use jiff::{Timestamp, civil::Date, tz::Offset};

use crate::{Schedule, times, walk::Line};

/// Distances between one instant and the next: what a grace time or a warning of overlapping runs
/// starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spacing {
    /// The mean distance. Of a frequent wall-clock schedule it comes from the number of days and times
    /// of day that the expression names in the next four years, so that working hours do not hide the
    /// nights; instants that two lines of a calendar event share are then counted twice.
    pub mean: Duration,
    /// The smallest distance among the next 1,000 instants, clock changes included.
    pub smallest: Duration,
}

/// Instants that are looked at.
const INSTANTS_MAX: usize = 1000;
/// Years over which days are counted.
const YEARS: i16 = 4;

impl Spacing {
    pub(crate) fn of(schedule: &Schedule, from: Timestamp) -> Option<Self> {
        if let Some(interval) = schedule.interval() {
            let distance = interval.duration();
            return Some(Self {
                mean: distance,
                smallest: distance,
            });
        }
        let instants = schedule.instants_after(from).take(INSTANTS_MAX + 1);
        let instants: Vec<Timestamp> = instants.collect();
        let (first, last) = (*instants.first()?, *instants.last()?);
        let distances = instants
            .windows(2)
            .map(|pair| pair[1].duration_since(pair[0]).unsigned_abs());
        let smallest = distances.min()?;
        let walked = last.duration_since(first).unsigned_abs() / (instants.len() as u32 - 1);
        let mean = if instants.len() > INSTANTS_MAX {
            let year = Offset::UTC.to_datetime(first).year();
            mean_by_counting(&schedule.lines(), year).unwrap_or(walked)
        } else {
            walked
        };
        Some(Self {
            mean: mean.max(smallest),
            smallest,
        })
    }
}

/// The days of the years that have any instants, divided by these.
fn mean_by_counting(lines: &[Line<'_>], year: i16) -> Option<Duration> {
    let in_year = |year: i16| -> u64 {
        let counts = lines.iter().map(|line| line.pattern.count_in_year(year));
        counts.sum()
    };
    let (mut days, mut count) = (0, 0);
    for year in year..year.checked_add(YEARS)? {
        let found = in_year(year);
        if found > 0 {
            days += Date::new(year, 1, 1).ok()?.days_in_year() as u64;
            count += found;
        }
    }
    let micros = (days * times::DAY).checked_div(count)?;
    Some(Duration::from_micros(micros))
}
