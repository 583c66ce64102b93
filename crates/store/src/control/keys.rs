//! API keys and one-time links. Of both only the SHA-256 hash is stored: they carry 256 random bits, so
//! nothing can be guessed from it.

use std::time::Duration;

use nightbeat_domain::{ProjectId, UnixMicros};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::page::{Cursor, Page, PageRequest};
use super::query::{Query, contains, select};
use super::taken;
use crate::Result;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everything in its project.
    ReadWrite,
    /// Only look, and not at secrets.
    ReadOnly,
}

impl Scope {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
        }
    }
}

/// A key, as far as it is known after it was shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: Uuid,
    /// What a person calls it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub created_at: UnixMicros,
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixMicros>,
}

/// Whom a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOwner {
    /// The key's id.
    pub id: Uuid,
    /// The project it belongs to.
    pub project: ProjectId,
    /// What it may do there.
    pub scope: Scope,
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixMicros>,
}

/// How exactly the last use of a key is known. Noting each use would make every `GET` a write.
pub const USE_NOTED_EVERY: Duration = Duration::from_secs(60);

impl KeyOwner {
    /// Whether it is time to [`touch`] the key. Ask before you begin to write.
    pub fn needs_touch(&self, now: UnixMicros) -> bool {
        self.last_used_at
            .is_none_or(|used| used + USE_NOTED_EVERY <= now)
    }
}

const COLUMNS: [&str; 5] = [
    "api_key.id",
    "api_key.name",
    "api_key.scope",
    "api_key.created_at",
    "api_key.last_used_at",
];

const OWNER: [&str; 4] = [
    "api_key.id",
    "api_key.project",
    "api_key.scope",
    "api_key.last_used_at",
];

/// Adds a key by the SHA-256 hash of its text. [`Conflict`](crate::StoreError::Conflict) when it exists.
pub fn insert(sql: &mut dyn Sql, project: ProjectId, key: &Key, hash: &[u8; 32]) -> Result<()> {
    sql.execute(
        "INSERT INTO api_key (id, project, name, scope, hash, created_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            key.id.into(),
            project.into(),
            key.name.as_str().into(),
            key.scope.as_str().into(),
            hash.to_vec().into(),
            key.created_at.into(),
            key.last_used_at.into(),
        ],
    )
    .map_err(|error| taken(error, || "this key exists already".to_owned()))?;
    Ok(())
}

/// Whom the key with this hash opens. This is where a project is found out, so it is not asked for.
pub fn find_by_hash(sql: &mut dyn Sql, hash: &[u8; 32]) -> Result<Option<KeyOwner>> {
    let query = select(&OWNER, "FROM api_key WHERE api_key.hash = $1");
    let row = sql.first(&query, &[hash.to_vec().into()])?;
    row.as_ref().map(read_owner).transpose()
}

/// Whom the key with this id opens: for a session that began with it.
pub fn owner(sql: &mut dyn Sql, id: Uuid) -> Result<Option<KeyOwner>> {
    let query = select(&OWNER, "FROM api_key WHERE api_key.id = $1");
    let row = sql.first(&query, &[id.into()])?;
    row.as_ref().map(read_owner).transpose()
}

/// The project's key with this id.
pub fn get(sql: &mut dyn Sql, project: ProjectId, id: Uuid) -> Result<Option<Key>> {
    let query = select(
        &COLUMNS,
        "FROM api_key WHERE api_key.project = $1 AND api_key.id = $2",
    );
    let row = sql.first(&query, &[project.into(), id.into()])?;
    row.as_ref().map(read).transpose()
}

/// The project's keys, the oldest first.
pub fn list(sql: &mut dyn Sql, project: ProjectId, page: &PageRequest) -> Result<Page<Key>> {
    let mut query = Query::new(&COLUMNS, "FROM api_key");
    query.and_equal("api_key.project", project);
    if let Some(after) = page.after() {
        let (at, id) = (query.bind(after.number), query.bind(after.id));
        query.and(&format!("(api_key.created_at, api_key.id) > ({at}, {id})"));
    }
    let limit = query.bind(page.probe());
    let tail = format!("ORDER BY api_key.created_at, api_key.id LIMIT {limit}");
    let rows = query.run(sql, &tail)?;
    let keys = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(Page::cut(keys, page, |key: &Key| Cursor {
        number: key.created_at.0,
        id: key.id,
    }))
}

