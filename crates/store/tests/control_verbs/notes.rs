use nightbeat_domain::{HeartbeatId, IncidentId};
use nightbeat_store::StoreError;
use nightbeat_store::control::notes::{self, NOTES_MAX, Note};
use nightbeat_store::control::overview;
use uuid::Uuid;

use crate::world::{ALICE, Engine, MALLORY, World, at, named, on_each_engine};

on_each_engine!(
    notes_are_written_by_the_project_and_told_in_their_order,
    an_incident_takes_so_many_notes_and_no_more,
    a_note_changes_the_version_of_its_heartbeat_only,
    a_heartbeats_version_changes_with_it_and_not_with_others,
);

fn note(number: u32) -> Note {
    Note {
        id: Uuid::from_u128(u128::from(number)),
        at: at(100 + i64::from(number)),
        who: "ada@example.org".to_owned(),
        text: format!("Looked at it, {number}.\nThe disk is full."),
    }
}

fn incident(world: &World, heartbeat: HeartbeatId, number: u32) -> IncidentId {
    let id = IncidentId::derive(heartbeat, number);
    world.raw(
        "INSERT INTO incident (id, project, heartbeat, heartbeat_name, number, cause, claim, opened_at, alert)
         VALUES ($1, $2, $3, 'backup', $4, 'missed', 'down', $5, 'null')",
        &[
            id.into(),
            ALICE.into(),
            heartbeat.into(),
            number.into(),
            at(50).into(),
        ],
    );
    id
}

fn notes_are_written_by_the_project_and_told_in_their_order(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("backup"));
    let [first, second, third] = [1, 2, 3].map(|number| incident(&world, heartbeat, number));
    let add = |project, incident, number| {
        notes::add(&mut world.sql(), project, incident, &note(number)).unwrap()
    };
    assert!(add(ALICE, first, 3) && add(ALICE, second, 2) && add(ALICE, first, 1));
    assert!(!add(MALLORY, first, 4), "she has no such incident");
    assert!(!add(ALICE, IncidentId(Uuid::from_u128(1)), 5));
    let of = |incidents: &[IncidentId]| notes::of(&mut world.sql(), incidents).unwrap();
    let found = of(&[first, second, third]);
    assert_eq!(found[&first], [note(1), note(3)]);
    assert_eq!(found[&second], [note(2)]);
    assert!(!found.contains_key(&third));
    assert!(of(&[]).is_empty());
    let many: Vec<IncidentId> = (0..250)
        .map(|number| IncidentId::derive(heartbeat, 1_000 + number))
        .chain([second])
        .collect();
    assert_eq!(of(&many).len(), 1);
}

fn an_incident_takes_so_many_notes_and_no_more(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("backup"));
    let [full, other] = [1, 2].map(|number| incident(&world, heartbeat, number));
    for number in 1..=NOTES_MAX as u32 {
        assert!(notes::add(&mut world.sql(), ALICE, full, &note(number)).unwrap());
    }
    let more = notes::add(&mut world.sql(), ALICE, full, &note(999));
    assert!(matches!(more, Err(StoreError::Conflict(_))), "{more:?}");
    assert!(notes::add(&mut world.sql(), ALICE, other, &note(999)).unwrap());
}

fn a_note_changes_the_version_of_its_heartbeat_only(engine: Engine) {
    let world = World::new(engine);
    let noted = world.heartbeat(1, &named("noted"));
    let other = world.heartbeat(2, &named("other"));
    let incident = incident(&world, noted, 1);
    let version = |one| overview::heartbeat_version(&mut world.sql(), ALICE, one, at(100)).unwrap();
    let before = [version(noted), version(other)];
    notes::add(&mut world.sql(), ALICE, incident, &note(1)).unwrap();
    assert_ne!(version(noted), before[0]);
    assert_eq!(version(other), before[1]);
}

fn a_heartbeats_version_changes_with_it_and_not_with_others(engine: Engine) {
    let world = World::new(engine);
    let mine = world.heartbeat(1, &named("mine"));
    let other = world.heartbeat(2, &named("other"));
    world.raw(
        "UPDATE heartbeat_state SET expected_at = $1",
        &[at(500).into()],
    );
    let version = |project, now| {
        overview::heartbeat_version(&mut world.sql(), project, mine, at(now)).unwrap()
    };
    let first = version(ALICE, 10);
    assert_eq!(version(ALICE, 11), first, "nothing happened");
    assert_ne!(version(ALICE, 500), first, "it is late");
    let step = |one: HeartbeatId| {
        world.raw(
            "UPDATE heartbeat_state SET version = version + 1 WHERE id = $1",
            &[one.into()],
        );
    };
    step(other);
    assert_eq!(version(ALICE, 10), first, "another one changed");
    step(mine);
    assert_ne!(version(ALICE, 10), first);
    assert_eq!(version(MALLORY, 10), 0, "there is none for her");
}
