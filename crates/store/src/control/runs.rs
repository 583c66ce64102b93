//! The runs of a heartbeat that have ended.

use nightbeat_domain::{HeartbeatId, Outcome, ProjectId, RunId, UnixMicros};

use super::chain::Chain;
use super::page::{Page, PageRequest};
use crate::Result;
use crate::codec;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number in the log of all runs; what was recorded later has a greater number.
    pub id: i64,
    /// The run id that the client chose.
    pub rid: Option<RunId>,
    /// When it started, where it said so.
    pub started_at: Option<UnixMicros>,
    /// When it ended.
    pub ended_at: UnixMicros,
    /// How it ended.
    pub outcome: Outcome,
    /// The job's exit code.
    pub exit_code: Option<u8>,
}

const COLUMNS: [&str; 7] = [
    "run.id",
    "run.previous",
    "run.rid",
    "run.started_at",
    "run.ended_at",
    "run.outcome",
    "run.exit_code",
];

pub(super) const CHAIN: Chain = Chain {
    table: "run",
    head: "newest_run",
    columns: &COLUMNS,
    bytes: "0",
    bytes_max: i64::MAX,
};

/// The runs of the project's heartbeat, newest first; `None` when the project has no such heartbeat.
pub fn list(
    sql: &mut dyn Sql,
    project: ProjectId,
    heartbeat: HeartbeatId,
    page: &PageRequest,
) -> Result<Option<Page<Run>>> {
    CHAIN.page(sql, (project, heartbeat), page, read)
}

fn read(row: &Row) -> Result<Run> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Run {
        id: fields.get("run.id")?,
        rid: fields.get("run.rid")?,
        started_at: fields.get("run.started_at")?,
        ended_at: fields.get("run.ended_at")?,
        outcome: fields.code("run.outcome", codec::outcome)?,
        exit_code: fields.int_or_null("run.exit_code")?,
    })
}
