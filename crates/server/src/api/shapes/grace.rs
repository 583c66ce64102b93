//! Which grace fits a heartbeat, in numbers and in words.

use std::time::Duration;

use nightbeat_domain::{Awaited, GraceFit, GraceSuggestion as Found};
use serde::Serialize;
use utoipa::ToSchema;

use super::Heartbeat;
use super::time::fraction;

/// A heartbeat, and what its recent runs say about its grace.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct HeartbeatDetail {
    /// The heartbeat itself.
    #[serde(flatten)]
    heartbeat: Heartbeat,
    /// Which grace fits; `null` until five successes say something about it.
    #[schema(required)]
    grace_suggestion: Option<GraceSuggestion>,
}

/// Which grace fits, by the newest 50 runs.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct GraceSuggestion {
    /// The grace to have, in seconds: the present one where it is comfortable.
    grace: u64,
    /// How long the shortest success took, in seconds; `null` where none sent a start.
    #[schema(required)]
    shortest_run: Option<f64>,
    /// How long the longest success took, in seconds.
    #[schema(required)]
    longest_run: Option<f64>,
    /// How long after it was expected the latest came, in seconds: the success, or its start where all send
    /// one and `max_run_time` is set. `null` where that cannot be told.
    #[schema(required)]
    latest: Option<f64>,
    /// How many successes this is made from.
    runs: usize,
    /// The same in words.
    #[schema(examples("runs take 12–41 min; grace 90 min is comfortable"))]
    text: String,
}

impl HeartbeatDetail {
    /// The grace that fits, in seconds, and why.
    pub(in crate::api) fn suggested_grace(self) -> Option<(u64, String)> {
        let suggestion = self.grace_suggestion?;
        Some((suggestion.grace, suggestion.text))
    }

    /// The heartbeat's slug.
    pub(in crate::api) fn slug(&self) -> &str {
        self.heartbeat.slug()
    }

    /// The heartbeat with what was found.
    pub(in crate::api) fn new(
        heartbeat: Heartbeat,
        present: Duration,
        found: Option<Found>,
    ) -> Self {
        Self {
            heartbeat,
            grace_suggestion: found.map(|found| GraceSuggestion::of(&found, present)),
        }
    }
}

impl GraceSuggestion {
    fn of(found: &Found, present: Duration) -> Self {
        Self {
            grace: found.grace.as_secs(),
            shortest_run: found.took.map(|(shortest, _)| fraction(shortest)),
            longest_run: found.took.map(|(_, longest)| fraction(longest)),
            latest: found.latest.map(fraction),
            runs: found.runs,
            text: text(found, present),
        }
    }
}

/// "runs take 12–41 min; grace 90 min is comfortable"
fn text(found: &Found, present: Duration) -> String {
    let mut parts = vec![seen(found)];
    if let Some(distance) = found.overlap {
        let distance = exact(distance);
        parts.push(format!(
            "runs can take longer than the {distance} between two of them: they overlap"
        ));
    }
    let (grace, present) = (exact(found.grace), exact(present));
    parts.push(match found.fit {
        GraceFit::Comfortable => format!("grace {grace} is comfortable"),
        GraceFit::Short => format!("grace {present} is short, {grace} would be comfortable"),
        GraceFit::ShortOnLongDays => format!(
            "grace {present} is short on the day that has 25 hours, {grace} would be comfortable"
        ),
        GraceFit::Long => {
            format!("grace {present} is long, {grace} would tell of a missing run sooner")
        }
    });
    parts.join("; ")
}

fn seen(found: &Found) -> String {
    let latest = found.latest.unwrap_or_default();
    match (found.awaited, found.took) {
        (Awaited::Start, _) => format!("runs start {}", after_expected(latest)),
        (Awaited::Success, None) => format!("successes come {}", after_expected(latest)),
        (Awaited::Success, Some((shortest, longest))) => {
            let took = range(shortest, longest);
            if latest <= longest + SAME_BELOW {
                return format!("runs take {took}");
            }
            format!("runs take {took} and end {}", after_expected(latest))
        }
    }
}

/// A success that comes no later than this after the time its run took is not worth telling apart.
const SAME_BELOW: Duration = Duration::from_secs(60);

fn after_expected(latest: Duration) -> String {
    if latest < Duration::from_secs(1) {
        return "when they are expected".to_owned();
    }
    let (number, unit) = rough(latest);
    format!("up to {number} {unit} after they are expected")
}

/// "12–41 min", "45 s–12 min", "12 min"
fn range(shortest: Duration, longest: Duration) -> String {
    if longest < Duration::from_secs(1) {
        return "less than a second".to_owned();
    }
    let (to, unit) = rough(longest);
    let (from, unit_from) = rough(shortest);
    if unit_from != unit && from > 0 {
        return format!("{from} {unit_from}–{to} {unit}");
    }
    if from == to {
        return format!("{to} {unit}");
    }
    format!("{from}–{to} {unit}")
}

