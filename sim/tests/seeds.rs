//! The world lives; nothing breaks, everything broken on purpose is noticed, and a seed says the same twice.

use nightbeat_sim::{Faults, Mutant, Outcome, Scenario, live, live_apart};

/// Enough to meet every kind of trouble, and quick enough for every test run.
fn scenario(seed: u64) -> Scenario {
    let mut scenario = Scenario::new(seed, 1, Faults::all());
    scenario.heartbeats = 20;
    scenario
}

fn broken(outcome: &Outcome) -> Vec<String> {
    let violations = outcome.violations.iter();
    violations
        .map(|violation| format!("{}: {}", violation.invariant, violation.text))
        .collect()
}

fn keeps_its_promises(seeds: impl Iterator<Item = u64>) {
    let mut sum = Outcome::default();
    for seed in seeds {
        let outcome = live(&scenario(seed));
        let broken = broken(&outcome);
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
        sum.add(&outcome);
    }
    // A world in which nothing happens proves nothing.
    assert!(
        sum.alerts > 1_000 && sum.unverified > 20 && sum.gaps > 100,
        "{sum:?}"
    );
    assert_eq!(sum.false_raises, 0);
    // Nobody gets through by calling everything unverified.
    assert!(sum.unverified <= sum.touched, "{sum:?}");
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
        let (one, two) = (live(&scenario(seed)), live(&scenario(seed)));
        assert_eq!(one.hash, two.hash);
        assert_ne!(one.hash, live(&scenario(seed + 1)).hash);
    }
}

/// Mutants that are hard to notice, with a seed that does; the others show within the first few.
/// `nightbeat-sim mutants --days 1 --heartbeats 20` finds such seeds.
const NOTICED_BY: [(&str, u64); 5] = [
    ("ack-first", 7),
    ("wall-clock", 9),
    ("no-watermark", 5),
    ("no-refused-gap", 59),
    ("unknown-forgotten", 57),
];

/// The same scenarios as above, which are clean while nothing is broken on purpose.
#[test]
fn what_is_broken_on_purpose_is_noticed() {
    for (mutant, name) in Mutant::ALL {
        let known = NOTICED_BY.iter().find(|(known, _)| *known == name);
        let mut seeds = known.map_or(1..=4, |(_, seed)| *seed..=*seed);
        let noticed = seeds.any(|seed| {
            let mut scenario = scenario(seed);
            if mutant.needs_nodes() {
                scenario.nodes = 3;
            }
            scenario.mutant = Some(mutant);
            let outcome = if mutant.needs_comparison() {
                live_apart(&scenario)
            } else {
                live(&scenario)
            };
            !outcome.violations.is_empty()
        });
        assert!(noticed, "{name} is not noticed by its seed");
    }
}
