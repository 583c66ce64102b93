//! What an expression says that a person may not have meant: days that not every month has, two fields
//! joined with OR, steps that begin anew.

use jiff::Timestamp;

use crate::{
    Note, NoteKind,
    days::{CronDays, Days},
    english,
    pattern::{Pattern, month_length},
    times::has,
    walk::{Jumps, Line},
};

/// Most notes about one expression.
const NOTES_MAX: usize = 4;
/// Of more days in a month than these, nobody misses one.
const FEW_DAYS_MAX: u32 = 4;
/// The bits of all days and all weekdays.
const ALL_DAYS: u32 = !1;
const ALL_WEEKDAYS: u8 = 0x7f;
const FEBRUARY: i8 = 2;
/// The first day that not every month has.
const LEAP_DAY: i8 = 29;

/// The notes about all lines, without repetition.
pub(crate) fn notes(lines: &[Line<'_>], from: Timestamp) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for line in lines {
        let found = [
            day_and_weekday(line),
            missing_day(line, from),
            fifth_weekday(line),
            uneven_steps(line.pattern),
        ];
        for (kind, text) in found.into_iter().flatten() {
            let note = Note {
                kind,
                on: None,
                text,
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes.truncate(NOTES_MAX);
    notes
}

/// cron's two fields of days, where both say something.
fn day_and_weekday(line: &Line<'_>) -> Option<(NoteKind, String)> {
    let Days::Cron(days) = &line.pattern.days else {
        return None;
    };
    if every_date(days) || days.weekdays == ALL_WEEKDAYS {
        return None;
    }
    let (dates, weekdays) = (english::cron_dates(days), english::cron_weekdays(days));
    Some(if days.both {
        let text = format!(
            "this runs {dates} only if it is {weekdays}: cron joins day of month and day of week with AND when one of them begins with *"
        );
        (NoteKind::DayAndWeekday, text)
    } else {
        let text = format!(
            "this runs {dates} and also on {weekdays}: cron joins day of month and day of week with OR unless one of them begins with *"
        );
        (NoteKind::DayOrWeekday, text)
    })
}

/// A day from the 29th on, in months that are shorter.
fn missing_day(line: &Line<'_>, from: Timestamp) -> Option<(NoteKind, String)> {
    let days = dates_alone(&line.pattern.days)?;
    if days.count_ones() > FEW_DAYS_MAX {
        return None;
    }
    let months = line.pattern.months;
    // Of 28 to 31, "the last day" in the cron of old, nothing is missing: a row that begins earlier.
    let day = (LEAP_DAY..=31).find(|day| has_day(days, *day) && !has_day(days, day - 1))?;
    if day == LEAP_DAY && months == 1 << FEBRUARY {
        let next = line
            .next_after(from)
            .map(|at| line.zone.rules().to_datetime(at));
        let next = next.map_or_else(String::new, |next| format!("; the next is {}", next.date()));
        return Some((
            NoteKind::LeapDay,
            format!("29 February exists in leap years only{next}"),
        ));
    }
    let short = |month: &i8| months >> month & 1 == 1 && month_length(*month, true) < day as u32;
    let shorter = (1..=12)
        .filter(short)
        .fold(0_u16, |set, month| set | 1 << month);
    // Debian's cron has no word for the last day, so there is none to recommend.
    let instead = match line.jumps {
        Jumps::Calendar => "; *-*~1 is the last day of every month",
        Jumps::Wild | Jumps::Fixed => "",
    };
    if day == LEAP_DAY && has(u64::from(months), FEBRUARY as u64) {
        let text = format!("no run on day 29 in February except in leap years{instead}");
        return Some((NoteKind::MissingDay, text));
    }
    let why = match shorter.count_ones() {
        0 => return None,
        1 => "as it is shorter",
        _ => "as they are shorter",
    };
    let shorter = english::months(shorter);
    let text = format!("no run on day {day} in {shorter}, {why}{instead}");
    Some((NoteKind::MissingDay, text))
}

/// `FRI#5`: not every month has one.
fn fifth_weekday(line: &Line<'_>) -> Option<(NoteKind, String)> {
    let Days::Cron(days) = &line.pattern.days else {
        return None;
    };
    let fifth = days.nth.iter().position(|nth| nth >> 5 & 1 == 1)?;
    let name = english::WEEKDAYS[fifth];
    let text = format!("not every month has a 5th {name}; {fifth}L is the last one of the month");
    Some((NoteKind::MissingDay, text))
}

/// Steps that do not divide the hour, the day, the month or the year.
fn uneven_steps(pattern: &Pattern) -> Option<(NoteKind, String)> {
    let hours = pattern.times.hours & 0xff_ffff;
    let months = u64::from(pattern.months);
    let days = dates_alone(&pattern.days);
    let all_dates = days == Some(ALL_DAYS);
    let hours_in_a_row = hours & hours >> 1 != 0 || all_dates && hours & 1 == 1 && hours >> 23 == 1;
    let uneven = if let Some(uneven) = Uneven::of(pattern.times.minutes, 0..60)
        && hours_in_a_row
    {
        uneven.told("minute", "hour")
    } else if let Some(uneven) = Uneven::of(hours.into(), 0..24)
        && all_dates
    {
        uneven.told("hour", "day")
    } else if let Some(uneven) = days.and_then(|days| Uneven::of(u64::from(days), 1..32))
        // Months differ by themselves; but the 31st and the 1st are neighbours.
        && uneven.rest < uneven.step
    {
        uneven.told("day", "month")
    } else {
        Uneven::of(months, 1..13)?.told("month", "year")
    };
    Some((NoteKind::UnevenSteps, uneven))
}

/// Values of a field at even distances, whose last and first are at another.
struct Uneven {
    first: u64,
    last: u64,
    step: u64,
    rest: u64,
}

impl Uneven {
    fn of(set: u64, field: std::ops::Range<u64>) -> Option<Self> {
        let values: Vec<u64> = field.clone().filter(|value| has(set, *value)).collect();
        let (first, last) = (*values.first()?, *values.last()?);
        let step = values.get(1)? - first;
        let even = values.windows(2).all(|pair| pair[1] - pair[0] == step);
        // Two values are steps only from the field's first on; else they are a list, and meant so.
        let steps = first == field.start || values.len() > 2;
        let whole = first < field.start + step && last + step >= field.end;
        let rest = field.end - last + first - field.start;
        (even && steps && whole && rest != step).then_some(Self {
            first,
            last,
            step,
            rest,
        })
    }

    fn told(&self, unit: &str, field: &str) -> String {
        let (first, last, step, rest) = (self.first, self.last, self.step, self.rest);
        let plural = if rest == 1 { "" } else { "s" };
        format!(
            "the steps begin anew each {field}: from {unit} {last} to {unit} {first} it is {rest} {unit}{plural}, not {step}"
        )
    }
}

/// The days of the month, where nothing else counts.
fn dates_alone(days: &Days) -> Option<u32> {
    match days {
        Days::Cron(days) => {
            let alone = days.both && days.weekdays == ALL_WEEKDAYS;
            (alone && !days.last && !days.last_workday).then_some(days.days & ALL_DAYS)
        }
        Days::Calendar(days) => {
            let from_start = days.days.iter().all(|it| *it == days.days[0]);
            (days.weekdays == ALL_WEEKDAYS && from_start).then_some(days.days[0] & ALL_DAYS)
        }
    }
}

fn every_date(days: &CronDays) -> bool {
    days.days & ALL_DAYS == ALL_DAYS
}

fn has_day(days: u32, day: i8) -> bool {
    has(u64::from(days), day as u64)
}
