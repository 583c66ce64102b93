//! Who writes: a single server without a lease, or nodes that hold one.

use std::sync::Arc;

use nightbeat_domain::nodes::{
    Fenced, Lease, NodeId, NodeRow, asof, cluster_time, join, leave, reap,
};
use nightbeat_domain::{Gap, GapLedger, UnixMicros};

use super::undo::Undo;
use super::{Held, Model, Result};

impl Model {
    /// The one server of a store without leases opens it, as `Store::open_sqlite` does: what was being sent
    /// is free. Until when receiving is known to have worked: the server tells the gap since itself.
    pub fn open_alone(&mut self) -> Option<UnixMicros> {
        self.writers.remove(&None);
        self.outbox.free_leases();
        if !self.mutant.keeps_no_ledger() {
            // As stored: what was joined in the order of events may have another kind now.
            self.ledger = Arc::new(GapLedger::new(self.gap_rows.iter().copied()));
        }
        self.alive_until
    }

    /// A node begins, or begins again: its older lease is void from now on, and the gaps that its absence or
    /// everybody's left are in the ledger. It tells no gap since `alive_until` itself.
    pub fn join(&mut self, node: NodeId, now: UnixMicros) -> Result<Lease> {
        self.writers.remove(&Some(node));
        self.transaction(None, UnixMicros::MIN, |model| {
            model.undo.push(Undo::Nodes(model.nodes.clone()));
            let joined = join(&mut model.nodes, node, model.alive_until, now);
            for gap in model.mutant.partial_gaps(joined.gaps) {
                model.enter_gap(gap);
            }
            model.alive(now);
            Ok(joined.lease)
        })
    }

    /// A node ends cleanly, after all that it took is stored or refused. `gaps`: what it has not told yet.
    pub fn leave(&mut self, held: Held, gaps: &[Gap]) -> Result<()> {
        let node = Some(held.lease.node);
        let refused = self.writers.get(&node).and_then(|writer| writer.refused);
        self.transaction(None, UnixMicros::MIN, |model| {
            model.undo.push(Undo::Nodes(model.nodes.clone()));
            leave(&mut model.nodes, held.lease, held.now)?;
            for gap in refused.iter().chain(gaps) {
                model.enter_gap(*gap);
            }
            model.alive(held.now);
            Ok(())
        })?;
        self.writers.remove(&node);
        Ok(())
    }

    /// A node dies (`None`: the one without a lease): what its writer kept in memory is gone. All else stays
    /// as it was committed.
    pub fn crash(&mut self, node: Option<NodeId>) {
        self.writers.remove(&node);
    }

    /// The cluster's time, where the database's clock says `clock`.
    pub fn cluster_time(&self, clock: UnixMicros) -> UnixMicros {
        cluster_time(&self.nodes, self.alive_until, clock)
    }

    /// The nodes, as stored.
    pub fn nodes(&self) -> &[NodeRow] {
        &self.nodes
    }

    /// The first step of a transaction: the node's lease holds.
    pub(super) fn fence(&mut self, held: Option<Held>, watermark: UnixMicros) -> Result<()> {
        let Some(held) = held else { return Ok(()) };
        let found = self
            .nodes
            .iter()
            .position(|row| row.node == held.lease.node);
        let index = found.ok_or(Fenced)?;
        let mut row = self.nodes[index];
        let renewed = row.renew(held.lease, watermark, held.now);
        if renewed.is_err() && self.mutant.ignores_fence() {
            return Ok(());
        }
        renewed?;
        if row != self.nodes[index] {
            self.undo.push(Undo::Node(index, self.nodes[index]));
            self.nodes[index] = row;
        }
        Ok(())
    }

    /// Takes nodes for lost whose lease is over: their gaps come before any decision.
    pub(super) fn reap(&mut self, held: Option<Held>) {
        let Some(held) = held else { return };
        if self
            .nodes
            .iter()
            .all(|row| row.left || row.is_live(held.now))
        {
            return;
        }
        self.undo.push(Undo::Nodes(self.nodes.clone()));
        let gaps = reap(&mut self.nodes, held.now);
        for gap in self.mutant.partial_gaps(gaps) {
            self.enter_gap(gap);
        }
    }

    /// Up to when may be judged.
    pub(super) fn judge_to(&self, held: Option<Held>, wish: UnixMicros) -> UnixMicros {
        held.map_or(wish, |_| asof(&self.nodes, wish))
    }

    /// Enters a gap into the ledger.
    pub(super) fn enter_gap(&mut self, gap: Gap) {
        if self.gap_keys.insert((gap.from, gap.to, gap.kind)) {
            self.gap_rows.push(gap);
            self.undo.push(Undo::GapAdded(gap));
            self.changes.push(super::Change::Gap(gap));
        }
        if self.mutant.keeps_no_ledger() {
            return;
        }
        self.undo.push(Undo::Ledger(Arc::clone(&self.ledger)));
        Arc::make_mut(&mut self.ledger).add(gap);
    }

    /// Until `now`, receiving worked.
    pub(super) fn alive(&mut self, now: UnixMicros) {
        if self.alive_until.is_none_or(|until| until < now) {
            self.undo.push(Undo::Alive(self.alive_until));
            self.alive_until = Some(now);
        }
    }
}
