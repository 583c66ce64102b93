//! The node: the engine, driven by what happens.
//!
//! [`NodeHandle`] is what requests have of it. [`Node::run`] is its loop: it takes out what waits, lets the
//! engine decide, and has the commands carried out; their results come back as events. The loop itself
//! never waits for the disk or for a stranger's server.

mod deliver;
mod intake;
mod pace;
mod report;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::{ChannelId, Gap, GapKind, HeartbeatId, UnixMicros};
use nightbeat_engine::{self as engine, Command, Engine, Event, Failed, Written};
use nightbeat_notify::{Catalogue, Notifier};
use nightbeat_store::hot::{Done, Elapse, Record};
use nightbeat_store::{
    Arrival, Recorded, Result as StoreResult, Store, StoreError, Target, Watched,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::http::Shutdown;
use crate::metrics::Metrics;
use crate::zones;
use deliver::Deliver;
pub use intake::Arriving;
use intake::{Inbound, Intake};
pub use report::Health;
use report::Report;

/// When a client that was refused should come again.
const RETRY_AFTER_SECONDS: u32 = 5;

/// How long the node may take to write down what it has when the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is durable.
    Stored(Recorded),
    /// It cannot be stored now.
    Refused {
        /// When to try again.
        retry_after_seconds: u32,
    },
    /// The heartbeat signals faster than the operator's limit.
    TooFast {
        /// When to try again.
        retry_after_seconds: u32,
    },
}

/// What the node is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where it stores.
    pub store: Store,
    /// Until when receiving is known to have worked, before this start.
    pub alive_until: Option<UnixMicros>,
    /// The kinds of channels.
    pub catalogue: Arc<Catalogue>,
    /// What sends.
    pub notifier: Arc<Notifier>,
    /// The public URL without a slash at its end: what links in messages begin with.
    pub public_url: Arc<str>,
    /// The clocks.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How many signals may wait.
    pub inbox_signals_max: usize,
    /// How many signals a second one heartbeat may send; as many as it likes where there is no limit.
    pub signals_per_second: Option<u32>,
}

/// What requests have of the node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct NodeHandle {
    intake: Arc<Intake>,
    events: UnboundedSender<Happened>,
    report: Arc<Report>,
}

impl NodeHandle {
    /// Records a signal; returns when it is durable, or will not be. Its time of arrival is stamped here.
    pub async fn signal(&self, arrival: Arrival) -> Answer {
        self.put(arrival, None).await
    }

    /// Announces a signal whose body is still on its way: it arrives now, and no deadline after this
    /// instant is judged before it is here.
    pub fn announce(&self) -> Arriving {
        self.intake.announce()
    }

    /// Records a signal that was announced.
    pub async fn announced_signal(&self, arriving: Arriving, arrival: Arrival) -> Answer {
        self.put(arrival, Some(arriving)).await
    }

    async fn put(&self, arrival: Arrival, announced: Option<Arriving>) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.intake.put(Inbound { arrival, answer }, announced);
        answered.await.unwrap_or(Answer::Refused {
            retry_after_seconds: RETRY_AFTER_SECONDS,
        })
    }

    /// A signal may have been refused before it came here: too many connections, no more files.
    pub fn refused(&self) {
        self.intake.refused();
    }

    /// The instant now, on the node's time axis.
    pub fn now(&self) -> UnixMicros {
        self.intake.now()
    }

    /// Look at these heartbeats then: after people's changes.
    pub fn watch(&self, watched: Vec<Watched>) {
        self.tell(Happened::Filed(entries(watched)));
    }

    /// Deliveries were queued.
    pub fn deliveries_queued(&self) {
        self.tell(Happened::Queued);
    }

    /// Signals could not be received in this stretch, as an operator says.
    pub fn declare_gap(&self, gap: Gap) {
        self.tell(Happened::Gap(gap));
    }

    /// The database was looked over: this is damaged in it, or nothing.
    pub fn database_looked_over(&self, damage: Option<String>) {
        self.report.looked_over(damage);
    }

    /// How the node is.
    pub fn health(&self) -> Health {
        self.report.health(self.now())
    }

    fn tell(&self, event: Happened) {
        // A node that has ended says so itself; what is stored is found at the next start.
        drop(self.events.send(event));
    }
}

