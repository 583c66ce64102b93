//! The store on a disk that fails, fills up, tears writes and loses power: at every single operation of
//! every method. What was acknowledged is there, nothing is half there, and the next start works.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod hot;
mod house;
mod log;
mod opening;
mod people;
mod points;
mod syncs;
