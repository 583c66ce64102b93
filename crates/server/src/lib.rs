//! What runs: signals in, deadlines watched, alerts out, the API, the pages, metrics, configuration.
#![forbid(unsafe_code)]

pub mod admin;
pub mod clock;
pub mod config;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod node;
pub mod random;
mod serve;
pub mod span;

pub use serve::serve;
