//! What a person sees of a schedule before using it.

use std::time::Duration;

use jiff::{Timestamp, Zoned, civil::Date};
use serde::Serialize;

use crate::{Schedule, Zone, clock_changes, expression_notes};

/// A schedule in plain English, its next instants, and what is remarkable about it: see
/// [`Schedule::preview`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preview {
    /// As [`Schedule::explain`] says it.
    pub explanation: String,
    /// The zone of `instants`: that of the schedule; where all lines of a calendar event name the same
    /// other zone, that one; UTC for an interval.
    pub zone: Zone,
    /// The next instants, ascending; fewer than were asked for when no more are left.
    pub instants: Vec<Zoned>,
    /// What a person should know: about the expression itself, then about each change of the clocks in
    /// the next 13 months, and in the time that `instants` span. At most [`Preview::NOTES_MAX`].
    pub notes: Vec<Note>,
}

/// Something a person should know about a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// The day of the clock change in the schedule's zone; `None` where the note is not about one.
    pub on: Option<Date>,
    /// One sentence in plain English, which begins in lower case and has no full stop.
    pub text: String,
}

/// What a [`Note`] is about. Its JSON is the name in `snake_case`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoteKind {
    /// The clocks skip the time of a run, which comes at another one instead.
    RunMoved,
    /// The clocks skip the time of a run, which is left out.
    RunLeftOut,
    /// The clocks repeat the time of a run, which comes the first time only.
    RunOnce,
    /// The clocks repeat the time of a run, which comes both times.
    RunTwice,
    /// When the clocks go back, the distance between two runs is much longer than usual.
    LongGap,
    /// The clocks skip or repeat times of runs, but the distance between runs stays as it is.
    Steady,
    /// A day of the month that some months lack.
    MissingDay,
    /// 29 February, which only leap years have.
    LeapDay,
    /// cron runs on the days that one of its two fields of days names.
    DayOrWeekday,
    /// cron runs on the days that both of its fields of days name.
    DayAndWeekday,
    /// The expression says what crontab(5) does not know.
    BeyondCrontab,
    /// Steps that do not divide the hour, day, month or year.
    UnevenSteps,
}

impl Preview {
    /// Most instants; more are not looked for.
    pub const INSTANTS_MAX: usize = 1000;
    /// Most notes: those about the expression, and the earliest about changes of the clocks.
    pub const NOTES_MAX: usize = 8;

    /// How long from `from` on the changes of the clocks are told: 13 months.
    const CHANGES_TOLD: Duration = Duration::from_secs(396 * 86_400);

    pub(crate) fn of(schedule: &Schedule, from: Timestamp, count: usize) -> Self {
        let zone = shown_in(schedule);
        let found = schedule.instants_after(from);
        let instants: Vec<Zoned> = found
            .take(count.min(Self::INSTANTS_MAX))
            .map(|at| at.to_zoned(zone.rules().clone()))
            .collect();
        let a_year_on = from.saturating_add(Self::CHANGES_TOLD).unwrap_or(from);
        let until = instants
            .last()
            .map_or(a_year_on, |last| a_year_on.max(last.timestamp()));
        let lines = schedule.lines();
        let mut notes = expression_notes::notes(&lines, from);
        notes.extend(beyond_crontab(schedule));
        notes.extend(clock_changes::notes(&lines, from, until));
        notes.truncate(Self::NOTES_MAX);
        Self {
            explanation: schedule.explain(),
            zone,
            instants,
            notes,
        }
    }
}

/// What Debian's cron would do with it is not what is told here.
fn beyond_crontab(schedule: &Schedule) -> Option<Note> {
    let Schedule::Cron(cron) = schedule else {
        return None;
    };
    let text = "a/n, L, LW, 5L and FRI#2 are not in crontab(5): Debian's cron refuses them or reads them otherwise";
    cron.beyond_crontab().then(|| Note {
        kind: NoteKind::BeyondCrontab,
        on: None,
        text: text.to_owned(),
    })
}

fn shown_in(schedule: &Schedule) -> Zone {
    let lines = schedule.lines();
    match (&lines[..], schedule.zone()) {
        ([first, others @ ..], _) if others.iter().all(|line| line.zone == first.zone) => {
            first.zone.clone()
        }
        (_, Some(zone)) => zone.clone(),
        (_, None) => Zone::utc(),
    }
}
