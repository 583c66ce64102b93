//! The second step of a sign-in: codes from an app (TOTP, RFC 6238), and recovery codes.

use std::fmt;

use nightbeat_domain::UnixMicros;
use uuid::Uuid;

use super::query::select;
use crate::Result;
use crate::fields::Fields;
use crate::sql::Sql;

/// What an app makes codes from.
#[derive(Clone, PartialEq, Eq)]
pub struct Totp {
    /// The shared secret.
    pub secret: Vec<u8>,
    /// Since when codes are asked for; `None`: it is being set up.
    pub confirmed_at: Option<UnixMicros>,
    /// The number of the time step whose code was taken last.
    pub last_step: i64,
}

/// Without the secret.
impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Totp")
            .field("confirmed_at", &self.confirmed_at)
            .field("last_step", &self.last_step)
            .finish_non_exhaustive()
    }
}

const COLUMNS: [&str; 4] = [
    "totp.account",
    "totp.secret",
    "totp.confirmed_at",
    "totp.last_step",
];

/// Begins to set it up with this secret, in place of one that was never confirmed; false where one was.
pub fn begin(sql: &mut dyn Sql, account: Uuid, secret: &[u8]) -> Result<bool> {
    let changed = sql.execute(
        "INSERT INTO totp (account, secret, confirmed_at, last_step) VALUES ($1, $2, NULL, 0)
         ON CONFLICT (account) DO UPDATE SET secret = excluded.secret WHERE totp.confirmed_at IS NULL",
        &[account.into(), secret.to_vec().into()],
    )?;
    Ok(changed > 0)
}

/// What an account's app makes codes from.
pub fn get(sql: &mut dyn Sql, account: Uuid) -> Result<Option<Totp>> {
    let query = select(&COLUMNS, "FROM totp WHERE totp.account = $1");
    let Some(row) = sql.first(&query, &[account.into()])? else {
        return Ok(None);
    };
    let fields = Fields::new(&COLUMNS, &row);
    Ok(Some(Totp {
        secret: fields.get("totp.secret")?,
        confirmed_at: fields.get("totp.confirmed_at")?,
        last_step: fields.get("totp.last_step")?,
    }))
}

/// Takes the code of a time step; false: that one, or a later one, was taken already.
pub fn take_step(sql: &mut dyn Sql, account: Uuid, step: i64) -> Result<bool> {
    let taken = sql.execute(
        "UPDATE totp SET last_step = $2 WHERE account = $1 AND last_step < $2",
        &[account.into(), step.into()],
    )?;
    Ok(taken > 0)
}

/// Codes are asked for from now on.
pub fn confirm(sql: &mut dyn Sql, account: Uuid, now: UnixMicros) -> Result<()> {
    sql.execute(
        "UPDATE totp SET confirmed_at = $2 WHERE account = $1 AND confirmed_at IS NULL",
        &[account.into(), now.into()],
    )?;
    Ok(())
}

/// Codes are asked for no more; whether they were.
pub fn remove(sql: &mut dyn Sql, account: Uuid) -> Result<bool> {
    sql.execute(
        "DELETE FROM recovery_code WHERE account = $1",
        &[account.into()],
    )?;
    let removed = sql.execute("DELETE FROM totp WHERE account = $1", &[account.into()])?;
    Ok(removed > 0)
}

/// Puts these recovery codes, by their SHA-256 hashes, in place of those before.
pub fn set_recovery_codes(sql: &mut dyn Sql, account: Uuid, hashes: &[[u8; 32]]) -> Result<()> {
    sql.execute(
        "DELETE FROM recovery_code WHERE account = $1",
        &[account.into()],
    )?;
    for hash in hashes {
        sql.execute(
            "INSERT INTO recovery_code (account, hash) VALUES ($1, $2)",
            &[account.into(), hash.to_vec().into()],
        )?;
    }
    Ok(())
}

/// Uses a recovery code up; whether the account had it.
pub fn take_recovery_code(sql: &mut dyn Sql, account: Uuid, hash: &[u8; 32]) -> Result<bool> {
    let taken = sql.execute(
        "DELETE FROM recovery_code WHERE account = $1 AND hash = $2",
        &[account.into(), hash.to_vec().into()],
    )?;
    Ok(taken > 0)
}

/// How many recovery codes are left.
pub fn recovery_codes(sql: &mut dyn Sql, account: Uuid) -> Result<u64> {
    let row = sql.first(
        "SELECT count(*) FROM recovery_code WHERE account = $1",
        &[account.into()],
    )?;
    row.map_or(Ok(0), |row| row.get(0))
}
