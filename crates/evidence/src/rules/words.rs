//! Numbers and lines as a person reads them in an alert.

use super::{Field, Kind};

/// The longest part of a line of output that an alert shows, in characters.
const LINE_CHARS_MAX: usize = 160;

/// A number of this field, with its unit: `13,420`, `11.9 GiB`, `20 min`.
pub(crate) fn amount(field: &Field, value: f64) -> String {
    match field.kind() {
        Kind::Bytes => size(value),
        Kind::Seconds => span(value),
        Kind::Count | Kind::Code | Kind::Free => number(value),
    }
}

/// What was seen of a field: `312 files were deleted`.
pub(crate) fn seen(field: &Field, value: f64) -> String {
    let shown = amount(field, value);
    match field {
        Field::FilesTotal => format!("{} seen", counted(value, "file")),
        Field::FilesChanged => format!("{} new or changed", counted(value, "file")),
        Field::BytesTotal => format!("the source held {shown}"),
        Field::BytesAdded => format!("{shown} came to the backup"),
        Field::Deletes => format!("{} deleted", counted(value, "file")),
        Field::Errors => format!("{} reported", counted(value, "error")),
        Field::Warnings => format!("{} reported", counted(value, "warning")),
        Field::Duration => format!("the run took {shown}"),
        Field::ExitCode => format!("the exit code was {shown}"),
        Field::Metric(name) => format!("{name} was {shown}"),
        Field::Age(name) => format!("{name} was {shown} old"),
    }
}

/// `1 file was`, `2 files were`.
fn counted(value: f64, noun: &str) -> String {
    if (value - 1.0).abs() < f64::EPSILON {
        return format!("1 {noun} was");
    }
    format!("{} {noun}s were", number(value))
}

/// A number with its thousands apart, and at most three decimals: `13,420`, `0.25`.
pub(crate) fn number(value: f64) -> String {
    const GROUPED_MAX: f64 = 1e15;
    if value.abs() >= GROUPED_MAX {
        return format!("{value:e}");
    }
    let fixed = format!("{:.3}", value.abs());
    let (whole, fraction) = fixed.split_once('.').unwrap_or((&fixed, ""));
    let mut shown = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        shown.push('.');
        shown.push_str(fraction);
    }
    if value < 0.0 && shown != "0" {
        shown.insert(0, '-');
    }
    shown
}

/// A size in binary units, as most tools show it: `304.7 KiB`.
pub(crate) fn size(bytes: f64) -> String {
    const STEP: f64 = 1024.0;
    let mut scaled = bytes;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        // What would be shown as 1024.0 belongs to the next unit.
        if scaled.abs() < STEP - 0.05 {
            return format!("{} {unit}", number(one_decimal(scaled)));
        }
        scaled /= STEP;
    }
    format!("{} PiB", number(one_decimal(scaled)))
}

fn one_decimal(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A length of time in its two greatest units: `0.3 s`, `20 min`, `3 h 5 min`, `2 d 2 h`.
pub(crate) fn span(seconds: f64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    if seconds < 10.0 {
        return format!(
            "{} s",
            number(one_decimal(seconds).max((seconds * 1000.0).round() / 1000.0))
        );
    }
    let whole = seconds.round() as u64;
    let (great, great_name, small, small_name) = match whole {
        0..MINUTE => return format!("{whole} s"),
        MINUTE..HOUR => (MINUTE, "min", 1, "s"),
        HOUR..DAY => (HOUR, "h", MINUTE, "min"),
        DAY.. => (DAY, "d", HOUR, "h"),
    };
    let rest = whole % great / small;
    let first = format!("{} {great_name}", number((whole / great) as f64));
    match rest {
        0 => first,
        rest => format!("{first} {rest} {small_name}"),
    }
}

/// `the last good run`, `the last 14 good runs`.
pub(crate) fn good_runs(runs: usize) -> String {
    match runs {
        1 => "the last good run".to_owned(),
        runs => format!("the last {runs} good runs"),
    }
}

/// What an output said, behind the sentence: `; rsync said "Number of files: 0"`. Nothing for an empty line.
pub(crate) fn quote(speaker: &str, line: &str) -> String {
    let clean: String = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = clean.trim();
    if line.is_empty() {
        return String::new();
    }
    format!("; {speaker} said \"{}\"", cut(line, LINE_CHARS_MAX))
}

/// A text of at most so many characters; an ellipsis marks the cut.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(chars_max - 1).collect();
    kept.push('…');
    kept
}

/// What lies in the middle; `None` of nothing. Of an even number of values, half-way between the two.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[middle - 1], upper))
}

/// The smallest; `None` of nothing.
pub(crate) fn least(values: &[f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}

/// The greatest; `None` of nothing.
pub(crate) fn greatest(values: &[f64]) -> Option<f64> {
    values.iter().copied().max_by(f64::total_cmp)
}
