use nightbeat_store::control::accounts::{self, Account, Theme};
use nightbeat_store::control::second_step::{self, Totp};
use uuid::Uuid;

use crate::world::{Engine, World, at, on_each_engine};

on_each_engine!(
    a_secret_can_be_changed_until_it_is_confirmed,
    each_code_is_taken_once_and_none_before_the_last,
    a_recovery_code_is_taken_once_from_its_own_account,
    it_goes_with_its_codes,
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

fn a_secret_can_be_changed_until_it_is_confirmed(engine: Engine) {
    let world = world(engine);
    let get = || second_step::get(&mut world.sql(), ALICIA).unwrap();
    assert_eq!(get(), None);
    assert!(second_step::begin(&mut world.sql(), ALICIA, &[1; 20]).unwrap());
    assert!(second_step::begin(&mut world.sql(), ALICIA, &[2; 20]).unwrap());
    second_step::confirm(&mut world.sql(), ALICIA, at(7)).unwrap();
    second_step::confirm(&mut world.sql(), ALICIA, at(8)).unwrap();
    assert!(!second_step::begin(&mut world.sql(), ALICIA, &[3; 20]).unwrap());
    let expected = Totp {
        secret: vec![2; 20],
        confirmed_at: Some(at(7)),
        last_step: 0,
    };
    assert_eq!(get(), Some(expected.clone()));
    assert!(!format!("{expected:?}").contains("secret"), "{expected:?}");
}

fn each_code_is_taken_once_and_none_before_the_last(engine: Engine) {
    let world = world(engine);
    second_step::begin(&mut world.sql(), ALICIA, &[1; 20]).unwrap();
    let take = |step| second_step::take_step(&mut world.sql(), ALICIA, step).unwrap();
    assert!(take(100));
    assert!(!take(100));
    assert!(!take(99));
    assert!(take(101));
    assert!(!second_step::take_step(&mut world.sql(), BOB, 100).unwrap());
}

fn a_recovery_code_is_taken_once_from_its_own_account(engine: Engine) {
    let world = world(engine);
    let set = |hashes: &[[u8; 32]]| {
        second_step::set_recovery_codes(&mut world.sql(), ALICIA, hashes).unwrap();
    };
    set(&[[1; 32], [2; 32]]);
    set(&[[2; 32], [3; 32], [4; 32]]);
    let take = |account, byte| {
        second_step::take_recovery_code(&mut world.sql(), account, &[byte; 32]).unwrap()
    };
    assert!(!take(ALICIA, 1), "it was replaced");
    assert!(!take(BOB, 2), "it is not his");
    assert!(take(ALICIA, 2));
    assert!(!take(ALICIA, 2));
    let left = second_step::recovery_codes(&mut world.sql(), ALICIA).unwrap();
    assert_eq!(left, 2);
}

fn it_goes_with_its_codes(engine: Engine) {
    let world = world(engine);
    second_step::begin(&mut world.sql(), ALICIA, &[1; 20]).unwrap();
    second_step::set_recovery_codes(&mut world.sql(), ALICIA, &[[1; 32]]).unwrap();
    assert!(second_step::remove(&mut world.sql(), ALICIA).unwrap());
    assert!(!second_step::remove(&mut world.sql(), ALICIA).unwrap());
    assert_eq!(second_step::get(&mut world.sql(), ALICIA).unwrap(), None);
    let left = second_step::recovery_codes(&mut world.sql(), ALICIA).unwrap();
    assert_eq!(left, 0);
}
