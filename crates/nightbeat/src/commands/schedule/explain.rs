//! `nightbeat schedule explain`: one schedule, in words and instants.

use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use nightbeat_agent::duration::{self, DurationError};
use nightbeat_calendar::{Cron, Preview, Schedule, ScheduleError, Spacing, Zone, ZoneData};
use serde::Serialize;
use serde_json::{Value, json};

use super::next::shown;
use crate::commands::json_line;
use crate::commands::values::{instant, zone_name};
use crate::exit::Failure;
use crate::render::Paint;
use crate::session::View;

const EXAMPLES: &str = "\
Examples:
  nightbeat schedule explain '30 2 * * 1-5' --tz Europe/Berlin
  nightbeat schedule explain 'Mon..Fri 02:30' --from 2027-03-27 --count 3
  nightbeat schedule explain 'every 6h'";

/// Say in plain English when a schedule is due, and when next
///
/// Reads intervals (1d, 'every 6h'), cron expressions and systemd calendar events.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// The schedule: 1d, '30 2 * * 1-5', 'Mon..Fri 02:30'
    #[arg(value_name = "EXPR", required = true)]
    expression: Vec<String>,
    /// Which kind of schedule it is [default: the one that it can be read as]
    #[arg(long)]
    kind: Option<Kind>,
    /// The time zone [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// Show what follows this time, on the zone's clock or in RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// How many instants to show
    #[arg(long, value_name = "N", default_value_t = COUNT_DEFAULT,
        value_parser = clap::value_parser!(u16).range(1..=Preview::INSTANTS_MAX as i64))]
    count: u16,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Instants that are shown where nothing else is said.
const COUNT_DEFAULT: u16 = 10;
/// Longer expressions are not shown again with their errors: they would not fit into a line.
const POINTED_CHARS_MAX: usize = 120;
/// Width of the first column.
const LABEL_WIDTH: usize = 11;

/// What a text can be read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// A fixed distance after the last success
    Interval,
    /// A cron expression, as Debian's cron reads it
    Cron,
    /// Calendar events, as systemd's OnCalendar= reads them
    Calendar,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Interval => "an interval",
            Self::Cron => "a cron expression, as Debian's cron reads it",
            Self::Calendar => "calendar events, as systemd reads OnCalendar=",
        }
    }
}

impl Explain {
    pub(super) fn run(self, view: &View) -> Result<String, Failure> {
        let text = self.text()?;
        let zone = self.zone(text, &view.zone)?;
        let from = match &self.from {
            Some(typed) => instant(typed, zone.rules()).map_err(Failure::usage)?,
            None => whole_second(view.now),
        };
        let (kind, schedule) = self.read(text, &zone, from)?;
        let mut preview = schedule.preview(from, self.count.into());
        if kind == Kind::Interval {
            // An interval has no zone of its own: it is shown on the clock of whoever asks.
            let local = |at: &Zoned| at.with_time_zone(zone.rules().clone());
            preview.instants = preview.instants.iter().map(local).collect();
            preview.zone = zone;
        }
        if self.json {
            let spacing = schedule.spacing_after(from);
            return json_line(&as_json((kind, text), &preview, spacing, from));
        }
        Ok(as_text(kind, &preview, view))
    }

    /// The zone on whose clock the instants are shown. An interval needs none, so that it is no obstacle
    /// where this machine's zone has no name.
    fn zone(&self, text: &str, local: &TimeZone) -> Result<Zone, Failure> {
        match zone_name(self.tz.as_deref(), local) {
            Ok(name) => Zone::named(name).map_err(|error| Failure::usage(error.to_string())),
            Err(_) if length(text).is_ok() => Ok(Zone::utc()),
            Err(failure) => Err(failure),
        }
    }

    /// The expression. Several arguments are what a shell makes of one without quotes; it may have put the
    /// names of files in the place of `*`, so they are not put together again.
    fn text(&self) -> Result<&str, Failure> {
        match self.expression.as_slice() {
            [text] => Ok(text),
            words => {
                let failure = Failure::usage(format!("{} arguments instead of one", words.len()));
                let example = "nightbeat schedule explain '30 2 * * *'";
                Err(failure.hint(format!("put the expression in quotes: {example}")))
            }
        }
    }

    fn read(&self, text: &str, zone: &Zone, from: Timestamp) -> Result<(Kind, Schedule), Failure> {
        if let Some(kind) = self.kind {
            let schedule = read_as(kind, text, zone, from)?;
            return Ok((kind, schedule));
        }
        // No text can be read in two ways: neither of the others is a number with a unit, cron has five
        // fields or begins with @, and systemd has at most four fields and knows no @.
        for kind in [Kind::Interval, Kind::Cron, Kind::Calendar] {
            if let Ok(schedule) = read_as(kind, text, zone, from) {
                return Ok((kind, schedule));
            }
        }
        let kind = most_like(text);
        read_as(kind, text, zone, from)
            .map(|schedule| (kind, schedule))
            .map_err(|failure| {
                let words = kind.words();
                failure.hint(format!("this was taken for {words}; --kind says otherwise"))
            })
    }
}

