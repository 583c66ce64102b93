//! What an administrator does on the database itself, with or without a running server.
//!
//! SQLite in WAL mode lets a second process write while the server does: one of the two waits its turn
//! for the length of a transaction. The lock beside the file refuses a second *server* only, and
//! nothing here takes it.

use std::path::Path;

use nightbeat_domain::ProjectId;

use crate::config::Database;

/// The first account and project of a server, or further ones.
#[derive(Debug, Clone)]
pub struct Init {
    /// The account's e-mail address.
    pub email: String,
    /// Its password; without one it cannot sign in by password.
    pub password: Option<String>,
    /// The project's name.
    pub project: String,
}

/// What was created. The keys are shown this once: only their hashes are stored.
#[derive(Debug, Clone)]
pub struct Initialised {
    /// The project.
    pub project_id: ProjectId,
    /// May read and change everything in it.
    pub api_key: String,
    /// May read.
    pub read_only_key: String,
    /// Opens the project's slug URLs.
    pub ping_key: String,
}

/// Creates an account (where the address has none yet), a project of its own, and the project's keys.
/// Creates the database where there is none.
pub fn init(database: &Database, init: &Init) -> anyhow::Result<Initialised> {
    let _ = (database, init);
    anyhow::bail!("not there yet")
}

/// Copies the whole database to `to`, as it is at one instant, while the server goes on.
pub fn backup(database: &Database, to: &Path) -> anyhow::Result<()> {
    let _ = (database, to);
    anyhow::bail!("not there yet")
}

/// Looks the whole database over. What is wrong with it, a line each; empty when all is well.
pub fn check(database: &Database) -> anyhow::Result<Vec<String>> {
    let _ = database;
    anyhow::bail!("not there yet")
}
