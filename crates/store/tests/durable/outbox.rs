//! Claiming and finishing deliveries on a real file: nobody waits for somebody else's trouble.

use std::time::Duration;

use nightbeat_domain::{ChannelId, SignalKind, UnixMicros};
use nightbeat_store::outbox::{
    Claim, ClaimedDelivery, DeliveryEnding, FinishedDelivery, OF_HEARTBEAT_MAX,
};
use nightbeat_store::{Opener, Store};
use uuid::Uuid;

use crate::cast::{HOOK, HOUR, House, MAIL, MINUTE, START, hourly, signal};

const LEASE: Duration = Duration::from_secs(120);

fn wish(now: UnixMicros) -> Claim {
    Claim {
        now,
        lease_until: now + LEASE,
        per_channel: 500,
        skip: Vec::new(),
        digest_kinds: Vec::new(),
    }
}

async fn claim(store: &Store, now: UnixMicros) -> Vec<ClaimedDelivery> {
    store.claim(wish(now)).await.unwrap()
}

/// The numbers of what is claimed for the channel by mail, which gets digests.
async fn claim_mail(house: &House, wish: Claim) -> Vec<i64> {
    let wish = Claim {
        skip: vec![HOOK],
        digest_kinds: vec!["email".to_owned()],
        ..wish
    };
    let claimed = house.store.claim(wish).await.unwrap();
    claimed.iter().map(|claimed| claimed.number).collect()
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

/// One that went down and came back `times` times, each within a second; the numbers of what its channel by
/// mail is to be told.
async fn flapping(number: u32, times: u64) -> (House, Vec<i64>) {
    let house = House::new().await;
    flap(&house, number, times).await;
    let all: String = house.one(&format!(
        "SELECT group_concat(number) FROM (SELECT number FROM delivery WHERE channel = x'{}' ORDER BY number)",
        MAIL.0.simple()
    ));
    let all = all.split(',').map(|number| number.parse().unwrap());
    (house, all.collect())
}

async fn flap(house: &House, number: u32, times: u64) {
    let id = house.heartbeat(number, &hourly()).await;
    for time in 0..times {
        let at = START + Duration::from_millis(1_000 * time);
        let back = at + Duration::from_millis(500);
        house.record(vec![signal(id, SignalKind::Fail, at)]).await;
        house
            .record(vec![signal(id, SignalKind::Success, back)])
            .await;
    }
}

#[tokio::test]
async fn where_digests_are_sent_all_that_waits_of_a_heartbeat_is_claimed_in_its_order() {
    let (house, all) = flapping(1, 4).await;
    assert_eq!(all.len(), 8);
    let now = START + MINUTE;
    let claimed = claim(&house.store, now).await;
    assert_eq!(
        channels(&claimed),
        [MAIL, HOOK],
        "one of each without digests"
    );
    for claimed in &claimed {
        let ending = DeliveryEnding::Released { next_try_at: now };
        finish(&house.store, claimed, now, ending).await;
    }
    let mut with_hook = wish(now);
    with_hook.digest_kinds = vec!["email".to_owned()];
    let claimed = house.store.claim(with_hook).await.unwrap();
    let of_mail = claimed.iter().filter(|it| it.channel == MAIL);
    assert_eq!(of_mail.map(|it| it.number).collect::<Vec<_>>(), all);
    let of_hook = claimed.iter().filter(|it| it.channel == HOOK);
    assert_eq!(of_hook.count(), 1, "a program gets every event");
}

#[tokio::test]
async fn what_was_claimed_together_is_free_together_when_its_claimer_is_gone() {
    let (house, all) = flapping(1, 3).await;
    let now = START + MINUTE;
    assert_eq!(claim_mail(&house, wish(now)).await, all);
    // One more comes: it waits behind what is being sent.
    let id = crate::cast::heartbeat_id(1);
    house.record(vec![signal(id, SignalKind::Fail, now)]).await;
    let before = now + LEASE - Duration::from_micros(1);
    assert!(claim_mail(&house, wish(before)).await.is_empty());
    let after = claim_mail(&house, wish(now + LEASE)).await;
    assert_eq!((after.len(), &after[..all.len()]), (7, &all[..]));
}

#[tokio::test]
async fn what_follows_is_claimed_as_far_as_it_is_due_and_travels_alike() {
    let (house, all) = flapping(1, 4).await;
    let now = START + MINUTE;
    let put = |column: &str, value: i64, number: i64| {
        house.raw(&format!(
            "UPDATE delivery SET {column} = {value} WHERE number = {number}"
        ));
    };
    put("next_try_at", (now + MINUTE).0, all[5]);
    assert_eq!(claim_mail(&house, wish(now)).await, all[..5]);
    house.raw("UPDATE delivery SET state = 'queued', next_try_at = created_at");
    put("digest", 1, all[3]);
    assert_eq!(claim_mail(&house, wish(now)).await, all[..3]);
    house.raw("UPDATE delivery SET state = 'queued', next_try_at = created_at");
    put("next_try_at", (now + MINUTE).0, all[0]);
    assert!(
        claim_mail(&house, wish(now)).await.is_empty(),
        "none overtakes"
    );
}

#[tokio::test]
async fn of_one_heartbeat_only_so_many_are_claimed_and_one_that_does_not_fit_waits_as_a_whole() {
    let (house, all) = flapping(1, 51).await;
    let now = START + MINUTE;
    assert_eq!(
        claim_mail(&house, wish(now)).await,
        all[..OF_HEARTBEAT_MAX as usize]
    );
    let (house, first) = flapping(1, 2).await;
    flap(&house, 2, 3).await;
    let mut few = wish(now);
    few.per_channel = 6;
    assert_eq!(claim_mail(&house, few.clone()).await, first);
    let second = claim_mail(&house, few).await;
    assert_eq!(second.len(), 6);
    assert!(second[0] > first[3]);
}
