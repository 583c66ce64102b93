//! The usual slips in cron expressions, and what was probably meant.

use super::parse::{ALIASES, split};
use crate::{
    OnCalendar, ParseError, Zone,
    slips::{self, REBOOT},
};

/// Says more about an error where its cause is a usual slip, and adds what was probably meant. A guess
/// is offered only when `accepted` says that it would be.
pub(super) fn explain(
    expression: &str,
    error: ParseError,
    accepted: impl Fn(&str) -> bool,
) -> ParseError {
    let error = usual(expression).unwrap_or(error);
    let too_long = expression.chars().count() > super::Cron::CHARACTERS_MAX;
    if too_long || error.message() == REBOOT {
        return error;
    }
    let guess = |rewrite: &fn(&str, &ParseError) -> Option<String>| {
        let clean = slips::cleaned(expression);
        rewrite(&clean, &error).filter(|guess| guess != expression && accepted(guess))
    };
    match REWRITES.iter().find_map(guess) {
        Some(guess) => error.suggesting(guess),
        None => error,
    }
}

/// The message for a slip that the reader of fields would describe worse.
fn usual(expression: &str) -> Option<ParseError> {
    let error = |from: usize, to: usize, message: String| {
        Some(ParseError::new(expression, from..to, message))
    };
    if let Some((at, character, what)) = slips::foreign(expression) {
        return error(
            at,
            at + character.len_utf8(),
            format!("{what} is in the way"),
        );
    }
    if let Some(at) = expression.find('\n') {
        let message = "a line break: a cron expression is one line";
        return error(at, at + 1, message.into());
    }
    if let Some(at) = expression.find('%') {
        let message = "% stands for a line break in a crontab's command, never in its times";
        return error(at, at + 1, message.into());
    }
    let words = split(expression);
    let first = words.first()?.clone();
    let word = &expression[first.clone()];
    if word.eq_ignore_ascii_case("@reboot") {
        return error(first.start, first.end, REBOOT.into());
    }
    if word.starts_with('@') {
        let known = ALIASES.map(|(alias, _)| alias).join(", ");
        let message = format!("{word:?} is none of {known}");
        return error(first.start, first.end, message);
    }
    if word.starts_with("TZ=") || word.starts_with("CRON_TZ=") {
        let message =
            "a setting of the crontab, not a part of the expression: give the time zone beside it";
        return error(first.start, first.end, message.into());
    }
    if let Some(place) = words
        .iter()
        .find(|place| is_hash(&expression[(*place).clone()]))
    {
        let message = "H is Jenkins's hash of the job's name; cron wants a number";
        return error(place.start, place.end, message.into());
    }
    if looks_like_calendar(expression) {
        let message = "this looks like a systemd calendar event: a cron expression has five fields (minute, hour, day of month, month, day of week)";
        return error(0, expression.len(), message.into());
    }
    if word.starts_with('#') {
        let message = "a # begins a comment in a crontab";
        return error(first.start, expression.len(), message.into());
    }
    if words.len() == 6 || words.len() == 7 {
        let message = format!(
            "{} fields: cron has five and knows neither seconds nor years; a command does not belong here",
            words.len()
        );
        return error(words[5].start, expression.len(), message);
    }
    if let Some(at) = expression.find('?') {
        let message = "? is Quartz's; in cron any value is *";
        return error(at, at + 1, message.into());
    }
    None
}

/// Jenkins's `H`, `H/15`, `H(0-29)`.
fn is_hash(word: &str) -> bool {
    word.strip_prefix('H')
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '(']))
}

/// Something with a clock time or a range of systemd's that is not a mere time of day.
fn looks_like_calendar(expression: &str) -> bool {
    (expression.contains(':') || expression.contains(".."))
        && slips::clock_time(expression).is_none()
        && OnCalendar::parse(expression, &Zone::utc()).is_ok()
}

/// Ways to rewrite a cleaned expression, the most telling first.
const REWRITES: [fn(&str, &ParseError) -> Option<String>; 16] = [
    |clean, _| Some(clean.to_owned()),
    |clean, _| clean.split('\n').next().map(|line| line.trim().to_owned()),
    alias,
    without_zone,
    hash,
    clock_time,
    hour_of_day,
    every,
    commas,
    extra_fields,
    |clean, _| Some(clean.replace('?', "*")),
    |clean, _| Some(with_short_names(clean)),
    wrapped_range,
    last_weekday,
    midnight_or_missing,
    swapped,
];

