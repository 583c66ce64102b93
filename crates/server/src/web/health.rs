//! How the server is, for supervisors, load balancers and Prometheus.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::Web;
use crate::metrics::Metrics;

/// The process answers: that is all it says.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Signals are stored and deadlines are judged.
pub(super) async fn ready(State(web): State<Web>) -> Response {
    let mut problems = web.node.health().problems;
    if web.shutdown.has_begun() {
        problems.push("the server is stopping".to_owned());
    }
    if problems.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, problems.join("\n") + "\n").into_response()
}

pub(super) async fn metrics(State(web): State<Web>) -> Response {
    match web.metrics.encode() {
        Ok(text) => ([(CONTENT_TYPE, Metrics::MEDIA_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
