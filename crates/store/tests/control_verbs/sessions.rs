use std::time::Duration;

use nightbeat_store::StoreError;
use nightbeat_store::control::accounts::{self, Account, Theme};
use nightbeat_store::control::keys::{self, Key, Scope};
use nightbeat_store::control::sessions::{self, SESSION_TIME, SESSIONS_MAX, Session, SessionOwner};
use uuid::Uuid;

use crate::world::{ALICE, Engine, World, at, on_each_engine};

on_each_engine!(
    a_session_is_found_by_its_hash_until_it_was_not_used_for_two_weeks,
    the_use_of_a_session_moves_its_end,
    sessions_are_listed_and_ended_in_their_account_only,
    a_session_ends_with_its_account_or_key,
    the_session_that_was_used_longest_ago_makes_room,
    a_session_of_nobody_is_refused,
);

const ALICIA: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

/// With the accounts of Alicia and Bob.
fn world(engine: Engine) -> World {
    let world = World::new(engine);
    for (id, email) in [(ALICIA, "alicia@example.org"), (BOB, "bob@example.org")] {
        let account = Account {
            id,
            email: email.to_owned(),
            password_hash: None,
            created_at: at(0),
            verified_at: None,
            theme: Theme::Dark,
            time_zone: Some("Europe/Berlin".to_owned()),
        };
        accounts::create(&mut world.sql(), &account).unwrap();
    }
    world
}

fn session(number: u128, owner: SessionOwner) -> Session {
    Session {
        id: Uuid::from_u128(number),
        owner,
        created_at: at(1),
        seen_at: at(i64::try_from(number).unwrap()),
        confirmed_at: at(1),
        address: "192.0.2.7".to_owned(),
        user_agent: "Firefox".to_owned(),
    }
}

fn hash(number: u128) -> [u8; 32] {
    let mut hash = [7; 32];
    hash[..16].copy_from_slice(&number.to_be_bytes());
    hash
}

fn begin(world: &World, number: u128, owner: SessionOwner) {
    let session = session(number, owner);
    sessions::begin(&mut world.sql(), &session, &hash(number)).unwrap();
}

fn a_session_is_found_by_its_hash_until_it_was_not_used_for_two_weeks(engine: Engine) {
    let world = world(engine);
    begin(&world, 5, SessionOwner::Account(ALICIA));
    let find = |number, now| sessions::find(&mut world.sql(), &hash(number), now).unwrap();
    let expected = session(5, SessionOwner::Account(ALICIA));
    assert_eq!(find(5, at(5)), Some(expected.clone()));
    assert_eq!(find(6, at(5)), None);
    let end = at(5) + SESSION_TIME;
    assert_eq!(find(5, end - Duration::from_micros(1)), Some(expected));
    assert_eq!(find(5, end), None);
    assert_eq!(sessions::prune(&mut world.sql(), end).unwrap(), 1);
    assert_eq!(find(5, at(5)), None);
}

fn the_use_of_a_session_moves_its_end(engine: Engine) {
    let world = world(engine);
    begin(&world, 5, SessionOwner::Account(ALICIA));
    let later = at(5) + Duration::from_secs(300);
    let found = sessions::find(&mut world.sql(), &hash(5), later).unwrap();
    let found = found.unwrap();
    assert!(found.needs_touch(later));
    assert!(!found.needs_touch(later - Duration::from_micros(1)));
    sessions::touch(&mut world.sql(), found.id, later, "2001:db8::1", "Chromium").unwrap();
    sessions::touch(&mut world.sql(), found.id, at(5), "late", "late").unwrap();
    sessions::confirm(&mut world.sql(), found.id, later).unwrap();
    let found = sessions::find(&mut world.sql(), &hash(5), at(5) + SESSION_TIME).unwrap();
    let expected = Session {
        seen_at: later,
        confirmed_at: later,
        address: "2001:db8::1".to_owned(),
        user_agent: "Chromium".to_owned(),
        ..session(5, SessionOwner::Account(ALICIA))
    };
    assert_eq!(found, Some(expected));
}

fn sessions_are_listed_and_ended_in_their_account_only(engine: Engine) {
    let world = world(engine);
    for number in [5, 6, 7] {
        begin(&world, number, SessionOwner::Account(ALICIA));
    }
    begin(&world, 8, SessionOwner::Account(BOB));
    let ids = |account| {
        let found = sessions::list(&mut world.sql(), account, at(9)).unwrap();
        let ids = found.iter().map(|session| session.id.as_u128());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(ALICIA), [7, 6, 5]);
    assert!(!sessions::revoke(&mut world.sql(), BOB, Uuid::from_u128(6)).unwrap());
    assert!(sessions::revoke(&mut world.sql(), ALICIA, Uuid::from_u128(6)).unwrap());
    assert_eq!(ids(ALICIA), [7, 5]);
    let others = sessions::revoke_others(&mut world.sql(), ALICIA, Uuid::from_u128(5));
    assert_eq!(others.unwrap(), 1);
    assert_eq!((ids(ALICIA), ids(BOB)), (vec![5], vec![8]));
    assert!(sessions::end(&mut world.sql(), &hash(8)).unwrap());
    assert!(!sessions::end(&mut world.sql(), &hash(8)).unwrap());
    assert_eq!(ids(BOB), [0; 0]);
}

fn a_session_ends_with_its_account_or_key(engine: Engine) {
    let world = world(engine);
    let key = Key {
        id: Uuid::from_u128(9),
        name: "key".to_owned(),
        scope: Scope::ReadOnly,
        created_at: at(1),
        last_used_at: None,
    };
    keys::insert(&mut world.sql(), ALICE, &key, &[1; 32]).unwrap();
    begin(&world, 5, SessionOwner::Key(key.id));
    let find = || sessions::find(&mut world.sql(), &hash(5), at(5)).unwrap();
    assert_eq!(find().unwrap().owner, SessionOwner::Key(key.id));
    assert!(keys::delete(&mut world.sql(), ALICE, key.id).unwrap());
    assert_eq!(find(), None);
}

fn the_session_that_was_used_longest_ago_makes_room(engine: Engine) {
    let world = world(engine);
    let most = u128::try_from(SESSIONS_MAX).unwrap();
    for number in 1..=most + 1 {
        begin(&world, number, SessionOwner::Account(ALICIA));
    }
    begin(&world, 1_000, SessionOwner::Account(BOB));
    let find = |number| sessions::find(&mut world.sql(), &hash(number), at(1_000)).unwrap();
    assert_eq!(find(1), None);
    assert!(find(2).is_some() && find(most + 1).is_some());
}

fn a_session_of_nobody_is_refused(engine: Engine) {
    let world = world(engine);
    let nobodys = session(5, SessionOwner::Account(Uuid::from_u128(99)));
    let error = sessions::begin(&mut world.sql(), &nobodys, &hash(5)).unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict(text) if text.contains("gone")),
        "{error}"
    );
}
