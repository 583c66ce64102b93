//! Durations as people write and read them: `90m`, `1h30m`, `1 d`.

use std::time::Duration;

/// The units, the longest first: seconds, the letter that stands for them, and how they are printed.
const UNITS: [Unit; 5] = [
    Unit::new(7 * 86_400, &["w"], None),
    Unit::new(86_400, &["d"], Some("d")),
    Unit::new(3_600, &["h"], Some("h")),
    Unit::new(60, &["m", "min"], Some("min")),
    Unit::new(1, &["s", "sec"], Some("s")),
];

/// Up to this many of one unit are printed in that unit alone: `90 min`, not `1 h 30 min`.
const ONE_UNIT_MAX: u64 = 100;

struct Unit {
    seconds: u64,
    names: &'static [&'static str],
    /// `None`: understood, but never printed. Two weeks read better as `14 d`.
    printed: Option<&'static str>,
}

impl Unit {
    const fn new(
        seconds: u64,
        names: &'static [&'static str],
        printed: Option<&'static str>,
    ) -> Self {
        Self {
            seconds,
            names,
            printed,
        }
    }
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// There is nothing.
    #[error("a duration is missing; write one as 90m, 1h30m or 1d")]
    Empty,
    /// A number was wanted here.
    #[error("a number is wanted before `{0}`; write durations as 90m, 1h30m or 1d")]
    NumberWanted(String),
    /// A fraction.
    #[error("fractions are not understood; use a smaller unit, as in 1h30m or 90m")]
    Fraction,
    /// No such unit.
    #[error("`{0}` is not a unit; use s, m (minutes), h, d or w (weeks)")]
    UnknownUnit(String),
    /// A last number without a unit after others that had one.
    #[error("the unit after `{0}` is missing; use s, m (minutes), h, d or w (weeks)")]
    UnitMissing(String),
    /// Units do not become shorter from left to right, or one stands twice.
    #[error(
        "`{0}` stands in the wrong place; write units from long to short, each once, as in 1d12h"
    )]
    Order(String),
    /// More seconds than can be counted.
    #[error("that is too long")]
    TooLong,
}

/// Reads a duration: a plain number of seconds, or numbers with units from long to short (`1h30m`).
/// Spaces between the parts do not matter.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    if rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return rest
            .parse()
            .map(Duration::from_secs)
            .map_err(|_| DurationError::TooLong);
    }
    let mut total: u64 = 0;
    let mut shortest = u64::MAX;
    while !rest.is_empty() {
        let (number, unit, after) = split_part(rest)?;
        let part = &rest[..rest.len() - after.len()];
        rest = after;
        if unit.seconds >= shortest {
            return Err(DurationError::Order(part.trim().to_owned()));
        }
        shortest = unit.seconds;
        total = number
            .checked_mul(unit.seconds)
            .and_then(|seconds| total.checked_add(seconds))
            .ok_or(DurationError::TooLong)?;
    }
    Ok(Duration::from_secs(total))
}

/// The first `number unit` of a text, and what follows it.
fn split_part(text: &str) -> Result<(u64, &'static Unit, &str), DurationError> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, after) = text.split_at(digits);
    if number.is_empty() {
        return Err(DurationError::NumberWanted(text.to_owned()));
    }
    let after = after.trim_start();
    if after.starts_with(['.', ',']) {
        return Err(DurationError::Fraction);
    }
    let letters = after
        .find(|c: char| c.is_ascii_digit() || c.is_whitespace())
        .unwrap_or(after.len());
    let (name, after) = after.split_at(letters);
    if name.is_empty() {
        return Err(DurationError::UnitMissing(number.to_owned()));
    }
    let unit = UNITS
        .iter()
        .find(|unit| unit.names.contains(&name))
        .ok_or_else(|| DurationError::UnknownUnit(name.to_owned()))?;
    let number = number.parse().map_err(|_| DurationError::TooLong)?;
    Ok((number, unit, after.trim_start()))
}

