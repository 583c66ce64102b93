//! Channels: where alerts go.

use std::collections::BTreeMap;

use nightbeat_domain::{ChannelId, ProjectId, UnixMicros};

use super::page::{Cursor, Page, PageRequest};
use super::query::{Query, contains};
use super::taken;
use crate::codec::{json, short};
use crate::fields::Fields;
use crate::sql::{Row, Sql, Value};
use crate::{Result, StoreError};

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Its name, once in a project.
    pub name: String,
    /// Which kind of the catalogue it is: `webhook`, `email`, …
    pub kind: String,
    /// The values of the kind's fields. Some are secrets.
    pub fields: BTreeMap<String, String>,
    /// When it was created.
    pub created_at: UnixMicros,
    /// Grows with each edit: the `ETag`. 1 when it is new.
    pub version: i64,
}

/// How well a channel works.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// When an alert last got through.
    pub last_sent_at: Option<UnixMicros>,
    /// What went wrong with the newest alert that has not got through; `None` when all have.
    pub last_error: Option<String>,
    /// How many alerts failed for good and are not dismissed.
    pub failing: u64,
}

const COLUMNS: [&str; 6] = [
    "channel.id",
    "channel.name",
    "channel.kind",
    "channel.fields",
    "channel.created_at",
    "channel.version",
];

/// Adds a channel, with version 1 whatever `channel` says. [`StoreError::Conflict`] when the project has
/// one of this name.
pub fn insert(sql: &mut dyn Sql, project: ProjectId, channel: &Channel) -> Result<()> {
    sql.execute(
        "INSERT INTO channel (id, project, name, kind, fields, created_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, 1)",
        &[
            channel.id.into(),
            project.into(),
            channel.name.as_str().into(),
            channel.kind.as_str().into(),
            json(&channel.fields)?.into(),
            channel.created_at.into(),
        ],
    )
    .map_err(|error| taken(error, || name_taken(&channel.name)))?;
    Ok(())
}

/// The project's channel with this id.
pub fn get(sql: &mut dyn Sql, project: ProjectId, id: ChannelId) -> Result<Option<Channel>> {
    find(sql, project, "channel.id", id.into())
}

/// The project's channel with this name.
pub fn by_name(sql: &mut dyn Sql, project: ProjectId, name: &str) -> Result<Option<Channel>> {
    find(sql, project, "channel.name", name.into())
}

fn find(
    sql: &mut dyn Sql,
    project: ProjectId,
    column: &str,
    value: Value,
) -> Result<Option<Channel>> {
    let mut query = Query::new(&COLUMNS, "FROM channel");
    query.and_equal("channel.project", project);
    query.and_equal(column, value);
    query.run(sql, "")?.first().map(read).transpose()
}

/// The project's channels, the oldest first.
pub fn list(sql: &mut dyn Sql, project: ProjectId, page: &PageRequest) -> Result<Page<Channel>> {
    let mut query = Query::new(&COLUMNS, "FROM channel");
    query.and_equal("channel.project", project);
    if let Some(after) = page.after() {
        let (at, id) = (query.bind(after.number), query.bind(after.id));
        query.and(&format!("(channel.created_at, channel.id) > ({at}, {id})"));
    }
    let limit = query.bind(page.probe());
    let rows = query.run(
        sql,
        &format!("ORDER BY channel.created_at, channel.id LIMIT {limit}"),
    )?;
    let channels = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(Page::cut(channels, page, |channel: &Channel| Cursor {
        number: channel.created_at.0,
        id: channel.id.0,
    }))
}

/// Changes a channel's name and fields; its kind stays. The new version; `None` when the project has no
/// such channel, or its version is not `if_match`. [`StoreError::Conflict`] when the name is taken.
pub fn update(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: ChannelId,
    if_match: Option<i64>,
    name: &str,
    fields: &BTreeMap<String, String>,
) -> Result<Option<i64>> {
    let mut params: Vec<Value> = vec![id.into(), project.into(), name.into(), json(fields)?.into()];
    let matching = if if_match.is_some() {
        "AND version = $5"
    } else {
        ""
    };
    params.extend(if_match.map(Value::from));
    let statement = format!(
        "UPDATE channel SET name = $3, fields = $4, version = version + 1
         WHERE id = $1 AND project = $2 {matching} RETURNING version"
    );
    let changed = sql
        .first(&statement, &params)
        .map_err(|error| taken(error, || name_taken(name)))?;
    changed.map(|row| row.get(0)).transpose()
}

