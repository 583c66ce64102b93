//! What runs: signals in, deadlines watched, alerts out, the API, the pages, metrics, configuration.
#![forbid(unsafe_code)]

pub mod admin;
pub mod config;
pub mod ingest;
mod serve;
pub mod span;

pub use serve::serve;
