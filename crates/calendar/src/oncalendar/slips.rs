//! The usual slips in calendar events, and what was probably meant.

use crate::{ParseError, Zone, ZoneError, slips};

/// Says more about an error of one line where its cause is a usual slip, and adds what was probably
/// meant, for the whole expression. A guess is offered only when `accepted` says that it would be.
pub(super) fn explain(
    expression: &str,
    line: std::ops::Range<usize>,
    error: ParseError,
    accepted: impl Fn(&str) -> bool,
) -> ParseError {
    let (before, text, after) = (
        &expression[..line.start],
        &expression[line.clone()],
        &expression[line.end..],
    );
    let error = usual(expression, line.start, text).unwrap_or(error);
    if text.is_empty() && !expression.trim().is_empty() {
        let lines = expression.lines().filter(|line| !line.is_empty());
        return error.suggesting(lines.collect::<Vec<_>>().join("\n"));
    }
    let guess = |rewrite: &fn(&str) -> Option<String>| {
        let guess = rewrite(&slips::cleaned(text)).filter(|guess| accepted(guess))?;
        // A text with Windows line ends has them on every line.
        let whole = format!("{before}{guess}{after}").replace('\r', "");
        Some(whole.trim_end().to_owned()).filter(|guess| guess != expression)
    };
    match REWRITES.iter().find_map(guess) {
        Some(guess) => error.suggesting(guess),
        None => error,
    }
}

/// The message for a slip that the reader of lines would describe worse. `start` is where the line
/// begins in the expression.
fn usual(expression: &str, start: usize, text: &str) -> Option<ParseError> {
    let error = |from: usize, length: usize, message: String| {
        let place = start + from..start + from + length;
        Some(ParseError::new(expression, place, message))
    };
    if let Some((at, character, what)) = slips::foreign(text) {
        return error(at, character.len_utf8(), format!("{what} is in the way"));
    }
    if text.starts_with([' ', '\t']) {
        return error(0, 1, "a blank at the beginning".into());
    }
    if text.ends_with([' ', '\t']) {
        return error(text.len() - 1, 1, "a blank at the end".into());
    }
    if let Some(at) = text.find('\t') {
        return error(at, 1, "a tab: words are separated by spaces".into());
    }
    if let Some(events) = text.strip_prefix("OnCalendar=") {
        let length = text.len() - events.len();
        return error(
            0,
            length,
            "only what follows OnCalendar= belongs here".into(),
        );
    }
    if text.eq_ignore_ascii_case("@reboot") {
        return error(0, text.len(), slips::REBOOT.into());
    }
    if looks_like_cron(text) {
        let message = "this looks like cron: a calendar event is [weekdays] [date] [time] [zone]";
        return error(0, text.len(), message.into());
    }
    // A last word that no weekday, date or time resembles was meant as a zone.
    let word = text
        .rsplit(' ')
        .next()
        .filter(|word| word.len() < text.len())?;
    let at = text.len() - word.len();
    let alphabetic = word.starts_with(|first: char| first.is_ascii_alphabetic());
    if !alphabetic || weekday_names(word).is_some() {
        return None;
    }
    let abbreviation = word.bytes().all(|byte| byte.is_ascii_uppercase()) && word.len() > 2;
    match Zone::named(word) {
        Err(ZoneError::Spelling { .. }) => {
            error(at, word.len(), format!("there is no time zone {word:?}"))
        }
        Err(wrong) if abbreviation || word.contains(['/', '+']) => {
            error(at, word.len(), wrong.to_string())
        }
        _ => None,
    }
}

fn looks_like_cron(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let fields = words.len() == 5 && words.iter().any(|word| word.starts_with('*'));
    fields && !text.contains(':')
}

/// Ways to rewrite a cleaned line, the most telling first.
const REWRITES: [fn(&str) -> Option<String>; 12] = [
    |clean| Some(clean.to_owned()),
    |clean| Some(clean.strip_prefix("OnCalendar=")?.to_owned()),
    |clean| Some(clean.split_whitespace().collect::<Vec<_>>().join(" ")),
    |clean| Some(clean.replace(", ", ",")),
    |clean| Some(clean.replacen("-L", "~1", 1)),
    stepped_star,
    shorthand,
    zone,
    time,
    nth_weekday,
    weekday_names,
    every,
];

/// `@daily`, `midnight`, `every day`.
fn shorthand(clean: &str) -> Option<String> {
    let word = clean.trim_start_matches('@').to_ascii_lowercase();
    let shorthand = match &*word {
        "midnight" | "every day" | "nightly" | "every night" => "daily",
        "every minute" => "minutely",
        "every hour" => "hourly",
        "every week" => "weekly",
        "every month" => "monthly",
        "every year" => "yearly",
        _ if clean.starts_with('@') => &word,
        _ => return None,
    };
    Some(shorthand.to_owned())
}

