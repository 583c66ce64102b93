//! What pages about a whole project read.

use nightbeat_domain::{Outcome, Phase, State, Status};
use nightbeat_store::control::heartbeats::{Details, Filter};
use nightbeat_store::control::overview::{self, Part, RUNS_MAX, Sort};
use nightbeat_store::control::{days, heartbeats};

use crate::world::{ALICE, Engine, MALLORY, World, at, named, on_each_engine, state};

on_each_engine!(
    a_part_is_sorted_by_what_needs_a_person,
    a_part_is_sorted_by_name_and_by_time_either_way_and_cut,
    counts_are_by_status_within_the_filter,
    tags_are_those_of_the_project,
    the_last_runs_of_many_come_at_once,
    the_version_changes_with_each_change_and_with_lateness,
    days_join_the_log_and_the_sums,
);

const ALL: Part = Part {
    sort: Sort::Status,
    reversed: false,
    skip: 0,
    limit: 200,
};

/// One of each status at second 100, in an order of creation that is none of theirs.
fn one_of_each(engine: Engine) -> World {
    let world = World::new(engine);
    let phases = [
        ("up", Phase::Up, 200),
        ("paused", Phase::Paused, 200),
        ("Late", Phase::Up, 50),
        ("down", Phase::Down, 50),
        ("new", Phase::New, 200),
        ("warning", Phase::Warning, 200),
        ("unverified", Phase::Unverified, 50),
    ];
    for (number, (name, phase, expected)) in (1..).zip(phases) {
        let state = State {
            phase,
            expected_at: (phase != Phase::Paused).then_some(at(expected)),
            last_signal_at: (phase != Phase::New).then_some(at(i64::from(number))),
            ..state()
        };
        world.heartbeat_in(number, &named(name), &state);
    }
    world
}

fn names(world: &World, filter: &Filter, part: Part) -> Vec<String> {
    let found = overview::part(&mut world.sql(), ALICE, filter, at(100), part).unwrap();
    found.into_iter().map(|one| one.details.name).collect()
}

fn a_part_is_sorted_by_what_needs_a_person(engine: Engine) {
    let world = one_of_each(engine);
    let sorted = names(&world, &Filter::default(), ALL);
    let expected = [
        "down",
        "unverified",
        "warning",
        "Late",
        "new",
        "up",
        "paused",
    ];
    assert_eq!(sorted, expected);
    let found = overview::part(&mut world.sql(), MALLORY, &Filter::default(), at(100), ALL);
    assert!(found.unwrap().is_empty());
}

fn a_part_is_sorted_by_name_and_by_time_either_way_and_cut(engine: Engine) {
    let world = one_of_each(engine);
    let by = |sort, reversed, skip, limit| {
        let part = Part {
            sort,
            reversed,
            skip,
            limit,
        };
        names(&world, &Filter::default(), part)
    };
    assert_eq!(by(Sort::Name, false, 0, 3), ["down", "Late", "new"]);
    assert_eq!(by(Sort::Name, true, 0, 2), ["warning", "up"]);
    assert_eq!(by(Sort::Name, false, 6, 3), ["warning"]);
    assert_eq!(by(Sort::Name, false, 7, 3), Vec::<String>::new());
    assert_eq!(by(Sort::LastSignal, false, 0, 2), ["unverified", "warning"]);
    assert_eq!(by(Sort::LastSignal, false, 6, 1), ["new"], "never heard of");
    assert_eq!(by(Sort::Expected, false, 6, 1), ["paused"], "not expected");
    let only = Filter {
        status: Some(Status::Late),
        ..Filter::default()
    };
    assert_eq!(names(&world, &only, ALL), ["Late"]);
}

fn counts_are_by_status_within_the_filter(engine: Engine) {
    let world = one_of_each(engine);
    let count = |filter: &Filter, project| {
        overview::counts(&mut world.sql(), project, filter, at(100)).unwrap()
    };
    let all = count(&Filter::default(), ALICE);
    assert_eq!(all.len(), 7);
    assert!(all.values().all(|count| *count == 1), "{all:?}");
    let text = Filter {
        text: Some("up".to_owned()),
        status: Some(Status::Down),
        ..Filter::default()
    };
    let some = count(&text, ALICE);
    assert_eq!(some.into_iter().collect::<Vec<_>>(), [(Status::Up, 1)]);
    assert!(count(&Filter::default(), MALLORY).is_empty());
}

