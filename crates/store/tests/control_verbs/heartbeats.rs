use std::time::Duration;

use nightbeat_domain::{
    Cause, ChannelId, Claim, LastRun, OpenIncident, OpenRun, Outcome, Phase, RunId, State, Status,
};
use nightbeat_store::control::addressed::{self, Addressed};
use nightbeat_store::control::heartbeats::{self, BySlug, Details, Filter, New};
use nightbeat_store::control::{Routing, settings};
use nightbeat_store::{StoreError, Target};
use uuid::Uuid;

use crate::world::{
    ALICE, Engine, MALLORY, World, at, first_page, heartbeat_id, named, next_page, on_each_engine,
    settings as daily, state,
};

on_each_engine!(
    a_heartbeat_comes_back_as_it_was_inserted,
    equal_settings_are_one_row,
    a_stranger_sees_nothing,
    a_slug_names_a_heartbeat_unless_several_share_it,
    an_address_is_looked_up_before_anything_is_sent_to_it,
    a_strangers_channel_cannot_be_named,
    an_update_needs_the_version_that_it_is_based_on,
    a_removed_heartbeat_is_gone_at_once,
    an_id_is_found_by_what_is_made_of_it,
    heartbeats_are_listed_by_age_a_page_at_a_time,
    a_list_is_filtered_by_tags,
    the_tags_of_a_project_are_listed_once,
    a_list_is_filtered_by_text_and_slug,
    a_list_by_status_agrees_with_the_domain,
    all_filters_hold_together,
);

fn busy_state() -> State {
    let rid = RunId(Uuid::from_u128(77));
    State {
        phase: Phase::Down,
        last_signal_at: Some(at(8)),
        last_success_at: Some(at(7)),
        expected_at: Some(at(9)),
        wake_at: Some(at(10)),
        failures: 3,
        successes: 4,
        signals: 5,
        incidents: 6,
        alerts: 7,
        version: 8,
        last_run: Some(LastRun {
            started_at: Some(at(6)),
            ended_at: at(7),
            outcome: Outcome::Failed,
        }),
        runs: vec![OpenRun {
            rid: Some(rid),
            started_at: at(1),
            deadline: at(2),
            overran: true,
            counted: true,
        }],
        finished: vec![rid],
        incident: Some(OpenIncident {
            number: 6,
            cause: Cause::Missed,
            claim: Claim::Unverified,
            opened_at: at(9),
            deadline: Some(at(9)),
            alerted_at: at(9),
            acknowledged: false,
            snoozed_until: None,
            held_back: true,
        }),
        ..state()
    }
}

fn a_heartbeat_comes_back_as_it_was_inserted(engine: Engine) {
    let world = World::new(engine);
    let channel = world.channel(ALICE, 1, "mail");
    let details = Details {
        name: "Nightly \"backup\"".to_owned(),
        slug: "nightly-backup".to_owned(),
        description: "über alles".to_owned(),
        tags: vec!["prod".to_owned(), "a,\"b".to_owned()],
        channels: Routing::Only(vec![channel]),
    };
    let mut wanted = daily(3_600);
    wanted.warning_codes = vec![3, 24];
    wanted.max_run_time = Some(Duration::from_secs(60));
    let new = New {
        id: heartbeat_id(1),
        details: &details,
        settings: &wanted,
        state: &busy_state(),
        created_at: at(5),
    };
    heartbeats::insert(&mut world.sql(), ALICE, &new).unwrap();

    let found = heartbeats::get(&mut world.sql(), ALICE, new.id)
        .unwrap()
        .unwrap();
    assert_eq!((found.id, found.project, found.version), (new.id, ALICE, 1));
    assert_eq!(found.details, details);
    assert_eq!(*found.settings, wanted);
    assert_eq!(found.state, busy_state());
    assert_eq!(found.created_at, at(5));
    let loaded = settings::load(&mut world.sql(), found.settings_id).unwrap();
    assert_eq!(loaded, wanted);

    let again = heartbeats::insert(&mut world.sql(), ALICE, &new);
    assert!(
        matches!(&again, Err(StoreError::Conflict(text)) if text.contains("this id")),
        "{again:?}"
    );
}

