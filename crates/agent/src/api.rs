//! The shapes of `docs/api.md`, as far as they are shown to people.
//!
//! Every field that a newer or older server might leave out has a default, and names such as a status
//! stay text: what is not known is shown as it came.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// A heartbeat.
#[derive(Debug, Clone, Deserialize)]
pub struct Heartbeat {
    /// Its id: a secret, not shown to a read-only key.
    #[serde(default)]
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its slug.
    #[serde(default)]
    pub slug: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `{"every": s}`, `{"cron", "timezone"}` or `{"calendar", "timezone"}`.
    #[serde(default)]
    pub schedule: Value,
    /// Seconds.
    #[serde(default)]
    pub grace: u64,
    /// Seconds; the grace where it is not set.
    #[serde(default)]
    pub max_run_time: Option<u64>,
    /// Misses or failures before an incident opens.
    #[serde(default = "one")]
    pub failure_threshold: u32,
    /// Successes before it closes.
    #[serde(default = "one")]
    pub recovery_threshold: u32,
    /// Exit codes that are warnings.
    #[serde(default)]
    pub warning_codes: Vec<u8>,
    /// Signals do not resume it.
    #[serde(default)]
    pub manual_resume: bool,
    /// Seconds between repeated alerts.
    #[serde(default)]
    pub repeat_after: Option<u64>,
    /// Only POST counts.
    #[serde(default)]
    pub post_only: bool,
    /// What must hold for a run to be ok.
    #[serde(default)]
    pub rules: Vec<String>,
    /// `"all"`, or a list of channel ids.
    #[serde(default)]
    pub channels: Value,
    /// `up`, `down`, …
    pub status: String,
    /// Since when a run is on.
    #[serde(default)]
    pub running_since: Option<Timestamp>,
    /// When the next success is expected.
    #[serde(default)]
    pub expected_at: Option<Timestamp>,
    /// When it would be down.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// When the last signal came.
    #[serde(default)]
    pub last_signal_at: Option<Timestamp>,
    /// When the last success came.
    #[serde(default)]
    pub last_success_at: Option<Timestamp>,
    /// The last run that ended.
    #[serde(default)]
    pub last_run: Option<Run>,
    /// The open incident.
    #[serde(default)]
    pub incident_id: Option<String>,
    /// The URL to signal; not shown to a read-only key.
    #[serde(default)]
    pub ping_url: Option<String>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// Which grace fits, by the runs that were seen; only in the answer for one heartbeat.
    #[serde(default)]
    pub grace_suggestion: Option<GraceSuggestion>,
}

/// Which grace fits.
#[derive(Debug, Clone, Deserialize)]
pub struct GraceSuggestion {
    /// Seconds; the present grace where that is comfortable.
    #[serde(default)]
    pub grace: u64,
    /// What was seen, and what follows.
    #[serde(default)]
    pub text: String,
}

/// One execution of the job.
#[derive(Debug, Clone, Deserialize)]
pub struct Run {
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// Seconds, with a fraction.
    #[serde(default)]
    pub duration: Option<f64>,
    /// `ok`, `warning`, `failed`.
    #[serde(default)]
    pub outcome: Option<String>,
    /// The job's exit code.
    #[serde(default)]
    pub exit_code: Option<u8>,
    /// Numbers that the job reported.
    #[serde(default)]
    pub metrics: serde_json::Map<String, Value>,
    /// What its output says that each tool did.
    #[serde(default)]
    pub evidence: Option<Vec<Evidence>>,
    /// Why its output says that it did not go well.
    #[serde(default)]
    pub why: Option<String>,
    /// Rules that it did not keep.
    #[serde(default)]
    pub broken_rules: Vec<BrokenRule>,
}

