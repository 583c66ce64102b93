//! One life of the node: its engine, and the loop that drives it.

mod commands;
mod end;

use std::collections::HashMap;
use std::sync::Arc;

use nightbeat_domain::{Gap, HeartbeatId, UnixMicros};
use nightbeat_engine::{self as engine, Engine, Event, Failed, Reading, Written};
use nightbeat_notify::{Catalogue, Notifier};
use nightbeat_store::hot::Done;
use nightbeat_store::{Recorded, Result as StoreResult, Store, StoreError, Watched};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::deliver::Deliver;
use super::intake::{Inbound, Intake};
use super::report::Report;
use super::watching::{self, Watching};
use super::{Answer, Told};
use crate::config::Roles;
use crate::http::Shutdown;
use crate::metrics::Metrics;

/// What all lives of a node share.
#[derive(Debug)]
pub(super) struct Kit {
    pub(super) intake: Arc<Intake>,
    pub(super) report: Arc<Report>,
    pub(super) store: Store,
    pub(super) metrics: Arc<Metrics>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) notifier: Arc<Notifier>,
    pub(super) public_url: Arc<str>,
    pub(super) roles: Roles,
    pub(super) inbox_signals_max: usize,
}

/// Why a life is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The server stops, and all is written down.
    Stopped,
    /// The node was taken for lost: nothing that it holds may be stored any more.
    Fenced,
    /// The process cannot go on.
    Fatal(String),
}

/// What the clocks said before a transaction was asked for, and when it was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) asked: Reading,
    pub(super) answered: Reading,
}

/// What happens to a life from outside the engine. What comes after its end concerns nobody.
#[derive(Debug)]
pub(super) enum Happened {
    Recorded {
        batch: u64,
        began_at: UnixMicros,
        round: Round,
        result: StoreResult<Done>,
    },
    Elapsed {
        heartbeats: Vec<HeartbeatId>,
        round: Round,
        result: StoreResult<Done>,
    },
    /// Everything that is to be watched.
    Listed(Vec<Watched>),
    Claimed(StoreResult<Vec<nightbeat_store::outbox::ClaimedDelivery>>),
    Sent {
        message: u64,
        answer: engine::Answer,
    },
    Finished(Result<(), Vec<engine::Finished>>, Option<StoreError>),
}

/// Whose signals a transaction carries.
#[derive(Debug, Default)]
struct Targets {
    ids: Vec<HeartbeatId>,
    /// Others besides, of which nobody knows the ids yet.
    by_slug: bool,
}

/// One life of the node.
#[derive(Debug)]
pub(super) struct Life {
    kit: Arc<Kit>,
    engine: Engine<Inbound>,
    happened: UnboundedReceiver<Happened>,
    events: UnboundedSender<Happened>,
    deliver: Deliver,
    watching: Watching,
    /// Every signal received up to this instant was taken out of the intake.
    watermark: UnixMicros,
    /// Signals that wait for their transaction, and what it did with them.
    answers: HashMap<u64, Vec<oneshot::Sender<Answer>>>,
    recorded: HashMap<u64, Vec<Recorded>>,
    /// Whose signals a transaction on its way carries.
    targets: HashMap<u64, Targets>,
    /// Transactions whose signals are to be answered at the end of the turn: first the writer gets its
    /// next batch, then it works while the answers go out.
    to_answer: Vec<(u64, bool)>,
    /// Why it is over.
    end: Option<End>,
}

impl Life {
    /// A life that begins at `now`.
    pub(super) fn new(kit: &Arc<Kit>, now: UnixMicros) -> Self {
        let limits = engine::Limits {
            inbox_signals_max: kit.inbox_signals_max,
            ..engine::Limits::default()
        };
        let (events, happened) = unbounded_channel();
        Self {
            engine: Engine::new(limits, now),
            happened,
            events,
            deliver: Deliver::new(
                kit.store.clone(),
                Arc::clone(&kit.catalogue),
                Arc::clone(&kit.notifier),
                Arc::clone(&kit.public_url),
            ),
            watching: Watching::default(),
            watermark: now,
            answers: HashMap::new(),
            recorded: HashMap::new(),
            targets: HashMap::new(),
            to_answer: Vec::new(),
            end: None,
            kit: Arc::clone(kit),
        }
    }

    /// Nobody could receive in this stretch, before the life began.
    pub(super) fn was_away(&mut self, now: UnixMicros, gap: Gap) {
        self.step(now, Event::Gap(gap));
    }

