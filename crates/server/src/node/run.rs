//! The node from the start of the process to its end. Alone on its database it has one life; of several, it
//! has a new one each time that it joins the others.

use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::nodes::NODE_LEASE;
use nightbeat_domain::{Gap, GapKind, UnixMicros};
use nightbeat_store::{Joined, StoreError};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use super::identity::Identity;
use super::intake::{ClockSaid, Intake};
use super::life::{End, Kit, Life};
use super::report::Report;
use super::{NodeHandle, Parts, Told};
use crate::http::Shutdown;
use crate::random;

/// How long to wait before the database is asked again, at first and at most.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(5);

/// A node that has joined asks for the database's time until an answer takes no longer than this, in
/// microseconds, and at most so many times.
const CLOCK_QUICK_MICROS: i64 = 20_000;
const CLOCK_ASKED_TIMES: u32 = 5;

/// While the node cannot join, this is logged so often.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// The node before it runs.
#[derive(Debug)]
pub struct Node {
    kit: Arc<Kit>,
    told: UnboundedReceiver<Told>,
    alive_until: Option<UnixMicros>,
    identity: Option<Identity>,
}

impl Node {
    /// A node and the handle on it. Nothing happens before [`Node::run`].
    pub fn new(parts: Parts) -> (Self, NodeHandle) {
        let (max, per_second) = (parts.inbox_signals_max, parts.signals_per_second);
        let intake = if parts.store.is_shared() {
            Intake::shared(parts.clock, max, per_second)
        } else {
            Intake::alone(parts.clock, parts.alive_until, max, per_second)
        };
        let intake = Arc::new(intake);
        let (tell, told) = unbounded_channel();
        let report = Arc::new(Report::new(intake.now(), parts.store.is_shared()));
        let handle = NodeHandle {
            intake: Arc::clone(&intake),
            told: tell,
            report: Arc::clone(&report),
            roles: parts.roles,
        };
        let node = Self {
            kit: Arc::new(Kit {
                intake,
                report,
                store: parts.store,
                metrics: parts.metrics,
                catalogue: parts.catalogue,
                notifier: parts.notifier,
                public_url: parts.public_url,
                roles: parts.roles,
                inbox_signals_max: max,
            }),
            told,
            alive_until: parts.alive_until,
            identity: parts.identity,
        };
        (node, handle)
    }

