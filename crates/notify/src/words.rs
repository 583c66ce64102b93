//! Durations, instants and schedules in words.

use std::time::Duration;

use jiff::tz::TimeZone;
use nightbeat_domain::{Interval, Schedule, UnixMicros};

use crate::clean::clean_line;

/// How instants are told: in which zone, and how exactly.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    zone: TimeZone,
    with_seconds: bool,
}

/// Schedules shorter than this are told to the second.
const SECONDS_MATTER_BELOW: Duration = Duration::from_secs(3_600);

impl Clock {
    /// What fits a schedule: the zone of the wall clock that it follows, else UTC; seconds where runs
    /// are close together.
    pub(crate) fn of(schedule: &Schedule) -> Self {
        let interval = schedule.interval().map(Interval::duration);
        Self {
            zone: schedule
                .zone()
                .map_or(TimeZone::UTC, |zone| zone.rules().clone()),
            with_seconds: interval.is_some_and(|interval| interval < SECONDS_MATTER_BELOW),
        }
    }

    /// UTC, for what concerns no single heartbeat.
    pub(crate) fn utc() -> Self {
        Self {
            zone: TimeZone::UTC,
            with_seconds: false,
        }
    }

    /// A person's zone.
    pub(crate) fn in_zone(zone: TimeZone) -> Self {
        Self {
            zone,
            with_seconds: false,
        }
    }

    /// The same zone, with or without seconds.
    pub(crate) fn with_seconds(&self, with_seconds: bool) -> Self {
        Self {
            zone: self.zone.clone(),
            with_seconds,
        }
    }

    /// `2026-11-21 02:04 UTC`, `2026-11-21 03:04 CET`.
    pub(crate) fn instant(&self, at: UnixMicros) -> String {
        let (date, time, zone) = self.parts(at);
        format!("{date} {time} {zone}")
    }

    /// `2026-11-21 14:00:00–14:00:10 UTC`; with both dates or zones where they differ.
    pub(crate) fn stretch(&self, from: UnixMicros, to: UnixMicros) -> String {
        let (first, last) = (self.parts(from), self.parts(to));
        if first.0 == last.0 && first.2 == last.2 {
            format!("{} {}–{} {}", first.0, first.1, last.1, last.2)
        } else {
            format!("{} – {}", self.instant(from), self.instant(to))
        }
    }

    /// Date, time and the zone's name at that instant.
    fn parts(&self, at: UnixMicros) -> (String, String, String) {
        let local = at.timestamp().to_zoned(self.zone.clone());
        let time = if self.with_seconds {
            "%H:%M:%S"
        } else {
            "%H:%M"
        };
        let show = |format: &str| local.strftime(format).to_string();
        (show("%Y-%m-%d"), show(time), show("%Z"))
    }
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

/// `every day`, `every 90 s`, `cron 30 3 * * *`; nothing for a kind of schedule that is new here.
pub(crate) fn schedule(schedule: &Schedule) -> Option<String> {
    match schedule {
        Schedule::Every(interval) => Some(every(interval.seconds())),
        Schedule::Cron(cron) => Some(format!("cron {}", clean_line(cron.expression(), None))),
        Schedule::OnCalendar(events) => {
            let events: Vec<&str> = events.expression().lines().collect();
            Some(format!(
                "OnCalendar {}",
                clean_line(&events.join("; "), None)
            ))
        }
        _ => None,
    }
}

fn every(seconds: u64) -> String {
    match seconds {
        60 => "every minute".to_owned(),
        3_600 => "every hour".to_owned(),
        86_400 => "every day".to_owned(),
        604_800 => "every week".to_owned(),
        _ => format!("every {}", exact(seconds)),
    }
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
            let interval = Schedule::every_seconds(seconds).unwrap();
            assert_eq!(schedule(&interval).unwrap(), words);
        }
    }
}
