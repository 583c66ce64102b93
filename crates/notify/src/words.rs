//! Durations, instants and schedules in words.

use std::time::Duration;

use nightbeat_domain::{Schedule, UnixMicros};

/// How exactly instants are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// `02:04`.
    Minutes,
    /// `02:04:37`.
    Seconds,
}

/// Schedules shorter than this are told to the second.
const SECONDS_MATTER_BELOW: Duration = Duration::from_secs(3_600);

impl Precision {
    /// What fits the distance between two runs.
    pub(crate) fn of(schedule: &Schedule) -> Self {
        match schedule.interval() {
            Some(interval) if interval.duration() < SECONDS_MATTER_BELOW => Self::Seconds,
            _ => Self::Minutes,
        }
    }

    fn time(self) -> &'static str {
        match self {
            Self::Minutes => "%H:%M",
            Self::Seconds => "%H:%M:%S",
        }
    }
}

/// `2026-11-21 02:04 UTC`.
pub(crate) fn instant(at: UnixMicros, precision: Precision) -> String {
    format!("{} {} UTC", date(at), time(at, precision))
}

/// `2026-11-21 14:00:00–14:00:10 UTC`, or with both dates where they differ.
pub(crate) fn stretch(from: UnixMicros, to: UnixMicros, precision: Precision) -> String {
    let (first, last) = (time(from, precision), time(to, precision));
    if date(from) == date(to) {
        format!("{} {first}–{last} UTC", date(from))
    } else {
        format!("{} {first} – {} {last} UTC", date(from), date(to))
    }
}

fn date(at: UnixMicros) -> String {
    at.timestamp().strftime("%Y-%m-%d").to_string()
}

fn time(at: UnixMicros, precision: Precision) -> String {
    at.timestamp().strftime(precision.time()).to_string()
}

/// A duration in its two largest units: `2 h 14 min`, `45 s`. The rest is left out.
pub(crate) fn duration(span: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut left = span.as_secs();
    let Some(largest) = UNITS.iter().position(|(seconds, _)| left >= *seconds) else {
        return "less than a second".to_owned();
    };
    let mut words = Vec::new();
    for (seconds, unit) in &UNITS[largest..UNITS.len().min(largest + 2)] {
        if left >= *seconds {
            words.push(format!("{} {unit}", left / seconds));
        }
        left %= seconds;
    }
    words.join(" ")
}

/// `every day`, `every 90 s`; nothing for a schedule that has no fixed distance.
pub(crate) fn every(schedule: &Schedule) -> Option<String> {
    let seconds = schedule.interval()?.seconds();
    Some(match seconds {
        60 => "every minute".to_owned(),
        3_600 => "every hour".to_owned(),
        86_400 => "every day".to_owned(),
        604_800 => "every week".to_owned(),
        _ => format!("every {}", exact(seconds)),
    })
}

/// A duration with all that it has: an interval is what a person typed, so nothing is left out.
fn exact(mut seconds: u64) -> String {
    let mut words = Vec::new();
    for (unit_seconds, unit) in [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")] {
        if seconds >= unit_seconds {
            words.push(format!("{} {unit}", seconds / unit_seconds));
        }
        seconds %= unit_seconds;
    }
    words.join(" ")
}

/// `1 job`, `3 jobs`.
pub(crate) fn count(number: usize, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {one}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (seconds, words) in [
            (0, "less than a second"),
            (45, "45 s"),
            (90, "1 min 30 s"),
            (120, "2 min"),
            (8_040, "2 h 14 min"),
            (7_205, "2 h"),
            (93_784, "1 d 2 h"),
            (86_400, "1 d"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn an_interval_is_told_in_full() {
        for (seconds, words) in [
            (1, "every 1 s"),
            (60, "every minute"),
            (5_400, "every 1 h 30 min"),
            (86_400, "every day"),
            (90_061, "every 1 d 1 h 1 min 1 s"),
            (604_800, "every week"),
        ] {
            let schedule = Schedule::every_seconds(seconds).unwrap();
            assert_eq!(every(&schedule).unwrap(), words);
        }
    }
}
