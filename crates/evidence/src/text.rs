//! Numbers, sizes, durations and times as tools print them, in any locale.

use std::borrow::Cow;

use crate::found::LINE_SHOWN_CHARS_MAX;

/// A line without colours and other control characters, and without the white space at its end.
pub(crate) fn clean(line: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(line);
    if text.bytes().all(|byte| byte >= b' ' || byte == b'\t') {
        return match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
            Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
        };
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' && chars.peek() == Some(&'[') {
            chars.next();
            // `ESC [ 31 m`: parameters, then one letter.
            while chars.next_if(|next| !next.is_ascii_alphabetic()).is_some() {}
            chars.next();
        } else if char == '\t' || !char.is_control() {
            plain.push(char);
        }
    }
    Cow::Owned(plain.trim_end().to_owned())
}

/// The line as it is kept to be shown. A text from JSON may hold ends of lines and worse.
pub(crate) fn shown(line: &str) -> String {
    cut(line.trim(), LINE_SHOWN_CHARS_MAX)
}

/// The text, or its beginning and an ellipsis; on one line.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    let plain = |char: char| if char.is_control() { ' ' } else { char };
    let mut kept: String = text.chars().take(chars_max).map(plain).collect();
    if text.chars().nth(chars_max).is_some() {
        kept.pop();
        kept.truncate(kept.trim_end().len());
        kept.push('…');
    }
    kept
}

/// The line of a JSON document that holds a key. Of a very long line only what begins there.
pub(crate) fn excerpt<'a>(document: &'a str, key: &str) -> Cow<'a, str> {
    let mut lines = document.lines();
    let Some(line) = lines.find(|line| line.contains(key)) else {
        return Cow::Borrowed(document.lines().next().unwrap_or_default());
    };
    match line.find(key) {
        Some(at) if at > LINE_SHOWN_CHARS_MAX / 2 => Cow::Owned(format!("…{}", &line[at..])),
        _ => Cow::Borrowed(line.trim()),
    }
}

/// What follows a label, without white space around it.
pub(crate) fn after<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    line.strip_prefix(label).map(str::trim)
}

/// What stands between two texts.
pub(crate) fn between<'a>(line: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

/// Whether digits may be grouped by this: `312,013`, `312.013`, `312 013`, `312'013`.
const fn groups_digits(char: char) -> bool {
    matches!(
        char,
        '.' | ',' | '\'' | '’' | '_' | '\u{a0}' | '\u{202f}' | '\u{2009}'
    )
}

/// The number at the start of a text, still with its separators, and what follows it.
fn number_token(text: &str) -> (&str, &str) {
    let end = text
        .find(|char: char| !(char.is_ascii_digit() || groups_digits(char)))
        .unwrap_or(text.len());
    let token = text[..end].trim_end_matches(groups_digits);
    (token, &text[token.len()..])
}

/// A whole number at the start of a text, its digits grouped in any locale's way.
pub(crate) fn whole(text: &str) -> Option<u64> {
    whole_token(number_token(text).0)
}

fn whole_token(token: &str) -> Option<u64> {
    if !token.starts_with(|char: char| char.is_ascii_digit()) {
        return None;
    }
    let mut value: u64 = 0;
    for digit in token.bytes().filter(u8::is_ascii_digit) {
        value = value
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'));
    }
    Some(value)
}

/// A number with a fraction at the start of a text. The last separator is the decimal one.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    decimal_token(number_token(text).0)
}

fn decimal_token(token: &str) -> Option<f64> {
    if !token.starts_with(|char: char| char.is_ascii_digit()) {
        return None;
    }
    let is_point = |char: char| char == '.' || char == ',';
    let digits = |part: &str| -> String { part.chars().filter(char::is_ascii_digit).collect() };
    let number = match token.rsplit_once(is_point) {
        None => digits(token),
        Some((before, after)) => format!("{}.{}", digits(before), digits(after)),
    };
    number.parse().ok().filter(|value: &f64| value.is_finite())
}

/// What `K` means where it does not say `Ki`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kilo {
    /// 1000: rsync's `-h`, borg's `kB`.
    Thousand,
    /// 1024: zfs, old rclone, PostgreSQL's `kB`.
    Binary,
}

