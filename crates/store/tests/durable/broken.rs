//! A heartbeat that cannot be read: it is told, it is shown, it costs nobody else, and it comes back.

use nightbeat_domain::{
    AlertSnapshot, Cause, Claim, HeartbeatId, Phase, Schedule, Settings, Status, UnixMicros,
};
use nightbeat_store::Recorded::{Broken, Counted};
use nightbeat_store::control::heartbeats::{self, Filter, Heartbeat};
use nightbeat_store::control::{PageRequest, incidents};
use nightbeat_store::hot::Done;
use nightbeat_store::people::{Step, Taken, take_step};
use nightbeat_store::{Opener, Store, StoreError};

use crate::cast::{
    ALICE, DAY, HOOK, HOUR, House, MAIL, MINUTE, PING_KEY, START, arrival, heartbeat_id, hourly,
    success,
};

const DEADLINE: UnixMicros = UnixMicros(START.0 + 7_200_000_000);

/// One that was well until `START`, broken by this change of its row.
async fn broken_by(change: &str) -> (House, HeartbeatId) {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    house.raw(change);
    // Settings that were read once are kept in memory.
    (reopened(house), id)
}

const NO_STATE: &str = "UPDATE heartbeat_state SET rare = 'not json'";
const NO_SETTINGS: &str = "UPDATE settings SET json = '{}'";

fn reopened(house: House) -> House {
    let path = house.path();
    let House { store, folder, .. } = house;
    drop(store);
    let store = Store::open_sqlite(&path, Opener::Server).unwrap().store;
    House::of(store, folder)
}

async fn judged(house: &House, id: HeartbeatId, at: UnixMicros) -> Done {
    house.elapse(id, at, vec![]).await
}

/// The newest delivery's event and what it tells.
fn last_told(house: &House) -> (String, AlertSnapshot) {
    let newest = "FROM delivery ORDER BY number DESC LIMIT 1";
    let snapshot: String = house.one(&format!("SELECT snapshot {newest}"));
    let event = house.one(&format!("SELECT event {newest}"));
    (event, serde_json::from_str(&snapshot).unwrap())
}

async fn shown(house: &House, id: HeartbeatId) -> Heartbeat {
    let found = house
        .store
        .read(move |sql| heartbeats::get(sql, ALICE, id))
        .await;
    found.unwrap().unwrap()
}

async fn step(
    house: &House,
    id: HeartbeatId,
    step: Step,
    now: UnixMicros,
) -> Result<Taken, StoreError> {
    let taken = house
        .store
        .write(move |sql| take_step(sql, ALICE, id, &step, now));
    taken.await.map(Option::unwrap)
}

#[tokio::test]
async fn whatever_cannot_be_read_is_told_once_to_every_channel() {
    for (change, place) in [
        (NO_STATE, "table heartbeat_state, column rare"),
        (NO_SETTINGS, "table settings, column json"),
        ("DELETE FROM settings", "no rows"),
        (
            "DELETE FROM heartbeat_state",
            "table heartbeat_state, column id",
        ),
        ("UPDATE heartbeat_state SET phase = 77", "column phase"),
        (
            "UPDATE heartbeat_state SET alerts = -1, incidents = -1",
            "column incidents",
        ),
    ] {
        let (house, id) = broken_by(change).await;
        let done = judged(&house, id, DEADLINE).await;
        assert_eq!(done.deliveries, 2, "{change}: two channels");
        let (event, told) = last_told(&house);
        let incident = told.alert.incident.clone().unwrap();
        assert_eq!(event, "down", "{change}");
        assert_eq!(
            (incident.cause, incident.claim),
            (Cause::Internal, Claim::Unverified)
        );
        assert_eq!(incident.opened_at, DEADLINE);
        assert_eq!(told.alert.status, Status::Unverified);
        let names = (
            told.heartbeat.name.as_str(),
            told.heartbeat.project_name.as_str(),
        );
        assert_eq!(names, ("job 1", "Alice"));
        let problem = told.alert.problem.unwrap();
        assert!(problem.contains(place), "{change}: {problem}");
        assert!(!problem.contains(&id.to_string()), "{problem}");
        assert_eq!(house.store.broken_heartbeats().await.unwrap(), 1);

        for later in [MINUTE, HOUR, 23 * HOUR] {
            assert_eq!(judged(&house, id, DEADLINE + later).await.deliveries, 0);
        }
        let house = reopened(house);
        let again = judged(&house, id, DEADLINE + 23 * HOUR).await;
        assert_eq!(again.deliveries, 0, "{change}: a restart is no news");
        let next_day = judged(&house, id, DEADLINE + DAY).await;
        assert_eq!(next_day.deliveries, 2, "{change}: a day later it still is");
        assert_eq!(last_told(&house).0, "reminder");
        assert_eq!(
            judged(&house, id, DEADLINE + DAY + HOUR).await.deliveries,
            0
        );
        assert_eq!(house.count("incident"), 1);
    }
}

