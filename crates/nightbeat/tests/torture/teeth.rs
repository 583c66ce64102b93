//! The checker, asked about stories in which a promise is broken: it has to say so.

use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_testkit::{Heartbeat, Received};
use serde_json::json;

use crate::checker::{Evidence, check};
use crate::clients::{Job, Life, Said};
use crate::world::Gap;

/// 2026-11-22T03:00:00Z: the one job, of 20 s and 10 s of grace, signals then and after 20 s, and is dead.
const BEGIN: i64 = 1_795_316_400;

#[test]
fn a_story_in_which_all_is_well_is_believed() {
    breaks(&story(), 0);
    let mut again = story();
    again.received.push(again.received[0].clone());
    breaks(&again, 0);
    let mut unsure = story();
    unsure.received = vec![alarm("unverified", 51, "a")];
    unsure.gaps = vec![Gap {
        from: (BEGIN + 30) * 1_000_000,
        to: (BEGIN + 31) * 1_000_000,
    }];
    breaks(&unsure, 0);
}

#[test]
fn a_signal_that_is_lost_doubled_or_from_nowhere_is_noticed() {
    let mut lost = story();
    lost.marks.pop();
    breaks(&lost, 1);
    let mut doubled = story();
    doubled.marks[1].1 = 2;
    // With its nonce, and after one try.
    breaks(&doubled, 2);
    let mut foreign = story();
    foreign.marks.push(("9-9".to_owned(), 1));
    breaks(&foreign, 1);
}

#[test]
fn an_alert_that_never_came_or_too_late_is_noticed() {
    let mut never = story();
    never.received.clear();
    breaks(&never, 1);
    let mut late = story();
    late.received[0].at = seconds(400);
    late.ends_at = seconds(500);
    breaks(&late, 1);
}

#[test]
fn a_false_alert_is_noticed() {
    let mut early = story();
    early.received = vec![alarm("down", 45, "a")];
    breaks(&early, 1);
    let mut refused = early;
    refused.lives[0].said[1].answered_at = Some(seconds(46));
    refused.lives[0].said[1].sent_at = seconds(46);
    refused.received.push(alarm("down", 77, "b"));
    breaks(&refused, 1);
    let mut unfounded = story();
    unfounded.received = vec![alarm("unverified", 51, "a")];
    breaks(&unfounded, 1);
}

#[test]
fn a_repetition_under_another_key_and_two_messages_under_one_are_noticed() {
    let mut other_key = story();
    let mut again = alarm("down", 51, "a");
    again.headers = vec!["idempotency-key: another".to_owned()];
    other_key.received.push(again);
    breaks(&other_key, 1);
    let mut one_key = story();
    let mut other = alarm("down", 51, "b");
    other.headers = vec!["idempotency-key: a".to_owned()];
    one_key.received.push(other);
    breaks(&one_key, 1);
}

#[track_caller]
fn breaks(evidence: &Evidence, times: usize) {
    let verdict = check(evidence);
    assert_eq!(verdict.broken.len(), times, "{:#?}", verdict.broken);
}

fn seconds(after: i64) -> UnixMicros {
    UnixMicros::from_seconds(BEGIN + after)
}

fn story() -> Evidence {
    let job = Job {
        number: 0,
        heartbeat: Heartbeat {
            id: "4c1e8f9a-0000-4000-8000-000000000000".parse().unwrap(),
            name: "job 0".to_owned(),
            ping_url: String::new(),
        },
        interval: Duration::from_secs(20),
        grace: Duration::from_secs(10),
        dies: Some(Duration::from_secs(21)),
        nonce: true,
    };
    let said = |number: i64| Said {
        mark: format!("0-{number}"),
        tried_at: seconds(20 * number),
        sent_at: seconds(20 * number),
        answered_at: Some(seconds(20 * number + 1)),
        tries: 1,
    };
    Evidence {
        lives: vec![Life {
            job,
            said: vec![said(0), said(1)],
        }],
        received: vec![alarm("down", 51, "a")],
        gaps: Vec::new(),
        marks: vec![("0-0".to_owned(), 1), ("0-1".to_owned(), 1)],
        quiet_since: seconds(30),
        ends_at: seconds(300),
    }
}

/// Told at the moment at which it was decided; the incident has the name of the key.
fn alarm(status: &str, after: i64, key: &str) -> Received {
    let opened_at = jiff::Timestamp::from_second(BEGIN + after).unwrap();
    Received {
        at: seconds(after),
        line: "POST / HTTP/1.1".to_owned(),
        headers: vec![format!("idempotency-key: {key}")],
        body: json!({
            "event": "down",
            "heartbeat": {"name": "job 0", "status": status},
            "incident": {"id": key, "opened_at": opened_at.to_string()},
        }),
    }
}
