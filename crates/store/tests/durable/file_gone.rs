//! What happens to the files of a store while it is in use, or between two servers, that no server did: they
//! are deleted, replaced, put back from a backup.

use std::path::{Path, PathBuf};

use nightbeat_domain::{HeartbeatId, SignalKind, UnixMicros};
use nightbeat_store::{Opened, Opener, Result, Store, StoreError, check_sqlite};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::cast::{HOUR, House, MINUTE, START, hourly, signal, success};
use nightbeat_store::hot::Record;

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Records it, and says that receiving works until then.
async fn record(store: &Store, id: HeartbeatId, kind: SignalKind, at: UnixMicros) -> Result<()> {
    let batch = Record {
        arrivals: vec![signal(id, kind, at)],
        watermark: UnixMicros::MIN,
        gaps: Vec::new(),
        now: at,
    };
    store.record(batch).await.map(drop)
}

async fn fatal(house: &House, id: HeartbeatId) -> String {
    let refused = record(&house.store, id, SignalKind::Success, START + HOUR).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, StoreError::Fatal(_)), "{error}");
    // And so it stays, also where the file is put back: what was written meanwhile is not in it.
    let again = record(&house.store, id, SignalKind::Success, START + HOUR).await;
    assert!(matches!(again, Err(StoreError::Fatal(_))));
    error.to_string()
}

fn refusal(path: &Path) -> String {
    let error = Store::open_sqlite(path, Opener::Server).unwrap_err();
    assert!(matches!(error, StoreError::Fatal(_)), "{error}");
    error.to_string()
}

/// What a process that is killed now would leave behind, in a folder of its own.
fn killed(house: &House) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("beats.db");
    for suffix in ["", "-wal", ".lock"] {
        std::fs::copy(beside(&house.path(), suffix), beside(&to, suffix)).unwrap();
    }
    (folder, to)
}

fn signals(path: &Path) -> i64 {
    let count = "SELECT count(*) FROM signal";
    let connection = Connection::open(path).unwrap();
    connection.query_row(count, [], |row| row.get(0)).unwrap()
}

fn keys(path: &Path) -> Vec<Vec<u8>> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection
        .prepare("SELECT id FROM delivery ORDER BY number")
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(|row| row.unwrap()).collect()
}

#[tokio::test]
async fn after_one_of_its_files_is_deleted_nothing_is_acknowledged() {
    for suffix in ["", "-wal", "-shm"] {
        let house = House::new().await;
        let id = house.heartbeat(1, &hourly()).await;
        let gone = beside(&house.path(), suffix);
        std::fs::remove_file(&gone).unwrap();
        let said = fatal(&house, id).await;
        assert!(said.contains("was deleted or moved away"), "{said}");
        assert!(said.contains(gone.to_str().unwrap()), "{said}");
    }
}

#[tokio::test]
async fn after_one_of_its_files_is_replaced_nothing_is_acknowledged() {
    for suffix in ["", "-wal", "-shm"] {
        let house = House::new().await;
        let id = house.heartbeat(1, &hourly()).await;
        let replaced = beside(&house.path(), suffix);
        let copy = house.folder.path().join("copy");
        std::fs::copy(&replaced, &copy).unwrap();
        std::fs::rename(&copy, &replaced).unwrap();
        let said = fatal(&house, id).await;
        assert!(said.contains("was replaced by another file"), "{said}");
    }
}

#[tokio::test]
async fn nothing_is_read_from_a_file_that_was_put_in_its_place() {
    let house = House::new().await;
    let other = House::new().await;
    other
        .store
        .backup(&house.folder.path().join("other"), false)
        .await
        .unwrap();
    std::fs::rename(house.folder.path().join("other"), house.path()).unwrap();
    let read = house.store.watch_list().await;
    assert!(matches!(read, Err(StoreError::Fatal(_))), "{read:?}");
    let to = house.folder.path().join("copy");
    let copied = house.store.backup(&to, false).await;
    assert!(matches!(copied, Err(StoreError::Fatal(_))), "{copied:?}");
    assert!(!to.exists());
}

/// The process that was told ends, and on its way copies the log that has no name any more.
#[tokio::test]
async fn a_log_that_is_deleted_while_it_is_in_use_loses_nothing_acknowledged() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    for minute in 0..10 {
        let at = START + minute * MINUTE;
        record(&house.store, id, SignalKind::Success, at)
            .await
            .unwrap();
    }
    std::fs::remove_file(beside(&house.path(), "-wal")).unwrap();
    fatal(&house, id).await;
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    let opened = Store::open_sqlite(&path, Opener::Server).unwrap();
    assert_eq!(opened.setback, None);
    // The one that was refused may be there: it was committed before anyone looked.
    assert!(signals(&path) >= 10);
    assert!(opened.alive_until >= Some(START + 9 * MINUTE));
    drop((opened, folder));
}

