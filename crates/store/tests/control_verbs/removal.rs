//! A project is removed: everything of it goes, and nothing of another.

use nightbeat_domain::{HeartbeatId, ProjectId};
use nightbeat_store::control::{heartbeats, projects, prune_removed};
use nightbeat_store::sql::{Sql as _, Value};
use uuid::Uuid;

use crate::world::{ALICE, Engine, MALLORY, World, at, named, on_each_engine, settings, state};

on_each_engine!(
    of_a_removed_project_nothing_stays_and_of_another_everything,
    a_removed_project_is_gone_for_everybody_at_once,
    its_heartbeats_go_in_small_pieces,
    what_was_made_in_it_meanwhile_goes_too,
);

/// Every table with rows that belong to a project.
const TABLES: [&str; 20] = [
    "project",
    "member",
    "invitation",
    "audit",
    "api_key",
    "session",
    "channel",
    "maintenance",
    "heartbeat",
    "heartbeat_state",
    "removed_heartbeat",
    "removed_project",
    "broken_heartbeat",
    "pruned",
    "signal",
    "signal_nonce",
    "run",
    "run_day",
    "incident",
    "delivery",
];

/// What people and jobs leave in a project with one heartbeat, in each of its tables. `$1` is every id, `$2` the
/// project, and `{n}` a number.
const ROWS: [&str; 13] = [
    "INSERT INTO account (id, email, created_at) VALUES ($1, '{n}@example.org', 1)",
    "INSERT INTO member (project, account, role) VALUES ($2, $1, 'owner')",
    "INSERT INTO invitation (id, hash, project, role, invited_by, created_at, expires_at)
     VALUES ($1, $1, $2, 'member', 'a', 1, 2)",
    "INSERT INTO audit (id, at, project, who, action, about, address) VALUES ($1, 1, $2, 'a', 'b', '', '')",
    "INSERT INTO api_key (id, project, name, scope, hash, created_at)
     VALUES ($1, $2, 'key', 'read-write', $1, 1)",
    "INSERT INTO session (id, hash, api_key, created_at, seen_at, confirmed_at, address, user_agent)
     VALUES ($1, $1, $1, 1, 1, 1, '', '')",
    "INSERT INTO maintenance (id, project, from_at, to_at, note, created_at) VALUES ($1, $2, 1, 2, '', 1)",
    "INSERT INTO broken_heartbeat (heartbeat, since, told_at, problem) VALUES ($1, 1, 1, 'odd')",
    "INSERT INTO pruned (heartbeat, signals, runs, look_at) VALUES ($1, 0, 0, 9)",
    "INSERT INTO signal_nonce (heartbeat, nonce, received_at) VALUES ($1, 'n', 0)",
    "INSERT INTO run_day (heartbeat, day, ok, warning, failed, timed, duration_total, duration_longest)
     VALUES ($1, 1, 0, 0, 0, 0, 0, 0)",
    "INSERT INTO incident (id, project, heartbeat, heartbeat_name, number, cause, claim, opened_at, alert)
     VALUES ($1, $2, $1, 'job', 1, 'missed', 'down', 1, 'null')",
    "INSERT INTO delivery (number, id, project, channel, heartbeat, event, digest, snapshot, state, created_at,
                           next_try_at, attempts, claim, fallback)
     VALUES ({n}, $1, $2, $1, $1, 'down', 0, '{}', 'queued', 1, 1, 0, 0, 0)",
];

/// A heartbeat of the project, with everything that can hang on either.
fn furnish(world: &World, project: ProjectId, number: u128) -> HeartbeatId {
    let id = HeartbeatId(Uuid::from_u128(number));
    heartbeat(world, project, id);
    world.channel(project, number as u32 + 100, "mail");
    let params: [Value; 2] = [id.into(), project.into()];
    for statement in ROWS {
        let used = if statement.contains("$2") { 2 } else { 1 };
        let statement = statement.replace("{n}", &number.to_string());
        world.raw(&statement, &params[..used]);
    }
    world.signal(id, number as i64 * 10, None);
    world.run(id, number as i64 * 10);
    id
}

fn heartbeat(world: &World, project: ProjectId, id: HeartbeatId) {
    let new = heartbeats::New {
        id,
        details: &named("job"),
        settings: &settings(86_400),
        state: &state(),
        created_at: at(1),
    };
    heartbeats::insert(&mut world.sql(), project, &new).unwrap();
}

