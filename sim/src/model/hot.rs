//! The hot path: record a batch of signals, judge what has become due. One transaction each, in the same
//! order of decisions as the real stores.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::work::{PAST_RUNS, PAST_RUNS_MAX, PastRun, is_enough};
use nightbeat_domain::{
    Gap, GapKind, GapLedger, HeartbeatId, IgnoredBecause, Maintenance, Signal, Surroundings,
    UnixMicros, elapse, observe, work,
};
use nightbeat_store::hot::{Done, Elapse, Record};
use nightbeat_store::{Arrival, NewHeartbeat, Recorded, StoreError, Target, Watched};

use super::tables::{Hot, RunRow, SignalRow};
use super::undo::Undo;
use super::{Change, Error, Held, Model, Result};

/// The step of the time axis.
const MICROSECOND: Duration = Duration::from_micros(1);

/// One transaction on the hot path.
pub(super) struct Txn {
    /// When each heartbeat that was touched was to be looked at, as stored before, and whether it changed.
    touched: BTreeMap<HeartbeatId, (Option<UnixMicros>, bool)>,
    /// Every signal received up to this instant has been recorded or refused.
    watermark: UnixMicros,
    pub(super) done: Done,
}

impl Model {
    /// Records a batch of signals: all of it, or nothing.
    pub fn record(&mut self, held: Option<Held>, batch: &Record) -> Result<Done> {
        let result = self.record_all(held, batch, &batch.arrivals);
        let node = held.map(|held| held.lease.node);
        let writer = self.writers.entry(node).or_default();
        if result.is_err() {
            // What follows was given to the writer before anyone knew of this.
            writer.refused = join(writer.refused, refused(batch));
        }
        writer.watermark = writer.watermark.max(batch.watermark);
        result
    }

    /// Judges heartbeats whose deadline may have passed.
    pub fn elapse(&mut self, held: Option<Held>, due: &Elapse) -> Result<Done> {
        self.judging(held, due);
        self.judge_all(held, due, &due.heartbeats)
    }

    /// Says that receiving worked until `now`, and enters gaps into the ledger.
    pub fn alive_now(&mut self, held: Option<Held>, now: UnixMicros, gaps: &[Gap]) -> Result<Done> {
        self.record(
            held,
            &Record {
                arrivals: Vec::new(),
                watermark: UnixMicros::MIN,
                gaps: gaps.to_vec(),
                now,
            },
        )
    }

    /// The writer is told up to when everything was given to it.
    pub(super) fn judging(&mut self, held: Option<Held>, due: &Elapse) {
        let node = held.map(|held| held.lease.node);
        let writer = self.writers.entry(node).or_default();
        writer.watermark = writer.watermark.max(due.asof);
    }

    fn record_all(
        &mut self,
        held: Option<Held>,
        batch: &Record,
        arrivals: &[Arrival],
    ) -> Result<Done> {
        let node = held.map(|held| held.lease.node);
        let known = self.writers.get(&node).map(|writer| writer.watermark);
        let watermark = batch.watermark.max(known.unwrap_or(UnixMicros::MIN));
        let result = self.hot(held, &batch.gaps, batch.now, watermark, |model, txn| {
            txn.watermark = model.judge_to(held, txn.watermark);
            for arrival in arrivals {
                let recorded = model.take_in(txn, arrival)?;
                txn.done.recorded.push(recorded);
            }
            Ok(())
        });
        match result {
            Err(error) if is_broken(&error) && arrivals.len() > 1 => {
                let (first, second) = arrivals.split_at(arrivals.len() / 2);
                let done = self.record_all(held, batch, first)?;
                Ok(done.and(self.record_all(held, batch, second)?))
            }
            Err(error) if is_broken(&error) && arrivals.len() == 1 => {
                // That it is broken is told in a transaction of its own; what cannot be told now is told later.
                drop(self.transaction(held, UnixMicros::MIN, |model| {
                    model.alive(batch.now);
                    Ok(())
                }));
                Ok(Done {
                    recorded: vec![Recorded::Broken],
                    ..Done::default()
                })
            }
            result => result,
        }
    }

