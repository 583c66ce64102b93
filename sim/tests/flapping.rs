//! A heartbeat that goes down and comes back every few seconds for a day: what is told keeps up with it.

use nightbeat_sim::{Faults, Scenario, live};

/// Two of them, on channels that get digests and on channels that get every event.
fn scenario(seed: u64, faults: Faults) -> Scenario {
    let mut scenario = Scenario::new(seed, 1, faults);
    (scenario.heartbeats, scenario.flapping) = (10, 2);
    scenario
}

/// At the end of a world every alert that is older than five minutes must have arrived, and the last one
/// that was told must be the truth.
#[test]
fn the_last_alert_of_a_heartbeat_that_flaps_arrives_in_time() {
    let outcome = live(&scenario(1, Faults::NONE));
    assert!(outcome.alerts > 10_000, "{}", outcome.alerts);
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
}

#[test]
fn it_does_so_while_everything_fails() {
    for seed in [4, 5] {
        let outcome = live(&scenario(seed, Faults::all()));
        assert!(outcome.alerts > 5_000, "seed {seed}: {}", outcome.alerts);
        assert!(
            outcome.violations.is_empty(),
            "seed {seed}: {:#?}",
            outcome.violations
        );
    }
}
