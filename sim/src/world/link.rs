//! The way to the store: one queue for each node, one transaction at a time.

use std::collections::VecDeque;

use nightbeat_domain::nodes::generation;
use nightbeat_domain::{SignalKind, UnixMicros};
use nightbeat_engine::{Ending, Finished, Reading};
use nightbeat_store::hot::{Elapse, Record};
use nightbeat_store::outbox::{Claim, DeliveryEnding, FinishedDelivery};

use super::World;
use super::agenda::{Event, Life, Try};
use super::node::{Happened, Trouble};
use super::people::Act;
use crate::model::{self, Fault, Held};
use crate::mutants::Mutant;
use crate::scenario::{MS, SECOND, Site};

/// Something for the store to do.
#[derive(Debug)]
pub(crate) enum Op {
    Record(u64, Record, Vec<Carried>),
    Elapse(Elapse),
    #[cfg(feature = "mutants")]
    ElapseRead(Elapse, model::StaleStates),
    Claim(Claim),
    Finish(Vec<Finished>),
    WatchList,
    Overdue(UnixMicros, u32),
    Act(Act, UnixMicros),
    #[cfg(feature = "mutants")]
    SecondHalf,
}

/// A signal in a transaction. The same try may be in it twice: requests are doubled on their way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carried {
    pub(crate) tried: Try,
    /// What the node says of when it came.
    pub(crate) stamp: i64,
    /// When this request really came in, on the node's axis.
    pub(crate) came: i64,
}

/// A node's queue, and how the store behaves for it.
#[derive(Debug, Default)]
pub(crate) struct Link {
    queue: VecDeque<Op>,
    /// The first of the queue is being done.
    busy: bool,
    /// What the clocks said when it was asked for.
    asked: Option<Reading>,
    /// What the clocks said when the last one was asked for that told the database's time. In a steady world
    /// only the first of each turn tells it: what one turn stores moves the time that the next one is told.
    told: Option<Reading>,
    /// Which lives of which nodes it knows of.
    generation: u64,
    /// The last transaction that renewed the lease: when it was asked for, and the database's time in it.
    pub(crate) renewed: Option<(Reading, UnixMicros)>,
}

/// How a store behaves, until then.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) fails: (i64, f64),
    pub(crate) mute: (i64, f64),
    pub(crate) mute_at_start: i64,
    pub(crate) slow: (i64, i64),
}

impl World {
    /// Queues something for the store.
    pub(crate) fn push(&mut self, node: usize, op: Op) {
        let jumps_queue = self.broken(Mutant::NoWatermark) && matches!(op, Op::Elapse(_));
        #[cfg(feature = "mutants")]
        let op = match op {
            Op::Elapse(due) if self.broken(Mutant::StatusOnly) => {
                let read = self.model.elapse_read(&due);
                Op::ElapseRead(due, read)
            }
            op => op,
        };
        let Some(run) = &mut self.nodes[node].run else {
            return;
        };
        let queue = &mut run.link.queue;
        if jumps_queue && !queue.is_empty() {
            queue.insert(1, op);
        } else {
            queue.push_back(op);
        }
        self.begin_next(node);
    }

    fn begin_next(&mut self, node: usize) {
        let life = self.life(node);
        let now = self.agenda.now;
        let resumes = self.nodes[node].paused_until;
        let weather = self.truth.weather[node];
        // What stands still asks when it goes on.
        let asked = self.nodes[node].reading(now.max(resumes), false);
        let Some(run) = &mut self.nodes[node].run else {
            return;
        };
        if run.link.busy || run.link.queue.is_empty() {
            return;
        }
        run.link.busy = true;
        run.link.asked = Some(asked);
        let (until, slow) = weather.slow;
        let span = if self.is_steady() {
            0
        } else if now < until {
            self.random.span(100, slow)
        } else {
            self.random.span(100, 6 * MS)
        };
        self.agenda.at(now.max(resumes) + span, Event::Store(life));
    }

    /// The store does what stands first.
    pub(crate) fn store_event(&mut self, life: Life) {
        if !self.lives(life) {
            return;
        }
        let now = self.agenda.now;
        let resumes = self.nodes[life.node].paused_until;
        // A database goes on while the one that asked it stands still.
        if resumes > now && self.scenario.nodes == 1 {
            self.agenda.at(resumes + 100, Event::Store(life));
            return;
        }
        let Some(run) = &mut self.nodes[life.node].run else {
            return;
        };
        run.link.busy = false;
        let Some(op) = run.link.queue.pop_front() else {
            return;
        };
        if self.killed_before(life.node, &op) {
            return;
        }
        self.set_fault(life.node, &op);
        if let Some(happened) = self.perform(life.node, op) {
            self.result(life, happened);
        }
        if self.lives(life) {
            self.begin_next(life.node);
        }
    }

