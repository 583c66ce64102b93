//! The server as others see it: real sockets, a real database.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod admin;
mod adversaries;
mod anything;
mod pages;
mod panics;
mod support;
mod wire;
