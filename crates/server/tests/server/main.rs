//! The server as others see it: real sockets, a real database.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod accounts;
mod admin;
mod adversaries;
mod anything;
mod browser;
mod dialects;
mod heartbeat_page;
mod list_page;
mod live_page;
mod log_of_programs;
mod look;
mod mailbox;
mod members;
mod oidc;
mod pages;
mod panics;
mod passkeys;
mod people;
mod project_pages;
mod project_removal;
mod rate;
mod reports;
mod second_step;
mod smtp;
mod start;
mod status_pages;
mod support;
mod surfer;
mod tenants;
mod wire;
