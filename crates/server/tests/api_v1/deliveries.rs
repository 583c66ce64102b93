//! Deliveries: list, show, dismiss.

use nightbeat_domain::SignalKind;
use nightbeat_store::outbox::DeliveryEnding;
use serde_json::{Value, json};

use crate::support::{Api, each, items};

#[tokio::test]
async fn a_delivery_is_shown_from_the_queue_to_its_dismissal() {
    let api = Api::new().await;
    let hook = api.channel("hook").await;
    let job = api.heartbeat("job").await;
    api.signal(&job, SignalKind::Fail).await;
    let list = api.get("/deliveries").await.is(200);
    let [queued] = items(&list).as_slice() else {
        panic!("{list}");
    };
    assert_eq!(
        *queued,
        json!({
            "id": queued["id"], "event": "down", "channel_id": hook["id"], "channel_name": "hook",
            "heartbeat_id": job["id"], "incident_id": queued["incident_id"], "state": "queued",
            "created_at": queued["created_at"], "next_try_at": queued["next_try_at"], "sent_at": null,
            "attempt_count": 0, "last_error": null, "dismissed_at": null,
        })
    );
    let path = format!("/deliveries/{}", queued["id"].as_str().unwrap());
    let dismiss = format!("{path}/dismiss");
    let detail = api.post(&dismiss, Value::Null).await.refuses(409, None);
    assert_eq!(detail, "it is queued, not failing");

    api.deliver(DeliveryEnding::Failed {
        detail: "503 Service Unavailable".to_owned(),
        next_try_at: None,
    })
    .await;
    let failing = api.get(&path).await.is(200);
    assert_eq!(failing["state"], "failing");
    assert_eq!(failing["attempt_count"], 1);
    assert_eq!(failing["last_error"], "503 Service Unavailable");
    let [attempt] = failing["attempts"].as_array().unwrap().as_slice() else {
        panic!("{failing}");
    };
    assert_eq!(
        *attempt,
        json!({"at": attempt["at"], "duration_ms": 12, "ok": false, "detail": "503 Service Unavailable"})
    );
    let health = api.get("/channels/hook").await.is(200)["health"].clone();
    assert_eq!(health["failing"], 1);
    assert_eq!(health["last_error"], "503 Service Unavailable");

    let dismissed = api.post(&dismiss, Value::Null).await.is(200);
    assert!(dismissed["dismissed_at"].is_string());
    assert_eq!(api.post(&dismiss, Value::Null).await.is(200), dismissed);
    let health = api.get("/channels/hook").await.is(200)["health"].clone();
    assert_eq!(
        health,
        json!({"last_sent_at": null, "last_error": null, "failing": 0})
    );
    for which in ["nope", "00000000-0000-4000-8000-000000000000"] {
        let path = format!("/deliveries/{which}");
        api.get(&path).await.refuses(404, None);
        let path = format!("{path}/dismiss");
        api.post(&path, Value::Null).await.refuses(404, None);
    }
}

#[tokio::test]
async fn deliveries_are_found_by_state_heartbeat_and_channel() {
    let api = Api::new().await;
    let one = api.heartbeat("one").await;
    let two = api.heartbeat("two").await;
    let hook = api.channel("hook").await;
    api.signal(&one, SignalKind::Fail).await;
    api.deliver(DeliveryEnding::Sent {
        detail: "200 OK".to_owned(),
    })
    .await;
    let late = api.channel("late").await;
    api.signal(&two, SignalKind::Fail).await;
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    for (query, found) in [
        (String::new(), 3),
        ("?state=sent".to_owned(), 1),
        ("?state=queued".to_owned(), 2),
        ("?state=failing".to_owned(), 0),
        ("?heartbeat=one".to_owned(), 1),
        (format!("?heartbeat={}", id(&two)), 2),
        (format!("?channel={}", id(&hook)), 2),
        ("?channel=late".to_owned(), 1),
        (
            format!("?channel={}&state=queued&heartbeat=two", id(&late)),
            1,
        ),
        ("?heartbeat=one&channel=late".to_owned(), 0),
    ] {
        let list = api.get(&format!("/deliveries{query}")).await.is(200);
        assert_eq!(items(&list).len(), found, "{query}: {list}");
    }
    let sent = api.get("/deliveries?state=sent").await.is(200);
    assert!(items(&sent)[0]["sent_at"].is_string());
    assert_eq!(items(&sent)[0]["next_try_at"], Value::Null);
    // Newest first, and still there when heartbeat and channel are gone.
    api.delete("/heartbeats/one").await.is(204);
    api.delete("/channels/hook").await.is(204);
    let gone = api
        .get(&format!("/deliveries?heartbeat={}", id(&one)))
        .await
        .is(200);
    assert_eq!(items(&gone)[0]["channel_name"], Value::Null);
    let gone = api
        .get(&format!("/deliveries?channel={}", id(&hook)))
        .await
        .is(200);
    assert_eq!(each(&gone, "state"), ["cancelled", "sent"]);
    for name in ["heartbeat", "channel"] {
        let path = format!("/deliveries?{name}=one");
        api.get(&path).await.refuses(404, Some(name));
    }
}
