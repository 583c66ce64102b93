//! Passkeys, and what is remembered between the two halves of using one: the challenge goes out with a page,
//! the answer comes back with a form.

use nightbeat_domain::UnixMicros;
use uuid::Uuid;

use super::query::select;
use super::taken;
use crate::Result;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// The most passkeys of one account.
pub const PASSKEYS_MAX: i64 = 50;

/// A passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Names it in lists.
    pub id: Uuid,
    /// Whose it is.
    pub account: Uuid,
    /// The credential's own id.
    pub credential: Vec<u8>,
    /// What a person calls it.
    pub name: String,
    /// The public key and what else is checked, as JSON.
    pub json: String,
    /// When it was made.
    pub created_at: UnixMicros,
    /// When it was last used.
    pub used_at: Option<UnixMicros>,
}

const COLUMNS: [&str; 7] = [
    "passkey.id",
    "passkey.account",
    "passkey.credential",
    "passkey.name",
    "passkey.json",
    "passkey.created_at",
    "passkey.used_at",
];

/// Adds a passkey. [`Conflict`](crate::StoreError::Conflict) when the credential is known already, of this
/// account or another.
pub fn insert(sql: &mut dyn Sql, passkey: &Passkey) -> Result<()> {
    sql.execute(
        "INSERT INTO passkey (id, account, credential, name, json, created_at, used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            passkey.id.into(),
            passkey.account.into(),
            passkey.credential.clone().into(),
            passkey.name.as_str().into(),
            passkey.json.as_str().into(),
            passkey.created_at.into(),
            passkey.used_at.into(),
        ],
    )
    .map_err(|error| taken(error, || "This passkey is known already.".to_owned()))?;
    Ok(())
}

/// The passkeys of an account, the oldest first; at most [`PASSKEYS_MAX`].
pub fn list(sql: &mut dyn Sql, account: Uuid) -> Result<Vec<Passkey>> {
    let query = select(
        &COLUMNS,
        "FROM passkey WHERE passkey.account = $1
         ORDER BY passkey.created_at, passkey.id LIMIT $2",
    );
    let rows = sql.query(&query, &[account.into(), PASSKEYS_MAX.into()])?;
    rows.iter().map(read).collect()
}

/// The passkey with this credential id. This is where an account is found out, so it is not asked for.
pub fn by_credential(sql: &mut dyn Sql, credential: &[u8]) -> Result<Option<Passkey>> {
    let query = select(&COLUMNS, "FROM passkey WHERE passkey.credential = $1");
    let row = sql.first(&query, &[credential.to_vec().into()])?;
    row.as_ref().map(read).transpose()
}

/// Notes that a passkey was used, and what that changed in it.
pub fn used(sql: &mut dyn Sql, id: Uuid, json: &str, now: UnixMicros) -> Result<()> {
    sql.execute(
        "UPDATE passkey SET json = $2, used_at = $3 WHERE id = $1",
        &[id.into(), json.into(), now.into()],
    )?;
    Ok(())
}

/// Removes a passkey; whether the account had it.
pub fn remove(sql: &mut dyn Sql, account: Uuid, id: Uuid) -> Result<bool> {
    let removed = sql.execute(
        "DELETE FROM passkey WHERE account = $1 AND id = $2",
        &[account.into(), id.into()],
    )?;
    Ok(removed > 0)
}

/// Remembers a state under the SHA-256 hash of a secret, until `expires_at`.
pub fn begin_ceremony(
    sql: &mut dyn Sql,
    hash: &[u8; 32],
    state: &str,
    expires_at: UnixMicros,
) -> Result<()> {
    sql.execute(
        "INSERT INTO ceremony (hash, state, expires_at) VALUES ($1, $2, $3)",
        &[hash.to_vec().into(), state.into(), expires_at.into()],
    )?;
    Ok(())
}

/// Takes the state with this hash, which is gone then; `None` also where it has expired.
pub fn take_ceremony(
    sql: &mut dyn Sql,
    hash: &[u8; 32],
    now: UnixMicros,
) -> Result<Option<String>> {
    let taken = sql.first(
        "DELETE FROM ceremony WHERE hash = $1 RETURNING state, expires_at",
        &[hash.to_vec().into()],
    )?;
    let Some(row) = taken else {
        return Ok(None);
    };
    let expires_at: UnixMicros = row.get(1)?;
    Ok((expires_at > now).then_some(row.get(0)?))
}

/// Deletes states that have expired; how many.
pub fn prune_ceremonies(sql: &mut dyn Sql, now: UnixMicros) -> Result<u64> {
    sql.execute("DELETE FROM ceremony WHERE expires_at <= $1", &[now.into()])
}

fn read(row: &Row) -> Result<Passkey> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Passkey {
        id: fields.get("passkey.id")?,
        account: fields.get("passkey.account")?,
        credential: fields.get("passkey.credential")?,
        name: fields.get("passkey.name")?,
        json: fields.get("passkey.json")?,
        created_at: fields.get("passkey.created_at")?,
        used_at: fields.get("passkey.used_at")?,
    })
}