/// A duration in words, exact to the second: `1 d`, `90 min`, `1 d 3 h`. [`parse`] reads it back.
pub fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let printed = || {
        UNITS
            .iter()
            .filter_map(|unit| Some((unit.seconds, unit.printed?)))
    };
    let whole = printed().find(|(length, _)| {
        let longest = *length == 86_400;
        seconds.is_multiple_of(*length)
            && seconds >= *length
            && (longest || seconds / length < ONE_UNIT_MAX)
    });
    if let Some((length, name)) = whole {
        return format!("{} {name}", seconds / length);
    }
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, name) in printed() {
        if rest >= length {
            parts.push(format!("{} {name}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() {
        return "0 s".to_owned();
    }
    parts.join(" ")
}

/// A duration for a glance, rounded to one unit: `45 s`, `3 min`, `26 h`, `12 d`.
pub fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (unit, name) = match seconds {
        0..=119 => (1, "s"),
        120..=7_199 => (60, "min"),
        7_200..=172_799 => (3_600, "h"),
        _ => (86_400, "d"),
    };
    format!("{} {name}", (seconds + unit / 2) / unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(text: &str) -> u64 {
        parse(text).unwrap().as_secs()
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(seconds("45s"), 45);
        assert_eq!(seconds("90m"), 5_400);
        assert_eq!(seconds("1h30m"), 5_400);
        assert_eq!(seconds("1d"), 86_400);
        assert_eq!(seconds("2w"), 1_209_600);
        assert_eq!(seconds("1w2d3h4m5s"), 788_645);
        assert_eq!(seconds("3600"), 3_600);
        assert_eq!(seconds("0"), 0);
        assert_eq!(seconds(" 1 h 30 min "), 5_400);
        assert_eq!(seconds("10sec"), 10);
    }

    #[test]
    fn each_error_says_where_it_is() {
        use DurationError as E;
        assert_eq!(parse(""), Err(E::Empty));
        assert_eq!(parse("   "), Err(E::Empty));
        assert_eq!(parse("90x"), Err(E::UnknownUnit("x".into())));
        assert_eq!(parse("1M"), Err(E::UnknownUnit("M".into())));
        assert_eq!(parse("1.5h"), Err(E::Fraction));
        assert_eq!(parse("1,5h"), Err(E::Fraction));
        assert_eq!(parse("-5"), Err(E::NumberWanted("-5".into())));
        assert_eq!(parse("daily"), Err(E::NumberWanted("daily".into())));
        assert_eq!(parse("1h30"), Err(E::UnitMissing("30".into())));
        assert_eq!(parse("30m1h"), Err(E::Order("1h".into())));
        assert_eq!(parse("1h 1h"), Err(E::Order("1h".into())));
        assert_eq!(parse("99999999999999999999"), Err(E::TooLong));
        assert_eq!(parse("9999999999999999999w"), Err(E::TooLong));
        assert_eq!(parse("1ü"), Err(E::UnknownUnit("ü".into())));
    }

    #[test]
    fn durations_are_printed_in_words() {
        let text = |seconds| words(Duration::from_secs(seconds));
        assert_eq!(text(0), "0 s");
        assert_eq!(text(45), "45 s");
        assert_eq!(text(90), "90 s");
        assert_eq!(text(60), "1 min");
        assert_eq!(text(5_400), "90 min");
        assert_eq!(text(3_600), "1 h");
        assert_eq!(text(86_400), "1 d");
        assert_eq!(text(36 * 3_600), "36 h");
        assert_eq!(text(14 * 86_400), "14 d");
        assert_eq!(text(3_650 * 86_400), "3650 d");
        assert_eq!(text(100_000), "1 d 3 h 46 min 40 s");
        assert_eq!(text(100 * 60), "1 h 40 min");
    }

    #[test]
    fn a_rough_duration_has_one_unit() {
        let text = |seconds| rough(Duration::from_secs(seconds));
        assert_eq!(text(0), "0 s");
        assert_eq!(text(119), "119 s");
        assert_eq!(text(120), "2 min");
        assert_eq!(text(149), "2 min");
        assert_eq!(text(150), "3 min");
        assert_eq!(text(7_200), "2 h");
        assert_eq!(text(86_397), "24 h");
        assert_eq!(text(172_800), "2 d");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(seconds in 0_u64..400_000_000) {
            let duration = Duration::from_secs(seconds);
            prop_assert_eq!(parse(&words(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
