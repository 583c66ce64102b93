//! `nightbeat run`: real jobs, real signals, real servers that are there, busy, silent or gone.
#![expect(unreachable_pub, reason = "a test binary has no public")]
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod checks;
mod evidence;
mod limits;
mod output;
#[cfg(feature = "full")]
mod real;
mod settings;
mod shell;
mod signals;
mod spool;
mod support;
mod systemd;
mod untouched;
