//! The control plane: projects, keys, heartbeats, channels and lists, in portable SQL.
//!
//! Each verb is a function over a [`Sql`](crate::sql::Sql) that stands inside a transaction; whoever
//! began it rolls it back when a verb fails. What belongs to a project is found through that project
//! only: to a stranger it does not exist. Not found is `Ok(None)` or `Ok(false)`.

pub mod accounts;
pub mod addressed;
pub mod audit;
pub mod brought;
mod chain;
pub mod channels;
pub mod days;
pub mod deliveries;
pub mod figures;
pub mod heartbeats;
pub mod identities;
pub mod incidents;
pub mod invitations;
pub mod keys;
pub mod maintenance;
pub mod notes;
pub mod overview;
mod page;
pub mod passkeys;
pub mod projects;
mod prune;
mod query;
pub mod reports;
mod routing;
pub mod runs;
pub mod second_step;
pub mod sessions;
pub mod settings;
pub mod signals;
mod slug;
pub mod status_pages;

pub use page::{Cursor, CursorError, Page, PageRequest};
pub use prune::prune_removed;
pub use routing::Routing;
pub use slug::{SLUG_CHARS_MAX, is_slug, slugify};

use crate::StoreError;

/// Says in a person's words what a unique constraint says in SQL's.
fn taken(error: StoreError, what: impl FnOnce() -> String) -> StoreError {
    match error {
        StoreError::Conflict(_) => StoreError::Conflict(what()),
        other => other,
    }
}
