//! `nightbeat schedule`: what schedules mean. Needs no server and no configuration.

mod explain;
mod next;

use clap::Subcommand;
use jiff::Timestamp;
use nightbeat_calendar::{OnCalendar, Schedule as Read, ScheduleError, Zone};

use crate::exit::Failure;
use crate::session::Session;

/// Find out when a schedule is due; needs no server
#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    Explain(explain::Explain),
    Next(next::Next),
}

impl Schedule {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        match self {
            Self::Explain(explain) => explain.run(&session.view),
            Self::Next(next) => next.run(),
        }
    }
}

/// 2000-01-01 00:00 UTC: a calendar event that is over before this, and before `from`, never fires.
const YEAR_2000: Timestamp = Timestamp::constant(946_684_800, 0);

/// Calendar events for a question about what follows `from`. One about the past may be about events that
/// were over in 2000.
fn on_calendar(expression: &str, zone: &Zone, from: Timestamp) -> Result<Read, ScheduleError> {
    Ok(OnCalendar::parse_since(expression, zone, from.min(YEAR_2000))?.into())
}
