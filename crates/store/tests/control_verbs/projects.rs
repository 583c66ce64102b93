use nightbeat_domain::ProjectId;
use nightbeat_store::StoreError;
use nightbeat_store::control::projects;
use uuid::Uuid;

use crate::world::{ALICE, Engine, MALLORY, World, first_page, next_page, on_each_engine, project};

on_each_engine!(
    a_project_is_found_by_id_and_by_ping_key,
    two_projects_cannot_share_a_ping_key,
    a_new_ping_key_takes_the_place_of_the_old_one,
    the_secret_of_badges_is_a_projects_own,
    name_and_fallback_channel_can_be_changed,
    a_strangers_channel_cannot_be_the_fallback,
    projects_are_listed_a_page_at_a_time,
);

fn a_project_is_found_by_id_and_by_ping_key(engine: Engine) {
    let world = World::new(engine);
    let alice = project(ALICE, "Alice");
    assert_eq!(
        projects::get(&mut world.sql(), ALICE).unwrap(),
        Some(alice.clone())
    );
    let found = projects::by_ping_key(&mut world.sql(), "ping key of Alice").unwrap();
    assert_eq!(found, Some(alice));
    assert_eq!(
        projects::by_ping_key(&mut world.sql(), "ping key").unwrap(),
        None
    );
    let nobody = ProjectId(Uuid::from_u128(7));
    assert_eq!(projects::get(&mut world.sql(), nobody).unwrap(), None);
}

fn two_projects_cannot_share_a_ping_key(engine: Engine) {
    let world = World::new(engine);
    let mut third = project(ProjectId(Uuid::from_u128(7)), "Alice");
    let error = projects::create(&mut world.sql(), &third).unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict(text) if text.contains("ping key")),
        "{error}"
    );
    "another".clone_into(&mut third.ping_key);
    projects::create(&mut world.sql(), &third).unwrap();
    assert_eq!(projects::count(&mut world.sql()).unwrap(), 3);
    let error = projects::set_ping_key(&mut world.sql(), ALICE, "another").unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)), "{error}");
}

fn a_new_ping_key_takes_the_place_of_the_old_one(engine: Engine) {
    let world = World::new(engine);
    assert!(projects::set_ping_key(&mut world.sql(), ALICE, "new").unwrap());
    let found = |key| projects::by_ping_key(&mut world.sql(), key).unwrap();
    assert_eq!(found("ping key of Alice"), None);
    assert_eq!(found("new").unwrap().id, ALICE);
}

fn name_and_fallback_channel_can_be_changed(engine: Engine) {
    let world = World::new(engine);
    let mail = world.channel(ALICE, 1, "mail");
    assert!(projects::update(&mut world.sql(), ALICE, "Bakery", Some(mail)).unwrap());
    let alice = projects::get(&mut world.sql(), ALICE).unwrap().unwrap();
    assert_eq!(
        (alice.name.as_str(), alice.fallback_channel),
        ("Bakery", Some(mail))
    );
    let mallory = projects::get(&mut world.sql(), MALLORY).unwrap().unwrap();
    assert_eq!(mallory.name, "Mallory");
    let nobody = ProjectId(Uuid::from_u128(7));
    assert!(!projects::update(&mut world.sql(), nobody, "x", None).unwrap());
}

fn a_strangers_channel_cannot_be_the_fallback(engine: Engine) {
    let world = World::new(engine);
    let mail = world.channel(ALICE, 1, "mail");
    let error = projects::update(&mut world.sql(), MALLORY, "M", Some(mail)).unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)), "{error}");
}

fn projects_are_listed_a_page_at_a_time(engine: Engine) {
    let world = World::new(engine);
    let page = projects::list(&mut world.sql(), &first_page(1)).unwrap();
    assert_eq!(page.items[0].id, ALICE);
    let page = projects::list(&mut world.sql(), &next_page(1, page.next)).unwrap();
    assert_eq!(page.items[0].id, MALLORY);
    assert_eq!(page.next, None);
}

fn the_secret_of_badges_is_a_projects_own(engine: Engine) {
    let world = World::new(engine);
    let key = |id| projects::badge_key(&mut world.sql(), id).unwrap();
    assert_eq!(key(ALICE), None);
    assert!(projects::set_badge_key(&mut world.sql(), ALICE, "first").unwrap());
    assert_eq!((key(ALICE).as_deref(), key(MALLORY)), (Some("first"), None));
    assert!(projects::set_badge_key(&mut world.sql(), ALICE, "second").unwrap());
    assert_eq!(key(ALICE).as_deref(), Some("second"));
    let nobody = ProjectId(Uuid::from_u128(7));
    assert!(!projects::set_badge_key(&mut world.sql(), nobody, "x").unwrap());
    assert_eq!(key(nobody), None);
}
