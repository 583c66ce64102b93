//! The API of a server with two projects, Ana's and Ben's, and a client that holds each answer to the rules
//! that all answers keep.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use nightbeat_domain::{HeartbeatId, Signal, SignalKind, UnixMicros};
use nightbeat_notify::{Catalogue, Notifier, Outgoing};
use nightbeat_server::accounts::{self, Init, Initialised};
use nightbeat_server::api::{self, ApiState};
use nightbeat_server::clock::Clock;
use nightbeat_server::config::Roles;
use nightbeat_server::http::{Shutdown, ShutdownSwitch};
use nightbeat_server::metrics::Metrics;
use nightbeat_server::node::{Node, NodeHandle, Parts};
use nightbeat_store::hot::Record;
use nightbeat_store::outbox::{Claim, DeliveryEnding, FinishedDelivery};
use nightbeat_store::{Arrival, Opener, Recorded, Store, Target};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use uuid::Uuid;

pub(crate) const PUBLIC_URL: &str = "https://beats.example.org/nb";

pub(crate) struct Api {
    pub(crate) store: Store,
    pub(crate) node: NodeHandle,
    pub(crate) ana: Initialised,
    pub(crate) ben: Initialised,
    router: Router,
    waiting: Option<Node>,
    running: Option<ShutdownSwitch>,
    folder: TempDir,
}

impl Api {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("beats.db");
        let store = Store::open_sqlite(&path, Opener::Server).unwrap().store;
        let catalogue = Arc::new(Catalogue::load(None).unwrap());
        let outgoing = Outgoing {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            ..Outgoing::default()
        };
        let notifier = Notifier::new(Arc::clone(&catalogue), outgoing, None).unwrap();
        let notifier = Arc::new(notifier);
        let (node, handle) = Node::new(Parts {
            store: store.clone(),
            alive_until: None,
            identity: None,
            roles: Roles::ALL,
            catalogue: Arc::clone(&catalogue),
            notifier: Arc::clone(&notifier),
            public_url: PUBLIC_URL.into(),
            clock: Clock::default(),
            metrics: Arc::new(Metrics::default()),
            inbox_signals_max: 100,
            signals_per_second: None,
        });
        let state = ApiState::new(
            store.clone(),
            handle.clone(),
            catalogue,
            notifier,
            PUBLIC_URL.into(),
        );
        let now = handle.now();
        Self {
            ana: project(&store, "ana@example.org", "Ana's", now).await,
            ben: project(&store, "ben@example.org", "Ben's", now).await,
            router: Router::new().nest("/api/v1", api::router(state)),
            store,
            node: handle,
            waiting: Some(node),
            running: None,
            folder,
        }
    }

    /// Starts the node; most tests say themselves what happens.
    pub(crate) fn run_node(&mut self) {
        let (switch, shutdown) = Shutdown::new();
        let node = self.waiting.take().unwrap();
        tokio::spawn(async move { node.run(shutdown).await.unwrap() });
        self.running = Some(switch);
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("beats.db")
    }

    /// Sends a request with exactly these headers and this body.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            what: format!("{method} {path}"),
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        };
        answer.hold_to_the_rules();
        answer
    }

    /// Sends JSON with a key.
    pub(crate) async fn send(&self, key: &str, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.raw(method, path, &[("x-api-key", key)], body).await
    }

    /// `GET` with Ana's key.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&self.ana.api_key, "GET", path, &Value::Null)
            .await
    }

    /// `GET` with Ana's read-only key.
    pub(crate) async fn look(&self, path: &str) -> Answer {
        self.send(&self.ana.read_only_key, "GET", path, &Value::Null)
            .await
    }

    /// `POST` with Ana's key.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(&self.ana.api_key, "POST", path, &body).await
    }

    /// `PATCH` with Ana's key.
    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(&self.ana.api_key, "PATCH", path, &body).await
    }

    /// `DELETE` with Ana's key.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(&self.ana.api_key, "DELETE", path, &Value::Null)
            .await
    }

    /// A heartbeat of Ana's; its JSON.
    pub(crate) async fn heartbeat(&self, name: &str) -> Value {
        let created = self.post("/heartbeats", json!({"name": name})).await;
        created.is(201)
    }

    /// A webhook of Ana's; its JSON.
    pub(crate) async fn channel(&self, name: &str) -> Value {
        let settings =
            json!({"url": "http://127.0.0.1:9/", "headers": "Authorization: Bearer s3cret"});
        let body = json!({"name": name, "kind": "webhook", "settings": settings});
        self.post("/channels", body).await.is(201)
    }

    /// Records a signal to a heartbeat.
    pub(crate) async fn signal(&self, heartbeat: &Value, kind: SignalKind) {
        self.record(heartbeat, Signal::new(kind, self.node.now()), None)
            .await;
    }

    /// Records a signal with all that it may bring.
    pub(crate) async fn record(&self, heartbeat: &Value, signal: Signal, body: Option<Vec<u8>>) {
        let id: Uuid = heartbeat["id"].as_str().unwrap().parse().unwrap();
        let arrival = Arrival {
            target: Target::Id(HeartbeatId(id)),
            nonce: None,
            method: "POST",
            source: "192.0.2.7".to_owned(),
            user_agent: "curl/8".to_owned(),
            body_bytes: body.as_ref().map_or(0, |body| body.len() as u64),
            mail: None,
            body,
            signal,
        };
        let now = arrival.signal.received_at;
        let done = self.store.record(Record {
            arrivals: vec![arrival],
            gaps: Vec::new(),
            now,
            watermark: now,
        });
        assert!(!matches!(
            done.await.unwrap().recorded[0],
            Recorded::Unknown
        ));
    }

    /// Tries every delivery that is due once; each ends like this.
    pub(crate) async fn deliver(&self, ending: DeliveryEnding) {
        let now = self.node.now();
        let claim = Claim {
            now,
            lease_until: now + Duration::from_secs(60),
            per_channel: 100,
            skip: Vec::new(),
            digest_kinds: Vec::new(),
        };
        let claimed = self.store.claim(claim).await.unwrap();
        let finished = claimed.iter().map(|delivery| FinishedDelivery {
            number: delivery.number,
            claim: delivery.claim,
            began_at: now,
            took: Duration::from_millis(12),
            ending: ending.clone(),
        });
        self.store.finish(finished.collect()).await.unwrap();
    }
}

