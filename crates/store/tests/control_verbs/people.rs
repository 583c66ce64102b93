//! Invitations, and the log of who did what.

use nightbeat_domain::ProjectId;
use nightbeat_store::control::accounts::{self, Account, Role, Theme};
use nightbeat_store::control::audit::{self, AUDIT_TIME, Entry};
use nightbeat_store::control::invitations::{self, Invitation};
use nightbeat_store::control::{PageRequest, projects};
use uuid::Uuid;

use crate::world::{ALICE, Engine, MALLORY, World, at, on_each_engine};

on_each_engine!(
    an_invitation_is_found_by_its_hash_in_its_time,
    invitations_are_listed_and_taken_back_in_their_project_only,
    the_log_of_a_project_is_its_own_and_the_newest_comes_first,
    the_log_of_an_account_goes_across_projects,
    entries_are_deleted_after_two_years,
    an_account_has_its_appearance_and_its_projects,
);

fn invitation(number: u128, project: ProjectId) -> Invitation {
    Invitation {
        id: Uuid::from_u128(number),
        project,
        role: Role::Member,
        email: Some("bob@example.org".to_owned()),
        invited_by: "alice@example.org".to_owned(),
        created_at: at(5),
        expires_at: at(100),
    }
}

fn an_invitation_is_found_by_its_hash_in_its_time(engine: Engine) {
    let world = World::new(engine);
    let typed = Invitation {
        email: Some(" Bob@example.org".to_owned()),
        ..invitation(1, ALICE)
    };
    invitations::insert(&mut world.sql(), &typed, &[1; 32]).unwrap();
    let find = |hash, now| invitations::by_hash(&mut world.sql(), &hash, at(now)).unwrap();
    assert_eq!(find([1; 32], 99), Some(invitation(1, ALICE)));
    assert_eq!(find([2; 32], 99), None);
    assert_eq!(find([1; 32], 100), None);
    assert_eq!(invitations::prune(&mut world.sql(), at(99)).unwrap(), 0);
    assert_eq!(invitations::prune(&mut world.sql(), at(100)).unwrap(), 1);
}

fn invitations_are_listed_and_taken_back_in_their_project_only(engine: Engine) {
    let world = World::new(engine);
    let alices = invitation(1, ALICE);
    invitations::insert(&mut world.sql(), &alices, &[1; 32]).unwrap();
    let list = |project| invitations::list(&mut world.sql(), project, at(99)).unwrap();
    assert_eq!(list(ALICE), std::slice::from_ref(&alices));
    assert_eq!(list(MALLORY), []);
    assert!(!invitations::delete(&mut world.sql(), MALLORY, alices.id).unwrap());
    assert!(invitations::delete(&mut world.sql(), ALICE, alices.id).unwrap());
    assert_eq!(list(ALICE), []);
}

fn entry(number: u128, project: Option<ProjectId>, account: u128) -> Entry {
    Entry {
        id: Uuid::from_u128(number),
        at: at(i64::try_from(number).unwrap()),
        project,
        account: Some(Uuid::from_u128(account)),
        who: "alice@example.org".to_owned(),
        action: "invited".to_owned(),
        about: "bob@example.org".to_owned(),
        address: "192.0.2.7".to_owned(),
    }
}

fn the_log_of_a_project_is_its_own_and_the_newest_comes_first(engine: Engine) {
    let world = World::new(engine);
    let all = [
        entry(1, Some(ALICE), 1),
        entry(2, Some(ALICE), 1),
        entry(3, Some(MALLORY), 2),
        entry(4, None, 1),
        entry(5, Some(ALICE), 2),
    ];
    for one in &all {
        audit::note(&mut world.sql(), one).unwrap();
    }
    let page = |request| audit::of_project(&mut world.sql(), ALICE, &request).unwrap();
    let first = page(PageRequest::new(2, None));
    assert_eq!(first.items, [all[4].clone(), all[1].clone()]);
    let second = page(PageRequest::new(2, first.next));
    assert_eq!((second.items, second.next), (vec![all[0].clone()], None));
}

fn the_log_of_an_account_goes_across_projects(engine: Engine) {
    let world = World::new(engine);
    let mine = [
        entry(1, Some(ALICE), 1),
        entry(2, None, 1),
        entry(3, Some(MALLORY), 1),
    ];
    for one in &mine {
        audit::note(&mut world.sql(), one).unwrap();
    }
    audit::note(&mut world.sql(), &entry(4, Some(ALICE), 2)).unwrap();
    let request = PageRequest::default();
    let found = audit::of_account(&mut world.sql(), Uuid::from_u128(1), &request).unwrap();
    let ids = found.items.iter().map(|entry| entry.id.as_u128());
    assert_eq!(ids.collect::<Vec<_>>(), [3, 2, 1]);
}

fn entries_are_deleted_after_two_years(engine: Engine) {
    let world = World::new(engine);
    for number in [1, 2] {
        audit::note(&mut world.sql(), &entry(number, Some(ALICE), 1)).unwrap();
    }
    let then = at(2) + AUDIT_TIME;
    assert_eq!(audit::prune(&mut world.sql(), then).unwrap(), 1);
    assert_eq!(audit::prune(&mut world.sql(), then).unwrap(), 0);
}

fn an_account_has_its_appearance_and_its_projects(engine: Engine) {
    let world = World::new(engine);
    let alice = Account {
        id: Uuid::from_u128(1),
        email: "alice@example.org".to_owned(),
        password_hash: None,
        created_at: at(5),
        verified_at: None,
        theme: Theme::System,
        time_zone: None,
    };
    accounts::create(&mut world.sql(), &alice).unwrap();
    let changed = |id, zone| {
        accounts::set_appearance(&mut world.sql(), Uuid::from_u128(id), Theme::Dark, zone).unwrap()
    };
    assert!(changed(1, Some("Europe/Berlin")));
    assert!(!changed(2, None));
    let found = accounts::get(&mut world.sql(), alice.id).unwrap();
    let expected = Account {
        theme: Theme::Dark,
        time_zone: Some("Europe/Berlin".to_owned()),
        ..alice.clone()
    };
    assert_eq!(found, Some(expected));
    accounts::set_member(&mut world.sql(), ALICE, alice.id, Role::Owner).unwrap();
    accounts::set_member(&mut world.sql(), MALLORY, alice.id, Role::ReadOnly).unwrap();
    let found = projects::of_account(&mut world.sql(), alice.id).unwrap();
    let found = found.iter().map(|(project, role)| (project.id, *role));
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(id, _)| id.0);
    assert_eq!(found, [(ALICE, Role::Owner), (MALLORY, Role::ReadOnly)]);
    assert_eq!(accounts::owners(&mut world.sql(), ALICE).unwrap(), 1);
    assert_eq!(accounts::owners(&mut world.sql(), MALLORY).unwrap(), 0);
}
