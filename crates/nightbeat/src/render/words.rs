//! Times, durations and schedules in words.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nightbeat_agent::duration;
use serde_json::Value;

/// What stands where there is nothing to show.
pub(crate) const NOTHING: &str = "-";

/// Seconds in words: `90 min`.
pub(crate) fn span(seconds: u64) -> String {
    duration::words(Duration::from_secs(seconds))
}

/// A run's length: short ones to the tenth of a second.
pub(crate) fn run_time(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    span(seconds.round() as u64)
}

/// How long before `now` something was: `3 min ago`.
pub(crate) fn ago(now: Timestamp, at: Timestamp) -> String {
    match between(at, now).as_secs() {
        0 => "just now".to_owned(),
        _ => format!("{} ago", duration::rough(between(at, now))),
    }
}

/// Where `at` lies, seen from `now`: `in 5 h` or `3 min ago`.
pub(crate) fn towards(now: Timestamp, at: Timestamp) -> String {
    if at > now {
        return format!("in {}", duration::rough(between(now, at)));
    }
    ago(now, at)
}

/// The length from `from` to `to`; zero where that is the wrong way round.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// An instant as the person's own clock shows it: `2026-11-22 03:00:00 CET`.
pub(crate) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S %Z")
        .to_string()
}

/// A schedule in words: `every 1 d`, `cron 0 3 * * * (Europe/Berlin)`.
pub(crate) fn schedule(schedule: &Value) -> String {
    if let Some(seconds) = schedule["every"].as_u64() {
        return format!("every {}", span(seconds));
    }
    let zone = match schedule["timezone"].as_str() {
        Some(zone) => format!(" ({zone})"),
        None => String::new(),
    };
    if let Some(cron) = schedule["cron"].as_str() {
        return format!("cron {cron}{zone}");
    }
    match &schedule["calendar"] {
        Value::String(calendar) => {
            let lines: Vec<&str> = calendar.lines().collect();
            format!("calendar {}{zone}", lines.join("; "))
        }
        Value::Array(several) => {
            let several: Vec<&str> = several.iter().filter_map(Value::as_str).collect();
            format!("calendar {}{zone}", several.join("; "))
        }
        // A kind of schedule from a newer server: its own form says most.
        _ => schedule.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn instants_are_seen_from_now() {
        let now = at("2026-11-22T12:00:00Z");
        assert_eq!(ago(now, now), "just now");
        assert_eq!(ago(now, at("2026-11-22T11:57:00Z")), "3 min ago");
        assert_eq!(towards(now, at("2026-11-22T17:00:30Z")), "in 5 h");
        assert_eq!(towards(now, at("2026-11-19T12:00:00Z")), "3 d ago");
        assert_eq!(ago(now, at("2026-11-22T12:00:05Z")), "just now");
    }

    #[test]
    fn a_moment_is_shown_in_the_persons_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = at("2026-11-22T02:00:00.5Z");
        assert_eq!(moment(at, &zone), "2026-11-22 03:00:00 CET");
    }

    #[test]
    fn every_kind_of_schedule_has_words() {
        assert_eq!(schedule(&json!({"every": 5400})), "every 90 min");
        assert_eq!(
            schedule(&json!({"cron": "0 3 * * *", "timezone": "UTC"})),
            "cron 0 3 * * * (UTC)"
        );
        assert_eq!(
            schedule(&json!({"calendar": ["daily", "Mon 12:00"], "timezone": "UTC"})),
            "calendar daily; Mon 12:00 (UTC)"
        );
        assert_eq!(
            schedule(&json!({"calendar": "daily\nMon 12:00 UTC", "timezone": "Europe/Madrid"})),
            "calendar daily; Mon 12:00 UTC (Europe/Madrid)"
        );
        assert_eq!(schedule(&json!({"moon": "full"})), r#"{"moon":"full"}"#);
    }
}
