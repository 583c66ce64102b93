//! Schedules in time zones: what the store does when nobody knows one any more.

use nightbeat_domain::{Phase, Schedule, Settings, ZoneData};
use nightbeat_store::Recorded::Counted;
use nightbeat_store::control::PageRequest;
use nightbeat_store::control::heartbeats;
use nightbeat_store::control::heartbeats::Filter;

use crate::cast::{ALICE, DAY, HOUR, House, START, success};

/// At 02:30 in Berlin; the story begins at 01:00 there.
fn nightly() -> Settings {
    Settings::new(Schedule::cron("30 2 * * *", "Europe/Berlin").unwrap())
}

/// The zone is in neither tzdata any more.
fn lose_berlin(house: &House) {
    house.raw(
        "UPDATE settings SET json = replace(json, 'Europe/Berlin', 'Atlantis/Old_Town');
         UPDATE delivery SET snapshot = replace(snapshot, 'Europe/Berlin', 'Atlantis/Old_Town')",
    );
}

#[tokio::test]
async fn a_heartbeat_whose_zone_is_gone_is_watched_and_told() {
    let house = House::new().await;
    let id = house.heartbeat(1, &nightly()).await;
    let ran_at = START + HOUR * 3 / 2;
    house.record(vec![success(id, ran_at)]).await;
    let expected = house.state(id).await.expected_at.unwrap();
    assert_eq!(expected, ran_at + DAY);
    lose_berlin(&house);

    let report = house.store.follow_zone_rules(ran_at + HOUR).await.unwrap();
    assert_eq!(report.moved, []);
    let zones: Vec<_> = report
        .zones
        .iter()
        .map(|zone| (zone.name.as_str(), zone.data))
        .collect();
    assert_eq!(zones, [("Atlantis/Old_Town", ZoneData::Missing)]);
    assert_eq!(report.zones[0].heartbeats, 1);

    // The list of heartbeats is still there, and says what is stored.
    let all = house.store.read(|sql| {
        heartbeats::list(
            sql,
            ALICE,
            &Filter::default(),
            START,
            &PageRequest::new(10, None),
        )
    });
    let page = all.await.unwrap();
    assert_eq!(
        page.items[0].settings.schedule.zone().unwrap().name(),
        "Atlantis/Old_Town"
    );

    house.elapse(id, expected + HOUR, vec![]).await;
    assert_eq!(house.state(id).await.phase, Phase::Down);
    // Its alert is queued and can be read, however old it is.
    lose_berlin(&house);
    let claim = nightbeat_store::outbox::Claim {
        now: expected + 2 * HOUR,
        lease_until: expected + 3 * HOUR,
        per_channel: 10,
        skip: vec![],
        digest_kinds: vec![],
    };
    assert_eq!(house.store.claim(claim).await.unwrap().len(), 2);

    let done = house.record(vec![success(id, expected + 3 * HOUR)]).await;
    assert_eq!(done.recorded, [Counted]);
    let state = house.state(id).await;
    assert_eq!(state.phase, Phase::Up);
    assert!(state.wake_at.is_some(), "it is still watched");
}

#[tokio::test]
async fn zones_are_surveyed_once_and_rules_that_stay_move_nothing() {
    let house = House::new().await;
    for number in 1..=2 {
        house.heartbeat(number, &nightly()).await;
    }
    let events = Schedule::on_calendar("02:00 Asia/Tokyo\nSat 12:00", "Europe/Berlin").unwrap();
    house.heartbeat(3, &Settings::new(events)).await;
    house.heartbeat(4, &crate::cast::hourly()).await;

    let zones = |report: &nightbeat_store::ZoneReport| -> Vec<_> {
        let zones = report.zones.iter();
        zones
            .map(|zone| (zone.name.clone(), zone.heartbeats, zone.changed))
            .collect()
    };
    let first = house.store.follow_zone_rules(START).await.unwrap();
    let tokyo = "Asia/Tokyo".to_owned();
    let berlin = "Europe/Berlin".to_owned();
    assert_eq!(
        zones(&first),
        [(tokyo.clone(), 1, true), (berlin.clone(), 3, true)]
    );
    assert_eq!(first.moved, []);
    let second = house.store.follow_zone_rules(START).await.unwrap();
    assert_eq!(zones(&second), [(tokyo, 1, false), (berlin, 3, false)]);
}

/// As if these rows had been written under other rules: half an hour before 02:30.
#[tokio::test]
async fn a_heartbeat_of_other_rules_is_moved_on_disk() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for number in 0..1_200 {
        ids.push(house.heartbeat(number, &nightly()).await);
    }
    let half = 1_800_000_000_i64;
    house.raw(&format!(
        "UPDATE heartbeat_state SET expected_at = expected_at - {half}
          WHERE hex(id) LIKE '%0' OR hex(id) LIKE '%8'"
    ));
    let before = house.state(ids[0]).await;
    let report = house.store.follow_zone_rules(START).await.unwrap();
    assert_eq!(report.moved.len(), 150, "one of eight, on several pages");
    let due = START + HOUR * 3 / 2;
    for moved in &report.moved {
        assert_eq!((moved.from.0, moved.to), (due.0 - half, due));
        let state = house.state(moved.heartbeat).await;
        assert_eq!(state.expected_at, Some(due));
        assert_eq!(state.moved.map(|it| it.from), Some(moved.from));
        assert_eq!(state.wake_at, Some(due + HOUR));
        assert_eq!(state.version, before.version + 1);
    }
}
