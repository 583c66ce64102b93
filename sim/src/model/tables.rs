//! The rows of the model.

use std::collections::VecDeque;
use std::sync::Arc;

use nightbeat_domain::{
    AlertSnapshot, Cause, Claim, FinishedRun, Gap, HeartbeatId, IgnoredBecause, ProjectId,
    Settings, State, UnixMicros,
};
use nightbeat_store::Arrival;
use nightbeat_store::control::Routing;
use nightbeat_store::control::channels::Channel;

/// What a node's writer keeps in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer {
    /// Every signal received up to this instant has been recorded or refused: the latest that a judgement
    /// was told.
    pub(super) watermark: UnixMicros,
    /// The gap that failed batches left behind; the next transaction on the hot path enters it.
    pub(super) refused: Option<Gap>,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            watermark: UnixMicros::MIN,
            refused: None,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct HeartbeatRow {
    pub(super) project: ProjectId,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) tags: Vec<String>,
    pub(super) routing: Routing,
    pub(super) created_at: UnixMicros,
    pub(super) hot: Hot,
}

/// What signals change.
#[derive(Debug, Clone)]
pub(super) struct Hot {
    pub(super) settings: Arc<Settings>,
    pub(super) state: State,
    pub(super) newest_signal: Option<i64>,
    pub(super) newest_run: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) struct ChannelRow {
    pub(super) project: ProjectId,
    pub(super) channel: Channel,
}

#[derive(Debug, Clone)]
pub(super) struct SignalRow {
    pub(super) previous: Option<i64>,
    pub(super) arrival: Arrival,
    pub(super) ignored: Option<IgnoredBecause>,
}

#[derive(Debug, Clone)]
pub(super) struct RunRow {
    pub(super) previous: Option<i64>,
    pub(super) run: FinishedRun,
}

#[derive(Debug, Clone)]
pub(super) struct IncidentRow {
    pub(super) project: ProjectId,
    pub(super) heartbeat: HeartbeatId,
    pub(super) heartbeat_name: String,
    pub(super) number: u32,
    pub(super) cause: Cause,
    pub(super) claim: Claim,
    pub(super) opened_at: UnixMicros,
    pub(super) closed_at: Option<UnixMicros>,
    pub(super) closing: Option<&'static str>,
    pub(super) alert: Option<Arc<AlertSnapshot>>,
}

/// Rows that are only appended, numbered from 1 without holes; the oldest can be forgotten.
#[derive(Debug)]
pub(super) struct Log<R> {
    rows: VecDeque<R>,
    forgotten: i64,
}

impl<R> Default for Log<R> {
    fn default() -> Self {
        Self {
            rows: VecDeque::new(),
            forgotten: 0,
        }
    }
}

impl<R> Log<R> {
    /// Appends a row; its number.
    pub(super) fn push(&mut self, row: R) -> i64 {
        self.rows.push_back(row);
        self.forgotten + self.rows.len() as i64
    }

    /// Takes the last row back.
    pub(super) fn pop(&mut self) {
        self.rows.pop_back();
    }

    /// `None`: it was forgotten.
    pub(super) fn get(&self, number: i64) -> Option<&R> {
        let index = usize::try_from(number - self.forgotten - 1).ok()?;
        self.rows.get(index)
    }

    /// Forgets the oldest rows, as long as `old` says so.
    pub(super) fn forget(&mut self, old: impl Fn(&R) -> bool) {
        while self.rows.front().is_some_and(&old) {
            self.rows.pop_front();
            self.forgotten += 1;
        }
    }
}
