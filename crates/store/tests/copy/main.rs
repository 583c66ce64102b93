//! A database that moves to the other engine, and back.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod house;
mod moving;
mod refused;

use std::ops::ControlFlow;
use std::path::Path;

use nightbeat_store::{Copied, CopyOptions, Opener, Result, Store};
use nightbeat_testkit::postgres::Database;

pub(crate) async fn on_postgres(database: &Database, opener: Opener) -> Result<Store> {
    let store = Store::open_postgres(&database.url(), opener).await?.store;
    Ok(store)
}

pub(crate) fn on_sqlite(path: &Path, opener: Opener) -> Result<Store> {
    Ok(Store::open_sqlite(path, opener)?.store)
}

/// Copies in pages of so many rows, of which only the first few are made.
pub(crate) async fn copy(from: &Store, to: &Store, page_rows: u32, steps: usize) -> Result<Copied> {
    let mut left = steps;
    let mut tell = |_| {
        if left == 0 {
            return ControlFlow::Break(());
        }
        left -= 1;
        ControlFlow::Continue(())
    };
    nightbeat_store::copy(from, to, CopyOptions { page_rows }, &mut tell).await
}

pub(crate) async fn copy_all(from: &Store, to: &Store) -> Result<Copied> {
    copy(from, to, 1_000, usize::MAX).await
}
