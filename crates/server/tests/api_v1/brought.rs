//! What a heartbeat brings along when it moves here, what it would be, and what a channel would be.

use nightbeat_domain::SignalKind;
use serde_json::{Value, json};

use crate::support::{Api, items};

const ID: &str = "4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b";

#[tokio::test]
async fn a_heartbeat_brings_its_id_along() {
    let api = Api::new().await;
    let body = json!({"name": "job", "id": ID.to_uppercase(), "paused": true});
    let made = api.post("/heartbeats", body).await.is(201);
    assert_eq!(made["id"], ID);
    assert_eq!(made["status"], "paused");
    assert!(made["ping_url"].as_str().unwrap().ends_with(ID));
    assert_eq!(made["expected_at"], Value::Null);
    let resumed = api.post("/heartbeats/job/resume", Value::Null).await;
    assert_eq!(resumed.is(200)["status"], "new");
    let new = json!({"name": "job", "paused": false});
    let new = api.post("/heartbeats", new).await.is(201);
    assert_eq!(new["status"], "new");
}

#[tokio::test]
async fn an_id_is_nobodys_twice_and_nobody_is_told_whose_it_is() {
    let api = Api::new().await;
    let body = json!({"name": "anas", "id": ID});
    api.post("/heartbeats", body.clone()).await.is(201);
    let own = api.post("/heartbeats", body.clone()).await;
    let bens = api
        .send(&api.ben.api_key, "POST", "/heartbeats", &body)
        .await;
    let own = own.refuses(409, Some("id"));
    assert_eq!(own, "id: a heartbeat with this id exists already");
    assert_eq!(bens.refuses(409, Some("id")), own);
    let list = api.send(&api.ben.api_key, "GET", "/heartbeats", &Value::Null);
    assert!(items(&list.await.is(200)).is_empty());
    // It did not become Ben's, either.
    assert_eq!(
        api.get(&format!("/heartbeats/{ID}")).await.is(200)["name"],
        "anas"
    );
}

#[tokio::test]
async fn an_id_that_could_be_guessed_is_refused() {
    let api = Api::new().await;
    for id in [
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-1000-8000-000000000001",
        "c4a760a8-dbcf-5254-a0d9-6a4474bd1b62",
    ] {
        let body = json!({"name": "job", "id": id});
        let refused = api.post("/heartbeats", body).await.refuses(422, Some("id"));
        assert!(refused.contains("version 4"), "{refused}");
    }
    for id in [json!("job"), json!(7), Value::Null] {
        let body = json!({"name": "job", "id": id});
        api.post("/heartbeats", body).await.refuses(422, Some("id"));
    }
}

#[tokio::test]
async fn what_a_heartbeat_brings_along_does_not_change() {
    let api = Api::new().await;
    api.heartbeat("job").await;
    let id = api.patch("/heartbeats/job", json!({"id": ID})).await;
    assert!(id.refuses(422, Some("id")).contains("does not change"));
    let paused = api.patch("/heartbeats/job", json!({"paused": true})).await;
    assert!(paused.refuses(422, Some("paused")).contains("/pause"));
}

#[tokio::test]
async fn who_was_deleted_may_come_back_to_any_project_and_brings_no_history() {
    let api = Api::new().await;
    let body = json!({"name": "job", "id": ID});
    let job = api.post("/heartbeats", body.clone()).await.is(201);
    api.signal(&job, SignalKind::Fail).await;
    api.delete("/heartbeats/job").await.is(204);
    let key = &api.ben.api_key;
    let bens = api.send(key, "POST", "/heartbeats", &body).await.is(201);
    assert_eq!(
        (&bens["status"], &bens["last_signal_at"]),
        (&json!("new"), &Value::Null)
    );
    api.signal(&bens, SignalKind::Fail).await;
    // Each sees their own incident, and signals are those of the new life.
    let list = async |key: &str, path: &str| {
        let answer = api.send(key, "GET", path, &Value::Null).await.is(200);
        items(&answer).clone()
    };
    let (anas, bens) = (
        list(&api.ana.api_key, "/incidents").await,
        list(key, "/incidents").await,
    );
    assert_eq!((anas.len(), bens.len()), (1, 1));
    assert_ne!(anas[0]["id"], bens[0]["id"]);
    assert_eq!(list(key, "/heartbeats/job/signals").await.len(), 1);
    assert_eq!(list(key, "/heartbeats/job/incidents").await.len(), 1);
}

