//! How domain values stand in columns. Written once: the hot path of each engine and the portable SQL
//! read and write through here.

use std::collections::BTreeMap;
use std::fmt;

use nightbeat_domain::{
    HeartbeatId, IgnoredBecause, LastRun, Metric, Moved, OpenIncident, OpenRun, Outcome, Phase,
    RunId, SignalKind, State, UnixMicros, Work,
};
use serde::de::value::{Error as NoSuchName, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fields::Fields;
use crate::sql::Value;
use crate::{Result, StoreError};

/// A [`State`] as the columns of `heartbeat_state`, in the order of [`Columns::NAMES`]. The other columns
/// of that table (`id`, `settings`, `newest_signal`, `newest_run`) are the business of whoever writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) phase: i64,
    pub(crate) armed_at: i64,
    pub(crate) last_signal_at: Option<i64>,
    pub(crate) last_success_at: Option<i64>,
    pub(crate) expected_at: Option<i64>,
    pub(crate) wake_at: Option<i64>,
    pub(crate) failures: i64,
    pub(crate) successes: i64,
    pub(crate) signals: i64,
    pub(crate) incidents: i64,
    pub(crate) alerts: i64,
    pub(crate) version: i64,
    pub(crate) run_started_at: Option<i64>,
    pub(crate) run_ended_at: Option<i64>,
    pub(crate) run_outcome: Option<i64>,
    /// JSON of [`Rare`]; NULL when there is nothing in it, as with most heartbeats.
    pub(crate) rare: Option<String>,
}

/// The part of a state that most heartbeats do not have.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rare {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<OpenRun>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    finished: Vec<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<OpenIncident>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<Moved>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_until: Option<UnixMicros>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    speaks: bool,
}

impl Columns {
    /// The columns, in the order in which the fields stand.
    pub(crate) const NAMES: [&'static str; 16] = [
        "phase",
        "armed_at",
        "last_signal_at",
        "last_success_at",
        "expected_at",
        "wake_at",
        "failures",
        "successes",
        "signals",
        "incidents",
        "alerts",
        "version",
        "run_started_at",
        "run_ended_at",
        "run_outcome",
        "rare",
    ];

    /// A state, ready to be written.
    pub(crate) fn from_state(state: &State) -> Result<Self> {
        Ok(Self {
            phase: phase_code(state.phase),
            armed_at: state.armed_at.0,
            last_signal_at: state.last_signal_at.map(|at| at.0),
            last_success_at: state.last_success_at.map(|at| at.0),
            expected_at: state.expected_at.map(|at| at.0),
            wake_at: state.wake_at.map(|at| at.0),
            failures: i64::from(state.failures),
            successes: i64::from(state.successes),
            signals: saturated(state.signals),
            incidents: i64::from(state.incidents),
            alerts: i64::from(state.alerts),
            version: saturated(state.version),
            run_started_at: state.last_run.and_then(|run| run.started_at).map(|at| at.0),
            run_ended_at: state.last_run.map(|run| run.ended_at.0),
            run_outcome: state.last_run.map(|run| outcome_code(run.outcome)),
            rare: rare(state)?,
        })
    }

    /// The state that was written; [`StoreError::Broken`] where these columns cannot have been.
    pub(crate) fn into_state(self, row: HeartbeatId) -> Result<State> {
        let broken = |column, what: &str| broken("heartbeat_state", column, short(row.0), what);
        let small = |column, number: i64| {
            u32::try_from(number).map_err(|_| broken(column, "not a number from 0 to 2^32"))
        };
        let large = |column, number: i64| {
            u64::try_from(number).map_err(|_| broken(column, "a negative number"))
        };
        let rare: Rare = match &self.rare {
            None => Rare::default(),
            Some(json) => {
                serde_json::from_str(json).map_err(|error| broken("rare", &error.to_string()))?
            }
        };
        Ok(State {
            phase: phase(self.phase).ok_or_else(|| broken("phase", "an unknown phase"))?,
            armed_at: UnixMicros(self.armed_at),
            last_signal_at: self.last_signal_at.map(UnixMicros),
            last_success_at: self.last_success_at.map(UnixMicros),
            expected_at: self.expected_at.map(UnixMicros),
            wake_at: self.wake_at.map(UnixMicros),
            failures: small("failures", self.failures)?,
            successes: small("successes", self.successes)?,
            signals: large("signals", self.signals)?,
            incidents: small("incidents", self.incidents)?,
            alerts: small("alerts", self.alerts)?,
            version: large("version", self.version)?,
            last_run: match (self.run_started_at, self.run_ended_at, self.run_outcome) {
                (None, None, None) => None,
                (started_at, Some(ended_at), Some(code)) => Some(LastRun {
                    started_at: started_at.map(UnixMicros),
                    ended_at: UnixMicros(ended_at),
                    outcome: outcome(code)
                        .ok_or_else(|| broken("run_outcome", "an unknown outcome"))?,
                }),
                _ => return Err(broken("run_ended_at", "half of a run")),
            },
            runs: rare.runs,
            finished: rare.finished,
            incident: rare.incident,
            moved: rare.moved,
            held_until: rare.held_until,
            speaks: rare.speaks,
        })
    }

