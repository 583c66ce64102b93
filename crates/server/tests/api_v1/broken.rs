//! A heartbeat that the server cannot read: it is shown, hides no other, and can be mended.

use nightbeat_domain::{HeartbeatId, Signal, SignalKind};
use nightbeat_store::damage::{Damage, damage};
use serde_json::{Value, json};

use crate::support::{Api, items};

/// Breaks a row of the heartbeat that the API answered with.
async fn breaks(api: &Api, heartbeat: &Value, what: Damage) {
    let id = HeartbeatId(heartbeat["id"].as_str().unwrap().parse().unwrap());
    damage(&api.store, id, what).await.unwrap();
}

/// A job whose schedule is none that this version takes.
async fn with_a_broken_schedule() -> (Api, Value) {
    let api = Api::new().await;
    let cron = json!({"cron": "30 3 * * *", "timezone": "UTC"});
    let body = json!({"name": "ill", "schedule": cron, "grace": 1234});
    let ill = api.post("/heartbeats", body).await.is(201);
    breaks(&api, &ill, Damage::Schedule).await;
    (api, ill)
}

#[tokio::test]
async fn one_broken_row_hides_no_other() {
    let (api, ill) = with_a_broken_schedule().await;
    let well = api.heartbeat("well").await;
    breaks(&api, &well, Damage::Tags).await;
    let list = api.get("/heartbeats").await.is(200);
    let shown = items(&list);
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0]["status"], "unverified");
    assert_eq!(shown[0]["id"], ill["id"]);
    assert_eq!(shown[0]["deadline"], Value::Null);
    let problem = shown[0]["problem"].as_str().unwrap();
    assert!(problem.contains("table settings, column json"), "{problem}");
    assert_eq!(shown[1]["status"], "new", "its job is watched all the same");
    let problem = shown[1]["problem"].as_str().unwrap();
    assert!(
        problem.contains("table heartbeat, column tags"),
        "{problem}"
    );
    assert_eq!(
        api.get("/heartbeats/ill").await.is(200)["problem"],
        shown[0]["problem"]
    );
    assert_eq!(items(&api.look("/heartbeats").await.is(200)).len(), 2);

    let mended = api
        .patch("/heartbeats/well", json!({"tags": ["a"]}))
        .await
        .is(200);
    assert_eq!(
        (&mended["problem"], &mended["tags"]),
        (&Value::Null, &json!(["a"]))
    );
}

#[tokio::test]
async fn an_edit_that_names_the_schedule_mends_it() {
    let (api, _) = with_a_broken_schedule().await;
    api.patch("/heartbeats/ill", json!({"grace": 60}))
        .await
        .refuses(422, Some("schedule"));
    api.post("/heartbeats/ill/pause", Value::Null)
        .await
        .refuses(409, None);
    let body = json!({"schedule": {"every": 3600}});
    let mended = api.patch("/heartbeats/ill", body).await.is(200);
    assert_eq!(
        (&mended["problem"], &mended["status"]),
        (&Value::Null, &json!("new"))
    );
    assert_eq!(
        (&mended["schedule"]["every"], &mended["grace"]),
        (&json!(3600), &json!(3600))
    );
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_mended_by_any_edit() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    breaks(&api, &job, Damage::State).await;
    let shown = api.get("/heartbeats/job").await.is(200);
    assert_eq!(shown["status"], "unverified");
    let mended = api
        .patch("/heartbeats/job", json!({"name": "task"}))
        .await
        .is(200);
    assert_eq!(
        (&mended["problem"], &mended["status"]),
        (&Value::Null, &json!("up"))
    );
    assert!(mended["expected_at"].is_string());
}

#[tokio::test]
async fn its_incident_can_be_seen_and_snoozed_and_closes_by_itself() {
    let (mut api, ill) = with_a_broken_schedule().await;
    api.channel("hook").await;
    api.record(&ill, Signal::new(SignalKind::Success, api.node.now()), None)
        .await;
    let open = api.get("/incidents?open=true").await.is(200);
    let incident = &items(&open)[0];
    assert_eq!(
        (&incident["cause"], &incident["claim"]),
        (&json!("internal"), &json!("unverified"))
    );
    let text = incident["text"].as_str().unwrap();
    assert!(
        text.starts_with("Nightbeat cannot read what it stored about this heartbeat"),
        "{text}"
    );
    let path = format!("/incidents/{}", incident["id"].as_str().unwrap());
    let seen = api
        .post(&format!("{path}/acknowledge"), Value::Null)
        .await
        .is(200);
    assert!(seen["acknowledged_at"].is_string());
    let until = json!({"until": "2100-01-01T00:00:00Z"});
    let far = api.post(&format!("{path}/snooze"), until).await;
    far.refuses(422, Some("until"));

    let body = json!({"schedule": {"every": 3600}});
    api.patch("/heartbeats/ill", body).await.is(200);
    // The node is told, looks at once, and finds that it can read it again.
    api.run_node();
    let closed = async {
        loop {
            let incident = api.get(&path).await.is(200);
            if incident["closed_at"].is_string() {
                return incident;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let soon = std::time::Duration::from_secs(30);
    let closed = tokio::time::timeout(soon, closed).await.unwrap();
    assert_eq!(closed["closing"], "readable");
}
