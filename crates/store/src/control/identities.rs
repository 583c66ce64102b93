//! Who people are to an OpenID Connect provider.

use nightbeat_domain::UnixMicros;
use uuid::Uuid;

use super::taken;
use crate::Result;
use crate::sql::Sql;

/// The account that this person of the provider has.
pub fn account(sql: &mut dyn Sql, issuer: &str, subject: &str) -> Result<Option<Uuid>> {
    let row = sql.first(
        "SELECT account FROM external_identity WHERE issuer = $1 AND subject = $2",
        &[issuer.into(), subject.into()],
    )?;
    row.map(|row| row.get(0)).transpose()
}

/// This person of the provider has that account from now on. [`Conflict`](crate::StoreError::Conflict) when they
/// have one already.
pub fn insert(
    sql: &mut dyn Sql,
    issuer: &str,
    subject: &str,
    account: Uuid,
    now: UnixMicros,
) -> Result<()> {
    sql.execute(
        "INSERT INTO external_identity (issuer, subject, account, created_at) VALUES ($1, $2, $3, $4)",
        &[issuer.into(), subject.into(), account.into(), now.into()],
    )
    .map_err(|error| taken(error, || "this person has an account already".to_owned()))?;
    Ok(())
}
