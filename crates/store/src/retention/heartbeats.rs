//! The part of a sweep that goes from heartbeat to heartbeat.
//!
//! No index says which heartbeats have too many rows: one more would double what each signal writes. So
//! the narrow states are read page by page, and a chain is walked only where enough signals came since it
//! was last walked, or where something has grown too old.

use nightbeat_domain::{HeartbeatId, Phase, State, UnixMicros};
use uuid::Uuid;

use super::chain::{Budget, Log, Position, walk};
use super::{AROUND_INCIDENT, DAY, Logs, Looked, Plan, PruneCursor, READ_MAX, Retention, Stage};
use crate::Result;
use crate::codec::Columns;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// The fewest signals since the last look that make another worth it.
const GROWTH_MIN: u64 = 100;

/// A chain is walked again after it grew by one part in this many: ten reads a row, all in all.
const GROWTH_PART: u64 = 10;

/// Age is looked at not more often than daily, and at least weekly: what is kept may be set anew.
const LOOK_AGAIN: (std::time::Duration, std::time::Duration) =
    (DAY, std::time::Duration::from_secs(7 * 86_400));

/// A heartbeat in the course of being looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visit {
    heartbeat: HeartbeatId,
    log: Log,
    /// `None`: at the newest row.
    position: Option<Position>,
    /// How many signals it had when the visit began.
    signals: i64,
    /// When the first row that stays is too old.
    oldest_expires: UnixMicros,
}

/// A heartbeat, as far as it matters here.
struct Candidate {
    heartbeat: HeartbeatId,
    state: State,
    newest_signal: Option<i64>,
    newest_run: Option<i64>,
    /// From the table `pruned`.
    pruned_signals: i64,
    pruned_runs: i64,
    look_at: UnixMicros,
}

