//! Projects: the tenants.

use nightbeat_domain::{ChannelId, ProjectId, UnixMicros};
use uuid::Uuid;

use super::accounts::{MEMBERSHIPS_MAX, Role};
use super::page::{Cursor, Page, PageRequest};
use super::query::select;
use super::{channels, taken};
use crate::Result;
use crate::fields::Fields;
use crate::sql::{Row, Sql, Value};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// The secret that opens the slug URLs of all its heartbeats.
    pub ping_key: String,
    /// Used too when an alert is undelivered for two minutes.
    pub fallback_channel: Option<ChannelId>,
    /// When it was created.
    pub created_at: UnixMicros,
}

const COLUMNS: [&str; 5] = [
    "project.id",
    "project.name",
    "project.ping_key",
    "project.fallback_channel",
    "project.created_at",
];

/// Adds a project. [`Conflict`](crate::StoreError::Conflict) when another has its id or ping key.
pub fn create(sql: &mut dyn Sql, project: &Project) -> Result<()> {
    sql.execute(
        "INSERT INTO project (id, name, ping_key, fallback_channel, created_at)
         VALUES ($1, $2, $3, $4, $5)",
        &[
            project.id.into(),
            project.name.as_str().into(),
            project.ping_key.as_str().into(),
            project.fallback_channel.into(),
            project.created_at.into(),
        ],
    )
    .map_err(|error| taken(error, || "another project has this ping key".to_owned()))?;
    Ok(())
}

/// The project with this id.
pub fn get(sql: &mut dyn Sql, id: ProjectId) -> Result<Option<Project>> {
    let query = select(&COLUMNS, "FROM project WHERE project.id = $1");
    let row = sql.first(&query, &[id.into()])?;
    row.as_ref().map(read).transpose()
}

/// The project whose slug URLs this ping key opens.
pub fn by_ping_key(sql: &mut dyn Sql, ping_key: &str) -> Result<Option<Project>> {
    let query = select(&COLUMNS, "FROM project WHERE project.ping_key = $1");
    let row = sql.first(&query, &[ping_key.into()])?;
    row.as_ref().map(read).transpose()
}

/// Changes what a person may edit; whether there is such a project. [`Conflict`](crate::StoreError::Conflict) when the
/// fallback channel is not one of the project's own.
pub fn update(
    sql: &mut dyn Sql,
    id: ProjectId,
    name: &str,
    fallback_channel: Option<ChannelId>,
) -> Result<bool> {
    if let Some(channel) = fallback_channel {
        channels::all_known(sql, id, &[channel])?;
    }
    let changed = sql.execute(
        "UPDATE project SET name = $2, fallback_channel = $3 WHERE id = $1",
        &[id.into(), name.into(), fallback_channel.into()],
    )?;
    Ok(changed > 0)
}

/// Gives a project another ping key: every slug URL with the old one stops working at once. Whether
/// there is such a project; [`Conflict`](crate::StoreError::Conflict) when another has this key.
pub fn set_ping_key(sql: &mut dyn Sql, id: ProjectId, ping_key: &str) -> Result<bool> {
    let changed = sql
        .execute(
            "UPDATE project SET ping_key = $2 WHERE id = $1",
            &[id.into(), ping_key.into()],
        )
        .map_err(|error| taken(error, || "another project has this ping key".to_owned()))?;
    Ok(changed > 0)
}

/// The secret that signs the links of a project's badges; `None` until there is one, or where there is no
/// such project.
pub fn badge_key(sql: &mut dyn Sql, id: ProjectId) -> Result<Option<String>> {
    let query = "SELECT project.badge_key FROM project WHERE project.id = $1";
    sql.first(query, &[id.into()])?
        .map_or(Ok(None), |row| row.get(0))
}

/// Gives a project another such secret: every link that was signed with the old one ends. Whether there is
/// such a project.
pub fn set_badge_key(sql: &mut dyn Sql, id: ProjectId, badge_key: &str) -> Result<bool> {
    let changed = sql.execute(
        "UPDATE project SET badge_key = $2 WHERE id = $1",
        &[id.into(), badge_key.into()],
    )?;
    Ok(changed > 0)
}

