//! Temporary: the handle that requests have on the node, until the node is there.

use std::sync::{Arc, Mutex};

use nightbeat_domain::UnixMicros;
use nightbeat_store::{Arrival, Recorded};

use crate::clock::Clock;

/// What requests have of the node.
#[derive(Debug, Clone, Default)]
pub struct NodeHandle {
    clock: Clock,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
}

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
}

/// How the node is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// What keeps the server from being ready; empty when it is.
    pub problems: Vec<String>,
}

impl NodeHandle {
    /// Records a signal; returns when it is durable, or will not be.
    #[expect(clippy::unused_async, reason = "the node will be asynchronous")]
    pub async fn signal(&self, arrival: Arrival) -> Answer {
        self.arrivals
            .lock()
            .expect("no panic while it is held")
            .push(arrival);
        Answer::Stored(Recorded::Counted)
    }

    /// What was recorded so far.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals
            .lock()
            .expect("no panic while it is held")
            .clone()
    }

    /// The instant now, on the node's time axis.
    pub fn now(&self) -> UnixMicros {
        UnixMicros(self.clock.read().wall_micros)
    }

    /// How the node is.
    pub fn health(&self) -> Health {
        Health::default()
    }
}
