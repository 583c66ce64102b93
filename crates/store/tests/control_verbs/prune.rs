use nightbeat_store::control::{heartbeats, prune_removed, signals};

use crate::world::{ALICE, Engine, World, at, first_page, named, on_each_engine};

on_each_engine!(
    what_a_removed_heartbeat_leaves_behind_goes_in_small_pieces,
    a_log_that_was_pruned_before_is_no_obstacle,
    several_removed_heartbeats_are_pruned_one_after_the_other,
);

fn what_a_removed_heartbeat_leaves_behind_goes_in_small_pieces(engine: Engine) {
    let world = World::new(engine);
    let (gone, stays) = (
        world.heartbeat(1, &named("gone")),
        world.heartbeat(2, &named("stays")),
    );
    for id in 1..=20 {
        let heartbeat = if id % 2 == 0 { gone } else { stays };
        world.signal(heartbeat, id, None);
        world.run(heartbeat, id);
        world.raw(
            "INSERT INTO signal_nonce (heartbeat, nonce, received_at) VALUES ($1, $2, 0)",
            &[heartbeat.into(), id.to_string().into()],
        );
        world.raw(
            "INSERT INTO run_day (heartbeat, day, ok, warning, failed, timed, duration_total, duration_longest)
             VALUES ($1, $2, 0, 0, 0, 0, 0, 0)",
            &[heartbeat.into(), id.into()],
        );
    }
    assert_eq!(prune_removed(&mut world.sql(), 500).unwrap(), 0);
    assert!(heartbeats::delete(&mut world.sql(), ALICE, gone, None, at(99)).unwrap());

    let rows = || {
        world.number(
            "SELECT (SELECT count(*) FROM signal) + (SELECT count(*) FROM run)
                  + (SELECT count(*) FROM signal_nonce) + (SELECT count(*) FROM run_day)
                  + (SELECT count(*) FROM removed_heartbeat)",
        )
    };
    assert_eq!(rows(), 81);
    let mut calls = 0;
    loop {
        let before = rows();
        let pruned = prune_removed(&mut world.sql(), 7).unwrap();
        assert_eq!(before - rows(), pruned as i64);
        assert!(pruned <= 7, "{pruned} rows at once");
        if pruned == 0 {
            break;
        }
        calls += 1;
    }
    assert_eq!(calls, 6, "41 rows, 7 at once");
    assert_eq!(rows(), 40);
    let page = signals::list(&mut world.sql(), ALICE, stays, &first_page(99))
        .unwrap()
        .unwrap();
    assert_eq!(page.items.len(), 10);
}

fn a_log_that_was_pruned_before_is_no_obstacle(engine: Engine) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("gone"));
    for id in 1..=3 {
        world.signal(heartbeat, id, None);
    }
    world.raw("DELETE FROM signal WHERE id <= 2", &[]);
    assert!(heartbeats::delete(&mut world.sql(), ALICE, heartbeat, None, at(99)).unwrap());
    while prune_removed(&mut world.sql(), 1).unwrap() > 0 {}
    assert_eq!(world.number("SELECT count(*) FROM signal"), 0);
    assert_eq!(world.number("SELECT count(*) FROM removed_heartbeat"), 0);
}

fn several_removed_heartbeats_are_pruned_one_after_the_other(engine: Engine) {
    let world = World::new(engine);
    for number in 1..=3 {
        let heartbeat = world.heartbeat(number, &named("gone"));
        world.signal(heartbeat, i64::from(number), None);
        heartbeats::delete(&mut world.sql(), ALICE, heartbeat, None, at(99)).unwrap();
    }
    let mut calls = 0;
    while prune_removed(&mut world.sql(), 500).unwrap() > 0 {
        calls += 1;
    }
    assert_eq!(calls, 3);
    assert_eq!(world.number("SELECT count(*) FROM signal"), 0);
}