/// One step over some heartbeats.
pub(super) struct Sweep<'a> {
    sql: &'a mut dyn Sql,
    retention: &'a Retention,
    now: UnixMicros,
    logs: Logs,
    gaps_needed_from: Option<UnixMicros>,
    budget: Budget,
    plan: Plan,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(
        sql: &'a mut dyn Sql,
        retention: &'a Retention,
        now: UnixMicros,
        logs: Logs,
        gaps_needed_from: Option<UnixMicros>,
    ) -> Self {
        Self {
            sql,
            retention,
            now,
            logs,
            gaps_needed_from,
            budget: Budget::default(),
            plan: Plan::default(),
        }
    }

    pub(super) fn step(
        mut self,
        mut after: Option<HeartbeatId>,
        mut visit: Option<Visit>,
    ) -> Result<Plan> {
        let page = candidates(self.sql, after)?;
        let last_page = page.len() < READ_MAX;
        for (heartbeat, candidate) in page {
            let candidate = match candidate {
                Ok(candidate) => candidate,
                Err(error) => {
                    tracing::warn!(%error, "retention passes over a heartbeat");
                    self.gaps_needed_from = Some(UnixMicros::MIN);
                    after = Some(heartbeat);
                    continue;
                }
            };
            let going_on = visit
                .take()
                .filter(|it| it.heartbeat == candidate.heartbeat);
            let begun = going_on.or_else(|| self.begin(&candidate));
            self.need_gaps(&candidate.state);
            if let Some(visit) = begun
                && let Some(rest) = self.look_through(&candidate, visit)?
            {
                return Ok(self.pause(after, Some(rest)));
            }
            after = Some(candidate.heartbeat);
            // The page itself is read whatever comes: only what is walked and written is counted.
            if self.budget.is_spent() {
                return Ok(self.pause(after, None));
            }
        }
        if !last_page {
            return Ok(self.pause(after, None));
        }
        let next = self.cursor(Stage::Removed);
        self.plan.next = Some(next);
        Ok(self.plan)
    }

    fn pause(mut self, after: Option<HeartbeatId>, visit: Option<Visit>) -> Plan {
        let next = self.cursor(Stage::Heartbeats { after, visit });
        self.plan.next = Some(next);
        self.plan
    }

    fn cursor(&self, stage: Stage) -> PruneCursor {
        PruneCursor {
            stage,
            gaps_needed_from: self.gaps_needed_from,
        }
    }

    /// A gap counts as long as a heartbeat may have been signalled in it unseen.
    fn need_gaps(&mut self, state: &State) {
        if state.phase == Phase::Paused {
            return;
        }
        let ended = state.last_run.map(|run| run.ended_at);
        let quiet_since = ended.map_or(state.armed_at, |ended| ended.max(state.armed_at));
        let runs = state.runs.iter().map(|run| run.started_at);
        let from = runs.fold(quiet_since, UnixMicros::min);
        self.gaps_needed_from = Some(self.gaps_needed_from.map_or(from, |it| it.min(from)));
    }

    /// The visit to begin, if there is reason for one.
    fn begin(&self, candidate: &Candidate) -> Option<Visit> {
        let signals = i64::try_from(candidate.state.signals).unwrap_or(i64::MAX);
        let grew = |since: i64, kept: u64| {
            signals.saturating_sub(since) as u64 >= GROWTH_MIN.max(kept / GROWTH_PART)
        };
        let aged = candidate.look_at <= self.now && signals > 0;
        let log = if self.logs == Logs::Apart {
            // Only their daily summaries are looked at.
            aged.then_some(Log::Runs)?
        } else if aged || grew(candidate.pruned_signals, self.retention.signals_max) {
            Log::Signals
        } else if grew(candidate.pruned_runs, self.retention.runs_max) {
            Log::Runs
        } else {
            return None;
        };
        Some(Visit {
            heartbeat: candidate.heartbeat,
            log,
            position: None,
            signals,
            oldest_expires: UnixMicros::MAX,
        })
    }

    /// Walks both chains; what is left of the visit when this step may do no more.
    fn look_through(&mut self, candidate: &Candidate, mut visit: Visit) -> Result<Option<Visit>> {
        if visit.log == Log::Signals {
            if !self.walk_signals(candidate.newest_signal, &mut visit)? {
                return Ok(Some(visit));
            }
            visit.log = Log::Runs;
            visit.position = None;
        }
        let since = visit.signals.saturating_sub(candidate.pruned_runs) as u64;
        let runs_too = candidate.look_at <= self.now
            || since >= GROWTH_MIN.max(self.retention.runs_max / GROWTH_PART);
        if runs_too {
            if !self.walk_runs(candidate.newest_run, &mut visit)? {
                return Ok(Some(visit));
            }
            self.look_at_days(&mut visit)?;
        }
        self.budget.changes = self.budget.changes.saturating_sub(1);
        let (soonest, latest) = (self.now + LOOK_AGAIN.0, self.now + LOOK_AGAIN.1);
        self.plan.looked.push(Looked {
            heartbeat: visit.heartbeat,
            signals: visit.signals,
            runs: if runs_too {
                visit.signals
            } else {
                candidate.pruned_runs
            },
            look_at: if runs_too {
                visit.oldest_expires.clamp(soonest, latest)
            } else {
                candidate.look_at.max(soonest)
            },
        });
        Ok(None)
    }

    /// Whether the end was reached.
    fn walk_signals(&mut self, newest: Option<i64>, visit: &mut Visit) -> Result<bool> {
        let (retention, now) = (self.retention, self.now);
        let (heartbeat, mut expires) = (visit.heartbeat, visit.oldest_expires);
        let mut windows: Option<Vec<(UnixMicros, UnixMicros)>> = None;
        let done = self.walk(newest, visit, |sql, kept, at| {
            if kept < retention.signals_max {
                return Ok(true);
            }
            let fresh_until = at + AROUND_INCIDENT;
            if fresh_until > now {
                expires = expires.min(fresh_until);
                return Ok(true);
            }
            let old_at = at + retention.incident_signals;
            if old_at <= now {
                return Ok(false);
            }
            let windows = match &mut windows {
                Some(windows) => windows,
                none => none.insert(incidents(sql, heartbeat, now - retention.incident_signals)?),
            };
            let near = windows.iter().any(|(from, to)| (*from..=*to).contains(&at));
            if near {
                expires = expires.min(old_at);
            }
            Ok(near)
        })?;
        visit.oldest_expires = expires;
        Ok(done)
    }

    fn walk_runs(&mut self, newest: Option<i64>, visit: &mut Visit) -> Result<bool> {
        let (retention, now) = (self.retention, self.now);
        let mut expires = visit.oldest_expires;
        let done = self.walk(newest, visit, |_, kept, at| {
            let old_at = at + retention.runs;
            let stays = kept < retention.runs_max && old_at > now;
            if stays {
                expires = expires.min(old_at);
            }
            Ok(stays)
        })?;
        visit.oldest_expires = expires;
        Ok(done)
    }

    fn walk(
        &mut self,
        newest: Option<i64>,
        visit: &mut Visit,
        keep: impl FnMut(&mut dyn Sql, u64, UnixMicros) -> Result<bool>,
    ) -> Result<bool> {
        let start = newest.map(|anchor| Position { anchor, kept: 1 });
        let Some(from) = visit.position.or(start) else {
            return Ok(true);
        };
        if self.logs == Logs::Apart {
            return Ok(true);
        }
        let whose = (visit.log, visit.heartbeat);
        let walked = walk(self.sql, whose, from, &mut self.budget, keep)?;
        self.plan.cuts.extend(walked.cuts);
        visit.position = walked.rest;
        Ok(walked.rest.is_none())
    }

    fn look_at_days(&mut self, visit: &mut Visit) -> Result<()> {
        let oldest = self.sql.first(
            "SELECT min(day) FROM run_day WHERE heartbeat = $1",
            &[visit.heartbeat.into()],
        )?;
        let oldest: Option<i64> = oldest.map_or(Ok(None), |row| row.get(0))?;
        let first_kept = super::apply::day_of(self.now - self.retention.run_days);
        if oldest.is_some_and(|day| day < first_kept) {
            self.plan.old_days.push((visit.heartbeat, first_kept));
        }
        Ok(())
    }
}