    fn killed_before(&mut self, node: usize, op: &Op) -> bool {
        match op {
            Op::Record(_, _, tries) => {
                let mut beats = tries
                    .iter()
                    .map(|it| self.messages[it.tried.message].heartbeat);
                beats.any(|beat| self.springs(beat)) && self.trapped(node, Site::BeforeCommit)
            }
            Op::Finish(finished) => {
                let rows = finished.iter().map(|it| self.truth.rows.get(&it.number));
                let mut rows = rows.map(|row| row.is_none_or(|row| self.springs(row.heartbeat)));
                rows.any(|springs| springs) && self.trapped(node, Site::BeforeFinish)
            }
            _ => false,
        }
    }

    fn set_fault(&mut self, node: usize, op: &Op) {
        let now = self.agenda.now;
        let weather = self.truth.weather[node];
        if self.is_steady() && matches!(op, Op::WatchList | Op::Overdue(..)) {
            // No transaction: what went wrong would be left for another.
            return;
        }
        if now < weather.fails.0 && self.strikes(node, weather.fails.1) {
            self.outcome.store_faults += 1;
            self.model.fail_next(Fault::Refuse);
        } else if now < weather.mute.0 && self.strikes(node, weather.mute.1) {
            self.outcome.store_faults += 1;
            self.model.fail_next(Fault::LoseAnswer);
        } else if now < weather.mute_at_start && self.carries_start(op) {
            self.truth.worsen(now, now + SECOND);
            self.truth.weather[node].mute_at_start = 0;
            self.outcome.store_faults += 1;
            self.model.fail_next(Fault::LoseAnswer);
        }
    }

    fn carries_start(&self, op: &Op) -> bool {
        let Op::Record(_, _, tries) = op else {
            return false;
        };
        let mut sent = tries.iter().map(|it| &self.messages[it.tried.message]);
        sent.any(|it| it.kind == SignalKind::Start && self.springs(it.heartbeat))
    }

    fn result(&mut self, life: Life, happened: Happened) {
        let latency = if self.is_steady() {
            0
        } else {
            self.random.within(10, 200)
        };
        self.agenda
            .after(latency, Event::Result(life, Box::new(happened)));
    }

    fn held(&self, node: usize) -> Option<Held> {
        let lease = self.nodes[node].run.as_ref()?.lease?;
        let now = self.cluster_time();
        Some(Held { lease, now })
    }

    /// The time by the database that several nodes share.
    pub(crate) fn cluster_time(&self) -> UnixMicros {
        let clock = UnixMicros(self.agenda.now + self.database_ahead);
        self.model.cluster_time(clock)
    }

    /// A transaction was answered; `stored`: as one that renewed the lease.
    fn renewed(&mut self, node: usize, held: Option<Held>, stored: bool) {
        let steady = self.is_steady();
        if let (Some(held), Some(run)) = (held, &mut self.nodes[node].run)
            && stored
        {
            let again = run.link.told == run.link.asked;
            run.link.told = run.link.asked;
            if !(again && steady) {
                run.link.renewed = run.link.asked.map(|asked| (asked, held.now));
            }
            // Each transaction reads all nodes. What one was told to watch that is lost, others must watch.
            let generation = generation(self.model.nodes());
            let known = std::mem::replace(&mut run.link.generation, generation);
            if known != 0 && known != generation {
                self.push(node, Op::WatchList);
            }
        }
    }

    /// A transaction is over; whether it was stored, and then by whom it may be.
    fn written<T>(
        &mut self,
        node: usize,
        held: Option<Held>,
        result: &model::Result<T>,
        judges: bool,
    ) -> bool {
        let stored = is_stored(result);
        if stored {
            self.check_write(node, held, judges);
        }
        stored
    }

    /// A process dies: what the database was asked for already, it may do all the same.
    pub(crate) fn leave_behind(&mut self, node: usize) {
        let Some(run) = &mut self.nodes[node].run else {
            return;
        };
        if run.lease.is_none() || !std::mem::take(&mut run.link.busy) {
            return;
        }
        if let Some(op) = run.link.queue.pop_front()
            && self.strikes(node, 0.5)
        {
            self.set_fault(node, &op);
            drop(self.perform(node, op));
        }
    }

