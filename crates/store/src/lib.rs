//! Durable state.
//!
//! All SQL of Nightbeat stands in this crate. [`Store`] is what the server talks to; the control plane
//! ([`control`]) is portable SQL written once, the hot path is written per engine.
#![forbid(unsafe_code)]

mod arrival;
mod broken;
mod codec;
pub mod control;
mod copy;
#[cfg(feature = "damage")]
pub mod damage;
pub mod dump;
mod effects;
mod error;
mod fields;
pub mod hot;
mod inspect;
mod migrate;
mod nodes;
pub mod outbox;
pub mod people;
mod postgres;
mod retention;
pub mod sql;
mod sqlite;
mod store;
mod zones;

pub use arrival::{Arrival, Mail, NewHeartbeat, Recorded, Target, Watched};
pub use copy::{Copied, CopyOptions, CopyPhase, CopyProgress, Tell, copy};
pub use effects::{DIGEST_COLLECTS, event, last_lines};
pub use error::{Result, StoreError};
pub use nodes::{Joined, NodeFacts};
pub use retention::{PruneCursor, PruneProgress, Retention};
pub use sqlite::portable::Portable;
pub use sqlite::{BackupDone, CheckReport, CheckedPart, check_sqlite};
pub use store::{Opened, Opener, Store, ZoneReport};
pub use zones::{MovedHeartbeat, StoredZone};
