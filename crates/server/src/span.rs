//! Lengths of time as people write them: `90s`, `30m`, `1h30m`, `1d`, or plain seconds.

use std::time::Duration;

const UNITS: [(char, u64); 5] = [
    ('w', 7 * 86_400),
    ('d', 86_400),
    ('h', 3_600),
    ('m', 60),
    ('s', 1),
];

/// The length that `text` says; `None` where it is not one or does not fit 64 bits of seconds.
pub fn parse(text: &str) -> Option<Duration> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(seconds) = plain.then(|| text.parse().ok()).flatten() {
        return Some(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*seconds)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(Duration::from_secs(total))
}

/// The shortest way to write `span` that [`parse`] reads: `1h30m`.
pub fn format(span: Duration) -> String {
    let mut left = span.as_secs();
    let mut text = String::new();
    for (unit, seconds) in UNITS {
        let count = left / seconds;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push(unit);
            left %= seconds;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("0", 0),
            ("90", 90),
            ("90s", 90),
            ("30m", 1_800),
            ("1h30m", 5_400),
            ("1d", 86_400),
            ("2w1d", 1_296_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_length_is_refused() {
        for text in [
            "",
            "d",
            "1x",
            "1.5h",
            "+1",
            "-1",
            "1 h",
            "h1",
            "1hm",
            "99999999999999999999",
            "1é",
            "18446744073709551615w",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in [0, 1, 59, 60, 3_661, 86_400, 90_061, 700_000] {
            let span = Duration::from_secs(seconds);
            assert_eq!(parse(&format(span)), Some(span), "{}", format(span));
        }
        assert_eq!(format(Duration::from_secs(5_400)), "1h30m");
    }
}