fn equal_settings_are_one_row(engine: Engine) {
    let world = World::new(engine);
    let intern = |seconds| settings::intern(&mut world.sql(), &daily(seconds)).unwrap();
    let first = intern(60);
    assert_eq!(intern(60), first);
    assert_ne!(intern(61), first);
    assert_eq!(world.number("SELECT count(*) FROM settings"), 2);
}

fn a_stranger_sees_nothing(engine: Engine) {
    let world = World::new(engine);
    let id = world.heartbeat(1, &named("backup"));
    let mut sql = world.sql();
    assert_eq!(heartbeats::get(&mut sql, MALLORY, id).unwrap(), None);
    assert_eq!(
        heartbeats::by_slug(&mut sql, MALLORY, "backup").unwrap(),
        BySlug::None
    );
    let page = heartbeats::list(&mut sql, MALLORY, &Filter::default(), at(0), &first_page(9));
    assert!(page.unwrap().items.is_empty());
    assert_eq!(heartbeats::count(&mut sql, MALLORY).unwrap(), 0);
    let renamed = heartbeats::update(&mut sql, MALLORY, id, None, &named("mine"));
    assert_eq!(renamed.unwrap(), None);
    assert!(!heartbeats::delete(&mut sql, MALLORY, id, None, at(1)).unwrap());
    let found = heartbeats::get(&mut sql, ALICE, id).unwrap().unwrap();
    assert_eq!(found.details.name, "backup");
}

fn a_slug_names_a_heartbeat_unless_several_share_it(engine: Engine) {
    let world = World::new(engine);
    let id = world.heartbeat(1, &named("backup"));
    let by_slug = || heartbeats::by_slug(&mut world.sql(), ALICE, "backup").unwrap();
    assert!(matches!(by_slug(), BySlug::One(found) if found.id == id));
    world.heartbeat(2, &named("Backup"));
    assert_eq!(by_slug(), BySlug::Several);
}

fn an_address_is_looked_up_before_anything_is_sent_to_it(engine: Engine) {
    let world = World::new(engine);
    let id = world.heartbeat(1, &named("backup"));
    let look_up = |target| addressed::look_up(&mut world.sql(), &target).unwrap();
    let slug = |ping_key: &str, slug: &str| Target::Slug {
        ping_key: ping_key.to_owned(),
        slug: slug.to_owned(),
        create: None,
    };
    assert_eq!(look_up(Target::Id(id)), Addressed::One);
    assert_eq!(look_up(Target::Id(heartbeat_id(2))), Addressed::None);
    let hers = "ping key of Alice";
    assert_eq!(look_up(slug(hers, "backup")), Addressed::One);
    assert_eq!(look_up(slug(hers, "other")), Addressed::None);
    let strangers = "ping key of Mallory";
    assert_eq!(look_up(slug(strangers, "backup")), Addressed::None);
    assert_eq!(look_up(slug("no key", "backup")), Addressed::None);
    world.heartbeat(2, &named("Backup"));
    assert_eq!(look_up(slug(hers, "backup")), Addressed::Several);
}

fn a_strangers_channel_cannot_be_named(engine: Engine) {
    let world = World::new(engine);
    let hers = world.channel(MALLORY, 1, "mail");
    let id = world.heartbeat(1, &named("backup"));
    for channel in [hers, ChannelId(Uuid::from_u128(99))] {
        let routed = Details {
            channels: Routing::Only(vec![channel]),
            ..named("backup")
        };
        let updated = heartbeats::update(&mut world.sql(), ALICE, id, None, &routed);
        assert!(
            matches!(updated, Err(StoreError::Conflict(_))),
            "{updated:?}"
        );
        let new = New {
            id: heartbeat_id(2),
            details: &routed,
            settings: &daily(60),
            state: &state(),
            created_at: at(1),
        };
        let inserted = heartbeats::insert(&mut world.sql(), ALICE, &new);
        assert!(
            matches!(inserted, Err(StoreError::Conflict(_))),
            "{inserted:?}"
        );
    }
}

