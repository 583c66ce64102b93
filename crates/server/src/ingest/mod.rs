//! Signals in: from a URL, a method, headers and a body to an answer that says it is durable.
//!
//! This is the hot path. It stands before the router, without extractors; what it decides is only what
//! the wire asks for. Whether a signal counts is the domain's business.

mod answer;
mod body;
pub mod client;
pub mod dialect;
pub mod mail;
mod query;
mod text;
pub mod url;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use http::header::{CONNECTION, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Response};
use nightbeat_domain::{HeartbeatId, IgnoredBecause, Signal, SignalKind, UnixMicros};
use nightbeat_evidence::{Outcome, Reading, wrapper};
use nightbeat_store::{Arrival, NewHeartbeat, Target};
use prometheus_client::metrics::counter::Counter;

pub use query::{METRICS_MAX, SignalQuery};
pub(crate) use text::form_field;

use crate::budget::Budget;
use crate::config::Config;
use crate::metrics::{Metrics, OutcomeLabel};
use crate::node::{Arriving, NodeHandle};
use crate::random;
use answer::Answers;
use body::{BodyLimits, BodyOf, SignalBody};
use dialect::{Dialect, Spoken};
use url::{Forms, SignalUrl, UrlTarget};

/// How much memory the bodies of signals that are still arriving may hold at once, in all. Beyond it, signals
/// count without their bodies.
const BODIES_BYTES_MAX: usize = 64_000_000;
/// Where the operator keeps large bodies, there is room for so many of them.
const BODIES_MIN: usize = 16;

/// Takes signals in.
#[derive(Debug, Clone)]
pub struct Ingest {
    node: NodeHandle,
    limits: BodyLimits,
    bodies: Budget,
    answers: Answers,
    metrics: Arc<Metrics>,
    counted: Counter,
}

impl Ingest {
    /// Takes signals in for `node`, within the limits of `config`.
    pub fn new(config: &Config, node: NodeHandle, metrics: Arc<Metrics>) -> Self {
        let limits = BodyLimits {
            kept_bytes: config.limits.body_bytes,
            read_bytes: config.limits.body_hard_bytes,
            time: config.limits.body_timeout,
        };
        let counted = metrics
            .signals
            .get_or_create_owned(&OutcomeLabel { outcome: "counted" });
        Self {
            node,
            limits,
            bodies: Budget::new(BODIES_BYTES_MAX.max(BODIES_MIN * 2 * limits.kept_bytes)),
            answers: Answers::new(limits.kept_bytes),
            metrics,
            counted,
        }
    }

    /// Answers a request to a signal URL of a dialect, whose tail stands from byte `tail_at` of its path on.
    pub async fn answer<B>(
        &self,
        head: Parts,
        (dialect, tail_at): (Dialect, usize),
        client: Option<IpAddr>,
        body: B,
    ) -> Response<Body>
    where
        B: hyper::body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
    {
        let method = match head.method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::OPTIONS => return self.answers.options(),
            _ => return self.answers.method(),
        };
        let began = tokio::time::Instant::now();
        let spoken = dialect::parse(dialect, &head.uri.path()[tail_at..], head.uri.query());
        let (response, outcome) = match spoken {
            Err(problem) => self.answers.problem(&problem),
            Ok(Spoken { url, message }) if body.is_end_stream() => {
                let body = SignalBody::of_message(message, self.limits.kept_bytes);
                let arrival = arrival(url, method, &head.headers, client, body);
                self.answers.of(self.node.signal(arrival).await)
            }
            // What the body says is more than a message.
            Ok(Spoken { mut url, .. }) => {
                // On its own task: when the client goes away in the middle of its body, the connection and
                // all that runs on it is dropped, but what the URL said still counts.
                let ingest = self.clone();
                let arriving = self.node.announce();
                let task = tokio::spawn(async move {
                    let of = body_of(url.kind, url.exit_code);
                    let mut body = body::read(body, of, ingest.limits, &ingest.bodies).await;
                    if dialect == Dialect::Snitch && client::sends_a_form(&head.headers) {
                        (url, body) = of_form(url, body, ingest.limits.kept_bytes);
                    }
                    ingest
                        .with_body(url, method, &head.headers, client, body, arriving)
                        .await
                });
                match task.await {
                    Ok(answered) => answered,
                    Err(failed) => std::panic::resume_unwind(failed.into_panic()),
                }
            }
        };
        self.count(outcome);
        let waited = began.elapsed().as_secs_f64();
        self.metrics.signal_seconds.observe(waited);
        match dialect {
            Dialect::UptimeKuma => answer::for_uptime_kuma(response, outcome),
            _ => response,
        }
    }

    /// Records a signal that another way than its URL told, without a body.
    pub(crate) async fn record(
        &self,
        url: SignalUrl,
        method: &'static str,
        headers: &HeaderMap,
        client: Option<IpAddr>,
    ) -> Response<Body> {
        let began = tokio::time::Instant::now();
        let arrival = arrival(url, method, headers, client, SignalBody::default());
        let (response, outcome) = self.answers.of(self.node.signal(arrival).await);
        self.count(outcome);
        let waited = began.elapsed().as_secs_f64();
        self.metrics.signal_seconds.observe(waited);
        response
    }

    async fn with_body(
        self,
        url: SignalUrl,
        method: &'static str,
        headers: &HeaderMap,
        client: Option<IpAddr>,
        body: SignalBody,
        arriving: Arriving,
    ) -> (Response<Body>, &'static str) {
        let unfinished = body.unfinished;
        let arrival = arrival(url, method, headers, client, body);
        let stored = self.node.announced_signal(arriving, arrival).await;
        let (mut response, outcome) = self.answers.of(stored);
        if unfinished {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        (response, outcome)
    }

    fn count(&self, outcome: &'static str) {
        if outcome == "counted" {
            self.counted.inc();
        } else {
            self.metrics
                .signals
                .get_or_create(&OutcomeLabel { outcome })
                .inc();
        }
    }
}

