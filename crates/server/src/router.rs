//! Every request that is no signal.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use nightbeat_notify::{Catalogue, Notifier};
use nightbeat_store::Store;

use crate::accounts::oidc::Provider;
use crate::api::{self, ApiState};
use crate::badges;
use crate::compat::{healthchecks, prometheus, sentry};
use crate::config::Config;
use crate::http::Shutdown;
use crate::ingest::Ingest;
use crate::metrics::{Metrics, RequestLabel};
use crate::node::NodeHandle;
use crate::reports::Reports;
use crate::web::{Setup, Web};

/// What handlers work with.
#[derive(Debug, Clone)]
pub(crate) struct RouterParts {
    /// Where it is stored.
    pub(crate) store: Store,
    /// The node.
    pub(crate) node: NodeHandle,
    /// The kinds of channels.
    pub(crate) catalogue: Arc<Catalogue>,
    /// What sends.
    pub(crate) notifier: Arc<Notifier>,
    /// The public URL, without a slash at its end.
    pub(crate) public_url: Arc<str>,
    /// Takes signals in that are not told by their URL alone.
    pub(crate) ingest: Ingest,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// The OpenID Connect provider that people sign in at.
    pub(crate) provider: Option<Arc<Provider>>,
    /// What sends reports by mail.
    pub(crate) reports: Reports,
    /// The one-time setup link.
    pub(crate) setup: Arc<Setup>,
    /// Says when the server begins to stop: it is not ready any more.
    pub(crate) shutdown: Shutdown,
}

/// The router: the pages and the probes, and the API.
pub(crate) fn router(config: &Config, parts: RouterParts) -> Router {
    let metrics = Arc::clone(&parts.metrics);
    let state = ApiState::new(
        parts.store.clone(),
        parts.node.clone(),
        Arc::clone(&parts.catalogue),
        Arc::clone(&parts.notifier),
        Arc::clone(&parts.public_url),
    )
    .with_rate(config.limits.api_requests_per_minute);
    let mail_domain = config.shown_mail_domain();
    let state = state.with_mail_domain(mail_domain.map(|domain| domain.to_string().into()));
    let roles = config.roles;
    let node = parts.node.clone();
    let ingest = parts.ingest.clone();
    let web = Web::new(config, parts, state.clone());
    let nowhere = web.clone();
    let router = if roles.web {
        let people = web
            .pages()
            .merge(healthchecks::router(state.clone()))
            .merge(sentry::router(state.clone(), ingest))
            .merge(prometheus::router(state.clone()))
            .merge(badges::router(state.clone()))
            .nest("/api/v1", api::router(state));
        people.layer(axum::middleware::from_fn_with_state(node, knows_the_time))
    } else {
        Router::new()
    };
    router
        .merge(web.probes())
        .layer(axum::middleware::from_fn_with_state(metrics, count))
        .fallback(move |headers: HeaderMap| async move {
            if roles.web && asks_for_a_page(&headers) {
                return nowhere.not_found().await;
            }
            let text = if roles.web {
                "not found\n"
            } else {
                "this server has no API and no pages: `web` is not among its roles\n"
            };
            (StatusCode::NOT_FOUND, text).into_response()
        })
}

/// Whether it is a browser that asks.
fn asks_for_a_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|types| types.contains("text/html"))
}

/// Before a node has joined the others it cannot say what time it is: nothing may be changed by it.
async fn knows_the_time(State(node): State<NodeHandle>, request: Request, next: Next) -> Response {
    if node.knows_the_time() {
        return next.run(request).await;
    }
    let detail = node.health().problems.join("; ") + "\n";
    let later = [(http::header::RETRY_AFTER, "5")];
    (StatusCode::SERVICE_UNAVAILABLE, later, detail).into_response()
}

/// Counts requests by the route that matched; what matched none is `none`.
async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let label = RequestLabel { path, status };
    metrics.requests.get_or_create(&label).inc();
    response
}