/// A later version may refuse an expression that an earlier one took.
#[tokio::test]
async fn a_schedule_that_is_refused_now_is_told_and_shown() {
    let house = House::new().await;
    let cron = Settings::new(Schedule::cron("30 3 * * *", "UTC").unwrap());
    let (id, other) = (
        house.heartbeat(1, &cron).await,
        house.heartbeat(2, &hourly()).await,
    );
    house
        .record(vec![success(id, START), success(other, START)])
        .await;
    house.raw("UPDATE settings SET json = replace(json, '30 3 * * *', '30 3 * * mo#5-tu')");
    let house = reopened(house);
    let signals = vec![success(other, START + HOUR), success(id, START + HOUR)];
    let done = house.record(signals).await;
    assert_eq!(done.recorded, [Counted, Broken]);
    assert_eq!(done.deliveries, 2);
    let (_, told) = last_told(&house);
    assert!(
        told.alert
            .problem
            .unwrap()
            .contains("table settings, column json")
    );
    assert_eq!(
        told.alert.last_success_at,
        Some(START),
        "what can be read is told"
    );

    let page = PageRequest::default();
    let list = house
        .store
        .read(move |sql| heartbeats::list(sql, ALICE, &Filter::default(), START + HOUR, &page));
    let list = list.await.unwrap().items;
    let statuses: Vec<Status> = list.iter().map(|it| it.status(START + HOUR)).collect();
    assert_eq!(statuses, [Status::Unverified, Status::Up]);
    assert!(list[0].unreadable.settings && !list[0].unreadable.state);
    assert_eq!(list[0].unreadable.problems.len(), 1);
    assert!(list[1].unreadable.is_nothing());

    let report = house.store.check().await.unwrap().to_string();
    let line = "problem  heartbeats that cannot be read: 00000000…: nobody watches it since";
    assert!(report.contains(line), "{report}");
    assert!(!report.contains(&id.to_string()), "{report}");
}

#[tokio::test]
async fn a_signal_by_slug_tells_it_too() {
    let (house, id) = broken_by(NO_STATE).await;
    let by_slug = nightbeat_store::Target::Slug {
        ping_key: PING_KEY.to_owned(),
        slug: "job-1".to_owned(),
        create: None,
    };
    let signal = arrival(by_slug, nightbeat_domain::SignalKind::Success, START + HOUR);
    let done = house.record(vec![signal.clone()]).await;
    assert_eq!((done.recorded, done.deliveries), (vec![Broken], 2));
    assert_eq!(house.record(vec![signal]).await.deliveries, 0);
    assert_eq!(
        judged(&house, id, DEADLINE).await.deliveries,
        0,
        "told already"
    );
}

#[tokio::test]
async fn it_goes_where_its_alerts_go_and_everywhere_when_that_cannot_be_read() {
    for (routed, expected) in [(format!("[\"{HOOK}\"]"), 1), ("some".to_owned(), 2)] {
        let (house, id) = broken_by(NO_STATE).await;
        house.raw(&format!(
            "UPDATE heartbeat SET channels = '{routed}', tags = 'x'"
        ));
        assert_eq!(judged(&house, id, DEADLINE).await.deliveries, expected);
        let mail = format!(
            "SELECT count(*) FROM delivery WHERE channel = x'{}'",
            MAIL.0.simple()
        );
        assert_eq!(house.one::<i64>(&mail), i64::from(expected) - 1);
    }
}