/// What happens to the node from outside the engine.
#[derive(Debug)]
enum Happened {
    Recorded {
        batch: u64,
        began_at: UnixMicros,
        result: StoreResult<Done>,
    },
    Elapsed {
        heartbeats: Vec<HeartbeatId>,
        result: StoreResult<Done>,
    },
    Filed(Vec<(HeartbeatId, UnixMicros)>),
    Gap(Gap),
    Queued,
    Claimed(StoreResult<Vec<nightbeat_store::outbox::ClaimedDelivery>>),
    Sent {
        message: u64,
        answer: engine::Answer,
    },
    Finished(Result<(), Vec<engine::Finished>>, Option<StoreError>),
}

/// The node before its loop runs.
#[derive(Debug)]
pub struct Node {
    engine: Engine<Inbound>,
    intake: Arc<Intake>,
    happened: UnboundedReceiver<Happened>,
    events: UnboundedSender<Happened>,
    report: Arc<Report>,
    store: Store,
    metrics: Arc<Metrics>,
    deliver: Deliver,
    alive_until: Option<UnixMicros>,
    /// Signals that wait for their transaction, and what it did with them.
    answers: HashMap<u64, Vec<oneshot::Sender<Answer>>>,
    recorded: HashMap<u64, Vec<Recorded>>,
    /// Whose signals a transaction on its way carries.
    targets: HashMap<u64, Vec<HeartbeatId>>,
    /// Transactions whose signals are to be answered at the end of the turn: first the writer gets its
    /// next batch, then it works while the answers go out.
    to_answer: Vec<(u64, bool)>,
    /// Why the node must end.
    fatal: Option<String>,
}

impl Node {
    /// A node and the handle on it. Nothing happens before [`Node::run`].
    pub fn new(parts: Parts) -> (Self, NodeHandle) {
        let intake = Arc::new(Intake::new(
            parts.clock,
            parts.alive_until,
            parts.inbox_signals_max,
            parts.signals_per_second,
        ));
        let (events, happened) = unbounded_channel();
        let now = intake.now();
        let report = Arc::new(Report::new(now));
        let limits = engine::Limits {
            inbox_signals_max: parts.inbox_signals_max,
            ..engine::Limits::default()
        };
        let deliver = Deliver::new(
            parts.store.clone(),
            parts.catalogue,
            parts.notifier,
            parts.public_url,
        );
        let node = Self {
            engine: Engine::new(limits, now),
            intake: Arc::clone(&intake),
            happened,
            events: events.clone(),
            report: Arc::clone(&report),
            store: parts.store,
            metrics: parts.metrics,
            deliver,
            alive_until: parts.alive_until,
            answers: HashMap::new(),
            recorded: HashMap::new(),
            targets: HashMap::new(),
            to_answer: Vec::new(),
            fatal: None,
        };
        let handle = NodeHandle {
            intake,
            events,
            report,
        };
        (node, handle)
    }

    /// Runs the node until `shutdown` begins and everything that waits is written down; an error when it
    /// cannot go on. Call it when signals can be received: the time since the last run is a gap.
    pub async fn run(mut self, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let now = self.intake.now();
        if let Some(from) = self.alive_until {
            let gap = Gap {
                from,
                // Where the wall clock is behind what is on record, no one knows how long we were away,
                // but we were.
                to: now.max(from + Duration::from_micros(1)),
                kind: GapKind::Stopped,
            };
            tracing::info!(from = %gap.from, to = %gap.to, "was away: what fell due then is unverified");
            self.metrics.gap(&gap);
            self.step(now, Event::Gap(gap));
        }
        if let Err(error) = zones::follow(&self.store, now).await {
            // What was promised before still holds; the next start tries again.
            tracing::error!(%error, "time zones with new rules could not be followed");
        }
        let watched = self.store.watch_list().await?;
        tracing::info!(heartbeats = watched.len(), "watching");
        self.step(now, Event::Filed(entries(watched)));
        self.report.started();
        while !shutdown.has_begun() && self.fatal.is_none() {
            self.turn();
            self.wait(&mut shutdown).await;
        }
        self.report.stopping();
        self.drain().await;
        match self.fatal {
            Some(reason) => Err(anyhow::anyhow!(reason)),
            None => Ok(()),
        }
    }

