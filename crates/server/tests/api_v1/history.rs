//! Signals and runs.

use std::time::Duration;

use nightbeat_domain::{IgnoredBecause, Metric, RunId, Signal, SignalKind, UnixMicros};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Api, each, items};

#[tokio::test]
async fn a_signal_is_shown_with_all_that_came_with_it() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    let now = api.node.now();
    let rid = Uuid::from_u128(7);
    let mut start = Signal::new(SignalKind::Start, now);
    start.rid = Some(RunId(rid));
    start.claimed_at = Some(now - Duration::from_secs(600));
    api.record(&job, start, None).await;
    let mut end = Signal::new(SignalKind::Fail, now + Duration::from_secs(1));
    end.rid = Some(RunId(rid));
    end.exit_code = Some(3);
    end.metrics = vec![Metric::new("rows", 12.5).unwrap()];
    let body = b"caf\xe9 \0 \xf0\x9f\x97\x84".to_vec();
    api.record(&job, end, Some(body)).await;
    let mut seen = Signal::new(SignalKind::Success, now + Duration::from_secs(2));
    seen.ignored = Some(IgnoredBecause::Previewer);
    api.record(&job, seen, None).await;

    let list = api.get("/heartbeats/job/signals").await.is(200);
    assert_eq!(each(&list, "kind"), ["success", "fail", "start"]);
    let [ignored, fail, start] = items(&list).as_slice() else {
        panic!("{list}");
    };
    assert_eq!(ignored["ignored"], "previewer");
    assert_eq!(
        *fail,
        json!({
            "id": fail["id"], "kind": "fail", "at": fail["received_at"],
            "received_at": fail["received_at"], "rid": rid.to_string(), "exit_code": 3, "ignored": null,
            "source": "192.0.2.7", "method": "POST", "user_agent": "curl/8", "metrics": {"rows": 12.5},
            "body_bytes": 11, "body_truncated": false, "body": "caf\u{fffd} \0 🗄",
        })
    );
    assert!(start["at"].as_str() < start["received_at"].as_str());
    assert_eq!(start["body"], Value::Null);
    assert_eq!(start["body_bytes"], 0);

    let runs = api.get("/heartbeats/job/runs").await.is(200);
    let [run] = items(&runs).as_slice() else {
        panic!("{runs}");
    };
    assert_eq!(
        *run,
        json!({
            "id": run["id"], "rid": rid.to_string(), "started_at": start["at"],
            "ended_at": fail["at"], "duration": 601.0, "outcome": "failed", "exit_code": 3,
            "metrics": {"rows": 12.5}, "evidence": null, "telltales": [], "why": null, "broken_rules": [],
        })
    );
}

#[tokio::test]
async fn a_cut_body_is_marked() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    let now = api.node.now();
    let id: Uuid = job["id"].as_str().unwrap().parse().unwrap();
    let arrival = nightbeat_store::Arrival {
        target: nightbeat_store::Target::Id(nightbeat_domain::HeartbeatId(id)),
        signal: Signal::new(SignalKind::Log, now),
        nonce: None,
        method: "PUT",
        source: String::new(),
        user_agent: String::new(),
        body: Some(b"head".to_vec()),
        body_bytes: 1_000,
        mail: None,
    };
    let record = nightbeat_store::hot::Record {
        arrivals: vec![arrival],
        gaps: Vec::new(),
        now,
        watermark: now,
    };
    api.store.record(record).await.unwrap();
    let list = api.get("/heartbeats/job/signals").await.is(200);
    let signal = &items(&list)[0];
    assert_eq!(signal["body_truncated"], true);
    assert_eq!(signal["body_bytes"], 1_000);
    assert_eq!(signal["body"], "head");
}

/// 03:30 in Madrid on the nights after 2030-02-01, told by the signals' own times; nothing waits.
fn night(number: u32) -> UnixMicros {
    let first: jiff::Timestamp = "2030-02-02T02:30:00Z".parse().unwrap();
    UnixMicros::from(first) + Duration::from_secs(86_400) * number
}

#[tokio::test]
async fn a_grace_is_suggested_once_five_runs_were_seen() {
    let api = Api::new().await;
    let schedule = json!({"cron": "30 3 * * *", "timezone": "Europe/Madrid"});
    let body = json!({"name": "job", "schedule": schedule, "grace": 5400});
    let job = api.post("/heartbeats", body).await.is(201);
    for (number, minutes) in [12, 41, 20, 15, 30].into_iter().enumerate() {
        let shown = api.get("/heartbeats/job").await.is(200);
        assert_eq!(shown["grace_suggestion"], Value::Null, "night {number}");
        let start = night(number as u32);
        api.record(&job, Signal::new(SignalKind::Start, start), None)
            .await;
        let end = start + Duration::from_secs(60 * minutes) + Duration::from_millis(500);
        api.record(&job, Signal::new(SignalKind::Success, end), None)
            .await;
    }

    let shown = api.get("/heartbeats/job").await.is(200);
    assert_eq!(
        shown["grace_suggestion"],
        json!({
            "grace": 5400, "shortest_run": 720.5, "longest_run": 2460.5, "latest": 2460.5, "runs": 5,
            "text": "runs take 12–41 min; grace 90 min is comfortable",
        })
    );
    let seen_by_others = api.look("/heartbeats/job").await.is(200);
    assert_eq!(
        seen_by_others["grace_suggestion"],
        shown["grace_suggestion"]
    );
    // It follows an edit at once. In lists it is left out: it costs a look at the runs.
    let edited = api.patch("/heartbeats/job", json!({"grace": 1800})).await;
    let suggestion = edited.is(200)["grace_suggestion"].clone();
    assert_eq!(suggestion["grace"], 5400);
    assert_eq!(
        suggestion["text"],
        "runs take 12–41 min; grace 30 min is short, 90 min would be comfortable"
    );
    let list = api.get("/heartbeats").await.is(200);
    assert_eq!(items(&list)[0].get("grace_suggestion"), None);
}
