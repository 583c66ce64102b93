use nightbeat_store::StoreError;
use nightbeat_store::control::keys::{self, Key, KeyOwner, Scope};
use uuid::Uuid;

use crate::world::{ALICE, Engine, MALLORY, World, at, first_page, next_page, on_each_engine};

on_each_engine!(
    a_key_opens_its_own_project,
    a_key_exists_once,
    keys_are_listed_and_deleted_in_their_project_only,
    the_use_of_a_key_is_noted_once_a_minute,
    a_link_is_used_once_for_its_purpose_and_in_its_time,
);

fn key(number: u8, scope: Scope) -> Key {
    Key {
        id: Uuid::from_u128(u128::from(number)),
        name: format!("key {number}"),
        scope,
        created_at: at(i64::from(number)),
        last_used_at: None,
    }
}

fn a_key_opens_its_own_project(engine: Engine) {
    let world = World::new(engine);
    let (alices, mallorys) = (key(1, Scope::ReadWrite), key(2, Scope::ReadOnly));
    keys::insert(&mut world.sql(), ALICE, &alices, &[1; 32]).unwrap();
    keys::insert(&mut world.sql(), MALLORY, &mallorys, &[2; 32]).unwrap();
    let owner = |hash| keys::find_by_hash(&mut world.sql(), &hash).unwrap();
    let expected = |key: &Key, project| KeyOwner {
        id: key.id,
        project,
        scope: key.scope,
        last_used_at: None,
    };
    assert_eq!(owner([1; 32]), Some(expected(&alices, ALICE)));
    assert_eq!(owner([2; 32]), Some(expected(&mallorys, MALLORY)));
    assert_eq!(owner([3; 32]), None);
}

fn a_key_exists_once(engine: Engine) {
    let world = World::new(engine);
    keys::insert(&mut world.sql(), ALICE, &key(1, Scope::ReadOnly), &[1; 32]).unwrap();
    let again = keys::insert(
        &mut world.sql(),
        MALLORY,
        &key(2, Scope::ReadWrite),
        &[1; 32],
    );
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

fn keys_are_listed_and_deleted_in_their_project_only(engine: Engine) {
    let world = World::new(engine);
    for number in 1..=3 {
        let key = key(number, Scope::ReadWrite);
        keys::insert(&mut world.sql(), ALICE, &key, &[number; 32]).unwrap();
    }
    let page = keys::list(&mut world.sql(), ALICE, &first_page(2)).unwrap();
    assert_eq!(
        page.items,
        [key(1, Scope::ReadWrite), key(2, Scope::ReadWrite)]
    );
    let page = keys::list(&mut world.sql(), ALICE, &next_page(2, page.next)).unwrap();
    assert_eq!(page.items, [key(3, Scope::ReadWrite)]);
    assert_eq!(page.next, None);

    let id = Uuid::from_u128(1);
    assert!(
        keys::list(&mut world.sql(), MALLORY, &first_page(9))
            .unwrap()
            .items
            .is_empty()
    );
    assert!(!keys::delete(&mut world.sql(), MALLORY, id).unwrap());
    assert!(
        keys::find_by_hash(&mut world.sql(), &[1; 32])
            .unwrap()
            .is_some()
    );
    assert!(keys::delete(&mut world.sql(), ALICE, id).unwrap());
    assert_eq!(
        keys::find_by_hash(&mut world.sql(), &[1; 32]).unwrap(),
        None
    );
    assert!(!keys::delete(&mut world.sql(), ALICE, id).unwrap());
}

fn the_use_of_a_key_is_noted_once_a_minute(engine: Engine) {
    let world = World::new(engine);
    let id = key(1, Scope::ReadWrite).id;
    keys::insert(&mut world.sql(), ALICE, &key(1, Scope::ReadWrite), &[1; 32]).unwrap();
    let owner = || {
        keys::find_by_hash(&mut world.sql(), &[1; 32])
            .unwrap()
            .unwrap()
    };
    for (second, noted) in [(100, true), (159, false), (160, true), (161, false)] {
        assert_eq!(owner().needs_touch(at(second)), noted, "at {second}");
        let touched = keys::touch(&mut world.sql(), ALICE, id, at(second)).unwrap();
        assert_eq!(touched, noted, "at {second}");
    }
    assert_eq!(owner().last_used_at, Some(at(160)));
    assert!(!keys::touch(&mut world.sql(), MALLORY, id, at(999)).unwrap());
}

fn a_link_is_used_once_for_its_purpose_and_in_its_time(engine: Engine) {
    let world = World::new(engine);
    for number in 1..=3 {
        keys::insert_link(&mut world.sql(), &[number; 32], "setup", at(0), at(100)).unwrap();
    }
    let again = keys::insert_link(&mut world.sql(), &[1; 32], "setup", at(0), at(100));
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");

    let take = |number, purpose, second| {
        keys::take_link(&mut world.sql(), &[number; 32], purpose, at(second)).unwrap()
    };
    let purpose =
        |number, second| keys::link_purpose(&mut world.sql(), &[number; 32], at(second)).unwrap();
    assert_eq!(purpose(1, 99).as_deref(), Some("setup"));
    assert_eq!((purpose(1, 100), purpose(9, 50)), (None, None));
    assert!(!take(1, "reset", 50));
    assert!(take(1, "setup", 99));
    assert!(!take(1, "setup", 99));
    assert!(!take(2, "setup", 100), "expired");
    assert!(!take(2, "setup", 50), "an expired link is used up too");
    assert_eq!(keys::prune_links(&mut world.sql(), at(99)).unwrap(), 0);
    assert_eq!(keys::prune_links(&mut world.sql(), at(100)).unwrap(), 1);
}
