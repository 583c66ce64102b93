//! The pages, and what machines ask of the server itself: health, metrics, robots.txt.
//!
//! There are no sign-ins yet. A page is shown to whoever holds an API key of its project: the key goes
//! into a form once, the browser keeps a session cookie. Nobody is trusted for coming from this machine:
//! behind a reverse proxy on it, everybody does.

mod assets;
mod headers;
mod health;
mod list;
mod pages;
mod session;
mod setup;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use nightbeat_notify::IpNet;
use nightbeat_store::Store;

pub(crate) use setup::Setup;

use crate::config::Config;
use crate::http::Shutdown;
use crate::metrics::Metrics;
use crate::node::NodeHandle;
use crate::router::RouterParts;
use session::Sessions;

/// What the pages need. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    store: Store,
    node: NodeHandle,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
    setup: Arc<Setup>,
    sessions: Arc<Sessions>,
    /// Who may read the metrics, besides programs on this machine.
    metrics_allow: Arc<[IpNet]>,
    /// The public URL, without a slash at its end.
    public_url: Arc<str>,
    /// Its path: stands before every link.
    base: Arc<str>,
    /// `--database …` for the command that the setup page shows.
    database: Arc<str>,
}

impl Web {
    /// The pages of the server with this configuration.
    pub(crate) fn new(config: &Config, parts: RouterParts) -> Self {
        Self {
            store: parts.store,
            node: parts.node,
            metrics: parts.metrics,
            shutdown: parts.shutdown,
            setup: parts.setup,
            sessions: Arc::new(Sessions::new(&config.public_url)),
            metrics_allow: config.metrics_allow.clone().into(),
            public_url: parts.public_url,
            base: config.public_url.prefix().into(),
            database: config.database.to_string().into(),
        }
    }

    /// What people see.
    pub(crate) fn pages(&self) -> Router {
        Router::new()
            .route("/", get(list::show))
            .route("/sign-in", post(session::sign_in))
            .route("/sign-out", post(session::sign_out))
            .route("/setup/{secret}", get(setup::form).post(setup::create))
            .route(assets::STYLE_ROUTE, get(assets::style))
            .layer(axum::middleware::map_response(headers::secure))
            .with_state(self.clone())
    }

    /// What machines ask of the server itself, whatever its roles are.
    pub(crate) fn probes(self) -> Router {
        Router::new()
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(health::metrics))
            .route("/robots.txt", get(assets::robots))
            .with_state(self)
    }
}
