//! A project is removed while nodes record its signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nightbeat_store::Recorded::{Counted, Created, Unknown};
use nightbeat_store::control::{projects, prune_removed};

use crate::cast::{ALICE, House, Node, creating, heartbeat_id, hourly, success};

/// How many heartbeats there are at first, of which three are removed in one transaction.
const HEARTBEATS: u32 = 20;

/// Records a signal of one heartbeat after the other, each with one that asks for another to be created; of all of
/// them once more after the project is gone.
async fn keep_signalling(node: Node, first_new: u32, is_gone: Arc<AtomicBool>) -> Node {
    let now = node.clock();
    for turn in 0.. {
        let was_gone = is_gone.load(Ordering::Acquire);
        let new = first_new + turn;
        let numbers = if was_gone {
            0..HEARTBEATS
        } else {
            turn % HEARTBEATS..turn % HEARTBEATS + 1
        };
        let signals = numbers.map(|number| success(heartbeat_id(number), now));
        let mut arrivals: Vec<_> = signals.collect();
        arrivals.push(creating(new, &format!("new-{new}"), now));
        for recorded in node.record(arrivals).await.recorded {
            let expected: &[_] = if was_gone {
                &[Unknown]
            } else {
                &[Counted, Created, Unknown]
            };
            assert!(expected.contains(&recorded), "{recorded:?}");
        }
        if was_gone {
            break;
        }
    }
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_removed_beside_nodes_that_record_its_signals() {
    let house = House::new();
    let (one, two) = (house.node(1).await, house.node(2).await);
    let remover = house.node(3).await;
    let mut ids = Vec::new();
    for number in 0..HEARTBEATS {
        ids.push(one.heartbeat(number, &hourly()).await);
    }
    let is_gone = Arc::new(AtomicBool::new(false));
    let first = tokio::spawn(keep_signalling(one, 1_000, Arc::clone(&is_gone)));
    let second = tokio::spawn(keep_signalling(two, 2_000, Arc::clone(&is_gone)));
    while house.count("signal") == 0 {
        tokio::task::yield_now().await;
    }
    let store = &remover.store;
    assert!(
        store
            .write(|sql| projects::remove(sql, ALICE))
            .await
            .unwrap()
    );
    let some = || store.write(|sql| projects::remove_heartbeats(sql, ALICE, 3));
    while some().await.unwrap() > 0 {}
    is_gone.store(true, Ordering::Release);
    let one = first.await.unwrap();
    second.await.unwrap();
    for table in ["project", "heartbeat", "heartbeat_state"] {
        assert_eq!(house.count(table), 0, "{table}");
    }
    // Nobody judges what is gone.
    assert_eq!(one.elapse(&ids, one.clock()).await.watched, []);
    while store.write(|sql| prune_removed(sql, 50)).await.unwrap() > 0 {}
    for table in ["signal", "run", "removed_heartbeat", "removed_project"] {
        assert_eq!(house.count(table), 0, "{table}");
    }
}
