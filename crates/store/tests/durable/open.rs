//! Who may open which file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nightbeat_store::control::projects;
use nightbeat_store::{Opener, Store, StoreError};
use rusqlite::Connection;

use crate::cast::{ALICE, House, START, hourly, success};

fn refusal(path: &Path, opener: Opener) -> String {
    let error = Store::open_sqlite(path, opener).unwrap_err();
    assert!(matches!(error, StoreError::Fatal(_)), "{error}");
    error.to_string()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_second_server_is_refused_and_told_who_holds_the_file() {
    let house = House::new().await;
    let said = refusal(&house.path(), Opener::Server);
    let us = format!("process {}", std::process::id());
    assert!(said.contains(&us), "{said}");
    assert!(said.contains("beats.db"), "{said}");
    // Once the first one is gone, there is room.
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    drop(Store::open_sqlite(&path, Opener::Server).unwrap());
    drop(folder);
}

/// A process that is killed leaves its lock file, but not the lock.
#[test]
fn a_lock_file_of_a_process_that_is_gone_keeps_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("beats.db");
    std::fs::write(folder.path().join("beats.db.lock"), "4194304\n").unwrap();
    let opened = Store::open_sqlite(&path, Opener::Server).unwrap();
    assert_eq!(opened.alive_until, None);
    let said = refusal(&path, Opener::Server);
    assert!(said.contains(&std::process::id().to_string()), "{said}");
}

#[tokio::test]
async fn a_tool_may_write_beside_a_server() {
    let house = House::new().await;
    let tool = Store::open_sqlite(&house.path(), Opener::Tool)
        .unwrap()
        .store;
    let renamed = tool.write(|sql| projects::update(sql, ALICE, "Alice & Co", None));
    assert!(renamed.await.unwrap());
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    let count = tool.read(|sql| projects::count(sql)).await.unwrap();
    assert_eq!(count, 1);
    drop(tool);
    assert_eq!(
        house.one::<String>("SELECT name FROM project"),
        "Alice & Co"
    );
    house.record(vec![success(id, START)]).await;
    assert_eq!(house.state(id).await.signals, 2);
}

#[test]
fn another_programs_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipes.db");
    let recipes = Connection::open(&path).unwrap();
    recipes
        .execute_batch("CREATE TABLE recipe (name TEXT); INSERT INTO recipe VALUES ('bread')")
        .unwrap();
    drop(recipes);
    for opener in [Opener::Server, Opener::Tool] {
        let said = refusal(&path, opener);
        assert!(said.contains("another program"), "{said}");
    }
    let recipes = Connection::open(&path).unwrap();
    let name: String = recipes
        .query_row("SELECT name FROM recipe", [], |row| row.get(0))
        .unwrap();
    assert_eq!(name, "bread");
    let tables: i64 = recipes
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let house = House::new().await;
    house.raw("INSERT INTO schema_version (version, name) VALUES (1000, 'of tomorrow')");
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    let said = refusal(&path, Opener::Server);
    assert!(said.contains("version 1000"), "{said}");
    assert!(said.contains("newer nightbeat"), "{said}");
    let said = nightbeat_store::check_sqlite(&path)
        .unwrap_err()
        .to_string();
    assert!(said.contains("version 1000"), "{said}");
    drop(folder);
}

#[test]
fn what_is_no_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    let garbage = "milk, eggs, butter\n".repeat(500);
    std::fs::write(&path, &garbage).unwrap();
    let said = refusal(&path, Opener::Server);
    assert!(said.contains("not a database"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), garbage);
}

#[test]
fn a_folder_in_the_place_of_the_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("beats.db");
    std::fs::create_dir(&path).unwrap();
    let said = refusal(&path, Opener::Tool);
    assert!(said.contains("beats.db"), "{said}");
}

/// Root may write anywhere, so the folder is made read-only by what even root obeys: it is a file.
#[test]
fn where_nothing_can_be_written_the_place_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("blocked");
    std::fs::write(&blocked, "").unwrap();
    let said = refusal(&blocked.join("beats.db"), Opener::Server);
    assert!(said.contains("cannot use"), "{said}");
    assert!(said.contains("blocked"), "{said}");
}

#[test]
fn a_read_only_folder_is_refused() {
    // The kernel's own files: read-only for everyone, root too.
    for opener in [Opener::Server, Opener::Tool] {
        let said = refusal(Path::new("/proc/sys/beats.db"), opener);
        assert!(said.contains("/proc/sys"), "{said}");
    }
}

#[test]
fn a_missing_folder_is_created_and_the_files_are_their_owners_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/beats.db");
    let opened = Store::open_sqlite(&path, Opener::Server).unwrap();
    for name in ["beats.db", "beats.db.lock", "beats.db-wal", "beats.db-shm"] {
        let file = folder.path().join("a/b").join(name);
        assert_eq!(mode(&file), 0o600, "{name}");
    }
    drop(opened);
}
