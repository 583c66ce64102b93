//! What is read from outputs: a table of recorded ones, documented forms, and what holds for any bytes.
#![expect(unreachable_pub, reason = "a test binary has no public")]
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod forms;
mod properties;
mod support;
mod table;
