//! Accounts, and which projects they may see. An account belongs to no project; memberships join them.

use nightbeat_domain::{ProjectId, UnixMicros};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::query::select;
use super::{keys, taken};
use crate::Result;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// A person who can sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// The e-mail address, as [`email_key`] writes it.
    pub email: String,
    /// The argon2id hash of the password in PHC format; `None`: cannot sign in by password.
    pub password_hash: Option<String>,
    /// When it was created.
    pub created_at: UnixMicros,
    /// When it was proved that the address is its owner's; `None`: never. Whoever made the account may have
    /// typed another's.
    pub verified_at: Option<UnixMicros>,
    /// How pages look for it.
    pub theme: Theme,
    /// The time zone in which it reads times; `None`: the browser's.
    pub time_zone: Option<String>,
}

/// How pages look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Paper.
    Light,
    /// Night ink.
    Dark,
}

impl Theme {
    /// Its name in pages and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Without the hash.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// What a member may do in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything, also giving the project away and deleting it.
    Owner,
    /// Everything but that.
    Manager,
    /// Heartbeats and channels.
    Member,
    /// Only look.
    ReadOnly,
}

impl Role {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Member => "member",
            Self::ReadOnly => "read-only",
        }
    }
}

/// The most members that are listed of one project, and projects of one account.
pub const MEMBERSHIPS_MAX: i64 = 1_000;

/// An e-mail address as it is stored and looked up: trimmed, in lower case.
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

const COLUMNS: [&str; 7] = [
    "account.id",
    "account.email",
    "account.password_hash",
    "account.created_at",
    "account.theme",
    "account.time_zone",
    "account.verified_at",
];

/// Adds an account, its address as [`email_key`] writes it.
/// [`Conflict`](crate::StoreError::Conflict) when there is one with this address.
pub fn create(sql: &mut dyn Sql, account: &Account) -> Result<()> {
    sql.execute(
        "INSERT INTO account (id, email, password_hash, created_at, theme, time_zone, verified_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            account.id.into(),
            email_key(&account.email).into(),
            account.password_hash.clone().into(),
            account.created_at.into(),
            account.theme.as_str().into(),
            account.time_zone.clone().into(),
            account.verified_at.into(),
        ],
    )
    .map_err(|error| taken(error, || "there is an account with this address".to_owned()))?;
    Ok(())
}

/// The account with this e-mail address, however it is capitalised.
pub fn by_email(sql: &mut dyn Sql, email: &str) -> Result<Option<Account>> {
    let query = select(&COLUMNS, "FROM account WHERE account.email = $1");
    let row = sql.first(&query, &[email_key(email).into()])?;
    row.as_ref().map(read).transpose()
}

/// The account with this id.
pub fn get(sql: &mut dyn Sql, id: Uuid) -> Result<Option<Account>> {
    let query = select(&COLUMNS, "FROM account WHERE account.id = $1");
    let row = sql.first(&query, &[id.into()])?;
    row.as_ref().map(read).transpose()
}

/// Changes how pages look for an account; whether there is such an account.
pub fn set_appearance(
    sql: &mut dyn Sql,
    id: Uuid,
    theme: Theme,
    time_zone: Option<&str>,
) -> Result<bool> {
    let changed = sql.execute(
        "UPDATE account SET theme = $2, time_zone = $3 WHERE id = $1",
        &[id.into(), theme.as_str().into(), time_zone.into()],
    )?;
    Ok(changed > 0)
}

/// Changes the hash of an account's password; whether there is such an account.
pub fn set_password_hash(sql: &mut dyn Sql, id: Uuid, hash: Option<&str>) -> Result<bool> {
    let changed = sql.execute(
        "UPDATE account SET password_hash = $2 WHERE id = $1",
        &[id.into(), hash.into()],
    )?;
    Ok(changed > 0)
}

/// Gives an account another address, or the one that it has, as one that was proved to be its owner's; whether
/// there is such an account. [`Conflict`](crate::StoreError::Conflict) when another has this address.
pub fn set_email(sql: &mut dyn Sql, id: Uuid, email: &str, now: UnixMicros) -> Result<bool> {
    let changed = sql
        .execute(
            "UPDATE account SET email = $2, verified_at = $3 WHERE id = $1",
            &[id.into(), email_key(email).into(), now.into()],
        )
        .map_err(|error| taken(error, || "there is an account with this address".to_owned()))?;
    Ok(changed > 0)
}

/// Hands an account to whoever has just proved that its address is theirs. Somebody else may have made it: every
/// way into it that was set up so far ends, and so do every session and reports by mail.
pub fn hand_over(sql: &mut dyn Sql, id: Uuid, now: UnixMicros) -> Result<()> {
    sql.execute(
        "UPDATE account SET verified_at = $2, password_hash = NULL WHERE id = $1",
        &[id.into(), now.into()],
    )?;
    for table in [
        "session",
        "passkey",
        "report",
        "totp",
        "recovery_code",
        "external_identity",
    ] {
        let statement = format!("DELETE FROM {table} WHERE account = $1");
        sql.execute(&statement, &[id.into()])?;
    }
    keys::revoke_links_of(sql, id)
}

