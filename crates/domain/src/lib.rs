//! What a heartbeat is, and every decision about it.
//!
//! All decisions are pure functions of (stored state, event, now): [`observe`] for a signal,
//! [`elapse`] for the passing of time, and the user's own steps in [`control`]. There is no I/O here,
//! no clock and no randomness; whoever calls says what time it is and stores what comes back.
#![forbid(unsafe_code)]

mod alert;
mod broken;
pub mod control;
mod effects;
mod elapse;
mod expect;
mod gap;
mod ids;
mod keywords;
mod missing_zone;
pub mod nodes;
mod observe;
mod settings;
mod signal;
mod state;
mod suggest;
mod time;
mod verdict;
mod wake;
pub mod work;
mod zone_rules;

pub use alert::{
    Alert, AlertKind, AlertSnapshot, Cause, Claim, Closing, HeartbeatFacts, IncidentFacts,
};
pub use broken::{begin_anew, readable_again, unreadable};
pub use effects::{Effects, FinishedRun, IncidentChange};
pub use elapse::elapse;
pub use expect::{EARLY_MAX, Maintenance, Surroundings};
pub use gap::{Gap, GapKind, GapLedger};
pub use ids::{ChannelId, DeliveryId, HeartbeatId, IncidentId, ProjectId, RunId};
pub use keywords::{Came, Keywords, Meaning, Otherwise};
pub use nightbeat_calendar::{Interval, Schedule, ScheduleError, Zone, ZoneData};
pub use nightbeat_evidence::{BrokenRule, Metric, Severity};
pub use observe::{Observed, observe};
pub use settings::{Settings, SettingsError};
pub use signal::{IgnoredBecause, Signal, SignalKind};
pub use state::{LastRun, Moved, OpenIncident, OpenRun, Outcome, Phase, State, Status};
pub use suggest::{
    Awaited, GraceFit, GraceSuggestion, RUNS_MAX as SUGGESTION_RUNS_MAX,
    SUCCESSES_MIN as SUGGESTION_SUCCESSES_MIN, suggest_grace,
};
pub use time::{UnixMicros, seconds};
pub use work::Work;
pub use zone_rules::follow_zone_rules;
