//! SQLite on the disk: what it syncs stays, and what it does not sync goes.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::path::Path;

use nightbeat_faulty_disk::{Disk, Fault, Harm, Kept, Op, Times};
use rusqlite::Connection;

fn open(path: &Path, synchronous: &str) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .unwrap();
    connection
        .pragma_update(None, "synchronous", synchronous)
        .unwrap();
    connection
}

fn note(connection: &Connection, version: i32) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", version)
}

fn noted(path: &Path) -> i32 {
    let connection = Connection::open(path).unwrap();
    connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

/// What is left of two commits after a power loss, the second one made with this setting.
fn left(synchronous: &str) -> i32 {
    let disk = Disk::take();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    let connection = open(&path, "FULL");
    note(&connection, 1).unwrap();
    connection
        .pragma_update(None, "synchronous", synchronous)
        .unwrap();
    note(&connection, 2).unwrap();
    disk.arm(Fault::death(0));
    drop(connection);
    assert!(disk.disarm().hits > 0, "the end would have tidied up");
    disk.power_loss(folder.path(), Kept::Nothing).unwrap();
    noted(&path)
}

#[test]
fn a_commit_that_was_synced_survives_a_power_loss_and_another_does_not() {
    assert_eq!(left("FULL"), 2);
    assert_eq!(left("OFF"), 1);
}

#[test]
fn each_harm_fails_the_commit_and_the_next_one_works() {
    let disk = Disk::take();
    for harm in [Harm::Error, Harm::Full, Harm::Torn, Harm::Late] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        let connection = open(&path, "FULL");
        note(&connection, 1).unwrap();
        disk.arm(Fault {
            ops: &[Op::Write],
            on: "-wal",
            at: 0,
            times: Times::Once,
            harm,
        });
        assert!(note(&connection, 2).is_err(), "{harm:?}");
        assert_eq!(disk.disarm().hits, 1, "{harm:?}");
        note(&connection, 3).unwrap();
        drop(connection);
        disk.power_loss(folder.path(), Kept::Some(9)).unwrap();
        assert_eq!(noted(&path), 3, "{harm:?}");
    }
}

/// Who writes what a failed sync has lost again, and syncs it, has it on the platter.
#[test]
fn what_a_failed_sync_lost_can_be_written_again() {
    for again in [false, true] {
        let disk = Disk::take();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        let connection = open(&path, "FULL");
        note(&connection, 1).unwrap();
        disk.arm(Fault {
            ops: &[Op::Sync],
            on: "",
            at: 0,
            times: Times::Once,
            harm: Harm::Error,
        });
        assert!(note(&connection, 2).is_err());
        disk.arm(Fault::death(0));
        drop(connection);
        disk.disarm();
        if again {
            let log = folder.path().join("notes.db-wal");
            let content = std::fs::read(&log).unwrap();
            std::fs::write(&log, content).unwrap();
        }
        disk.power_loss(folder.path(), Kept::Nothing).unwrap();
        assert_eq!(noted(&path), if again { 2 } else { 1 });
    }
}