fn an_update_needs_the_version_that_it_is_based_on(engine: Engine) {
    let world = World::new(engine);
    let id = world.heartbeat(1, &named("backup"));
    let update = |if_match, name| {
        heartbeats::update(&mut world.sql(), ALICE, id, if_match, &named(name)).unwrap()
    };
    assert_eq!(update(Some(1), "second"), Some(2));
    assert_eq!(update(Some(1), "too late"), None);
    assert_eq!(update(None, "third"), Some(3));
    let found = heartbeats::get(&mut world.sql(), ALICE, id)
        .unwrap()
        .unwrap();
    assert_eq!((found.details, found.version), (named("third"), 3));
    let nobody = heartbeat_id(9);
    let missing = heartbeats::update(&mut world.sql(), ALICE, nobody, None, &named("x"));
    assert_eq!(missing.unwrap(), None);
}

fn a_removed_heartbeat_is_gone_at_once(engine: Engine) {
    let world = World::new(engine);
    let id = world.heartbeat(1, &named("backup"));
    assert!(!heartbeats::delete(&mut world.sql(), ALICE, id, Some(2), at(9)).unwrap());
    assert!(heartbeats::delete(&mut world.sql(), ALICE, id, Some(1), at(9)).unwrap());
    assert_eq!(heartbeats::get(&mut world.sql(), ALICE, id).unwrap(), None);
    assert_eq!(world.number("SELECT count(*) FROM heartbeat_state"), 0);
    assert!(!heartbeats::delete(&mut world.sql(), ALICE, id, None, at(9)).unwrap());
}

fn heartbeats_are_listed_by_age_a_page_at_a_time(engine: Engine) {
    let world = World::new(engine);
    for number in [3, 1, 5, 2, 4] {
        world.heartbeat(number, &named("job"));
    }
    // Of the same age: then the id decides.
    world.raw(
        "UPDATE heartbeat SET created_at = 4000000 WHERE created_at = 5000000",
        &[],
    );
    let mut seen = Vec::new();
    let mut request = first_page(2);
    loop {
        let filter = Filter::default();
        let page = heartbeats::list(&mut world.sql(), ALICE, &filter, at(0), &request).unwrap();
        seen.extend(page.items.iter().map(|heartbeat| heartbeat.id));
        if page.next.is_none() {
            break;
        }
        request = next_page(2, page.next);
    }
    assert_eq!(seen, [1, 2, 3, 5, 4].map(heartbeat_id));
    assert_eq!(heartbeats::count(&mut world.sql(), ALICE).unwrap(), 5);
}

fn listed(world: &World, filter: &Filter) -> Vec<String> {
    let page = heartbeats::list(&mut world.sql(), ALICE, filter, at(100), &first_page(99));
    let names = page.unwrap().items.into_iter().map(|it| it.details.name);
    names.collect()
}

fn a_list_is_filtered_by_tags(engine: Engine) {
    let world = World::new(engine);
    for (number, name, tags) in [
        (1, "none", &[][..]),
        (2, "prod", &["prod"][..]),
        (3, "both", &["db", "prod"][..]),
        (4, "longer", &["production", "xprod"][..]),
        (5, "tricky", &["x,\"prod", "[\"prod\"]", "prod\\"][..]),
        (6, "wild", &["%", "a_b"][..]),
    ] {
        let tags = tags.iter().map(ToString::to_string).collect();
        world.heartbeat(
            number,
            &Details {
                tags,
                ..named(name)
            },
        );
    }
    let tagged = |tags: &[&str]| {
        let tags = tags.iter().map(ToString::to_string).collect();
        listed(
            &world,
            &Filter {
                tags,
                ..Filter::default()
            },
        )
    };
    assert_eq!(tagged(&["prod"]), ["prod", "both"]);
    assert_eq!(tagged(&["prod", "db"]), ["both"]);
    assert_eq!(tagged(&["x,\"prod"]), ["tricky"]);
    assert_eq!(tagged(&["prod\\"]), ["tricky"]);
    assert_eq!(tagged(&["%"]), ["wild"]);
    assert!(tagged(&["PROD"]).is_empty());
    assert!(tagged(&[""]).is_empty());
    assert_eq!(tagged(&[]).len(), 6);
}