    /// One transaction, and what the node is told; nothing where it dies of it.
    fn perform(&mut self, node: usize, op: Op) -> Option<Happened> {
        let held = self.held(node);
        match op {
            Op::Record(batch, record, tries) => self.record(node, held, batch, record, &tries),
            Op::Elapse(due) => self.elapse(node, held, due),
            #[cfg(feature = "mutants")]
            Op::ElapseRead(due, read) => {
                let result = self.model.elapse_write(held, &due, &read);
                self.written(node, held, &result, true);
                self.absorb(node, &[], Some(due.asof));
                Some(Happened::Elapsed(
                    due.heartbeats,
                    result.map_err(|error| trouble(&error)),
                ))
            }
            Op::Claim(wish) => {
                let result = self.model.claim(held, &wish);
                self.written(node, held, &result, false);
                let mut result = result.map_err(|error| trouble(&error));
                self.absorb(node, &[], None);
                if let Ok(rows) = &mut result {
                    self.check_claimed(rows, &wish);
                    self.spoil_claim(held, rows, wish.now);
                }
                Some(Happened::Claimed(result))
            }
            Op::Finish(finished) => {
                let rows: Vec<_> = finished.iter().map(|it| self.finished_row(it)).collect();
                let own: Vec<i64> = rows.iter().map(|row| row.claim).collect();
                let result = self.model.finish(held, &rows);
                self.absorb(node, &[], None);
                if self.written(node, held, &result, false) {
                    self.check_finished(&rows, &own);
                }
                Some(Happened::Finished(result.map_err(|_| finished)))
            }
            Op::WatchList => {
                let mut watched = self.model.watch_list();
                if self.broken(Mutant::LostWheel) {
                    watched.retain(|it| it.wake_at.is_none_or(|at| at.0 % 3 != 0));
                }
                Some(Happened::Begun(watched))
            }
            Op::Overdue(before, limit) => {
                let lost = self.model.overdue(before, limit);
                self.outcome.found_lost += lost.len() as u64;
                (!lost.is_empty()).then_some(Happened::Filed(lost))
            }
            Op::Act(act, now) => self.perform_act(node, act, now),
            #[cfg(feature = "mutants")]
            Op::SecondHalf => {
                let _ = self.model.commit_second_half();
                self.absorb(node, &[], None);
                Some(Happened::Queued)
            }
        }
    }

    fn record(
        &mut self,
        node: usize,
        held: Option<Held>,
        batch: u64,
        mut record: Record,
        tries: &[Carried],
    ) -> Option<Happened> {
        if self.broken(Mutant::NoRefusedGap) {
            record
                .gaps
                .retain(|gap| gap.kind != nightbeat_domain::GapKind::Storage);
        }
        if self.broken(Mutant::NoSuspendGap) {
            record
                .gaps
                .retain(|gap| gap.kind != nightbeat_domain::GapKind::Suspended);
        }
        self.recorded_to = record.watermark.0;
        let result = self.model.record(held, &record);
        self.written(node, held, &result, true);
        self.renewed(node, held, result.is_ok());
        let stored = self.absorb(node, tries, None);
        self.second_half(node);
        if stored && self.trapped(node, Site::Committed) {
            return None;
        }
        Some(Happened::Recorded(
            batch,
            result.map_err(|error| trouble(&error)),
        ))
    }

    fn elapse(&mut self, node: usize, held: Option<Held>, mut due: Elapse) -> Option<Happened> {
        if self.broken(Mutant::NoRefusedGap) {
            due.gaps
                .retain(|gap| gap.kind != nightbeat_domain::GapKind::Storage);
        }
        if self.broken(Mutant::NoSuspendGap) {
            due.gaps
                .retain(|gap| gap.kind != nightbeat_domain::GapKind::Suspended);
        }
        if self.broken(Mutant::AlwaysUnverified) {
            due.gaps.push(nightbeat_domain::Gap {
                from: due.asof - std::time::Duration::from_secs(1),
                to: due.asof,
                kind: nightbeat_domain::GapKind::Refused,
            });
        }
        if self.scenario.trace {
            for heartbeat in &due.heartbeats {
                let beat = self.numbers.get(heartbeat).copied();
                let at = self.agenda.now;
                self.truth
                    .fact(at, beat, || format!("judged as of {}", due.asof.0));
            }
        }
        let result = self.model.elapse(held, &due);
        self.written(node, held, &result, true);
        self.renewed(node, held, result.is_ok());
        let decided = self.absorb(node, &[], Some(due.asof));
        self.second_half(node);
        if decided && self.trapped(node, Site::Judged) {
            return None;
        }
        Some(Happened::Elapsed(
            due.heartbeats,
            result.map_err(|error| trouble(&error)),
        ))
    }

