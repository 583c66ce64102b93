//! The command line as a person or a script meets it: the real binary, a real socket, and answers in the
//! shapes of `docs/api.md`.
#![expect(unreachable_pub, reason = "a test binary has no public")]
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod admin;
mod channels;
mod code;
mod connection;
mod evidence;
mod handbook;
mod heartbeats;
mod incidents;
mod ping;
mod schedule;
mod serve;
mod support;
