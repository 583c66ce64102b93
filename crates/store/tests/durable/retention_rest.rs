//! What is kept of deliveries, marks and gaps.

use nightbeat_domain::{Claim, HeartbeatId, Phase, SignalKind, UnixMicros};
use nightbeat_store::control::heartbeats;
use nightbeat_store::people::{Step, take_step};
use nightbeat_store::{Arrival, Opener, Retention, Store};

use crate::cast::{ALICE, DAY, HOUR, House, MINUTE, START, gap, hourly, signal, success};

#[tokio::test]
async fn settled_deliveries_go_after_ninety_days_with_their_attempts() {
    let house = House::new().await;
    for number in 1..=4 {
        let id = house.heartbeat(number, &hourly()).await;
        house
            .record(vec![signal(id, SignalKind::Fail, START)])
            .await;
    }
    // Numbers 1 to 8, two for each heartbeat.
    let late = START + 60 * DAY;
    house.raw(&format!(
        "UPDATE delivery SET state = 'sent', sent_at = {0} WHERE number = 1;
         UPDATE delivery SET state = 'sent', sent_at = {1} WHERE number = 2;
         UPDATE delivery SET state = 'cancelled' WHERE number = 3;
         UPDATE delivery SET state = 'failing' WHERE number = 4;
         UPDATE delivery SET state = 'failing', dismissed_at = {0} WHERE number = 5;
         UPDATE delivery SET state = 'failing', dismissed_at = {1} WHERE number = 6;
         UPDATE delivery SET state = 'sending' WHERE number = 7;
         INSERT INTO attempt (delivery, number, at, duration, ok, detail)
             SELECT number, 1, 0, 0, 0, '' FROM delivery;",
        START.0, late.0
    ));
    let left = || {
        let aside = house.aside();
        let mut statement = aside
            .prepare("SELECT d.number FROM delivery d JOIN attempt a ON a.delivery = d.number ORDER BY 1")
            .unwrap();
        let rows = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>()
    };
    let retention = Retention::default();
    house.sweep(&retention, START + 90 * DAY).await;
    assert_eq!(left(), [1, 2, 3, 4, 5, 6, 7, 8]);
    house.sweep(&retention, START + 91 * DAY).await;
    assert_eq!(left(), [2, 4, 6, 7, 8]);
    house.sweep(&retention, START + 200 * DAY).await;
    assert_eq!(left(), [4, 7, 8], "what nobody has dealt with stays");
    assert_eq!(house.count("attempt"), 3);
    assert_eq!(house.count("incident"), 4, "incidents are kept for ever");
}

#[tokio::test]
async fn many_deliveries_go_in_small_steps() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house
        .record(vec![signal(id, SignalKind::Fail, START)])
        .await;
    house.raw(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 2600)
         INSERT INTO delivery SELECT i, randomblob(16), project, channel, heartbeat, incident, event, digest,
                snapshot, 'sent', {0}, NULL, 1, 1, NULL, {0}, 0, NULL
           FROM n, delivery WHERE number = 1;
         INSERT INTO attempt SELECT number, 1, 0, 0, 1, '' FROM delivery WHERE number >= 100",
        START.0
    ));
    assert_eq!(house.count("delivery"), 2_503);
    let deleted = house.sweep(&Retention::default(), START + 100 * DAY).await;
    assert_eq!(deleted, 2 * 2_501);
    assert_eq!(house.count("delivery"), 2);
}

#[tokio::test]
async fn marks_of_signals_go_after_eight_days() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    let marked = |number: u32| Arrival {
        nonce: Some(number.to_string()),
        ..success(id, START + number * MINUTE)
    };
    house.record((0..1_200).map(marked).collect()).await;
    let retention = Retention {
        runs_max: 10_000,
        signals_max: 10_000,
        ..Retention::default()
    };
    assert_eq!(house.sweep(&retention, START + 8 * DAY).await, 0);
    let now = START + 8 * DAY + 1_100 * MINUTE;
    assert_eq!(house.sweep(&retention, now).await, 1_100);
    assert_eq!(house.count("signal_nonce"), 100);
}

