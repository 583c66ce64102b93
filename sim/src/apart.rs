//! I12: what one project does changes nothing that another sees.
//!
//! A world is lived twice: once whole, and once in which one project has neither heartbeats nor people. All
//! that happened to everybody else must be the same, to the microsecond: signals, incidents with their
//! claims and deadlines, alerts, what each receiver was told and when, and the state at the end.
//!
//! Projects do share a server, and in the usual worlds that shows: a transaction carries everybody's
//! signals and takes the longer the more there are, and a server may die of the signal that somebody else
//! sends. So this world is a steady one ([`Scenario::steady_without`]): the loop turns at fixed instants, a
//! transaction takes no time, whether it fails hangs on its instant, receivers have hosts of their own, no
//! body holds judgements up that the project sends, and only the other projects' signals and alerts spring
//! the traps in which servers die or stand still. All other bad luck is as everywhere.

use crate::outcome::{Outcome, Violation};
use crate::scenario::{PROJECTS, Scenario};
use crate::world::live;

/// Lives a scenario with and without one of its projects: the outcome of the whole, and where the others'
/// histories differ a violation of I12.
pub fn live_apart(scenario: &Scenario) -> Outcome {
    let project = (scenario.seed % PROJECTS as u64) as usize;
    let mut whole = scenario.clone();
    whole.steady_without = Some(project);
    let mut without = whole.clone();
    without.absent = Some(project);
    let mut outcome = live(&whole);
    let alone = live(&without);
    let broken = difference(&outcome, &alone, project);
    outcome.violations.extend(alone.violations);
    outcome.violations.extend(broken);
    outcome
}

/// The first difference between what happened to the heartbeats of all other projects.
fn difference(whole: &Outcome, alone: &Outcome, absent: usize) -> Option<Violation> {
    let mut keys: Vec<_> = whole.histories.keys().collect();
    keys.extend(alone.histories.keys());
    keys.sort_unstable();
    keys.dedup();
    let others = keys.into_iter().filter(|(project, ..)| *project != absent);
    let mut differences: Vec<_> = others
        .filter_map(|key| {
            let of = |outcome: &Outcome| outcome.histories.get(key).cloned().unwrap_or_default();
            let (one, two) = (of(whole), of(alone));
            let same = one.iter().zip(&two).take_while(|(a, b)| a == b).count();
            let (with, without) = (one.get(same), two.get(same));
            (with != without).then(|| {
                (
                    first_instant(with, without),
                    *key,
                    with.cloned(),
                    without.cloned(),
                )
            })
        })
        .collect();
    differences.sort();
    let count = differences.len();
    let (_, (project, number, to), with, without) = differences.into_iter().next()?;
    Some(Violation {
        invariant: "I12 isolation",
        at: 0,
        heartbeat: None,
        number: Some(number),
        text: format!(
            "heartbeat {number} of project {project} (told to {to}), with project {absent}: {with:?}, \
             without: {without:?}; {count} histories differ"
        ),
        facts: Vec::new(),
    })
}

/// The earlier of two facts, which begin with their instants.
fn first_instant(one: Option<&String>, two: Option<&String>) -> Option<String> {
    one.into_iter().chain(two).min().cloned()
}
