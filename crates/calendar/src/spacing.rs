//! How far apart the instants of a schedule are.

use std::time::Duration;

use jiff::Timestamp;

use crate::{Schedule, pattern::Pattern};

/// Distances between one instant and the next: what a grace time or a warning of overlapping runs
/// starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spacing {
    /// The mean distance. For wall-clock schedules it comes from the number of days and times of day
    /// that the expression names in the four years from the start on; instants that two lines of a
    /// calendar event share are counted twice.
    pub mean: Duration,
    /// The smallest distance among the next 1,000 instants, clock changes included.
    pub smallest: Duration,
    /// The largest distance among them.
    pub largest: Duration,
}

/// Instants that are looked at.
const INSTANTS_MAX: usize = 1000;
/// Years over which days are counted: one leap year among them, but for 1900 and its like.
const YEARS: i16 = 4;

impl Spacing {
    pub(crate) fn of(schedule: &Schedule, from: Timestamp) -> Option<Self> {
        if let Some(interval) = schedule.interval() {
            return Some(Self {
                mean: interval.duration(),
                smallest: interval.duration(),
                largest: interval.duration(),
            });
        }
        let instants: Vec<Timestamp> = schedule
            .instants_after(from)
            .take(INSTANTS_MAX + 1)
            .collect();
        let distance = |pair: &[Timestamp]| pair[1].duration_since(pair[0]).unsigned_abs();
        let distances = || instants.windows(2).map(distance);
        let (smallest, largest) = (distances().min()?, distances().max()?);
        let (first, last) = (instants.first()?, instants.last()?);
        let counted = last.duration_since(*first).unsigned_abs() / instants.windows(2).len() as u32;
        // Rare schedules are walked through far enough; frequent ones may look denser than they are
        // within one of their days.
        let mean = if instants.len() > INSTANTS_MAX {
            mean_by_counting(
                &schedule.patterns(),
                first.to_zoned(jiff::tz::TimeZone::UTC).year(),
            )
        } else {
            Some(counted)
        };
        Some(Self {
            mean: mean.unwrap_or(counted).clamp(smallest, largest),
            smallest,
            largest,
        })
    }
}

fn mean_by_counting(patterns: &[&Pattern], year: i16) -> Option<Duration> {
    const DAYS: u64 = 1461;
    let last = year.checked_add(YEARS)?;
    let in_year = |year: i16| {
        patterns
            .iter()
            .map(move |it| it.count_in_year(year))
            .sum::<u64>()
    };
    let count: u64 = (year..last).map(in_year).sum();
    let micros = DAYS * crate::times::DAY / count.max(1);
    (count > 0).then(|| Duration::from_micros(micros))
}
