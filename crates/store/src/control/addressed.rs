//! Whom a signal would be for, before it comes.

use crate::sql::Sql;
use crate::{Result, Target};

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressed {
    /// One heartbeat.
    One,
    /// None: there is no such heartbeat, ping key or slug.
    None,
    /// Two heartbeats of the project share the slug.
    Several,
}

/// What a signal for `target` would find now. A heartbeat that cannot be read is there.
pub fn look_up(sql: &mut dyn Sql, target: &Target) -> Result<Addressed> {
    let found = match target {
        Target::Id(id) => sql.query("SELECT id FROM heartbeat WHERE id = $1", &[(*id).into()])?,
        Target::Slug { ping_key, slug, .. } => sql.query(
            "SELECT h.id FROM project p JOIN heartbeat h ON h.project = p.id AND h.slug = $2
             WHERE p.ping_key = $1 LIMIT 2",
            &[ping_key.as_str().into(), slug.as_str().into()],
        )?,
    };
    Ok(match found.len() {
        0 => Addressed::None,
        1 => Addressed::One,
        _ => Addressed::Several,
    })
}