/// `daily`, `@Daily`, `@every_day`.
fn alias(clean: &str, _: &ParseError) -> Option<String> {
    let word = clean.trim_start_matches('@').to_ascii_lowercase();
    let word = match &*word {
        "every_minute" | "minutely" | "every minute" => return Some("* * * * *".into()),
        "every_hour" | "every hour" => "hourly",
        "every_day" | "every day" | "nightly" | "every night" => "daily",
        "every week" => "weekly",
        "every month" => "monthly",
        "every year" => "yearly",
        word => word,
    };
    let known = ALIASES.iter().find(|(alias, _)| &alias[1..] == word)?;
    Some(known.0.to_owned())
}

/// `CRON_TZ=Europe/Berlin 0 2 * * *`.
fn without_zone(clean: &str, _: &ParseError) -> Option<String> {
    let (zone, rest) = clean.split_once(' ')?;
    zone.contains("TZ=").then(|| rest.trim().to_owned())
}

/// Jenkins's `H/15 H * * *` without its hash.
fn hash(clean: &str, _: &ParseError) -> Option<String> {
    let word = |word: &str| match word {
        "H" => "0".to_owned(),
        word if is_hash(word) => word.replacen("H/", "*/", 1),
        word => word.to_owned(),
    };
    let words: Vec<&str> = clean.split_whitespace().collect();
    let chosen = words.iter().map(|it| word(it)).collect::<Vec<_>>();
    words
        .iter()
        .any(|word| is_hash(word))
        .then(|| chosen.join(" "))
}

/// `0 2am * * *`.
fn hour_of_day(clean: &str, _: &ParseError) -> Option<String> {
    let mut words: Vec<&str> = clean.split_whitespace().collect();
    let (hour, 0) = slips::clock_time(words.get(1)?)? else {
        return None;
    };
    let hour = hour.to_string();
    words[1] = &hour;
    Some(words.join(" "))
}

/// `14 30 * * *`: the hour first.
fn swapped(clean: &str, error: &ParseError) -> Option<String> {
    let mut words: Vec<&str> = clean.split_whitespace().collect();
    // `0 25 * * *` is a mistake of another kind.
    if !error.message().starts_with("hour ") || words.first() == Some(&"0") || words.len() != 5 {
        return None;
    }
    words.swap(0, 1);
    Some(words.join(" "))
}

/// `2am`, `daily 02:30`.
fn clock_time(clean: &str, _: &ParseError) -> Option<String> {
    let lower = clean.to_ascii_lowercase();
    let text = ["daily at ", "daily ", "every day at ", "at "]
        .iter()
        .find_map(|prefix| lower.strip_prefix(prefix))
        .unwrap_or(&lower);
    let (hour, minute) = slips::clock_time(text)?;
    Some(format!("{minute} {hour} * * *"))
}

/// `every 5 minutes`.
fn every(clean: &str, _: &ParseError) -> Option<String> {
    let (number, unit) = slips::every(clean.trim_start_matches('@'))?;
    match (&*unit, number) {
        ("minute" | "min" | "m", 1) => Some("* * * * *".into()),
        ("minute" | "min" | "m", 2..=59) => Some(format!("*/{number} * * * *")),
        ("hour" | "h", 1) => Some("@hourly".into()),
        ("hour" | "h", 2..=23) => Some(format!("0 */{number} * * *")),
        _ => None,
    }
}

/// `0 1, 13 * * *`: blanks after commas.
fn commas(clean: &str, _: &ParseError) -> Option<String> {
    let joined = clean.replace(", ", ",").replace(" ,", ",");
    (joined != clean).then_some(joined)
}

/// Seconds before, a year or a command after the five fields.
fn extra_fields(clean: &str, _: &ParseError) -> Option<String> {
    let clean = clean.replace('?', "*");
    let words: Vec<&str> = clean.split_whitespace().collect();
    let is_year = |word: &str| word.len() == 4 && word.parse::<u16>().is_ok();
    let five = match words.len() {
        0..=5 => return None,
        6 if is_year(words[5]) || words[5].starts_with(['/', 'r']) => &words[..5],
        // Seconds of 0 come first; `0 2 * * * *` is more often a star too many.
        6 if words[0] == "0" && words[1..3] != ["2", "*"] && words[1] != "*" => &words[1..],
        6 if words[0].starts_with('*') || words[0] == "0" => &words[..5],
        7 if is_year(words[6]) || words[6] == "*" => &words[1..6],
        _ => &words[..5],
    };
    Some(with_short_names(&five.join(" ")))
}