/// A duration in one unit that has two digits or so, rounded.
fn rough(span: Duration) -> (u64, &'static str) {
    let (unit, name) = match span.as_secs() {
        0..120 => (1_000, "s"),
        120..10_800 => (60_000, "min"),
        10_800..172_800 => (3_600_000, "h"),
        _ => (86_400_000, "d"),
    };
    let millis = span.as_millis() as u64;
    ((millis + unit / 2) / unit, name)
}

/// A duration with all that it has, in few units: "90 min", "2 h", "1 d 3 h".
fn exact(span: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    /// "90 min" reads better than "1 h 30 min".
    const ONE_UNIT_BELOW: u64 = 100;
    let seconds = span.as_secs();
    let whole = UNITS.iter().find(|(unit, _)| {
        let number = seconds / unit;
        seconds.is_multiple_of(*unit) && number > 0 && (number < ONE_UNIT_BELOW || *unit == 86_400)
    });
    if let Some((unit, name)) = whole {
        return format!("{} {name}", seconds / unit);
    }
    let mut left = seconds;
    let mut words = Vec::new();
    for (unit, name) in UNITS {
        if left >= unit {
            words.push(format!("{} {name}", left / unit));
            left %= unit;
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn found() -> Found {
        Found {
            grace: MINUTE * 90,
            fit: GraceFit::Comfortable,
            runs: 30,
            took: Some((
                MINUTE * 12 + Duration::from_secs(9),
                MINUTE * 40 + MINUTE / 2,
            )),
            latest: Some(MINUTE * 41),
            awaited: Awaited::Success,
            overlap: None,
        }
    }

    #[test]
    fn each_finding_has_its_sentence() {
        let say = |found: Found, minutes| text(&found, MINUTE * minutes);
        let comfortable = "runs take 12–41 min; grace 90 min is comfortable";
        assert_eq!(say(found(), 90), comfortable);
        assert_eq!(
            say(
                Found {
                    fit: GraceFit::Short,
                    ..found()
                },
                60
            ),
            "runs take 12–41 min; grace 1 h is short, 90 min would be comfortable"
        );
        assert_eq!(
            say(
                Found {
                    fit: GraceFit::Long,
                    ..found()
                },
                1_440
            ),
            "runs take 12–41 min; grace 1 d is long, 90 min would tell of a missing run sooner"
        );
        let every_day = Found {
            fit: GraceFit::ShortOnLongDays,
            took: None,
            latest: Some(Duration::from_millis(1_200)),
            ..found()
        };
        assert_eq!(
            say(every_day, 60),
            "successes come up to 1 s after they are expected; grace 1 h is short on the day that has 25 \
             hours, 90 min would be comfortable"
        );
        let held_up = Found {
            latest: Some(MINUTE * 70),
            ..found()
        };
        assert_eq!(
            say(held_up, 90),
            "runs take 12–41 min and end up to 70 min after they are expected; grace 90 min is comfortable"
        );
        let overlapping = Found {
            overlap: Some(MINUTE * 30),
            ..found()
        };
        assert_eq!(
            say(overlapping, 90),
            "runs take 12–41 min; runs can take longer than the 30 min between two of them: they overlap; \
             grace 90 min is comfortable"
        );
        let limited = Found {
            awaited: Awaited::Start,
            latest: Some(Duration::ZERO),
            grace: MINUTE * 5,
            ..found()
        };
        assert_eq!(
            say(limited, 5),
            "runs start when they are expected; grace 5 min is comfortable"
        );
    }

    #[test]
    fn a_range_has_one_unit_where_it_can() {
        for (shortest, longest, words) in [
            (0, 0, "less than a second"),
            (3, 3, "3 s"),
            (0, 3, "0–3 s"),
            (45, 75, "45–75 s"),
            (45, 720, "45 s–12 min"),
            (0, 720, "0–12 min"),
            (725, 725, "12 min"),
            (7_300, 10_000, "122–167 min"),
            (11_000, 40_000, "3–11 h"),
            (200_000, 400_000, "2–5 d"),
        ] {
            let seconds = Duration::from_secs;
            assert_eq!(range(seconds(shortest), seconds(longest)), words);
        }
    }

    #[test]
    fn a_grace_is_told_in_full() {
        for (seconds, words) in [
            (45, "45 s"),
            (60, "1 min"),
            (5_400, "90 min"),
            (7_200, "2 h"),
            (86_400, "1 d"),
            (100_000, "1 d 3 h 46 min 40 s"),
            (315_360_000, "3650 d"),
        ] {
            assert_eq!(exact(Duration::from_secs(seconds)), words);
        }
    }
}
