//! One-time links that make whoever opens them a member of a project. Only their hash is stored.

use std::time::Duration;

use nightbeat_domain::{ProjectId, UnixMicros};
use uuid::Uuid;

use super::accounts::{self, Role};
use super::query::select;
use super::taken;
use crate::Result;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// How long an invitation may be accepted.
pub const INVITATION_TIME: Duration = Duration::from_secs(7 * 86_400);
/// The most open invitations of one project.
pub const INVITATIONS_MAX: i64 = 100;

/// An invitation that nobody has accepted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: Uuid,
    /// The project.
    pub project: ProjectId,
    /// What the new member may do there.
    pub role: Role,
    /// The only e-mail address that may accept it, as [`accounts::email_key`] writes it; `None`: whoever has
    /// the link.
    pub email: Option<String>,
    /// The e-mail address of who invited.
    pub invited_by: String,
    /// Since when.
    pub created_at: UnixMicros,
    /// Until when.
    pub expires_at: UnixMicros,
}

const COLUMNS: [&str; 7] = [
    "invitation.id",
    "invitation.project",
    "invitation.role",
    "invitation.email",
    "invitation.invited_by",
    "invitation.created_at",
    "invitation.expires_at",
];

/// Adds an invitation by the SHA-256 hash of its secret. [`Conflict`](crate::StoreError::Conflict) when there
/// is no such project.
pub fn insert(sql: &mut dyn Sql, invitation: &Invitation, hash: &[u8; 32]) -> Result<()> {
    sql.execute(
        "INSERT INTO invitation (id, hash, project, role, email, invited_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            invitation.id.into(),
            hash.to_vec().into(),
            invitation.project.into(),
            invitation.role.as_str().into(),
            invitation.email.as_deref().map(accounts::email_key).into(),
            invitation.invited_by.as_str().into(),
            invitation.created_at.into(),
            invitation.expires_at.into(),
        ],
    )
    .map_err(|error| taken(error, || "there is no such project".to_owned()))?;
    Ok(())
}

/// The invitation with this hash, while it may be accepted. This is where a project is found out, so it is
/// not asked for.
pub fn by_hash(sql: &mut dyn Sql, hash: &[u8; 32], now: UnixMicros) -> Result<Option<Invitation>> {
    let query = select(
        &COLUMNS,
        "FROM invitation WHERE invitation.hash = $1 AND invitation.expires_at > $2",
    );
    let row = sql.first(&query, &[hash.to_vec().into(), now.into()])?;
    row.as_ref().map(read).transpose()
}

/// The open invitations of a project, the oldest first; at most [`INVITATIONS_MAX`].
pub fn list(sql: &mut dyn Sql, project: ProjectId, now: UnixMicros) -> Result<Vec<Invitation>> {
    let query = select(
        &COLUMNS,
        "FROM invitation WHERE invitation.project = $1 AND invitation.expires_at > $2
         ORDER BY invitation.created_at, invitation.id LIMIT $3",
    );
    let rows = sql.query(
        &query,
        &[project.into(), now.into(), INVITATIONS_MAX.into()],
    )?;
    rows.iter().map(read).collect()
}

/// Takes an invitation back, or uses it up; whether the project had it.
pub fn delete(sql: &mut dyn Sql, project: ProjectId, id: Uuid) -> Result<bool> {
    let deleted = sql.execute(
        "DELETE FROM invitation WHERE project = $1 AND id = $2",
        &[project.into(), id.into()],
    )?;
    Ok(deleted > 0)
}

/// Deletes the invitations that have expired; how many.
pub fn prune(sql: &mut dyn Sql, now: UnixMicros) -> Result<u64> {
    sql.execute(
        "DELETE FROM invitation WHERE expires_at <= $1",
        &[now.into()],
    )
}

fn read(row: &Row) -> Result<Invitation> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Invitation {
        id: fields.get("invitation.id")?,
        project: fields.get("invitation.project")?,
        role: fields.named("invitation.role")?,
        email: fields.get("invitation.email")?,
        invited_by: fields.get("invitation.invited_by")?,
        created_at: fields.get("invitation.created_at")?,
        expires_at: fields.get("invitation.expires_at")?,
    })
}
