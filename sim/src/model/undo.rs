//! Rolling back: what a transaction has changed, in order.

use std::sync::Arc;

use nightbeat_domain::nodes::NodeRow;
use nightbeat_domain::{Gap, GapLedger, HeartbeatId, IncidentId, UnixMicros};

use super::Model;
use super::tables::{Hot, IncidentRow};

/// One change, as what was there before.
#[derive(Debug)]
pub(super) enum Undo {
    Hot(HeartbeatId, Box<Hot>),
    HeartbeatAdded(HeartbeatId),
    SignalAdded,
    RunAdded,
    NonceAdded(HeartbeatId, String),
    Incident(IncidentId, Option<Box<IncidentRow>>),
    DeliveryAdded(i64),
    Ledger(Arc<GapLedger>),
    GapAdded(Gap),
    Alive(Option<UnixMicros>),
    Node(usize, NodeRow),
    Nodes(Vec<NodeRow>),
}

impl Model {
    pub(super) fn roll_back(&mut self) {
        while let Some(change) = self.undo.pop() {
            self.take_back(change);
        }
    }

    fn take_back(&mut self, change: Undo) {
        match change {
            Undo::Hot(id, hot) => {
                if let Some(row) = self.heartbeats.get_mut(&id) {
                    row.hot = *hot;
                }
            }
            Undo::HeartbeatAdded(id) => {
                self.take_out(id);
            }
            Undo::SignalAdded => self.signals.pop(),
            Undo::RunAdded => self.runs.pop(),
            Undo::NonceAdded(heartbeat, nonce) => {
                if let Some(nonces) = self.nonces.get_mut(&heartbeat) {
                    nonces.remove(&nonce);
                }
            }
            Undo::Incident(id, before) => {
                match before {
                    Some(row) => self.incidents.insert(id, *row),
                    None => self.incidents.remove(&id),
                };
            }
            Undo::DeliveryAdded(number) => self.outbox.take_back(number),
            Undo::Ledger(ledger) => self.ledger = ledger,
            Undo::GapAdded(gap) => {
                self.gap_rows.pop();
                self.gap_keys.remove(&(gap.from, gap.to, gap.kind));
            }
            Undo::Alive(until) => self.alive_until = until,
            Undo::Node(index, row) => self.nodes[index] = row,
            Undo::Nodes(rows) => self.nodes = rows,
        }
    }
}