/// Removes a channel; alerts that wait for it are cancelled, and it is no longer the project's fallback.
/// Heartbeats that name it pass it over: ask [`named_by`] first. Whether it was removed: not when the
/// project has none with this id, or its version is not `if_match`.
pub fn delete(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: ChannelId,
    if_match: Option<i64>,
) -> Result<bool> {
    let mut params: Vec<Value> = vec![id.into(), project.into()];
    let matching = if if_match.is_some() {
        "AND version = $3"
    } else {
        ""
    };
    params.extend(if_match.map(Value::from));
    let statement = format!("DELETE FROM channel WHERE id = $1 AND project = $2 {matching}");
    if sql.execute(&statement, &params)? == 0 {
        return Ok(false);
    }
    sql.execute(
        "UPDATE project SET fallback_channel = NULL WHERE id = $1 AND fallback_channel = $2",
        &[project.into(), id.into()],
    )?;
    sql.execute(
        "UPDATE delivery
         SET state = 'cancelled', next_try_at = NULL, last_error = 'the channel was removed'
         WHERE channel = $1 AND state IN ('queued', 'sending')",
        &[id.into()],
    )?;
    Ok(true)
}

/// How many of the project's heartbeats name this channel in their routing.
pub fn named_by(sql: &mut dyn Sql, project: ProjectId, id: ChannelId) -> Result<u64> {
    let query = format!(
        "SELECT count(*) FROM heartbeat WHERE project = $1 AND {}",
        contains("channels", "$2")
    );
    let row = sql.first(&query, &[project.into(), id.to_string().into()])?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// How well the project's channel works; all empty when the project has no such channel.
pub fn health(sql: &mut dyn Sql, project: ProjectId, id: ChannelId) -> Result<Health> {
    let params: [Value; 2] = [project.into(), id.into()];
    let sent = sql.first(
        "SELECT max(sent_at) FROM delivery
         WHERE project = $1 AND channel = $2 AND sent_at IS NOT NULL",
        &params,
    )?;
    let trouble = sql.first(
        // Two halves, each with a small index of its own: most deliveries are sent, and none of those is
        // looked at.
        "SELECT last_error FROM (
             SELECT number, last_error FROM delivery
             WHERE project = $1 AND channel = $2 AND last_error IS NOT NULL
               AND state = 'failing' AND dismissed_at IS NULL
             UNION ALL
             SELECT number, last_error FROM delivery
             WHERE channel = (SELECT id FROM channel WHERE project = $1 AND id = $2)
               AND last_error IS NOT NULL AND state IN ('queued', 'sending')
         ) AS unsent ORDER BY number DESC LIMIT 1",
        &params,
    )?;
    let failing = sql.first(
        "SELECT count(*) FROM delivery
         WHERE project = $1 AND channel = $2 AND state = 'failing' AND dismissed_at IS NULL",
        &params,
    )?;
    Ok(Health {
        last_sent_at: sent.map_or(Ok(None), |row| row.get(0))?,
        last_error: trouble.map_or(Ok(None), |row| row.get(0))?,
        failing: failing.map_or(Ok(0), |row| row.get(0))?,
    })
}

/// [`StoreError::Conflict`] unless each of these is a channel of the project.
pub(super) fn all_known(
    sql: &mut dyn Sql,
    project: ProjectId,
    channels: &[ChannelId],
) -> Result<()> {
    for id in channels {
        let query = "SELECT 1 FROM channel WHERE project = $1 AND id = $2";
        if sql.first(query, &[project.into(), (*id).into()])?.is_none() {
            let id = short(id.0);
            return Err(StoreError::Conflict(format!(
                "channel {id} is not in this project"
            )));
        }
    }
    Ok(())
}

fn name_taken(name: &str) -> String {
    format!("there is a channel named {name:?} already")
}

fn read(row: &Row) -> Result<Channel> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Channel {
        id: fields.get("channel.id")?,
        name: fields.get("channel.name")?,
        kind: fields.get("channel.kind")?,
        fields: fields.json("channel.fields")?,
        created_at: fields.get("channel.created_at")?,
        version: fields.get("channel.version")?,
    })
}
