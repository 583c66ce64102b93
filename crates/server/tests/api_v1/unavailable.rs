//! What happens while nothing can be stored.

use std::sync::mpsc;

use nightbeat_store::{Opener, Store};
use serde_json::json;

use crate::support::{Api, items};

/// Another process holds the database for longer than a write waits.
#[tokio::test]
async fn what_cannot_be_stored_is_503_and_reading_goes_on() {
    let api = Api::new().await;
    api.heartbeat("job").await;
    let other = Store::open_sqlite(&api.database(), Opener::Tool)
        .unwrap()
        .store;
    let (locked, is_locked) = tokio::sync::oneshot::channel();
    let locked = std::cell::Cell::new(Some(locked));
    let (release, released) = mpsc::channel::<()>();
    let holding = tokio::spawn(async move {
        let hold = other.write(move |_| {
            locked.take().unwrap().send(()).unwrap();
            // Until the other end is dropped.
            let _ = released.recv();
            Ok(())
        });
        hold.await.unwrap();
    });
    is_locked.await.unwrap();

    let answer = api.patch("/heartbeats/job", json!({"grace": 7})).await;
    answer.refuses(503, None);
    assert_eq!(answer.header("retry-after"), Some("5"));
    let list = api.get("/heartbeats").await.is(200);
    assert_eq!(items(&list)[0]["grace"], 3600);

    drop(release);
    holding.await.unwrap();
    let changed = api.patch("/heartbeats/job", json!({"grace": 7})).await;
    assert_eq!(changed.is(200)["grace"], 7);
}
