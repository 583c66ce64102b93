//! How the values of flags are read.

use std::time::Duration;

use jiff::Timestamp;
use nightbeat_agent::duration::{self, DurationError};

#[cfg(feature = "full")]
pub(super) use full::{OptionalSpan, instant, optional_span, zone_name};

/// A duration: `90m`, `1h30m`, `1d`, plain seconds.
pub(super) fn span(text: &str) -> Result<Duration, DurationError> {
    duration::parse(text)
}

/// Several waits, with commas between them.
pub(super) fn spans(text: &str) -> Result<Waits, DurationError> {
    let parts = text.split(',').map(duration::parse);
    parts.collect::<Result<_, _>>().map(Waits)
}

/// The waits between tries. A type of its own, because clap would take a bare list apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waits(pub(super) Vec<Duration>);

/// An instant as RFC 3339 alone: what means the same on every machine.
pub(super) fn rfc3339(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "not a time with its offset, such as 2026-11-22T03:00:00Z".to_owned())
}

/// `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}

/// `NAME=NUMBER`.
pub(super) fn metric(text: &str) -> Result<(String, f64), String> {
    let (name, value) = pair(text)?;
    match value.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((name, number)),
        _ => Err(format!("`{value}` is not a number")),
    }
}

/// Those that only administrators' commands have.
#[cfg(feature = "full")]
mod full {
    use std::time::Duration;

    use jiff::Timestamp;
    use jiff::civil::DateTime;
    use jiff::tz::TimeZone;
    use nightbeat_agent::duration::{self, DurationError};
    use nightbeat_calendar::Zone;

    use crate::exit::Failure;

    /// A duration, or `none`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(in crate::commands) struct OptionalSpan(pub(in crate::commands) Option<Duration>);

    impl OptionalSpan {
        /// Whole seconds, or nothing.
        pub(in crate::commands) fn seconds(self) -> Option<u64> {
            self.0.map(|span| span.as_secs())
        }
    }

    /// Reads an [`OptionalSpan`].
    pub(in crate::commands) fn optional_span(text: &str) -> Result<OptionalSpan, DurationError> {
        match text {
            "none" => Ok(OptionalSpan(None)),
            span => duration::parse(span).map(|span| OptionalSpan(Some(span))),
        }
    }

    /// An instant: RFC 3339, or a date and time on the clock of `zone`.
    pub(in crate::commands) fn instant(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(instant);
        }
        let local = text.parse::<DateTime>().map_err(|_| {
            format!("`{text}` is not a time; write 2026-11-22T03:00:00Z or '2026-11-22 03:00'")
        })?;
        local
            .to_zoned(zone.clone())
            .map(|zoned| zoned.timestamp())
            .map_err(|error| format!("`{text}` is not a time here: {error}"))
    }

    /// The time zone of a schedule: the one that was typed, else this machine's.
    pub(in crate::commands) fn zone_name<'a>(
        typed: Option<&'a str>,
        local: &'a TimeZone,
    ) -> Result<&'a str, Failure> {
        // `TZ=localtime` names a file that is no zone.
        let known = |name: &&str| Zone::named(name).is_ok();
        let local = || local.iana_name().filter(known);
        typed.or_else(local).ok_or_else(|| {
            Failure::usage("the name of this machine's time zone is not known")
                .hint("say it with --tz, for example --tz Europe/Berlin")
        })
    }
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn instants_are_read_with_and_without_a_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text| instant(text, &berlin).unwrap().to_string();
        assert_eq!(at("2026-11-22T03:00:00Z"), "2026-11-22T03:00:00Z");
        assert_eq!(at("2026-11-22T03:00:00+01:00"), "2026-11-22T02:00:00Z");
        assert_eq!(at("2026-11-22 03:00"), "2026-11-22T02:00:00Z");
        assert_eq!(at("2026-11-22"), "2026-11-21T23:00:00Z");
        assert!(rfc3339("2026-11-22T03:00:00+01:00").is_ok());
        assert!(rfc3339("2026-11-22 03:00").is_err());
        assert!(
            instant("tomorrow", &berlin)
                .unwrap_err()
                .contains("tomorrow")
        );
    }

    #[test]
    fn pairs_and_metrics_are_read() {
        assert_eq!(
            pair("url=http://h/?a=b"),
            Ok(("url".into(), "http://h/?a=b".into()))
        );
        assert!(pair("url").is_err());
        assert!(pair("=x").is_err());
        assert_eq!(metric("rows=12"), Ok(("rows".into(), 12.0)));
        assert!(metric("rows=many").is_err());
        assert!(metric("rows=NaN").is_err());
    }

    #[test]
    fn none_is_a_duration_that_is_not_there() {
        assert_eq!(optional_span("none"), Ok(OptionalSpan(None)));
        assert_eq!(
            optional_span("2m").map(OptionalSpan::seconds),
            Ok(Some(120))
        );
        assert!(optional_span("nothing").is_err());
        assert_eq!(spans("0s,1s").map(|waits| waits.0.len()), Ok(2));
    }
}
