//! The world lives; nothing breaks, everything broken on purpose is noticed, and a seed says the same twice.

use nightbeat_sim::{Faults, Mutant, Outcome, Scenario, live};

fn scenario(seed: u64, days: u32, heartbeats: usize) -> Scenario {
    let mut scenario = Scenario::new(seed, days, Faults::all());
    scenario.heartbeats = heartbeats;
    scenario
}

fn keeps_its_promises(seeds: impl Iterator<Item = u64>) {
    let mut sum = Outcome::default();
    for seed in seeds {
        let outcome = live(&scenario(seed, 1, 20));
        sum.add(&outcome);
        let broken: Vec<String> = outcome
            .violations
            .iter()
            .map(|violation| format!("{}: {}", violation.invariant, violation.text))
            .collect();
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
    }
    // A world in which nothing happens proves nothing.
    assert!(
        sum.alerts > 1_000 && sum.unverified > 20 && sum.gaps > 100,
        "{sum:?}"
    );
    assert_eq!(sum.false_raises, 0);
}

// Four tests, so that they share the cores.

#[test]
fn the_first_fifty_seeds_keep_every_promise() {
    keeps_its_promises(1..51);
}

#[test]
fn the_second_fifty_seeds_keep_every_promise() {
    keeps_its_promises(51..101);
}

#[test]
fn the_third_fifty_seeds_keep_every_promise() {
    keeps_its_promises(101..151);
}

#[test]
fn the_last_fifty_seeds_keep_every_promise() {
    keeps_its_promises(151..201);
}

#[test]
fn the_same_seed_lives_the_same_life() {
    for seed in [1, 7] {
        let (one, two) = (live(&scenario(seed, 1, 20)), live(&scenario(seed, 1, 20)));
        assert_eq!(one.hash, two.hash);
        assert_ne!(one.hash, live(&scenario(seed + 1, 1, 20)).hash);
    }
}

#[test]
fn what_is_broken_on_purpose_is_noticed() {
    for (mutant, name) in Mutant::ALL {
        if mutant.needs_nodes() || KNOWN_UNNOTICED.contains(&name) {
            continue;
        }
        let noticed = (1..=200).any(|seed| {
            let mut scenario = scenario(seed, 2, 60);
            scenario.mutant = Some(mutant);
            !live(&scenario).violations.is_empty()
        });
        assert!(noticed, "{name} is not noticed within 200 seeds");
    }
}

/// Not noticed yet: each is a hole in the checker, to be closed.
const KNOWN_UNNOTICED: [&str; 4] = [
    "no-refused-gap",
    "finish-ignores-claim",
    "stamped-late",
    "unknown-forgotten",
];
