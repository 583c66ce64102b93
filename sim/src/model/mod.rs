//! The model store: what a store promises, in memory.
//!
//! [`Model`] has the verbs of [`nightbeat_store::Store`] and their types, and calls the same
//! `nightbeat_domain`. Each call is one transaction, atomic at the instant at which it is made; whoever drives
//! it decides when a call is made, whether its answer arrives, and who crashes in between. That it does what
//! the real stores do is held to them by `tests/conformance.rs`.
//!
//! One node without a lease is SQLite's case. With leases ([`Held`]) it is that of several nodes on one
//! database: every transaction is fenced, and judgements go no further than every node has come.
//!
//! What it leaves out, because nothing decides by it: accounts, keys, a person's name for the settings, notes
//! since when an incident was acknowledged, and retention ([`Model::forget_before`] only frees memory).

mod changes;
mod dump;
mod hot;
mod mutants;
mod nodes;
mod outbox;
mod people;
mod record;
mod tables;
#[cfg(test)]
mod tests;
mod undo;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nightbeat_domain::nodes::{Lease, NodeId, NodeRow};
use nightbeat_domain::{
    ChannelId, Gap, GapKind, GapLedger, HeartbeatId, IncidentId, Phase, ProjectId, Settings, State,
    UnixMicros,
};
use nightbeat_store::control::maintenance::Window;
use nightbeat_store::control::projects::Project;
use nightbeat_store::{StoreError, Watched};

pub use changes::Change;
use mutants::Mutant;
#[cfg(feature = "mutants")]
pub use mutants::{ModelMutant, StaleStates};
use outbox::Outbox;
use tables::{ChannelRow, HeartbeatRow, IncidentRow, Log, RunRow, SignalRow, Writer};
use undo::Undo;

/// Why the model did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node's lease is void: nothing was stored, and it must join again.
    #[error(transparent)]
    Fenced(#[from] nightbeat_domain::nodes::Fenced),
    /// As any store says it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The model's result.
pub type Result<T> = std::result::Result<T, Error>;

/// A transaction of a node that holds a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What it shows.
    pub lease: Lease,
    /// The instant of the transaction, by the database's own clock.
    pub now: UnixMicros,
}

/// What goes wrong with one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is stored, and the caller is told so.
    Refuse,
    /// All of it is stored, but the caller is told that nobody knows.
    LoseAnswer,
}

/// A store in memory.
#[derive(Debug, Default)]
pub struct Model {
    projects: BTreeMap<ProjectId, Project>,
    channels: BTreeMap<ChannelId, ChannelRow>,
    heartbeats: BTreeMap<HeartbeatId, HeartbeatRow>,
    /// Of each project, by slug.
    slugs: BTreeMap<(ProjectId, String), BTreeSet<HeartbeatId>>,
    /// Heartbeats that were removed, with the heads of their logs.
    removed: BTreeMap<HeartbeatId, (Option<i64>, Option<i64>)>,
    signals: Log<SignalRow>,
    runs: Log<RunRow>,
    nonces: BTreeMap<HeartbeatId, BTreeMap<String, UnixMicros>>,
    incidents: BTreeMap<IncidentId, IncidentRow>,
    outbox: Outbox,
    /// By the index that the real stores read them from.
    windows: BTreeMap<ProjectId, BTreeMap<(UnixMicros, uuid::Uuid), Window>>,
    /// As told, in the order in which they were entered.
    gap_rows: Vec<Gap>,
    gap_keys: BTreeSet<(UnixMicros, UnixMicros, GapKind)>,
    ledger: Arc<GapLedger>,
    alive_until: Option<UnixMicros>,
    nodes: Vec<NodeRow>,
    /// What a node's writer keeps in memory; gone with the node.
    writers: BTreeMap<Option<NodeId>, Writer>,
    /// What the transaction under way has changed.
    undo: Vec<Undo>,
    changes: Vec<Change>,
    fault: Option<Fault>,
    mutant: Mutant,
}

