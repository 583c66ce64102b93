//! The process of the server: held still, stopped, started twice.

use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_testkit::{Receiver, Setup};

/// 2026-11-22T03:00:00Z.
const NIGHT: UnixMicros = UnixMicros::from_seconds(1_795_316_400);

/// A paused virtual machine, a suspended laptop: time goes on, and nobody could have signalled.
#[tokio::test(flavor = "multi_thread")]
async fn held_still_over_a_deadline_it_does_not_claim_that_the_job_is_down() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).clock_at(NIGHT);
    let admin = setup.init();
    let server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let nudge = admin.every("nudge", 86_400, 3_600).await;
    let back_in_time = admin.every("back in time", 60, 10).await;
    let dead = admin.every("dead", 60, 10).await;
    for heartbeat in [&back_in_time, &dead] {
        assert_eq!(admin.signal(heartbeat).await, 200);
    }

    server.pass(Duration::from_secs(60), &nudge).await;
    server.pause();
    server.clock().leap(Duration::from_secs(60));
    server.resume();
    server.turn(&nudge).await;
    assert_eq!(admin.signal(&back_in_time).await, 200);

    // A minute to report, and then it is said that we are not sure.
    server.pass(Duration::from_secs(57), &nudge).await;
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());
    assert_eq!(admin.signal(&back_in_time).await, 200);
    server.pass(Duration::from_secs(9), &nudge).await;
    let told = receiver.until("it is told", |all| !all.is_empty()).await;
    assert!(
        told.iter()
            .all(|one| one.tells("dead") && !one.tells("back in time"))
    );
    assert_eq!(admin.status(&dead).await, "unverified");
    assert_eq!(admin.status(&back_in_time).await, "up");
}

/// SIGTERM in the middle of the day: what is under way ends well, and the short absence claims nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_clean_and_claims_nothing() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).clock_at(NIGHT);
    let admin = setup.init();
    let mut server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let nudge = admin.every("nudge", 86_400, 3_600).await;
    let backup = admin.every("backup", 60, 30).await;
    assert_eq!(admin.signal(&backup).await, 200);

    server.pass(Duration::from_secs(30), &nudge).await;
    assert!(server.terminate().await.success(), "{}", server.log());
    server.clock().leap(Duration::from_secs(10));
    server.restart().await;
    server.pass(Duration::from_secs(20), &nudge).await;
    assert_eq!(admin.signal(&backup).await, 200);
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());

    // The absence lies before its last signal: what follows is certain again.
    server.pass(Duration::from_secs(93), &nudge).await;
    receiver.told("down", "backup").await;
    assert_eq!(admin.status(&backup).await, "down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_database_is_refused_and_disturbs_nothing() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat"));
    let admin = setup.init();
    let server = setup.start().await;
    let backup = admin.every("backup", 86_400, 3_600).await;
    let refused = server.try_run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!refused.status.success());
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("another server (process "), "{why}");
    assert_eq!(admin.signal(&backup).await, 200);
    assert_eq!(admin.status(&backup).await, "up");
}