#[tokio::test]
async fn a_lost_database_is_not_begun_anew_in_silence() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    record(&house.store, id, SignalKind::Success, START)
        .await
        .unwrap();
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    for empty in [false, true] {
        std::fs::remove_file(&path).unwrap();
        if empty {
            std::fs::write(&path, "").unwrap();
        }
        let said = refusal(&path);
        assert!(said.contains("a server has used it"), "{said}");
        assert!(said.contains("beats.db.lock"), "{said}");
        assert!(Store::open_sqlite(&path, Opener::Tool).is_err());
        assert_eq!(path.exists(), empty);
        std::fs::write(&path, "").unwrap();
    }
    // What it says helps.
    std::fs::remove_file(beside(&path, ".lock")).unwrap();
    let opened = Store::open_sqlite(&path, Opener::Server).unwrap();
    assert_eq!((opened.alive_until, opened.setback), (None, None));
    drop((opened.store, folder));
}

/// SQLite deletes the log of an empty database.
#[tokio::test]
async fn a_log_without_its_database_is_kept_and_named() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    record(&house.store, id, SignalKind::Success, START)
        .await
        .unwrap();
    let (folder, path) = killed(&house);
    std::fs::remove_file(&path).unwrap();
    let log = std::fs::read(beside(&path, "-wal")).unwrap();
    assert!(!log.is_empty());
    let said = refusal(&path);
    assert!(said.contains("beats.db-wal"), "{said}");
    assert!(Store::open_sqlite(&path, Opener::Tool).is_err());
    assert!(!path.exists());
    assert_eq!(std::fs::read(beside(&path, "-wal")).unwrap(), log);
    drop(folder);
}

#[tokio::test]
async fn a_killed_server_with_its_log_has_no_setback() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    record(&house.store, id, SignalKind::Success, START)
        .await
        .unwrap();
    let (_folder, path) = killed(&house);
    let opened = Store::open_sqlite(&path, Opener::Server).unwrap();
    assert_eq!(opened.setback, None);
    assert_eq!(opened.alive_until, Some(START));
    assert_eq!(signals(&path), 1);
}

/// Before the next start, while nobody has the database open.
#[tokio::test]
async fn a_log_that_is_deleted_after_a_crash_is_a_setback_and_a_gap() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    record(&house.store, id, SignalKind::Success, START)
        .await
        .unwrap();
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    let store = Store::open_sqlite(&path, Opener::Server).unwrap().store;
    let house = House::of(store, folder);
    let lost = START + 30 * MINUTE;
    record(&house.store, id, SignalKind::Success, lost)
        .await
        .unwrap();

    let (_folder, path) = killed(&house);
    std::fs::remove_file(beside(&path, "-wal")).unwrap();
    let opened = Store::open_sqlite(&path, Opener::Server).unwrap();
    let said = opened.setback.unwrap();
    assert!(said.contains("2026-03-02T00:30:00Z"), "{said}");
    assert!(said.contains("none after 2026-03-02T00:00:00Z"), "{said}");
    assert!(said.contains("beats.db-wal is gone"), "{said}");
    // The gap begins here: it covers what is lost.
    assert_eq!(opened.alive_until, Some(START));
    assert_eq!(signals(&path), 1);
    assert!(check_sqlite(&path).unwrap().is_ok());
    drop(opened.store);
    // It is told once.
    let opened = Store::open_sqlite(&path, Opener::Server).unwrap();
    assert_eq!(opened.setback, None);
}

/// Until its first checkpoint, everything is in the log: without it the file is empty, or has no schema.
#[tokio::test]
async fn a_new_database_whose_log_is_deleted_after_a_crash_is_not_begun_anew_in_silence() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    record(&house.store, id, SignalKind::Success, START)
        .await
        .unwrap();
    let (_folder, path) = killed(&house);
    std::fs::remove_file(beside(&path, "-wal")).unwrap();
    match Store::open_sqlite(&path, Opener::Server) {
        Ok(opened) => {
            let said = opened.setback.expect("it is told");
            assert!(said.contains("knows of none after never"), "{said}");
        }
        Err(error) => assert!(matches!(error, StoreError::Fatal(_)), "{error}"),
    }
}

