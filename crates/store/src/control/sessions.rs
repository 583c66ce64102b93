//! Browsers that are signed in. Of each only the SHA-256 hash of its cookie's secret is stored.

use std::time::Duration;

use nightbeat_domain::UnixMicros;
use uuid::Uuid;

use super::query::select;
use super::taken;
use crate::fields::Fields;
use crate::sql::{Row, Sql, Value};
use crate::{Result, StoreError};

/// How long a session lasts that nobody uses.
pub const SESSION_TIME: Duration = Duration::from_secs(14 * 86_400);
/// The most sessions of one account, and of one API key: the one that was used longest ago makes room.
pub const SESSIONS_MAX: i64 = 100;
/// How exactly the last use of a session is known. Noting each use would make every page a write.
pub const USE_NOTED_EVERY: Duration = Duration::from_secs(300);

/// Who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOwner {
    /// The account with this id.
    Account(Uuid),
    /// Whoever has shown the API key with this id.
    Key(Uuid),
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Names it in lists; worth nothing by itself.
    pub id: Uuid,
    /// Who is signed in.
    pub owner: SessionOwner,
    /// Since when.
    pub created_at: UnixMicros,
    /// When it was last used, to five minutes.
    pub seen_at: UnixMicros,
    /// When the person last proved who they are.
    pub confirmed_at: UnixMicros,
    /// From where it was last used; empty: unknown.
    pub address: String,
    /// What its browser calls itself.
    pub user_agent: String,
}

impl Session {
    /// Whether it is time to [`touch`] the session. Ask before you begin to write.
    pub fn needs_touch(&self, now: UnixMicros) -> bool {
        self.seen_at + USE_NOTED_EVERY <= now
    }
}

const COLUMNS: [&str; 8] = [
    "session.id",
    "session.account",
    "session.api_key",
    "session.created_at",
    "session.seen_at",
    "session.confirmed_at",
    "session.address",
    "session.user_agent",
];

/// Adds a session by the hash of its secret. [`Conflict`](StoreError::Conflict) when its account or key does
/// not exist any more.
pub fn begin(sql: &mut dyn Sql, session: &Session, hash: &[u8; 32]) -> Result<()> {
    let (account, key) = match session.owner {
        SessionOwner::Account(id) => (Some(id), None),
        SessionOwner::Key(id) => (None, Some(id)),
    };
    make_room(sql, session.owner)?;
    sql.execute(
        "INSERT INTO session
             (id, hash, account, api_key, created_at, seen_at, confirmed_at, address, user_agent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            session.id.into(),
            hash.to_vec().into(),
            account.into(),
            key.into(),
            session.created_at.into(),
            session.seen_at.into(),
            session.confirmed_at.into(),
            session.address.as_str().into(),
            session.user_agent.as_str().into(),
        ],
    )
    .map_err(|error| taken(error, || "this account or key is gone".to_owned()))?;
    Ok(())
}

fn make_room(sql: &mut dyn Sql, owner: SessionOwner) -> Result<()> {
    let (column, id) = match owner {
        SessionOwner::Account(id) => ("account", id),
        SessionOwner::Key(id) => ("api_key", id),
    };
    let statement = format!(
        "DELETE FROM session WHERE id IN
             (SELECT id FROM session WHERE {column} = $1 ORDER BY seen_at DESC, id LIMIT 1000 OFFSET $2)"
    );
    sql.execute(&statement, &[id.into(), (SESSIONS_MAX - 1).into()])?;
    Ok(())
}

/// The session with this hash, unless it was not used for [`SESSION_TIME`].
pub fn find(sql: &mut dyn Sql, hash: &[u8; 32], now: UnixMicros) -> Result<Option<Session>> {
    let query = select(
        &COLUMNS,
        "FROM session WHERE session.hash = $1 AND session.seen_at > $2",
    );
    let row = sql.first(&query, &[hash.to_vec().into(), oldest(now)])?;
    row.as_ref().map(read).transpose()
}

/// Notes that a session was used now, and from where.
pub fn touch(
    sql: &mut dyn Sql,
    id: Uuid,
    now: UnixMicros,
    address: &str,
    user_agent: &str,
) -> Result<()> {
    sql.execute(
        "UPDATE session SET seen_at = $2, address = $3, user_agent = $4 WHERE id = $1 AND seen_at < $2",
        &[id.into(), now.into(), address.into(), user_agent.into()],
    )?;
    Ok(())
}

/// Notes that the person has proved again who they are.
pub fn confirm(sql: &mut dyn Sql, id: Uuid, now: UnixMicros) -> Result<()> {
    sql.execute(
        "UPDATE session SET confirmed_at = $2 WHERE id = $1",
        &[id.into(), now.into()],
    )?;
    Ok(())
}

/// Ends the session with this hash; whether there was one.
pub fn end(sql: &mut dyn Sql, hash: &[u8; 32]) -> Result<bool> {
    let ended = sql.execute(
        "DELETE FROM session WHERE hash = $1",
        &[hash.to_vec().into()],
    )?;
    Ok(ended > 0)
}

/// The sessions of an account, the one that was used last first; at most [`SESSIONS_MAX`].
pub fn list(sql: &mut dyn Sql, account: Uuid, now: UnixMicros) -> Result<Vec<Session>> {
    let query = select(
        &COLUMNS,
        "FROM session WHERE session.account = $1 AND session.seen_at > $2
         ORDER BY session.seen_at DESC, session.id LIMIT $3",
    );
    let rows = sql.query(&query, &[account.into(), oldest(now), SESSIONS_MAX.into()])?;
    rows.iter().map(read).collect()
}

/// Ends one session of an account; whether it had it.
pub fn revoke(sql: &mut dyn Sql, account: Uuid, id: Uuid) -> Result<bool> {
    let ended = sql.execute(
        "DELETE FROM session WHERE account = $1 AND id = $2",
        &[account.into(), id.into()],
    )?;
    Ok(ended > 0)
}

/// Ends all sessions of an account but one; how many.
pub fn revoke_others(sql: &mut dyn Sql, account: Uuid, keep: Uuid) -> Result<u64> {
    sql.execute(
        "DELETE FROM session WHERE account = $1 AND id <> $2",
        &[account.into(), keep.into()],
    )
}

/// Deletes sessions that were not used for [`SESSION_TIME`]; how many.
pub fn prune(sql: &mut dyn Sql, now: UnixMicros) -> Result<u64> {
    sql.execute("DELETE FROM session WHERE seen_at <= $1", &[oldest(now)])
}

/// A session that was last used then has just ended.
fn oldest(now: UnixMicros) -> Value {
    (now - SESSION_TIME).into()
}

fn read(row: &Row) -> Result<Session> {
    let fields = Fields::new(&COLUMNS, row);
    let account: Option<Uuid> = fields.get("session.account")?;
    let key: Option<Uuid> = fields.get("session.api_key")?;
    let owner = match (account, key) {
        (Some(account), None) => SessionOwner::Account(account),
        (None, Some(key)) => SessionOwner::Key(key),
        _ => return Err(nobodys(&fields)),
    };
    Ok(Session {
        id: fields.get("session.id")?,
        owner,
        created_at: fields.get("session.created_at")?,
        seen_at: fields.get("session.seen_at")?,
        confirmed_at: fields.get("session.confirmed_at")?,
        address: fields.get("session.address")?,
        user_agent: fields.get("session.user_agent")?,
    })
}

fn nobodys(fields: &Fields<'_>) -> StoreError {
    fields.broken(
        "session.account",
        "belongs to an account or to a key, not to both",
    )
}
