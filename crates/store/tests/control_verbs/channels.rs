use std::collections::BTreeMap;

use nightbeat_domain::ChannelId;
use nightbeat_store::StoreError;
use nightbeat_store::control::heartbeats::Details;
use nightbeat_store::control::{Routing, channels, projects};
use uuid::Uuid;

use crate::world::{
    ALICE, Engine, MALLORY, World, channel, first_page, named, next_page, on_each_engine,
};

on_each_engine!(
    a_channel_is_found_by_id_and_by_name_in_its_project,
    a_name_is_taken_in_its_project_only,
    channels_are_listed_by_age_a_page_at_a_time,
    an_update_needs_the_version_that_it_is_based_on,
    a_deleted_channel_is_no_fallback_any_more,
    a_channel_knows_how_many_heartbeats_name_it,
);

fn a_channel_is_found_by_id_and_by_name_in_its_project(engine: Engine) {
    let world = World::new(engine);
    let id = world.channel(ALICE, 1, "hook");
    let mut sql = world.sql();
    let expected = Some(channel(1, "hook"));
    assert_eq!(channels::get(&mut sql, ALICE, id).unwrap(), expected);
    assert_eq!(
        channels::by_name(&mut sql, ALICE, "hook").unwrap(),
        expected
    );
    assert_eq!(channels::by_name(&mut sql, ALICE, "Hook").unwrap(), None);
    assert_eq!(channels::get(&mut sql, MALLORY, id).unwrap(), None);
    assert_eq!(channels::by_name(&mut sql, MALLORY, "hook").unwrap(), None);
}

fn a_name_is_taken_in_its_project_only(engine: Engine) {
    let world = World::new(engine);
    world.channel(ALICE, 1, "hook");
    world.channel(MALLORY, 2, "hook");
    let again = channels::insert(&mut world.sql(), ALICE, &channel(3, "hook"));
    let taken = "there is a channel named \"hook\" already";
    assert!(
        matches!(&again, Err(StoreError::Conflict(text)) if text == taken),
        "{again:?}"
    );

    let other = world.channel(ALICE, 4, "other");
    let fields = BTreeMap::new();
    let renamed = channels::update(&mut world.sql(), ALICE, other, None, "hook", &fields);
    assert!(
        matches!(&renamed, Err(StoreError::Conflict(text)) if text == taken),
        "{renamed:?}"
    );
}

fn channels_are_listed_by_age_a_page_at_a_time(engine: Engine) {
    let world = World::new(engine);
    for number in [2, 1, 3] {
        world.channel(ALICE, number, &format!("hook {number}"));
    }
    let page = channels::list(&mut world.sql(), ALICE, &first_page(2)).unwrap();
    assert_eq!(page.items, [channel(1, "hook 1"), channel(2, "hook 2")]);
    let page = channels::list(&mut world.sql(), ALICE, &next_page(2, page.next)).unwrap();
    assert_eq!(page.items, [channel(3, "hook 3")]);
    assert_eq!(page.next, None);
    assert!(
        channels::list(&mut world.sql(), MALLORY, &first_page(9))
            .unwrap()
            .items
            .is_empty()
    );
}

fn an_update_needs_the_version_that_it_is_based_on(engine: Engine) {
    let world = World::new(engine);
    let id = world.channel(ALICE, 1, "hook");
    let fields = BTreeMap::from([("url".to_owned(), "https://example.net".to_owned())]);
    let update = |project, if_match, name| {
        channels::update(&mut world.sql(), project, id, if_match, name, &fields).unwrap()
    };
    assert_eq!(update(MALLORY, None, "mine"), None);
    assert_eq!(update(ALICE, Some(1), "second"), Some(2));
    assert_eq!(update(ALICE, Some(1), "too late"), None);
    assert_eq!(update(ALICE, None, "third"), Some(3));
    let found = channels::get(&mut world.sql(), ALICE, id).unwrap().unwrap();
    assert_eq!(
        (found.name.as_str(), found.fields, found.version),
        ("third", fields, 3)
    );
}

fn a_deleted_channel_is_no_fallback_any_more(engine: Engine) {
    let world = World::new(engine);
    let id = world.channel(ALICE, 1, "hook");
    projects::update(&mut world.sql(), ALICE, "Alice", Some(id)).unwrap();
    assert!(!channels::delete(&mut world.sql(), MALLORY, id, None).unwrap());
    assert!(!channels::delete(&mut world.sql(), ALICE, id, Some(2)).unwrap());
    assert!(channels::delete(&mut world.sql(), ALICE, id, Some(1)).unwrap());
    assert_eq!(channels::get(&mut world.sql(), ALICE, id).unwrap(), None);
    let alice = projects::get(&mut world.sql(), ALICE).unwrap().unwrap();
    assert_eq!(alice.fallback_channel, None);
    assert!(!channels::delete(&mut world.sql(), ALICE, id, None).unwrap());
}

fn a_channel_knows_how_many_heartbeats_name_it(engine: Engine) {
    let world = World::new(engine);
    let (hook, other) = (
        world.channel(ALICE, 1, "hook"),
        world.channel(ALICE, 2, "other"),
    );
    for (number, routing) in [
        (1, Routing::All),
        (2, Routing::Only(vec![hook])),
        (3, Routing::Only(vec![other, hook])),
        (4, Routing::Only(vec![])),
    ] {
        world.heartbeat(
            number,
            &Details {
                channels: routing,
                ..named("job")
            },
        );
    }
    let named_by = |project, id| channels::named_by(&mut world.sql(), project, id).unwrap();
    assert_eq!(named_by(ALICE, hook), 2);
    assert_eq!(named_by(ALICE, other), 1);
    assert_eq!(named_by(ALICE, ChannelId(Uuid::from_u128(9))), 0);
    assert_eq!(named_by(MALLORY, hook), 0);
}