    /// Waits until something happens, or the next tick is due.
    async fn wait(&mut self, shutdown: &mut Shutdown) {
        let now = self.intake.now();
        let tick = self.engine.next_tick(now).since(now);
        let intake = Arc::clone(&self.intake);
        tokio::select! {
            () = intake.wake.notified() => {}
            Some(event) = self.happened.recv() => self.take_in(event),
            () = tokio::time::sleep(tick) => {}
            () = shutdown.begun() => {}
        }
    }

    /// One turn: takes out what waits and does what follows.
    fn turn(&mut self) {
        while let Ok(event) = self.happened.try_recv() {
            self.take_in(event);
        }
        let taken = self.intake.take();
        let now = taken.now;
        if let Some(gap) = taken.jump {
            tracing::warn!(from = %gap.from, to = %gap.to, "the clock was set forward");
            self.metrics.gap(&gap);
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
        let watermark = taken.watermark;
        self.step(now, Event::Tick { watermark });
        let mut commands = Vec::new();
        self.engine.work(now, &mut commands);
        self.execute(now, commands);
        for (batch, durable) in std::mem::take(&mut self.to_answer) {
            self.answer(batch, durable);
        }
        let health = self.engine.health(now);
        self.report.note(now, &health);
        self.metrics.note(&health);
    }

    fn step(&mut self, now: UnixMicros, event: Event<Inbound>) {
        let mut commands = Vec::new();
        self.engine.step(now, event, &mut commands);
        self.execute(now, commands);
    }

    fn take_in(&mut self, happened: Happened) {
        let now = self.intake.now();
        let event = match happened {
            Happened::Recorded {
                batch,
                began_at,
                result,
            } => {
                let targets = self.targets.remove(&batch).unwrap_or_default();
                if result.is_err() {
                    // It may be committed all the same, with looks that are earlier than the wheel knows.
                    let looks = targets.into_iter().map(|heartbeat| (heartbeat, now));
                    self.step(now, Event::Filed(looks.collect()));
                }
                let result = self.written(result).map(|mut done| {
                    self.metrics
                        .committed(done.recorded.len(), now.since(began_at));
                    self.metrics.false_raises.inc_by(done.false_raises.into());
                    self.recorded
                        .insert(batch, std::mem::take(&mut done.recorded));
                    done
                });
                Event::Recorded {
                    batch,
                    result: result.map(written),
                }
            }
            Happened::Elapsed { heartbeats, result } => {
                let result = self.written(result).map(|done| {
                    self.metrics.false_raises.inc_by(done.false_raises.into());
                    written(done)
                });
                Event::Elapsed { heartbeats, result }
            }
            Happened::Filed(entries) => Event::Filed(entries),
            Happened::Gap(gap) => Event::Gap(gap),
            Happened::Queued => Event::Queued,
            Happened::Claimed(result) => {
                let claimed = self.written(result);
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
                    let _ = self.written::<()>(Err(error));
                }
                Event::Finished(result)
            }
        };
        self.step(now, event);
    }

    /// Sorts a failed transaction: some mean that this process must end.
    fn written<T>(&mut self, result: StoreResult<T>) -> Result<T, Failed> {
        result.map_err(|error| {
            tracing::error!(%error, "storing failed");
            if let StoreError::Fatal(reason) = error {
                self.fatal.get_or_insert(reason);
            }
            Failed
        })
    }

