//! A disk that is full: signals are refused clearly, nothing that was acknowledged is lost, and what could not
//! be seen is not called a failure of the job.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_testkit::{Binary, Heartbeat, Receiver, Setup, SmallDisk, http, is_root, until};
use serde_json::json;

/// 2026-11-22T03:00:00Z.
const NIGHT: UnixMicros = UnixMicros::from_seconds(1_795_316_400);

/// A signal whose body needs pages of its own, so that a full disk shows at once.
async fn signal(server: &Binary, heartbeat: &Heartbeat) -> http::Answer {
    let body = "x".repeat(20_000);
    let request = http::request("POST", server.address(), &heartbeat.path(), &body);
    http::send(server.address(), request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_signals_and_recovers_without_a_restart() {
    if !is_root() {
        return;
    }
    let disk = SmallDisk::mount(16 * 1024);
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat"))
        .database_in(disk.path())
        .clock_at(NIGHT);
    let admin = setup.init();
    let server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let backup = admin.every("backup", 60, 20).await;
    let nudge = admin.every("nudge", 86_400, 3_600).await;
    let mut acknowledged = 0;
    for _ in 0..5 {
        assert_eq!(signal(&server, &backup).await.status, 200);
        acknowledged += 1;
    }

    disk.fill();
    // What is allocated already may take a few more.
    let refused = until("a signal is refused", async || {
        let answer = signal(&server, &backup).await;
        if answer.status == 200 {
            acknowledged += 1;
        }
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.headers.contains_key("retry-after"));
    server.logged("the database cannot store").await;
    let (status, why) = admin.ready().await;
    assert_eq!(status, 503);
    assert!(why.contains("the database cannot store"), "{why}");

    // Its deadline passes while nothing can be stored.
    server.pass(Duration::from_secs(120), &nudge).await;
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());

    disk.free();
    until("signals are stored again", async || {
        (signal(&server, &nudge).await.status == 200).then_some(())
    })
    .await;
    until("it is ready again", async || {
        (admin.ready().await.0 == 200).then_some(())
    })
    .await;
    server.logged("storing works again").await;

    // The job has a minute to try again; then we say that we are not sure.
    server.pass(Duration::from_secs(55), &nudge).await;
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());
    server.pass(Duration::from_secs(9), &nudge).await;
    receiver.until("it is told", |all| !all.is_empty()).await;
    assert_eq!(admin.status(&backup).await, "unverified");
    let incidents = admin
        .list(&format!("/heartbeats/{}/incidents", backup.id))
        .await;
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0]["claim"], json!("unverified"));

    let recorded = admin
        .list(&format!("/heartbeats/{}/signals", backup.id))
        .await;
    assert_eq!(
        recorded.len(),
        acknowledged,
        "what was answered 200, and nothing else"
    );
}
