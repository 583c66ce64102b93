//! A schedule, looked at.

use jiff::{Timestamp, Zoned};
use nightbeat_calendar::{self as calendar, ZoneData};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;
use super::schedule::Schedule;
use super::time::fraction;
use crate::api::input;

/// A schedule that is to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewSchedulePreview)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewPreview {
    /// The schedule.
    pub(in crate::api) schedule: Schedule,
    /// The instant after which it runs next; now, where it is left out.
    #[serde(default, deserialize_with = "input::given")]
    #[schema(nullable = false)]
    pub(in crate::api) from: Option<Time>,
    /// How many instants.
    #[serde(default, deserialize_with = "input::given")]
    #[schema(minimum = 1, maximum = 100, default = 10, nullable = false)]
    pub(in crate::api) count: Option<u64>,
}

impl NewPreview {
    /// How many instants where nobody says.
    pub(in crate::api) const COUNT_DEFAULT: u64 = 10;
    /// Most instants.
    pub(in crate::api) const COUNT_MAX: u64 = 100;
}

/// What can be said of a schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SchedulePreview)]
pub(in crate::api) struct Preview {
    /// The schedule in plain English.
    explanation: String,
    /// The time zone of `next`; UTC for an interval.
    timezone: String,
    /// Where the rules of that zone come from.
    zone_data: ZoneSource,
    /// When it runs next, with the zone's offset from UTC. Fewer than asked for when no more are left.
    #[schema(value_type = Vec<String>, examples("2027-03-28T03:00:00+02:00"))]
    next: Vec<Local>,
    /// What a person should know: about the expression, then about the changes of the clocks in the next
    /// 13 months and in the time that `next` spans.
    #[schema(max_items = 8)]
    notes: Vec<Note>,
    /// The mean distance between two runs, in seconds; `null` when fewer than two are left.
    #[schema(required)]
    mean_distance: Option<f64>,
    /// The smallest distance between two of the next 1,000 runs, in seconds; `null` when fewer than two
    /// are left.
    #[schema(required)]
    smallest_distance: Option<f64>,
}

/// Something that a person should know about a schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScheduleNote)]
struct Note {
    /// What it is about: `run_moved`, `run_left_out`, `run_once`, `run_twice`, `long_gap` or `steady` for a
    /// change of the clocks, `missing_day`, `leap_day`, `day_or_weekday`, `day_and_weekday` or
    /// `uneven_steps` for the expression. There may be more.
    #[schema(value_type = String, examples("run_moved"))]
    kind: calendar::NoteKind,
    /// The day of the change of the clocks in `timezone`; `null` where it is not about one.
    #[schema(required, value_type = Option<String>, format = Date)]
    date: Option<String>,
    /// One sentence in plain English.
    text: String,
}

/// Where the rules of a time zone come from.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ZoneSource {
    /// The time zone database of the server's system.
    System,
    /// The copy inside the binary; UTC, which needs no rules, too.
    Bundled,
    /// Rules that came with the schedule.
    Given,
    /// Nowhere: the zone is not known any more, and UTC stands in for it.
    Missing,
}

/// An instant with its offset from UTC.
#[derive(Debug)]
struct Local(Zoned);

impl Preview {
    /// What can be said of the schedule after `from`, with its next `count` instants.
    pub(in crate::api) fn new(schedule: Schedule, from: Timestamp, count: usize) -> Self {
        let Schedule(schedule) = schedule;
        let preview = schedule.preview(from, count);
        let spacing = schedule.spacing_after(from);
        Self {
            explanation: preview.explanation,
            timezone: preview.zone.name().to_owned(),
            zone_data: preview.zone.data().into(),
            next: preview.instants.into_iter().map(Local).collect(),
            notes: preview.notes.into_iter().map(Note::from).collect(),
            mean_distance: spacing.map(|spacing| fraction(spacing.mean)),
            smallest_distance: spacing.map(|spacing| fraction(spacing.smallest)),
        }
    }
}

impl From<calendar::Note> for Note {
    fn from(note: calendar::Note) -> Self {
        Self {
            kind: note.kind,
            date: note.on.map(|on| on.to_string()),
            text: note.text,
        }
    }
}

impl From<ZoneData> for ZoneSource {
    fn from(data: ZoneData) -> Self {
        match data {
            ZoneData::System => Self::System,
            ZoneData::Bundled => Self::Bundled,
            ZoneData::Given => Self::Given,
            ZoneData::Missing => Self::Missing,
        }
    }
}

impl Serialize for Local {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Self(at) = self;
        out.collect_str(&at.timestamp().display_with_offset(at.offset()))
    }
}
