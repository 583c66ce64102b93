//! Who did what: signed in, invited, changed a role, made a key.

use std::time::Duration;

use nightbeat_domain::{ProjectId, UnixMicros};
use uuid::Uuid;

use super::page::{Cursor, Page, PageRequest};
use super::query::Query;
use crate::Result;
use crate::fields::Fields;
use crate::sql::{Row, Sql, Value};

/// How long an entry is kept.
pub const AUDIT_TIME: Duration = Duration::from_secs(730 * 86_400);
/// How many entries one call of [`prune`] deletes at most: it must be short, so that no signal waits for it.
const PRUNED_MAX: i64 = 500;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: Uuid,
    /// When.
    pub at: UnixMicros,
    /// In which project; `None`: it is about the account alone.
    pub project: Option<ProjectId>,
    /// By which account; `None`: by an API key.
    pub account: Option<Uuid>,
    /// The account's e-mail address, or the key's name, as it was then.
    pub who: String,
    /// What was done, in words: `invited`, `changed a role`.
    pub action: String,
    /// To whom or what; may be empty.
    pub about: String,
    /// From which address; empty: unknown.
    pub address: String,
}

const COLUMNS: [&str; 8] = [
    "audit.id",
    "audit.at",
    "audit.project",
    "audit.account",
    "audit.who",
    "audit.action",
    "audit.about",
    "audit.address",
];

/// Adds an entry.
pub fn note(sql: &mut dyn Sql, entry: &Entry) -> Result<()> {
    sql.execute(
        "INSERT INTO audit (id, at, project, account, who, action, about, address)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            entry.id.into(),
            entry.at.into(),
            entry.project.into(),
            entry.account.into(),
            entry.who.as_str().into(),
            entry.action.as_str().into(),
            entry.about.as_str().into(),
            entry.address.as_str().into(),
        ],
    )?;
    Ok(())
}

/// What was done in a project, the newest first.
pub fn of_project(
    sql: &mut dyn Sql,
    project: ProjectId,
    page: &PageRequest,
) -> Result<Page<Entry>> {
    list(sql, "audit.project", project.into(), page)
}

/// What an account did, in projects and for itself, the newest first.
pub fn of_account(sql: &mut dyn Sql, account: Uuid, page: &PageRequest) -> Result<Page<Entry>> {
    list(sql, "audit.account", account.into(), page)
}

fn list(sql: &mut dyn Sql, column: &str, value: Value, page: &PageRequest) -> Result<Page<Entry>> {
    let mut query = Query::new(&COLUMNS, "FROM audit");
    query.and_equal(column, value);
    if let Some(after) = page.after() {
        let (at, id) = (query.bind(after.number), query.bind(after.id));
        query.and(&format!("(audit.at, audit.id) < ({at}, {id})"));
    }
    let limit = query.bind(page.probe());
    let tail = format!("ORDER BY audit.at DESC, audit.id DESC LIMIT {limit}");
    let rows = query.run(sql, &tail)?;
    let entries = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(Page::cut(entries, page, |entry: &Entry| Cursor {
        number: entry.at.0,
        id: entry.id,
    }))
}

/// Deletes some entries that are older than [`AUDIT_TIME`]; how many.
pub fn prune(sql: &mut dyn Sql, now: UnixMicros) -> Result<u64> {
    sql.execute(
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)",
        &[(now - AUDIT_TIME).into(), PRUNED_MAX.into()],
    )
}

fn read(row: &Row) -> Result<Entry> {
    let fields = Fields::new(&COLUMNS, row);
    Ok(Entry {
        id: fields.get("audit.id")?,
        at: fields.get("audit.at")?,
        project: fields.get("audit.project")?,
        account: fields.get("audit.account")?,
        who: fields.get("audit.who")?,
        action: fields.get("audit.action")?,
        about: fields.get("audit.about")?,
        address: fields.get("audit.address")?,
    })
}