#[tokio::test]
async fn without_a_project_it_is_counted_and_nothing_fails() {
    let (house, id) = broken_by(NO_STATE).await;
    house.raw("PRAGMA foreign_keys = OFF; DELETE FROM heartbeat");
    for later in [MINUTE, DAY, DAY + DAY] {
        assert_eq!(judged(&house, id, DEADLINE + later).await.deliveries, 0);
    }
    assert_eq!(house.store.broken_heartbeats().await.unwrap(), 1);
    assert_eq!(house.count("incident"), 0);
}

#[tokio::test]
async fn one_that_is_sound_again_is_told_and_its_silence_meanwhile_is_unverified() {
    let (house, id) = broken_by(NO_STATE).await;
    let refused = house.record(vec![success(id, START + HOUR)]).await;
    assert_eq!(refused.recorded, [Broken]);
    house.raw("UPDATE heartbeat_state SET rare = NULL");
    let house = reopened(house);
    let mended = DEADLINE + HOUR;
    let done = judged(&house, id, mended).await;
    assert!(done.deliveries >= 2, "it can be read again");
    let told: Vec<String> = told_events(&house);
    assert_eq!(told[..4], ["down", "down", "up", "up"]);
    let closing: String = house.one("SELECT closing FROM incident WHERE cause = 'internal'");
    assert_eq!(closing, "readable");
    assert_eq!(house.store.broken_heartbeats().await.unwrap(), 0);

    // It may have run: we refused its signal. Only after an interval and a grace in which we could have
    // received it are we sure.
    let grace_later = mended + 30 * MINUTE;
    judged(&house, id, grace_later).await;
    let state = house.state(id).await;
    assert_eq!(state.phase, Phase::Unverified);
    let house = reopened(house);
    judged(&house, id, mended + 2 * HOUR + MINUTE).await;
    assert_eq!(house.state(id).await.phase, Phase::Down);

    house.record(vec![success(id, mended + 3 * HOUR)]).await;
    assert_eq!(
        house.count("broken_heartbeat"),
        0,
        "its gap matters no more"
    );
    let after = house.state(id).await;
    assert_eq!((after.phase, after.incidents), (Phase::Up, 2));
    assert!(house.store.check().await.unwrap().is_ok());
}

fn told_events(house: &House) -> Vec<String> {
    let connection = house.aside();
    let mut statement = connection
        .prepare("SELECT event FROM delivery ORDER BY number")
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_signal_mends_it_as_well_and_it_may_break_again() {
    let (house, id) = broken_by(NO_STATE).await;
    judged(&house, id, DEADLINE).await;
    house.raw("UPDATE heartbeat_state SET rare = NULL");
    let done = house.record(vec![success(id, DEADLINE + MINUTE)]).await;
    assert_eq!(done.recorded, [Counted]);
    assert_eq!(done.deliveries, 2);
    house.raw(NO_STATE);
    let again = house.record(vec![success(id, DEADLINE + 2 * MINUTE)]).await;
    assert_eq!(
        again.deliveries, 2,
        "what was well in between is news again"
    );
    assert_eq!(house.count("incident"), 2);
    assert_eq!(
        told_events(&house),
        ["down", "down", "up", "up", "down", "down"]
    );
}

#[tokio::test]
async fn an_edit_mends_settings_that_cannot_be_read() {
    let (house, id) = broken_by(NO_SETTINGS).await;
    judged(&house, id, DEADLINE).await;
    for verb in [
        Step::Pause,
        Step::Resume,
        Step::Acknowledge,
        Step::Snooze(DEADLINE + DAY),
    ] {
        let refused = step(&house, id, verb, DEADLINE + MINUTE).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(_))),
            "{refused:?}"
        );
    }
    let now = DEADLINE + HOUR;
    let taken = step(&house, id, Step::Edit(hourly()), now).await.unwrap();
    assert_eq!(taken.watched.wake_at, Some(now), "to be looked at at once");
    let done = judged(&house, id, now).await;
    assert_eq!(done.deliveries, 2);
    assert_eq!(last_told(&house).0, "up");
    let found = shown(&house, id).await;
    assert!(found.unreadable.is_nothing());
    assert_eq!(found.state.last_success_at, Some(START));
}

