//! A server on a real PostgreSQL database, and several of them: one dies, one is held still, one loses its
//! database, one is told to stop; their database fails over, or does not say whether it
//! has stored something.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod alone;
mod failover;
mod roles;
mod several;
mod support;
mod unknown;