/// `*:*/5` and `*-*-*/2`: a repetition begins with a number.
fn stepped_star(clean: &str) -> Option<String> {
    let word = |word: &str| match word {
        word if word.contains(':') => word.replace("*/", "0/"),
        word => word.replace("-*/", "-1/"),
    };
    let words: Vec<String> = clean.split(' ').map(word).collect();
    clean.contains("*/").then(|| words.join(" "))
}

/// A zone that is spelled wrong.
fn zone(clean: &str) -> Option<String> {
    let (rest, word) = clean.rsplit_once(' ')?;
    if weekday_names(word).is_some() || !word.starts_with(|it: char| it.is_ascii_alphabetic()) {
        return None;
    }
    match Zone::named(word) {
        Err(ZoneError::Spelling { right, .. }) => Some(format!("{rest} {right}")),
        _ => None,
    }
}

/// `2am`, `Mon 2`, `24:00`: a last word that is a time, written otherwise.
fn time(clean: &str) -> Option<String> {
    let (before, word) = match clean.rsplit_once(' ') {
        Some((before, word))
            if word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm") =>
        {
            let (before, hour) = before.rsplit_once(' ').unwrap_or(("", before));
            (before, format!("{hour}{word}"))
        }
        Some((before, word)) => (before, word.to_owned()),
        None => ("", clean.to_owned()),
    };
    let hour = word.parse::<u8>().ok().filter(|hour| *hour < 24);
    let (hour, minute) = match hour {
        Some(hour) => (hour, 0),
        None if word == "24:00" || word == "24:00:00" => (0, 0),
        None => slips::clock_time(&word)?,
    };
    let before = before.trim_end_matches(" at");
    let before = match before {
        "at" | "daily" | "every day" => "",
        before => before,
    };
    Some(format!("{before} {hour:02}:{minute:02}").trim().to_owned())
}

/// `FRI#2`, as crons beyond crontab(5) write it: the Friday among the days from the 8th to the 14th.
fn nth_weekday(clean: &str) -> Option<String> {
    let (names, rest) = clean.split_once('#')?;
    let (nth, time) = rest.split_once(' ').unwrap_or((rest, ""));
    let nth: u8 = nth.parse().ok().filter(|nth| (1..=4).contains(nth))?;
    let (first, last) = (7 * nth - 6, 7 * nth);
    let name = weekday_names(names)?;
    Some(
        format!("{name} *-*-{first}..{last} {time}")
            .trim_end()
            .to_owned(),
    )
}

/// `Tues`, `Thurs`; and `Fri..Mon`, which is `Fri..Sun,Mon`.
fn weekday_names(clean: &str) -> Option<String> {
    const ORDER: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let (names, rest) = match clean.split_once(' ') {
        Some((names, rest)) => (names, format!(" {rest}")),
        None => (clean, String::new()),
    };
    let short = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let index = ORDER.iter().position(|day| lower.starts_with(day))?;
        Some((index, lower))
    };
    let mut parts = Vec::new();
    for part in names.split(',') {
        let ends: Vec<&str> = part.split("..").flat_map(|end| end.split('-')).collect();
        let name = |index: usize| {
            let mut name = ORDER[index].to_owned();
            name[..1].make_ascii_uppercase();
            name
        };
        match &ends[..] {
            [one] => parts.push(name(short(one)?.0)),
            [from, to] => {
                let (from, to) = (short(from)?.0, short(to)?.0);
                let wrapped = if to == 0 {
                    name(0)
                } else {
                    format!("Mon..{}", name(to))
                };
                if from <= to {
                    parts.push(format!("{}..{}", name(from), name(to)));
                } else if from == 6 {
                    parts.push(format!("Sun,{wrapped}"));
                } else {
                    parts.push(format!("{}..Sun,{wrapped}", name(from)));
                }
            }
            _ => return None,
        }
    }
    Some(format!("{}{rest}", parts.join(",")))
}

/// `every 15 minutes`, and cron's `*/15` with no field beside it.
fn every(clean: &str) -> Option<String> {
    let (number, unit) = match clean.strip_prefix("*/") {
        Some(number) => (number.parse().ok()?, "minute".to_owned()),
        None => slips::every(clean.trim_start_matches('@'))?,
    };
    match (&*unit, number) {
        ("minute" | "min" | "m", 1..=59) => Some(format!("*:0/{number}")),
        ("hour" | "h", 1..=23) => Some(format!("0/{number}:00")),
        ("second" | "sec", 1..=59) => Some(format!("*:*:0/{number}")),
        _ => None,
    }
}
