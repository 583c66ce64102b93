//! Worlds that once broke a promise, as far as they were lived until then: a seed is kept where it is quick.
//! Later changes to the world change what happens in them; what each one found has a test of its own where
//! it was mended.

use nightbeat_sim::{Faults, Scenario, live};

const HOUR_MICROS: i64 = 3_600_000_000;

/// A seed of a world of twenty days, and after how many hours it has come past what broke.
const KEPT: [(u64, i64); 1] = [
    // A request that the network doubled: the one that came before the deadline was taken for its double,
    // which came nine milliseconds after it. The checker was wrong.
    (51_008, 45),
];

#[test]
fn what_was_found_once_is_not_found_again() {
    for (seed, hours) in KEPT {
        let mut scenario = Scenario::new(seed, 20, Faults::all());
        scenario.cut = Some(hours * HOUR_MICROS);
        let outcome = live(&scenario);
        assert!(outcome.signals > 0);
        let violations = outcome.violations.iter();
        let broken: Vec<_> = violations.map(|it| (it.invariant, &it.text)).collect();
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
    }
}
