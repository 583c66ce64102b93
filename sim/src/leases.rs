//! I11 of several nodes: who writes holds its lease. Shares no code with the rules that it checks.
//!
//! Also where a lost node's gap began in true time. Its watermark is an instant of its own axis, and whoever
//! enters the gap has another one.

use nightbeat_domain::UnixMicros;
use nightbeat_domain::nodes::Lease;

use crate::model::Held;
use crate::scenario::SECOND;
use crate::world::{World, node_id};

/// How long a lease holds after a transaction of its node.
const LEASE: i64 = 10 * SECOND;

/// An instant that the store knows, with its true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    axis: i64,
    real: i64,
}

/// What is known of a node's lease.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// What it may show; nothing once it left, or was taken for lost.
    lease: Option<Lease>,
    /// Until when, in the cluster's time.
    until: i64,
    /// Its newest epoch.
    epoch: u64,
    /// Its watermark.
    came_to: Option<Mark>,
}

/// The leases of several nodes; of a single one there are none.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    nodes: Vec<Known>,
    alive: Option<Mark>,
}

impl Leases {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            nodes: vec![Known::default(); nodes],
            alive: None,
        }
    }

    /// Whose leases are over is taken for lost by a transaction that judges, and by one that joins.
    fn reap(&mut self, now: i64) {
        for known in self.nodes.iter_mut().filter(|known| known.until <= now) {
            known.lease = None;
        }
    }

    /// Up to which true instant it is known that a node received, or anybody, where the store says `axis`.
    pub(crate) fn came_to(&self, axis: i64) -> Option<i64> {
        let nodes = self.nodes.iter().filter_map(|known| known.came_to);
        let marks = nodes.chain(self.alive).filter(|mark| mark.axis == axis);
        marks.map(|mark| mark.real).max()
    }
}

impl World {
    /// A node was given a lease.
    pub(crate) fn check_joined(&mut self, node: usize, lease: Lease, now: UnixMicros) {
        self.leases.reap(now.0);
        let known = &mut self.leases.nodes[node];
        let used = lease.epoch <= known.epoch;
        known.lease = Some(lease);
        known.until = now.0 + LEASE;
        known.epoch = lease.epoch;
        if used {
            let text = format!("node {node} joins with {lease:?}, which is over already");
            self.violate("I11 lease", None, text);
        }
    }

    /// A node left in order.
    pub(crate) fn check_left(&mut self, node: usize, held: Held) {
        self.check_write(node, Some(held), false);
        self.leases.nodes[node].lease = None;
    }

    /// A transaction of a node was stored; `judges`: as one that takes others for lost.
    pub(crate) fn check_write(&mut self, node: usize, held: Option<Held>, judges: bool) {
        let Some(held) = held else { return };
        let now = held.now.0;
        let known = &mut self.leases.nodes[node];
        let holds = known.lease == Some(held.lease) && now < known.until;
        if !holds {
            let text = format!(
                "node {node} changed something at {now} of the cluster's time as {:?}, but it holds {:?}, until {}",
                held.lease, known.lease, known.until
            );
            self.violate("I11 lease", None, text);
            return;
        }
        known.until = known.until.max(now + LEASE);
        if judges {
            self.leases.reap(now);
        }
    }

    /// The store knows how far a node has come.
    pub(crate) fn mark(&mut self, node: usize) {
        if self.scenario.nodes == 1 {
            return;
        }
        let known = self.model.nodes().iter();
        let row = known.copied().find(|row| row.node == node_id(node));
        let known = self.leases.nodes[node].came_to;
        self.leases.nodes[node].came_to = self.marked(node, row.map(|row| row.watermark), known);
        let alive = self.model.alive_until();
        self.leases.alive = self.marked(node, alive, self.leases.alive);
    }

    fn marked(&self, node: usize, axis: Option<UnixMicros>, known: Option<Mark>) -> Option<Mark> {
        let axis = axis?.0;
        if known.is_some_and(|known| known.axis == axis) {
            return known;
        }
        // Who joins or leaves says the time of the transaction itself.
        let now = self.agenda.now;
        let real = match self.nodes[node].run {
            Some(_) => self.truth.real(node, axis).min(now),
            None => now,
        };
        Some(Mark { axis, real })
    }

    /// When all has been well for hours, every node that runs holds its lease.
    pub(crate) fn check_leases_end(&mut self) {
        if self.scenario.nodes == 1 {
            return;
        }
        let now = self.cluster_time().0;
        for node in 0..self.nodes.len() {
            let known = self.leases.nodes[node];
            let row = self.model.nodes().iter();
            let row = row.copied().find(|row| row.node == node_id(node));
            let stored = row.is_some_and(|row| {
                let epoch = known.lease.map(|lease| lease.epoch);
                !row.left && Some(row.epoch) == epoch
            });
            if self.nodes[node].run.is_none() || !stored || known.until <= now {
                let text = format!("node {node} holds no lease at {now}: {known:?}, {row:?}");
                self.violate("I11 lease", None, text);
            }
        }
    }
}
