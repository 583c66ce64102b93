//! The runs of a heartbeat that have ended.

use nightbeat_domain::work::{PAST_RUNS, PAST_RUNS_MAX, PastRun, is_enough};
use nightbeat_domain::{HeartbeatId, Outcome, ProjectId, RunId, UnixMicros, Work};

use super::chain::Chain;
use super::page::{Page, PageRequest};
use crate::Result;
use crate::codec;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// A run that has ended.
#[derive(Debug, Clone, PartialEq)]
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
    /// What it says of its work, where it says anything.
    pub work: Option<Work>,
}

const COLUMNS: [&str; 8] = [
    "run.id",
    "run.previous",
    "run.rid",
    "run.started_at",
    "run.ended_at",
    "run.outcome",
    "run.exit_code",
    "run.work",
];

pub(super) const CHAIN: Chain = Chain {
    table: "run",
    head: "newest_run",
    columns: &COLUMNS,
    bytes: "coalesce(length(run.work), 0)",
    bytes_max: PAGE_WORK_BYTES_MAX,
};

/// A page ends with the run whose work brings it here.
const PAGE_WORK_BYTES_MAX: i64 = 4_000_000;

/// The runs of the project's heartbeat, newest first; `None` when the project has no such heartbeat.
pub fn list(
    sql: &mut dyn Sql,
    project: ProjectId,
    heartbeat: HeartbeatId,
    page: &PageRequest,
) -> Result<Option<Page<Run>>> {
    CHAIN.page(sql, (project, heartbeat), page, read)
}

/// The newest runs from `newest` on, as far as a later one is held against them; the oldest first. One whose
/// work cannot be read counts as one that said nothing: a signal is not refused for what is wrong with an old
/// run.
pub(crate) fn past(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    newest: Option<i64>,
) -> Result<Vec<PastRun>> {
    let mut past = Vec::new();
    let mut from = newest;
    while from.is_some() && past.len() < PAST_RUNS_MAX {
        let rows = CHAIN.walk(sql, heartbeat, from, PAST_RUNS)?;
        from = rows.last().map_or(Ok(None), |row| row.get(1))?;
        for row in &rows {
            past.push(read_past(row)?);
        }
        if is_enough(&past) {
            break;
        }
    }
    past.reverse();
    Ok(past)
}

fn read_past(row: &Row) -> Result<PastRun> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(PastRun {
        started_at: fields.get("run.started_at")?,
        ended_at: fields.get("run.ended_at")?,
        outcome: fields.code("run.outcome", codec::outcome)?,
        work: fields.json_or_null("run.work").unwrap_or_else(|error| {
            tracing::error!(%error, "what a run did is left out of what is usual for its job");
            None
        }),
    })
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
        work: fields.json_or_null("run.work")?,
    })
}
