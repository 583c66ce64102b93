//! What runs: signals in, deadlines watched, alerts out, the API, the pages, metrics, configuration.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod admin;
pub mod api;
mod badges;
mod budget;
pub mod clock;
mod compat;
pub mod config;
mod housekeeping;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod node;
pub mod random;
mod rate;
mod reports;
mod router;
mod serve;
pub mod smtp;
pub mod span;
mod web;
mod zones;

pub use serve::{Server, serve};
