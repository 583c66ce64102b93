//! What [`nightbeat_store::Store`] promises of its file: the hot path, retention, backups, checks, and who
//! may open it. On real SQLite files.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod backup;
mod bit_flips;
mod broken;
mod cast;
mod check;
mod file_gone;
mod holes;
mod hot;
mod hot_failures;
mod hot_slugs;
mod log;
mod open;
mod outbox;
mod retention;
mod retention_rest;
mod zones;
