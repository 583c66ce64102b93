//! What the hot path does when a batch or a row fails it: nobody else pays for it.

use std::time::Duration;

use nightbeat_domain::{Claim, Phase};
use nightbeat_store::Recorded::{Broken, Counted};
use nightbeat_store::StoreError;
use nightbeat_store::hot::Record;

use crate::cast::{
    Engine, HOUR, House, MINUTE, START, batch, due, heartbeat_id, hourly, on_each_engine, success,
};

on_each_engine!(
    a_heartbeat_with_a_broken_row_keeps_no_other_from_being_judged,
    an_alert_whose_channels_and_tags_cannot_be_read_goes_to_all,
    a_signal_for_a_broken_heartbeat_refuses_no_other_signal,
);

/// A row that no version wrote.
fn break_state(house: &House, number: u32) {
    let name = format!("job-{number}");
    house.raw(&format!(
        "UPDATE heartbeat_state SET rare = 'not json'
          WHERE id = (SELECT id FROM heartbeat WHERE slug = '{name}')"
    ));
}

async fn a_heartbeat_with_a_broken_row_keeps_no_other_from_being_judged(engine: Engine) {
    let house = House::on(engine).await;
    let mut beats = Vec::new();
    for number in 0..9 {
        beats.push(house.heartbeat(number, &hourly()).await);
    }
    let signals = beats.iter().map(|id| success(*id, START)).collect();
    house.record(signals).await;
    break_state(&house, 4);
    let deadline = START + 2 * HOUR;
    let done = house.store.elapse(due(beats.clone(), deadline, vec![]));
    let done = done.await.unwrap();
    assert_eq!(done.deliveries, 18, "nine heartbeats, two channels");
    for number in [0, 1, 2, 3, 5, 6, 7, 8] {
        assert_eq!(house.state(heartbeat_id(number)).await.phase, Phase::Down);
    }
    let told: Vec<_> = done.watched.iter().map(|it| it.heartbeat).collect();
    assert!(!told.contains(&heartbeat_id(4)) && told.len() == 8);
    let overdue = house.store.overdue(deadline + MINUTE, 10).await.unwrap();
    assert!(
        overdue.iter().any(|it| it.heartbeat == heartbeat_id(4)),
        "the search still finds it"
    );
}

async fn an_alert_whose_channels_and_tags_cannot_be_read_goes_to_all(engine: Engine) {
    let house = House::on(engine).await;
    let (one, other) = (
        house.heartbeat(1, &hourly()).await,
        house.heartbeat(2, &hourly()).await,
    );
    house
        .record(vec![success(one, START), success(other, START)])
        .await;
    house.raw("UPDATE heartbeat SET channels = 'not json', tags = '1' WHERE slug = 'job-1'");
    let done = house
        .store
        .elapse(due(vec![one, other], START + 2 * HOUR, vec![]));
    assert_eq!(done.await.unwrap().deliveries, 4, "nobody's alert is lost");
    assert_eq!(house.count("incident"), 2);
}

async fn a_signal_for_a_broken_heartbeat_refuses_no_other_signal(engine: Engine) {
    let house = House::on(engine).await;
    for number in 0..5 {
        house.heartbeat(number, &hourly()).await;
    }
    break_state(&house, 2);
    let signals = (0..5).map(|number| success(heartbeat_id(number), START));
    let done = house.record(signals.collect()).await;
    assert_eq!(done.recorded, [Counted, Counted, Broken, Counted, Counted]);
    assert_eq!(house.count("signal"), 4);
    assert_eq!(house.count("gap"), 0, "we could receive");
}

#[tokio::test]
async fn what_a_failed_batch_refused_is_a_gap_before_the_next_decision_in_the_queue() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    // In time, but refused: somebody else holds the database.
    let other = house.aside();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let in_time = START + 2 * HOUR - Duration::from_secs(1);
    let refused = house.store.record(Record {
        now: in_time,
        ..batch(vec![success(id, in_time)])
    });
    // Given to the store before anyone knows: it carries no gap.
    let judged = house.store.elapse(due(vec![id], START + 2 * HOUR, vec![]));
    let refused = tokio::spawn(refused).await.unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    judged.await.unwrap();
    let state = house.state(id).await;
    let claim = state.incident.map(|incident| incident.claim);
    assert_eq!(claim, Some(Claim::Unverified), "we refused its signal");
    let kind: String = house.one("SELECT kind FROM gap");
    assert_eq!((house.count("gap"), kind.as_str()), (1, "storage"));
}
