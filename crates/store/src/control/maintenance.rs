//! Maintenance windows: times in which a project's misses are held back.

use nightbeat_domain::{ProjectId, UnixMicros};
use uuid::Uuid;

use super::page::{Cursor, Page, PageRequest};
use super::query::Query;
use super::taken;
use crate::Result;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// A maintenance window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its id.
    pub id: Uuid,
    /// Its first instant.
    pub from: UnixMicros,
    /// The instant at which it is over; after `from`.
    pub to: UnixMicros,
    /// What it is for.
    pub note: String,
    /// When it was entered.
    pub created_at: UnixMicros,
}

/// The most windows that count at one instant; more of them say nothing new.
pub const ACTIVE_MAX: i64 = 100;

const COLUMNS: [&str; 5] = [
    "maintenance.id",
    "maintenance.from_at",
    "maintenance.to_at",
    "maintenance.note",
    "maintenance.created_at",
];

/// Adds a window. [`Conflict`](crate::StoreError::Conflict) when its id exists.
pub fn insert(sql: &mut dyn Sql, project: ProjectId, window: &Window) -> Result<()> {
    sql.execute(
        "INSERT INTO maintenance (id, project, from_at, to_at, note, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            window.id.into(),
            project.into(),
            window.from.into(),
            window.to.into(),
            window.note.as_str().into(),
            window.created_at.into(),
        ],
    )
    .map_err(|error| taken(error, || "there is a window with this id".to_owned()))?;
    Ok(())
}

/// The project's windows, the one that ends last first.
pub fn list(sql: &mut dyn Sql, project: ProjectId, page: &PageRequest) -> Result<Page<Window>> {
    let mut query = Query::new(&COLUMNS, "FROM maintenance");
    query.and_equal("maintenance.project", project);
    if let Some(after) = page.after() {
        let (to, id) = (query.bind(after.number), query.bind(after.id));
        query.and(&format!(
            "(maintenance.to_at, maintenance.id) < ({to}, {id})"
        ));
    }
    let limit = query.bind(page.probe());
    let tail = format!("ORDER BY maintenance.to_at DESC, maintenance.id DESC LIMIT {limit}");
    let rows = query.run(sql, &tail)?;
    let windows = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(Page::cut(windows, page, |window: &Window| Cursor {
        number: window.to.0,
        id: window.id,
    }))
}

/// The project's windows that are open at `at`, the one that ends last first.
pub fn active(sql: &mut dyn Sql, project: ProjectId, at: UnixMicros) -> Result<Vec<Window>> {
    let mut query = Query::new(&COLUMNS, "FROM maintenance");
    query.and_equal("maintenance.project", project);
    let at = query.bind(at);
    query.and(&format!(
        "maintenance.from_at <= {at} AND maintenance.to_at > {at}"
    ));
    let limit = query.bind(ACTIVE_MAX);
    let rows = query.run(
        sql,
        &format!("ORDER BY maintenance.to_at DESC LIMIT {limit}"),
    )?;
    rows.iter().map(read).collect()
}

/// Removes a window; whether the project had it.
pub fn delete(sql: &mut dyn Sql, project: ProjectId, id: Uuid) -> Result<bool> {
    let removed = sql.execute(
        "DELETE FROM maintenance WHERE project = $1 AND id = $2",
        &[project.into(), id.into()],
    )?;
    Ok(removed > 0)
}

fn read(row: &Row) -> Result<Window> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Window {
        id: fields.get("maintenance.id")?,
        from: fields.get("maintenance.from_at")?,
        to: fields.get("maintenance.to_at")?,
        note: fields.get("maintenance.note")?,
        created_at: fields.get("maintenance.created_at")?,
    })
}
