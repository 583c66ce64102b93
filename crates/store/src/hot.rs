//! The hot path: signals are recorded, and what has become due is judged. What is decided is written once;
//! the rows are each engine's own.

mod engine;
mod memory;
mod queue;
mod transaction;
mod unreadable;
mod verbs;

use nightbeat_domain::{Gap, HeartbeatId, UnixMicros};

pub(crate) use self::engine::{Loaded, Opening, Rows, TakenFor, Writes, panicked};
pub(crate) use self::memory::{Memory, NextRows, Shared};
pub(crate) use self::queue::{Queue, Worker};
pub(crate) use self::verbs::{judge, record};
use crate::{Arrival, Recorded, Watched};

/// A batch of signals to record in one transaction.
#[derive(Debug, Clone)]
pub struct Record {
    /// The signals, in the order of their arrival.
    pub arrivals: Vec<Arrival>,
    /// Every signal received up to this instant is in this batch or in an earlier one.
    pub watermark: UnixMicros,
    /// Gaps to enter into the ledger first.
    pub gaps: Vec<Gap>,
    /// The instant: until now, receiving worked.
    pub now: UnixMicros,
}

/// Heartbeats to judge in one transaction.
#[derive(Debug, Clone)]
pub struct Elapse {
    /// Whose deadlines may have passed.
    pub heartbeats: Vec<HeartbeatId>,
    /// Every signal received up to this instant has been recorded or refused.
    pub asof: UnixMicros,
    /// Gaps to enter into the ledger first.
    pub gaps: Vec<Gap>,
    /// The instant: until now, receiving worked.
    pub now: UnixMicros,
}

/// What a transaction on the hot path did. It is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// What became of each signal, in the order of the batch.
    pub recorded: Vec<Recorded>,
    /// When to look at heartbeats that were judged, or whose next look has become earlier.
    pub watched: Vec<Watched>,
    /// How many deliveries were queued.
    pub deliveries: u32,
    /// *Down* was claimed although a signal had arrived in time. Must stay zero.
    pub false_raises: u32,
    /// What became of the node's lease, where it holds one.
    pub renewed: Option<Renewed>,
}

/// A transaction renewed its node's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// The cluster's time in the transaction, by the database's clock.
    pub clock: UnixMicros,
    /// Until when the lease holds, by the same time.
    pub lease_until: UnixMicros,
    /// Which lives of nodes are over ([`nightbeat_domain::nodes::generation`]): where it changes, the watch
    /// list has to be read anew.
    pub generation: u64,
}

impl Done {
    /// What two transactions did that one batch took.
    #[must_use]
    pub fn and(mut self, mut second: Self) -> Self {
        self.recorded.append(&mut second.recorded);
        self.watched.append(&mut second.watched);
        self.deliveries += second.deliveries;
        self.false_raises += second.false_raises;
        self.renewed = second.renewed.or(self.renewed);
        self
    }
}
