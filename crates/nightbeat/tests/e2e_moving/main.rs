//! Projects as files, and moves from elsewhere, between real servers: what is applied, exported and imported is there,
//! a second time changes nothing, and the handbook's pages about it hold.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod config;
mod elsewhere;
mod files;
mod healthchecks;
mod house;
mod nightbeat;
mod pages;
