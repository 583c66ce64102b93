//! What a person sets on a heartbeat, as far as decisions depend on it.

use std::time::Duration;

use nightbeat_calendar::Schedule;
use nightbeat_evidence::rules::RuleSet;
use serde::{Deserialize, Serialize};

use crate::Keywords;
use crate::time::seconds;

/// The settings that decide how a heartbeat behaves. Immutable: an edit makes a new value, and many
/// heartbeats share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// When a success is expected.
    #[serde(deserialize_with = "Schedule::deserialize_stored")]
    pub schedule: Schedule,
    /// How long after *expected at* the success may arrive. 1 s to 10 years.
    #[serde(with = "seconds")]
    pub grace: Duration,
    /// How long a run may last after its start; the grace where it is not set.
    #[serde(with = "seconds::option", default)]
    pub max_run_time: Option<Duration>,
    /// Consecutive misses or failures before an incident opens. At least 1.
    pub failure_threshold: u32,
    /// Consecutive successes before an incident closes. At least 1.
    pub recovery_threshold: u32,
    /// Exit codes that close a run as a warning instead of a failure (restic 3, rsync 24, borg 1).
    pub warning_codes: Vec<u8>,
    /// A signal does not resume a paused heartbeat: it is recorded and ignored.
    pub manual_resume: bool,
    /// Send one reminder when no signal ever came.
    pub remind_never_started: bool,
    /// While down, alert again this often; never where it is not set.
    #[serde(with = "seconds::option", default)]
    pub repeat_after: Option<Duration>,
    /// Only POST counts as a signal; other methods are recorded and ignored.
    pub post_only: bool,
    /// What must hold for a run to be ok, in the words of [`nightbeat_evidence::rules`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Which words in what a job sends say what it means; `None`: only the URL does. Boxed: rare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Box<Keywords>>,
}

/// What is wrong with some [`Settings`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SettingsError {
    /// The field, by its name in the API.
    pub field: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl Settings {
    /// The longest grace, run time and repeat: ten years.
    pub const SPAN_MAX: Duration = Duration::from_secs(10 * 365 * 86_400);
    /// The largest failure or recovery threshold.
    pub const THRESHOLD_MAX: u32 = 1_000;
    /// The most warning codes; there are only 255 exit codes that are not zero.
    pub const WARNING_CODES_MAX: usize = 255;

    /// The settings a person gets who names only a schedule: grace one hour, every threshold 1.
    pub fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            grace: Duration::from_secs(3_600),
            max_run_time: None,
            failure_threshold: 1,
            recovery_threshold: 1,
            warning_codes: Vec::new(),
            manual_resume: false,
            remind_never_started: true,
            repeat_after: None,
            post_only: false,
            rules: Vec::new(),
            keywords: None,
        }
    }

    /// How long a run may last after its start.
    pub fn run_limit(&self) -> Duration {
        self.max_run_time.unwrap_or(self.grace)
    }

    /// The settings, if every value is within its bounds; the rules in their canonical words.
    pub fn checked(mut self) -> Result<Self, SettingsError> {
        span("grace", self.grace)?;
        for (field, value) in [
            ("max_run_time", self.max_run_time),
            ("repeat_after", self.repeat_after),
        ] {
            value.map_or(Ok(()), |value| span(field, value))?;
        }
        threshold("failure_threshold", self.failure_threshold)?;
        threshold("recovery_threshold", self.recovery_threshold)?;
        if self.warning_codes.contains(&0) || self.warning_codes.len() > Self::WARNING_CODES_MAX {
            return Err(SettingsError {
                field: "warning_codes",
                problem: "each is an exit code from 1 to 255".to_owned(),
            });
        }
        let rules = RuleSet::parse(&self.rules).map_err(|error| SettingsError {
            field: "rules",
            problem: error.to_string(),
        })?;
        self.rules = rules.texts();
        if let Some(keywords) = &self.keywords {
            keywords.check()?;
        }
        Ok(self)
    }
}

fn span(field: &'static str, value: Duration) -> Result<(), SettingsError> {
    if (Duration::from_secs(1)..=Settings::SPAN_MAX).contains(&value) {
        return Ok(());
    }
    Err(SettingsError {
        field,
        problem: format!(
            "{} seconds is outside 1 second to 10 years (315360000 seconds)",
            value.as_secs()
        ),
    })
}

fn threshold(field: &'static str, value: u32) -> Result<(), SettingsError> {
    if (1..=Settings::THRESHOLD_MAX).contains(&value) {
        return Ok(());
    }
    Err(SettingsError {
        field,
        problem: format!("{value} is outside 1 to {}", Settings::THRESHOLD_MAX),
    })
}
