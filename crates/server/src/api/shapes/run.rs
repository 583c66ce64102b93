//! Runs.

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
        Self {
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

impl From<nightbeat_domain::Outcome> for Outcome {
    fn from(outcome: nightbeat_domain::Outcome) -> Self {
        match outcome {
            nightbeat_domain::Outcome::Ok => Self::Ok,
            nightbeat_domain::Outcome::Warning => Self::Warning,
            nightbeat_domain::Outcome::Failed => Self::Failed,
        }
    }
}