#[tokio::test]
async fn what_may_be_set_is_what_the_api_shows_when_it_is_set() {
    let api = Api::new().await;
    for fields in [
        json!({"name": "usual"}),
        json!({
            "name": " all ", "slug": "all", "description": "two\nlines", "tags": ["a", "a", " b"],
            "schedule": {"cron": "0  3 * * *", "timezone": "Europe/Madrid"}, "grace": 5400, "max_run_time": 7200,
            "failure_threshold": 2, "recovery_threshold": 3, "warning_codes": [3, 3], "manual_resume": true,
            "remind_never_started": false, "repeat_after": 86400, "post_only": true,
            "rules": ["files_total>0"], "channels": [],
            "keywords": {"success": ["done"], "in": ["mail_body", "body"], "otherwise": "fail"}
        }),
    ] {
        let settable = nightbeat_server::api::settable(fields.clone()).unwrap();
        let shown = api.post("/heartbeats", fields).await.is(201);
        for (name, value) in &settable {
            if name != "slug" || value != "" {
                assert_eq!(shown[name], *value, "{name}");
            }
        }
    }
    // And it is all of it: what is not among it is nothing that a PATCH takes.
    let document = api.raw("GET", "/openapi.json", &[], "").await.is(200);
    let edit = &document["components"]["schemas"]["HeartbeatEdit"]["properties"];
    let settable = nightbeat_server::api::settable(json!({"name": "x"})).unwrap();
    let settable: Vec<&String> = settable.keys().collect();
    let edit: Vec<&String> = edit.as_object().unwrap().keys().collect();
    assert_eq!(settable, edit);
}

#[tokio::test]
async fn what_may_not_be_set_is_told_with_its_field() {
    let refused = |fields| nightbeat_server::api::settable(fields).unwrap_err();
    assert_eq!(
        refused(json!({"name": "x", "grace": 0})).field.as_deref(),
        Some("grace")
    );
    let rule = refused(json!({"name": "x", "rules": ["fils_total > 0"]}));
    assert_eq!(rule.field.as_deref(), Some("rules"));
    assert!(!rule.problem.starts_with("rules"), "{}", rule.problem);
    assert_eq!(refused(json!({})).field.as_deref(), Some("name"));
    assert!(
        refused(json!({"name": "x", "grase": 1}))
            .problem
            .contains("grace")
    );
}

async fn tried(api: &Api, body: Value) -> Value {
    let answer = api.post("/channel-kinds/preview", body).await;
    answer.is(200)["changes"].clone()
}

#[tokio::test]
async fn a_channel_is_tried_without_being_made() {
    let api = Api::new().await;
    let settings = json!({"topic": "beats", "token": "tk_1"});
    let body = json!({"kind": "ntfy", "settings": settings});
    assert_eq!(tried(&api, body).await, json!(["server", "token", "topic"]));
    assert!(items(&api.get("/channels").await.is(200)).is_empty());
    let body = json!({"kind": "ntfy", "settings": {"topic": "beats", "tokn": "x"}});
    let refused = api.post("/channel-kinds/preview", body).await;
    refused.refuses(422, Some("settings.tokn"));
    let body = json!({"kind": "ntfi"});
    api.post("/channel-kinds/preview", body)
        .await
        .refuses(422, Some("kind"));
}

#[tokio::test]
async fn a_change_of_a_channel_is_tried_against_its_secrets() {
    let api = Api::new().await;
    let hook = api.channel("hook").await;
    let same = json!({"channel": "hook", "kind": "webhook", "settings":
        {"url": "http://127.0.0.1:9/", "headers": "Authorization: Bearer s3cret"}});
    assert_eq!(tried(&api, same).await, json!([]));
    let other = json!({"channel": hook["id"], "kind": "webhook", "settings":
        {"headers": "Authorization: Bearer 0ther", "method": "PUT", "body": null}});
    assert_eq!(tried(&api, other).await, json!(["headers", "method"]));
    let cleared = json!({"channel": "hook", "kind": "webhook", "settings": {"headers": null}});
    assert_eq!(tried(&api, cleared).await, json!(["headers"]));
    let another_kind = json!({"channel": "hook", "kind": "ntfy", "settings": {"topic": "x"}});
    let refused = api.post("/channel-kinds/preview", another_kind).await;
    refused.refuses(422, Some("kind"));
    // Nothing of it happened.
    assert_eq!(
        api.get("/channels/hook").await.is(200)["settings"],
        hook["settings"]
    );
    let strangers = json!({"channel": hook["id"], "kind": "webhook"});
    let key = &api.ben.api_key;
    let strangers = api.send(key, "POST", "/channel-kinds/preview", &strangers);
    strangers.await.refuses(404, None);
}
