//! What runs beside the job, on the machine of the person: the client of Nightbeat's API, the sending
//! of signals, and durations as people write them.
//!
//! It knows the wire contracts (`docs/api.md` and the signal URLs) and nothing of the server behind
//! them. It reads no clock and makes no random number: callers bring the nonce, the jitter and the time.
#![forbid(unsafe_code)]

pub mod api;
mod client;
pub mod duration;
mod error;
mod http;
pub mod ping;

pub use client::{Answer, Client, List};
pub use error::{ClientError, Problem};
pub use reqwest::Method;
