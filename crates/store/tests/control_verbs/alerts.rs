//! Deliveries, and what they say of their channel.

use std::time::Duration;

use nightbeat_domain::{ChannelId, DeliveryId, HeartbeatId, IncidentId};
use nightbeat_store::control::channels::{self, Health};
use nightbeat_store::control::deliveries::{self, DeliveryState, Filter};
use uuid::Uuid;

use crate::world::{
    ALICE, Engine, MALLORY, World, at, first_page, heartbeat_id, next_page, on_each_engine,
};

on_each_engine!(
    deliveries_are_listed_newest_first_and_filtered,
    a_delivery_comes_with_its_attempts,
    only_what_failed_for_good_is_dismissed,
    a_channel_is_as_healthy_as_its_deliveries,
    alerts_that_wait_for_a_deleted_channel_are_cancelled,
);

fn delivery_id(number: i64) -> DeliveryId {
    DeliveryId(Uuid::from_u128(0xd000 - number as u128))
}

/// A delivery of Alice's with this number, decided in that second.
fn delivery(world: &World, number: i64, channel: ChannelId, heartbeat: HeartbeatId, state: &str) {
    let sent = state == "sent";
    world.raw(
        "INSERT INTO delivery (number, id, project, channel, heartbeat, incident, event, digest, snapshot,
                               state, created_at, next_try_at, attempts, claim, last_error, sent_at, fallback)
         VALUES ($1, $2, $3, $4, $5, $6, 'down', 0, '{}', $7, $8, $9, 2, 2, $10, $11, 0)",
        &[
            number.into(),
            delivery_id(number).into(),
            ALICE.into(),
            channel.into(),
            heartbeat.into(),
            IncidentId::derive(heartbeat, 1).into(),
            state.into(),
            at(number).into(),
            (state == "queued").then(|| at(number + 5)).into(),
            (!sent).then(|| format!("trouble {number}")).into(),
            sent.then(|| at(number + 1)).into(),
        ],
    );
}

fn deliveries_are_listed_newest_first_and_filtered(engine: Engine) {
    let world = World::new(engine);
    let (hook, mail) = (
        world.channel(ALICE, 1, "hook"),
        world.channel(ALICE, 2, "mail"),
    );
    let (first, second) = (heartbeat_id(1), heartbeat_id(2));
    delivery(&world, 1, hook, first, "sent");
    delivery(&world, 2, mail, first, "queued");
    delivery(&world, 3, hook, second, "failing");
    delivery(&world, 4, mail, second, "sent");
    let walk = |project, filter: Filter| {
        let mut seen = Vec::new();
        let mut request = first_page(1);
        loop {
            let page = deliveries::list(&mut world.sql(), project, &filter, &request).unwrap();
            seen.extend(page.items.iter().map(|delivery| delivery.number));
            if page.next.is_none() {
                return seen;
            }
            request = next_page(1, page.next);
        }
    };
    let all = Filter::default();
    assert_eq!(walk(ALICE, all), [4, 3, 2, 1]);
    let state = Some(DeliveryState::Sent);
    assert_eq!(walk(ALICE, Filter { state, ..all }), [4, 1]);
    assert_eq!(
        walk(
            ALICE,
            Filter {
                heartbeat: Some(first),
                ..all
            }
        ),
        [2, 1]
    );
    assert_eq!(
        walk(
            ALICE,
            Filter {
                channel: Some(hook),
                ..all
            }
        ),
        [3, 1]
    );
    let channel = Some(mail);
    assert_eq!(
        walk(
            ALICE,
            Filter {
                state,
                channel,
                ..all
            }
        ),
        [4]
    );
    assert!(walk(MALLORY, all).is_empty());
    assert!(walk(MALLORY, Filter { channel, ..all }).is_empty());
}

