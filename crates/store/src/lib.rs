//! Durable state.
//!
//! All SQL of Nightbeat stands in this crate. [`Store`] is what the server talks to; the control plane
//! ([`control`]) is portable SQL written once, the hot path is written per engine.
#![forbid(unsafe_code)]

mod arrival;
pub mod control;
mod error;
pub mod sql;
mod sqlite;

pub use arrival::{Arrival, NewHeartbeat, Recorded, Target, Watched};
pub use error::{Result, StoreError};
pub use sqlite::portable::Portable;
