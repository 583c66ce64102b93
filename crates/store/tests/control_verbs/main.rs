//! The control plane's verbs on a real SQLite file, and the same on a real PostgreSQL.
//!
//! The cast: Alice has a project, and Mallory has one on the same server. Whatever Alice's is, Mallory
//! finds nothing.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod accounts;
mod alerts;
mod broken;
mod brought;
mod channels;
mod heartbeats;
mod incidents;
mod keys;
mod logs;
mod maintenance;
mod notes;
mod overview;
mod passkeys;
mod people;
mod projects;
mod prune;
mod removal;
mod reports;
mod second_step;
mod sessions;
mod status_pages;
mod world;