async fn project(store: &Store, email: &str, name: &str, now: UnixMicros) -> Initialised {
    let init = Init {
        email: email.to_owned(),
        password: None,
        project: name.to_owned(),
    };
    accounts::create(store, init, false, now).await.unwrap()
}

/// An answer of the API.
pub(crate) struct Answer {
    pub(crate) what: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The JSON of an answer with this status.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).unwrap()
    }

    /// A problem with this status and field; its detail.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, field: Option<&str>) -> String {
        let problem = self.is(status);
        assert_eq!(problem["field"].as_str(), field, "{}: {problem}", self.what);
        problem["detail"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    /// What holds for every answer.
    fn hold_to_the_rules(&self) {
        let what = format!("{}: {} {}", self.what, self.status, self.text);
        assert_ne!(self.status, 500, "{what}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{what}");
        let open = self.header("access-control-allow-origin");
        assert_eq!(open, None, "{what}");
        let media_type = self.header("content-type");
        match self.status {
            204 => assert!(self.text.is_empty(), "{what}"),
            200..300 => assert_eq!(media_type, Some("application/json"), "{what}"),
            _ => {
                assert_eq!(media_type, Some("application/problem+json"), "{what}");
                if self.what.starts_with("HEAD") {
                    return;
                }
                let problem: Value = serde_json::from_str(&self.text).unwrap();
                assert_eq!(problem["type"], "about:blank", "{what}");
                assert_eq!(problem["status"], self.status, "{what}");
                let detail = problem["detail"].as_str().unwrap();
                assert!((5..=500).contains(&detail.chars().count()), "{what}");
                assert!(problem["title"].is_string(), "{what}");
            }
        }
    }
}

/// An answer that names no field, and the items of a list.
pub(crate) fn items(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap()
}

/// The values of one field of the items of a list.
pub(crate) fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let text = |item: &'a Value| item[field].as_str().unwrap();
    items(list).iter().map(text).collect()
}