    #[cfg(feature = "mutants")]
    fn second_half(&mut self, node: usize) {
        if self.broken(Mutant::SplitFlip) && self.model.has_second_half() {
            self.push(node, Op::SecondHalf);
        }
    }

    #[cfg(not(feature = "mutants"))]
    #[expect(clippy::unused_self, reason = "the feature looks at it")]
    fn second_half(&self, _: usize) {}

    fn finished_row(&self, finished: &Finished) -> FinishedDelivery {
        let ending = match &finished.ending {
            Ending::Sent { detail } => DeliveryEnding::Sent {
                detail: detail.clone(),
            },
            Ending::Failed { detail, .. } if self.broken(Mutant::NoSecondTry) => {
                DeliveryEnding::Failed {
                    detail: detail.clone(),
                    next_try_at: None,
                }
            }
            Ending::Failed {
                detail,
                next_try_at,
            } => DeliveryEnding::Failed {
                detail: detail.clone(),
                next_try_at: *next_try_at,
            },
            Ending::Released { next_try_at } => DeliveryEnding::Released {
                next_try_at: *next_try_at,
            },
        };
        FinishedDelivery {
            number: finished.number,
            claim: finished.claim,
            began_at: finished.began_at,
            took: finished.took,
            ending,
        }
    }

    /// Mutants that mark as sent what was only claimed.
    fn spoil_claim(
        &mut self,
        held: Option<Held>,
        rows: &mut Vec<nightbeat_store::outbox::ClaimedDelivery>,
        now: UnixMicros,
    ) {
        let all = self.broken(Mutant::ProcessedFirst);
        let digests = self.broken(Mutant::DigestDropped);
        if !all && !digests {
            return;
        }
        let sent = |row: &nightbeat_store::outbox::ClaimedDelivery| FinishedDelivery {
            number: row.number,
            claim: row.claim,
            began_at: now,
            took: std::time::Duration::ZERO,
            ending: DeliveryEnding::Sent {
                detail: String::new(),
            },
        };
        let marked = rows.iter().filter(|row| all || row.digest);
        let marked: Vec<_> = marked.map(sent).collect();
        let _ = self.model.finish(held, &marked);
        if digests {
            rows.retain(|row| !row.digest);
        }
    }

    #[cfg(feature = "mutants")]
    pub(super) fn set_mutant(&mut self) {
        use crate::model::ModelMutant as Broken;
        self.model.mutate(match self.scenario.mutant {
            Some(Mutant::SplitFlip) => Some(Broken::SplitTransition),
            Some(Mutant::StatusOnly) => Some(Broken::StatusOnly),
            Some(Mutant::NoGapLedger) => Some(Broken::NoGapLedger),
            Some(Mutant::NoPartialGap) => Some(Broken::NoPartialGap),
            Some(Mutant::Unfenced) => Some(Broken::UnfencedLease),
            Some(Mutant::GapAfterDecision) => Some(Broken::GapAfterDecision),
            Some(Mutant::UpOvertakesDown) => Some(Broken::UpOvertakesDown),
            Some(Mutant::SharedMaintenance) => Some(Broken::SharedMaintenance),
            Some(Mutant::SharedAcknowledgement) => Some(Broken::SharedAcknowledgement),
            Some(Mutant::SignalHidesDeadline) => Some(Broken::NoEarlierJudgement),
            Some(Mutant::ClaimsTaken) => Some(Broken::ClaimsTaken),
            _ => None,
        });
    }

    #[cfg(not(feature = "mutants"))]
    #[expect(clippy::unused_self, reason = "the feature looks at it")]
    pub(super) fn set_mutant(&self) {}
}

fn trouble(error: &model::Error) -> Trouble {
    match error {
        model::Error::Fenced(_) => Trouble::Fenced,
        model::Error::Store(_) => Trouble::Failed,
    }
}

/// Whether it was stored, also where nobody is told.
fn is_stored<T>(result: &model::Result<T>) -> bool {
    let unknown = |error: &model::Error| {
        matches!(
            error,
            model::Error::Store(nightbeat_store::StoreError::Unknown(_))
        )
    };
    result.as_ref().err().is_none_or(unknown)
}
