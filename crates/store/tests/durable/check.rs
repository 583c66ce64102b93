//! `Store::check`: what is sound is said so, and what is broken is named.

use nightbeat_domain::SignalKind;
use nightbeat_store::{Opener, Store, StoreError, check_sqlite};

use crate::cast::{HOUR, House, MINUTE, START, hourly, signal, success};

/// Something of everything.
async fn furnished() -> House {
    let house = House::new().await;
    for number in 1..=3 {
        let id = house.heartbeat(number, &hourly()).await;
        house.record(vec![success(id, START)]).await;
    }
    let ill = crate::cast::heartbeat_id(1);
    house
        .record(vec![signal(ill, SignalKind::Fail, START + MINUTE)])
        .await;
    let away = crate::cast::gap(START, START + MINUTE);
    house.elapse(ill, START + 9 * HOUR, vec![away]).await;
    house
}

#[tokio::test]
async fn a_sound_store_gets_a_line_for_each_part() {
    let house = furnished().await;
    let report = house.store.check().await.unwrap();
    assert!(report.is_ok(), "{report}");
    let text = report.to_string();
    for line in [
        "ok       schema: version 14\n",
        "ok       pages and indexes: ",
        "ok       references\n",
        "ok       settings: 1 kinds\n",
        "ok       heartbeats: 3\n",
        "ok       chains of signals and runs: of 3 heartbeats\n",
        "ok       incidents: 1\n",
        "ok       deliveries: 2, of which 0 failed for good\n",
        "ok       gaps: 1\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[tokio::test]
async fn each_kind_of_damage_is_named() {
    for (damage, told) in [
        (
            "DELETE FROM heartbeat_state WHERE phase = 3",
            "has no state",
        ),
        ("DELETE FROM settings", "its settings are missing"),
        (
            "UPDATE settings SET json = '{}'",
            "table settings, column json",
        ),
        (
            "UPDATE settings SET json = json || ' '",
            "column hash, row 1: is not that of json",
        ),
        ("UPDATE heartbeat_state SET phase = 77", "column phase"),
        (
            "UPDATE heartbeat_state SET phase = 1",
            "is Up, but its incident 1 is open",
        ),
        (
            "UPDATE heartbeat_state SET rare = NULL",
            "is Down without an open incident",
        ),
        (
            "UPDATE incident SET closed_at = 1",
            "its state has incident 1 open, the list of incidents none",
        ),
        (
            "UPDATE incident SET alert = 'x'",
            "table incident, column alert",
        ),
        (
            "UPDATE incident SET cause = 'bad luck'",
            "table incident, column cause",
        ),
        (
            "DELETE FROM signal WHERE id = (SELECT max(id) FROM signal)",
            "its newest signal is 4, which is not its own",
        ),
        (
            "UPDATE heartbeat_state SET newest_run = 1",
            "its newest run is 1, which is not its own",
        ),
        (
            "UPDATE delivery SET snapshot = '{}' WHERE number = 2",
            "table delivery, column snapshot, row 2",
        ),
        (
            "UPDATE delivery SET state = 'lost'",
            "table delivery, column state",
        ),
        ("UPDATE gap SET kind = 'holiday'", "table gap, column kind"),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM project",
            "a row of heartbeat hangs on a row of project that is missing",
        ),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM heartbeat WHERE slug = 'job-2'",
            "a state without a heartbeat",
        ),
    ] {
        let house = furnished().await;
        house.raw(damage);
        let report = house.store.check().await.unwrap();
        assert!(!report.is_ok(), "{damage}");
        let text = report.to_string();
        assert!(text.contains(told), "{damage}: {text}");
        assert!(text.contains("problem  "), "{text}");
    }
}

#[tokio::test]
async fn many_problems_of_one_kind_are_counted() {
    let house = House::new().await;
    for number in 0..50 {
        house.heartbeat(number, &hourly()).await;
    }
    house.raw("DELETE FROM heartbeat_state");
    let text = house.store.check().await.unwrap().to_string();
    assert!(text.contains("heartbeats: and 30 more"), "{text}");
    assert_eq!(text.matches("has no state").count(), 20);
}

/// A heartbeat's id opens its signal URL.
#[tokio::test]
async fn a_report_gives_no_heartbeats_id_away() {
    let house = furnished().await;
    house.raw("UPDATE heartbeat_state SET phase = 77");
    let text = house.store.check().await.unwrap().to_string();
    for number in 1..=3 {
        let id = crate::cast::heartbeat_id(number);
        assert!(!text.contains(&id.to_string()), "{text}");
        assert!(!text.contains(&id.0.simple().to_string()), "{text}");
    }
}

#[tokio::test]
async fn a_file_can_be_checked_without_a_server() {
    let house = furnished().await;
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    assert!(check_sqlite(&path).unwrap().is_ok());

    let missing = folder.path().join("missing.db");
    let error = check_sqlite(&missing).unwrap_err();
    assert!(
        error.to_string().contains("missing.db is not there"),
        "{error}"
    );
    assert!(!missing.exists());

    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, "milk, eggs, butter\n".repeat(500)).unwrap();
    let error = check_sqlite(&garbage).unwrap_err();
    assert!(matches!(error, StoreError::Fatal(_)), "{error}");

    let other = folder.path().join("recipes.db");
    let recipes = rusqlite::Connection::open(&other).unwrap();
    recipes
        .execute_batch("CREATE TABLE recipe (name TEXT)")
        .unwrap();
    let error = check_sqlite(&other).unwrap_err();
    assert!(
        error.to_string().contains("not a database of nightbeat"),
        "{error}"
    );
    drop(Store::open_sqlite(&path, Opener::Server).unwrap());
}
