//! Status pages: what a project shows to everybody who knows the address, all of its heartbeats or those with
//! one tag.

use nightbeat_domain::{ProjectId, UnixMicros};
use uuid::Uuid;

use super::query::select;
use super::taken;
use crate::fields::Fields;
use crate::sql::{Row, Sql};
use crate::{Result, StoreError};

/// A status page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPage {
    /// Its id, for those who manage it.
    pub id: Uuid,
    /// The last part of its address: one that nobody can guess, or a name. Once on a server.
    pub path: String,
    /// The tag of the heartbeats that it shows; empty: all of the project's.
    pub tag: String,
    /// What stands on top of it.
    pub title: String,
    /// When it was made.
    pub created_at: UnixMicros,
}

/// The most status pages of one project: each takes an address of the whole server.
pub const STATUS_PAGES_MAX: i64 = 20;

const COLUMNS: [&str; 5] = [
    "status_page.id",
    "status_page.path",
    "status_page.tag",
    "status_page.title",
    "status_page.created_at",
];

/// Adds a page. [`Conflict`](StoreError::Conflict) when its path is taken, or the project has
/// [`STATUS_PAGES_MAX`] already.
pub fn insert(sql: &mut dyn Sql, project: ProjectId, page: &StatusPage) -> Result<()> {
    let count = "SELECT count(*) FROM status_page WHERE project = $1";
    let count = sql.first(count, &[project.into()])?;
    let count: i64 = count.map_or(Ok(0), |row| row.get(0))?;
    if count >= STATUS_PAGES_MAX {
        let problem = format!("A project has at most {STATUS_PAGES_MAX} status pages.");
        return Err(StoreError::Conflict(problem));
    }
    sql.execute(
        "INSERT INTO status_page (id, project, path, tag, title, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            page.id.into(),
            project.into(),
            page.path.as_str().into(),
            page.tag.as_str().into(),
            page.title.as_str().into(),
            page.created_at.into(),
        ],
    )
    .map_err(|error| taken(error, address_taken))?;
    Ok(())
}

/// Changes a page's path, tag and title; whether the project has it. [`Conflict`](StoreError::Conflict) when
/// the path is taken.
pub fn update(sql: &mut dyn Sql, project: ProjectId, page: &StatusPage) -> Result<bool> {
    let changed = sql
        .execute(
            "UPDATE status_page SET path = $3, tag = $4, title = $5 WHERE project = $1 AND id = $2",
            &[
                project.into(),
                page.id.into(),
                page.path.as_str().into(),
                page.tag.as_str().into(),
                page.title.as_str().into(),
            ],
        )
        .map_err(|error| taken(error, address_taken))?;
    Ok(changed > 0)
}

fn address_taken() -> String {
    "This address is taken: choose another.".to_owned()
}

/// The project's pages, the oldest first.
pub fn list(sql: &mut dyn Sql, project: ProjectId) -> Result<Vec<StatusPage>> {
    let query = select(
        &COLUMNS,
        "FROM status_page WHERE status_page.project = $1
         ORDER BY status_page.created_at, status_page.id LIMIT $2",
    );
    let rows = sql.query(&query, &[project.into(), STATUS_PAGES_MAX.into()])?;
    rows.iter().map(read).collect()
}

/// The project's page with this id.
pub fn get(sql: &mut dyn Sql, project: ProjectId, id: Uuid) -> Result<Option<StatusPage>> {
    let query = select(
        &COLUMNS,
        "FROM status_page WHERE status_page.project = $1 AND status_page.id = $2",
    );
    let row = sql.first(&query, &[project.into(), id.into()])?;
    row.as_ref().map(read).transpose()
}

/// The page at this address and its project, whosever it is: everybody may look at it.
pub fn by_path(sql: &mut dyn Sql, path: &str) -> Result<Option<(ProjectId, StatusPage)>> {
    let query =
        "SELECT status_page.project, status_page.id FROM status_page WHERE status_page.path = $1";
    let Some(row) = sql.first(query, &[path.into()])? else {
        return Ok(None);
    };
    let project: ProjectId = row.get(0)?;
    Ok(get(sql, project, row.get(1)?)?.map(|page| (project, page)))
}

/// Removes a page; whether the project had it.
pub fn delete(sql: &mut dyn Sql, project: ProjectId, id: Uuid) -> Result<bool> {
    let deleted = sql.execute(
        "DELETE FROM status_page WHERE project = $1 AND id = $2",
        &[project.into(), id.into()],
    )?;
    Ok(deleted > 0)
}

fn read(row: &Row) -> Result<StatusPage> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(StatusPage {
        id: fields.get("status_page.id")?,
        path: fields.get("status_page.path")?,
        tag: fields.get("status_page.tag")?,
        title: fields.get("status_page.title")?,
        created_at: fields.get("status_page.created_at")?,
    })
}