    fn judge_all(
        &mut self,
        held: Option<Held>,
        due: &Elapse,
        heartbeats: &[HeartbeatId],
    ) -> Result<Done> {
        let result = self.hot(held, &due.gaps, due.now, due.asof, |model, txn| {
            txn.watermark = model.judge_to(held, txn.watermark);
            for heartbeat in heartbeats {
                model.judge(txn, *heartbeat)?;
            }
            Ok(())
        });
        match (result, heartbeats) {
            (Err(error), [_, _, ..]) if is_broken(&error) => {
                let (first, second) = heartbeats.split_at(heartbeats.len() / 2);
                let done = self.judge_all(held, due, first)?;
                Ok(done.and(self.judge_all(held, due, second)?))
            }
            (Err(error), [_]) if is_broken(&error) => Ok(Done::default()),
            (result, _) => result,
        }
    }

    /// One transaction on the hot path: gaps come first, no decision may be taken without them.
    pub(super) fn hot(
        &mut self,
        held: Option<Held>,
        gaps: &[Gap],
        now: UnixMicros,
        watermark: UnixMicros,
        work: impl FnOnce(&mut Self, &mut Txn) -> Result<()>,
    ) -> Result<Done> {
        let node = held.map(|held| held.lease.node);
        let refused = self.writers.get(&node).and_then(|writer| writer.refused);
        let result = self.transaction(held, watermark, |model| {
            let mut txn = Txn {
                touched: BTreeMap::new(),
                watermark,
                done: Done::default(),
            };
            let late = model.mutant.enters_gaps_late();
            if !late {
                model.enter_gaps(held, refused, gaps);
            }
            model.alive(now);
            work(model, &mut txn)?;
            if late {
                model.enter_gaps(held, refused, gaps);
            }
            Ok(model.finish_hot(txn))
        });
        if result.is_ok()
            && let Some(writer) = self.writers.get_mut(&node)
        {
            writer.refused = None;
        }
        result
    }

    fn enter_gaps(&mut self, held: Option<Held>, refused: Option<Gap>, gaps: &[Gap]) {
        self.reap(held);
        for gap in refused.iter().chain(gaps) {
            self.enter_gap(*gap);
        }
    }

    fn take_in(&mut self, txn: &mut Txn, arrival: &Arrival) -> Result<Recorded> {
        let (heartbeat, created) = match &arrival.target {
            Target::Id(id) => (*id, false),
            Target::Slug {
                ping_key,
                slug,
                create,
            } => match self.resolve(ping_key, slug, create.as_deref(), arrival)? {
                Resolved::One(id) => (id, false),
                Resolved::Created(id) => (id, true),
                Resolved::None => return Ok(Recorded::Unknown),
                Resolved::Several => return Ok(Recorded::Ambiguous),
            },
        };
        let Some(row) = self.heartbeats.get(&heartbeat) else {
            return Ok(Recorded::Unknown);
        };
        // Nobody watches yet what was created just now.
        let wake_before = row.hot.state.wake_at.filter(|_| !created);
        txn.touched.entry(heartbeat).or_insert((wake_before, false));
        if let Some(nonce) = &arrival.nonce
            && !self.first_time(heartbeat, nonce, arrival.signal.received_at)
        {
            return Ok(Recorded::Duplicate);
        }
        if !self.mutant.never_judges_first() {
            // A deadline that passed, but whose turn to be judged has not come yet, is told first: this
            // signal would make it unseen.
            let just_before = arrival.signal.received_at - MICROSECOND;
            self.elapse_one(txn, heartbeat, just_before.min(txn.watermark))?;
        }
        let ignored = self.observe(txn, heartbeat, arrival)?;
        Ok(match ignored {
            Some(reason) => Recorded::Ignored(reason),
            None if created => Recorded::Created,
            None => Recorded::Counted,
        })
    }

