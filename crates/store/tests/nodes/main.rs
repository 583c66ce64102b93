//! Several nodes on one PostgreSQL database: what they record, judge and claim beside each other, and what
//! becomes of it when connections are cut.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod alone;
mod cast;
mod claims;
mod cuts;
mod fences;
mod removal;
mod together;
