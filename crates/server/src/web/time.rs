//! Instants and lengths of time, for people.

use std::time::Duration;

use jiff::tz::TimeZone;
use nightbeat_domain::UnixMicros;

/// An instant for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    /// `3 h ago`, `in 20 min`.
    pub(super) short: String,
    /// RFC 3339: what the script makes the reader's own time of.
    pub(super) exact: String,
    /// `2026-11-22 03:00:00 CET`, in the reader's zone where it is known, else in UTC.
    pub(super) clock: String,
}

/// From when, and in whose zone, instants are told.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    now: UnixMicros,
    zone: TimeZone,
}

impl Reader {
    /// A reader at `now` in the zone of that IANA name; in UTC where there is none.
    pub(super) fn new(now: UnixMicros, zone: Option<&str>) -> Self {
        let known = zone.and_then(|name| TimeZone::get(name).ok());
        Self {
            now,
            zone: known.unwrap_or(TimeZone::UTC),
        }
    }

    /// The instant of the look.
    pub(super) fn now(&self) -> UnixMicros {
        self.now
    }

    /// An instant.
    pub(super) fn when(&self, at: UnixMicros) -> When {
        let short = if at <= self.now {
            format!("{} ago", rough(self.now.since(at)))
        } else {
            format!("in {}", rough(at.since(self.now)))
        };
        When {
            short,
            exact: at.to_string(),
            clock: self.clock(at),
        }
    }

    /// `2026-11-22 03:00:00 CET`.
    pub(super) fn clock(&self, at: UnixMicros) -> String {
        let local = at.timestamp().to_zoned(self.zone.clone());
        local.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }
}

/// A length with one unit, rounded as the command line does: a day that began a moment ago ends `in 24 h`.
pub(super) fn rough(span: Duration) -> String {
    let seconds = span.as_secs();
    let (unit, name) = match seconds {
        0..=119 => (1, "s"),
        120..=7_199 => (60, "min"),
        7_200..=172_799 => (3_600, "h"),
        _ => (86_400, "days"),
    };
    format!("{} {name}", (seconds + unit / 2) / unit)
}

/// A length as a person sets it, in as few units as it takes: `90 min`, `1 day 2 h`.
pub(super) fn span(span: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut left = span.as_secs();
    if left == 0 {
        return "0 s".to_owned();
    }
    // "90 min" reads better than "1 h 30 min".
    if left < 7_200 && left.is_multiple_of(60) && left > 3_600 {
        return format!("{} min", left / 60);
    }
    let mut words = Vec::new();
    for (unit, name) in UNITS {
        let count = left / unit;
        left %= unit;
        if count > 0 {
            let plural = if name == "day" && count > 1 { "s" } else { "" };
            words.push(format!("{count} {name}{plural}"));
        }
    }
    words.join(" ")
}

/// How long something took: `0.4 s`, `41 s`, `12 min 5 s`.
pub(super) fn took(span: Duration) -> String {
    if span < Duration::from_secs(10) {
        return format!("{:.1} s", span.as_secs_f64());
    }
    if span < Duration::from_secs(86_400) {
        return self::span(Duration::from_secs(span.as_secs()));
    }
    rough(span)
}

/// A number of bytes: `1.2 GB`. As the tools print it, a kB is 1,000 bytes.
pub(super) fn bytes(count: f64) -> String {
    let mut left = count;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if left < 1_000.0 {
            let digits = usize::from(unit != "B" && left < 100.0);
            return format!("{left:.digits$} {unit}");
        }
        left /= 1_000.0;
    }
    format!("{left:.1} PB")
}

/// A number with its thousands apart: `1 234 567`, with thin spaces that do not break.
pub(super) fn count(number: f64) -> String {
    let whole = format!("{:.0}", number.trunc());
    let fraction = number.fract();
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left.is_multiple_of(3) && digit.is_ascii_digit() && !text.ends_with('-') {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if fraction.abs() > 1e-9 {
        text = format!("{number:.2}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMicros = UnixMicros::from_seconds(1_795_312_800);

    #[test]
    fn instants_are_told_from_now() {
        let reader = Reader::new(NOW, None);
        for (seconds, short) in [
            (0, "0 s ago"),
            (-119, "119 s ago"),
            (-120, "2 min ago"),
            (-3_600, "60 min ago"),
            (-7_199, "120 min ago"),
            (-7_200, "2 h ago"),
            (-172_800, "2 days ago"),
            (30, "in 30 s"),
            (86_399, "in 24 h"),
            (86_400, "in 24 h"),
        ] {
            let at = UnixMicros::from_seconds(1_795_312_800 + seconds);
            assert_eq!(reader.when(at).short, short);
        }
        assert_eq!(reader.when(NOW).exact, "2026-11-22T02:00:00Z");
        let later = UnixMicros(1_795_312_800_500_000);
        assert_eq!(reader.clock(later), "2026-11-22 02:00:00 UTC");
        let there = Reader::new(NOW, Some("Europe/Madrid"));
        assert_eq!(there.clock(later), "2026-11-22 03:00:00 CET");
        let nowhere = Reader::new(NOW, Some("Europe/Nowhere"));
        assert_eq!(nowhere.clock(later), "2026-11-22 02:00:00 UTC");
    }

    #[test]
    fn lengths_and_amounts_are_short() {
        for (seconds, words) in [
            (0, "0 s"),
            (45, "45 s"),
            (3_600, "1 h"),
            (5_400, "90 min"),
            (93_600, "1 day 2 h"),
            (172_800, "2 days"),
            (7_260, "2 h 1 min"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), words);
        }
        assert_eq!(took(Duration::from_millis(420)), "0.4 s");
        assert_eq!(took(Duration::from_millis(725_900)), "12 min 5 s");
        for (number, words) in [
            (0.0, "0 B"),
            (999.0, "999 B"),
            (1_234.0, "1.2 kB"),
            (5e9, "5.0 GB"),
            (123e6, "123 MB"),
        ] {
            assert_eq!(bytes(number), words);
        }
        assert_eq!(count(1_234_567.0), "1\u{202f}234\u{202f}567");
        assert_eq!(count(12.5), "12.50");
        assert_eq!(count(999.0), "999");
    }
}
