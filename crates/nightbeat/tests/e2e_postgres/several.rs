//! Pair nodes on one database.

use std::time::Duration;

use nightbeat_testkit::until;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{LONGER_THAN_A_LEASE, Pair, until_unready};

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_at_one_is_known_to_the_other_and_an_alert_is_sent_once() {
    let nodes = Pair::start().await;
    let backup = nodes.admin.every("backup", 2, 1).await;
    assert_eq!(nodes.at_two().signal(&backup).await, 200);
    assert_eq!(nodes.admin.status(&backup).await, "up");
    nodes.receiver.told("down", "backup").await;
    assert_eq!(nodes.admin.signal(&backup).await, 200);
    nodes.receiver.told("up", "backup").await;
    assert_eq!(nodes.at_two().status(&backup).await, "up");
    nodes.receiver.told("down", "backup").await;
    let deliveries = nodes.admin.deliveries(&backup).await;
    for delivery in &deliveries {
        let attempts = delivery["attempts"].as_array().unwrap();
        assert!(attempts.len() <= 1, "{delivery}");
    }
    // Nobody was told anything twice.
    let mut keys: Vec<_> = nodes.receiver.received();
    let all = keys.len();
    keys.sort_by_key(|one| one.key().to_owned());
    keys.dedup_by_key(|one| one.key().to_owned());
    assert_eq!(keys.len(), all);
    assert_eq!(nodes.gaps(), 0);
}

/// The node that dies is the one that was told of the heartbeat, and of an edit that made it due earlier.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_node_would_have_sent_the_other_one_sends() {
    let mut nodes = Pair::start().await;
    let backup = nodes.admin.every("backup", 86_400, 3_600).await;
    assert_eq!(nodes.admin.signal(&backup).await, 200);
    let edit = json!({"schedule": {"every": 1}, "grace": 1});
    let path = format!("/heartbeats/{}", backup.id);
    let edited = nodes.admin.ask("PATCH", &path, &edit).await;
    assert_eq!(edited.status, 200, "{}", edited.body);
    nodes.one.kill();
    let died = Instant::now();
    // It could not receive for some seconds, so that it is not sure which.
    let told = nodes
        .receiver
        .until("it is told", |all| all.iter().any(|it| it.tells("backup")))
        .await;
    println!(
        "told as {} {:.1} s after the node died",
        told[0].event(),
        died.elapsed().as_secs_f64()
    );
    nodes.two.until_ready().await;
    assert_eq!(nodes.at_two().signal(&backup).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_held_still_is_fenced_joins_again_and_claims_nothing() {
    let mut nodes = Pair::start().await;
    let backup = nodes.admin.every("backup", 8, 6).await;
    let far = nodes.at_two();
    assert_eq!(nodes.admin.signal(&backup).await, 200);
    nodes.one.pause();
    // The job goes on signalling, to whoever takes it.
    let end = Instant::now() + LONGER_THAN_A_LEASE;
    while Instant::now() < end {
        assert_eq!(far.signal(&backup).await, 200);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    nodes.one.resume();
    let first = nodes.admin.signal(&backup).await;
    assert_eq!(first, 503, "its lease is over");
    until_unready(&nodes.admin).await;
    nodes.one.until_ready().await;
    assert!(nodes.one.log().contains("taken for lost"));
    assert_eq!(nodes.admin.signal(&backup).await, 200);
    assert_eq!(far.status(&backup).await, "up");
    let told = nodes.receiver.received();
    assert!(told.is_empty(), "{told:?}");
    assert_ne!(nodes.gaps(), 0, "what it took is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_stop_leaves_no_gap() {
    let mut nodes = Pair::start().await;
    let backup = nodes.admin.every("backup", 86_400, 3_600).await;
    assert_eq!(nodes.admin.signal(&backup).await, 200);
    assert!(nodes.one.terminate().await.success(), "{}", nodes.one.log());
    assert_eq!(nodes.at_two().signal(&backup).await, 200);
    assert_eq!(nodes.database.count_where("node", "gone = 1"), 1);
    nodes.one.restart().await;
    assert_eq!(nodes.admin.signal(&backup).await, 200);
    assert_eq!(nodes.gaps(), 0);
    // It is the same node as before.
    assert_eq!(nodes.database.count("node"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_is_told_the_other_one_shows() {
    let nodes = Pair::start().await;
    let far = nodes.at_two();
    let backup = far.every("backup", 1, 1).await;
    assert_eq!(nodes.admin.signal(&backup).await, 200);
    nodes.receiver.told("down", "backup").await;
    until("both say so", async || {
        let statuses = [nodes.admin.status(&backup).await, far.status(&backup).await];
        (statuses == ["down", "down"]).then_some(())
    })
    .await;
}
