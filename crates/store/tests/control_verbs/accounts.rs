use nightbeat_domain::ProjectId;
use nightbeat_store::StoreError;
use nightbeat_store::control::accounts::{self, Account, OwnedAlone, Role, Theme};
use nightbeat_store::control::passkeys::{self, Passkey};
use nightbeat_store::control::sessions::{self, Session, SessionOwner};
use nightbeat_store::control::{identities, keys, second_step};
use uuid::Uuid;

use crate::world::{ALICE, Engine, MALLORY, World, at, on_each_engine};

on_each_engine!(
    an_account_is_found_by_its_address_however_it_is_written,
    an_address_has_one_account,
    a_password_can_be_changed_and_taken_away,
    membership_joins_accounts_and_projects,
    who_does_not_exist_cannot_be_a_member,
    a_person_of_a_provider_has_one_account,
    an_address_is_changed_and_counts_as_proved,
    an_account_that_is_handed_over_keeps_no_way_in,
    an_account_is_deleted_with_all_that_opens_it,
    a_project_with_one_owner_is_owned_alone,
);

fn account(number: u128, email: &str) -> Account {
    Account {
        id: Uuid::from_u128(number),
        email: email.to_owned(),
        password_hash: Some("$argon2id$…".to_owned()),
        created_at: at(5),
        verified_at: None,
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

fn an_address_is_changed_and_counts_as_proved(engine: Engine) {
    let world = World::new(engine);
    let alice = account(1, "alice@example.org");
    accounts::create(&mut world.sql(), &alice).unwrap();
    accounts::create(&mut world.sql(), &account(2, "bob@example.org")).unwrap();
    let set = |email| accounts::set_email(&mut world.sql(), alice.id, email, at(9));
    assert!(set(" Alicia@Example.org").unwrap());
    let found = accounts::get(&mut world.sql(), alice.id).unwrap().unwrap();
    assert_eq!(
        (found.email.as_str(), found.verified_at),
        ("alicia@example.org", Some(at(9)))
    );
    let taken = set("bob@example.org");
    assert!(
        matches!(&taken, Err(StoreError::Conflict(text)) if text.contains("address")),
        "{taken:?}"
    );
    let nobody = accounts::set_email(&mut world.sql(), Uuid::from_u128(9), "c@example.org", at(9));
    assert!(!nobody.unwrap());
}

/// Gives an account everything that opens it.
fn furnish(world: &World, account: Uuid) {
    let hash = |of: &str| {
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(account.as_bytes());
        hash[16] = of.len() as u8;
        hash
    };
    let session = Session {
        id: account,
        owner: SessionOwner::Account(account),
        created_at: at(1),
        seen_at: at(1),
        confirmed_at: at(1),
        address: String::new(),
        user_agent: String::new(),
    };
    sessions::begin(&mut world.sql(), &session, &hash("session")).unwrap();
    let passkey = Passkey {
        id: account,
        account,
        credential: account.as_bytes().to_vec(),
        name: "phone".to_owned(),
        json: "{}".to_owned(),
        created_at: at(1),
        used_at: None,
    };
    passkeys::insert(&mut world.sql(), &passkey).unwrap();
    second_step::begin(&mut world.sql(), account, &[7; 20]).unwrap();
    world.raw(
        "INSERT INTO recovery_code (account, hash) VALUES ($1, $1)",
        &[account.into()],
    );
    let subject = account.to_string();
    identities::insert(
        &mut world.sql(),
        "https://id.example",
        &subject,
        account,
        at(1),
    )
    .unwrap();
    let purpose = format!("sign-in of {account}");
    keys::insert_link(&mut world.sql(), &hash("a link"), &purpose, at(1), at(99)).unwrap();
}

/// How many rows of each kind are left that open an account.
fn ways_in(world: &World) -> Vec<i64> {
    let tables = [
        "session",
        "passkey",
        "totp",
        "recovery_code",
        "external_identity",
        "one_time_link",
    ];
    let count = |table: &str| world.number(&format!("SELECT count(*) FROM {table}"));
    tables.map(count).to_vec()
}

fn an_account_that_is_handed_over_keeps_no_way_in(engine: Engine) {
    let world = World::new(engine);
    let (alice, bob) = (account(1, "a@example.org"), account(2, "b@example.org"));
    for account in [&alice, &bob] {
        accounts::create(&mut world.sql(), account).unwrap();
        furnish(&world, account.id);
    }
    accounts::set_member(&mut world.sql(), ALICE, alice.id, Role::Owner).unwrap();
    assert_eq!(ways_in(&world), [2; 6]);
    accounts::hand_over(&mut world.sql(), alice.id, at(7)).unwrap();
    assert_eq!(ways_in(&world), [1; 6], "Bob's are left");
    let found = accounts::get(&mut world.sql(), alice.id).unwrap().unwrap();
    assert_eq!(
        (found.password_hash, found.verified_at),
        (None, Some(at(7)))
    );
    let role = accounts::role(&mut world.sql(), ALICE, alice.id).unwrap();
    assert_eq!(role, Some(Role::Owner));
    let untouched = accounts::get(&mut world.sql(), bob.id).unwrap();
    assert_eq!(untouched, Some(bob));
}

fn an_account_is_deleted_with_all_that_opens_it(engine: Engine) {
    let world = World::new(engine);
    for (number, email) in [(1, "a@example.org"), (2, "b@example.org")] {
        accounts::create(&mut world.sql(), &account(number, email)).unwrap();
        furnish(&world, Uuid::from_u128(number));
    }
    let alice = Uuid::from_u128(1);
    accounts::set_member(&mut world.sql(), ALICE, alice, Role::Member).unwrap();
    assert!(accounts::delete(&mut world.sql(), alice).unwrap());
    assert_eq!(accounts::get(&mut world.sql(), alice).unwrap(), None);
    assert_eq!(ways_in(&world), [1; 6], "Bob's are left");
    assert!(
        accounts::members(&mut world.sql(), ALICE)
            .unwrap()
            .is_empty()
    );
    assert!(!accounts::delete(&mut world.sql(), alice).unwrap());
}

fn a_project_with_one_owner_is_owned_alone(engine: Engine) {
    let world = World::new(engine);
    let (alice, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for (number, email) in [(1, "a@example.org"), (2, "b@example.org")] {
        accounts::create(&mut world.sql(), &account(number, email)).unwrap();
    }
    let owned = |account| accounts::owned_alone(&mut world.sql(), account).unwrap();
    let member = |project, account, role| {
        accounts::set_member(&mut world.sql(), project, account, role).unwrap();
    };
    member(ALICE, alice, Role::Owner);
    member(MALLORY, alice, Role::Manager);
    let alices = |others| OwnedAlone {
        project: ALICE,
        name: "Alice".to_owned(),
        others,
    };
    assert_eq!(owned(alice), [alices(0)]);
    member(ALICE, bob, Role::Manager);
    assert_eq!(owned(alice), [alices(1)]);
    assert_eq!(owned(bob), []);
    member(ALICE, bob, Role::Owner);
    assert_eq!(owned(alice), []);
}
