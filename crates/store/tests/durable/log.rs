//! The write-ahead log: it is copied back in time, and gone after a clean end.

use nightbeat_domain::SignalKind;
use nightbeat_store::{Arrival, Opener, Store};

use crate::cast::{House, START, hourly, signal};

/// A signal that brings half a megabyte.
fn large(id: nightbeat_domain::HeartbeatId) -> Arrival {
    Arrival {
        body: Some(vec![b'x'; 512 * 1024]),
        body_bytes: 512 * 1024,
        ..signal(id, SignalKind::Log, START)
    }
}

#[tokio::test]
async fn the_log_does_not_grow_with_what_is_written() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    // 200 MB in all.
    for _ in 0..400 {
        house.record(vec![large(id)]).await;
    }
    let bytes = house.store.wal_bytes();
    assert!(bytes > 0);
    assert!(bytes < 100 * 1024 * 1024, "{bytes}");
}

#[tokio::test]
async fn a_long_read_keeps_the_log_only_as_long_as_it_lasts() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    let mut aside = house.aside();
    let reading = aside.transaction().unwrap();
    let count = |reading: &rusqlite::Transaction<'_>| -> i64 {
        reading
            .query_row("SELECT count(*) FROM signal", [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(count(&reading), 0);
    for _ in 0..120 {
        house.record(vec![large(id)]).await;
    }
    let long = house.store.wal_bytes();
    assert!(long > 60 * 1024 * 1024, "{long}");
    assert_eq!(count(&reading), 0, "its snapshot is still whole");
    reading.finish().unwrap();
    for _ in 0..240 {
        house.record(vec![large(id)]).await;
    }
    let later = house.store.wal_bytes();
    assert!(later < long + 100 * 1024 * 1024, "{later} after {long}");
}

#[tokio::test]
async fn after_a_clean_end_there_is_one_file_and_nothing_in_the_log() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![large(id)]).await;
    // Someone who only looks, and would keep SQLite from tidying up by itself.
    let aside = house.aside();
    aside
        .query_row("SELECT count(*) FROM signal", [], |_| Ok(()))
        .unwrap();
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    let log = folder.path().join("beats.db-wal");
    assert_eq!(std::fs::metadata(log).map_or(0, |log| log.len()), 0);
    drop(aside);
    let again = Store::open_sqlite(&path, Opener::Server).unwrap();
    assert_eq!(again.alive_until, Some(START));
}
