//! One instant after the other.

use std::iter::FusedIterator;

use jiff::Timestamp;

use crate::Schedule;

/// The instants of a schedule, ascending: see [`Schedule::instants_after`].
#[derive(Debug, Clone)]
pub struct Instants {
    schedule: Schedule,
    /// The instant found last; `None` once there is no other.
    at: Option<Timestamp>,
    /// The next instant of each line of a calendar event after `at`, from the first step on. A line
    /// whose search is long is searched again only when its instant was the next of all.
    lines: Option<Vec<Option<Timestamp>>>,
}

impl Instants {
    pub(crate) fn new(schedule: Schedule, from: Timestamp) -> Self {
        Self {
            schedule,
            at: Some(from),
            lines: None,
        }
    }

    fn next_of_lines(&mut self, from: Timestamp) -> Option<Timestamp> {
        let lines = self.schedule.lines();
        let next: Vec<Option<Timestamp>> = match self.lines.take() {
            None => lines.iter().map(|line| line.next_after(from)).collect(),
            Some(before) => before
                .into_iter()
                .zip(&lines)
                .map(|(next, line)| match next {
                    Some(at) if at <= from => line.next_after(from),
                    later_or_never => later_or_never,
                })
                .collect(),
        };
        let first = next.iter().flatten().min().copied();
        self.lines = Some(next);
        first
    }
}

impl Iterator for Instants {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        let from = self.at?;
        self.at = match &self.schedule {
            Schedule::Every(_) | Schedule::Cron(_) => self.schedule.next_after(from),
            Schedule::OnCalendar(_) => self.next_of_lines(from),
        };
        self.at
    }
}

impl FusedIterator for Instants {}