/// Removes a key, which opens nothing from then on; whether the project had it.
pub fn delete(sql: &mut dyn Sql, project: ProjectId, id: Uuid) -> Result<bool> {
    let removed = sql.execute(
        "DELETE FROM api_key WHERE project = $1 AND id = $2",
        &[project.into(), id.into()],
    )?;
    Ok(removed > 0)
}

/// Notes that a key was used, unless that was noted within [`USE_NOTED_EVERY`]; whether it was noted.
pub fn touch(sql: &mut dyn Sql, project: ProjectId, id: Uuid, now: UnixMicros) -> Result<bool> {
    let noted = sql.execute(
        "UPDATE api_key SET last_used_at = $3
         WHERE project = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at <= $4)",
        &[
            project.into(),
            id.into(),
            now.into(),
            (now - USE_NOTED_EVERY).into(),
        ],
    )?;
    Ok(noted > 0)
}

/// Makes a one-time link valid until `expires_at`, by the SHA-256 hash of its secret.
/// [`Conflict`](crate::StoreError::Conflict) when it exists.
pub fn insert_link(
    sql: &mut dyn Sql,
    hash: &[u8; 32],
    purpose: &str,
    created_at: UnixMicros,
    expires_at: UnixMicros,
) -> Result<()> {
    sql.execute(
        "INSERT INTO one_time_link (hash, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        &[
            hash.to_vec().into(),
            purpose.into(),
            created_at.into(),
            expires_at.into(),
        ],
    )
    .map_err(|error| taken(error, || "this link exists already".to_owned()))?;
    Ok(())
}

/// Uses up the link with this hash and purpose; whether it was there and had not expired.
pub fn take_link(
    sql: &mut dyn Sql,
    hash: &[u8; 32],
    purpose: &str,
    now: UnixMicros,
) -> Result<bool> {
    let taken = sql.first(
        "DELETE FROM one_time_link WHERE hash = $1 AND purpose = $2 RETURNING expires_at",
        &[hash.to_vec().into(), purpose.into()],
    )?;
    let expires_at: Option<UnixMicros> = taken.map(|row| row.get(0)).transpose()?;
    Ok(expires_at.is_some_and(|at| at > now))
}

/// Removes the links whose purpose names this account.
pub fn revoke_links_of(sql: &mut dyn Sql, account: Uuid) -> Result<()> {
    let names_it = contains("purpose", "$1");
    sql.execute(
        &format!("DELETE FROM one_time_link WHERE {names_it}"),
        &[account.to_string().into()],
    )?;
    Ok(())
}

/// What the link with this hash is for, while it has not expired. It is not used up.
pub fn link_purpose(sql: &mut dyn Sql, hash: &[u8; 32], now: UnixMicros) -> Result<Option<String>> {
    let found = sql.first(
        "SELECT purpose FROM one_time_link WHERE hash = $1 AND expires_at > $2",
        &[hash.to_vec().into(), now.into()],
    )?;
    found.map(|row| row.get(0)).transpose()
}

/// Removes the links that have expired; how many.
pub fn prune_links(sql: &mut dyn Sql, now: UnixMicros) -> Result<u64> {
    sql.execute(
        "DELETE FROM one_time_link WHERE expires_at <= $1",
        &[now.into()],
    )
}

fn read(row: &Row) -> Result<Key> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Key {
        id: fields.get("api_key.id")?,
        name: fields.get("api_key.name")?,
        scope: fields.named("api_key.scope")?,
        created_at: fields.get("api_key.created_at")?,
        last_used_at: fields.get("api_key.last_used_at")?,
    })
}

fn read_owner(row: &Row) -> Result<KeyOwner> {
    let fields = Fields::new(&OWNER, row);
    Ok(KeyOwner {
        id: fields.get("api_key.id")?,
        project: fields.get("api_key.project")?,
        scope: fields.named("api_key.scope")?,
        last_used_at: fields.get("api_key.last_used_at")?,
    })
}
