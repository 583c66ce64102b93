//! What runs beside the job, on the machine of the person: the job itself (`run`), its signals (`ping`),
//! the spool in which they wait for a server that is away, the clients of Nightbeat's API and of Healthchecks', and durations as
//! people write them.
//!
//! It knows the wire contracts (`docs/api.md` and the signal URLs) and nothing of the server behind them.
//! Signals go without an async runtime, so that it stays small; the client of the whole API (feature `api`)
//! has one.
#![forbid(unsafe_code)]

mod address;
#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "api")]
mod client;
pub mod clock;
pub mod duration;
mod error;
#[cfg(feature = "api")]
pub mod healthchecks;
#[cfg(feature = "api")]
mod http;
mod link;
pub mod ping;
pub mod run;
pub mod spool;

#[cfg(feature = "api")]
pub use client::{Answer, Client, List};
pub use error::{ClientError, Problem};
#[cfg(feature = "api")]
pub use reqwest::Method;
