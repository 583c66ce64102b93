//! From a request to a response: signals first, then the router.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt as _;
use http::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tower::ServiceExt as _;

use super::log::cut_path;
use crate::budget::{Budget, Held};
use crate::config::{Config, TrustedProxies};
use crate::ingest::url::Forms;
use crate::ingest::{self, Ingest, client};

/// The largest body of a request that is no signal.
const BODY_BYTES_MAX: usize = 1_000_000;
/// How much memory such bodies may hold at once, in all: they are read before anyone asks for a key.
const BODIES_BYTES_MAX: usize = 64_000_000;
/// How long such a body may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// Who sent a request; an extension of each request that reaches the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The client's address, told by trusted proxies where there are some. `None`: a Unix socket.
    pub address: Option<IpAddr>,
    /// A trusted proxy brought it: what that says of the person is believed, too.
    pub by_proxy: bool,
}

/// What answers requests.
#[derive(Debug)]
pub struct App {
    forms: Forms,
    trusted: TrustedProxies,
    ingest: Ingest,
    router: Router,
    bodies: Budget,
}

impl App {
    /// Signals go to `ingest`, the rest to `router`.
    pub fn new(config: &Config, ingest: Ingest, router: Router) -> Self {
        Self {
            forms: ingest::forms(config),
            trusted: config.trusted_proxies.clone(),
            ingest,
            router,
            bodies: Budget::new(BODIES_BYTES_MAX),
        }
    }

    /// Answers one request; a panic in a handler is answered 500 and harms no other.
    pub(super) async fn respond(
        &self,
        peer: Option<IpAddr>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let answering = AssertUnwindSafe(self.dispatch(peer, request)).catch_unwind();
        let mut response = answering.await.unwrap_or_else(|_| {
            tracing::error!("a handler panicked; this is a bug");
            problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this is a bug; the log says more",
            )
        });
        // No answer of ours is anything but what it says it is.
        response
            .headers_mut()
            .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    async fn dispatch(&self, peer: Option<IpAddr>, request: Request<Incoming>) -> Response<Body> {
        let address = client::address(peer, request.headers(), &self.trusted);
        let path = request.uri().path();
        let host = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok());
        let host = host.or(request.uri().host());
        if let Some((dialect, tail)) = self.forms.place(host, path) {
            let tail_at = path.len() - tail.len();
            let (head, body) = request.into_parts();
            let place = (dialect, tail_at);
            return self.ingest.answer(head, place, address, body).await;
        }
        let by_proxy = client::is_trusted(peer, &self.trusted);
        self.route(Client { address, by_proxy }, request).await
    }

    async fn route(&self, client: Client, request: Request<Incoming>) -> Response<Body> {
        let started = tokio::time::Instant::now();
        let method = request.method().clone();
        let path = cut_path(request.uri().path()).into_owned();
        // Held until there is an answer: until then the body is in memory.
        let mut memory = Held::default();
        let response = match self.whole(client, request, &mut memory).await {
            Ok(request) => match self.router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(refused) => refused,
        };
        tracing::info!(
            %method,
            path,
            status = response.status().as_u16(),
            ms = started.elapsed().as_millis() as u64,
            client = client.address.map(tracing::field::display),
            "request"
        );
        response
    }

    /// The request with its body in memory and its path below the public URL's own. No handler can be
    /// held up by a body that trickles in.
    async fn whole(
        &self,
        client: Client,
        request: Request<Incoming>,
        memory: &mut Held,
    ) -> Result<Request<Body>, Response<Body>> {
        let (mut head, body) = request.into_parts();
        let reading = self.read(body, memory);
        let bytes = match tokio::time::timeout(BODY_TIME_MAX, reading).await {
            Ok(read) => read?,
            Err(_) => {
                return Err(closing(
                    StatusCode::REQUEST_TIMEOUT,
                    "the request took too long",
                ));
            }
        };
        head.uri = self.below_prefix(head.uri);
        head.extensions.insert(client);
        Ok(Request::from_parts(head, Body::from(bytes)))
    }

    /// All of a body, within its own limit and the budget of all.
    async fn read(&self, mut body: Incoming, memory: &mut Held) -> Result<Vec<u8>, Response<Body>> {
        let mut bytes = Vec::new();
        if body.is_end_stream() {
            return Ok(bytes);
        }
        while let Some(frame) = body.frame().await {
            let broken = |_| closing(StatusCode::BAD_REQUEST, "the request broke off");
            let frame = frame.map_err(broken)?;
            let data = frame.data_ref().map_or(&[][..], |data| data);
            if bytes.len() + data.len() > BODY_BYTES_MAX {
                return Err(closing(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "the request is larger than 1 MB",
                ));
            }
            if !self.bodies.take(memory, data.len()) {
                return Err(too_many());
            }
            bytes.extend_from_slice(data);
        }
        Ok(bytes)
    }

    fn below_prefix(&self, uri: Uri) -> Uri {
        let below = self.forms.without_prefix(uri.path());
        if below.len() == uri.path().len() {
            return uri;
        }
        let text = match uri.query() {
            Some(query) => format!("{below}?{query}"),
            None => below.to_owned(),
        };
        // A part of a valid path is a valid path.
        text.parse().unwrap_or(uri)
    }
}

fn closing(status: StatusCode, detail: &str) -> Response<Body> {
    let mut response = problem(status, detail);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The answer where other requests hold all the memory that bodies may have.
fn too_many() -> Response<Body> {
    let mut response = closing(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many large requests at once, try again",
    );
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// An answer as RFC 9457 wants it.
fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let json = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut response = Response::new(Body::from(json.to_string()));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}
