//! What an administrator does on the database itself, with or without a running server.
//!
//! SQLite in WAL mode lets a second process write while the server does: one of the two waits its turn
//! for the length of a transaction. The lock beside the file refuses a second *server* only, and
//! nothing here takes it. A PostgreSQL database is anybody's who may connect to it.

use std::path::Path;

use anyhow::Context as _;
use nightbeat_domain::UnixMicros;
use nightbeat_store::{Copied, CopyOptions, Opener, Store, Tell};

use crate::accounts;
pub use crate::accounts::{Init, InitError, Initialised};
use crate::clock::Clock;
use crate::config::Database;
pub use nightbeat_store::{CopyPhase, CopyProgress};

/// Creates an account (where the address has none yet), a project of its own, and the project's keys.
/// Creates the database where there is none. Builds its own runtime: call it outside of one.
pub fn init(database: &Database, init: Init) -> anyhow::Result<Initialised> {
    let now = UnixMicros(Clock::of_process().read().wall_micros);
    waiting()?.block_on(async {
        let store = open(database).await?;
        Ok(accounts::create(&store, init, false, now).await?)
    })
}

/// Copies the whole database to `to`, as it is at one instant, while the server goes on. Where `to` exists
/// already it refuses, unless it may `replace` it.
pub fn backup(database: &Database, to: &Path, replace: bool) -> anyhow::Result<()> {
    if matches!(database, Database::Postgres(_)) {
        anyhow::bail!(
            "this database is in PostgreSQL: back it up with pg_dump, or with pg_basebackup and its log"
        );
    }
    waiting()?.block_on(async {
        let store = open_existing(database).await?;
        store.backup(to, replace).await?;
        Ok(())
    })
}

/// Looks the whole database over. What is wrong with it, a line each; empty when all is well.
pub fn check(database: &Database) -> anyhow::Result<Vec<String>> {
    let report = waiting()?.block_on(async {
        let store = open_existing(database).await?;
        anyhow::Ok(store.check().await?)
    })?;
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

/// Copies everything in `from`, which no server may use meanwhile, to `to`, which is empty or holds a part of
/// this copy, and compares the two. Cut off, the same call goes on where it ended. What an earlier server lost
/// of `from` is logged.
pub fn copy(from: &Database, to: &Database, tell: Tell<'_>) -> anyhow::Result<Copied> {
    anyhow::ensure!(from != to, "source and target are the same database");
    if let Database::Sqlite(path) = from {
        anyhow::ensure!(path.exists(), "there is no database at {}", path.display());
    }
    waiting()?.block_on(async {
        let source = open_for_copy(from).await.context("the source")?;
        let target = open_for_copy(to).await.context("the target")?;
        let copied = nightbeat_store::copy(&source, &target, CopyOptions::default(), tell);
        Ok(copied.await?)
    })
}

async fn open_for_copy(database: &Database) -> anyhow::Result<Store> {
    let opened = match database {
        Database::Sqlite(path) => Store::open_sqlite(path, Opener::Copy)?,
        Database::Postgres(url) => Store::open_postgres(url.with_password(), Opener::Copy).await?,
    };
    if let Some(setback) = opened.setback {
        tracing::warn!("{setback}");
    }
    Ok(opened.store)
}

async fn open(database: &Database) -> anyhow::Result<Store> {
    let opened = match database {
        Database::Sqlite(path) => Store::open_sqlite(path, Opener::Tool)?,
        Database::Postgres(url) => Store::open_postgres(url.with_password(), Opener::Tool).await?,
    };
    Ok(opened.store)
}

/// A mistyped path must not become a new, empty database that is then found to be in order. Where there is
/// no such PostgreSQL database, its server says so.
async fn open_existing(database: &Database) -> anyhow::Result<Store> {
    if let Database::Sqlite(path) = database {
        anyhow::ensure!(path.exists(), "there is no database at {}", path.display());
    }
    open(database).await
}

fn waiting() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
