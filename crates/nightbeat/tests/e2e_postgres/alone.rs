//! One server, whose database is in PostgreSQL.

use nightbeat_testkit::postgres;
use nightbeat_testkit::proxy::{Behaviour, Proxy, Target};
use nightbeat_testkit::{Receiver, until};

use crate::support::{node, until_unready};

#[tokio::test(flavor = "multi_thread")]
async fn from_init_to_an_alert_and_the_recovery() {
    let database = postgres::database();
    let setup = node(&database.url());
    let admin = setup.init();
    let mut server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let backup = admin.every("backup", 2, 1).await;
    assert_eq!(admin.signal(&backup).await, 200);
    receiver.told("down", "backup").await;
    assert_eq!(admin.status(&backup).await, "down");
    assert_eq!(admin.signal_with(&backup, "?msg=again").await, 200);
    receiver.told("up", "backup").await;

    let checked = server.run(&["db", "check", "--json"]);
    assert_eq!(checked.trim(), r#"{"problems":[]}"#);
    let refused = server.try_run(&["db", "backup", "copy.db"]);
    assert!(!refused.status.success());
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("pg_dump"), "{why}");

    // All of it is still there after a restart, by the same node.
    assert!(server.terminate().await.success(), "{}", server.log());
    let before = database.count("gap");
    server.restart().await;
    assert_eq!(admin.signal(&backup).await, 200);
    assert_eq!(database.count("node"), 1);
    assert_ne!(database.count("gap"), before, "nobody was there meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_neither_logged_nor_shown() {
    let database = postgres::database();
    let secret = "hunter-2-very-secret";
    let url = database
        .url()
        .replacen("postgres@", &format!("postgres:{secret}@"), 1);
    let server = node(&url).start().await;
    let shown = server.run(&["config", "show"]);
    let checked = server.try_run(&["db", "check"]);
    let checked = String::from_utf8(checked.stderr).unwrap();
    assert!(shown.contains("postgres:•••@"), "{shown}");
    assert!(checked.contains("•••"), "{checked}");
    for text in [shown, checked, server.log()] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_at_the_start_is_waited_for() {
    let database = postgres::database();
    let proxy = Proxy::to(Target::Unix(database.socket()));
    let url = proxy.url(database.name());
    let admin = node(&url).init();
    proxy.behave(Behaviour::Refuse);
    let mut server = node(&url).launch();
    let admin = admin.at(&server);
    until("it answers", async || {
        admin.is_answered().await.then_some(())
    })
    .await;
    let (status, why) = admin.ready().await;
    assert_eq!(status, 503);
    assert!(why.contains("has not joined the database"), "{why}");
    let asked = admin.ask("GET", "/heartbeats", &serde_json::Value::Null);
    assert_eq!(asked.await.status, 503);

    proxy.behave(Behaviour::Pass);
    server.until_ready().await;
    let backup = admin.every("backup", 86_400, 3_600).await;
    assert_eq!(admin.signal(&backup).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_exist_ends_the_start_with_the_reason() {
    let database = postgres::database();
    let url = database.url().replace(database.name(), "no_such_database");
    let refused = node(&url).try_run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!refused.status.success());
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("no_such_database"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_cut_off_is_told_at_once_and_comes_back_by_itself() {
    let database = postgres::database();
    let proxy = Proxy::to(Target::Unix(database.socket()));
    let setup = node(&proxy.url(database.name()));
    let admin = setup.init();
    let mut server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let backup = admin.every("backup", 86_400, 3_600).await;
    assert_eq!(admin.signal(&backup).await, 200);

    proxy.behave(Behaviour::Refuse);
    assert_eq!(admin.signal(&backup).await, 503);
    let why = until_unready(&admin).await;
    assert!(why.contains("the database cannot store"), "{why}");
    proxy.behave(Behaviour::Pass);
    server.until_ready().await;
    assert_eq!(admin.signal(&backup).await, 200);

    // Longer than a lease, and in silence: nobody is told that the connection is gone.
    proxy.behave(Behaviour::Blackhole);
    until("the lease is over", async || {
        let (_, why) = admin.ready().await;
        why.contains("lease").then_some(())
    })
    .await;
    until("signals are refused at once", async || {
        (admin.signal(&backup).await == 503).then_some(())
    })
    .await;
    proxy.behave(Behaviour::Refuse);
    proxy.behave(Behaviour::Pass);
    server.until_ready().await;
    assert_eq!(admin.signal(&backup).await, 200);
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());
}