/// Removes an account, its memberships and all ways into it; whether there was one. Ask [`owned_alone`] first.
pub fn delete(sql: &mut dyn Sql, id: Uuid) -> Result<bool> {
    keys::revoke_links_of(sql, id)?;
    Ok(sql.execute("DELETE FROM account WHERE id = $1", &[id.into()])? > 0)
}

/// A project that would have no owner without this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedAlone {
    /// The project.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// How many members it has besides.
    pub others: u64,
}

/// The projects whose only owner the account is, by name; at most [`MEMBERSHIPS_MAX`].
pub fn owned_alone(sql: &mut dyn Sql, account: Uuid) -> Result<Vec<OwnedAlone>> {
    let rows = sql.query(
        "SELECT project.id, project.name,
                (SELECT count(*) FROM member AS other
                  WHERE other.project = project.id AND other.account <> $1)
         FROM member JOIN project ON project.id = member.project
         WHERE member.account = $1 AND member.role = $2
           AND NOT EXISTS (SELECT 1 FROM member AS other
                            WHERE other.project = project.id AND other.account <> $1 AND other.role = $2)
         ORDER BY project.name, project.id LIMIT $3",
        &[
            account.into(),
            Role::Owner.as_str().into(),
            MEMBERSHIPS_MAX.into(),
        ],
    )?;
    let read = |row: &Row| {
        Ok(OwnedAlone {
            project: row.get(0)?,
            name: row.get(1)?,
            others: row.get(2)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Makes an account a member of a project, or changes what it may do there.
/// [`Conflict`](crate::StoreError::Conflict) when either does not exist.
pub fn set_member(sql: &mut dyn Sql, project: ProjectId, account: Uuid, role: Role) -> Result<()> {
    sql.execute(
        "INSERT INTO member (project, account, role) VALUES ($1, $2, $3)
         ON CONFLICT (project, account) DO UPDATE SET role = excluded.role",
        &[project.into(), account.into(), role.as_str().into()],
    )
    .map_err(|error| taken(error, || "there is no such account or project".to_owned()))?;
    Ok(())
}

/// Ends a membership; whether there was one.
pub fn remove_member(sql: &mut dyn Sql, project: ProjectId, account: Uuid) -> Result<bool> {
    let removed = sql.execute(
        "DELETE FROM member WHERE project = $1 AND account = $2",
        &[project.into(), account.into()],
    )?;
    Ok(removed > 0)
}

/// What an account may do in a project; `None`: it is no member.
pub fn role(sql: &mut dyn Sql, project: ProjectId, account: Uuid) -> Result<Option<Role>> {
    const COLUMNS: [&str; 2] = ["member.account", "member.role"];
    let query = select(
        &COLUMNS,
        "FROM member WHERE member.project = $1 AND member.account = $2",
    );
    let row = sql.first(&query, &[project.into(), account.into()])?;
    row.map(|row| Fields::new(&COLUMNS, &row).named("member.role"))
        .transpose()
}

/// The members of a project by e-mail address; at most [`MEMBERSHIPS_MAX`].
pub fn members(sql: &mut dyn Sql, project: ProjectId) -> Result<Vec<(Account, Role)>> {
    const COLUMNS: [&str; 8] = [
        "account.id",
        "account.email",
        "account.password_hash",
        "account.created_at",
        "account.theme",
        "account.time_zone",
        "account.verified_at",
        "member.role",
    ];
    let query = select(
        &COLUMNS,
        "FROM member JOIN account ON account.id = member.account
         WHERE member.project = $1 ORDER BY account.email LIMIT $2",
    );
    let rows = sql.query(&query, &[project.into(), MEMBERSHIPS_MAX.into()])?;
    rows.iter()
        .map(|row| Ok((read(row)?, Fields::new(&COLUMNS, row).named("member.role")?)))
        .collect()
}

/// How many owners a project has.
pub fn owners(sql: &mut dyn Sql, project: ProjectId) -> Result<u64> {
    let row = sql.first(
        "SELECT count(*) FROM member WHERE project = $1 AND role = $2",
        &[project.into(), Role::Owner.as_str().into()],
    )?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// The projects of an account by name, and what it may do there; at most [`MEMBERSHIPS_MAX`].
pub fn projects_of(sql: &mut dyn Sql, account: Uuid) -> Result<Vec<(ProjectId, Role)>> {
    const COLUMNS: [&str; 2] = ["member.project", "member.role"];
    let query = select(
        &COLUMNS,
        "FROM member JOIN project ON project.id = member.project
         WHERE member.account = $1 ORDER BY project.name, project.id LIMIT $2",
    );
    let rows = sql.query(&query, &[account.into(), MEMBERSHIPS_MAX.into()])?;
    rows.iter()
        .map(|row| {
            let fields = Fields::new(&COLUMNS, row);
            Ok((fields.get("member.project")?, fields.named("member.role")?))
        })
        .collect()
}

fn read(row: &Row) -> Result<Account> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Account {
        id: fields.get("account.id")?,
        email: fields.get("account.email")?,
        password_hash: fields.get("account.password_hash")?,
        created_at: fields.get("account.created_at")?,
        theme: fields.named("account.theme")?,
        time_zone: fields.get("account.time_zone")?,
        verified_at: fields.get("account.verified_at")?,
    })
}
