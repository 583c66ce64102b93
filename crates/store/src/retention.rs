//! What is kept, and for how long. Portable SQL.
//!
//! Pruning is a sweep in many small steps: each finds what is too old on a reader, and deletes it by
//! primary key in one short transaction, so that no signal waits for it. A step that is done twice, or
//! after which the process dies, does no harm: what was planned is compared with what stands before it is
//! changed, and a sweep that is lost begins again.

mod apply;
mod chain;
mod heartbeats;
mod rest;

use std::time::Duration;

use nightbeat_domain::{HeartbeatId, UnixMicros};

use self::chain::Cut;
use self::heartbeats::Visit;
use crate::Result;
use crate::sql::Sql;

/// How many rows one step deletes or changes: a few milliseconds of the writer.
pub(crate) const CHANGES_MAX: usize = 200;

/// How many bytes of bodies one step deletes, besides one row of any size: SQLite reads them to free them.
pub(crate) const BODY_BYTES_MAX: i64 = 1024 * 1024;

/// How many rows of heartbeats, deliveries or chains one step reads.
pub(crate) const READ_MAX: usize = 1_000;

/// Around an incident, these long signals are kept as well.
pub(crate) const AROUND_INCIDENT: Duration = Duration::from_secs(3_600);

const DAY: Duration = Duration::from_secs(86_400);

/// What is kept, and for how long. Incidents are kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Signals that each heartbeat keeps, the newest; at least 1. Younger than an hour are never deleted:
    /// an incident may open now, and what came in the hour before it is kept too.
    pub signals_max: u64,
    /// How long signals around an incident are kept: from one hour before it opened to one hour after it
    /// closed.
    pub incident_signals: Duration,
    /// How long runs are kept before they become daily summaries. The newest always stays.
    pub runs: Duration,
    /// Runs that each heartbeat keeps at most, the newest; at least 1.
    pub runs_max: u64,
    /// How long daily summaries of runs are kept.
    pub run_days: Duration,
    /// How long a delivery is kept after it was sent, cancelled or dismissed, with its attempts.
    pub deliveries: Duration,
    /// How long the marks of signals are kept; longer than a client's own time is believed.
    pub nonces: Duration,
    /// How long gaps are kept; longer where a heartbeat has been silent since before them.
    pub gaps: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            signals_max: 1_000,
            incident_signals: 90 * DAY,
            runs: 365 * DAY,
            runs_max: 10_000,
            run_days: 5 * 365 * DAY,
            deliveries: 90 * DAY,
            nonces: 8 * DAY,
            gaps: 400 * DAY,
        }
    }
}

/// Who deletes signals and runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logs {
    /// The sweep does.
    Swept,
    /// The engine does, by other means.
    Apart,
}

/// How far a sweep has come. The default is its beginning; keep it in memory only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PruneCursor {
    stage: Stage,
    /// The earliest instant from which a heartbeat still counts gaps, of the heartbeats seen so far.
    gaps_needed_from: Option<UnixMicros>,
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneProgress {
    /// Where the next step goes on; the beginning of a new sweep, when this one is done.
    pub cursor: PruneCursor,
    /// How many rows were deleted.
    pub deleted: u64,
    /// The sweep has seen everything: the next may begin after a long pause.
    pub done: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Signals, runs and their summaries, heartbeat by heartbeat in the order of their ids.
    Heartbeats {
        after: Option<HeartbeatId>,
        /// The one whose chain was too long for one step: the first after `after`.
        visit: Option<Visit>,
    },
    /// What removed heartbeats left behind.
    Removed,
    /// Deliveries after this number.
    Deliveries {
        after: i64,
    },
    Nonces,
    Gaps,
}

impl Default for Stage {
    fn default() -> Self {
        Self::Heartbeats {
            after: None,
            visit: None,
        }
    }
}

/// What one step found to do, as of the snapshot that it was found on.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    cuts: Vec<Cut>,
    /// Daily summaries: the heartbeat and its first day that stays.
    old_days: Vec<(HeartbeatId, i64)>,
    /// Heartbeats that were looked through.
    looked: Vec<Looked>,
    removed: bool,
    deliveries: Vec<i64>,
    nonces: Vec<(HeartbeatId, String)>,
    /// Gaps that ended before this, and how many there are.
    gaps_before: Option<UnixMicros>,
    /// Where the next step goes on; `None`: all is seen.
    next: Option<PruneCursor>,
}

/// A row of the table `pruned`.
#[derive(Debug, Clone, Copy)]
struct Looked {
    heartbeat: HeartbeatId,
    signals: i64,
    runs: i64,
    look_at: UnixMicros,
}

impl Plan {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.cuts.is_empty()
            && self.old_days.is_empty()
            && self.looked.is_empty()
            && !self.removed
            && self.deliveries.is_empty()
            && self.nonces.is_empty()
            && self.gaps_before.is_none()
    }

    /// Whether the gap ledger changes: whoever keeps it in memory reads it again.
    pub(crate) fn changes_gaps(&self) -> bool {
        self.gaps_before.is_some()
    }

    /// What to answer once the plan is carried out, with nothing deleted yet.
    pub(crate) fn progress(&self) -> PruneProgress {
        PruneProgress {
            done: self.next.is_none(),
            cursor: self.next.clone().unwrap_or_default(),
            deleted: 0,
        }
    }

    /// Carries it out, inside one transaction; how many rows were deleted.
    pub(crate) fn apply(&self, sql: &mut dyn Sql) -> Result<u64> {
        apply::apply(sql, self)
    }
}

/// Finds what the step at `cursor` has to do. Only reads.
pub(crate) fn plan(
    sql: &mut dyn Sql,
    retention: &Retention,
    now: UnixMicros,
    cursor: &PruneCursor,
    logs: Logs,
) -> Result<Plan> {
    let next = |stage| {
        Some(PruneCursor {
            stage,
            gaps_needed_from: cursor.gaps_needed_from,
        })
    };
    match cursor.stage.clone() {
        Stage::Heartbeats { after, visit } => {
            let sweep = heartbeats::Sweep::new(sql, retention, now, logs, cursor.gaps_needed_from);
            sweep.step(after, visit)
        }
        Stage::Removed => {
            let removed = rest::removed(sql)?;
            let stage = if removed {
                Stage::Removed
            } else {
                Stage::Deliveries { after: 0 }
            };
            Ok(Plan {
                removed,
                next: next(stage),
                ..Plan::default()
            })
        }
        Stage::Deliveries { after } => {
            let (deliveries, after) = rest::deliveries(sql, after, now - retention.deliveries)?;
            let stage = after.map_or(Stage::Nonces, |after| Stage::Deliveries { after });
            Ok(Plan {
                deliveries,
                next: next(stage),
                ..Plan::default()
            })
        }
        Stage::Nonces => {
            let nonces = rest::nonces(sql, now - retention.nonces)?;
            let stage = if nonces.len() < CHANGES_MAX {
                Stage::Gaps
            } else {
                Stage::Nonces
            };
            Ok(Plan {
                nonces,
                next: next(stage),
                ..Plan::default()
            })
        }
        Stage::Gaps => {
            let old = now - retention.gaps;
            let before = cursor
                .gaps_needed_from
                .map_or(old, |needed| needed.min(old));
            let found = rest::gaps(sql, before)?;
            Ok(Plan {
                gaps_before: (found > 0).then_some(before),
                next: if found > CHANGES_MAX as i64 {
                    next(Stage::Gaps)
                } else {
                    None
                },
                ..Plan::default()
            })
        }
    }
}

#[cfg(test)]
mod tests;
