//! The server as others see it: real sockets, a real database.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod admin;
mod adversaries;
mod anything;
mod browser;
mod mailbox;
mod members;
mod pages;
mod panics;
mod people;
mod second_step;
mod support;
mod tenants;
mod wire;
