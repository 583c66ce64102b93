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
}

impl Instants {
    pub(crate) fn new(schedule: Schedule, from: Timestamp) -> Self {
        Self {
            schedule,
            at: Some(from),
        }
    }
}

impl Iterator for Instants {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        self.at = self.schedule.next_after(self.at?);
        self.at
    }
}

impl FusedIterator for Instants {}
