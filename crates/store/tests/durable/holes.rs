//! What the best-known server of this kind loses alerts by, as far as it is a matter of storing.

use nightbeat_domain::Phase;
use nightbeat_store::outbox::Claim;
use nightbeat_store::{Opener, Store};

use crate::cast::{HOUR, House, MINUTE, START, due, hourly, success};

/// A state set to down and its alert's row written by two transactions: what happens between them costs the
/// alert for ever, because who is down already is not judged again.
#[tokio::test]
async fn hole_a_nobody_is_down_without_an_alert() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    let late = START + 3 * HOUR;
    // The judgement comes as far as its second delivery, and no further.
    house.raw(
        "CREATE TRIGGER broken BEFORE INSERT ON delivery
         WHEN (SELECT count(*) FROM delivery) = 1
         BEGIN SELECT raise(ABORT, 'no'); END",
    );
    let judged = house.store.elapse(due(vec![id], late, vec![])).await;
    assert_eq!(judged.map_or(0, |done| done.deliveries), 0);
    assert_eq!(house.state(id).await.phase, Phase::Up);
    assert_eq!((house.count("incident"), house.count("delivery")), (0, 0));

    house.raw("DROP TRIGGER broken");
    assert_eq!(house.elapse(id, late, vec![]).await.deliveries, 2);
    assert_eq!(house.state(id).await.phase, Phase::Down);
    assert_eq!((house.count("incident"), house.count("delivery")), (1, 2));
}

/// An alert marked as processed before it is sent: whoever dies in between takes it with him.
#[tokio::test]
async fn hole_b_an_alert_whose_sender_died_is_given_out_again() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    let late = START + 3 * HOUR;
    house.elapse(id, late, vec![]).await;
    let wish = |now| Claim {
        now,
        lease_until: now + MINUTE,
        per_channel: 10,
        skip: Vec::new(),
        digest_kinds: Vec::new(),
    };
    let claimed = house.store.claim(wish(late)).await.unwrap();
    assert_eq!(claimed.len(), 2);
    let meanwhile = house.store.claim(wish(late + MINUTE / 2)).await.unwrap();
    assert_eq!(meanwhile, [], "someone is sending them");

    // The server dies; another one opens the file.
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    let store = Store::open_sqlite(&path, Opener::Server).unwrap().store;
    let again = store.claim(wish(late + MINUTE)).await.unwrap();
    let ids = |claimed: &[nightbeat_store::outbox::ClaimedDelivery]| -> Vec<_> {
        claimed.iter().map(|one| one.id).collect()
    };
    assert_eq!(ids(&again), ids(&claimed), "the same messages");
    assert!(again.iter().all(|one| one.attempts == 2));
    drop(folder);
}