/// A house with a backup of the evening, and what happened after it: an alert in the night, told.
async fn night() -> (House, HeartbeatId, PathBuf) {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    record(&house.store, id, SignalKind::Fail, START)
        .await
        .unwrap();
    let copy = house.folder.path().join("evening.db");
    house.store.backup(&copy, false).await.unwrap();
    for (minute, kind) in [(5, SignalKind::Success), (10, SignalKind::Fail)] {
        let at = START + minute * MINUTE;
        record(&house.store, id, kind, at).await.unwrap();
    }
    (house, id, copy)
}

fn put_back(path: &Path, copy: &Path) {
    for suffix in ["-wal", "-shm"] {
        let file = beside(path, suffix);
        assert!(!file.exists(), "a server that ends leaves one file");
    }
    std::fs::copy(copy, path).unwrap();
}

#[tokio::test]
async fn a_backup_that_is_put_back_gives_no_key_again_that_a_receiver_may_know() {
    let (house, id, copy) = night().await;
    let path = house.path();
    let known = keys(&path);
    let waiting = keys(&copy);
    assert_eq!((known.len(), waiting.len()), (6, 2));
    let House { store, folder, .. } = house;
    drop(store);
    put_back(&path, &copy);

    let Opened {
        store,
        alive_until,
        setback,
    } = Store::open_sqlite(&path, Opener::Server).unwrap();
    assert!(setback.unwrap().contains("a backup was put back"));
    assert_eq!(alive_until, Some(START));
    // What waited in the evening is told once more, by its key.
    assert_eq!(keys(&path), waiting);
    // What is decided now is news to everybody.
    for (minute, kind) in [(90, SignalKind::Success), (95, SignalKind::Fail)] {
        record(&store, id, kind, START + minute * MINUTE)
            .await
            .unwrap();
    }
    let new = keys(&path).split_off(2);
    assert_eq!(new.len(), 4);
    assert!(new.iter().all(|key| !known.contains(key)));
    assert!(check_sqlite(&path).unwrap().is_ok());
    drop((store, folder));
}

#[tokio::test]
async fn a_backup_on_another_machine_says_itself_that_it_is_one() {
    let (house, _, copy) = night().await;
    let moved = tempfile::tempdir().unwrap();
    let path = moved.path().join("beats.db");
    std::fs::copy(&copy, &path).unwrap();
    drop(house);
    // A look at it is not yet its use.
    drop(Store::open_sqlite(&path, Opener::Tool).unwrap());
    let opened = Store::open_sqlite(&path, Opener::Server).unwrap();
    let said = opened.setback.unwrap();
    assert!(said.contains("a backup of 2026-03-02T00:00:00Z"), "{said}");
    drop(opened.store);
    let opened = Store::open_sqlite(&path, Opener::Server).unwrap();
    assert_eq!(opened.setback, None);
}

/// SQLite would write the pages of the old database's log into the backup.
#[tokio::test]
async fn a_backup_beside_the_log_of_another_database_is_refused() {
    let (house, _, copy) = night().await;
    let (_folder, path) = killed(&house);
    std::fs::copy(&copy, &path).unwrap();
    let said = refusal(&path);
    assert!(said.contains("remove"), "{said}");
    assert!(said.contains("beats.db-wal and"), "{said}");
    // Nothing was changed, and what it says helps.
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&copy).unwrap());
    std::fs::remove_file(beside(&path, "-wal")).unwrap();
    let opened = Store::open_sqlite(&path, Opener::Server).unwrap();
    assert!(opened.setback.is_some());
    drop(opened.store);

    // A server on a backup that is killed has a log of its own.
    let store = Store::open_sqlite(&path, Opener::Server).unwrap().store;
    record(
        &store,
        crate::cast::heartbeat_id(1),
        SignalKind::Success,
        START + HOUR,
    )
    .await
    .unwrap();
    let left = tempfile::tempdir().unwrap();
    let again = left.path().join("beats.db");
    for suffix in ["", "-wal", ".lock"] {
        std::fs::copy(beside(&path, suffix), beside(&again, suffix)).unwrap();
    }
    let opened = Store::open_sqlite(&again, Opener::Server).unwrap();
    assert_eq!(opened.alive_until, Some(START + HOUR));
    assert_eq!(opened.setback, None);
}

#[tokio::test]
async fn ids_go_on_from_what_is_there() {
    let (house, id, copy) = night().await;
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    put_back(&path, &copy);
    let store = Store::open_sqlite(&path, Opener::Server).unwrap().store;
    let house = House::of(store, folder);
    house.record(vec![success(id, START + HOUR)]).await;
    assert_eq!(house.one::<i64>("SELECT max(id) FROM signal"), 2);
    assert_eq!(house.state(id).await.signals, 2);
    let report = house.store.check().await.unwrap();
    assert!(report.is_ok(), "{report}");
}