    /// Reads what is to be watched before anything is judged. Among several nodes the life reads it when
    /// its first transaction is stored: meanwhile it already takes signals, and the others judge.
    pub(super) async fn read_what_to_watch(&mut self, now: UnixMicros) -> StoreResult<()> {
        watching::follow_zones(&self.kit.store, now).await;
        let watched = self.kit.store.watch_list().await?;
        self.listed(now, watched);
        Ok(())
    }

    /// Lives until `shutdown` begins and everything that waits is written down, or until it cannot go on.
    pub(super) async fn run(
        &mut self,
        told: &mut UnboundedReceiver<Told>,
        shutdown: &mut Shutdown,
    ) -> End {
        while !shutdown.has_begun() && self.end.is_none() {
            self.turn(told);
            self.wait(told, shutdown).await;
        }
        if shutdown.has_begun() {
            self.kit.report.stopping();
        }
        if self.end != Some(End::Fenced) {
            self.drain(told).await;
        }
        self.end.take().unwrap_or(End::Stopped)
    }

    /// Waits until something happens, or the next tick is due.
    async fn wait(&mut self, told: &mut UnboundedReceiver<Told>, shutdown: &mut Shutdown) {
        let now = self.kit.intake.now();
        let tick = self.engine.next_tick(now).since(now);
        let intake = Arc::clone(&self.kit.intake);
        tokio::select! {
            () = intake.wake.notified() => {}
            Some(event) = self.happened.recv() => self.take_in(event),
            Some(told) = told.recv() => self.hear(told),
            () = tokio::time::sleep(tick) => {}
            () = shutdown.begun() => {}
        }
    }

    /// One turn: takes out what waits and does what follows.
    fn turn(&mut self, told: &mut UnboundedReceiver<Told>) {
        while let Ok(event) = self.happened.try_recv() {
            self.take_in(event);
        }
        while let Ok(told) = told.try_recv() {
            self.hear(told);
        }
        if self.end == Some(End::Fenced) {
            return;
        }
        let taken = self.kit.intake.take();
        let now = taken.now;
        if let Some(gap) = taken.jump {
            tracing::warn!(from = %gap.from, to = %gap.to, "the clock was set forward");
            self.kit.metrics.gap(&gap);
            self.step(now, Event::Gap(gap));
        }
        if taken.refused {
            self.step(now, Event::Refused);
        }
        for inbound in taken.signals {
            let bytes = inbound.bytes();
            let event = Event::Received {
                arrival: inbound,
                bytes,
            };
            self.step(now, event);
        }
        self.watermark = taken.watermark;
        let watermark = taken.watermark;
        self.step(now, Event::Tick { watermark });
        let mut commands = Vec::new();
        self.engine.work(now, &mut commands);
        self.execute(now, commands);
        for (batch, durable) in std::mem::take(&mut self.to_answer) {
            self.answer(batch, durable);
        }
        let health = self.engine.health(now);
        self.kit.report.note(now, &health);
        self.kit.metrics.note(&health);
    }

    fn step(&mut self, now: UnixMicros, event: Event<Inbound>) {
        let mut commands = Vec::new();
        self.engine.step(now, event, &mut commands);
        self.execute(now, commands);
    }

    fn hear(&mut self, told: Told) {
        let now = self.kit.intake.now();
        match told {
            Told::Filed(entries) => self.file(now, entries),
            Told::Gap(gap) => self.step(now, Event::Gap(gap)),
            Told::Queued => self.step(now, Event::Queued),
        }
    }

    /// Looks at these heartbeats then, where it is among the node's roles; else others do.
    fn file(&mut self, now: UnixMicros, entries: Vec<(HeartbeatId, UnixMicros)>) {
        if self.kit.roles.watch {
            self.step(now, Event::Filed(entries));
        } else if !entries.is_empty() {
            let (store, events) = (self.kit.store.clone(), self.events.clone());
            tokio::spawn(watching::hand_over(store, entries, events));
        }
    }

    fn listed(&mut self, now: UnixMicros, watched: Vec<Watched>) {
        tracing::info!(heartbeats = watched.len(), "watching");
        self.file(now, entries(watched));
        self.kit.report.started();
    }