/// A size at the start of a text, in bytes: `312,013 bytes`, `312.01K`, `304.693 KiB`, `0 B`, `327680`.
pub(crate) fn size(text: &str, kilo: Kilo) -> Option<u64> {
    let (token, rest) = number_token(text);
    let unit = rest.trim_start();
    let power = match unit.chars().next() {
        Some('k' | 'K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        Some('P') => 5,
        Some('E') => 6,
        _ => return whole_token(token),
    };
    let base = match (unit[1..].starts_with('i'), kilo) {
        (false, Kilo::Thousand) => 1000_f64,
        _ => 1024_f64,
    };
    Some((decimal_token(token)? * base.powi(power)).round() as u64)
}

/// A duration as Go prints it, in seconds: `0.1s`, `1m2.5s`, `2h0m1s`, `350ms`, `1d2h`.
pub(crate) fn go_duration(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut sum = None;
    while rest.starts_with(|char: char| char.is_ascii_digit()) {
        let (token, after) = number_token(rest);
        let end = after
            .find(|char: char| !char.is_alphabetic())
            .unwrap_or(after.len());
        let seconds = match &after[..end] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 7.0 * 86_400.0,
            "y" => 365.0 * 86_400.0,
            _ => return None,
        };
        sum = Some(sum.unwrap_or(0.0) + decimal_token(token)? * seconds);
        rest = &after[end..];
    }
    sum
}

/// A duration as a clock shows it, in seconds: `0:07`, `1:02:03`.
pub(crate) fn clock_duration(text: &str) -> Option<f64> {
    let mut seconds = 0_f64;
    let mut parts = 0;
    for part in text.trim().split(':') {
        let number: u32 = part.parse().ok()?;
        seconds = seconds * 60.0 + f64::from(number);
        parts += 1;
    }
    (2..=3).contains(&parts).then_some(seconds)
}

/// A duration in words, in seconds: `0.11 seconds`, `1 hours 2 minutes 5.32 seconds`.
pub(crate) fn worded_duration(text: &str) -> Option<f64> {
    let mut words = text.split_whitespace();
    let mut sum = None;
    while let Some(number) = words.next() {
        let seconds = match words.next()?.trim_end_matches('s') {
            "second" => 1.0,
            "minute" => 60.0,
            "hour" => 3600.0,
            "day" => 86_400.0,
            _ => return None,
        };
        sum = Some(sum.unwrap_or(0.0) + decimal(number)? * seconds);
    }
    sum
}

/// A date and a time at the start of a text, in seconds on the UTC axis, and what follows: `2026/11/22 11:19:51`,
/// `2026-11-22T11:19:51.42Z`, `2026-11-22 11:19:51,123`. Without an offset it is taken as if in UTC: only
/// differences are of use.
pub(crate) fn stamp(text: &str) -> Option<(f64, &str)> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 || !text.is_char_boundary(19) {
        return None;
    }
    let shape = b"dddd-dd-dd dd:dd:dd";
    for (byte, wanted) in bytes.iter().zip(shape) {
        let fits = match wanted {
            b'd' => byte.is_ascii_digit(),
            b'-' => matches!(byte, b'-' | b'/'),
            b' ' => matches!(byte, b' ' | b'T'),
            _ => byte == wanted,
        };
        if !fits {
            return None;
        }
    }
    let part = |from: usize, to: usize| -> i64 {
        let digit = |sum: i64, byte: &u8| sum * 10 + i64::from(byte - b'0');
        bytes[from..to].iter().fold(0, digit)
    };
    let days = days_from_civil(part(0, 4), part(5, 7), part(8, 10));
    let of_day = part(11, 13) * 3600 + part(14, 16) * 60 + part(17, 19);
    let mut seconds = (days * 86_400 + of_day) as f64;
    let mut rest = &text[19..];
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let end = fraction
            .find(|char: char| !char.is_ascii_digit())
            .unwrap_or(fraction.len());
        seconds += format!("0.{}", &fraction[..end])
            .parse::<f64>()
            .unwrap_or(0.0);
        rest = &fraction[end..];
    }
    let (offset, rest) = zone_offset(rest);
    Some((seconds - offset, rest))
}