    fn resolve(
        &mut self,
        ping_key: &str,
        slug: &str,
        create: Option<&NewHeartbeat>,
        arrival: &Arrival,
    ) -> Result<Resolved> {
        let found = self.projects.values().find(|it| it.ping_key == ping_key);
        let Some(project) = found.map(|project| project.id) else {
            return Ok(Resolved::None);
        };
        let named = self.slugs.get(&(project, slug.to_owned()));
        let mut named = named.into_iter().flatten();
        Ok(match (named.next(), named.next(), create) {
            (Some(id), None, _) => Resolved::One(*id),
            (Some(_), Some(_), _) => Resolved::Several,
            (None, _, None) => Resolved::None,
            (None, _, Some(new)) => {
                let at = arrival.signal.received_at;
                self.create_from_signal(project, slug, new, at)?;
                Resolved::Created(new.id)
            }
        })
    }

    /// Whether this mark of the client is new.
    fn first_time(&mut self, heartbeat: HeartbeatId, nonce: &str, at: UnixMicros) -> bool {
        if self.mutant.forgets_nonces() {
            return true;
        }
        let known = self.nonces.entry(heartbeat).or_default();
        if known.contains_key(nonce) {
            return false;
        }
        known.insert(nonce.to_owned(), at);
        let added = Undo::NonceAdded(heartbeat, nonce.to_owned());
        self.undo.push(added);
        true
    }

    /// The signal, with what the heartbeat's own settings make of it.
    fn weighed(&self, heartbeat: HeartbeatId, arrival: &Arrival) -> Signal {
        let mut signal = arrival.signal.clone();
        let Some(row) = self.heartbeats.get(&heartbeat) else {
            return signal;
        };
        let settings = &row.hot.settings;
        if let Some(meaning) = settings.meaning(&signal, arrival.came()) {
            signal.taken_for(meaning);
        }
        if work::is_judged(settings, &row.hot.state, &signal) {
            let past = self.past_runs(row.hot.newest_run);
            let broken = work::broken_rules(settings, &row.hot.state, &signal, &past);
            signal.broken_rules.extend(broken);
        }
        signal
    }

    /// The runs that a later one is held against, the oldest first.
    fn past_runs(&self, newest: Option<i64>) -> Vec<PastRun> {
        let get = |number| self.runs.get(number);
        let rows = std::iter::successors(newest.and_then(get), |row: &&RunRow| {
            row.previous.and_then(get)
        });
        let mut past = Vec::new();
        for row in rows.take(PAST_RUNS_MAX) {
            // The stores look again after each page.
            if past.len() % PAST_RUNS == 0 && is_enough(&past) {
                break;
            }
            past.push(PastRun {
                started_at: row.run.started_at,
                ended_at: row.run.ended_at,
                outcome: row.run.outcome,
                work: row.run.work.as_deref().cloned(),
            });
        }
        past.reverse();
        past
    }

    fn observe(
        &mut self,
        txn: &mut Txn,
        heartbeat: HeartbeatId,
        arrival: &Arrival,
    ) -> Result<Option<IgnoredBecause>> {
        let signal = self.weighed(heartbeat, arrival);
        let Some(hot) = self.change(txn, heartbeat) else {
            return Ok(None);
        };
        let settings = Arc::clone(&hot.settings);
        let observed = observe(heartbeat, &settings, &mut hot.state, &signal);
        let previous = hot.newest_signal;
        let mut arrival = arrival.clone();
        arrival.signal.kind = signal.kind;
        let number = self.signals.push(SignalRow {
            previous,
            arrival: arrival.clone(),
            ignored: observed.ignored,
        });
        self.undo.push(Undo::SignalAdded);
        if let Some(row) = self.heartbeats.get_mut(&heartbeat) {
            row.hot.newest_signal = Some(number);
        }
        self.changes.push(Change::Signal {
            number,
            heartbeat,
            signal: arrival.signal.clone(),
            nonce: arrival.nonce.clone(),
            ignored: observed.ignored,
        });
        self.carry_out(txn, heartbeat, &observed.effects)?;
        Ok(observed.ignored)
    }

