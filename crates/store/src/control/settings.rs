//! Settings, stored once for all heartbeats that have the same.

use nightbeat_domain::Settings;
use sha2::{Digest, Sha256};

use crate::codec::json;
use crate::fields::Fields;
use crate::sql::Sql;
use crate::{Result, StoreError};

const COLUMNS: [&str; 2] = ["settings.id", "settings.json"];

/// The id of these settings, which are stored if they are not yet. A row of them never changes, so
/// whoever keeps one in memory cannot hold a stale one.
pub fn intern(sql: &mut dyn Sql, settings: &Settings) -> Result<i64> {
    let json = json(settings)?;
    let hash = Sha256::digest(json.as_bytes()).to_vec();
    if let Some((id, stored)) = find(sql, &hash)? {
        if stored != json {
            // Damaged: it is what its hash says, else whoever edits back to it would get the damage again.
            tracing::warn!(row = id, "settings that had been damaged are written again");
            sql.execute(
                "UPDATE settings SET json = $2 WHERE id = $1",
                &[id.into(), json.into()],
            )?;
        }
        return Ok(id);
    }
    sql.execute(
        "INSERT INTO settings (hash, json) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING",
        &[hash.clone().into(), json.into()],
    )?;
    let found = find(sql, &hash)?.map(|(id, _)| id);
    found.ok_or_else(|| {
        // Only another transaction that holds the same settings uncommitted can bring us here.
        StoreError::Unavailable("the settings are being stored by someone else".to_owned())
    })
}

/// The settings with this id; [`StoreError::Broken`] when there are none, for ids are never made up.
pub fn load(sql: &mut dyn Sql, id: i64) -> Result<Settings> {
    let query = super::query::select(&COLUMNS, "FROM settings WHERE settings.id = $1");
    let Some(row) = sql.first(&query, &[id.into()])? else {
        let text = format!("table settings, column id, row {id}: is missing");
        return Err(StoreError::Broken(text));
    };
    Fields::new(&COLUMNS, &row).json("settings.json")
}

fn find(sql: &mut dyn Sql, hash: &[u8]) -> Result<Option<(i64, String)>> {
    let found = sql.first(
        "SELECT settings.id, settings.json FROM settings WHERE settings.hash = $1",
        &[hash.to_vec().into()],
    )?;
    found.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}
