//! What is copied, and in which order.

use crate::sql::{Row, Sql, Value};
use crate::{Result, Store, StoreError};

/// A table and the columns of its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) key: &'static [&'static str],
}

const fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key }
}

/// Every table, those that others refer to before these. Not `service`, which is one row, and not what each
/// database has for itself: its schema's version and its nodes.
pub(super) const TABLES: [Table; 34] = [
    table("project", &["id"]),
    table("account", &["id"]),
    table("member", &["project", "account"]),
    table("api_key", &["id"]),
    table("session", &["id"]),
    table("invitation", &["id"]),
    table("audit", &["id"]),
    table("totp", &["account"]),
    table("recovery_code", &["account", "hash"]),
    table("passkey", &["id"]),
    table("ceremony", &["hash"]),
    table("external_identity", &["issuer", "subject"]),
    table("one_time_link", &["hash"]),
    table("report", &["account"]),
    table("status_page", &["id"]),
    table("channel", &["id"]),
    table("maintenance", &["id"]),
    table("settings", &["id"]),
    table("heartbeat", &["id"]),
    table("heartbeat_state", &["id"]),
    table("removed_heartbeat", &["id"]),
    table("removed_project", &["id"]),
    table("signal", &["id"]),
    table("signal_nonce", &["heartbeat", "nonce"]),
    table("run", &["id"]),
    table("run_day", &["heartbeat", "day"]),
    table("pruned", &["heartbeat"]),
    table("incident", &["id"]),
    table("incident_note", &["id"]),
    table("delivery", &["number"]),
    table("attempt", &["delivery", "number"]),
    table("gap", &["id"]),
    table("zone_rules", &["name"]),
    table("broken_heartbeat", &["heartbeat"]),
];

/// A statement and its values.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
}

impl Table {
    /// The next rows by key.
    pub(super) fn page(&self, columns: &[String], after: Option<&[Value]>, rows: u32) -> Query {
        let mut params = after.map(<[Value]>::to_vec).unwrap_or_default();
        let key = self.key.join(", ");
        let places = places(1, params.len());
        let past = after.map_or_else(String::new, |_| format!("WHERE ({key}) > ({places})"));
        params.push(rows.into());
        let sql = format!(
            "SELECT {} FROM {} {past} ORDER BY {key} LIMIT ${}",
            columns.join(", "),
            self.name,
            params.len()
        );
        Query { sql, params }
    }

    /// The key of a row that was read with these columns.
    pub(super) fn key_of(&self, columns: &[String], row: &Row) -> Result<Vec<Value>> {
        let of_column = |name: &&str| {
            let index = columns.iter().position(|column| column == name);
            let value = index.and_then(|index| row.values.get(index));
            let missing = || StoreError::Broken(format!("{}.{name} is missing", self.name));
            value.cloned().ok_or_else(missing)
        };
        self.key.iter().map(of_column).collect()
    }

    /// How many rows there are, and the last key.
    pub(super) fn reached(&self, sql: &mut dyn Sql) -> Result<(u64, Option<Vec<Value>>)> {
        let rows = self.count(sql)?;
        let backwards: Vec<_> = self.key.iter().map(|name| format!("{name} DESC")).collect();
        let query = format!(
            "SELECT {} FROM {} ORDER BY {} LIMIT 1",
            self.key.join(", "),
            self.name,
            backwards.join(", ")
        );
        let last = sql.first(&query, &[])?;
        Ok((rows, last.map(|row| row.values)))
    }

    pub(super) fn count(&self, sql: &mut dyn Sql) -> Result<u64> {
        let row = sql.first(&format!("SELECT count(*) FROM {}", self.name), &[])?;
        row.map_or(Ok(0), |row| row.get(0))
    }
}

/// `$3, $4` for the two values from the third on.
pub(super) fn places(first: usize, count: usize) -> String {
    let places: Vec<_> = (first..first + count).map(|at| format!("${at}")).collect();
    places.join(", ")
}

/// The columns of a table, which both databases have.
pub(super) async fn shared_columns(
    from: &Store,
    to: &Store,
    table: &'static Table,
) -> Result<Vec<String>> {
    let (source, target) = (columns(from, table).await?, columns(to, table).await?);
    if source == target && !source.is_empty() {
        return Ok(source);
    }
    Err(StoreError::Broken(format!(
        "table {} has the columns {} here and {} there: are both of this version?",
        table.name,
        source.join(", "),
        target.join(", ")
    )))
}

async fn columns(store: &Store, table: &'static Table) -> Result<Vec<String>> {
    let query = if store.is_shared() {
        "SELECT attname FROM pg_attribute
          WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"
    } else {
        "SELECT name FROM pragma_table_info($1)"
    };
    let read = store.read(move |sql| sql.query(query, &[table.name.into()]));
    let rows = read.await?;
    let mut names: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    names.sort();
    Ok(names)
}
