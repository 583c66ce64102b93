//! Claiming and finishing deliveries on a real file: nobody waits for somebody else's trouble.

use std::time::Duration;

use nightbeat_domain::{ChannelId, SignalKind, UnixMicros};
use nightbeat_store::outbox::{Claim, ClaimedDelivery, DeliveryEnding, FinishedDelivery};
use nightbeat_store::{Opener, Store};
use uuid::Uuid;

use crate::cast::{HOOK, HOUR, House, MAIL, MINUTE, START, hourly, signal};

const LEASE: Duration = Duration::from_secs(120);

async fn claim(store: &Store, now: UnixMicros) -> Vec<ClaimedDelivery> {
    let wish = Claim {
        now,
        lease_until: now + LEASE,
        per_channel: 500,
        skip: Vec::new(),
    };
    store.claim(wish).await.unwrap()
}

async fn finish(store: &Store, claimed: &ClaimedDelivery, now: UnixMicros, ending: DeliveryEnding) {
    let finished = FinishedDelivery {
        number: claimed.number,
        claim: claimed.claim,
        began_at: now,
        took: Duration::from_millis(30),
        ending,
    };
    store.finish(vec![finished]).await.unwrap();
}

fn failed(next_try_at: UnixMicros) -> DeliveryEnding {
    DeliveryEnding::Failed {
        detail: "503".to_owned(),
        next_try_at: Some(next_try_at),
    }
}

fn sent() -> DeliveryEnding {
    DeliveryEnding::Sent {
        detail: "200".to_owned(),
    }
}

fn channels(claimed: &[ClaimedDelivery]) -> Vec<ChannelId> {
    claimed.iter().map(|claimed| claimed.channel).collect()
}

/// One heartbeat that is down, and told to both channels.
async fn down() -> House {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house
        .record(vec![signal(id, SignalKind::Fail, START)])
        .await;
    house
}

#[tokio::test]
async fn a_channel_is_served_however_many_others_wait_for_their_next_try() {
    let house = down().await;
    // Three hundred channels whose receivers are gone: each has one delivery that is tried again later.
    for number in 0..300_u128 {
        let channel = Uuid::from_u128(0xdead_0000 + number).simple();
        house.raw(&format!(
            "INSERT INTO delivery (id, project, channel, heartbeat, event, digest, snapshot, state,
                                   created_at, next_try_at, attempts, claim, fallback)
             SELECT x'{channel}', project, x'{channel}', x'{channel}', event, digest, snapshot, 'queued',
                    created_at, {later}, 9, 9, 2 FROM delivery WHERE channel = x'{mail}'",
            later = (START + HOUR).0,
            mail = MAIL.0.simple(),
        ));
    }
    house.raw(&format!(
        "UPDATE delivery SET channel = x'ffffffffffffffffffffffffffffffff' WHERE channel = x'{}';
         INSERT INTO channel SELECT x'ffffffffffffffffffffffffffffffff', project, 'last', kind, fields,
                created_at, version FROM channel WHERE id = x'{}'",
        HOOK.0.simple(),
        HOOK.0.simple(),
    ));
    let claimed = channels(&claim(&house.store, START).await);
    assert_eq!(claimed, [MAIL, ChannelId(Uuid::max())]);
}

#[tokio::test]
async fn a_channel_that_cannot_be_read_holds_up_no_other_and_the_fallback_helps() {
    let house = down().await;
    house.raw(&format!(
        "UPDATE channel SET fields = 'not json' WHERE id = x'{}'",
        MAIL.0.simple()
    ));
    assert_eq!(channels(&claim(&house.store, START).await), [HOOK]);
    let error: String = house.one("SELECT last_error FROM delivery WHERE state = 'queued'");
    assert!(error.contains("cannot be read"), "{error}");
    house.raw(&format!(
        "UPDATE channel SET fields = '{{}}' WHERE id = x'{}'",
        MAIL.0.simple()
    ));
    let later = START + MINUTE;
    assert_eq!(channels(&claim(&house.store, later).await), [MAIL]);
}

#[tokio::test]
async fn an_alert_that_cannot_be_read_holds_up_no_other() {
    let house = down().await;
    house.raw(&format!(
        "UPDATE project SET fallback_channel = x'{}';
         UPDATE delivery SET snapshot = 'not json' WHERE channel = x'{}'",
        HOOK.0.simple(),
        MAIL.0.simple()
    ));
    // After two minutes the fallback channel gets copies of what is not delivered.
    let later = START + 3 * MINUTE;
    assert_eq!(channels(&claim(&house.store, later).await), [HOOK]);
    let state: String = house.one("SELECT state FROM delivery WHERE snapshot = 'not json'");
    assert_eq!(state, "failing");
}

#[tokio::test]
async fn up_waits_for_its_down_also_while_that_is_tried_again() {
    let house = down().await;
    let id = crate::cast::heartbeat_id(1);
    house
        .record(vec![signal(id, SignalKind::Success, START + MINUTE)])
        .await;
    let first = claim(&house.store, START + MINUTE).await;
    assert_eq!(channels(&first), [MAIL, HOOK]);
    let retry = START + 5 * MINUTE;
    finish(&house.store, &first[0], START + MINUTE, failed(retry)).await;
    finish(&house.store, &first[1], START + MINUTE, sent()).await;
    let second = claim(&house.store, START + 2 * MINUTE).await;
    assert_eq!(
        channels(&second),
        [HOOK],
        "the mail's down has not got through"
    );
    assert!(second[0].number > first[0].number);
    finish(&house.store, &second[0], START + 2 * MINUTE, sent()).await;
    let third = claim(&house.store, retry).await;
    assert_eq!(
        third.iter().map(|it| it.number).collect::<Vec<_>>(),
        [first[0].number]
    );
    finish(&house.store, &third[0], retry, sent()).await;
    assert_eq!(channels(&claim(&house.store, retry).await), [MAIL]);
}

#[tokio::test]
async fn a_claim_that_ran_out_may_be_taken_over_and_then_finishes_nothing() {
    let house = down().await;
    let lost = claim(&house.store, START).await;
    let before = START + LEASE - Duration::from_micros(1);
    assert_eq!(claim(&house.store, before).await, []);
    let again = claim(&house.store, START + LEASE).await;
    assert_eq!((again[0].number, again[0].attempts), (lost[0].number, 2));
    finish(&house.store, &lost[0], START + LEASE, sent()).await;
    assert_eq!(house.count("delivery WHERE state = 'sending'"), 2);
    finish(&house.store, &again[0], START + LEASE, sent()).await;
    assert_eq!(house.count("delivery WHERE state = 'sent'"), 1);
}

#[tokio::test]
async fn a_server_that_begins_frees_what_was_under_way_when_the_last_one_died() {
    let house = down().await;
    assert_eq!(claim(&house.store, START).await.len(), 2);
    assert_eq!(claim(&house.store, START).await, [], "leased");
    // One of them has been under way so often that it may be what kills its server.
    house.raw(&format!(
        "UPDATE delivery SET attempts = 9 WHERE channel = x'{}'",
        MAIL.0.simple()
    ));
    let path = house.path();
    let House { folder, store, .. } = house;
    drop(store);
    let store = Store::open_sqlite(&path, Opener::Server).unwrap().store;
    assert_eq!(channels(&claim(&store, START).await), [HOOK]);
    drop(folder);
}
