//! What runs beside the node, from time to time. Each task is idempotent: it may run twice, or late.

use std::sync::Arc;
use std::time::Duration;

use nightbeat_store::Store;

use crate::config::Config;
use crate::http::Shutdown;
use crate::metrics::{Metrics, StateLabel};
use crate::node::NodeHandle;

/// How often the whole table is searched for deadlines that the node has lost sight of.
const SEARCH_EVERY: Duration = Duration::from_secs(60);
/// Only deadlines that should have been judged this long ago: the node needs a moment itself.
const SEARCH_BEHIND: Duration = Duration::from_secs(60);
/// How many such deadlines are taken at once.
const SEARCH_AT_ONCE: u32 = 10_000;
/// How often gauges are read from the database.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// Starts the tasks; they end when `shutdown` begins.
pub(crate) fn start(
    config: &Config,
    store: &Store,
    node: &NodeHandle,
    metrics: &Arc<Metrics>,
    shutdown: &Shutdown,
) {
    let _ = config;
    tokio::spawn(search(
        store.clone(),
        node.clone(),
        Arc::clone(metrics),
        shutdown.clone(),
    ));
    tokio::spawn(count(store.clone(), Arc::clone(metrics), shutdown.clone()));
}

/// Brings back what the node has lost: deleting its memory costs a minute, never an alert.
async fn search(store: Store, node: NodeHandle, metrics: Arc<Metrics>, mut shutdown: Shutdown) {
    while pause(SEARCH_EVERY, &mut shutdown).await {
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

async fn count(store: Store, metrics: Arc<Metrics>, mut shutdown: Shutdown) {
    while pause(COUNT_EVERY, &mut shutdown).await {
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
}

/// Waits; false when the server ends.
async fn pause(span: Duration, shutdown: &mut Shutdown) -> bool {
    tokio::select! {
        () = tokio::time::sleep(span) => true,
        () = shutdown.begun() => false,
    }
}
