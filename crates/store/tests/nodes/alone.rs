//! One node on its own does all that a node does.

use nightbeat_domain::{Phase, SignalKind};
use nightbeat_store::Recorded::{Counted, Created, Duplicate, Unknown};
use nightbeat_store::{Arrival, StoreError};

use crate::cast::{
    HOUR, House, MINUTE, SECOND, creating, heartbeat_id, hourly, sent, signal, success,
};

#[tokio::test]
async fn a_node_joins_records_judges_claims_and_leaves() {
    let house = House::new();
    let node = house.node(1).await;
    assert_eq!(node.joined.gaps, []);
    let now = node.clock();
    let one = node.due_at(1, now + SECOND).await;
    let two = node.heartbeat(2, &hourly()).await;

    let failure = Arrival {
        nonce: Some("once".to_owned()),
        body: Some(b"\xff\0 no space left".to_vec()),
        body_bytes: 17,
        user_agent: "curl\0".to_owned(),
        ..signal(two, SignalKind::Fail, now)
    };
    let recorded = node
        .record(vec![
            failure.clone(),
            failure,
            signal(two, SignalKind::Start, now),
            success(heartbeat_id(9), now),
            creating(3, "new", now),
        ])
        .await;
    assert_eq!(
        recorded.recorded,
        [Counted, Duplicate, Counted, Unknown, Created]
    );
    assert_eq!(recorded.deliveries, 2);
    let renewed = recorded.renewed.unwrap();
    assert!(renewed.clock >= now && renewed.lease_until == renewed.clock + 10 * SECOND);
    assert_eq!(house.count("signal"), 4);
    assert_eq!(house.count("run"), 1 + 1 + 1);

    let judged = node.elapse(&[one, two], now + 2 * SECOND).await;
    assert_eq!((judged.deliveries, judged.watched.len()), (2, 2));
    assert_eq!(node.state(one).await.phase, Phase::Down);
    let claimed = node.claim(now + MINUTE).await;
    assert_eq!(claimed.len(), 4);
    let finished = claimed.iter().map(|it| sent(it, now + MINUTE)).collect();
    node.store.finish(finished).await.unwrap();
    assert_eq!(house.count("delivery WHERE state = 'sent'"), 4);

    node.store.leave(Vec::new(), now + MINUTE).await.unwrap();
    assert_eq!(house.count("node WHERE gone = 1"), 1);
    let error = node.store.record(node.batch(Vec::new())).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    let report = node.store.check().await.unwrap();
    assert!(report.is_ok(), "{report}");
}

/// The same ids again would make two rows of one.
#[tokio::test]
async fn ids_grow_and_none_is_given_twice_over_restarts() {
    let house = House::new();
    let mut node = house.node(1).await;
    let other = house.node(2).await;
    let id = node.heartbeat(1, &hourly()).await;
    let mut given = Vec::new();
    for round in 0..6 {
        if round % 2 == 1 {
            // Another process with the same name.
            node = house.node(1).await;
        }
        for (node, number) in [(&node, 0), (&other, 1)] {
            let at = node.clock() - HOUR + (2 * round + number) * SECOND;
            let before = house.signal_ids();
            node.record(vec![success(id, at), success(id, at)]).await;
            let after = house.signal_ids();
            let new: Vec<i64> = after
                .into_iter()
                .filter(|it| !before.contains(it))
                .collect();
            assert_eq!(new.len(), 2);
            given.push((number, new));
        }
    }
    for number in [0, 1] {
        let of_node = given.iter().filter(|(of, _)| *of == number);
        let ids: Vec<i64> = of_node.flat_map(|(_, ids)| ids.clone()).collect();
        assert!(ids.is_sorted(), "{ids:?}");
    }
    assert_eq!(house.count("signal"), 24);
    assert_eq!(node.state(id).await.signals, 24);
}

/// Its clock was set back meanwhile.
#[tokio::test]
async fn a_node_goes_on_after_the_last_id_that_it_gave() {
    let house = House::new();
    let node = house.node(1).await;
    let id = node.heartbeat(1, &hourly()).await;
    node.record(vec![success(id, node.clock())]).await;
    let first = house.signal_ids()[0];
    // It was an hour later then.
    let last = house.number(&format!(
        "UPDATE node SET last_id = last_id + {} RETURNING last_id",
        3_600_i64 << 31
    ));
    node.record(vec![success(id, node.clock())]).await;
    assert_eq!(house.signal_ids(), [first, last + 1]);
    assert_eq!(house.number("SELECT last_id FROM node"), last + 1);
}

/// Nobody has joined yet.
#[tokio::test]
async fn whoever_has_not_joined_writes_nothing() {
    let house = House::new();
    let url = house.database.url();
    let opened = nightbeat_store::Store::open_postgres(&url, nightbeat_store::Opener::Server).await;
    let opened = opened.unwrap();
    assert_eq!(opened.alive_until, None);
    let error = opened
        .store
        .claim(crate::cast::wish(nightbeat_domain::UnixMicros(0)));
    let error = error.await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
}
