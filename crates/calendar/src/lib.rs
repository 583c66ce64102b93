#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod clock_changes;
mod cron;
mod days;
mod english;
mod expression_notes;
mod instants;
mod interval;
mod oncalendar;
mod parse_error;
mod pattern;
mod preview;
mod schedule;
mod schedule_json;
mod slips;
mod spacing;
mod times;
mod walk;
mod zone;

pub use cron::Cron;
pub use instants::Instants;
pub use interval::{Interval, IntervalError};
pub use oncalendar::OnCalendar;
pub use parse_error::ParseError;
pub use preview::{Note, NoteKind, Preview};
pub use schedule::{Schedule, ScheduleError};
pub use spacing::Spacing;
pub use zone::{Zone, ZoneData, ZoneError, system_zones};
