//! Two nodes send what is in one outbox.

use std::collections::BTreeSet;

use nightbeat_domain::SignalKind;
use nightbeat_store::outbox::{Claim, ClaimedDelivery};

use crate::cast::{HOOK, House, MINUTE, Node, SECOND, hourly, sent, signal, success, wish};

/// Each heartbeat goes down and comes back: two alerts a channel.
async fn down_and_up(node: &Node, heartbeats: u32) {
    for number in 0..heartbeats {
        let id = node.heartbeat(number, &hourly()).await;
        let at = node.clock();
        node.record(vec![
            signal(id, SignalKind::Fail, at),
            success(id, at + SECOND),
        ])
        .await;
    }
}

fn names(claimed: &[ClaimedDelivery]) -> Vec<(i64, &'static str)> {
    let event = |it: &ClaimedDelivery| nightbeat_store::event(&it.snapshot.alert);
    claimed.iter().map(|it| (it.number, event(it))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_delivery_is_claimed_by_one_and_up_comes_after_down() {
    let house = House::new();
    let (one, two) = (house.node(1).await, house.node(2).await);
    down_and_up(&one, 12).await;
    let mut now = one.clock() + MINUTE;
    let mut seen = BTreeSet::new();
    for event in ["down", "up"] {
        let (first, second) = tokio::join!(one.claim(now), two.claim(now));
        let both = [first, second].concat();
        assert_eq!(both.len(), 24, "{event}");
        for (number, of) in names(&both) {
            assert!(seen.insert(number), "{number} was claimed twice");
            assert_eq!(of, event);
        }
        assert_eq!(one.claim(now).await, [], "what follows waits for them");
        let finished = both.iter().map(|it| sent(it, now)).collect();
        // Whoever claimed it: the claim's number counts.
        two.store.finish(finished).await.unwrap();
        now = now + SECOND;
    }
    assert_eq!(house.count("delivery WHERE state = 'sent'"), 48);
    assert_eq!(house.count("attempt"), 48);
}

/// One message tells a heartbeat's alerts together: whoever misses the first leaves the others too.
#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_delivery_that_another_node_took_is_left() {
    let house = House::new();
    let node = house.node(1).await;
    down_and_up(&node, 1).await;
    let digests = Claim {
        digest_kinds: vec!["webhook".to_owned()],
        skip: vec![crate::cast::MAIL],
        ..wish(node.clock() + MINUTE)
    };
    // Another node is about to claim only the first: the second came later.
    let first = house.number(&format!(
        "SELECT min(number) FROM delivery WHERE channel = '\\x{}'",
        HOOK.0.simple()
    ));
    let other = house
        .hold(&format!(
            "UPDATE delivery SET state = 'sending', claim = 1, next_try_at = next_try_at + 120000000
              WHERE number = {first}"
        ))
        .await;
    let released = async {
        house.until_blocked(1).await;
        other.release().await;
    };
    let (claimed, ()) = tokio::join!(node.store.claim(digests.clone()), released);
    assert_eq!(claimed.unwrap(), [], "up would come before down");
    // When the other's claim is over, both go.
    let later = Claim {
        now: digests.now + 3 * MINUTE,
        lease_until: digests.now + 5 * MINUTE,
        ..digests
    };
    let claimed = node.store.claim(later).await.unwrap();
    assert_eq!(claimed.len(), 2);
    assert_eq!(claimed[0].claim, 2);
}