fn tags_are_those_of_the_project(engine: Engine) {
    let world = World::new(engine);
    for (number, tags) in [(1, vec!["nas", "prod"]), (2, vec!["prod", "a \"b\""])] {
        let tags = tags.into_iter().map(str::to_owned).collect();
        let details = Details {
            tags,
            ..named("one")
        };
        world.heartbeat(number, &details);
    }
    let tags = overview::tags(&mut world.sql(), ALICE).unwrap();
    assert_eq!(
        tags.into_iter().collect::<Vec<_>>(),
        ["a \"b\"", "nas", "prod"]
    );
    assert!(
        overview::tags(&mut world.sql(), MALLORY)
            .unwrap()
            .is_empty()
    );
}

fn the_last_runs_of_many_come_at_once(engine: Engine) {
    let world = World::new(engine);
    let [odd, even, quiet] = [1, 2, 3].map(|number| world.heartbeat(number, &named("one")));
    for id in 1..=100 {
        world.run(if id % 2 == 1 { odd } else { even }, id);
    }
    let runs = overview::last_runs(&mut world.sql(), &[odd, quiet, even]).unwrap();
    assert_eq!(runs.len(), 2);
    let of_odd = &runs[&odd];
    assert_eq!(of_odd.len() as i64, RUNS_MAX);
    assert_eq!(of_odd[0].started_at, Some(at(41)), "the oldest first");
    assert_eq!(of_odd[29].ended_at, at(100));
    assert_eq!(of_odd[29].outcome, Outcome::Failed);
    assert_eq!(runs[&even][29].ended_at, at(101));
    assert!(
        overview::last_runs(&mut world.sql(), &[])
            .unwrap()
            .is_empty()
    );
}

fn the_version_changes_with_each_change_and_with_lateness(engine: Engine) {
    let world = one_of_each(engine);
    let version = |now| overview::version(&mut world.sql(), ALICE, at(now)).unwrap();
    let first = version(100);
    assert_eq!(version(101), first, "nothing happened");
    assert_ne!(version(300), first, "more are late");
    let all = overview::part(&mut world.sql(), ALICE, &Filter::default(), at(100), ALL).unwrap();
    let one = &all[0];
    heartbeats::update(&mut world.sql(), ALICE, one.id, None, &one.details).unwrap();
    let edited = version(100);
    assert_ne!(edited, first);
    world.raw(
        "UPDATE heartbeat_state SET version = version + 1 WHERE id = $1",
        &[one.id.into()],
    );
    let signalled = version(100);
    assert_ne!(signalled, edited);
    heartbeats::delete(&mut world.sql(), ALICE, one.id, None, at(100)).unwrap();
    assert_ne!(version(100), signalled);
    assert_ne!(
        overview::version(&mut world.sql(), MALLORY, at(100)).unwrap(),
        version(100)
    );
}

fn days_join_the_log_and_the_sums(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("one"));
    // The second day of 1970 and the third; each run of this world fails.
    for id in [86_400, 86_500, 172_800] {
        world.run(heartbeat, id);
    }
    world.raw(
        "INSERT INTO run_day (heartbeat, day, ok, warning, failed, timed, duration_total, duration_longest)
         VALUES ($1, 0, 1, 0, 0, 0, 0, 0), ($1, 1, 5, 2, 1, 0, 0, 0)",
        &[heartbeat.into()],
    );
    let days = days::list(&mut world.sql(), ALICE, heartbeat, 1).unwrap();
    let seen: Vec<_> = days
        .into_iter()
        .map(|(day, sum)| (day, sum.ok, sum.warning, sum.failed))
        .collect();
    assert_eq!(seen, [(1, 5, 2, 3), (2, 0, 0, 1)]);
    assert!(
        days::list(&mut world.sql(), MALLORY, heartbeat, 0)
            .unwrap()
            .is_empty()
    );
}
