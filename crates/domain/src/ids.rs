//! Identifiers. Each kind is its own type, so that one cannot stand in for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    };
}

id!(
    /// A heartbeat's public id: a random UUID v4, and a secret. Who knows it may signal.
    HeartbeatId
);
id!(
    /// A project, the tenant that owns heartbeats, channels and keys.
    ProjectId
);
id!(
    /// A channel: where alerts go.
    ChannelId
);
id!(
    /// An incident. Derived from its heartbeat and number, so that saying it twice says the same.
    IncidentId
);
id!(
    /// One alert to one channel. Travels to the receiver as idempotency key.
    DeliveryId
);
id!(
    /// A run id (`rid`): chosen by the client, the same on a run's start and its closing signal.
    RunId
);

impl IncidentId {
    /// The id of a heartbeat's `number`-th incident (1 is the first).
    pub fn derive(heartbeat: HeartbeatId, number: u32) -> Self {
        Self(Uuid::new_v5(
            &heartbeat.0,
            format!("incident/{number}").as_bytes(),
        ))
    }
}

impl DeliveryId {
    /// The id of the alert with `sequence` of a heartbeat, on its way to `channel`. Deterministic, so
    /// that a transaction that is tried again cannot make a second alert of one.
    pub fn derive(heartbeat: HeartbeatId, sequence: u32, channel: ChannelId) -> Self {
        let alert = Uuid::new_v5(&heartbeat.0, format!("alert/{sequence}").as_bytes());
        Self(Uuid::new_v5(&alert, channel.0.as_bytes()))
    }

    /// The id of a message that tells these: of one its own, of several one that is made of all of them, in
    /// whatever order they come. A receiver that drops what it has had already then loses nothing: a message
    /// that tells more than the one before it has another id.
    pub fn of_message(deliveries: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut all: Vec<Self> = deliveries.into_iter().collect();
        all.sort_unstable();
        let (first, rest) = all.split_first()?;
        if rest.is_empty() {
            return Some(*first);
        }
        let rest: Vec<u8> = rest.iter().flat_map(|it| *it.0.as_bytes()).collect();
        Some(Self(Uuid::new_v5(&first.0, &rest)))
    }
}
