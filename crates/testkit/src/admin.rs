//! What a person does with the server, through its API.

use std::net::SocketAddr;

use ::http::header::AUTHORIZATION;
use nightbeat_domain::{HeartbeatId, ProjectId, UnixMicros};
use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::wait::until;

/// A person with a read-write key.
#[derive(Debug, Clone)]
pub struct Admin {
    address: SocketAddr,
    api_key: String,
    /// The project.
    pub project: ProjectId,
    /// Opens the project's slug URLs.
    pub ping_key: String,
}

/// A heartbeat, by what its job needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Its id.
    pub id: HeartbeatId,
    /// Its name.
    pub name: String,
    /// Where its job signals.
    pub ping_url: String,
}

impl Heartbeat {
    /// The path of its signals.
    pub fn path(&self) -> String {
        format!("/api/heartbeat/{}", self.id)
    }
}

impl Admin {
    /// From what `nightbeat init --json` printed.
    pub(crate) fn new(address: SocketAddr, made: &str) -> Self {
        let made: Value = serde_json::from_str(made).unwrap();
        Self {
            address,
            api_key: made["api_key"].as_str().unwrap().to_owned(),
            project: made["project_id"].as_str().unwrap().parse().unwrap(),
            ping_key: made["ping_key"].as_str().unwrap().to_owned(),
        }
    }

    /// Their API key.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The same person, at another node of the same database.
    #[must_use]
    pub fn at(&self, node: &crate::Binary) -> Self {
        Self {
            address: node.address(),
            ..self.clone()
        }
    }

    /// Asks the API for anything; the whole answer.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut request = http::request(method, self.address, &format!("/api/v1{path}"), &body);
        let key = format!("Bearer {}", self.api_key).parse().unwrap();
        request.headers_mut().insert(AUTHORIZATION, key);
        let json = "application/json".parse().unwrap();
        request.headers_mut().insert("content-type", json);
        http::send(self.address, request)
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Asks for something that must be given.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, &Value::Null).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        answer.json()
    }

    /// A whole list, page after page.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = None::<String>;
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let after = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
            let page = self
                .get(&format!("{path}{separator}limit=1000{after}"))
                .await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return items,
            }
        }
    }

    async fn create(&self, path: &str, body: &Value) -> Value {
        let answer = self.ask("POST", path, body).await;
        assert_eq!(answer.status, 201, "POST {path} {body}: {}", answer.body);
        answer.json()
    }

    /// Creates a heartbeat with these fields; its name is `name`.
    pub async fn heartbeat(&self, name: &str, mut fields: Value) -> Heartbeat {
        fields["name"] = json!(name);
        let made = self.create("/heartbeats", &fields).await;
        Heartbeat {
            id: made["id"].as_str().unwrap().parse().unwrap(),
            name: name.to_owned(),
            ping_url: made["ping_url"].as_str().unwrap().to_owned(),
        }
    }

    /// Creates a heartbeat that is expected every `every` seconds, with this grace in seconds.
    pub async fn every(&self, name: &str, every: u64, grace: u64) -> Heartbeat {
        let fields = json!({"schedule": {"every": every}, "grace": grace});
        self.heartbeat(name, fields).await
    }

    /// Creates a channel of kind `webhook`; its id.
    pub async fn webhook(&self, name: &str, url: &str) -> String {
        let channel = json!({"name": name, "kind": "webhook", "settings": {"url": url}});
        let made = self.create("/channels", &channel).await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// A heartbeat as the API shows it.
    pub async fn show(&self, heartbeat: &Heartbeat) -> Value {
        self.get(&format!("/heartbeats/{}", heartbeat.id)).await
    }

    /// Its status.
    pub async fn status(&self, heartbeat: &Heartbeat) -> String {
        self.show(heartbeat).await["status"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Waits until it has this status.
    pub async fn until_status(&self, heartbeat: &Heartbeat, status: &str) {
        let what = format!("{} is {status}", heartbeat.name);
        until(&what, async || {
            (self.status(heartbeat).await == status).then_some(())
        })
        .await;
    }

    /// All deliveries about a heartbeat, the oldest first, with their attempts.
    pub async fn deliveries(&self, heartbeat: &Heartbeat) -> Vec<Value> {
        let listed = self
            .list(&format!("/deliveries?heartbeat={}", heartbeat.id))
            .await;
        let mut found = Vec::new();
        for delivery in listed.iter().rev() {
            let id = delivery["id"].as_str().unwrap();
            found.push(self.get(&format!("/deliveries/{id}")).await);
        }
        found
    }

    /// Sends a signal as a job does; the status of the answer.
    pub async fn signal(&self, heartbeat: &Heartbeat) -> u16 {
        self.signal_with(heartbeat, "").await
    }

    /// Sends a signal with something behind its path: `/fail`, `?rid=…`.
    pub async fn signal_with(&self, heartbeat: &Heartbeat, tail: &str) -> u16 {
        let path = heartbeat.path() + tail;
        let answer = http::send(self.address, http::get(self.address, &path)).await;
        answer
            .unwrap_or_else(|error| panic!("{path}: {error}"))
            .status
    }

    /// Whether the server answers anything at all.
    pub async fn is_answered(&self) -> bool {
        let asked = http::send(self.address, http::get(self.address, "/healthz"));
        asked.await.is_ok()
    }

    /// What `/readyz` answers: its status and text.
    pub async fn ready(&self) -> (u16, String) {
        let answer = http::send(self.address, http::get(self.address, "/readyz"));
        let answer = answer.await.unwrap();
        (answer.status, answer.body)
    }
}

/// A time as the API writes it.
#[track_caller]
pub fn instant(text: &Value) -> UnixMicros {
    let text = text
        .as_str()
        .unwrap_or_else(|| panic!("not a time: {text}"));
    let at: jiff::Timestamp = text.parse().unwrap();
    at.into()
}