fn a_delivery_comes_with_its_attempts(engine: Engine) {
    let world = World::new(engine);
    let hook = world.channel(ALICE, 1, "hook");
    delivery(&world, 7, hook, heartbeat_id(1), "sent");
    for (number, ok, detail) in [(1, false, "500"), (2, true, "200")] {
        world.raw(
            "INSERT INTO attempt (delivery, number, at, duration, ok, detail)
             VALUES (7, $1, $2, 1500, $3, $4)",
            &[number.into(), at(number).into(), ok.into(), detail.into()],
        );
    }
    let id = delivery_id(7);
    let (found, attempts) = deliveries::get(&mut world.sql(), ALICE, id)
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.id, found.number, found.event.as_str()),
        (id, 7, "down")
    );
    assert_eq!(found.state, DeliveryState::Sent);
    assert_eq!(found.channel_name.as_deref(), Some("hook"));
    assert_eq!(found.incident, Some(IncidentId::derive(heartbeat_id(1), 1)));
    assert_eq!((found.created_at, found.sent_at), (at(7), Some(at(8))));
    assert_eq!((found.next_try_at, found.attempt_count), (None, 2));
    let told: Vec<_> = attempts
        .iter()
        .map(|it| (it.at, it.ok, it.detail.as_str()))
        .collect();
    assert_eq!(told, [(at(1), false, "500"), (at(2), true, "200")]);
    assert_eq!(attempts[0].duration, Duration::from_micros(1500));
    assert_eq!(
        deliveries::get(&mut world.sql(), MALLORY, id).unwrap(),
        None
    );

    assert!(channels::delete(&mut world.sql(), ALICE, hook, None).unwrap());
    let (found, _) = deliveries::get(&mut world.sql(), ALICE, id)
        .unwrap()
        .unwrap();
    assert_eq!((found.channel, found.channel_name), (hook, None));
}

fn only_what_failed_for_good_is_dismissed(engine: Engine) {
    let world = World::new(engine);
    let hook = world.channel(ALICE, 1, "hook");
    delivery(&world, 1, hook, heartbeat_id(1), "failing");
    delivery(&world, 2, hook, heartbeat_id(1), "queued");
    let dismiss = |project, number| {
        deliveries::dismiss(&mut world.sql(), project, delivery_id(number), at(50)).unwrap()
    };
    assert!(!dismiss(MALLORY, 1));
    assert!(!dismiss(ALICE, 2));
    assert!(dismiss(ALICE, 1));
    assert!(!dismiss(ALICE, 1), "only once");
    let (found, _) = deliveries::get(&mut world.sql(), ALICE, delivery_id(1))
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.state, found.dismissed_at),
        (DeliveryState::Failing, Some(at(50)))
    );
}

fn a_channel_is_as_healthy_as_its_deliveries(engine: Engine) {
    let world = World::new(engine);
    let (hook, mail) = (
        world.channel(ALICE, 1, "hook"),
        world.channel(ALICE, 2, "mail"),
    );
    let heartbeat = heartbeat_id(1);
    let health = |project| channels::health(&mut world.sql(), project, hook).unwrap();
    assert_eq!(health(ALICE), Health::default());

    delivery(&world, 1, hook, heartbeat, "sent");
    delivery(&world, 2, mail, heartbeat, "failing");
    let sent = Health {
        last_sent_at: Some(at(2)),
        ..Health::default()
    };
    assert_eq!(health(ALICE), sent);

    delivery(&world, 3, hook, heartbeat, "failing");
    delivery(&world, 4, hook, heartbeat, "failing");
    let failing = Health {
        last_error: Some("trouble 4".to_owned()),
        failing: 2,
        ..sent.clone()
    };
    assert_eq!(health(ALICE), failing);
    assert_eq!(health(MALLORY), Health::default());

    for number in [3, 4] {
        deliveries::dismiss(&mut world.sql(), ALICE, delivery_id(number), at(9)).unwrap();
    }
    assert_eq!(health(ALICE), sent);
    delivery(&world, 5, hook, heartbeat, "queued");
    assert_eq!(health(ALICE).last_error.as_deref(), Some("trouble 5"));
}

fn alerts_that_wait_for_a_deleted_channel_are_cancelled(engine: Engine) {
    let world = World::new(engine);
    let (hook, mail) = (
        world.channel(ALICE, 1, "hook"),
        world.channel(ALICE, 2, "mail"),
    );
    for (number, channel, state) in [
        (1, hook, "queued"),
        (2, hook, "sending"),
        (3, hook, "sent"),
        (4, mail, "queued"),
    ] {
        delivery(&world, number, channel, heartbeat_id(1), state);
    }
    assert!(channels::delete(&mut world.sql(), ALICE, hook, None).unwrap());
    let page = deliveries::list(&mut world.sql(), ALICE, &Filter::default(), &first_page(9));
    let items = page.unwrap().items;
    let told: Vec<_> = items.iter().map(|it| (it.number, it.state)).collect();
    assert_eq!(
        told,
        [
            (4, DeliveryState::Queued),
            (3, DeliveryState::Sent),
            (2, DeliveryState::Cancelled),
            (1, DeliveryState::Cancelled),
        ]
    );
    assert_eq!(items[3].next_try_at, None);
    assert_eq!(
        items[3].last_error.as_deref(),
        Some("the channel was removed")
    );
}