fn gaps(house: &House) -> i64 {
    house.count("gap")
}

async fn tell_gaps(house: &House, gaps: Vec<nightbeat_domain::Gap>, now: UnixMicros) {
    house.store.alive(now, gaps).await.unwrap();
}

#[tokio::test]
async fn old_gaps_go_once_no_heartbeat_has_been_silent_since_before_them() {
    let house = House::new().await;
    let (steady, silent) = (
        house.heartbeat(1, &hourly()).await,
        house.heartbeat(2, &hourly()).await,
    );
    house.record(vec![success(silent, START + DAY)]).await;
    let away = [
        gap(START + HOUR, START + 2 * HOUR),
        gap(START + 2 * DAY, START + 2 * DAY + HOUR),
        gap(START + 300 * DAY, START + 300 * DAY + HOUR),
    ];
    let now = START + 410 * DAY;
    tell_gaps(&house, away.to_vec(), now).await;
    house.record(vec![success(steady, now)]).await;

    let retention = Retention::default();
    house.sweep(&retention, now).await;
    assert_eq!(gaps(&house), 2, "the silent one needs the second");
    // It speaks: nobody needs it any more.
    house.record(vec![success(silent, now)]).await;
    house.sweep(&retention, now).await;
    assert_eq!(gaps(&house), 1);
    house.sweep(&retention, START + 701 * DAY).await;
    assert_eq!(gaps(&house), 0);
}

#[tokio::test]
async fn a_paused_heartbeat_needs_no_gaps() {
    let house = House::new().await;
    let id: HeartbeatId = house.heartbeat(1, &hourly()).await;
    let away = vec![gap(START + HOUR, START + 2 * HOUR)];
    let now = START + 410 * DAY;
    tell_gaps(&house, away, now).await;
    house.sweep(&Retention::default(), now).await;
    assert_eq!(gaps(&house), 1);
    let pause = house
        .store
        .write(move |sql| take_step(sql, ALICE, id, &Step::Pause, now));
    assert!(pause.await.unwrap().is_some());
    house.sweep(&Retention::default(), now).await;
    assert_eq!(gaps(&house), 0);
}

/// A gap that is kept counts in the next judgement, before a restart and after it.
#[tokio::test]
async fn a_gap_that_is_still_needed_keeps_its_effect() {
    let house = House::new().await;
    let yearly = nightbeat_domain::Settings::new(
        nightbeat_domain::Schedule::every_seconds(500 * 86_400).unwrap(),
    );
    let id = house.heartbeat(1, &yearly).await;
    house.record(vec![success(id, START)]).await;
    let away = vec![gap(START + DAY, START + 20 * DAY)];
    let now = START + 450 * DAY;
    tell_gaps(&house, away, now).await;
    house.sweep(&Retention::default(), now).await;
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    let store = Store::open_sqlite(&path, Opener::Server).unwrap().store;
    let house = House::of(store, folder);
    house.elapse(id, START + 501 * DAY, vec![]).await;
    let state = house.state(id).await;
    assert_eq!(state.phase, Phase::Unverified);
    assert_eq!(state.incident.unwrap().claim, Claim::Unverified);
}

#[tokio::test]
async fn what_removed_heartbeats_left_behind_goes_with_the_sweep() {
    let house = House::new().await;
    let (gone, stays) = (
        house.heartbeat(1, &hourly()).await,
        house.heartbeat(2, &hourly()).await,
    );
    for id in [gone, stays] {
        let arrivals = (0..120).map(|number| success(id, START + number * MINUTE));
        house.record(arrivals.collect()).await;
    }
    house.sweep(&Retention::default(), START + DAY).await;
    assert_eq!(house.count("pruned"), 2);
    let remove = house
        .store
        .write(move |sql| heartbeats::delete(sql, ALICE, gone, None, START + DAY));
    assert!(remove.await.unwrap());
    assert_eq!(house.count("pruned"), 1);
    house.sweep(&Retention::default(), START + DAY).await;
    assert_eq!((house.count("signal"), house.count("run")), (120, 120));
    assert_eq!(house.count("removed_heartbeat"), 0);
}
