use nightbeat_domain::ProjectId;
use nightbeat_store::StoreError;
use nightbeat_store::control::accounts::{self, Account, Role, Theme};
use nightbeat_store::control::identities;
use uuid::Uuid;

use crate::world::{ALICE, Engine, MALLORY, World, at, on_each_engine};

on_each_engine!(
    an_account_is_found_by_its_address_however_it_is_written,
    an_address_has_one_account,
    a_password_can_be_changed_and_taken_away,
    membership_joins_accounts_and_projects,
    who_does_not_exist_cannot_be_a_member,
    a_person_of_a_provider_has_one_account,
);

fn account(number: u128, email: &str) -> Account {
    Account {
        id: Uuid::from_u128(number),
        email: email.to_owned(),
        password_hash: Some("$argon2id$…".to_owned()),
        created_at: at(5),
        theme: Theme::System,
        time_zone: None,
    }
}

fn an_account_is_found_by_its_address_however_it_is_written(engine: Engine) {
    let world = World::new(engine);
    let alice = account(1, "alice@example.org");
    let as_typed = account(1, " Alice@Example.ORG ");
    accounts::create(&mut world.sql(), &as_typed).unwrap();
    for email in ["alice@example.org", "ALICE@example.org "] {
        let found = accounts::by_email(&mut world.sql(), email).unwrap();
        assert_eq!(found, Some(alice.clone()), "{email}");
    }
    assert_eq!(
        accounts::by_email(&mut world.sql(), "bob@example.org").unwrap(),
        None
    );
    assert!(!format!("{alice:?}").contains("argon2id"));
}

fn an_address_has_one_account(engine: Engine) {
    let world = World::new(engine);
    accounts::create(&mut world.sql(), &account(1, "alice@example.org")).unwrap();
    let error = accounts::create(&mut world.sql(), &account(2, "ALICE@example.org")).unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict(text) if text.contains("address")),
        "{error}"
    );
}

fn a_password_can_be_changed_and_taken_away(engine: Engine) {
    let world = World::new(engine);
    accounts::create(&mut world.sql(), &account(1, "a@example.org")).unwrap();
    for hash in [Some("$argon2id$new"), None] {
        let alice = Uuid::from_u128(1);
        assert!(accounts::set_password_hash(&mut world.sql(), alice, hash).unwrap());
        let found = accounts::by_email(&mut world.sql(), "a@example.org").unwrap();
        assert_eq!(found.unwrap().password_hash.as_deref(), hash);
    }
    assert!(!accounts::set_password_hash(&mut world.sql(), Uuid::from_u128(9), None).unwrap());
}

fn membership_joins_accounts_and_projects(engine: Engine) {
    let world = World::new(engine);
    let (alice, bob) = (
        account(1, "alice@example.org"),
        account(2, "bob@example.org"),
    );
    for account in [&alice, &bob] {
        accounts::create(&mut world.sql(), account).unwrap();
    }
    accounts::set_member(&mut world.sql(), ALICE, alice.id, Role::Owner).unwrap();
    accounts::set_member(&mut world.sql(), ALICE, bob.id, Role::Member).unwrap();
    accounts::set_member(&mut world.sql(), ALICE, bob.id, Role::ReadOnly).unwrap();

    let role = |project, id| accounts::role(&mut world.sql(), project, id).unwrap();
    assert_eq!(role(ALICE, alice.id), Some(Role::Owner));
    assert_eq!(role(ALICE, bob.id), Some(Role::ReadOnly));
    assert_eq!(role(MALLORY, alice.id), None);
    let members = accounts::members(&mut world.sql(), ALICE).unwrap();
    assert_eq!(
        members,
        [(alice.clone(), Role::Owner), (bob.clone(), Role::ReadOnly)]
    );
    assert!(
        accounts::members(&mut world.sql(), MALLORY)
            .unwrap()
            .is_empty()
    );
    let projects = accounts::projects_of(&mut world.sql(), bob.id).unwrap();
    assert_eq!(projects, [(ALICE, Role::ReadOnly)]);

    assert!(!accounts::remove_member(&mut world.sql(), MALLORY, bob.id).unwrap());
    assert!(accounts::remove_member(&mut world.sql(), ALICE, bob.id).unwrap());
    assert_eq!(role(ALICE, bob.id), None);
}

fn who_does_not_exist_cannot_be_a_member(engine: Engine) {
    let world = World::new(engine);
    let nobody = Uuid::from_u128(9);
    let nowhere = ProjectId(nobody);
    accounts::create(&mut world.sql(), &account(1, "a@example.org")).unwrap();
    for (project, account) in [(ALICE, nobody), (nowhere, Uuid::from_u128(1))] {
        let error = accounts::set_member(&mut world.sql(), project, account, Role::Member);
        assert!(matches!(error, Err(StoreError::Conflict(_))), "{error:?}");
    }
}

fn a_person_of_a_provider_has_one_account(engine: Engine) {
    let world = World::new(engine);
    for (number, email) in [(1, "a@example.org"), (2, "b@example.org")] {
        accounts::create(&mut world.sql(), &account(number, email)).unwrap();
    }
    let (alice, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let insert =
        |issuer, account| identities::insert(&mut world.sql(), issuer, "alice", account, at(1));
    insert("https://one.example", alice).unwrap();
    insert("https://two.example", bob).unwrap();
    let again = insert("https://one.example", bob);
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let find = |issuer, subject| identities::account(&mut world.sql(), issuer, subject).unwrap();
    assert_eq!(find("https://one.example", "alice"), Some(alice));
    assert_eq!(find("https://two.example", "alice"), Some(bob));
    assert_eq!(find("https://one.example", "bob"), None);
}
