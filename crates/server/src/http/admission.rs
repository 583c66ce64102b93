//! How many connections may be open, in all and of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use nightbeat_notify::IpNet;

use crate::config::{Limits, neighbourhood};
use crate::metrics::{Metrics, ReasonLabel};

/// How many connections of one kind may be open, and what a refusal is called in the metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    /// In all.
    pub(crate) connections: usize,
    /// Of one address.
    pub(crate) per_address: usize,
    /// Why one is refused when there is no room at all.
    pub(crate) no_room: &'static str,
    /// Why one of an address that has its share already is refused.
    pub(crate) over_share: &'static str,
}

impl Caps {
    /// Those that bring requests.
    pub(crate) fn of_requests(limits: &Limits) -> Self {
        Self {
            connections: limits.connections,
            per_address: limits.connections_per_address,
            no_room: "connections",
            over_share: "connections_per_address",
        }
    }

    /// Those that bring mail.
    pub(crate) fn of_mail(limits: &Limits) -> Self {
        Self {
            connections: limits.mail_connections,
            per_address: limits.mail_connections_per_address,
            no_room: "mail_connections",
            over_share: "mail_connections_per_address",
        }
    }
}

/// Counts open connections.
pub(crate) struct Admission {
    room: Arc<Semaphore>,
    caps: Caps,
    exempt: Vec<IpNet>,
    /// A std mutex: held for one look-up, never across an await.
    per_address: Mutex<HashMap<IpAddr, usize>>,
    metrics: Arc<Metrics>,
    lost: Box<dyn Fn() + Send + Sync>,
}

/// One open connection; it is counted until this is dropped.
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    neighbours: Option<IpAddr>,
    _room: OwnedSemaphorePermit,
}

impl Admission {
    /// No connections yet. `lost` is told of each that nobody could have had: it may have been a signal.
    pub(crate) fn new(
        caps: Caps,
        exempt: &[IpNet],
        metrics: Arc<Metrics>,
        lost: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            room: Arc::new(Semaphore::new(caps.connections)),
            caps,
            exempt: exempt.to_vec(),
            per_address: Mutex::default(),
            metrics,
            lost,
        }
    }

    /// Room for one more connection of `peer`, or the name of the limit that is reached.
    pub(super) fn admit(self: &Arc<Self>, peer: Option<IpAddr>) -> Result<Admitted, &'static str> {
        let room = Arc::clone(&self.room).try_acquire_owned();
        let room = room.map_err(|_| self.refused(self.caps.no_room))?;
        let counted = peer
            .filter(|peer| !self.is_exempt(*peer))
            .map(neighbourhood);
        if let Some(neighbours) = counted {
            let mut open = self
                .per_address
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let count = open.entry(neighbours).or_default();
            if *count >= self.caps.per_address {
                return Err(self.refused(self.caps.over_share));
            }
            *count += 1;
        }
        self.metrics.connections.inc();
        Ok(Admitted {
            admission: Arc::clone(self),
            neighbours: counted,
            _room: room,
        })
    }

    /// Counts a connection that could not be taken.
    pub(super) fn refused(&self, reason: &'static str) -> &'static str {
        // One address over its own share says nothing of whether the others could reach us.
        if reason != self.caps.over_share {
            (self.lost)();
        }
        self.metrics
            .refusals
            .get_or_create(&ReasonLabel { reason })
            .inc();
        reason
    }

    /// Whether most of the room is taken: who is silent has to leave sooner.
    pub(crate) fn is_crowded(&self) -> bool {
        self.room.available_permits() < self.caps.connections / 2
    }

    /// Returns when no connection is open.
    pub(crate) async fn drained(&self) {
        let all = u32::try_from(self.caps.connections).unwrap_or(u32::MAX);
        // Fails only when the semaphore is closed, which nobody does.
        let _ = self.room.acquire_many(all).await;
    }

    /// A reverse proxy brings everybody's connections: they are one address to us.
    pub(crate) fn is_exempt(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.exempt.iter().any(|network| network.contains(peer))
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.metrics.connections.dec();
        let Some(neighbours) = self.neighbours else {
            return;
        };
        let mut open = self
            .admission
            .per_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&neighbours) {
            *count -= 1;
            if *count == 0 {
                open.remove(&neighbours);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, per_address: usize) -> Arc<Admission> {
        let caps = Caps {
            connections,
            per_address,
            no_room: "connections",
            over_share: "connections_per_address",
        };
        let exempt = ["10.0.0.0/8".parse().unwrap()];
        let admission = Admission::new(caps, &exempt, Arc::default(), Box::new(|| {}));
        Arc::new(admission)
    }

    #[expect(clippy::unnecessary_wraps, reason = "a peer may have no address")]
    fn peer(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_address_has_its_share_and_gets_it_back() {
        let admission = admission(100, 2);
        let first = admission.admit(peer("203.0.113.1")).ok().unwrap();
        let _second = admission.admit(peer("203.0.113.1")).ok().unwrap();
        assert_eq!(
            admission.admit(peer("203.0.113.1")).err().unwrap(),
            "connections_per_address"
        );
        let _other = admission.admit(peer("203.0.113.2")).ok().unwrap();
        drop(first);
        let _third = admission.admit(peer("203.0.113.1")).ok().unwrap();
        assert_eq!(admission.metrics.connections.get(), 3);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let admission = admission(100, 1);
        let _one = admission.admit(peer("2001:db8::1")).ok().unwrap();
        assert!(admission.admit(peer("2001:db8::2")).is_err());
        assert!(admission.admit(peer("2001:db8:0:1::2")).is_ok());
    }

    #[test]
    fn loopback_proxies_and_unix_sockets_have_no_share_of_their_own() {
        let admission = admission(100, 1);
        let peers = [
            peer("127.0.0.1"),
            peer("::1"),
            peer("::ffff:127.0.0.1"),
            peer("10.1.2.3"),
            None,
        ];
        let taken: Vec<_> = peers
            .iter()
            .flat_map(|peer| [*peer; 3])
            .map(|peer| admission.admit(peer).ok().unwrap())
            .collect();
        assert_eq!(taken.len(), 15);
    }

    #[tokio::test]
    async fn in_all_there_is_room_for_so_many() {
        let admission = admission(2, 9);
        let held = [
            admission.admit(None).ok().unwrap(),
            admission.admit(None).ok().unwrap(),
        ];
        assert!(admission.is_crowded());
        assert_eq!(admission.admit(None).err().unwrap(), "connections");
        let refusals = admission
            .metrics
            .refusals
            .get_or_create_owned(&ReasonLabel {
                reason: "connections",
            });
        assert_eq!(refusals.get(), 1);
        drop(held);
        assert!(!admission.is_crowded());
        admission.drained().await;
        assert_eq!(admission.metrics.connections.get(), 0);
    }
}