    /// Judges a heartbeat, and says when to look at it again.
    fn judge(&mut self, txn: &mut Txn, heartbeat: HeartbeatId) -> Result<()> {
        let Some(row) = self.heartbeats.get(&heartbeat) else {
            return Ok(());
        };
        let wake_before = row.hot.state.wake_at;
        txn.touched.entry(heartbeat).or_insert((wake_before, false));
        self.elapse_one(txn, heartbeat, txn.watermark)?;
        let wake_at = self.heartbeats[&heartbeat].hot.state.wake_at;
        txn.done.watched.push(Watched { heartbeat, wake_at });
        Ok(())
    }

    /// Decides what has become due by `asof`, if anything: a signal may have moved it on since.
    fn elapse_one(
        &mut self,
        txn: &mut Txn,
        heartbeat: HeartbeatId,
        asof: UnixMicros,
    ) -> Result<()> {
        let Some(row) = self.heartbeats.get(&heartbeat) else {
            return Ok(());
        };
        if row.hot.state.wake_at.is_none_or(|at| at > asof) {
            return Ok(());
        }
        let maintenance = self.maintenance(row.project);
        let ledger: Arc<GapLedger> = Arc::clone(&self.ledger);
        let Some(hot) = self.change(txn, heartbeat) else {
            return Ok(());
        };
        let settings = Arc::clone(&hot.settings);
        let around = Surroundings {
            gaps: &ledger,
            maintenance: &maintenance,
        };
        let effects = elapse(heartbeat, &settings, &mut hot.state, around, asof);
        self.carry_out(txn, heartbeat, &effects)
    }

    /// The project's maintenance windows, in the order of the real stores' index.
    pub(super) fn maintenance(&self, project: nightbeat_domain::ProjectId) -> Vec<Maintenance> {
        let shared = self.mutant.shares_maintenance();
        let windows = self.windows.iter();
        let windows = windows.filter(|(of, _)| **of == project || shared);
        windows
            .flat_map(|(_, windows)| windows.values())
            .map(|window| Maintenance {
                from: window.from,
                to: window.to,
            })
            .collect()
    }

    /// The part of a heartbeat that signals change, to be changed by this transaction.
    pub(super) fn change(&mut self, txn: &mut Txn, heartbeat: HeartbeatId) -> Option<&mut Hot> {
        let row = self.heartbeats.get_mut(&heartbeat)?;
        let wake_before = row.hot.state.wake_at;
        let touched = txn.touched.entry(heartbeat);
        let (_, changed) = touched.or_insert((wake_before, false));
        if !*changed {
            *changed = true;
            let before = Undo::Hot(heartbeat, Box::new(row.hot.clone()));
            self.undo.push(before);
        }
        Some(&mut row.hot)
    }

    /// Whoever watches hears of a look that has become earlier. A later one needs no word.
    fn finish_hot(&self, txn: Txn) -> Done {
        let mut done = txn.done;
        for (heartbeat, (wake_before, changed)) in txn.touched {
            let row = self.heartbeats.get(&heartbeat).filter(|_| changed);
            let wake_at = row.and_then(|row| row.hot.state.wake_at);
            if wake_at.is_some_and(|at| wake_before.is_none_or(|before| at < before)) {
                done.watched.push(Watched { heartbeat, wake_at });
            }
        }
        done
    }
}

/// What a ping key and a slug lead to.
enum Resolved {
    One(HeartbeatId),
    Created(HeartbeatId),
    None,
    Several,
}

/// One row of the batch is what it must not be: the others are tried without it.
fn is_broken(error: &Error) -> bool {
    matches!(
        error,
        Error::Store(StoreError::Broken(_) | StoreError::Conflict(_))
    )
}

/// The gap that is left when a batch is refused.
fn refused(batch: &Record) -> Option<Gap> {
    let received = batch.arrivals.iter().map(|it| it.signal.received_at);
    Some(Gap {
        from: received.clone().min()?,
        to: received.max()?.max(batch.now) + MICROSECOND,
        kind: GapKind::Storage,
    })
}

/// Nothing was stored between two such gaps.
fn join(known: Option<Gap>, new: Option<Gap>) -> Option<Gap> {
    let (Some(known), Some(new)) = (known, new) else {
        return known.or(new);
    };
    Some(Gap {
        from: known.from.min(new.from),
        to: known.to.max(new.to),
        kind: GapKind::Storage,
    })
}
