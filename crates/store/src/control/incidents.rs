//! Incidents: the times in which heartbeats were down, or to be warned about. They are kept for ever,
//! also when their heartbeat is removed.

use nightbeat_domain::{
    AlertSnapshot, Cause, Claim, HeartbeatId, IncidentId, ProjectId, UnixMicros,
};

use super::page::{Cursor, Page, PageRequest};
use super::query::Query;
use crate::Result;
use crate::fields::Fields;
use crate::sql::{Row, Sql, Value};

/// An incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// The heartbeat it is about, which may be removed by now.
    pub heartbeat: HeartbeatId,
    /// The name that the heartbeat had when it opened.
    pub heartbeat_name: String,
    /// Which of the heartbeat's incidents it is; 1 is the first.
    pub number: u32,
    /// Why it opened.
    pub cause: Cause,
    /// What is claimed.
    pub claim: Claim,
    /// When it opened.
    pub opened_at: UnixMicros,
    /// When it closed.
    pub closed_at: Option<UnixMicros>,
    /// How it closed, by [`Closing::as_str`](nightbeat_domain::Closing::as_str). `None` while it is open,
    /// and when its heartbeat was removed.
    pub closing: Option<String>,
    /// When a person said that they have seen it.
    pub acknowledged_at: Option<UnixMicros>,
    /// Until when a person holds alerts back.
    pub snoozed_until: Option<UnixMicros>,
    /// What was last told of it as it opened or was confirmed; `None` when alerts were held back.
    pub alert: Option<AlertSnapshot>,
}

/// Which incidents of a project are wanted: those for which all of this holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    /// It is about this heartbeat.
    pub heartbeat: Option<HeartbeatId>,
    /// It is open (`true`), or closed (`false`).
    pub open: Option<bool>,
}

const COLUMNS: [&str; 12] = [
    "incident.id",
    "incident.heartbeat",
    "incident.heartbeat_name",
    "incident.number",
    "incident.cause",
    "incident.claim",
    "incident.opened_at",
    "incident.closed_at",
    "incident.closing",
    "incident.acknowledged_at",
    "incident.snoozed_until",
    "incident.alert",
];

/// The project's incidents that the filter lets through, newest first.
pub fn list(
    sql: &mut dyn Sql,
    project: ProjectId,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Page<Incident>> {
    let mut query = Query::new(&COLUMNS, "FROM incident");
    query.and_equal("incident.project", project);
    match filter.open {
        Some(true) => query.and("incident.closed_at IS NULL"),
        Some(false) => query.and("incident.closed_at IS NOT NULL"),
        None => {}
    }
    // Each has an index in its own order, and both orders are the order of time.
    let order = match filter.heartbeat {
        Some(heartbeat) => {
            query.and_equal("incident.heartbeat", heartbeat);
            "incident.number"
        }
        None => "incident.opened_at",
    };
    if let Some(after) = page.after() {
        let (number, id) = (query.bind(after.number), query.bind(after.id));
        query.and(&format!("({order}, incident.id) < ({number}, {id})"));
    }
    let limit = query.bind(page.probe());
    let tail = format!("ORDER BY {order} DESC, incident.id DESC LIMIT {limit}");
    let rows = query.run(sql, &tail)?;
    let incidents = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(Page::cut(incidents, page, |incident: &Incident| Cursor {
        number: match filter.heartbeat {
            Some(_) => i64::from(incident.number),
            None => incident.opened_at.0,
        },
        id: incident.id.0,
    }))
}

/// The project's incident with this id.
pub fn get(sql: &mut dyn Sql, project: ProjectId, id: IncidentId) -> Result<Option<Incident>> {
    let mut query = Query::new(&COLUMNS, "FROM incident");
    query.and_equal("incident.project", project);
    query.and_equal("incident.id", id);
    query.run(sql, "")?.first().map(read).transpose()
}

/// Notes since when a person has seen an incident that is open; whether the project has such a one. What
/// follows from it for alerts stands in the heartbeat's state.
pub fn set_acknowledged(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: IncidentId,
    at: Option<UnixMicros>,
) -> Result<bool> {
    set(sql, project, id, "acknowledged_at", at.into())
}

/// Notes until when a person holds back the alerts of an incident that is open; whether the project has
/// such a one. What follows from it for alerts stands in the heartbeat's state.
pub fn set_snoozed(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: IncidentId,
    until: Option<UnixMicros>,
) -> Result<bool> {
    set(sql, project, id, "snoozed_until", until.into())
}

fn set(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: IncidentId,
    column: &str,
    value: Value,
) -> Result<bool> {
    let statement = format!(
        "UPDATE incident SET {column} = $3 WHERE project = $1 AND id = $2 AND closed_at IS NULL"
    );
    let changed = sql.execute(&statement, &[project.into(), id.into(), value])?;
    Ok(changed > 0)
}

fn read(row: &Row) -> Result<Incident> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Incident {
        id: fields.get("incident.id")?,
        heartbeat: fields.get("incident.heartbeat")?,
        heartbeat_name: fields.get("incident.heartbeat_name")?,
        number: fields.get("incident.number")?,
        cause: fields.named("incident.cause")?,
        claim: fields.named("incident.claim")?,
        opened_at: fields.get("incident.opened_at")?,
        closed_at: fields.get("incident.closed_at")?,
        closing: fields.get("incident.closing")?,
        acknowledged_at: fields.get("incident.acknowledged_at")?,
        snoozed_until: fields.get("incident.snoozed_until")?,
        alert: fields.json("incident.alert")?,
    })
}
