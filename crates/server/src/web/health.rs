//! How the server is, for supervisors, load balancers and Prometheus.

use std::net::IpAddr;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use nightbeat_notify::IpNet;

use super::Web;
use crate::http::Client;
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

/// What proxies add: the request comes from further away than its connection.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

/// Only for this machine and whom the operator names: they tell strangers how much goes on here, and when.
pub(super) async fn metrics(
    State(web): State<Web>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
) -> Response {
    if !may_read(client.address, &headers, &web.metrics_allow) {
        let text = "the metrics are shown to programs on this machine, and to those whom metrics.allow names\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    match web.metrics.encode() {
        Ok(text) => ([(CONTENT_TYPE, Metrics::MEDIA_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// `client` is the address as far as proxies are trusted. A proxy on this machine that is not trusted would make
/// everybody a program on it, so that its mark counts against them.
fn may_read(client: Option<IpAddr>, headers: &HeaderMap, allow: &[IpNet]) -> bool {
    let named = |address| allow.iter().any(|network| network.contains(address));
    let local = client.is_none_or(|address| address.is_loopback());
    let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    client.is_some_and(named) || (local && !forwarded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn metrics_are_for_this_machine_and_those_who_are_named() {
        let allow = ["10.0.0.0/8".parse().unwrap()];
        let direct = HeaderMap::new();
        for (client, expected) in [
            (None, true),
            (Some("127.0.0.1"), true),
            (Some("::1"), true),
            (Some("10.1.2.3"), true),
            (Some("192.168.0.1"), false),
            (Some("203.0.113.1"), false),
            (Some("2001:db8::1"), false),
        ] {
            let client = client.map(|text| text.parse().unwrap());
            assert_eq!(may_read(client, &direct, &allow), expected, "{client:?}");
        }
    }

    #[test]
    fn what_an_untrusted_proxy_brings_is_not_from_this_machine() {
        for name in FORWARDED {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                HeaderValue::from_static("203.0.113.1"),
            )]);
            let loopback = Some("127.0.0.1".parse().unwrap());
            assert!(!may_read(loopback, &headers, &[]), "{name}");
            assert!(!may_read(None, &headers, &[]), "{name}");
            let named = ["127.0.0.1".parse().unwrap()];
            assert!(may_read(loopback, &headers, &named), "{name}");
        }
    }
}
