//! Every request that is no signal.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use nightbeat_notify::{Catalogue, Notifier};
use nightbeat_store::Store;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::node::NodeHandle;

/// What handlers work with.
#[derive(Debug, Clone)]
pub struct RouterParts {
    /// Where it is stored.
    pub store: Store,
    /// The node.
    pub node: NodeHandle,
    /// The kinds of channels.
    pub catalogue: Arc<Catalogue>,
    /// What sends.
    pub notifier: Arc<Notifier>,
    /// The public URL, without a slash at its end.
    pub public_url: Arc<str>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The router: probes now; the pages and the API nest here.
pub fn router(config: &Config, parts: RouterParts) -> Router {
    let _ = (config, parts);
    Router::new().route("/healthz", get(|| async { "OK\n" }))
}