const COLUMNS: [&str; 22] = [
    "heartbeat_state.id",
    "heartbeat_state.newest_signal",
    "heartbeat_state.newest_run",
    "pruned.signals",
    "pruned.runs",
    "pruned.look_at",
    "heartbeat_state.phase",
    "heartbeat_state.armed_at",
    "heartbeat_state.last_signal_at",
    "heartbeat_state.last_success_at",
    "heartbeat_state.expected_at",
    "heartbeat_state.wake_at",
    "heartbeat_state.failures",
    "heartbeat_state.successes",
    "heartbeat_state.signals",
    "heartbeat_state.incidents",
    "heartbeat_state.alerts",
    "heartbeat_state.version",
    "heartbeat_state.run_started_at",
    "heartbeat_state.run_ended_at",
    "heartbeat_state.run_outcome",
    "heartbeat_state.rare",
];

/// A page of heartbeats. A broken row among them is its own affair: the others go on.
fn candidates(
    sql: &mut dyn Sql,
    after: Option<HeartbeatId>,
) -> Result<Vec<(HeartbeatId, Result<Candidate>)>> {
    let query = format!(
        "SELECT {} FROM heartbeat_state LEFT JOIN pruned ON pruned.heartbeat = heartbeat_state.id
         WHERE heartbeat_state.id > $1 ORDER BY heartbeat_state.id LIMIT $2",
        COLUMNS.join(", ")
    );
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let rows = sql.query(&query, &[after.into(), (READ_MAX as i64).into()])?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, candidate(row))))
        .collect()
}

fn candidate(row: &Row) -> Result<Candidate> {
    let fields = Fields::new(&COLUMNS, row);
    let heartbeat = fields.get("heartbeat_state.id")?;
    let signals: Option<i64> = fields.get("pruned.signals")?;
    let runs: Option<i64> = fields.get("pruned.runs")?;
    let look_at: Option<UnixMicros> = fields.get("pruned.look_at")?;
    Ok(Candidate {
        heartbeat,
        state: Columns::from_fields(&fields)?.into_state(heartbeat)?,
        newest_signal: fields.get("heartbeat_state.newest_signal")?,
        newest_run: fields.get("heartbeat_state.newest_run")?,
        pruned_signals: signals.unwrap_or(0),
        pruned_runs: runs.unwrap_or(0),
        look_at: look_at.unwrap_or(UnixMicros::MIN),
    })
}

/// The stretches around the heartbeat's incidents that reach past `since`.
fn incidents(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    since: UnixMicros,
) -> Result<Vec<(UnixMicros, UnixMicros)>> {
    let rows = sql.query(
        "SELECT opened_at, closed_at FROM incident
         WHERE heartbeat = $1 AND (closed_at IS NULL OR closed_at > $2)",
        &[heartbeat.into(), (since - AROUND_INCIDENT).into()],
    )?;
    rows.iter()
        .map(|row| {
            let opened_at: UnixMicros = row.get(0)?;
            let closed_at: Option<UnixMicros> = row.get(1)?;
            let to = closed_at.map_or(UnixMicros::MAX, |at| at + AROUND_INCIDENT);
            Ok((opened_at - AROUND_INCIDENT, to))
        })
        .collect()
}
