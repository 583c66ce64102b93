//! What runs beside the node, from time to time. Each task is idempotent: it may run twice, or late.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use nightbeat_notify::Reporter;

use nightbeat_store::control::{audit, invitations, keys, passkeys, sessions};
use nightbeat_store::{PruneCursor, Retention, Store, StoreError};

use crate::config::{self, Config};
use crate::http::Shutdown;
use crate::metrics::{Metrics, StateLabel};
use crate::node::NodeHandle;
use crate::random;

/// How often the whole table is searched for deadlines that the node has lost sight of.
const SEARCH_EVERY: Duration = Duration::from_secs(60);
/// Only deadlines that should have been judged this long ago: the node needs a moment itself.
const SEARCH_BEHIND: Duration = Duration::from_secs(60);
/// How many such deadlines are taken at once.
const SEARCH_AT_ONCE: u32 = 10_000;
/// Where several nodes share the database, how often it is asked for looks that nodes which do not watch handed
/// over: mostly there are none.
const TAKE_OVER_EVERY: Duration = Duration::from_secs(2);

/// How often gauges are read from the database.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// How often another instance is told that this one is well.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// The pause between two small steps of deleting what is no longer kept.
const PRUNE_PAUSE: Duration = Duration::from_millis(200);
/// How often sessions, links and invitations that have expired are deleted.
const TIDY_EVERY: Duration = Duration::from_secs(600);
/// The pause between two sweeps. Several nodes sweep at different times: to do it twice is no harm, only work.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// How long after the start the database is looked over first; then daily.
const LOOK_AFTER: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Starts the tasks; they end when `shutdown` begins.
pub(crate) fn start(
    config: &Config,
    store: &Store,
    node: &NodeHandle,
    metrics: &Arc<Metrics>,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let (store, node) = (store.clone(), node.clone());
    let watches = node.roles().watch;
    if let Some(url) = &config.report_to {
        let proxy = config.outgoing.proxy.as_ref().map(|proxy| proxy.0.clone());
        let reporter = Reporter::new(&url.0, proxy).context("cannot report to another instance")?;
        tokio::spawn(report(reporter, node.clone(), shutdown.clone()));
    }
    let retention = retention(&config.retention);
    tokio::spawn(prune(
        store.clone(),
        node.clone(),
        retention,
        shutdown.clone(),
    ));
    tokio::spawn(tidy(store.clone(), node.clone(), shutdown.clone()));
    tokio::spawn(look_over(store.clone(), node.clone(), shutdown.clone()));
    tokio::spawn(count(store.clone(), Arc::clone(metrics), shutdown.clone()));
    if watches && store.is_shared() {
        let taking = take_over(store.clone(), node.clone(), shutdown.clone());
        tokio::spawn(taking);
    }
    if watches {
        tokio::spawn(search(store, node, Arc::clone(metrics), shutdown.clone()));
    }
    Ok(())
}

/// Tells another instance that this one is well. Says nothing while it is not: silence is the alarm.
async fn report(reporter: Reporter, node: NodeHandle, mut shutdown: Shutdown) {
    loop {
        let problems = node.health().problems;
        if problems.is_empty() {
            if let Err(error) = reporter.signal().await {
                tracing::warn!(%error, "cannot report to the other instance");
            }
        } else {
            tracing::error!(
                ?problems,
                "not well: nothing is reported to the other instance"
            );
        }
        if !pause(REPORT_EVERY, &mut shutdown).await {
            return;
        }
    }
}

/// Deletes what is no longer kept, in steps that delay no signal.
async fn prune(store: Store, node: NodeHandle, retention: Retention, mut shutdown: Shutdown) {
    let mut cursor = PruneCursor::default();
    let mut rest = by_chance(PRUNE_EVERY);
    while pause(rest, &mut shutdown).await {
        if !node.knows_the_time() {
            rest = PRUNE_EVERY;
            continue;
        }
        rest = match store
            .prune_step(&retention, node.now(), cursor.clone())
            .await
        {
            Ok(progress) => {
                cursor = progress.cursor;
                if progress.done {
                    by_chance(PRUNE_EVERY)
                } else {
                    PRUNE_PAUSE
                }
            }
            Err(error) => {
                tracing::error!(%error, "cannot delete what is no longer kept");
                PRUNE_EVERY
            }
        };
    }
}

/// Deletes what people left behind that counts no more: sessions, links, invitations, old entries of the log of
/// who did what. None of it is looked up after its time, so that it may stay for a while.
async fn tidy(store: Store, node: NodeHandle, mut shutdown: Shutdown) {
    while pause(by_chance(TIDY_EVERY), &mut shutdown).await {
        if !node.knows_the_time() {
            continue;
        }
        let now = node.now();
        let tidying = store.write(move |sql| {
            sessions::prune(sql, now)?;
            keys::prune_links(sql, now)?;
            invitations::prune(sql, now)?;
            passkeys::prune_ceremonies(sql, now)?;
            audit::prune(sql, now)
        });
        if let Err(error) = tidying.await {
            tracing::error!(%error, "cannot delete sessions and links that have expired");
        }
    }
}

