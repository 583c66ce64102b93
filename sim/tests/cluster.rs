//! Several nodes on one database: nothing breaks, and what is broken on purpose is noticed.

use nightbeat_sim::{Faults, Mutant, Outcome, Scenario, live};

fn scenario(seed: u64, nodes: usize) -> Scenario {
    let mut scenario = Scenario::new(seed, 1, Faults::all());
    scenario.heartbeats = 20;
    scenario.nodes = nodes;
    scenario
}

#[test]
fn two_and_three_nodes_keep_every_promise() {
    let mut sum = Outcome::default();
    for seed in 1_001..1_041 {
        let outcome = live(&scenario(seed, 2 + (seed % 2) as usize));
        sum.add(&outcome);
        assert!(
            outcome.violations.is_empty(),
            "seed {seed}: {:#?}",
            outcome.violations
        );
    }
    assert!(sum.alerts > 500 && sum.unverified > 5 && sum.gaps > 100);
    assert_eq!(sum.false_raises, 0);
}

#[test]
fn nodes_live_the_same_life_twice() {
    let (one, two) = (live(&scenario(6, 3)), live(&scenario(6, 3)));
    assert_eq!(one.hash, two.hash);
}

/// Each third seed is one of several nodes without being asked.
#[test]
fn some_seeds_have_several_nodes() {
    let nodes = |seed| Scenario::new(seed, 1, Faults::all()).nodes;
    let counts: Vec<usize> = (1..=6).map(nodes).collect();
    assert_eq!(counts, [1, 1, 3, 1, 1, 2]);
}

/// Whether the first seeds of three nodes notice it as a breach of this promise.
fn noticed_as(mutant: Mutant, invariant: &str) -> bool {
    (1..=10).any(|seed| {
        let mut scenario = scenario(seed, 3);
        scenario.mutant = Some(mutant);
        let outcome = live(&scenario);
        outcome
            .violations
            .iter()
            .any(|it| it.invariant == invariant)
    })
}

#[test]
fn a_node_that_writes_when_its_lease_is_over_is_noticed_by_its_lease() {
    assert!(noticed_as(Mutant::Unfenced, "I11 lease"));
}

#[test]
fn a_delivery_that_two_nodes_hold_is_noticed() {
    assert!(noticed_as(Mutant::ClaimsTaken, "I7 one claim"));
}

#[test]
fn a_lost_node_that_leaves_no_gap_is_noticed() {
    let noticed = (1..=200).any(|seed| {
        let mut scenario = scenario(seed, 3);
        scenario.mutant = Some(Mutant::NoPartialGap);
        !live(&scenario).violations.is_empty()
    });
    assert!(noticed);
}
