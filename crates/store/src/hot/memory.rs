//! What a writer keeps in memory from one transaction to the next.

use std::collections::HashMap;
use std::sync::Arc;

use nightbeat_domain::{Gap, GapLedger, HeartbeatId, Settings, UnixMicros};

use crate::broken::Marker;

/// How many distinct settings are kept decoded.
const SETTINGS_CACHED_MAX: usize = 50_000;

/// What a writer keeps in memory. It is as stored: a transaction changes it only when it commits.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Settings by their row; rows are immutable, so this can never be stale.
    pub(crate) settings: HashMap<i64, Arc<Settings>>,
    /// The gap ledger.
    pub(crate) gaps: GapLedger,
    /// Heartbeats that cannot be read, or could not be lately. One that was removed may be left.
    pub(crate) broken: HashMap<HeartbeatId, Marker>,
    /// Every signal received up to this instant has been recorded or refused: the latest that a judgement
    /// was told.
    pub(crate) watermark: UnixMicros,
    /// The gap that failed batches left behind; the next transaction on the hot path enters it.
    pub(crate) refused: Option<Gap>,
    /// The ids of the next rows.
    pub(crate) next: NextRows,
}

/// The ids of the next rows of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextRows {
    pub(crate) signal: i64,
    pub(crate) run: i64,
}

impl Memory {
    pub(crate) fn new(
        gaps: GapLedger,
        markers: Vec<(HeartbeatId, Marker)>,
        next: NextRows,
    ) -> Self {
        Self {
            settings: HashMap::new(),
            gaps,
            broken: markers.into_iter().collect(),
            watermark: UnixMicros::MIN,
            refused: None,
            next,
        }
    }

    /// What the next transaction may use.
    pub(crate) fn share(&mut self) -> Shared<'_> {
        if self.settings.len() > SETTINGS_CACHED_MAX {
            self.settings.clear();
        }
        Shared {
            settings: &mut self.settings,
            ledger: &self.gaps,
            changed_ledger: None,
            broken: &self.broken,
            next: self.next,
        }
    }

    /// A transaction has committed.
    pub(crate) fn keep(&mut self, changed: Changed) {
        self.next = changed.next;
        if let Some(gaps) = changed.ledger {
            self.gaps = gaps;
        }
    }

    /// A transaction was rolled back: it may have stored settings, and their row is given to others next.
    pub(crate) fn rolled_back(&mut self) {
        self.settings.clear();
    }
}

/// What a transaction may use of a writer's memory.
pub(crate) struct Shared<'m> {
    pub(crate) settings: &'m mut HashMap<i64, Arc<Settings>>,
    ledger: &'m GapLedger,
    changed_ledger: Option<GapLedger>,
    /// Heartbeats that cannot be read, or could not be lately, as they were when the transaction began.
    pub(crate) broken: &'m HashMap<HeartbeatId, Marker>,
    pub(crate) next: NextRows,
}

/// What a transaction has changed, to be kept once it is committed.
#[derive(Debug)]
pub(crate) struct Changed {
    ledger: Option<GapLedger>,
    next: NextRows,
}

impl Changed {
    /// The ids of the next rows.
    pub(crate) fn next(&self) -> NextRows {
        self.next
    }
}

impl Shared<'_> {
    /// The gap ledger, as this transaction sees it.
    pub(crate) fn gaps(&self) -> &GapLedger {
        self.changed_ledger.as_ref().unwrap_or(self.ledger)
    }

    /// The gap ledger, to change.
    pub(crate) fn gaps_mut(&mut self) -> &mut GapLedger {
        self.changed_ledger
            .get_or_insert_with(|| self.ledger.clone())
    }

    /// What is to be kept of it.
    pub(crate) fn changed(self) -> Changed {
        Changed {
            ledger: self.changed_ledger,
            next: self.next,
        }
    }
}
