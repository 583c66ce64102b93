//! Somebody deletes the database of a running server, puts another one in its place, or restores a backup.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_testkit::{Binary, Heartbeat, Receiver, Setup, http, until};

/// 2026-11-22T03:00:00Z.
const NIGHT: UnixMicros = UnixMicros::from_seconds(1_795_316_400);

fn beside(database: &Path, suffix: &str) -> PathBuf {
    format!("{}{suffix}", database.display()).into()
}

/// Whether the signal was acknowledged; not where nobody answers any more.
async fn is_acknowledged(server: &Binary, heartbeat: &Heartbeat) -> bool {
    let request = http::get(server.address(), &heartbeat.path());
    let answer = http::send(server.address(), request).await;
    answer.is_ok_and(|answer| answer.status == 200)
}

/// Puts the copy in the place of the database, as the handbook says.
fn restore(database: &Path, copy: &Path) {
    for suffix in ["-wal", "-shm"] {
        let left = beside(database, suffix);
        if left.exists() {
            std::fs::remove_file(left).unwrap();
        }
    }
    std::fs::copy(copy, database).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_database_acknowledges_nothing_ends_the_server_and_is_not_begun_anew() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat"));
    let admin = setup.init();
    let mut server = setup.start().await;
    let job = admin.every("job", 86_400, 3_600).await;
    assert_eq!(admin.signal(&job).await, 200);
    let copy = beside(server.database(), ".copy");
    server.run(&["db", "backup", copy.to_str().unwrap()]);

    std::fs::remove_file(server.database()).unwrap();
    assert!(!is_acknowledged(&server, &job).await);
    assert!(!server.ended().await.success());
    server
        .logged("was deleted or moved away while it was in use")
        .await;

    // Its supervisor starts it again.
    server.launch();
    assert!(!server.ended().await.success());
    server
        .logged("is missing or empty, but a server has used it")
        .await;
    assert!(!server.database().exists());

    restore(server.database(), &copy);
    server.restart().await;
    server.logged("was put back").await;
    assert_eq!(
        admin
            .list(&format!("/heartbeats/{}/signals", job.id))
            .await
            .len(),
        1
    );
    assert_eq!(admin.signal(&job).await, 200);
}

/// Also where nobody signals: the server says each second that it is alive.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_replaced_under_a_running_server_ends_it() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat"));
    let admin = setup.init();
    let mut server = setup.start().await;
    let job = admin.every("job", 86_400, 3_600).await;
    let copy = beside(server.database(), ".copy");
    server.run(&["db", "backup", copy.to_str().unwrap()]);
    assert_eq!(admin.signal(&job).await, 200);

    std::fs::rename(&copy, server.database()).unwrap();
    assert!(!server.ended().await.success());
    server.logged("was replaced by another file").await;
    // On its way it emptied its log, which would have been read into the other one.
    let log = std::fs::metadata(beside(server.database(), "-wal"));
    assert_eq!(log.map_or(0, |log| log.len()), 0);

    server.restart().await;
    server.logged("a backup was put back").await;
    assert_eq!(admin.signal(&job).await, 200);
    let check = server.try_run(&["db", "check"]);
    assert!(check.status.success(), "{check:?}");
}

/// A backup of the evening is put back two hours later. The jobs went on all the time, and one has died.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_calls_no_job_down_falsely_and_no_alert_is_taken_for_an_old_one() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).clock_at(NIGHT);
    let admin = setup.init();
    let mut server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let nudge = admin.every("nudge", 10 * 86_400, 3_600).await;
    let living = admin.every("living", 3_600, 300).await;
    let ailing = admin.every("ailing", 3_600, 300).await;
    let dead = admin.every("dead", 3_600, 300).await;
    for job in [&living, &ailing, &dead] {
        assert_eq!(admin.signal(job).await, 200);
    }
    server.turn(&nudge).await;
    let copy = beside(server.database(), ".copy");
    server.run(&["db", "backup", copy.to_str().unwrap()]);

    // What the backup does not know.
    server.pass(Duration::from_secs(60), &nudge).await;
    assert_eq!(admin.signal_with(&ailing, "/fail").await, 200);
    receiver.told("down", "ailing").await;
    assert_eq!(admin.signal(&ailing).await, 200);
    receiver.told("up", "ailing").await;
    let known = receiver.received().len();
    assert!(server.terminate().await.success());
    server.clock().leap(Duration::from_secs(2 * 3_600));
    restore(server.database(), &copy);
    server.restart().await;
    server.logged("a backup was put back").await;

    // Two of them report within the grace; of the dead one we are not sure.
    server.pass(Duration::from_secs(240), &nudge).await;
    assert_eq!(
        receiver.received().len(),
        known,
        "{:?}",
        receiver.received()
    );
    for job in [&living, &ailing] {
        assert_eq!(admin.signal(job).await, 200);
        assert_eq!(admin.status(job).await, "up");
    }
    server.pass(Duration::from_secs(75), &nudge).await;
    let told = receiver
        .until("the dead job is told", |all| all.len() > known)
        .await;
    assert!(
        told[known..].iter().all(|one| one.tells("dead")),
        "{told:?}"
    );
    assert_eq!(admin.status(&dead).await, "unverified");

    // It fails again, as it did in the time that is lost: the receiver must not take it for the same alert.
    assert_eq!(admin.signal_with(&ailing, "/fail").await, 200);
    until("the failure is told", async || {
        let told = receiver.received().split_off(known);
        told.iter().any(|one| one.tells("ailing")).then_some(())
    })
    .await;
    let keys: Vec<String> = receiver
        .received()
        .iter()
        .map(|it| it.key().to_owned())
        .collect();
    let distinct: HashSet<&String> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "{keys:?}");
    assert_eq!(
        admin
            .list("/incidents")
            .await
            .iter()
            .filter(|it| it["claim"] == "down")
            .count(),
        1
    );
}
