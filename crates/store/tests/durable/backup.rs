//! Copies of a store that is in use.

use std::os::unix::fs::PermissionsExt;

use nightbeat_store::{Opener, Store, StoreError, check_sqlite};
use rusqlite::Connection;

use crate::cast::{House, MINUTE, START, batch, hourly, success};

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_is_a_whole_store_of_its_own() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    let safe = tempfile::tempdir().unwrap();
    let to = safe.path().join("copy.db");
    let done = house.store.backup(&to, false).await.unwrap();

    // What comes later is not in it.
    house.record(vec![success(id, START + MINUTE)]).await;
    assert_eq!(names(safe.path()), ["copy.db"]);
    let file = std::fs::metadata(&to).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(file.len(), done.bytes);
    let report = check_sqlite(&to).unwrap();
    assert!(report.is_ok(), "{report}");

    let copy = Store::open_sqlite(&to, Opener::Server).unwrap();
    assert_eq!(copy.alive_until, Some(START));
    let done = copy.store.record(batch(vec![success(id, START + MINUTE)]));
    assert_eq!(done.await.unwrap().recorded.len(), 1);
    drop(copy);
    let signals = |path: &std::path::Path| -> i64 {
        Connection::open(path)
            .unwrap()
            .query_row("SELECT count(*) FROM signal", [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!((signals(&to), house.count("signal")), (2, 2));
}

#[tokio::test]
async fn signals_are_recorded_while_a_backup_is_made_and_it_is_of_one_instant() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    let to = house.folder.path().join("copy.db");
    let copying = house.store.backup(&to, false);
    let recording = async {
        for number in 0..200 {
            let at = START + number * MINUTE;
            house.record(vec![success(id, at)]).await;
        }
    };
    let (done, ()) = tokio::join!(copying, recording);
    done.unwrap();
    assert_eq!(house.count("signal"), 200);
    // Whichever instant it was, the counter, the chain and the log agree.
    let report = check_sqlite(&to).unwrap();
    assert!(report.is_ok(), "{report}");
    let agree: bool = Connection::open(&to)
        .unwrap()
        .query_row(
            "SELECT (SELECT signals FROM heartbeat_state) = (SELECT count(*) FROM signal)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(agree);
}

#[tokio::test]
async fn an_existing_file_is_replaced_only_when_that_was_said() {
    let house = House::new().await;
    let to = house.folder.path().join("copy.db");
    std::fs::write(&to, "the wedding photographs").unwrap();
    let error = house.store.backup(&to, false).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)), "{error}");
    assert!(error.to_string().contains("it exists"), "{error}");
    assert_eq!(std::fs::read(&to).unwrap(), b"the wedding photographs");

    house.store.backup(&to, true).await.unwrap();
    assert!(check_sqlite(&to).unwrap().is_ok());
    assert_eq!(
        std::fs::metadata(&to).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn the_database_is_not_copied_onto_itself() {
    let house = House::new().await;
    let error = house.store.backup(&house.path(), true).await.unwrap_err();
    assert!(error.to_string().contains("the database itself"), "{error}");
    let link = house.folder.path().join("link.db");
    std::os::unix::fs::symlink(house.path(), &link).unwrap();
    let error = house.store.backup(&link, true).await.unwrap_err();
    assert!(error.to_string().contains("the database itself"), "{error}");
    assert!(house.store.check().await.unwrap().is_ok());
}

#[tokio::test]
async fn where_no_file_can_be_made_the_answer_says_so_and_nothing_is_left() {
    let house = House::new().await;
    let folder = house.folder.path();
    let before = names(folder);
    for (to, word) in [
        (folder.join("missing/copy.db"), "No such file"),
        (folder.to_owned(), "it is a folder"),
    ] {
        let error = house.store.backup(&to, false).await.unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(names(folder), before);
    house.record(vec![]).await;
}

#[tokio::test]
async fn what_an_earlier_backup_left_when_it_was_killed_is_taken_over() {
    let house = House::new().await;
    let safe = tempfile::tempdir().unwrap();
    let to = safe.path().join("copy.db");
    let partial = safe.path().join("copy.db.partial");
    std::fs::write(&partial, "half of an earlier one").unwrap();
    house.store.backup(&to, false).await.unwrap();
    assert_eq!(names(safe.path()), ["copy.db"]);
    assert!(check_sqlite(&to).unwrap().is_ok());
}

#[tokio::test]
async fn of_two_backups_to_one_name_the_second_is_refused() {
    let house = House::new().await;
    let to = house.folder.path().join("copy.db");
    let partial = house.folder.path().join("copy.db.partial");
    let held = std::fs::File::create(&partial).unwrap();
    held.lock().unwrap();
    let error = house.store.backup(&to, false).await.unwrap_err();
    assert!(error.to_string().contains("another backup"), "{error}");
    assert!(partial.exists(), "it belongs to the other one");
    drop(held);
    house.store.backup(&to, false).await.unwrap();
}

#[tokio::test]
async fn a_damaged_database_gives_no_backup() {
    let house = House::new().await;
    for number in 1..200 {
        house.heartbeat(number, &hourly()).await;
    }
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    // A page of the heartbeats: those of the schema, which is read at once, stand at the beginning.
    let page = bytes.len() / 4 * 3 / 4096 * 4096;
    bytes[page..page + 4096].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let store = Store::open_sqlite(&path, Opener::Tool).unwrap().store;
    let to = folder.path().join("copy.db");
    let error = store.backup(&to, false).await.unwrap_err();
    assert!(error.to_string().contains("malformed"), "{error}");
    assert!(!to.exists());
    assert!(!folder.path().join("copy.db.partial").exists());
    let report = store.check().await.unwrap();
    assert!(!report.is_ok(), "{report}");
}