    fn take_in(&mut self, happened: Happened) {
        let now = self.kit.intake.now();
        let event = match happened {
            Happened::Recorded {
                batch,
                began_at,
                round,
                result,
            } => {
                self.renewed(now, round, &result);
                let result = self.recorded(now, batch, began_at, result);
                Event::Recorded { batch, result }
            }
            Happened::Elapsed {
                heartbeats,
                round,
                result,
            } => {
                self.renewed(now, round, &result);
                self.kit.report.has_stored();
                let result = self.stored(result).map(|done| self.written(now, done));
                Event::Elapsed { heartbeats, result }
            }
            Happened::Listed(watched) => {
                self.listed(now, watched);
                if let Some(generation) = self.watching.has_read() {
                    tracing::debug!(generation, "a node came or went meanwhile");
                    self.read_list(now);
                }
                return;
            }
            Happened::Claimed(result) => {
                let claimed = self.stored(result);
                Event::Claimed(claimed.map(|rows| self.deliver.keep(rows, now)))
            }
            Happened::Sent { message, answer } => {
                if !answer.taken {
                    tracing::warn!(
                        detail = answer.detail,
                        "an alert was not taken; it is tried again"
                    );
                }
                Event::Sent { message, answer }
            }
            Happened::Finished(result, error) => {
                if let Some(error) = error {
                    let _ = self.stored::<()>(Err(error));
                }
                Event::Finished(result)
            }
        };
        self.step(now, event);
    }

    /// A transaction that was stored renewed the lease, and says which nodes there are.
    fn renewed(&mut self, now: UnixMicros, round: Round, result: &StoreResult<Done>) {
        let Some(renewed) = result.as_ref().ok().and_then(|done| done.renewed) else {
            return;
        };
        let Round { asked, answered } = round;
        self.kit.intake.renewed(asked, answered, renewed.clock);
        if self.watching.saw(renewed.generation).is_some() {
            self.read_list(now);
        }
    }

    /// Reads what is to be watched, beside the loop.
    fn read_list(&mut self, now: UnixMicros) {
        if !self.kit.roles.watch {
            drop(self.events.send(Happened::Listed(Vec::new())));
            return;
        }
        let (store, events) = (self.kit.store.clone(), self.events.clone());
        let first = self.watching.is_first();
        tokio::spawn(watching::read(store, first, now, events));
    }

    fn recorded(
        &mut self,
        now: UnixMicros,
        batch: u64,
        began_at: UnixMicros,
        result: StoreResult<Done>,
    ) -> Result<Written, Failed> {
        let targets = self.targets.remove(&batch).unwrap_or_default();
        if let Err(error) = &result {
            // It may be committed all the same, with looks that are earlier than the wheel knows.
            let looks = targets.ids.into_iter().map(|heartbeat| (heartbeat, now));
            self.file(now, looks.collect());
            if targets.by_slug && matches!(error, StoreError::Unknown(_)) {
                self.read_list(now);
            }
        }
        let mut done = self.stored(result)?;
        let took = now.since(began_at);
        self.kit.metrics.committed(done.recorded.len(), took);
        let recorded = std::mem::take(&mut done.recorded);
        if !recorded.is_empty() {
            self.kit.report.has_stored();
        }
        self.recorded.insert(batch, recorded);
        Ok(self.written(now, done))
    }

    fn written(&mut self, now: UnixMicros, done: Done) -> Written {
        let false_raises = &self.kit.metrics.false_raises;
        false_raises.inc_by(done.false_raises.into());
        let mut watched = entries(done.watched);
        if !self.kit.roles.watch {
            self.file(now, std::mem::take(&mut watched));
        }
        Written {
            watched,
            deliveries: done.deliveries > 0,
        }
    }

    /// Sorts a failed transaction: some mean that this life or the process must end.
    fn stored<T>(&mut self, result: StoreResult<T>) -> Result<T, Failed> {
        result.map_err(|error| {
            match error {
                StoreError::Fenced(_) => {
                    self.end.get_or_insert(End::Fenced);
                    return Failed;
                }
                StoreError::Fatal(ref reason) => {
                    self.end.get_or_insert_with(|| End::Fatal(reason.clone()));
                }
                _ => {}
            }
            self.kit.report.storing_failed(&error);
            Failed
        })
    }
}

/// What is to be looked at, and when.
pub(super) fn entries(watched: Vec<Watched>) -> Vec<(HeartbeatId, UnixMicros)> {
    watched
        .into_iter()
        .filter_map(|watched| Some((watched.heartbeat, watched.wake_at?)))
        .collect()
}
