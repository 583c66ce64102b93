//! Incidents: show, acknowledge, snooze, note.

use std::time::Duration;

use nightbeat_domain::SignalKind;
use serde_json::{Value, json};

use crate::support::{Api, each, items};

/// An API with a heartbeat that is down; the path of its incident.
async fn down() -> (Api, Value, String) {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    api.signal(&job, SignalKind::Fail).await;
    let shown = api.get("/heartbeats/job").await.is(200);
    let path = format!("/incidents/{}", shown["incident_id"].as_str().unwrap());
    (api, job, path)
}

#[tokio::test]
async fn an_incident_is_shown_open_and_closed() {
    let (api, job, path) = down().await;
    let open = api.get(&path).await.is(200);
    let mut expected = json!({
        "id": path.trim_start_matches("/incidents/"), "heartbeat_id": job["id"],
        "heartbeat_name": "job", "cause": "failed", "claim": "down", "opened_at": open["opened_at"],
        "closed_at": null, "closing": null, "acknowledged_at": null, "snoozed_until": null,
        "text": open["text"], "notes": [],
    });
    assert_eq!(open, expected);
    assert!(!open["text"].as_str().unwrap().is_empty());
    for (list, found) in [
        ("/incidents", 1),
        ("/incidents?open=true", 1),
        ("/incidents?open=false", 0),
        ("/heartbeats/job/incidents", 1),
    ] {
        let list = api.get(list).await.is(200);
        assert_eq!(items(&list).len(), found, "{list}");
    }
    api.signal(&job, SignalKind::Success).await;
    let closed = api.get(&path).await.is(200);
    assert!(closed["closed_at"].is_string());
    expected["closed_at"] = closed["closed_at"].clone();
    expected["closing"] = json!("success");
    assert_eq!(closed, expected);
    let list = api.get("/incidents?open=false").await.is(200);
    assert_eq!(each(&list, "heartbeat_name"), ["job"]);
}

#[tokio::test]
async fn an_acknowledged_incident_repeats_no_more() {
    let (api, job, path) = down().await;
    api.patch("/heartbeats/job", json!({"repeat_after": 60}))
        .await
        .is(200);
    let wake = async || {
        let id = job["id"].as_str().unwrap().parse().unwrap();
        let watched = api.store.watch_list().await.unwrap();
        let found = watched.iter().find(|one| one.heartbeat == id);
        found.and_then(|one| one.wake_at)
    };
    assert!(wake().await.is_some());
    let acknowledged = api
        .post(&format!("{path}/acknowledge"), Value::Null)
        .await
        .is(200);
    assert!(acknowledged["acknowledged_at"].is_string());
    assert_eq!(wake().await, None);
    let again = api
        .post(&format!("{path}/acknowledge"), Value::Null)
        .await
        .is(200);
    assert_eq!(again, acknowledged);
}

#[tokio::test]
async fn a_snooze_ends_in_the_future() {
    let (api, _, path) = down().await;
    let snooze = format!("{path}/snooze");
    let day = Duration::from_secs(86_400);
    let in_a_day = (api.node.now() + day).timestamp().to_string();
    let snoozed = api.post(&snooze, json!({"until": in_a_day})).await.is(200);
    assert_eq!(snoozed["snoozed_until"], json!(in_a_day));
    let offset = api
        .post(&snooze, json!({"until": "2035-06-01T12:00:00+02:00"}))
        .await;
    assert_eq!(offset.is(200)["snoozed_until"], "2035-06-01T10:00:00Z");
    for until in [
        json!("2001-01-01T00:00:00Z"),
        json!("9999-01-01T00:00:00Z"),
        json!("tomorrow"),
        json!("2035-06-01"),
        json!(1_900_000_000),
        json!(null),
    ] {
        let body = json!({"until": until});
        api.post(&snooze, body).await.refuses(422, Some("until"));
    }
    let detail = api
        .post(&snooze, json!({}))
        .await
        .refuses(422, Some("until"));
    assert_eq!(detail, "until: is missing");
    assert_eq!(
        api.get(&path).await.is(200)["snoozed_until"],
        "2035-06-01T10:00:00Z"
    );
}

#[tokio::test]
async fn a_closed_incident_can_be_neither_acknowledged_nor_snoozed() {
    let (api, job, path) = down().await;
    api.signal(&job, SignalKind::Success).await;
    let before = api.get(&path).await.is(200);
    let acknowledged = api.post(&format!("{path}/acknowledge"), Value::Null).await;
    assert_eq!(acknowledged.refuses(409, None), "this incident is closed");
    let body = json!({"until": "2035-01-01T00:00:00Z"});
    api.post(&format!("{path}/snooze"), body)
        .await
        .refuses(409, None);
    assert_eq!(api.get(&path).await.is(200), before);
    for which in ["nope", "00000000-0000-4000-8000-000000000000"] {
        let path = format!("/incidents/{which}");
        api.get(&path).await.refuses(404, None);
        let path = format!("{path}/acknowledge");
        api.post(&path, Value::Null).await.refuses(404, None);
    }
}

#[tokio::test]
async fn notes_are_told_with_their_incident_open_or_over() {
    let (api, job, path) = down().await;
    let below = format!("{path}/notes");
    let text = "The disk is full.\nAsked for a larger one.";
    let answer = api
        .post(&below, json!({"text": format!("  {text}\r\n")}))
        .await
        .is(201);
    let expected =
        json!({"at": answer["notes"][0]["at"], "by": "API key first read-write key", "text": text});
    assert_eq!(answer["notes"], json!([expected]));
    assert_eq!(answer["acknowledged_at"], Value::Null, "a note is no step");
    api.signal(&job, SignalKind::Success).await;
    let again = api.post(&below, json!({"text": "It is larger."})).await;
    assert_eq!(again.is(201)["notes"].as_array().unwrap().len(), 2);
    for list in ["/incidents", "/heartbeats/job/incidents"] {
        let list = api.get(list).await.is(200);
        let notes = items(&list)[0]["notes"].as_array().unwrap();
        assert_eq!((&notes[0], notes.len()), (&expected, 2));
    }
    let longest = "ä".repeat(2_000);
    api.post(&below, json!({"text": longest})).await.is(201);
    for text in ["", " \n ", "nul \0", &format!("{longest}.")] {
        let refused = api.post(&below, json!({"text": text})).await;
        refused.refuses(422, Some("text"));
    }
    api.post(&below, json!({})).await.refuses(422, Some("text"));
    let nowhere = "/incidents/00000000-0000-4000-8000-000000000000/notes";
    let nowhere = api.post(nowhere, json!({"text": "?"})).await;
    nowhere.refuses(404, None);
    assert_eq!(
        api.get(&path).await.is(200)["notes"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}
