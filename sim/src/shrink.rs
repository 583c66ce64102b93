//! Making a failing scenario small: what is taken away while it still fails the same way.

use crate::outcome::Outcome;
use crate::scenario::{Scenario, plan};
use crate::world::live;

/// How many runs a shrinking may take.
const RUNS_MAX: usize = 60;

/// The smallest scenario found that breaks the same promise, with its outcome and a trace.
pub fn shrink(scenario: &Scenario) -> (Scenario, Outcome) {
    let mut best = scenario.clone();
    let first = live(&best);
    let Some(invariant) = first
        .violations
        .first()
        .map(|violation| violation.invariant)
    else {
        return (best, first);
    };
    let mut runs = 0;
    let mut fails = |candidate: &Scenario| {
        runs += 1;
        let outcome = live(candidate);
        let same = outcome
            .violations
            .first()
            .is_some_and(|it| it.invariant == invariant);
        (same && runs <= RUNS_MAX, runs >= RUNS_MAX)
    };
    // The days after it, where it is seen at once and not at the end.
    if let Some(violation) = first.violations.first() {
        let mut shorter = best.clone();
        shorter.cut = Some(violation.at + 1 - best.begins_at());
        if fails(&shorter).0 {
            best = shorter;
        }
    }
    // The heartbeat alone, where the violation names one.
    if let Some(number) = first.violations.first().and_then(|it| it.number) {
        let mut alone = best.clone();
        alone.only = vec![number];
        if fails(&alone).0 {
            best = alone;
        }
    }
    // Troubles go, half of them first.
    let mut left: Vec<usize> = plan(&best).into_iter().map(|(number, _)| number).collect();
    let mut size = left.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < left.len() {
            let cut: Vec<usize> = left[from..(from + size).min(left.len())].to_vec();
            let mut fewer = best.clone();
            fewer.without.extend(&cut);
            let (same, spent) = fails(&fewer);
            if same {
                best = fewer;
                left.retain(|number| !cut.contains(number));
            } else {
                from += size;
            }
            if spent {
                size = 1;
                from = left.len();
            }
        }
        size /= 2;
    }
    best.trace = true;
    let outcome = live(&best);
    (best, outcome)
}
