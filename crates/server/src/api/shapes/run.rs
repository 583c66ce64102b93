//! Runs.

use std::collections::BTreeMap;

use nightbeat_domain::Severity;
use nightbeat_evidence::{Evidence, Telltale};
use nightbeat_store::control::runs;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Time;
use super::time::seconds;

/// One execution of a job that has ended.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Run {
    /// Its number; later ones have greater numbers.
    id: i64,
    /// The run id that the client chose.
    #[schema(required)]
    rid: Option<Uuid>,
    /// When it started, where it said so.
    #[schema(required)]
    started_at: Option<Time>,
    /// When it ended.
    ended_at: Time,
    /// How long it took, in seconds.
    #[schema(required)]
    duration: Option<f64>,
    /// How it ended.
    outcome: Outcome,
    /// The job's exit code, where it was told.
    #[schema(required)]
    exit_code: Option<u8>,
    /// Numbers that it reported itself.
    metrics: BTreeMap<String, f64>,
    /// What its output says that each tool did; `null`: nothing was recognised in it.
    #[schema(required, value_type = Option<Vec<Object>>)]
    evidence: Option<Vec<Evidence>>,
    /// Lines of its output that give something away.
    #[schema(value_type = Vec<Object>)]
    telltales: Vec<Telltale>,
    /// Why its output says that it did not go well, in one sentence.
    #[schema(required)]
    why: Option<String>,
    /// Rules that it did not keep.
    broken_rules: Vec<BrokenRule>,
}

/// A rule that a run did not keep.
#[derive(Debug, Serialize, ToSchema)]
struct BrokenRule {
    /// The rule.
    rule: String,
    /// `failure`: the run counts as failed; `warning`: it counts as done, with a warning.
    severity: &'static str,
    /// What was seen, and what is usual.
    text: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// As it should.
    Ok,
    /// Done, with something to look at.
    Warning,
    /// Not done.
    Failed,
}

impl From<runs::Run> for Run {
    fn from(run: runs::Run) -> Self {
        let work = run.work.unwrap_or_default();
        let metrics = work.metrics.into_iter();
        let reading = work.reading.map(|it| *it).unwrap_or_default();
        Self {
            metrics: metrics.map(|it| (it.name, it.value)).collect(),
            evidence: Some(reading.evidence).filter(|evidence| !evidence.is_empty()),
            telltales: reading.telltales,
            why: reading.why,
            broken_rules: work
                .broken_rules
                .into_iter()
                .map(BrokenRule::from)
                .collect(),
            id: run.id,
            rid: run.rid.map(|rid| rid.0),
            started_at: run.started_at.map(Time::from),
            ended_at: run.ended_at.into(),
            duration: seconds(run.started_at, run.ended_at),
            outcome: run.outcome.into(),
            exit_code: run.exit_code,
        }
    }
}

impl From<nightbeat_domain::BrokenRule> for BrokenRule {
    fn from(broken: nightbeat_domain::BrokenRule) -> Self {
        Self {
            rule: broken.rule,
            severity: match broken.severity {
                Severity::Warning => "warning",
                Severity::Failure => "failure",
            },
            text: broken.explanation,
        }
    }
}

impl From<nightbeat_domain::Outcome> for Outcome {
    fn from(outcome: nightbeat_domain::Outcome) -> Self {
        match outcome {
            nightbeat_domain::Outcome::Ok => Self::Ok,
            nightbeat_domain::Outcome::Warning => Self::Warning,
            nightbeat_domain::Outcome::Failed => Self::Failed,
        }
    }
}
