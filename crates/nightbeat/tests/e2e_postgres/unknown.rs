//! A person changes something, and the database's word that it is stored is lost on the way.

use std::time::Duration;

use nightbeat_testkit::proxy::{Ending, Proxy};
use nightbeat_testkit::{Admin, Heartbeat, Receiver, instant, postgres, until};
use serde_json::json;

use crate::support::node;

/// What came due so long ago is searched for by all nodes. Who was told of it is earlier.
const SEARCHED_FOR_AFTER: Duration = Duration::from_secs(2);

/// The edit makes a deadline earlier by a day, and nobody but the node that was asked can know of it at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_whose_commit_was_not_answered_is_called_unknown_and_its_deadline_is_met() {
    let database = postgres::database();
    let proxy = Proxy::to(database.socket());
    let setup = node(&proxy.url(database.name()));
    let admin = setup.init();
    let _server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let backup = admin.every("backup", 86_400, 3_600).await;
    let mut round = 0;
    // A machine with too much to do may be late a few times.
    until("a deadline is met before it is searched for", async || {
        round += 1;
        let name = format!("hurried {round}");
        let late = hurry(&admin, &proxy, &receiver, &backup, &name).await;
        println!("told {:.2} s after the deadline", late.as_secs_f64());
        (late < SEARCHED_FOR_AFTER).then_some(())
    })
    .await;
}

/// Makes it due at once, by an edit whose COMMIT is not answered; how late that was told.
async fn hurry(
    admin: &Admin,
    proxy: &Proxy,
    receiver: &Receiver,
    backup: &Heartbeat,
    name: &str,
) -> Duration {
    assert_eq!(admin.signal(backup).await, 200);
    let cuts = proxy.cuts();
    proxy.cut_answer(&[name, "COMMIT"], Ending::Reset);
    let path = format!("/heartbeats/{}", backup.id);
    let edit = json!({"name": name, "schedule": {"every": 1}, "grace": 1});
    let answer = admin.ask("PATCH", &path, &edit).await;
    assert_eq!(proxy.cuts(), cuts + 1);
    assert_eq!(answer.status, 503, "{}", answer.body);
    let unknown = "it is not known whether it was stored; look before you try again";
    assert!(answer.body.contains(unknown), "{}", answer.body);
    assert!(answer.headers.contains_key("retry-after"));

    // Who looks sees that it was.
    let shown = admin.show(backup).await;
    assert_eq!(shown["name"], name);
    let told = receiver.told("down", name).await;
    let usual = json!({"schedule": {"every": 86_400}, "grace": 3_600});
    let changed = admin.ask("PATCH", &path, &usual).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    // Shown after the deadline it is none any more.
    if shown["deadline"].is_null() {
        return Duration::MAX;
    }
    told.at.since(instant(&shown["deadline"]))
}