fn body_of(kind: SignalKind, exit_code: Option<u8>) -> BodyOf {
    match kind {
        SignalKind::Success | SignalKind::Fail => BodyOf::End { exit_code },
        SignalKind::Start | SignalKind::Log => BodyOf::Note,
    }
}

/// At Dead Man's Snitch a form says what a query may say, and its message stands for the body. What is another
/// form is a body as any.
fn of_form(url: SignalUrl, body: SignalBody, kept_bytes: usize) -> (SignalUrl, SignalBody) {
    let form = body.kept.as_deref().unwrap_or_default();
    match dialect::snitch_form(&url, form) {
        None => (url, body),
        Some(Spoken { url, message }) => {
            let message = SignalBody {
                unfinished: body.unfinished,
                ..SignalBody::of_message(message, kept_bytes)
            };
            (url, message)
        }
    }
}

fn arrival(
    url: SignalUrl,
    method: &'static str,
    headers: &HeaderMap,
    client: Option<IpAddr>,
    body: SignalBody,
) -> Arrival {
    // The node stamps it, under the same lock under which it decides what may be judged.
    let received_at = UnixMicros::MIN;
    let looks_only = matches!(method, "GET" | "HEAD") && client::is_previewer(headers);
    let SignalUrl {
        target,
        kind,
        exit_code,
        query,
    } = url;
    let reading = reading(kind, body.kept.as_deref(), body.reading);
    Arrival {
        target: whom(target, query.create),
        signal: Signal {
            kind,
            received_at,
            claimed_at: query.claimed_at,
            rid: query.rid,
            exit_code,
            metrics: query.metrics,
            reading,
            broken_rules: Vec::new(),
            ignored: looks_only.then_some(IgnoredBecause::Previewer),
        },
        nonce: query.nonce,
        method,
        source: client
            .map(|address| address.to_string())
            .unwrap_or_default(),
        user_agent: client::user_agent(headers),
        body: body.kept,
        body_bytes: body.bytes,
        mail: None,
    }
}

/// What a body says of its run. Where the run failed, `nightbeat run` knows best why.
fn reading(
    kind: SignalKind,
    body: Option<&[u8]>,
    reading: Option<Box<Reading>>,
) -> Option<Box<Reading>> {
    let failed = kind == SignalKind::Fail;
    match body.filter(|_| failed).and_then(wrapper::notes) {
        Some(why)
            if reading
                .as_ref()
                .is_none_or(|it| it.outcome != Outcome::Warning) =>
        {
            let reading = reading.map_or_else(Reading::default, |it| *it);
            Some(Box::new(reading.failed_because(why)))
        }
        _ => reading,
    }
}

fn whom(target: UrlTarget, create: Option<Box<nightbeat_domain::Settings>>) -> Target {
    match target {
        UrlTarget::Id(id) => Target::Id(id),
        UrlTarget::Slug { ping_key, slug } => {
            let heartbeat = |settings: Box<_>| NewHeartbeat {
                id: HeartbeatId(random::uuid()),
                settings: *settings,
            };
            let create = create.map(|settings| Box::new(heartbeat(settings)));
            Target::Slug {
                ping_key,
                slug,
                create,
            }
        }
    }
}

/// Which paths of a server with this configuration are signals.
pub fn forms(config: &Config) -> Forms {
    Forms {
        prefix: config.public_url.prefix().to_owned(),
        ping_host: config.ping_host.clone(),
        snitch_host: config.snitch_host.clone(),
    }
}
