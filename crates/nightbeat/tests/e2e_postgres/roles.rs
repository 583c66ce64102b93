//! Nodes that each do a part.

use nightbeat_testkit::http::{self, get};
use nightbeat_testkit::{Receiver, postgres};
use serde_json::Value;

use crate::support::node;

/// The node that takes the signals and the edits watches nothing and sends nothing: another one does.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_takes_another_watches_and_a_third_sends() {
    let database = postgres::database();
    let with = |roles| node(&database.url()).argument("--roles").argument(roles);
    let web = with("signals,web");
    let admin = web.init();
    let web = web.start().await;
    let watch = with("watch").start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let backup = admin.every("backup", 1, 1).await;
    assert_eq!(admin.signal(&backup).await, 200);
    admin.until_status(&backup, "down").await;
    assert!(receiver.received().is_empty(), "nobody sends");
    let deliver = with("deliver").start().await;
    receiver.told("down", "backup").await;

    for away in [&watch, &deliver] {
        let far = admin.at(away);
        let asked = far.ask("GET", "/heartbeats", &Value::Null).await;
        assert_eq!(asked.status, 404);
        assert!(asked.body.contains("`web` is not among its roles"));
        let answer = http::send(away.address(), get(away.address(), &backup.path()));
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("takes no signals"), "{}", answer.body);
    }
    assert_eq!(admin.at(&web).status(&backup).await, "down");
}

#[test]
fn roles_are_for_postgresql() {
    let setup = nightbeat_testkit::Setup::new(env!("CARGO_BIN_EXE_nightbeat"));
    let refused = setup.try_run(&["serve", "--roles", "web"]);
    assert_eq!(refused.status.code(), Some(5));
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("a server on SQLite is alone"), "{why}");
}