#[tokio::test]
async fn an_edit_begins_a_state_anew_that_cannot_be_read() {
    for change in [
        NO_STATE,
        "DELETE FROM heartbeat_state",
        "UPDATE heartbeat_state SET incidents = -1, alerts = -1",
    ] {
        let house = House::new().await;
        let id = house.heartbeat(1, &hourly()).await;
        house.record(vec![success(id, START)]).await;
        // Down before it breaks.
        judged(&house, id, DEADLINE).await;
        house.raw(change);
        judged(&house, id, DEADLINE + HOUR).await;
        assert_eq!(house.count("incident"), 2);
        let now = DEADLINE + 2 * HOUR;
        step(&house, id, Step::Edit(hourly()), now).await.unwrap();
        judged(&house, id, now).await;
        let state = house.state(id).await;
        assert_eq!((state.phase, state.incidents), (Phase::Up, 2), "{change}");
        let open: i64 = house.one("SELECT count(*) FROM incident WHERE closed_at IS NULL");
        assert_eq!(open, 0, "{change}");
        // And it is watched: no number is given twice.
        let missed = judged(&house, id, now + 2 * HOUR).await;
        assert_eq!(missed.deliveries, 2, "{change}");
        assert_eq!(house.state(id).await.incidents, 3);
        assert_eq!(last_told(&house).0, "down");
    }
}

/// A count that is lower than it was gives numbers that are taken: the judgement fails, and the alert of
/// that must not fail for the same reason. After it, the counts are sound again.
#[tokio::test]
async fn counts_that_were_set_back_are_told_and_mend_themselves() {
    let house = House::new().await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    judged(&house, id, DEADLINE).await;
    house.record(vec![success(id, DEADLINE + MINUTE)]).await;
    house.raw("UPDATE heartbeat_state SET incidents = 0, alerts = 0");
    let missed = DEADLINE + 3 * HOUR;
    assert_eq!(judged(&house, id, missed).await.deliveries, 2);
    let (_, told) = last_told(&house);
    assert_eq!(told.alert.incident.unwrap().cause, Cause::Internal);
    let done = judged(&house, id, missed + MINUTE).await;
    assert_eq!(done.deliveries, 4, "it can be judged again, and is overdue");
    let phase = house.state(id).await.phase;
    assert!(
        matches!(phase, Phase::Down | Phase::Unverified),
        "{phase:?}"
    );
}

#[tokio::test]
async fn what_somebody_has_seen_is_not_told_again() {
    let (house, id) = broken_by(NO_STATE).await;
    judged(&house, id, DEADLINE).await;
    let seen = house.store.write(move |sql| {
        let filter = incidents::Filter::default();
        let found = incidents::list(sql, ALICE, &filter, &PageRequest::default())?;
        incidents::set_acknowledged(sql, ALICE, found.items[0].id, Some(DEADLINE))
    });
    assert!(seen.await.unwrap());
    assert_eq!(judged(&house, id, DEADLINE + DAY).await.deliveries, 0);
}

#[tokio::test]
async fn one_that_is_removed_leaves_nothing_behind() {
    let (house, id) = broken_by(NO_STATE).await;
    judged(&house, id, DEADLINE).await;
    let removed = house
        .store
        .write(move |sql| heartbeats::delete(sql, ALICE, id, None, DEADLINE));
    assert!(removed.await.unwrap());
    assert_eq!(house.count("broken_heartbeat"), 0);
    let done = judged(&house, id, DEADLINE + DAY).await;
    assert_eq!((done.deliveries, done.watched.len()), (0, 0));
    let signal = house.record(vec![success(id, DEADLINE + DAY)]).await;
    assert_eq!(signal.recorded, [nightbeat_store::Recorded::Unknown]);
}

#[tokio::test]
async fn many_broken_ones_do_not_keep_the_search_from_the_others() {
    let house = House::new().await;
    for number in 0..6 {
        house.heartbeat(number, &hourly()).await;
    }
    let all: Vec<HeartbeatId> = (0..6).map(heartbeat_id).collect();
    house
        .record(all.iter().map(|id| success(*id, START)).collect())
        .await;
    for id in &all[..5] {
        let id = id.0.simple();
        house.raw(&format!("{NO_STATE} WHERE id = x'{id}'"));
    }
    for id in &all[..5] {
        judged(&house, *id, DEADLINE).await;
    }
    let found = house.store.overdue(DEADLINE + HOUR, 2).await.unwrap();
    assert!(found.iter().any(|it| it.heartbeat == all[5]), "{found:?}");
    assert_eq!(found.len(), 3, "and some of the broken ones");
}