fn counts(world: &World) -> Vec<(&'static str, i64)> {
    let count = |table: &str| world.number(&format!("SELECT count(*) FROM {table}"));
    TABLES.map(|table| (table, count(table))).to_vec()
}

/// Until nothing is left to delete; in how many steps.
fn prune(world: &World, rows_max: u32) -> u32 {
    let mut steps = 0;
    loop {
        let deleted = prune_removed(&mut world.sql(), rows_max).unwrap();
        assert!(deleted <= u64::from(rows_max), "{deleted} at once");
        if deleted == 0 {
            return steps;
        }
        steps += 1;
    }
}

fn of_a_removed_project_nothing_stays_and_of_another_everything(engine: Engine) {
    let world = World::new(engine);
    furnish(&world, MALLORY, 1);
    let mallorys = counts(&world);
    furnish(&world, ALICE, 2);
    for ((table, both), (_, one)) in counts(&world).into_iter().zip(&mallorys) {
        let is_full = table.starts_with("removed") || table == "project" || both == 2 * one;
        assert!(is_full, "the test puts nothing into {table}: {both}");
    }
    assert!(projects::remove(&mut world.sql(), ALICE).unwrap());
    prune(&world, 3);
    let mut expected = mallorys;
    expected[0].1 = 1; // Her own project.
    assert_eq!(counts(&world), expected);
}

fn a_removed_project_is_gone_for_everybody_at_once(engine: Engine) {
    let world = World::new(engine);
    let id = furnish(&world, ALICE, 1);
    assert!(projects::remove(&mut world.sql(), ALICE).unwrap());
    for table in ["member", "invitation", "api_key", "session", "channel"] {
        let left = world.number(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(left, 0, "{table}");
    }
    let found = projects::by_ping_key(&mut world.sql(), "ping key of Alice");
    assert_eq!(found.unwrap(), None);
    let rows = world
        .sql()
        .query("SELECT state, next_try_at FROM delivery", &[]);
    let values = &rows.unwrap()[0].values;
    assert_eq!(
        values[..],
        [Value::Text("cancelled".to_owned()), Value::Null]
    );
    assert_eq!(
        projects::remove_heartbeats(&mut world.sql(), ALICE, 10).unwrap(),
        1
    );
    assert_eq!(
        projects::remove_heartbeats(&mut world.sql(), ALICE, 10).unwrap(),
        0
    );
    assert_eq!(projects::get(&mut world.sql(), ALICE).unwrap(), None);
    assert_eq!(heartbeats::get(&mut world.sql(), ALICE, id).unwrap(), None);
    let nobody = ProjectId(Uuid::from_u128(7));
    assert!(!projects::remove(&mut world.sql(), nobody).unwrap());
}

fn its_heartbeats_go_in_small_pieces(engine: Engine) {
    let world = World::new(engine);
    for number in 1..=7 {
        heartbeat(&world, ALICE, HeartbeatId(Uuid::from_u128(number)));
    }
    projects::remove(&mut world.sql(), ALICE).unwrap();
    let mut left = Vec::new();
    loop {
        let removed = projects::remove_heartbeats(&mut world.sql(), ALICE, 3).unwrap();
        if removed == 0 {
            break;
        }
        left.push(world.number("SELECT count(*) FROM heartbeat_state"));
    }
    assert_eq!(left, [4, 1, 0]);
    assert_eq!(world.number("SELECT count(*) FROM removed_heartbeat"), 7);
    prune(&world, 3);
    assert_eq!(world.number("SELECT count(*) FROM removed_heartbeat"), 0);
}

/// Somebody whose request was under way has made one more heartbeat; and the one who removed the project did not
/// come further than that.
fn what_was_made_in_it_meanwhile_goes_too(engine: Engine) {
    let world = World::new(engine);
    projects::remove(&mut world.sql(), ALICE).unwrap();
    heartbeat(&world, ALICE, HeartbeatId(Uuid::from_u128(1)));
    assert!(prune(&world, 3) > 0);
    assert_eq!(world.number("SELECT count(*) FROM heartbeat_state"), 0);
    assert_eq!(projects::get(&mut world.sql(), ALICE).unwrap(), None);
}
