//! What the hot path asks of an engine.

use std::sync::Arc;

use nightbeat_domain::{
    FinishedRun, Gap, HeartbeatId, IgnoredBecause, Settings, SignalKind, State, UnixMicros,
};

use super::Renewed;
use super::memory::{Memory, Shared};
use crate::sql::Sql;
use crate::{Arrival, Result, StoreError};

/// A heartbeat in the course of a transaction.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Arc<Settings>,
    pub(crate) settings_row: i64,
    pub(crate) state: State,
    pub(crate) newest_signal: Option<i64>,
    pub(crate) newest_run: Option<i64>,
    /// When it is looked at next, as stored before.
    pub(crate) wake_before: Option<UnixMicros>,
    pub(crate) changed: bool,
}

/// What a signal was taken for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TakenFor {
    /// What it says: its heartbeat's keywords may have made it another thing than its URL did.
    pub(crate) kind: SignalKind,
    /// Why it did not count; `None`: it counted.
    pub(crate) ignored: Option<IgnoredBecause>,
}

/// What a transaction is told as it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening<'a> {
    /// Whom it is about, as far as that is known.
    pub(crate) heartbeats: &'a [HeartbeatId],
    /// The same, by ping key and slug.
    pub(crate) slugs: &'a [(&'a str, &'a str)],
    /// Whether heartbeats that another node works on are left to it.
    pub(crate) leaves_held: bool,
    /// Gaps to enter before anything else.
    pub(crate) gaps: &'a [Gap],
    /// Every signal received up to this instant is recorded or refused, once this transaction is.
    pub(crate) watermark: UnixMicros,
    /// The instant: until now, receiving worked.
    pub(crate) now: UnixMicros,
}

/// One engine's writer: its transactions come one after another.
pub(crate) trait Writes {
    /// What it keeps in memory.
    fn memory(&mut self) -> &mut Memory;

    /// Runs `work` in one transaction, with the gaps of `opening` in the ledger: all of it is durable, or
    /// nothing. Where another transaction gets in its way, it is run again.
    fn transaction<T>(
        &mut self,
        opening: &Opening<'_>,
        work: impl Fn(&mut dyn Rows, &mut Shared<'_>) -> Result<T>,
    ) -> Result<T>;
}

/// The rows of the hot path within a transaction. What was written is seen by whatever is read after it.
pub(crate) trait Rows {
    /// Portable SQL in the same transaction.
    fn sql(&mut self) -> Result<&mut dyn Sql>;

    /// A heartbeat, to be changed by this transaction; `None`: it has no state.
    fn load(&mut self, shared: &mut Shared<'_>, heartbeat: HeartbeatId) -> Result<Option<Loaded>>;

    /// This transaction has made the heartbeat: from now on it can be loaded.
    fn created(&mut self, _heartbeat: HeartbeatId) {}

    /// Writes back what signals and judgements change.
    fn write(&mut self, heartbeat: HeartbeatId, loaded: &Loaded) -> Result<()>;

    /// Appends to the log of signals.
    fn insert_signal(
        &mut self,
        row: i64,
        heartbeat: HeartbeatId,
        arrival: &Arrival,
        taken_for: TakenFor,
        previous: Option<i64>,
    ) -> Result<()>;

    /// Appends to the log of runs.
    fn insert_run(
        &mut self,
        row: i64,
        heartbeat: HeartbeatId,
        run: &FinishedRun,
        previous: Option<i64>,
    ) -> Result<()>;

    /// Up to when may be judged, where this writer alone might judge up to `wish`.
    fn judge_to(&self, wish: UnixMicros) -> UnixMicros;

    /// Whether another node works on the heartbeat now, so that this one leaves it alone.
    fn is_held_elsewhere(&mut self, heartbeat: HeartbeatId) -> Result<bool>;

    /// What became of the node's lease.
    fn renewed(&self) -> Option<Renewed>;
}

/// A row that makes a decision panic is a broken row: the server would only start, meet it and end again.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> StoreError {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let said = said.unwrap_or("without a word");
    StoreError::Broken(format!("a decision panicked: {said}"))
}
