//! How the node is, for `/readyz` and the metrics.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nightbeat_domain::{Gap, GapKind, UnixMicros};
use nightbeat_engine as engine;

use crate::metrics::{GapLabel, Metrics};

/// The node's loop turns at least every second; after this without a turn it has stalled.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// A deadline that waits this long for its judgement is a fault.
const JUDGING_LAG_MAX: Duration = Duration::from_secs(15);

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
}

#[derive(Debug)]
struct Last {
    turned_at: UnixMicros,
    storing: bool,
    judging_lag: Duration,
    started: bool,
    stopping: bool,
    /// What is damaged in the database.
    damage: Option<String>,
}

impl Report {
    pub(super) fn new(now: UnixMicros) -> Self {
        Self {
            last: Mutex::new(Last {
                turned_at: now,
                storing: true,
                judging_lag: Duration::ZERO,
                started: false,
                stopping: false,
                damage: None,
            }),
        }
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

    pub(super) fn health(&self, now: UnixMicros) -> Health {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems = Vec::new();
        if last.stopping {
            problems.push("the server is stopping".to_owned());
        } else if !last.started {
            problems.push("the server is starting".to_owned());
        }
        if !last.storing {
            problems.push("the database cannot store".to_owned());
        }
        if let Some(damage) = &last.damage {
            problems.push(format!("the database is damaged: {damage}"));
        }
        let silent = now.since(last.turned_at);
        if silent > STALLED_AFTER {
            problems.push(format!(
                "the node stands still since {} s",
                silent.as_secs()
            ));
        }
        if last.judging_lag > JUDGING_LAG_MAX {
            problems.push(format!(
                "a deadline waits for its judgement since {} s",
                last.judging_lag.as_secs()
            ));
        }
        Health { problems }
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
