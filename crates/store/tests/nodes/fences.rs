//! A node that was taken for lost changes nothing any more; whoever takes it for lost waits for what it has
//! under way.

use nightbeat_domain::nodes::NODE_LEASE;
use nightbeat_domain::{Gap, GapKind};
use nightbeat_store::StoreError;
use nightbeat_store::hot::Record;

use crate::cast::{House, Node, SECOND, creating, due, hourly, success, wish};

async fn is_fenced(node: &Node, house: &House) {
    let id = crate::cast::heartbeat_id(1);
    let before = house.count("signal");
    let errors = [
        {
            let batch = node.batch(vec![success(id, node.clock())]);
            node.store.record(batch).await.unwrap_err()
        },
        node.store
            .elapse(due(&[id], node.clock()))
            .await
            .unwrap_err(),
        node.store.claim(wish(node.clock())).await.unwrap_err(),
        node.store.finish(Vec::new()).await.unwrap_err(),
        node.store
            .leave(Vec::new(), node.clock())
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    }
    assert_eq!(house.count("signal"), before);
}

#[tokio::test]
async fn a_node_whose_lease_is_over_stores_nothing_even_if_nobody_noticed() {
    let house = House::new();
    let mut node = house.node(1).await;
    node.heartbeat(1, &hourly()).await;
    house.end_lease(1);
    is_fenced(&node, &house).await;
    assert_eq!(node.gaps().await, []);
    let watermark = node.clock();
    node.join_again().await;
    let gap = |kind| Gap {
        from: watermark,
        to: node.clock(),
        kind,
    };
    // Its own, and everybody's: they are the same stretch.
    assert_eq!(node.gaps().await, [gap(GapKind::Stopped)]);
    node.come_to(node.clock()).await;
}

#[tokio::test]
async fn a_node_that_is_silent_is_taken_for_lost_and_leaves_a_gap() {
    let house = House::new();
    let (one, mut two) = (house.node(1).await, house.node(2).await);
    let id = one.heartbeat(1, &hourly()).await;
    let before = one.come_to(one.clock()).await.renewed.unwrap();
    house.end_lease(2);
    let reaped = one.elapse(&[id], one.clock()).await.renewed.unwrap();
    let after = one.come_to(one.clock()).await.renewed.unwrap();
    assert!(after.generation > before.generation);
    assert_eq!(
        one.gaps().await,
        [Gap {
            from: two.clock(),
            to: reaped.clock,
            kind: GapKind::Stopped
        }]
    );
    is_fenced(&two, &house).await;
    two.join_again().await;
    assert_eq!(two.joined.gaps, [], "it is known already");
    assert_eq!(one.gaps().await.len(), 1);
    two.record(vec![success(id, two.clock())]).await;
    assert_eq!(house.count("signal"), 1);
}

#[tokio::test]
async fn a_node_that_joined_anew_fences_its_older_self() {
    let house = House::new();
    let old = house.node(1).await;
    old.heartbeat(1, &hourly()).await;
    let new = house.node(1).await;
    assert_eq!(new.joined.lease.epoch, old.joined.lease.epoch + 2);
    is_fenced(&old, &house).await;
    new.come_to(new.clock()).await;
}

/// Its transaction has begun while its lease held. By the time that it commits, the other's time is past it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_a_node_for_lost_waits_for_its_transaction() {
    let house = House::new();
    let (one, two) = (house.node(1).await, house.node(2).await);
    let id = one.heartbeat(1, &hourly()).await;
    let received_at = two.clock() + SECOND;
    let project = house.hold("UPDATE project SET name = name").await;
    let batch = Record {
        watermark: received_at,
        now: received_at,
        ..one.batch(vec![
            success(id, received_at),
            creating(2, "new", received_at),
        ])
    };
    let in_flight = one.store.record(batch);
    let reaping = async {
        house.until_blocked(1).await;
        let later = two.clock() + NODE_LEASE;
        two.come_to(later - SECOND).await;
        two.come_to(later + 5 * SECOND).await;
        let reaped = two.come_to(later + 5 * SECOND);
        let released = async {
            house.until_blocked(2).await;
            assert_eq!(house.count("node WHERE gone = 1"), 0, "it waits");
            project.release().await;
        };
        let (reaped, ()) = tokio::join!(reaped, released);
        reaped
    };
    let (stored, reaped) = tokio::join!(in_flight, reaping);
    assert_eq!(stored.unwrap().recorded.len(), 2);
    assert_eq!(house.count("signal"), 2);
    assert_eq!(house.count("node WHERE gone = 1"), 1);
    let lost = Gap {
        // Not from where it stood as the other began to look.
        from: received_at,
        to: reaped.renewed.unwrap().clock,
        kind: GapKind::Stopped,
    };
    assert_eq!(two.gaps().await, [lost]);
    is_fenced(&one, &house).await;
}

/// A gap that a node could not tell before it ended is told as it leaves.
#[tokio::test]
async fn what_a_node_has_not_told_it_tells_as_it_leaves() {
    let house = House::new();
    let (one, two) = (house.node(1).await, house.node(2).await);
    let gap = Gap {
        from: one.clock() - SECOND,
        to: one.clock(),
        kind: GapKind::Refused,
    };
    one.store.leave(vec![gap], two.clock()).await.unwrap();
    assert_eq!(two.gaps().await, [gap]);
    let id = two.due_at(1, two.clock() + SECOND).await;
    let judged = two.elapse(&[id], two.clock() + 2 * SECOND).await;
    assert_eq!(judged.deliveries, 2, "it is not waited for any more");
}
