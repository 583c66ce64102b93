//! I12: what one project does changes nothing that another sees.

use nightbeat_sim::{Faults, Mutant, Outcome, Scenario, live, live_apart};

/// With all bad luck; each third seed has several nodes, and another project is left out.
fn scenario(seed: u64) -> Scenario {
    let mut scenario = Scenario::new(seed, 1, Faults::all());
    scenario.heartbeats = 20;
    scenario
}

fn nobody_notices(seeds: impl Iterator<Item = u64>) {
    let mut sum = Outcome::default();
    let mut facts = 0;
    for seed in seeds {
        let outcome = live_apart(&scenario(seed));
        assert!(
            outcome.violations.is_empty(),
            "seed {seed}: {:#?}",
            outcome.violations
        );
        let absent = (seed % 3) as usize;
        let others = outcome.histories.iter();
        let others = others.filter(|((project, ..), _)| *project != absent);
        facts += others.map(|(_, history)| history.len()).sum::<usize>();
        sum.add(&outcome);
    }
    // Where nothing happens, nothing differs.
    assert!(facts > 20_000, "{facts} facts were compared");
    assert!(
        sum.alerts > 500 && sum.unverified > 5 && sum.gaps > 50 && sum.acts > 100,
        "{sum:?}"
    );
}

// Two tests, so that they share the cores.

#[test]
fn a_project_that_is_left_out_is_missed_by_nobody() {
    nobody_notices(1..9);
}

#[test]
fn a_project_that_is_left_out_is_missed_by_nobody_else() {
    nobody_notices(9..17);
}

/// The comparison is one of two different worlds: without the project, less happens, and less is stored.
#[test]
fn the_world_without_a_project_is_another_one() {
    let mut whole = scenario(1);
    whole.steady_without = Some(1);
    let mut without = whole.clone();
    without.absent = Some(1);
    let (whole, without) = (live(&whole), live(&without));
    assert!(whole.histories.keys().any(|(project, ..)| *project == 1));
    assert!(without.histories.keys().all(|(project, ..)| *project != 1));
    assert!(without.stored < whole.stored && without.alerts < whole.alerts);
    assert!(without.acts < whole.acts);
}

/// A promise to nobody but the others: only the comparison can notice the second of these.
#[test]
fn a_project_that_reaches_others_is_noticed() {
    for mutant in [Mutant::SharedMaintenance, Mutant::SharedAcknowledgement] {
        let noticed = (1..=20).any(|seed| {
            let mut scenario = scenario(seed);
            scenario.mutant = Some(mutant);
            let violations = live_apart(&scenario).violations;
            violations.iter().any(|it| it.invariant == "I12 isolation")
        });
        assert!(noticed, "{mutant} is not noticed within 20 seeds");
    }
}
