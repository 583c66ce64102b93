//! A slug for a name, free in its project.

use nightbeat_domain::ProjectId;
use nightbeat_store::StoreError;
use nightbeat_store::control::heartbeats::{self, BySlug};
use nightbeat_store::control::{SLUG_CHARS_MAX, slugify};
use nightbeat_store::sql::Sql;

/// The slug of `name`; where it is taken, with `-2`, `-3`, … at its end.
///
/// It doubles the number until one is free and then halves the distance, so that the thousandth heartbeat
/// without a letter of A to Z in its name costs twenty look-ups and not a thousand. Where numbers in
/// between were given up, it may pass them over.
pub(crate) fn free(
    sql: &mut dyn Sql,
    project: ProjectId,
    name: &str,
) -> Result<String, StoreError> {
    let base = slugify(name);
    let mut is_taken = |slug: &str| {
        let found = heartbeats::by_slug(sql, project, slug)?;
        Ok::<_, StoreError>(found != BySlug::None)
    };
    if !is_taken(&base)? {
        return Ok(base);
    }
    let (mut taken, mut free) = (1, 2);
    while is_taken(&numbered(&base, free))? {
        (taken, free) = (free, free * 2);
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        if is_taken(&numbered(&base, middle))? {
            taken = middle;
        } else {
            free = middle;
        }
    }
    Ok(numbered(&base, free))
}

/// `base` cut so that the whole is a slug.
fn numbered(base: &str, number: u64) -> String {
    let end = format!("-{number}");
    let room = SLUG_CHARS_MAX - end.len();
    let base = base.get(..room).unwrap_or(base);
    format!("{}{end}", base.trim_end_matches('-'))
}