    /// The values for portable SQL, in the order of [`Columns::NAMES`].
    pub(crate) fn into_values(self) -> [Value; 16] {
        [
            self.phase.into(),
            self.armed_at.into(),
            self.last_signal_at.into(),
            self.last_success_at.into(),
            self.expected_at.into(),
            self.wake_at.into(),
            self.failures.into(),
            self.successes.into(),
            self.signals.into(),
            self.incidents.into(),
            self.alerts.into(),
            self.version.into(),
            self.run_started_at.into(),
            self.run_ended_at.into(),
            self.run_outcome.into(),
            self.rare.into(),
        ]
    }

    /// Reads them from a row of portable SQL.
    pub(crate) fn from_fields(fields: &Fields<'_>) -> Result<Self> {
        Ok(Self {
            phase: fields.get("heartbeat_state.phase")?,
            armed_at: fields.get("heartbeat_state.armed_at")?,
            last_signal_at: fields.get("heartbeat_state.last_signal_at")?,
            last_success_at: fields.get("heartbeat_state.last_success_at")?,
            expected_at: fields.get("heartbeat_state.expected_at")?,
            wake_at: fields.get("heartbeat_state.wake_at")?,
            failures: fields.get("heartbeat_state.failures")?,
            successes: fields.get("heartbeat_state.successes")?,
            signals: fields.get("heartbeat_state.signals")?,
            incidents: fields.get("heartbeat_state.incidents")?,
            alerts: fields.get("heartbeat_state.alerts")?,
            version: fields.get("heartbeat_state.version")?,
            run_started_at: fields.get("heartbeat_state.run_started_at")?,
            run_ended_at: fields.get("heartbeat_state.run_ended_at")?,
            run_outcome: fields.get("heartbeat_state.run_outcome")?,
            rare: fields.get("heartbeat_state.rare")?,
        })
    }
}

fn rare(state: &State) -> Result<Option<String>> {
    let rare = Rare {
        runs: state.runs.clone(),
        finished: state.finished.clone(),
        incident: state.incident.clone(),
        moved: state.moved_slot(),
        held_until: state.held_until,
        speaks: state.speaks,
    };
    if rare == Rare::default() {
        return Ok(None);
    }
    json(&rare).map(Some)
}

/// A counter. Nobody counts to 2^63; should a broken row say so, the counter stands still.
fn saturated(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

macro_rules! codes {
    ($to:ident, $from:ident, $domain:ident: $($variant:ident = $code:literal),+) => {
        #[doc = concat!("The number of a [`", stringify!($domain), "`] in the database.")]
        pub(crate) fn $to(value: $domain) -> i64 {
            match value { $($domain::$variant => $code),+ }
        }

        #[doc = concat!("The [`", stringify!($domain), "`] with this number.")]
        pub(crate) fn $from(code: i64) -> Option<$domain> {
            match code { $($code => Some($domain::$variant),)+ _ => None }
        }
    };
}

codes!(phase_code, phase, Phase:
    New = 0, Up = 1, Warning = 2, Down = 3, Unverified = 4, Paused = 5);
codes!(outcome_code, outcome, Outcome: Ok = 0, Warning = 1, Failed = 2);
codes!(kind_code, kind, SignalKind: Success = 0, Start = 1, Fail = 2, Log = 3);
codes!(ignored_code, ignored, IgnoredBecause: Paused = 0, Method = 1, Previewer = 2, OutOfOrder = 3,
    Keywords = 4);

/// Metrics as a JSON object (`{"rows":12.0}`), `None` when there are none. Of two with one name the
/// later counts.
pub(crate) fn metrics_json(metrics: &[Metric]) -> Result<Option<String>> {
    if metrics.is_empty() {
        return Ok(None);
    }
    let object: BTreeMap<&str, f64> = metrics
        .iter()
        .map(|metric| (metric.name.as_str(), metric.value))
        .collect();
    json(&object).map(Some)
}

/// What a run says of its work; `None` where it says nothing.
pub(crate) fn work_json(work: Option<&Work>) -> Result<Option<String>> {
    work.map(json).transpose()
}

/// A value as compact JSON: the same value is always the same text.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Broken(format!("a value that has no JSON: {error}")))
}

/// The value that has this name in the database: the reverse of `as_str`.
pub(crate) fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    let name: StrDeserializer<'_, NoSuchName> = name.into_deserializer();
    T::deserialize(name).ok()
}

/// A stored value that this version cannot have written.
pub(crate) fn broken(
    table: &str,
    column: &str,
    row: impl fmt::Display,
    what: impl fmt::Display,
) -> StoreError {
    // What a row said of itself already needs no second "broken row".
    let what = what.to_string();
    let what = what.strip_prefix("broken row: ").unwrap_or(&what);
    StoreError::Broken(format!("table {table}, column {column}, row {row}: {what}"))
}

/// The first eight digits of an id: enough to find a row, not enough to signal to a heartbeat.
pub(crate) fn short(id: Uuid) -> String {
    format!("{}…", &id.simple().to_string()[..8])
}

#[cfg(test)]
mod tests;
