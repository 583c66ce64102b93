//! Signals by slug: found, created, refused.

use nightbeat_domain::{Phase, Settings, SignalKind};
use nightbeat_store::Recorded::{Ambiguous, Broken, Counted, Created, Unknown};
use nightbeat_store::{Arrival, NewHeartbeat, Target};

use crate::cast::{Engine, House, PING_KEY, START, arrival, heartbeat_id, hourly, on_each_engine};

on_each_engine!(
    a_slug_with_the_ping_key_names_a_heartbeat,
    a_missing_one_is_created_by_its_first_signal_and_watched_from_then_on,
    one_that_an_earlier_signal_of_the_batch_asked_for_in_vain_is_created_all_the_same,
    a_wrong_ping_key_creates_nothing,
    a_slug_that_two_share_is_ambiguous_and_nothing_is_recorded,
    settings_of_a_batch_that_failed_are_not_mistaken_for_those_of_the_next,
);

fn by_slug(ping_key: &str, slug: &str, create: Option<(u32, Settings)>) -> Arrival {
    let create = create.map(|(number, settings)| {
        Box::new(NewHeartbeat {
            id: heartbeat_id(number),
            settings,
        })
    });
    let target = Target::Slug {
        ping_key: ping_key.to_owned(),
        slug: slug.to_owned(),
        create,
    };
    arrival(target, SignalKind::Success, START)
}

async fn a_slug_with_the_ping_key_names_a_heartbeat(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    let done = house
        .record(vec![
            by_slug(PING_KEY, "job-1", None),
            by_slug("another key", "job-1", None),
            by_slug(PING_KEY, "job-2", None),
        ])
        .await;
    assert_eq!(done.recorded, [Counted, Unknown, Unknown]);
    assert_eq!(house.state(id).await.signals, 1);
}

async fn a_missing_one_is_created_by_its_first_signal_and_watched_from_then_on(engine: Engine) {
    let house = House::on(engine).await;
    let create = |number| by_slug(PING_KEY, "new-job", Some((number, hourly())));
    let done = house.record(vec![create(1), create(2)]).await;
    assert_eq!(done.recorded, [Created, Counted]);
    let id = heartbeat_id(1);
    let state = house.state(id).await;
    assert_eq!((state.signals, state.phase), (2, Phase::Up));
    let watched: Vec<_> = done
        .watched
        .iter()
        .map(|it| (it.heartbeat, it.wake_at))
        .collect();
    assert_eq!(watched, [(id, state.wake_at)]);
    assert!(state.wake_at.is_some());
    assert_eq!(house.count("heartbeat"), 1);
    assert_eq!(house.record(vec![create(3)]).await.recorded, [Counted]);
}

async fn one_that_an_earlier_signal_of_the_batch_asked_for_in_vain_is_created_all_the_same(
    engine: Engine,
) {
    let house = House::on(engine).await;
    let id = heartbeat_id(1);
    let too_early = arrival(Target::Id(id), SignalKind::Success, START);
    let create = by_slug(PING_KEY, "new-job", Some((1, hourly())));
    let done = house.record(vec![too_early, create]).await;
    assert_eq!(done.recorded, [Unknown, Created]);
    assert_eq!(house.state(id).await.signals, 1);
}

async fn a_wrong_ping_key_creates_nothing(engine: Engine) {
    let house = House::on(engine).await;
    let stranger = by_slug("another key", "new-job", Some((1, hourly())));
    assert_eq!(house.record(vec![stranger]).await.recorded, [Unknown]);
    assert_eq!(house.count("heartbeat"), 0);
}

async fn a_slug_that_two_share_is_ambiguous_and_nothing_is_recorded(engine: Engine) {
    let house = House::on(engine).await;
    house.heartbeat(1, &hourly()).await;
    house.heartbeat(2, &hourly()).await;
    house.raw("UPDATE heartbeat SET slug = 'same'");
    let done = house
        .record(vec![
            by_slug(PING_KEY, "same", None),
            by_slug(PING_KEY, "same", Some((3, hourly()))),
        ])
        .await;
    assert_eq!(done.recorded, [Ambiguous, Ambiguous]);
    assert_eq!((house.count("signal"), house.count("heartbeat")), (0, 2));
}

/// Settings are cached by their row, and a row that was rolled back is given to other settings next.
async fn settings_of_a_batch_that_failed_are_not_mistaken_for_those_of_the_next(engine: Engine) {
    let house = House::on(engine).await;
    let strict = Settings {
        failure_threshold: 1,
        ..hourly()
    };
    let patient = Settings {
        failure_threshold: 3,
        ..hourly()
    };
    let failing = |number, settings| {
        let mut arrival = by_slug(PING_KEY, "new-job", Some((number, settings)));
        arrival.signal.kind = SignalKind::Fail;
        arrival
    };
    house.refuse("run");
    let refused = house.record(vec![failing(1, strict)]).await;
    assert_eq!(refused.recorded, [Broken]);
    assert_eq!(house.count("settings"), 0);
    house.allow("run");

    house.record(vec![failing(2, patient)]).await;
    assert_eq!(house.state(heartbeat_id(2)).await.phase, Phase::Up);
    assert_eq!(house.count("delivery"), 0, "one failure of three");
}
