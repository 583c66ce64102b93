//! A whole cron expression: its fields, or an alias.

use std::ops::Range;

use jiff::civil::Date;

use super::{
    Cron,
    field::{self, Field},
};
use crate::{
    ParseError,
    days::{CronDays, Days},
    pattern::{Pattern, Years},
    times::{Run, Times},
};

/// What an expression says, before a time zone.
pub(super) struct Parsed {
    pub(super) pattern: Pattern,
    /// The minute or hour field begins with `*`: cron lets such jobs follow every jump of the clock.
    pub(super) wild: bool,
    /// Something in it is not in crontab(5).
    pub(super) beyond_crontab: bool,
}

/// The aliases of crontab(5). `@reboot` is no time.
pub(super) const ALIASES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Reads an expression without guessing at what else it might mean.
pub(super) fn parse(expression: &str) -> Result<Parsed, ParseError> {
    let whole = |message: String| ParseError::new(expression, 0..expression.len(), message);
    let characters = expression.chars().count();
    if characters > Cron::CHARACTERS_MAX {
        let most = Cron::CHARACTERS_MAX;
        return Err(whole(format!("{characters} characters: at most {most}")));
    }
    let places = split(expression);
    if let [place] = &*places {
        let word = &expression[place.clone()];
        if let Some((_, meaning)) = ALIASES.iter().find(|(alias, _)| *alias == word) {
            return parse(meaning);
        }
    }
    let [minute, hour, day, month, weekday] = &*places else {
        return Err(whole(match places.len() {
            0 => "the expression is empty".into(),
            n => format!(
                "{n} field{}: a cron expression has five (minute, hour, day of month, month, day of week)",
                if n == 1 { "" } else { "s" }
            ),
        }));
    };
    let read = |place: &Range<usize>, field| field::read(expression, place.clone(), field);
    let minutes = read(minute, Field::Minute)?;
    let hours = read(hour, Field::Hour)?;
    let days = read(day, Field::DayOfMonth)?;
    let months = read(month, Field::Month)?;
    let weekdays = read(weekday, Field::DayOfWeek)?;
    let starred = |place: &Range<usize>| expression[place.clone()].starts_with('*');
    let pattern = Pattern {
        years: Years::Between(Date::MIN.year(), Date::MAX.year()),
        months: months.bits as u16,
        days: Days::Cron(CronDays {
            days: days.bits as u32,
            last: days.last,
            last_workday: days.last_workday,
            weekdays: (weekdays.bits | weekdays.bits >> 7) as u8 & 0x7f,
            nth: weekdays.nth,
            both: starred(day) || starred(weekday),
        }),
        times: Times {
            hours: hours.bits as u32,
            minutes: minutes.bits,
            seconds: vec![Run::once(0)],
        },
    };
    if !pattern.has_days() {
        let place = day.start..weekday.end;
        let message = format!("{:?} names no day that exists", &expression[place.clone()]);
        return Err(ParseError::new(expression, place, message));
    }
    Ok(Parsed {
        pattern,
        wild: starred(minute) || starred(hour),
        beyond_crontab: [minutes, hours, days, months, weekdays]
            .iter()
            .any(|field| field.beyond_crontab),
    })
}

/// The places of the words between spaces and tabs, the only blanks cron knows.
pub(super) fn split(expression: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut start = 0;
    for word in expression.split([' ', '\t']) {
        if !word.is_empty() {
            places.push(start..start + word.len());
        }
        start += word.len() + 1;
    }
    places
}
