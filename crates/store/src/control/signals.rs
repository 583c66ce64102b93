//! The signals of a heartbeat, as they were received.

use std::collections::BTreeMap;

use nightbeat_domain::{HeartbeatId, IgnoredBecause, ProjectId, RunId, SignalKind, UnixMicros};

use super::chain::Chain;
use super::page::{Page, PageRequest};
use super::query::select;
use crate::Result;
use crate::codec;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// A signal that was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Its number in the log of all signals; later ones have greater numbers.
    pub id: i64,
    /// What it says.
    pub kind: SignalKind,
    /// When it reached us.
    pub received_at: UnixMicros,
    /// When it happened: before `received_at` when the client delivered it late, else the same.
    pub happened_at: UnixMicros,
    /// The run it belongs to.
    pub rid: Option<RunId>,
    /// The job's exit code.
    pub exit_code: Option<u8>,
    /// Why it did not count; `None`: it counted.
    pub ignored: Option<IgnoredBecause>,
    /// GET, HEAD, POST or PUT.
    pub method: String,
    /// The client's address, or empty.
    pub source: String,
    /// The client's name for itself, perhaps cut.
    pub user_agent: String,
    /// Numbers that the job reported.
    pub metrics: BTreeMap<String, f64>,
    /// What was kept of the body.
    pub body: Option<Vec<u8>>,
    /// How many bytes the body had. More than `body` holds: it was cut.
    pub body_bytes: Option<u64>,
}

/// How many bytes of bodies bring a page to its end before it has as many signals as were asked for.
pub const PAGE_BODY_BYTES_MAX: i64 = 8 * 1024 * 1024;

const COLUMNS: [&str; 14] = [
    "signal.id",
    "signal.previous",
    "signal.kind",
    "signal.received_at",
    "signal.happened_at",
    "signal.rid",
    "signal.exit_code",
    "signal.ignored",
    "signal.method",
    "signal.source",
    "signal.user_agent",
    "signal.metrics",
    "signal.body",
    "signal.body_bytes",
];

const SLIM_COLUMNS: [&str; 12] = [
    "signal.id",
    "signal.previous",
    "signal.kind",
    "signal.received_at",
    "signal.happened_at",
    "signal.rid",
    "signal.exit_code",
    "signal.ignored",
    "signal.method",
    "signal.source",
    "signal.user_agent",
    "signal.body_bytes",
];

const CHAIN_WITHOUT_BODIES: Chain = Chain {
    columns: &SLIM_COLUMNS,
    bytes: "0",
    ..CHAIN
};

pub(super) const CHAIN: Chain = Chain {
    table: "signal",
    head: "newest_signal",
    columns: &COLUMNS,
    bytes: "coalesce(length(signal.body), 0)",
    bytes_max: PAGE_BODY_BYTES_MAX,
};

/// The signals of the project's heartbeat with their bodies, newest first; `None` when the project has
/// no such heartbeat. A page with large bodies is shorter, see [`PAGE_BODY_BYTES_MAX`].
pub fn list(
    sql: &mut dyn Sql,
    project: ProjectId,
    heartbeat: HeartbeatId,
    page: &PageRequest,
) -> Result<Option<Page<Signal>>> {
    CHAIN.page(sql, (project, heartbeat), page, read)
}

/// The same without bodies and metrics, so that no page is shorter; whether there was a body is told by
/// [`Signal::body_bytes`].
pub fn list_without_bodies(
    sql: &mut dyn Sql,
    project: ProjectId,
    heartbeat: HeartbeatId,
    page: &PageRequest,
) -> Result<Option<Page<Signal>>> {
    CHAIN_WITHOUT_BODIES.page(sql, (project, heartbeat), page, |row| {
        read_slim(&Fields::new(&SLIM_COLUMNS, row))
    })
}

/// The signal with this number of the project's heartbeat.
pub fn get(
    sql: &mut dyn Sql,
    project: ProjectId,
    heartbeat: HeartbeatId,
    id: i64,
) -> Result<Option<Signal>> {
    let query = select(
        &COLUMNS,
        "FROM signal JOIN heartbeat ON heartbeat.id = signal.heartbeat
         WHERE signal.id = $1 AND signal.heartbeat = $2 AND heartbeat.project = $3",
    );
    let row = sql.first(&query, &[id.into(), heartbeat.into(), project.into()])?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Signal> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Signal {
        metrics: fields.json_or_null("signal.metrics")?.unwrap_or_default(),
        body: fields.get("signal.body")?,
        ..read_slim(&fields)?
    })
}

fn read_slim(fields: &Fields<'_>) -> Result<Signal> {
    let received_at = fields.get("signal.received_at")?;
    let happened_at: Option<UnixMicros> = fields.get("signal.happened_at")?;
    Ok(Signal {
        id: fields.get("signal.id")?,
        kind: fields.code("signal.kind", codec::kind)?,
        received_at,
        happened_at: happened_at.unwrap_or(received_at),
        rid: fields.get("signal.rid")?,
        exit_code: fields.int_or_null("signal.exit_code")?,
        ignored: fields.code_or_null("signal.ignored", codec::ignored)?,
        method: fields.get("signal.method")?,
        source: fields.get("signal.source")?,
        user_agent: fields.get("signal.user_agent")?,
        metrics: BTreeMap::new(),
        body: None,
        body_bytes: fields.get("signal.body_bytes")?,
    })
}
