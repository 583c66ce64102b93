//! Patterns in plain English.

use crate::{
    days::{CalendarDays, CronDays, Days},
    pattern::{Pattern, Years},
    times::{MINUTE, Run, SECOND, Times},
};

/// Up to this many times of day are listed one by one: "At 02:00, 08:00 and 14:00".
const TIMES_LISTED_MAX: u32 = 6;

/// Sunday = 0.
pub(crate) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// "Every 90 minutes", from a length in seconds.
pub(crate) fn interval(seconds: u64) -> String {
    let length = length(seconds);
    let length = length.strip_prefix("1 ").unwrap_or(&length);
    format!("Every {length}")
}

/// "90 minutes": in the greatest unit of which it is a whole number.
pub(crate) fn length(seconds: u64) -> String {
    let units = [
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let fits = units
        .into_iter()
        .find(|(unit, _)| seconds.is_multiple_of(*unit));
    let (unit, name) = fits.unwrap_or((1, "second"));
    let n = seconds / unit;
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {name}{plural}")
}

/// "At 02:00 on Monday to Friday in January", without the zone.
pub(crate) fn pattern(pattern: &Pattern) -> String {
    let mut text = times(&pattern.times);
    let days = match &pattern.days {
        Days::Cron(days) => cron_days(days),
        Days::Calendar(days) => calendar_days(days),
    };
    // "Every 5 minutes" needs no "every day".
    let at_times = text
        .strip_prefix("At ")
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    match days {
        Some(days) => text = format!("{text} {days}"),
        None if at_times && pattern.months == 0x1ffe => text.push_str(" every day"),
        None => {}
    }
    if pattern.months != 0x1ffe {
        let months = months(pattern.months);
        // "on day 1 of the month in January" is said shorter.
        text = match text.strip_suffix(" of the month") {
            Some(text) => format!("{text} of {months}"),
            None => format!("{text} in {months}"),
        };
    }
    match &pattern.years {
        Years::Between(first, last) if first == last => format!("{text} {first}"),
        Years::Between(..) => text,
        Years::These(years) => {
            let years: Vec<u64> = years.iter().map(|year| *year as u64).collect();
            let named = series(&years, |year| year.to_string());
            format!("{text} in {named}")
        }
    }
}

/// "June to August", from bits 1 to 12.
pub(crate) fn months(months: u16) -> String {
    values(u64::from(months), |month| MONTHS[month as usize - 1].into())
}

fn times(times: &Times) -> String {
    let seconds = seconds(&times.seconds);
    let hours = times.hours & 0xff_ffff;
    let count = hours.count_ones() * times.minutes.count_ones();
    if let ([one], true) = (&times.seconds[..], count <= TIMES_LISTED_MAX)
        && one.start == one.stop
    {
        return format!("At {}", clock_times(hours, times.minutes, one.start));
    }
    let all_minutes = times.minutes == u64::MAX >> 4;
    let all_hours = hours == 0xff_ffff;
    let in_hours = if all_hours {
        String::new()
    } else {
        format!(" {}", hours_phrase(hours))
    };
    match (seconds, all_minutes, even_step(times.minutes, 60)) {
        (Some(seconds), true, _) if seconds.starts_with("Every") => format!("{seconds}{in_hours}"),
        (Some(seconds), true, _) => format!("{seconds} of every minute{in_hours}"),
        (Some(seconds), false, _) => {
            let minutes = numbers("minute", times.minutes);
            let of_hour = if all_hours {
                " of every hour"
            } else {
                &in_hours
            };
            format!("{seconds} of {minutes}{of_hour}")
        }
        (None, true, _) => format!("Every minute{in_hours}"),
        (None, false, Some(step)) => format!("Every {step} minutes{in_hours}"),
        (None, false, None) if times.minutes == 1 && all_hours => "Every hour, on the hour".into(),
        (None, false, None) => {
            let minutes = numbers("minute", times.minutes);
            let of_hour = if all_hours {
                " of every hour".to_owned()
            } else {
                format!(" of {}", numbers("hour", u64::from(hours)))
            };
            format!("At {minutes}{of_hour}")
        }
    }
}

/// "02:00, 08:00 and 14:00", with seconds where they are not 0.
fn clock_times(hours: u32, minutes: u64, second: u64) -> String {
    let of_hour = |hour: u64| bits(minutes).into_iter().map(move |minute| (hour, minute));
    let shown = bits(u64::from(hours)).into_iter().flat_map(of_hour);
    let shown = shown.map(|(hour, minute)| match second {
        0 => format!("{hour:02}:{minute:02}"),
        second => format!("{hour:02}:{minute:02}:{}", second_text(second, 2)),
    });
    and(&shown.collect::<Vec<_>>())
}

/// "from 09:00 to 17:59", "in every 2nd hour" or "in hours 1, 5 and 7".
fn hours_phrase(hours: u32) -> String {
    let (first, last) = (hours.trailing_zeros(), hours.ilog2());
    if last - first + 1 == hours.count_ones() {
        return format!("from {first:02}:00 to {last:02}:59");
    }
    match even_step(u64::from(hours), 24) {
        Some(step) => format!("in every {} hour from 00:00", ordinal(step)),
        None => format!("in {}", numbers("hour", u64::from(hours))),
    }
}

/// The seconds of a minute, or `None` where they are just 0.
fn seconds(runs: &[Run]) -> Option<String> {
    if let [run] = runs {
        if run.stop == 0 {
            return None;
        }
        if run.step == SECOND && run.start == 0 && run.stop == MINUTE - SECOND {
            return Some("Every second".into());
        }
        if run.start == 0 && run.step < MINUTE && run.stop + run.step >= MINUTE {
            return Some(format!("Every {} seconds", second_text(run.step, 1)));
        }
    }
    let run = |run: &Run| {
        let last = run.start + (run.stop - run.start) / run.step * run.step;
        let (from, to) = (second_text(run.start, 1), second_text(last, 1));
        match run.step {
            _ if run.start == last => from,
            SECOND => format!("{from} to {to}"),
            step => format!("{from} to {to} in steps of {}", second_text(step, 1)),
        }
    };
    let shown: Vec<String> = runs.iter().map(run).collect();
    let plural = if matches!(runs, [one] if one.start == one.stop) {
        ""
    } else {
        "s"
    };
    Some(format!("At second{plural} {}", and(&shown)))
}

/// Microseconds as seconds, with a fraction only where there is one.
fn second_text(micros: u64, width: usize) -> String {
    let whole = format!("{:0width$}", micros / SECOND);
    match micros % SECOND {
        0 => whole,
        rest => format!("{whole}.{rest:06}")
            .trim_end_matches('0')
            .to_owned(),
    }
}

/// `None` for every day.
fn cron_days(days: &CronDays) -> Option<String> {
    let all_dates = days.days & !1 == !1 && !days.last && !days.last_workday;
    let all_weekdays = days.weekdays == 0x7f;
    let dates = cron_dates(days);
    let weekdays = format!("on {}", cron_weekdays(days));
    match (all_dates, all_weekdays, days.both) {
        (true, true, _) => None,
        (false, true, true) => Some(dates),
        (true, false, true) => Some(weekdays),
        (false, false, true) => Some(format!("{dates}, if it is {}", &weekdays[3..])),
        // One of the two that names every day leaves nothing for the other to add.
        (_, _, false) if all_dates || all_weekdays => None,
        (_, _, false) => Some(format!("{dates} or {weekdays}, whichever comes")),
    }
}

/// "on days 1 to 7 and the last day of the month".
pub(crate) fn cron_dates(days: &CronDays) -> String {
    let mut dates = Vec::new();
    if days.days & !1 != 0 {
        dates.push(numbers("day", u64::from(days.days & !1)));
    }
    if days.last {
        dates.push("the last day".into());
    }
    if days.last_workday {
        dates.push("the last workday (Monday to Friday)".into());
    }
    format!("on {} of the month", and(&dates))
}

/// "Monday and the 2nd Friday of the month".
pub(crate) fn cron_weekdays(days: &CronDays) -> String {
    let mut parts = Vec::new();
    if days.weekdays != 0 {
        parts.push(weekday_names(days.weekdays));
    }
    for (weekday, nth) in days.nth.iter().enumerate() {
        let name = WEEKDAYS[weekday];
        for n in (1..=5).filter(|n| nth >> n & 1 == 1) {
            parts.push(format!("the {} {name} of the month", ordinal(n)));
        }
        if nth & 1 == 1 {
            parts.push(format!("the last {name} of the month"));
        }
    }
    and(&parts)
}

/// `None` for every day.
fn calendar_days(days: &CalendarDays) -> Option<String> {
    let from_end = days.days[0] != days.days[3];
    let all_dates = days.days[3] & !1 == !1;
    let dates = if from_end {
        // Bit d of a month of 31 days is the day 32 - d from the end.
        let ends: Vec<u64> = bits(u64::from(days.days[3]))
            .iter()
            .rev()
            .map(|day| 32 - day)
            .collect();
        let name = |n: u64| match n {
            1 => "last".to_owned(),
            n => format!("{} last", ordinal(n)),
        };
        match ends.len() as u64 {
            count if count > 1 && ends.iter().copied().eq(1..=count) => {
                format!("on the last {count} days of the month")
            }
            _ => format!("on the {} day of the month", series(&ends, name)),
        }
    } else {
        format!(
            "on {} of the month",
            numbers("day", u64::from(days.days[3] & !1))
        )
    };
    let weekdays = weekday_names(days.weekdays);
    match (all_dates, days.weekdays == 0x7f) {
        (true, true) => None,
        (false, true) => Some(dates),
        (true, false) => Some(format!("on {weekdays}")),
        (false, false) => Some(format!("{dates}, if it is {weekdays}")),
    }
}

/// "Monday to Friday and Sunday": the week begins on Monday here.
fn weekday_names(weekdays: u8) -> String {
    let from_monday = u64::from(weekdays >> 1 | (weekdays & 1) << 6);
    values(from_monday, |day| WEEKDAYS[(day as usize + 1) % 7].into())
}

/// "minute 5", "minutes 0 to 10 and 30".
fn numbers(noun: &str, bits: u64) -> String {
    let plural = if bits.is_power_of_two() { "" } else { "s" };
    format!("{noun}{plural} {}", values(bits, |value| value.to_string()))
}

fn values(set: u64, name: impl Fn(u64) -> String) -> String {
    series(&bits(set), name)
}

/// Ascending values: three or more in a row as "a to b", more than four at even distances as "a, b … z".
fn series(values: &[u64], name: impl Fn(u64) -> String) -> String {
    if let [first, second, _, _, .., last] = values {
        let step = second - first;
        if step > 1 && values.windows(2).all(|pair| pair[1] - pair[0] == step) {
            return format!("{}, {} … {}", name(*first), name(*second), name(*last));
        }
    }
    let mut parts = Vec::new();
    let mut rest = values;
    while let Some(&first) = rest.first() {
        let row = rest
            .iter()
            .zip(first..)
            .take_while(|(value, next)| **value == *next)
            .count();
        let last = rest[row - 1];
        if row >= 3 {
            parts.push(format!("{} to {}", name(first), name(last)));
        } else {
            parts.extend(rest[..row].iter().map(|value| name(*value)));
        }
        rest = &rest[row..];
    }
    and(&parts)
}

/// The n of 0, n, 2n … below `end`, where n divides it and is at least 2.
fn even_step(set: u64, end: u64) -> Option<u64> {
    let values = bits(set);
    let step = *values.get(1)?;
    let even = end.is_multiple_of(step) && values.len() as u64 == end / step;
    (step > 1 && even && values.iter().zip(0..).all(|(value, n)| *value == n * step))
        .then_some(step)
}

fn bits(set: u64) -> Vec<u64> {
    (0..64).filter(|bit| set >> bit & 1 == 1).collect()
}

fn ordinal(n: u64) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

pub(crate) fn and(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [front @ .., last] => format!("{} and {last}", front.join(", ")),
    }
}
