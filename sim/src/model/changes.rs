//! What a transaction has changed, for whoever checks it.

use std::sync::Arc;

use nightbeat_domain::{
    AlertSnapshot, ChannelId, DeliveryId, Gap, HeartbeatId, IgnoredBecause, IncidentChange, Signal,
};

/// Something that was committed.
#[derive(Debug, Clone)]
pub enum Change {
    /// A signal is recorded.
    Signal {
        /// Its number in the log.
        number: i64,
        /// Whom it was for.
        heartbeat: HeartbeatId,
        /// What it says.
        signal: Signal,
        /// The client's mark of it.
        nonce: Option<String>,
        /// It did not count.
        ignored: Option<IgnoredBecause>,
    },
    /// A signal created this heartbeat.
    Created(HeartbeatId),
    /// Something happened to an incident.
    Incident {
        /// Whose.
        heartbeat: HeartbeatId,
        /// What.
        change: IncidentChange,
    },
    /// A delivery was queued.
    Queued {
        /// Its number.
        number: i64,
        /// Its id.
        id: DeliveryId,
        /// Where it goes.
        channel: ChannelId,
        /// It is a copy for the fallback channel.
        fallback: bool,
        /// What it tells.
        snapshot: Arc<AlertSnapshot>,
    },
    /// A delivery will never be sent: its channel was removed.
    Cancelled {
        /// Its number.
        number: i64,
    },
    /// A gap was entered into the ledger.
    Gap(Gap),
}