fn retention(config: &config::Retention) -> Retention {
    Retention {
        signals_max: config.signals.into(),
        incident_signals: DAY * config.signal_incident_days,
        runs: DAY * config.runs_days,
        runs_max: config.runs.into(),
        run_days: 365 * DAY * config.run_summary_years,
        deliveries: DAY * config.delivery_days,
        ..Retention::default()
    }
}

/// Brings back what the node has lost: deleting its memory costs a minute, never an alert.
async fn search(store: Store, node: NodeHandle, metrics: Arc<Metrics>, mut shutdown: Shutdown) {
    while pause(SEARCH_EVERY, &mut shutdown).await {
        if !node.knows_the_time() {
            continue;
        }
        let before = node.now() - SEARCH_BEHIND;
        match store.overdue(before, SEARCH_AT_ONCE).await {
            Ok(lost) => {
                metrics.deadlines_overdue.set(lost.len() as i64);
                if !lost.is_empty() {
                    tracing::warn!(
                        heartbeats = lost.len(),
                        "deadlines are overdue for judgement"
                    );
                    node.watch(lost);
                }
            }
            Err(error) => tracing::error!(%error, "cannot search for overdue deadlines"),
        }
    }
}

/// Watches what nodes stored that do not watch themselves.
async fn take_over(store: Store, node: NodeHandle, mut shutdown: Shutdown) {
    while pause(by_chance(TAKE_OVER_EVERY), &mut shutdown).await {
        // When a node dies that holds a lease, the others read what is to be watched anew: only such a one
        // may take anything over.
        if node.is_ready()
            && let Err(error) = take_over_once(&store, &node).await
        {
            // The node says itself that the database is away.
            tracing::debug!(%error, "cannot take over what other nodes stored");
        }
    }
}

async fn take_over_once(store: &Store, node: &NodeHandle) -> nightbeat_store::Result<()> {
    let looks = store.handed_over(SEARCH_AT_ONCE).await?;
    if looks.is_empty() {
        return Ok(());
    }
    node.watch(looks.clone());
    store.taken_over(&looks).await
}

/// Looks for damaged pages, also where nobody has read for long.
async fn look_over(store: Store, node: NodeHandle, mut shutdown: Shutdown) {
    let mut rest = LOOK_AFTER;
    while pause(rest, &mut shutdown).await {
        look_over_once(&store, &node).await;
        rest = DAY;
    }
}

async fn look_over_once(store: &Store, node: &NodeHandle) {
    let problems = match store.damage().await {
        Ok(problems) => problems,
        // It is too damaged to be looked over.
        Err(StoreError::Fatal(problem)) => vec![problem],
        Err(error) => {
            tracing::error!(%error, "cannot look the database over");
            return;
        }
    };
    for problem in &problems {
        tracing::error!(problem, "the database is damaged");
    }
    node.database_looked_over(problems.first().cloned());
}

async fn count(store: Store, metrics: Arc<Metrics>, mut shutdown: Shutdown) {
    loop {
        count_once(&store, &metrics).await;
        if !pause(COUNT_EVERY, &mut shutdown).await {
            return;
        }
    }
}

async fn count_once(store: &Store, metrics: &Metrics) {
    metrics.wal_bytes.set(store.wal_bytes() as i64);
    match store.broken_heartbeats().await {
        Ok(broken) => {
            metrics.broken_heartbeats.set(broken as i64);
        }
        Err(error) => tracing::error!(%error, "cannot count broken heartbeats"),
    }
    match store.delivery_counts().await {
        Ok(counts) => {
            for state in ["queued", "sending", "failing"] {
                let found = counts.iter().find(|(name, _)| name == state);
                let count = found.map_or(0, |(_, count)| *count);
                metrics
                    .deliveries
                    .get_or_create(&StateLabel { state })
                    .set(count as i64);
            }
        }
        Err(error) => tracing::error!(%error, "cannot count deliveries"),
    }
}

/// Half of `span` to one and a half: several nodes do not do the same at the same time.
fn by_chance(span: Duration) -> Duration {
    let [chance] = random::bytes::<1>();
    span.mul_f64(0.5 + f64::from(chance) / 255.0)
}

/// Waits; false when the server ends.
async fn pause(span: Duration, shutdown: &mut Shutdown) -> bool {
    tokio::select! {
        () = tokio::time::sleep(span) => true,
        () = shutdown.begun() => false,
    }
}

#[cfg(test)]
mod tests {
    use nightbeat_domain::{HeartbeatId, UnixMicros};
    use nightbeat_store::damage::stray_state;
    use nightbeat_store::hot::Elapse;
    use nightbeat_store::{Opener, Store};

    use super::*;

    #[tokio::test]
    async fn heartbeats_that_cannot_be_read_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("beats.db");
        let store = Store::open_sqlite(&path, Opener::Server).unwrap().store;
        let metrics = Metrics::default();
        count_once(&store, &metrics).await;
        assert_eq!(metrics.broken_heartbeats.get(), 0);
        let id = HeartbeatId(uuid::Uuid::from_u128(7));
        stray_state(&store, id).await.unwrap();
        let now = UnixMicros::from_seconds(1_795_312_800);
        let judging = store.elapse(Elapse {
            heartbeats: vec![id],
            asof: now,
            gaps: Vec::new(),
            now,
        });
        judging.await.unwrap();
        count_once(&store, &metrics).await;
        assert_eq!(metrics.broken_heartbeats.get(), 1);
    }
}
