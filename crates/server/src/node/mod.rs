//! The node: the engine, driven by what happens.
//!
//! [`NodeHandle`] is what requests have of it. [`Node::run`] is its loop: it takes out what waits, lets the
//! engine decide, and has the commands carried out; their results come back as events. The loop itself
//! never waits for the disk or for a stranger's server.
//!
//! A server alone on its database has one such loop (`life`). One of several nodes has a life for each
//! lease: taken for lost, it drops all that it held, and joins again (`run`).

mod deliver;
mod handle;
mod identity;
mod intake;
mod life;
mod pace;
mod report;
mod run;
mod watching;

use std::sync::Arc;

use nightbeat_domain::{Gap, HeartbeatId, UnixMicros};
use nightbeat_notify::{Catalogue, Notifier};
use nightbeat_store::{Recorded, Store};

use crate::clock::Clock;
use crate::config::Roles;
use crate::metrics::Metrics;
pub use handle::NodeHandle;
pub use identity::Identity;
pub use intake::Arriving;
pub use report::Health;
pub use run::Node;

/// When a client that was refused should come again.
const RETRY_AFTER_SECONDS: u32 = 5;

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is durable.
    Stored(Recorded),
    /// It cannot be stored now.
    Refused {
        /// When to try again.
        retry_after_seconds: u32,
    },
    /// The heartbeat signals faster than the operator's limit.
    TooFast {
        /// When to try again.
        retry_after_seconds: u32,
    },
    /// This server takes no signals.
    NotHere,
}

/// What the node is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where it stores.
    pub store: Store,
    /// Until when receiving is known to have worked, before this start. Of several nodes the store knows.
    pub alive_until: Option<UnixMicros>,
    /// Which of several nodes it is; without, it is a new one.
    pub identity: Option<Identity>,
    /// What it does.
    pub roles: Roles,
    /// The kinds of channels.
    pub catalogue: Arc<Catalogue>,
    /// What sends.
    pub notifier: Arc<Notifier>,
    /// The public URL without a slash at its end: what links in messages begin with.
    pub public_url: Arc<str>,
    /// The clocks.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How many signals may wait.
    pub inbox_signals_max: usize,
    /// How many signals a second one heartbeat may send; as many as it likes where there is no limit.
    pub signals_per_second: Option<u32>,
}

/// What the node is told from outside, whichever life it is in.
#[derive(Debug)]
enum Told {
    Filed(Vec<(HeartbeatId, UnixMicros)>),
    Gap(Gap),
    Queued,
}
