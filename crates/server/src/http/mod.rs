//! The accept loop and what stands between a socket and a handler.
//!
//! Connections are served by hyper's HTTP/1 builder, not by `axum::serve`: that one knows no timeout for
//! headers, no cap and no pause when the process may open no more files. One timeout covers a silent
//! connection, half a header and an idle keep-alive.

mod accept;
mod admission;
mod connection;
mod dispatch;
mod listener;
mod log;
mod stall;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub(crate) use accept::{Serves, accept};
pub(crate) use admission::{Admission, Caps};
pub(crate) use connection::linger;
pub use dispatch::{App, Client};
pub use listener::{Bound, bind};
pub use log::cut_path;
pub(crate) use stall::Impatient;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::node::NodeHandle;

/// How long requests and mails that are under way may take when the server stops.
pub(crate) const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Tells every part of the server that it ends; cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// Starts the end.
#[derive(Debug)]
pub struct ShutdownSwitch(watch::Sender<bool>);

impl Shutdown {
    /// A switch and what it reaches.
    pub fn new() -> (ShutdownSwitch, Self) {
        let (sender, receiver) = watch::channel(false);
        (ShutdownSwitch(sender), Self(receiver))
    }

    /// Whether the end has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when the end begins, also when the switch was dropped.
    pub async fn begun(&mut self) {
        // An error says that the switch is gone: that is an end, too.
        let _ = self.0.wait_for(|begun| *begun).await;
    }
}

impl ShutdownSwitch {
    /// Begins the end.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }
}

/// Accepts and serves connections on all `listeners` until the end begins; then stops accepting, lets
/// requests under way finish within five seconds, and returns.
pub async fn run(
    listeners: Vec<Bound>,
    app: Arc<App>,
    config: &Config,
    metrics: Arc<Metrics>,
    node: NodeHandle,
    shutdown: Shutdown,
) {
    let admission = Arc::new(Admission::new(
        Caps::of_requests(&config.limits),
        &config.trusted_proxies.networks,
        Arc::clone(&metrics),
        Box::new(move || node.refused()),
    ));
    let server = connection::Server::new(app, config.limits.header_timeout);
    let mut loops = tokio::task::JoinSet::new();
    for listener in listeners {
        loops.spawn(accept(
            listener,
            server.clone(),
            Arc::clone(&admission),
            shutdown.clone(),
        ));
    }
    loops.join_all().await;
    if tokio::time::timeout(DRAIN_TIME, admission.drained())
        .await
        .is_err()
    {
        tracing::warn!(
            open = metrics.connections.get(),
            "some requests did not finish in time and are dropped"
        );
    }
}