impl Model {
    /// An empty store that never served.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next transaction goes wrong.
    pub fn fail_next(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// What was committed since the last call, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Everything that is to be watched.
    pub fn watch_list(&self) -> Vec<Watched> {
        let rows = self.heartbeats.iter();
        rows.filter_map(|(id, row)| {
            row.hot.state.wake_at.map(|at| Watched {
                heartbeat: *id,
                wake_at: Some(at),
            })
        })
        .collect()
    }

    /// Everything watched that should have been looked at before `before`, at most `limit`.
    pub fn overdue(&self, before: UnixMicros, limit: u32) -> Vec<Watched> {
        let rows = self.heartbeats.iter();
        rows.filter(|(_, row)| row.hot.state.wake_at.is_some_and(|at| at < before))
            .take(limit as usize)
            .map(|(id, row)| Watched {
                heartbeat: *id,
                wake_at: row.hot.state.wake_at,
            })
            .collect()
    }

    /// Until when receiving is known to have worked; `None` in a store that never served.
    pub fn alive_until(&self) -> Option<UnixMicros> {
        self.alive_until
    }

    /// What is known of a heartbeat.
    pub fn state(&self, heartbeat: HeartbeatId) -> Option<&State> {
        self.heartbeats.get(&heartbeat).map(|row| &row.hot.state)
    }

    /// What decides how a heartbeat behaves.
    pub fn settings(&self, heartbeat: HeartbeatId) -> Option<&Arc<Settings>> {
        self.heartbeats.get(&heartbeat).map(|row| &row.hot.settings)
    }

    /// The project in which a heartbeat lives.
    pub fn project_of(&self, heartbeat: HeartbeatId) -> Option<ProjectId> {
        self.heartbeats.get(&heartbeat).map(|row| row.project)
    }

    /// All heartbeats, by id.
    pub fn heartbeats(&self) -> impl Iterator<Item = HeartbeatId> + '_ {
        self.heartbeats.keys().copied()
    }

    /// The gap ledger, as decisions see it.
    pub fn gaps(&self) -> &GapLedger {
        &self.ledger
    }

    /// How many deliveries wait for a receiver or are being sent.
    pub fn deliveries_waiting(&self) -> usize {
        self.outbox.waiting()
    }

    /// Frees the memory of what ended before `at` and decides nothing any more: signals, runs, nonces,
    /// closed incidents, deliveries at their end, gaps. What is about a later instant stays complete, and so
    /// does each gap that a heartbeat may have been signalled in unseen, however long it has been silent.
    pub fn forget_before(&mut self, at: UnixMicros) {
        self.signals
            .forget(|row| row.arrival.signal.received_at < at);
        self.runs.forget(|row| row.run.ended_at < at);
        for nonces in self.nonces.values_mut() {
            nonces.retain(|_, received_at| *received_at >= at);
        }
        self.incidents
            .retain(|_, row| row.closed_at.is_none_or(|closed| closed >= at));
        self.outbox.forget_before(at);
        let at = self.gaps_needed_from().map_or(at, |needed| at.min(needed));
        if self.gap_rows.iter().any(|gap| gap.to < at) {
            self.gap_rows.retain(|gap| gap.to >= at);
            self.gap_keys.retain(|(_, to, _)| *to >= at);
            self.ledger = Arc::new(GapLedger::new(self.gap_rows.iter().copied()));
        }
    }

    /// The earliest instant from which a heartbeat still counts gaps.
    fn gaps_needed_from(&self) -> Option<UnixMicros> {
        let states = self.heartbeats.values().map(|row| &row.hot.state);
        let judged = states.filter(|state| state.phase != Phase::Paused);
        let since = judged.map(|state| {
            let ended = state.last_run.map(|run| run.ended_at);
            let quiet = ended.map_or(state.armed_at, |ended| ended.max(state.armed_at));
            let runs = state.runs.iter().map(|run| run.started_at);
            runs.fold(quiet, UnixMicros::min)
        });
        since.min()
    }

    /// All or nothing: `work` in one transaction, after its node's lease was renewed.
    fn transaction<T>(
        &mut self,
        held: Option<Held>,
        watermark: UnixMicros,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let fault = self.fault.take();
        if fault == Some(Fault::Refuse) {
            let text = "the model was told to refuse".to_owned();
            return Err(StoreError::Unavailable(text).into());
        }
        let told = self.changes.len();
        let result = match self.fence(held, watermark) {
            Ok(()) => work(self),
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.roll_back();
            self.changes.truncate(told);
        }
        self.undo.clear();
        if fault == Some(Fault::LoseAnswer) && result.is_ok() {
            let text = "the model was told to lose the answer".to_owned();
            return Err(StoreError::Unknown(text).into());
        }
        result
    }
}

/// Another row has this key.
fn taken(what: &str) -> Error {
    StoreError::Conflict(what.to_owned()).into()
}