/// What one tool says it did.
#[derive(Debug, Clone, Deserialize)]
pub struct Evidence {
    /// Its name: `restic`.
    #[serde(default)]
    pub tool: String,
    /// Files in the source.
    #[serde(default)]
    pub files_total: Option<u64>,
    /// Files that were new or changed.
    #[serde(default)]
    pub files_changed: Option<u64>,
    /// Bytes in the source.
    #[serde(default)]
    pub bytes_total: Option<u64>,
    /// Bytes that were added.
    #[serde(default)]
    pub bytes_added: Option<u64>,
    /// Files that were deleted.
    #[serde(default)]
    pub deletes: Option<u64>,
    /// What failed.
    #[serde(default)]
    pub errors: Option<u64>,
    /// Only a rehearsal.
    #[serde(default)]
    pub dry_run: Option<bool>,
}

/// A rule that a run did not keep.
#[derive(Debug, Clone, Deserialize)]
pub struct BrokenRule {
    /// The rule.
    #[serde(default)]
    pub rule: String,
    /// What was seen, and what is usual.
    #[serde(default)]
    pub text: String,
}

/// One message from the job.
#[derive(Debug, Clone, Deserialize)]
pub struct Signal {
    /// `success`, `start`, `fail`, `log`.
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// When it arrived.
    #[serde(default)]
    pub received_at: Option<Timestamp>,
    /// The run it belongs to.
    #[serde(default)]
    pub rid: Option<String>,
    /// The job's exit code.
    #[serde(default)]
    pub exit_code: Option<u8>,
    /// Why it did not count.
    #[serde(default)]
    pub ignored: Option<String>,
    /// The address it came from.
    #[serde(default)]
    pub source: Option<String>,
    /// Numbers that the job reported.
    #[serde(default)]
    pub metrics: serde_json::Map<String, Value>,
    /// How long the body was.
    #[serde(default)]
    pub body_bytes: u64,
    /// What came with it.
    #[serde(default)]
    pub body: Option<String>,
}

/// A stretch in which a heartbeat was down.
#[derive(Debug, Clone, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// Whose it is.
    #[serde(default)]
    pub heartbeat_name: String,
    /// `missed`, `overran`, `failed`, `hollow`, `never_started`, `internal`.
    #[serde(default)]
    pub cause: String,
    /// `down`, `unverified`, `warning`.
    #[serde(default)]
    pub claim: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it closed.
    #[serde(default)]
    pub closed_at: Option<Timestamp>,
    /// When someone said that it is seen.
    #[serde(default)]
    pub acknowledged_at: Option<Timestamp>,
    /// Until when alerts are held back.
    #[serde(default)]
    pub snoozed_until: Option<Timestamp>,
    /// What happened, in a sentence.
    #[serde(default)]
    pub text: Option<String>,
}

/// Where alerts go.
#[derive(Debug, Clone, Deserialize)]
pub struct Channel {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `webhook`, `ntfy`, `email`, …
    pub kind: String,
    /// How it fares.
    #[serde(default)]
    pub health: Health,
}

/// How a channel fares.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Health {
    /// When an alert last went through.
    #[serde(default)]
    pub last_sent_at: Option<Timestamp>,
    /// The last error.
    #[serde(default)]
    pub last_error: Option<String>,
    /// How many deliveries are failing.
    #[serde(default)]
    pub failing: u64,
}

/// What a channel's receiver said to a test.
#[derive(Debug, Clone, Deserialize)]
pub struct TestResult {
    /// It was accepted.
    pub ok: bool,
    /// What the receiver answered.
    #[serde(default)]
    pub detail: String,
    /// How long it took.
    #[serde(default)]
    pub duration_ms: u64,
}

/// One alert to one channel.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// `down`, `up`, …
    pub event: String,
    /// Where it goes; a channel that was deleted has no name.
    #[serde(default)]
    pub channel_name: Option<String>,
    /// `queued`, `sending`, `sent`, `failing`, `cancelled`.
    pub state: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is tried again.
    #[serde(default)]
    pub next_try_at: Option<Timestamp>,
    /// How often it was tried.
    #[serde(default)]
    pub attempt_count: u64,
    /// Why the last try failed.
    #[serde(default)]
    pub last_error: Option<String>,
}

/// The project that a key belongs to.
#[derive(Debug, Clone, Deserialize)]
pub struct Project {
    /// Its name.
    pub name: String,
}

fn one() -> u32 {
    1
}
