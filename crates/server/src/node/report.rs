//! How the node is, for `/readyz` and the metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nightbeat_domain::{Gap, GapKind, UnixMicros};
use nightbeat_engine as engine;
use nightbeat_store::StoreError;

use crate::metrics::{GapLabel, Metrics};

/// The node's loop turns at least every second; after this without a turn it has stalled.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// A deadline that waits this long for its judgement is a fault.
const JUDGING_LAG_MAX: Duration = Duration::from_secs(15);

/// Each failed transaction would be a line in the log, dozens a second while a database is away.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How the node is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// What keeps the server from being ready, in words; empty when it is.
    pub problems: Vec<String>,
}

/// What the loop reports after each turn.
#[derive(Debug)]
pub(super) struct Report {
    last: Mutex<Last>,
    /// How often something was stored.
    stored: AtomicU64,
}

#[derive(Debug)]
struct Last {
    turned_at: UnixMicros,
    storing: bool,
    judging_lag: Duration,
    started: bool,
    stopping: bool,
    /// Why a node has not joined the others.
    away: Option<String>,
    /// What is damaged in the database.
    damage: Option<String>,
    /// When a transaction that failed was last told, and how many have failed since.
    told: Option<(UnixMicros, u64)>,
}

impl Report {
    /// Nothing is known yet. One of several nodes, as `is_shared` says, has to join first.
    pub(super) fn new(now: UnixMicros, is_shared: bool) -> Self {
        Self {
            last: Mutex::new(Last {
                turned_at: now,
                storing: true,
                judging_lag: Duration::ZERO,
                started: false,
                stopping: false,
                away: is_shared.then(|| "it asks".to_owned()),
                damage: None,
                told: None,
            }),
            stored: AtomicU64::new(0),
        }
    }

    /// Something about a heartbeat was stored.
    pub(super) fn has_stored(&self) {
        self.stored.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was stored.
    pub(super) fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, now: UnixMicros, health: &engine::Health) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.storing != health.storing {
            if health.storing {
                tracing::info!("storing works again");
            } else {
                tracing::error!("the database cannot store: signals are refused until it can");
            }
        }
        last.turned_at = now;
        last.storing = health.storing;
        last.judging_lag = health.judging_lag;
    }

    /// A transaction failed: the first is told, and then one each ten seconds, with how many others there were.
    pub(super) fn storing_failed(&self, error: &StoreError) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = last.turned_at;
        match &mut last.told {
            Some((at, untold)) if now.since(*at) < TELL_AGAIN_AFTER => *untold += 1,
            told => {
                let others = told.map_or(0, |(_, untold)| untold);
                *told = Some((now, 0));
                tracing::error!(%error, others, "storing failed");
            }
        }
    }

    /// The node is not one of those on the database now, and why.
    pub(super) fn is_away(&self, why: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.away = Some(why.to_owned());
        last.started = false;
    }

    /// The node has joined.
    pub(super) fn is_there(&self, now: UnixMicros) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.away = None;
        last.turned_at = now;
        last.storing = true;
        last.judging_lag = Duration::ZERO;
    }

    pub(super) fn started(&self) {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .started = true;
    }

    pub(super) fn stopping(&self) {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .stopping = true;
    }

    pub(super) fn looked_over(&self, damage: Option<String>) {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .damage = damage;
    }

    /// How the node is. `holds_lease`: enough is left of it for signals to be sent here.
    pub(super) fn health(&self, now: UnixMicros, holds_lease: bool) -> Health {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems = Vec::new();
        if last.stopping {
            problems.push("the server is stopping".to_owned());
        } else if let Some(why) = &last.away {
            problems.push(format!("this node has not joined the database: {why}"));
        } else if !last.started {
            problems.push("the server is starting".to_owned());
        }
        if last.away.is_none() {
            last.faults(now, holds_lease, &mut problems);
        }
        if let Some(damage) = &last.damage {
            problems.push(format!("the database is damaged: {damage}"));
        }
        Health { problems }
    }
}

impl Last {
    /// What is wrong with a node that runs.
    fn faults(&self, now: UnixMicros, holds_lease: bool, problems: &mut Vec<String>) {
        if !self.storing {
            problems.push("the database cannot store".to_owned());
        }
        if !holds_lease {
            problems.push(
                "this node's lease runs out: the database has not answered for seconds".to_owned(),
            );
        }
        let silent = now.since(self.turned_at);
        if silent > STALLED_AFTER {
            problems.push(format!(
                "the node stands still since {} s",
                silent.as_secs()
            ));
        }
        if self.judging_lag > JUDGING_LAG_MAX {
            problems.push(format!(
                "a deadline waits for its judgement since {} s",
                self.judging_lag.as_secs()
            ));
        }
    }
}

impl Metrics {
    /// A transaction of signals is durable.
    pub(super) fn committed(&self, signals: usize, took: Duration) {
        // Without signals it only says that the server is alive.
        if signals > 0 {
            self.commit_signals.observe(signals as f64);
            self.commit_seconds.observe(took.as_secs_f64());
        }
    }

    /// A gap was found.
    pub(super) fn gap(&self, gap: &Gap) {
        let kind = match gap.kind {
            GapKind::Stopped => "stopped",
            GapKind::Suspended => "suspended",
            GapKind::ClockJump => "clock_jump",
            GapKind::Storage => "storage",
            GapKind::Refused => "refused",
            GapKind::Declared => "declared",
        };
        self.gaps.get_or_create(&GapLabel { kind }).inc();
        self.gap_seconds
            .inc_by(gap.to.since(gap.from).as_secs_f64());
    }

    pub(super) fn note(&self, health: &engine::Health) {
        self.watcher_lag_seconds
            .set(health.judging_lag.as_secs_f64());
    }
}
