//! What an administrator does on the database itself, with or without a running server.
//!
//! SQLite in WAL mode lets a second process write while the server does: one of the two waits its turn
//! for the length of a transaction. The lock beside the file refuses a second *server* only, and
//! nothing here takes it.

use std::path::Path;

use nightbeat_domain::UnixMicros;
use nightbeat_store::{Opener, Store};

use crate::accounts;
pub use crate::accounts::{Init, InitError, Initialised};
use crate::clock::Clock;
use crate::config::Database;

/// Creates an account (where the address has none yet), a project of its own, and the project's keys.
/// Creates the database where there is none. Builds its own runtime: call it outside of one.
pub fn init(database: &Database, init: Init) -> anyhow::Result<Initialised> {
    let store = open(database)?;
    let now = UnixMicros(Clock::of_process().read().wall_micros);
    Ok(waiting()?.block_on(accounts::create(&store, init, false, now))?)
}

/// Copies the whole database to `to`, as it is at one instant, while the server goes on. Where `to` exists
/// already it refuses, unless it may `replace` it.
pub fn backup(database: &Database, to: &Path, replace: bool) -> anyhow::Result<()> {
    let store = open_existing(database)?;
    waiting()?.block_on(store.backup(to, replace))?;
    Ok(())
}

/// Looks the whole database over. What is wrong with it, a line each; empty when all is well.
pub fn check(database: &Database) -> anyhow::Result<Vec<String>> {
    let store = open_existing(database)?;
    let report = waiting()?.block_on(store.check())?;
    let mut lines = Vec::new();
    for part in report.parts {
        let untold = part.problem_count - part.problems.len() as u64;
        let told = part
            .problems
            .iter()
            .map(|problem| format!("{}: {problem}", part.name));
        lines.extend(told);
        if untold > 0 {
            lines.push(format!("{}: and {untold} more", part.name));
        }
    }
    Ok(lines)
}

fn open(database: &Database) -> anyhow::Result<Store> {
    let Database::Sqlite(path) = database;
    Ok(Store::open_sqlite(path, Opener::Tool)?.store)
}

/// A mistyped path must not become a new, empty database that is then found to be in order.
fn open_existing(database: &Database) -> anyhow::Result<Store> {
    let Database::Sqlite(path) = database;
    anyhow::ensure!(path.exists(), "there is no database at {}", path.display());
    open(database)
}

fn waiting() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
