//! Signals and runs.

use std::time::Duration;

use nightbeat_domain::{IgnoredBecause, Metric, RunId, Signal, SignalKind};
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
