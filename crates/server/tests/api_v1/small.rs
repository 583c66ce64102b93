//! The project, maintenance windows, API keys.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Api, PUBLIC_URL, each, items};

#[tokio::test]
async fn the_project_is_shown_and_changed() {
    let api = Api::new().await;
    let shown = api.get("/project").await.is(200);
    assert_eq!(
        shown,
        json!({
            "id": api.ana.project_id, "name": "Ana's", "ping_key": api.ana.ping_key,
            "fallback_channel": null, "created_at": shown["created_at"],
        })
    );
    let hook = api.channel("hook").await["id"].clone();
    let changed = api
        .patch(
            "/project",
            json!({"name": " Zuhause ", "fallback_channel": hook}),
        )
        .await
        .is(200);
    assert_eq!(changed["name"], "Zuhause");
    assert_eq!(changed["fallback_channel"], hook);
    let renamed = api.patch("/project", json!({"name": "Home"})).await.is(200);
    assert_eq!(renamed["fallback_channel"], hook);
    assert_eq!(api.get("/project").await.is(200), renamed);
    let cleared = api
        .patch("/project", json!({"fallback_channel": null}))
        .await;
    assert_eq!(cleared.is(200)["fallback_channel"], Value::Null);
    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": null}), "name"),
        (json!({"name": "x".repeat(101)}), "name"),
        (
            json!({"fallback_channel": api.ana.project_id}),
            "fallback_channel",
        ),
        (json!({"fallback_channel": "hook"}), "fallback_channel"),
        (json!({"ping_key": "mine"}), "ping_key"),
    ] {
        api.patch("/project", body).await.refuses(422, Some(field));
    }
    assert_eq!(api.get("/project").await.is(200)["name"], "Home");
}

#[tokio::test]
async fn a_fallback_channel_that_is_deleted_is_none() {
    let api = Api::new().await;
    let hook = api.channel("hook").await["id"].clone();
    let change = json!({"fallback_channel": hook});
    api.patch("/project", change).await.is(200);
    api.delete("/channels/hook").await.is(204);
    let project = api.get("/project").await.is(200);
    assert_eq!(project["fallback_channel"], Value::Null);
}

#[tokio::test]
async fn maintenance_windows_come_and_go() {
    let api = Api::new().await;
    let time = |seconds: u64| {
        (api.node.now() + Duration::from_secs(seconds))
            .timestamp()
            .to_string()
    };
    let (soon, later, latest) = (time(60), time(3_600), time(7_200));
    let body = json!({"from": soon, "to": later, "note": "new disk 備"});
    let made = api.post("/maintenance", body).await;
    let id = made.is(201)["id"].clone();
    let url = format!("{PUBLIC_URL}/api/v1/maintenance/{}", id.as_str().unwrap());
    assert_eq!(made.header("location"), Some(url.as_str()));
    let window = json!({"id": id, "from": soon, "to": later, "note": "new disk 備"});
    assert_eq!(made.is(201), window);
    let body = json!({"from": "2020-01-01T00:00:00Z", "to": latest});
    let other = api.post("/maintenance", body).await.is(201);
    assert_eq!(other["note"], "");
    let list = api.get("/maintenance").await.is(200);
    assert_eq!(*items(&list), [other, window]);
    for (body, field) in [
        (json!({"from": later, "to": soon}), "to"),
        (json!({"from": soon, "to": soon}), "to"),
        (
            json!({"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}),
            "to",
        ),
        (json!({"from": soon, "to": "9000-01-01T00:00:00Z"}), "to"),
        (json!({"from": soon}), "to"),
        (json!({"to": soon}), "from"),
        (json!({"from": "now", "to": soon}), "from"),
        (
            json!({"from": soon, "to": later, "note": "x".repeat(1_001)}),
            "note",
        ),
        (json!({"from": soon, "to": later, "until": later}), "until"),
    ] {
        api.post("/maintenance", body)
            .await
            .refuses(422, Some(field));
    }
    let path = format!("/maintenance/{}", id.as_str().unwrap());
    api.delete(&path).await.is(204);
    api.delete(&path).await.refuses(404, None);
    api.delete("/maintenance/nope").await.refuses(404, None);
    assert_eq!(items(&api.get("/maintenance").await.is(200)).len(), 1);
}

#[tokio::test]
async fn a_key_is_shown_once_works_and_can_be_deleted() {
    let api = Api::new().await;
    let body = json!({"name": "ci", "scope": "read-only"});
    let made = api.post("/keys", body).await.is(201);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("nb_k_") && key.len() == 49, "{key}");
    assert_eq!(made["last_used_at"], Value::Null);
    let list = api.get("/keys").await;
    assert!(!list.text.contains(key));
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("key");
    assert!(items(&list.is(200)).contains(&shown), "{}", list.text);
    assert_eq!(items(&list.is(200)).len(), 3);

    api.send(key, "GET", "/project", &Value::Null).await.is(200);
    let list = api.get("/keys").await.is(200);
    let used = items(&list).iter().find(|one| one["name"] == "ci").unwrap();
    assert!(used["last_used_at"].is_string(), "{used}");
    let refused = api
        .send(key, "PATCH", "/project", &json!({"name": "x"}))
        .await;
    refused.refuses(403, None);

    let path = format!("/keys/{}", made["id"].as_str().unwrap());
    api.delete(&path).await.is(204);
    let gone = api.send(key, "GET", "/project", &Value::Null).await;
    gone.refuses(401, None);
    api.delete(&path).await.refuses(404, None);
    for (body, field) in [
        (json!({"name": "x"}), "scope"),
        (json!({"scope": "read-only"}), "name"),
        (json!({"name": "x", "scope": "admin"}), "scope"),
        (json!({"name": "x\u{0}", "scope": "read-only"}), "name"),
    ] {
        api.post("/keys", body).await.refuses(422, Some(field));
    }
    assert_eq!(each(&api.get("/keys").await.is(200), "scope").len(), 2);
}