/// The seconds east of UTC at the start of a text: `Z`, `+01:00`.
fn zone_offset(text: &str) -> (f64, &str) {
    if let Some(rest) = text.strip_prefix('Z') {
        return (0.0, rest);
    }
    let bytes = text.as_bytes();
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..] = bytes else {
        return (0.0, text);
    };
    if ![h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()) {
        return (0.0, text);
    }
    let two = |tens: &u8, ones: &u8| f64::from((tens - b'0') * 10 + (ones - b'0'));
    let east = two(h1, h2) * 3600.0 + two(m1, m2) * 60.0;
    (if *sign == b'-' { -east } else { east }, &text[6..])
}

/// Days since 1970-01-01 in the Gregorian calendar.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // The year starts in March, so that the leap day is its last.
    let (year, month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_in_any_locale() {
        for text in [
            "312013",
            "312,013 bytes",
            "312.013",
            "312'013",
            "312\u{202f}013",
            "312 013",
        ] {
            let expected = if text.contains(' ') && !text.contains("bytes") {
                312
            } else {
                312_013
            };
            assert_eq!(whole(text), Some(expected), "{text}");
        }
        assert_eq!(whole("0,"), Some(0));
        assert_eq!(whole("x"), None);
        assert_eq!(whole(",5"), None);
        assert_eq!(whole("99999999999999999999999"), Some(u64::MAX));
    }

    #[test]
    fn sizes_have_units_of_two_kinds() {
        assert_eq!(size("312.01K bytes", Kilo::Thousand), Some(312_010));
        assert_eq!(size("312,01K", Kilo::Thousand), Some(312_010));
        assert_eq!(size("304.693 KiB", Kilo::Thousand), Some(312_006));
        assert_eq!(size("1.5M", Kilo::Binary), Some(1_572_864));
        assert_eq!(size("480 B", Kilo::Thousand), Some(480));
        assert_eq!(size("312,013 bytes", Kilo::Thousand), Some(312_013));
        assert_eq!(size("1.5 GiB", Kilo::Thousand), Some(1_610_612_736));
        assert_eq!(size("", Kilo::Thousand), None);
        assert_eq!(size("KiB", Kilo::Thousand), None);
    }

    #[test]
    fn durations_come_in_three_forms() {
        assert_eq!(go_duration("1m2.5s"), Some(62.5));
        assert!((go_duration("350ms").unwrap() - 0.35).abs() < 1e-9);
        assert_eq!(go_duration("1h30m"), Some(5400.0));
        assert_eq!(go_duration("-"), None);
        assert_eq!(go_duration("1x"), None);
        assert_eq!(clock_duration("1:02:03"), Some(3723.0));
        assert_eq!(clock_duration("0:07"), Some(7.0));
        assert_eq!(clock_duration("7"), None);
        assert_eq!(worded_duration("0.25 seconds"), Some(0.25));
        assert_eq!(
            worded_duration("1 hours 2 minutes 5.5 seconds"),
            Some(3725.5)
        );
    }

    #[test]
    fn times_are_seconds_apart() {
        let (first, rest) = stamp("2026/11/22 11:19:51 INFO  : ").unwrap();
        assert_eq!(rest, " INFO  : ");
        let (second, rest) = stamp("2026-11-22T12:19:52.5+01:00 x").unwrap();
        assert_eq!(rest, " x");
        assert!((second - first - 1.5).abs() < 1e-6);
        assert_eq!(stamp("1970-01-01T00:00:00Z"), Some((0.0, "")));
        assert_eq!(stamp("2026/11/22 11:19"), None);
        assert_eq!(stamp("2026/11/22 11:19:5é"), None);
    }

    #[test]
    fn colours_are_left_out_and_long_lines_are_cut() {
        assert_eq!(clean(b"\x1b[31mred\x1b[0m\x07 end \t"), "red end");
        assert_eq!(clean(b"plain  "), "plain");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
