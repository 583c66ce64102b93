//! Any kind of schedule behind one type.

use jiff::Timestamp;

use crate::{
    Cron, Instants, Interval, IntervalError, OnCalendar, ParseError, Preview, Spacing, Zone,
    ZoneError, english, walk::Line,
};

/// When a success is expected. Cheap to clone.
///
/// Its JSON is one of
/// - `{"every": 3600}`, in seconds,
/// - `{"cron": "30 3 * * *", "timezone": "Europe/Madrid"}`,
/// - `{"calendar": "Mon..Fri 02:00", "timezone": "Europe/Madrid"}`, systemd's `OnCalendar`, several lines
///   separated by a newline.
///
/// `timezone` is "UTC" where it is left out; other keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Schedule {
    /// A fixed distance after the last success.
    Every(Interval),
    /// A cron expression in a time zone.
    Cron(Cron),
    /// One or more systemd calendar events in a time zone.
    OnCalendar(OnCalendar),
}

/// Why a schedule was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The interval is too short or too long.
    #[error(transparent)]
    Interval(#[from] IntervalError),
    /// The cron or calendar expression is wrong.
    #[error(transparent)]
    Expression(#[from] ParseError),
    /// The time zone does not exist.
    #[error(transparent)]
    Zone(#[from] ZoneError),
}

impl Schedule {
    /// A schedule of one run each `seconds`.
    pub fn every_seconds(seconds: u64) -> Result<Self, ScheduleError> {
        Ok(Self::Every(Interval::from_seconds(seconds)?))
    }

    /// A cron expression in the zone of that IANA name.
    pub fn cron(expression: &str, zone_name: &str) -> Result<Self, ScheduleError> {
        let zone = Zone::named(zone_name)?;
        Ok(Self::Cron(Cron::parse(expression, &zone)?))
    }

    /// systemd calendar events, a line each, in the zone of that IANA name.
    pub fn on_calendar(expression: &str, zone_name: &str) -> Result<Self, ScheduleError> {
        let zone = Zone::named(zone_name)?;
        Ok(Self::OnCalendar(OnCalendar::parse(expression, &zone)?))
    }

    /// The interval, where the schedule is one; `None` for schedules that follow the wall clock.
    pub fn interval(&self) -> Option<Interval> {
        match self {
            Self::Every(interval) => Some(*interval),
            Self::Cron(_) | Self::OnCalendar(_) => None,
        }
    }

    /// The time zone, where the schedule follows a wall clock; `None` for intervals.
    pub fn zone(&self) -> Option<&Zone> {
        match self {
            Self::Every(_) => None,
            Self::Cron(cron) => Some(cron.zone()),
            Self::OnCalendar(events) => Some(events.zone()),
        }
    }

    /// Whether one of its zones is [`ZoneData::Missing`](crate::ZoneData::Missing): then its instants are
    /// a stand-in.
    pub fn lacks_rules(&self) -> bool {
        let missing = |zone: &Zone| zone.data() == crate::ZoneData::Missing;
        match self {
            Self::Every(_) => false,
            Self::Cron(cron) => missing(cron.zone()),
            Self::OnCalendar(events) => events.lines().any(|line| missing(line.zone)),
        }
    }

    /// Every zone that its instants depend on, each once: calendar events may name one on each line. None
    /// for an interval.
    pub fn zones(&self) -> Vec<&Zone> {
        let mut zones: Vec<&Zone> = Vec::new();
        for line in self.lines() {
            if !zones.contains(&line.zone) {
                zones.push(line.zone);
            }
        }
        zones
    }

    /// The first instant strictly after `from` at which a run is wanted; `None` when there is none any
    /// more. For an interval that is `from` + interval.
    pub fn next_after(&self, from: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => from.checked_add(interval.duration()).ok(),
            Self::Cron(cron) => cron.next_after(from),
            Self::OnCalendar(events) => events.next_after(from),
        }
    }

    /// The first instant strictly after `from` of those calendar events that are in `zone`, or of cron in
    /// its own; `None` where nothing is in that zone.
    pub fn next_after_in(&self, zone: &Zone, from: Timestamp) -> Option<Timestamp> {
        let lines = self.lines();
        let there = lines.iter().filter(|line| line.zone == zone);
        there.filter_map(|line| line.next_after(from)).min()
    }

    /// The last instant strictly before `from` at which a run was wanted. For an interval that is
    /// `from` - interval.
    pub fn previous_before(&self, from: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => from.checked_sub(interval.duration()).ok(),
            Self::Cron(cron) => cron.previous_before(from),
            Self::OnCalendar(events) => events.previous_before(from),
        }
    }

    /// The instants strictly after `from`, ascending; endless for most schedules.
    pub fn instants_after(&self, from: Timestamp) -> Instants {
        Instants::new(self.clone(), from)
    }

    /// The schedule in plain English: "At 02:00 on Monday to Friday, Europe/Madrid".
    pub fn explain(&self) -> String {
        match self {
            Self::Every(interval) => english::interval(interval.seconds()),
            Self::Cron(cron) => cron.explain(),
            Self::OnCalendar(events) => events.explain(),
        }
    }

    /// How far apart the instants after `from` are; `None` when fewer than two are left.
    pub fn spacing_after(&self, from: Timestamp) -> Option<Spacing> {
        Spacing::of(self, from)
    }

    /// What a person wants to see before using the schedule: in plain English, its first `count`
    /// instants strictly after `from` (at most [`Preview::INSTANTS_MAX`]), and what is remarkable about
    /// it, above all around the changes of the clocks.
    pub fn preview(&self, from: Timestamp, count: usize) -> Preview {
        Preview::of(self, from, count)
    }

    /// The wall-clock schedules whose union this is; none for an interval.
    pub(crate) fn lines(&self) -> Vec<Line<'_>> {
        match self {
            Self::Every(_) => Vec::new(),
            Self::Cron(cron) => vec![cron.line()],
            Self::OnCalendar(events) => events.lines().collect(),
        }
    }
}

impl From<Interval> for Schedule {
    fn from(interval: Interval) -> Self {
        Self::Every(interval)
    }
}

impl From<Cron> for Schedule {
    fn from(cron: Cron) -> Self {
        Self::Cron(cron)
    }
}

impl From<OnCalendar> for Schedule {
    fn from(events: OnCalendar) -> Self {
        Self::OnCalendar(events)
    }
}