fn a_list_is_filtered_by_text_and_slug(engine: Engine) {
    let world = World::new(engine);
    world.heartbeat(1, &named("Nightly backup"));
    world.heartbeat(
        2,
        &Details {
            description: "dumps 100% of the Backup_db".to_owned(),
            ..named("dump")
        },
    );
    world.heartbeat(3, &named("Überprüfung"));
    let found = |text: &str| {
        let text = Some(text.to_owned());
        listed(
            &world,
            &Filter {
                text,
                ..Filter::default()
            },
        )
    };
    assert_eq!(found("BACKUP"), ["Nightly backup", "dump"]);
    assert_eq!(found("nightly-b"), ["Nightly backup"], "in the slug");
    assert_eq!(found("0% of"), ["dump"]);
    assert_eq!(found("p_d"), ["dump"]);
    assert_eq!(found("Überpr"), ["Überprüfung"]);
    assert!(found("a_b").is_empty());
    assert_eq!(found("").len(), 3);
    let slug = Some("dump".to_owned());
    assert_eq!(
        listed(
            &world,
            &Filter {
                slug,
                ..Filter::default()
            }
        ),
        ["dump"]
    );
}

fn a_list_by_status_agrees_with_the_domain(engine: Engine) {
    let world = World::new(engine);
    let phases = [
        Phase::New,
        Phase::Up,
        Phase::Warning,
        Phase::Down,
        Phase::Unverified,
        Phase::Paused,
    ];
    let mut number = 0;
    for phase in phases {
        for expected_at in [None, Some(at(99)), Some(at(100)), Some(at(101))] {
            number += 1;
            let state = State {
                phase,
                expected_at,
                ..state()
            };
            world.heartbeat_in(number, &named("job"), &state);
        }
    }
    let list = |filter: &Filter| {
        let page = heartbeats::list(&mut world.sql(), ALICE, filter, at(100), &first_page(99));
        page.unwrap().items
    };
    let all = list(&Filter::default());
    assert_eq!(all.len(), 24);
    for status in [
        Status::New,
        Status::Up,
        Status::Warning,
        Status::Late,
        Status::Down,
        Status::Unverified,
        Status::Paused,
    ] {
        let expected: Vec<_> = all
            .iter()
            .filter(|heartbeat| heartbeat.state.status(at(100)) == status)
            .cloned()
            .collect();
        assert!(!expected.is_empty());
        let status = Some(status);
        assert_eq!(
            list(&Filter {
                status,
                ..Filter::default()
            }),
            expected,
            "{status:?}"
        );
    }
}

fn all_filters_hold_together(engine: Engine) {
    let world = World::new(engine);
    let tagged = Details {
        tags: vec!["prod".to_owned()],
        ..named("backup")
    };
    world.heartbeat(1, &tagged);
    world.heartbeat(2, &named("backup"));
    let filter = Filter {
        tags: vec!["prod".to_owned()],
        status: Some(Status::New),
        text: Some("back".to_owned()),
        slug: Some("backup".to_owned()),
    };
    let page = heartbeats::list(&mut world.sql(), ALICE, &filter, at(0), &first_page(9)).unwrap();
    let ids: Vec<_> = page.items.iter().map(|it| it.id).collect();
    assert_eq!(ids, [heartbeat_id(1)]);
}

fn an_id_is_found_by_what_is_made_of_it(engine: Engine) {
    let world = World::new(engine);
    for number in 1..=1_001 {
        world.heartbeat(number, &named(&format!("job-{number}")));
    }
    let find = |project, wanted| {
        heartbeats::find_id(&mut world.sql(), project, |id| id == wanted).unwrap()
    };
    for number in [1, 500, 1_000, 1_001] {
        let id = heartbeat_id(number);
        assert_eq!(find(ALICE, id), Some(id), "{number}");
        assert_eq!(find(MALLORY, id), None, "{number}");
    }
    assert_eq!(find(ALICE, heartbeat_id(1_002)), None);
}

fn the_tags_of_a_project_are_listed_once(engine: Engine) {
    let world = World::new(engine);
    for (number, tags) in [
        (1, &["web", "prod"][..]),
        (2, &["prod", "été"]),
        (3, &[]),
        (4, &["web", "prod"]),
    ] {
        let tags = tags.iter().map(ToString::to_string).collect();
        world.heartbeat(
            number,
            &Details {
                tags,
                ..named("job")
            },
        );
    }
    let tags = |project| heartbeats::tags(&mut world.sql(), project).unwrap();
    let found: Vec<String> = tags(ALICE).into_iter().collect();
    assert_eq!(found, ["prod", "web", "été"]);
    assert!(tags(MALLORY).is_empty());
}
