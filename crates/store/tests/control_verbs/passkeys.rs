use nightbeat_store::StoreError;
use nightbeat_store::control::accounts::{self, Account, Theme};
use nightbeat_store::control::passkeys::{self, Passkey};
use uuid::Uuid;

use crate::world::{Engine, World, at, on_each_engine};

on_each_engine!(
    a_passkey_is_found_by_its_credential_and_is_nobodys_twice,
    passkeys_are_listed_and_removed_in_their_account_only,
    the_use_of_a_passkey_is_noted,
    a_question_is_answered_once_and_in_its_time,
);

const ALICIA: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

fn world(engine: Engine) -> World {
    let world = World::new(engine);
    for (id, email) in [(ALICIA, "alicia@example.org"), (BOB, "bob@example.org")] {
        let account = Account {
            id,
            email: email.to_owned(),
            password_hash: None,
            created_at: at(0),
            verified_at: None,
            theme: Theme::System,
            time_zone: None,
        };
        accounts::create(&mut world.sql(), &account).unwrap();
    }
    world
}

fn passkey(number: u8, account: Uuid) -> Passkey {
    Passkey {
        id: Uuid::from_u128(number.into()),
        account,
        credential: vec![number; 16],
        name: format!("phone {number}"),
        json: "{}".to_owned(),
        created_at: at(number.into()),
        used_at: None,
    }
}

fn a_passkey_is_found_by_its_credential_and_is_nobodys_twice(engine: Engine) {
    let world = world(engine);
    let alicias = passkey(1, ALICIA);
    passkeys::insert(&mut world.sql(), &alicias).unwrap();
    let find = |credential| passkeys::by_credential(&mut world.sql(), credential).unwrap();
    assert_eq!(find(&[1; 16]), Some(alicias));
    assert_eq!(find(&[2; 16]), None);
    let bobs = Passkey {
        id: Uuid::from_u128(9),
        ..passkey(1, BOB)
    };
    let again = passkeys::insert(&mut world.sql(), &bobs).unwrap_err();
    assert!(
        matches!(&again, StoreError::Conflict(text) if text.contains("known already")),
        "{again}"
    );
}

fn passkeys_are_listed_and_removed_in_their_account_only(engine: Engine) {
    let world = world(engine);
    for one in [passkey(2, ALICIA), passkey(1, ALICIA), passkey(3, BOB)] {
        passkeys::insert(&mut world.sql(), &one).unwrap();
    }
    let list = |account| passkeys::list(&mut world.sql(), account).unwrap();
    assert_eq!(list(ALICIA), [passkey(1, ALICIA), passkey(2, ALICIA)]);
    assert!(!passkeys::remove(&mut world.sql(), BOB, Uuid::from_u128(1)).unwrap());
    assert!(passkeys::remove(&mut world.sql(), ALICIA, Uuid::from_u128(1)).unwrap());
    assert_eq!(list(ALICIA), [passkey(2, ALICIA)]);
    assert_eq!(list(BOB), [passkey(3, BOB)]);
}

fn the_use_of_a_passkey_is_noted(engine: Engine) {
    let world = world(engine);
    passkeys::insert(&mut world.sql(), &passkey(1, ALICIA)).unwrap();
    let id = Uuid::from_u128(1);
    passkeys::used(&mut world.sql(), id, "{\"counter\":1}", at(9)).unwrap();
    let expected = Passkey {
        json: "{\"counter\":1}".to_owned(),
        used_at: Some(at(9)),
        ..passkey(1, ALICIA)
    };
    let found = passkeys::by_credential(&mut world.sql(), &[1; 16]).unwrap();
    assert_eq!(found, Some(expected));
}

fn a_question_is_answered_once_and_in_its_time(engine: Engine) {
    let world = world(engine);
    for byte in 1..=3 {
        passkeys::begin_ceremony(&mut world.sql(), &[byte; 32], "{}", at(100)).unwrap();
    }
    let take =
        |byte, second| passkeys::take_ceremony(&mut world.sql(), &[byte; 32], at(second)).unwrap();
    assert_eq!(take(1, 99).as_deref(), Some("{}"));
    assert_eq!(take(1, 99), None);
    assert_eq!(take(2, 100), None);
    assert_eq!(take(2, 99), None, "an expired one is used up too");
    assert_eq!(
        passkeys::prune_ceremonies(&mut world.sql(), at(99)).unwrap(),
        0
    );
    assert_eq!(
        passkeys::prune_ceremonies(&mut world.sql(), at(100)).unwrap(),
        1
    );
}