/// What was asked, and then the fields with which the API answers a preview.
fn as_json(
    (kind, expression): (Kind, &str),
    preview: &Preview,
    spacing: Option<Spacing>,
    from: Timestamp,
) -> Value {
    let zone = &preview.zone;
    let instants = preview.instants.iter();
    let next: Vec<String> = instants.map(|at| shown(at.timestamp(), zone)).collect();
    let notes = preview.notes.iter().map(|note| {
        let on = note.on.map(|date| date.to_string());
        json!({"kind": note.kind, "date": on, "text": note.text})
    });
    json!({
        "kind": kind,
        "expression": expression,
        "from": shown(from, zone),
        "explanation": preview.explanation,
        "timezone": zone.name(),
        "zone_data": if in_binary(zone) { "bundled" } else { "system" },
        "next": next,
        "notes": notes.collect::<Vec<_>>(),
        "mean_distance": spacing.map(|it| it.mean.as_secs_f64()),
        "smallest_distance": spacing.map(|it| it.smallest.as_secs_f64()),
    })
}

/// The length of an interval: `6h`, `every 6h`.
fn length(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    duration::parse(text.strip_prefix("every ").unwrap_or(text))
}

fn read_as(kind: Kind, text: &str, zone: &Zone, from: Timestamp) -> Result<Schedule, Failure> {
    let schedule = match kind {
        Kind::Interval => {
            let length = length(text).map_err(|error| Failure::usage(error.to_string()))?;
            Schedule::every_seconds(length.as_secs())
        }
        Kind::Cron => Cron::parse(text, zone)
            .map(Schedule::from)
            .map_err(ScheduleError::from),
        Kind::Calendar => super::on_calendar(text, zone, from),
    };
    schedule.map_err(|error| refused(&error))
}

/// What somebody meant who wrote what cannot be read.
fn most_like(text: &str) -> Kind {
    let fields = text.split_whitespace().count();
    let calendar = text.contains(':') || text.contains("..") || text.contains('~');
    if text.trim_start().starts_with('@') || fields > 4 {
        return Kind::Cron;
    }
    let digit = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let every = text.trim().strip_prefix("every ");
    let hour = text.ends_with("am") || text.ends_with("pm");
    let unit = text.ends_with(['s', 'm', 'h', 'd', 'w']) && !hour;
    let number_and_unit = fields == 1 && !calendar && digit(text) && unit;
    if every.is_some_and(digit) || number_and_unit || duration::parse(text).is_ok() {
        return Kind::Interval;
    }
    let digits = digit(text) || text.starts_with('*');
    if digits && fields > 1 && !calendar {
        Kind::Cron
    } else {
        Kind::Calendar
    }
}

/// What is wrong, and carets under the place.
fn refused(error: &ScheduleError) -> Failure {
    let ScheduleError::Expression(error) = error else {
        return Failure::usage(error.to_string());
    };
    let message = format!("{} (column {})", error.message(), error.column());
    if error.expression().chars().count() > POINTED_CHARS_MAX {
        return Failure::usage(message);
    }
    let pointed = error.pointed();
    let place = pointed.lines().take(2).map(|line| format!("\n  {line}"));
    let failure = Failure::usage(place.fold(message, |text, line| text + &line));
    match error.suggestion() {
        Some(right) => failure.hint(format!("did you mean {right:?}?")),
        None => failure,
    }
}

/// Nobody reads the fractions of *now* beside the instants that follow from it.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn in_binary(zone: &Zone) -> bool {
    zone.data() == ZoneData::Bundled
}

fn as_text(kind: Kind, preview: &Preview, view: &View) -> String {
    let zone = preview.zone.name();
    let rules = match (zone, in_binary(&preview.zone)) {
        ("UTC", _) => "",
        (_, true) => ", by the copy of tzdata in this binary",
        (_, false) => ", by this machine's tzdata",
    };
    let mut text = Paint::Bold.apply(&preview.explanation, view.colour) + "\n";
    let mut line = |label: &str, value: &str| {
        let label = format!("  {label:LABEL_WIDTH$}");
        text += &[&label, value, "\n"].concat();
    };
    line("read as", kind.words());
    line("time zone", &[zone, rules].concat());
    if preview.instants.is_empty() {
        line("next", "never again");
    }
    for (n, at) in preview.instants.iter().enumerate() {
        let label = if n == 0 { "next" } else { "" };
        line(
            label,
            &at.strftime("%a %Y-%m-%d %H:%M:%S%.f %:z").to_string(),
        );
    }
    for note in &preview.notes {
        line("note", &note.text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_taken_for_what_it_looks_like() {
        for (text, kind) in [
            ("0 24 * * *", Kind::Cron),
            ("0 2 * *", Kind::Cron),
            ("@dayly", Kind::Cron),
            ("0 0 2 * * *", Kind::Cron),
            ("Mon..Fry 02:00", Kind::Calendar),
            ("25:00", Kind::Calendar),
            ("*-*-32", Kind::Calendar),
            ("dayly", Kind::Calendar),
            ("", Kind::Calendar),
            ("100000d", Kind::Interval),
            ("1.5h", Kind::Interval),
            ("2am", Kind::Calendar),
            ("every 90 minutes", Kind::Interval),
            ("every other day", Kind::Calendar),
        ] {
            assert_eq!(most_like(text), kind, "{text}");
        }
    }
}
