//! What is PostgreSQL's own: its schema, its transactions, and several nodes on it at once.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod handover;
mod logs;
mod migrations;
mod rows;
mod tls;
mod transactions;

use nightbeat_store::{Opener, Store};
use nightbeat_testkit::postgres::Database;

pub(crate) async fn open(database: &Database) -> Store {
    at(&database.url()).await
}

pub(crate) async fn at(url: &str) -> Store {
    let opened = Store::open_postgres(url, Opener::Server).await.unwrap();
    opened.store
}