/// Month and weekday names cut to their three letters.
fn with_short_names(clean: &str) -> String {
    const LONG: [&str; 24] = [
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "sept",
        "october",
        "november",
        "december",
        "monday",
        "tuesday",
        "tues",
        "wednesday",
        "weds",
        "thursday",
        "thurs",
        "thur",
        "friday",
        "saturday",
        "sunday",
        "frid",
    ];
    const DAYS: [(&str, &str); 4] = [
        ("weekday", "MON-FRI"),
        ("weekdays", "MON-FRI"),
        ("weekend", "SAT,SUN"),
        ("weekends", "SAT,SUN"),
    ];
    let mut short = String::with_capacity(clean.len());
    let mut rest = clean;
    while let Some(first) = rest.chars().next() {
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let word = &rest[..letters];
        let taken = if let Some((_, days)) = DAYS.iter().find(|it| it.0.eq_ignore_ascii_case(word))
        {
            short.push_str(days);
            letters
        } else if LONG.iter().any(|name| name.eq_ignore_ascii_case(word)) {
            short.push_str(&word[..3].to_ascii_uppercase());
            letters
        } else {
            let taken = letters.max(first.len_utf8());
            short.push_str(&rest[..taken]);
            taken
        };
        rest = &rest[taken..];
    }
    short
}

/// `22-4` hours is `22-23,0-4`, `FRI-MON` is `FRI-SAT,SUN-MON`.
fn wrapped_range(clean: &str, error: &ParseError) -> Option<String> {
    /// How messages about a field begin, its greatest and its least value, also by name.
    const LIMITS: [(&str, &str, &str); 7] = [
        ("minute ", "59", "0"),
        ("hour ", "23", "0"),
        ("day of month ", "31", "1"),
        ("month ", "12", "1"),
        ("month ", "DEC", "JAN"),
        ("day of week ", "6", "0"),
        ("day of week ", "SAT", "SUN"),
    ];
    let typed = error.expression().get(error.place())?;
    let (from, to) = typed.split_once('-')?;
    // A step would count on across the wrap, which two ranges cannot say.
    let stepped = format!("{typed}/");
    if !error.message().contains("a range goes") || clean.contains(&stepped) {
        return None;
    }
    let by_name = from.starts_with(|first: char| first.is_ascii_alphabetic());
    let (_, high, low) = LIMITS.iter().find(|(field, high, _)| {
        error.message().starts_with(field)
            && high.starts_with(|first: char| first.is_ascii_digit()) != by_name
    })?;
    let range = |from: &str, to: &str| {
        if from.eq_ignore_ascii_case(to) {
            from.to_owned()
        } else {
            format!("{from}-{to}")
        }
    };
    let both = format!("{},{}", range(from, high), range(low, to));
    Some(clean.replacen(typed, &both, 1))
}

/// `MONL`, the last Monday: cron wants a number, `1L`.
fn last_weekday(clean: &str, error: &ParseError) -> Option<String> {
    const NAMES: [&str; 7] = ["SUNL", "MONL", "TUEL", "WEDL", "THUL", "FRIL", "SATL"];
    let typed = error.expression().get(error.place())?;
    let day = NAMES
        .iter()
        .position(|name| name.eq_ignore_ascii_case(typed))?;
    Some(clean.replace(typed, &format!("{day}L")))
}

/// Hour 24 and minute 60 are 0; fields left out at the end are `*`.
fn midnight_or_missing(clean: &str, error: &ParseError) -> Option<String> {
    let mut words: Vec<&str> = clean.split_whitespace().collect();
    if error.message().starts_with("hour 24") && words.get(1) == Some(&"24") {
        words[1] = "0";
        return Some(words.join(" "));
    }
    if error.message().starts_with("minute 60") && words.first() == Some(&"60") {
        words[0] = "0";
        return Some(words.join(" "));
    }
    if words.len() < 2 && !clean.starts_with("*/") || words.len() > 4 {
        return None;
    }
    words.resize(5, "*");
    Some(words.join(" "))
}
