use nightbeat_domain::{
    Alert, AlertKind, AlertSnapshot, Cause, Claim, HeartbeatFacts, HeartbeatId, IncidentId,
    ProjectId, Schedule, Status,
};
use nightbeat_store::control::incidents::{self, Filter};
use uuid::Uuid;

use crate::world::{
    ALICE, Engine, MALLORY, World, at, first_page, named, next_page, on_each_engine,
};

on_each_engine!(
    an_incident_is_found_in_its_project,
    an_incident_whose_alert_was_held_back_has_none,
    incidents_are_listed_newest_first_by_project_and_by_heartbeat,
    an_open_incident_is_acknowledged_and_snoozed_by_its_own_project,
    the_incidents_of_a_removed_heartbeat_stay_and_none_is_open,
);

fn snapshot(heartbeat: HeartbeatId, project: ProjectId) -> AlertSnapshot {
    AlertSnapshot {
        alert: Alert {
            sequence: 1,
            kind: AlertKind::Down,
            at: at(50),
            status: Status::Down,
            incident: None,
            expected_at: None,
            deadline: Some(at(49)),
            last_success_at: None,
            run_started_at: None,
            exit_code: None,
            broken_rules: Vec::new(),
            gaps: Vec::new(),
            digest: false,
            closing: None,
            problem: None,
        },
        heartbeat: HeartbeatFacts {
            id: heartbeat,
            project_id: project,
            project_name: "Alice".to_owned(),
            name: "backup".to_owned(),
            slug: "backup".to_owned(),
            tags: Vec::new(),
            schedule: Schedule::every_seconds(60).unwrap(),
        },
        output_tail: None,
    }
}

/// The heartbeat's `number`-th incident, opened in second `opened` and perhaps closed a second later.
pub(crate) fn incident(
    world: &World,
    heartbeat: HeartbeatId,
    number: u32,
    opened: i64,
    open: bool,
) -> IncidentId {
    let id = IncidentId::derive(heartbeat, number);
    world.raw(
        "INSERT INTO incident (id, project, heartbeat, heartbeat_name, number, cause, claim, opened_at,
                               closed_at, closing, alert)
         VALUES ($1, $2, $3, 'backup', $4, 'missed', 'unverified', $5, $6, $7, $8)",
        &[
            id.into(),
            ALICE.into(),
            heartbeat.into(),
            number.into(),
            at(opened).into(),
            (!open).then(|| at(opened + 1)).into(),
            (!open).then_some("success").into(),
            serde_json::to_string(&snapshot(heartbeat, ALICE)).unwrap().into(),
        ],
    );
    id
}

fn an_incident_is_found_in_its_project(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("backup"));
    let id = incident(&world, heartbeat, 1, 50, false);
    let found = incidents::get(&mut world.sql(), ALICE, id)
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.id, found.heartbeat, found.number),
        (id, heartbeat, 1)
    );
    assert_eq!(found.heartbeat_name, "backup");
    assert_eq!(
        (found.cause, found.claim),
        (Cause::Missed, Claim::Unverified)
    );
    assert_eq!((found.opened_at, found.closed_at), (at(50), Some(at(51))));
    assert_eq!(found.closing.as_deref(), Some("success"));
    assert_eq!(found.alert, Some(snapshot(heartbeat, ALICE)));
    assert_eq!(incidents::get(&mut world.sql(), MALLORY, id).unwrap(), None);
    let nobody = IncidentId(Uuid::from_u128(1));
    assert_eq!(
        incidents::get(&mut world.sql(), ALICE, nobody).unwrap(),
        None
    );
}

fn an_incident_whose_alert_was_held_back_has_none(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("backup"));
    let id = incident(&world, heartbeat, 1, 50, true);
    world.raw("UPDATE incident SET alert = 'null'", &[]);
    let found = incidents::get(&mut world.sql(), ALICE, id)
        .unwrap()
        .unwrap();
    assert_eq!(found.alert, None);
}

fn incidents_are_listed_newest_first_by_project_and_by_heartbeat(engine: Engine) {
    let world = World::new(engine);
    let (first, second) = (
        world.heartbeat(1, &named("a")),
        world.heartbeat(2, &named("b")),
    );
    let a1 = incident(&world, first, 1, 10, false);
    let b1 = incident(&world, second, 1, 20, true);
    let a2 = incident(&world, first, 2, 30, false);
    let a3 = incident(&world, first, 3, 40, true);
    let walk = |project, filter: Filter| {
        let mut seen = Vec::new();
        let mut request = first_page(1);
        loop {
            let page = incidents::list(&mut world.sql(), project, &filter, &request).unwrap();
            seen.extend(page.items.iter().map(|incident| incident.id));
            if page.next.is_none() {
                return seen;
            }
            request = next_page(1, page.next);
        }
    };
    let filter = |heartbeat, open| Filter { heartbeat, open };
    assert_eq!(walk(ALICE, filter(None, None)), [a3, a2, b1, a1]);
    assert_eq!(walk(ALICE, filter(None, Some(true))), [a3, b1]);
    assert_eq!(walk(ALICE, filter(None, Some(false))), [a2, a1]);
    assert_eq!(walk(ALICE, filter(Some(first), None)), [a3, a2, a1]);
    assert_eq!(walk(ALICE, filter(Some(first), Some(true))), [a3]);
    assert!(walk(MALLORY, filter(None, None)).is_empty());
    assert!(walk(MALLORY, filter(Some(first), None)).is_empty());
}

fn an_open_incident_is_acknowledged_and_snoozed_by_its_own_project(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("backup"));
    let open = incident(&world, heartbeat, 2, 50, true);
    let closed = incident(&world, heartbeat, 1, 40, false);
    let mut sql = world.sql();
    for (project, id) in [(MALLORY, open), (ALICE, closed)] {
        assert!(!incidents::set_acknowledged(&mut sql, project, id, Some(at(60))).unwrap());
        assert!(!incidents::set_snoozed(&mut sql, project, id, Some(at(70))).unwrap());
    }
    assert!(incidents::set_acknowledged(&mut sql, ALICE, open, Some(at(60))).unwrap());
    assert!(incidents::set_snoozed(&mut sql, ALICE, open, Some(at(70))).unwrap());
    let found = incidents::get(&mut sql, ALICE, open).unwrap().unwrap();
    assert_eq!(found.acknowledged_at, Some(at(60)));
    assert_eq!(found.snoozed_until, Some(at(70)));
    assert!(incidents::set_snoozed(&mut sql, ALICE, open, None).unwrap());
    let found = incidents::get(&mut sql, ALICE, open).unwrap().unwrap();
    assert_eq!(found.snoozed_until, None);
    let found = incidents::get(&mut sql, ALICE, closed).unwrap().unwrap();
    assert_eq!(found.acknowledged_at, None);
}

fn the_incidents_of_a_removed_heartbeat_stay_and_none_is_open(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("backup"));
    let open = incident(&world, heartbeat, 2, 50, true);
    incident(&world, heartbeat, 1, 40, false);
    let removed = nightbeat_store::control::heartbeats::delete(
        &mut world.sql(),
        ALICE,
        heartbeat,
        None,
        at(99),
    );
    assert!(removed.unwrap());
    let all = incidents::list(&mut world.sql(), ALICE, &Filter::default(), &first_page(9));
    let closed: Vec<_> = all.unwrap().items.iter().map(|it| it.closed_at).collect();
    assert_eq!(closed, [Some(at(99)), Some(at(41))]);
    let found = incidents::get(&mut world.sql(), ALICE, open)
        .unwrap()
        .unwrap();
    assert_eq!(found.closing, None);
}