/// Removes a project for everybody: its members, its keys and its channels are gone at once, and what waits to be
/// sent is cancelled. What is left of it is deleted in small pieces, so that no signal waits for it: its heartbeats,
/// with their signal URLs, by [`remove_heartbeats`], and their logs by [`prune_removed`](super::prune_removed).
/// Whether there was such a project.
pub fn remove(sql: &mut dyn Sql, id: ProjectId) -> Result<bool> {
    let no_key = format!("removed {id}");
    if !set_ping_key(sql, id, &no_key)? {
        return Ok(false);
    }
    sql.execute(
        "UPDATE delivery SET state = 'cancelled', next_try_at = NULL, last_error = 'the project was removed'
         WHERE project = $1 AND state IN ('queued', 'sending')",
        &[id.into()],
    )?;
    for table in ["member", "invitation", "api_key", "channel"] {
        let statement = format!("DELETE FROM {table} WHERE project = $1");
        sql.execute(&statement, &[id.into()])?;
    }
    sql.execute(
        "INSERT INTO removed_project (id) VALUES ($1) ON CONFLICT (id) DO NOTHING",
        &[id.into()],
    )?;
    Ok(true)
}

/// Deletes up to `heartbeats_max` heartbeats of a project that was removed; how many. Once none is left the project
/// itself goes, and what stands in its name. Their signals and runs are left to
/// [`prune_removed`](super::prune_removed).
pub fn remove_heartbeats(sql: &mut dyn Sql, id: ProjectId, heartbeats_max: u32) -> Result<u64> {
    let these = "(SELECT id FROM heartbeat WHERE project = $1 ORDER BY created_at, id LIMIT $2)";
    let params: [Value; 2] = [id.into(), heartbeats_max.max(1).into()];
    for statement in [
        "INSERT INTO removed_heartbeat (id, newest_signal, newest_run)
         SELECT id, newest_signal, newest_run FROM heartbeat_state WHERE id IN",
        "DELETE FROM heartbeat_state WHERE id IN",
        "DELETE FROM broken_heartbeat WHERE heartbeat IN",
    ] {
        sql.execute(&format!("{statement} {these}"), &params)?;
    }
    // Last: the others find by it which ones are meant.
    let removed = sql.execute(
        &format!("DELETE FROM heartbeat WHERE id IN {these}"),
        &params,
    )?;
    if removed == 0 {
        sql.execute("DELETE FROM project WHERE id = $1", &[id.into()])?;
    }
    Ok(removed)
}

/// All projects of this server, the oldest first: for its administrator, not for a tenant.
pub fn list(sql: &mut dyn Sql, page: &PageRequest) -> Result<Page<Project>> {
    let after = page.after().unwrap_or(Cursor::FIRST);
    let query = select(
        &COLUMNS,
        "FROM project
         WHERE (project.created_at, project.id) > ($1, $2)
         ORDER BY project.created_at, project.id LIMIT $3",
    );
    let rows = sql.query(
        &query,
        &[after.number.into(), after.id.into(), page.probe()],
    )?;
    let projects = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(Page::cut(projects, page, |project| Cursor {
        number: project.created_at.0,
        id: project.id.0,
    }))
}

/// The projects of an account by name, and what it may do there; at most [`MEMBERSHIPS_MAX`].
pub fn of_account(sql: &mut dyn Sql, account: Uuid) -> Result<Vec<(Project, Role)>> {
    const COLUMNS: [&str; 6] = [
        "project.id",
        "project.name",
        "project.ping_key",
        "project.fallback_channel",
        "project.created_at",
        "member.role",
    ];
    let query = select(
        &COLUMNS,
        "FROM member JOIN project ON project.id = member.project
         WHERE member.account = $1 ORDER BY project.name, project.id LIMIT $2",
    );
    let rows = sql.query(&query, &[account.into(), MEMBERSHIPS_MAX.into()])?;
    rows.iter()
        .map(|row| Ok((read(row)?, Fields::new(&COLUMNS, row).named("member.role")?)))
        .collect()
}

/// How many projects this server has.
pub fn count(sql: &mut dyn Sql) -> Result<u64> {
    let row = sql.first("SELECT count(*) FROM project", &[])?;
    row.map_or(Ok(0), |row| row.get(0))
}

fn read(row: &Row) -> Result<Project> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Project {
        id: fields.get("project.id")?,
        name: fields.get("project.name")?,
        ping_key: fields.get("project.ping_key")?,
        fallback_channel: fields.get("project.fallback_channel")?,
        created_at: fields.get("project.created_at")?,
    })
}
