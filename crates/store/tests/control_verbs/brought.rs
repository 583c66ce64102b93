//! Ids that heartbeats bring along.

use nightbeat_store::control::brought::{Brought, claim};
use nightbeat_store::control::{heartbeats, prune_removed};

use crate::incidents::incident;
use crate::world::{ALICE, Engine, World, at, heartbeat_id, named, on_each_engine};

on_each_engine!(
    an_id_is_unknown_taken_or_leaving,
    who_comes_back_goes_on_with_the_numbers,
);

fn an_id_is_unknown_taken_or_leaving(engine: Engine) {
    let world = World::new(engine);
    let id = heartbeat_id(1);
    let claimed = || claim(&mut world.sql(), id, at(100)).unwrap();
    let remove = || heartbeats::delete(&mut world.sql(), ALICE, id, None, at(9)).unwrap();
    assert_eq!(claimed(), Brought::Unknown);
    world.heartbeat(1, &named("backup"));
    assert_eq!(claimed(), Brought::Taken);
    // The little that it leaves behind is removed at once, and the much that it leaves behind in time.
    assert!(remove());
    assert_eq!(claimed(), Brought::Unknown);
    assert_eq!(world.number("SELECT count(*) FROM removed_heartbeat"), 0);
    world.heartbeat(1, &named("backup"));
    for number in 0..300 {
        world.raw(
            "INSERT INTO signal_nonce (heartbeat, nonce, received_at) VALUES ($1, $2, 1)",
            &[id.into(), format!("nonce {number}").into()],
        );
    }
    assert!(remove());
    assert_eq!(claimed(), Brought::Leaving);
    while prune_removed(&mut world.sql(), 10).unwrap() > 0 {}
    assert_eq!(claimed(), Brought::Unknown);
}

fn who_comes_back_goes_on_with_the_numbers(engine: Engine) {
    let world = World::new(engine);
    let id = world.heartbeat(1, &named("backup"));
    incident(&world, id, 1, 40, false);
    incident(&world, id, 2, 50, true);
    assert!(heartbeats::delete(&mut world.sql(), ALICE, id, None, at(60)).unwrap());
    let Brought::Earlier { incidents, alerts } = claim(&mut world.sql(), id, at(100)).unwrap()
    else {
        panic!("its incidents are kept");
    };
    // Nobody counts the alerts of a heartbeat that is gone: the seconds are more than it can have raised.
    assert_eq!((incidents, alerts), (2, 100));
}
