//! What people change, the node hears of at once: not only at its next look over everything, a minute later.

use std::time::Duration;

use nightbeat_domain::SignalKind;
use serde_json::{Value, json};

use crate::support::{Api, items};

/// Much less than the node's own look over everything.
const SOON: Duration = Duration::from_secs(30);

/// Waits until a list has an item.
async fn first_of(api: &Api, path: &str) -> Value {
    let waiting = async {
        loop {
            let list = api.get(path).await.is(200);
            if let Some(item) = items(&list).first() {
                return item.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(SOON, waiting).await;
    found.unwrap_or_else(|_| panic!("{path}: nothing came; was the node not told?"))
}

#[tokio::test]
async fn the_node_hears_of_an_edit() {
    let mut api = Api::new().await;
    api.run_node();
    let job = api.heartbeat("job").await;
    api.signal(&job, SignalKind::Success).await;
    let change = json!({"schedule": {"every": 1}, "grace": 1});
    api.patch("/heartbeats/job", change).await.is(200);
    let incident = first_of(&api, "/incidents").await;
    assert_eq!(incident["cause"], "missed");
}

#[tokio::test]
async fn the_node_hears_of_a_new_heartbeat() {
    let mut api = Api::new().await;
    api.run_node();
    let me = json!({"name": "me", "kind": "email", "settings": {"to": "me@example.org"}});
    api.post("/channels", me).await.is(201);
    let body = json!({"name": "job", "schedule": {"every": 1}, "grace": 1});
    api.post("/heartbeats", body).await.is(201);
    // A job from which no signal ever came is told of once.
    let delivery = first_of(&api, "/deliveries").await;
    assert_eq!(delivery["event"], "reminder");
}