    fn execute(&mut self, now: UnixMicros, commands: Vec<Command<Inbound>>) {
        for command in commands {
            match command {
                Command::Record {
                    batch,
                    arrivals,
                    watermark,
                    gaps,
                } => self.record(now, batch, arrivals, watermark, gaps),
                Command::Answer { batch, durable } => self.to_answer.push((batch, durable)),
                Command::Refuse(inbound) => inbound.answer(Answer::Refused {
                    retry_after_seconds: RETRY_AFTER_SECONDS,
                }),
                Command::Elapse {
                    heartbeats,
                    asof,
                    gaps,
                } => self.elapse(heartbeats, asof, gaps),
                Command::Claim { skip } => self.claim(now, skip),
                Command::Send(send) => {
                    let events = self.events.clone();
                    self.deliver.send(&send, now, events);
                }
                Command::Finish(finished) => {
                    self.deliver.finish(finished, self.events.clone());
                }
            }
        }
    }

    fn record(
        &mut self,
        now: UnixMicros,
        batch: u64,
        mut inbound: Vec<Inbound>,
        watermark: UnixMicros,
        gaps: Vec<Gap>,
    ) {
        // One that was announced may stand behind others that came after it.
        inbound.sort_by_key(|inbound| inbound.arrival.signal.received_at);
        let (arrivals, answers): (Vec<_>, Vec<_>) = inbound
            .into_iter()
            .map(|inbound| (inbound.arrival, inbound.answer))
            .unzip();
        self.answers.insert(batch, answers);
        let targets = arrivals.iter().filter_map(|arrival| match arrival.target {
            Target::Id(id) => Some(id),
            Target::Slug { .. } => None,
        });
        self.targets.insert(batch, targets.collect());
        let writing = self.store.record(Record {
            arrivals,
            watermark,
            gaps,
            // A signal that came later may still be on its way here: a crash would lose it unseen.
            now: watermark,
        });
        let events = self.events.clone();
        tokio::spawn(async move {
            let result = writing.await;
            drop(events.send(Happened::Recorded {
                batch,
                began_at: now,
                result,
            }));
        });
    }

    fn answer(&mut self, batch: u64, durable: bool) {
        let answers = self.answers.remove(&batch).unwrap_or_default();
        let mut recorded = self.recorded.remove(&batch).unwrap_or_default().into_iter();
        for answer in answers {
            let outcome = match recorded.next() {
                Some(recorded) if durable => Answer::Stored(recorded),
                _ => Answer::Refused {
                    retry_after_seconds: RETRY_AFTER_SECONDS,
                },
            };
            // The client may have gone away.
            let _ = answer.send(outcome);
        }
    }

    fn elapse(&self, heartbeats: Vec<HeartbeatId>, asof: UnixMicros, gaps: Vec<Gap>) {
        let judging = self.store.elapse(Elapse {
            heartbeats: heartbeats.clone(),
            asof,
            gaps,
            now: asof,
        });
        let events = self.events.clone();
        tokio::spawn(async move {
            let result = judging.await;
            drop(events.send(Happened::Elapsed { heartbeats, result }));
        });
    }

    fn claim(&self, now: UnixMicros, skip: Vec<ChannelId>) {
        let wish = nightbeat_store::outbox::Claim {
            now,
            lease_until: now + engine::LEASE,
            per_channel: engine::CLAIM_PER_CHANNEL,
            skip,
            digest_kinds: self.deliver.digest_kinds(),
        };
        let store = self.store.clone();
        let events = self.events.clone();
        tokio::spawn(async move {
            let result = store.claim(wish).await;
            drop(events.send(Happened::Claimed(result)));
        });
    }

    /// Writes down what waits, with an end.
    async fn drain(&mut self) {
        self.intake.close();
        self.engine.stop();
        let end = tokio::time::Instant::now() + DRAIN_TIME;
        loop {
            self.turn();
            if self.fatal.is_some() || self.engine.is_drained() {
                break;
            }
            let happened = tokio::time::timeout_at(end, self.happened.recv()).await;
            let Ok(Some(event)) = happened else {
                tracing::warn!("some messages were still on their way; they are sent again");
                break;
            };
            self.take_in(event);
        }
    }
}

fn written(done: Done) -> Written {
    Written {
        watched: entries(done.watched),
        deliveries: done.deliveries > 0,
    }
}

fn entries(watched: Vec<Watched>) -> Vec<(HeartbeatId, UnixMicros)> {
    watched
        .into_iter()
        .filter_map(|watched| Some((watched.heartbeat, watched.wake_at?)))
        .collect()
}