    /// Runs the node until `shutdown` begins and everything that waits is written down; an error when it
    /// cannot go on. Call it when signals can be received: the time since the last run is a gap.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        if self.kit.store.is_shared() {
            self.run_among_others(shutdown).await
        } else {
            self.run_alone(shutdown).await
        }
    }

    async fn run_alone(mut self, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let now = self.kit.intake.now();
        let mut life = Life::new(&self.kit, now);
        if let Some(from) = self.alive_until {
            let gap = Gap {
                from,
                // Where the wall clock is behind what is on record, no one knows how long we were away,
                // but we were.
                to: now.max(from + Duration::from_micros(1)),
                kind: GapKind::Stopped,
            };
            tracing::info!(from = %gap.from, to = %gap.to, "was away: what fell due then is unverified");
            self.kit.metrics.gap(&gap);
            life.was_away(now, gap);
        }
        life.read_what_to_watch(now).await?;
        match life.run(&mut self.told, &mut shutdown).await {
            End::Fatal(reason) => Err(anyhow::anyhow!(reason)),
            End::Stopped | End::Fenced => Ok(()),
        }
    }

    /// Lives again and again: a node that was taken for lost joins anew.
    async fn run_among_others(mut self, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let identity = self.identity.take();
        let identity = identity.unwrap_or_else(|| Identity::kept_in(None));
        let mut patience = Patience::default();
        while !shutdown.has_begun() {
            let joined = match self.join(&identity).await {
                Ok(joined) => joined,
                Err(StoreError::Fatal(reason)) => return Err(anyhow::anyhow!(reason)),
                Err(error) => {
                    self.kit.report.is_away(&error.to_string());
                    patience.failed(&error);
                    patience.wait(&mut shutdown).await;
                    continue;
                }
            };
            patience.joined();
            let began = Instant::now();
            let mut life = self.begin(&joined);
            let end = life.run(&mut self.told, &mut shutdown).await;
            self.kit.intake.ends();
            drop(life);
            self.kit.metrics.joined.set(0);
            match end {
                End::Stopped => return Ok(()),
                End::Fatal(reason) => return Err(anyhow::anyhow!(reason)),
                End::Fenced => self.was_lost(began.elapsed(), &mut patience),
            }
            if patience.is_short() {
                patience.wait(&mut shutdown).await;
            }
        }
        Ok(())
    }

    /// Joins the other nodes, if there are any. The schema is brought up to date first: the database may
    /// have been away when the server started.
    async fn join(&self, identity: &Identity) -> Result<Joined, StoreError> {
        self.kit.store.prepare().await?;
        let asked = self.kit.intake.asks();
        let joined = self.kit.store.join(identity.facts.clone()).await?;
        let alone = || StoreError::Fatal("this database is for one server alone".to_owned());
        let joined = joined.ok_or_else(alone)?;
        let said = self.ask_for_the_time().await?;
        self.kit.intake.joined(asked, joined.clock, said);
        Ok(joined)
    }

    /// What the database's clock says, by the quickest of a few answers. An axis that begins by a slow one
    /// lags, and what it stamps would be expected again too early.
    async fn ask_for_the_time(&self) -> Result<Option<ClockSaid>, StoreError> {
        let mut best: Option<ClockSaid> = None;
        for _ in 0..CLOCK_ASKED_TIMES {
            let asked = self.kit.intake.read();
            let Some(clock) = self.kit.store.clock().await? else {
                return Ok(None);
            };
            let said = ClockSaid {
                asked,
                answered: self.kit.intake.read(),
                clock,
            };
            if best.is_none_or(|best| said.took_micros() < best.took_micros()) {
                best = Some(said);
            }
            if said.took_micros() <= CLOCK_QUICK_MICROS {
                break;
            }
        }
        Ok(best)
    }

    fn begin(&self, joined: &Joined) -> Life {
        let now = self.kit.intake.now();
        tracing::info!(
            node = %joined.lease.node,
            epoch = joined.lease.epoch,
            "joined: this node is one of those on the database"
        );
        for gap in &joined.gaps {
            tracing::info!(from = %gap.from, to = %gap.to, "a node was away: what fell due then is unverified");
            self.kit.metrics.gap(gap);
        }
        self.kit.metrics.joined.set(1);
        self.kit.report.is_there(now);
        Life::new(&self.kit, now)
    }

    fn was_lost(&self, lived: Duration, patience: &mut Patience) {
        self.kit.metrics.lost.inc();
        let why = "it was taken for lost, and joins again";
        self.kit.report.is_away(why);
        tracing::error!(
            lived_seconds = lived.as_secs(),
            "this node could not renew its lease and was taken for lost: what it held is refused, and it \
             joins again"
        );
        if lived < NODE_LEASE {
            tracing::error!("that came soon: does another process use the same node-id?");
            patience.failed_soon();
        } else {
            patience.lasted();
        }
    }
}

/// How long to wait for the next attempt to join, and when to speak of it.
#[derive(Debug, Default)]
struct Patience {
    failures: u32,
    said_at: Option<Instant>,
}

impl Patience {
    /// Joining failed.
    fn failed(&mut self, error: &StoreError) {
        self.failures = self.failures.saturating_add(1);
        if self.said_at.is_none_or(|at| at.elapsed() >= SAID_EVERY) {
            self.said_at = Some(Instant::now());
            tracing::error!(
                %error,
                "cannot join the database: signals are refused until that works; it is tried again"
            );
        }
    }

    /// It worked, but did not last.
    fn failed_soon(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// It worked; whether it lasts is to be seen.
    fn joined(&mut self) {
        self.said_at = None;
    }

    /// It lasted.
    fn lasted(&mut self) {
        self.failures = 0;
    }

    fn is_short(&self) -> bool {
        self.failures > 0
    }

    /// Waits longer each time, by chance not as long as others.
    async fn wait(&self, shutdown: &mut Shutdown) {
        let doubled = AGAIN_AFTER * (1 << self.failures.saturating_sub(1).min(8));
        let longest = doubled.min(AGAIN_AFTER_MAX);
        let [chance] = random::bytes::<1>();
        let span = longest.mul_f64(0.5 + f64::from(chance) / 510.0);
        tokio::select! {
            () = tokio::time::sleep(span) => {}
            () = shutdown.begun() => {}
        }
    }
}
