//! How many connections may be open, in all and of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use nightbeat_notify::IpNet;

use crate::config::{Config, neighbourhood};
use crate::metrics::{Metrics, ReasonLabel};

/// Why a connection of an address that has its share already is refused.
const OVER_SHARE: &str = "connections_per_address";

/// Counts open connections.
pub(super) struct Admission {
    room: Arc<Semaphore>,
    connections_max: u32,
    per_address_max: usize,
    exempt: Vec<IpNet>,
    /// A std mutex: held for one look-up, never across an await.
    per_address: Mutex<HashMap<IpAddr, usize>>,
    metrics: Arc<Metrics>,
    lost: Box<dyn Fn() + Send + Sync>,
}

/// One open connection; it is counted until this is dropped.
pub(super) struct Admitted {
    admission: Arc<Admission>,
    neighbours: Option<IpAddr>,
    _room: OwnedSemaphorePermit,
}

impl Admission {
    /// No connections yet. `lost` is told of each that nobody could have had: it may have been a signal.
    pub(super) fn new(
        config: &Config,
        metrics: Arc<Metrics>,
        lost: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        let limits = &config.limits;
        Self {
            room: Arc::new(Semaphore::new(limits.connections)),
            connections_max: u32::try_from(limits.connections).unwrap_or(u32::MAX),
            per_address_max: limits.connections_per_address,
            exempt: config.trusted_proxies.networks.clone(),
            per_address: Mutex::default(),
            metrics,
            lost,
        }
    }

    /// Room for one more connection of `peer`, or the name of the limit that is reached.
    pub(super) fn admit(self: &Arc<Self>, peer: Option<IpAddr>) -> Result<Admitted, &'static str> {
        let room = Arc::clone(&self.room).try_acquire_owned();
        let room = room.map_err(|_| self.refused("connections"))?;
        let counted = peer
            .filter(|peer| !self.is_exempt(*peer))
            .map(neighbourhood);
        if let Some(neighbours) = counted {
            let mut open = self
                .per_address
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let count = open.entry(neighbours).or_default();
            if *count >= self.per_address_max {
                return Err(self.refused(OVER_SHARE));
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
        if reason != OVER_SHARE {
            (self.lost)();
        }
        self.metrics
            .refusals
            .get_or_create(&ReasonLabel { reason })
            .inc();
        reason
    }

    /// Returns when no connection is open.
    pub(super) async fn drained(&self) {
        // Fails only when the semaphore is closed, which nobody does.
        let _ = self.room.acquire_many(self.connections_max).await;
    }

    /// A reverse proxy brings everybody's connections: they are one address to us.
    fn is_exempt(&self, peer: IpAddr) -> bool {
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
    use crate::config::Database;

    fn admission(connections: usize, per_address: usize) -> Arc<Admission> {
        let mut config = Config::with_database(Database::Sqlite("x".into()));
        config.limits.connections = connections;
        config.limits.connections_per_address = per_address;
        config.trusted_proxies.networks = vec!["10.0.0.0/8".parse().unwrap()];
        Arc::new(Admission::new(&config, Arc::default(), Box::new(|| {})))
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
        assert_eq!(admission.admit(None).err().unwrap(), "connections");
        let refusals = admission
            .metrics
            .refusals
            .get_or_create_owned(&ReasonLabel {
                reason: "connections",
            });
        assert_eq!(refusals.get(), 1);
        drop(held);
        admission.drained().await;
        assert_eq!(admission.metrics.connections.get(), 0);
    }
}
