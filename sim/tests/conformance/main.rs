//! The model store does what the real ones do: the same random sequences of calls, the same answers, the same
//! rows.
//!
//! What a difference means has to be found out: either may be wrong. A longer run:
//! `CONFORMANCE_SEQUENCES=20000 cargo test -p nightbeat-sim --test conformance`; one sequence again:
//! `CONFORMANCE_SEED=17 CONFORMANCE_SEQUENCES=1`. `PostgreSQL` takes longer: it sees the first
//! `CONFORMANCE_POSTGRES_SEQUENCES` of them.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod engines;
mod operations;
mod postgres;
mod random;

use std::borrow::Cow;

use nightbeat_domain::{Claim, IncidentChange};
use nightbeat_sim::model::Change;
use nightbeat_store::Recorded;
use nightbeat_store::dump::Dump;

use crate::engines::{Answer, Class, Engine, ModelEngine, SqliteEngine};
use crate::operations::{Generator, Operation};
use crate::postgres::PostgresEngine;
use crate::random::Random;

const SEQUENCES: u64 = 200;
const POSTGRES_SEQUENCES: u64 = 30;
const STEPS: usize = 150;
/// Everything is compared after this many steps.
const DUMP_EVERY: usize = 25;

/// The stores that are held to the model.
fn others(postgres: bool) -> Vec<Box<dyn Engine>> {
    let mut others: Vec<Box<dyn Engine>> = vec![Box::new(SqliteEngine::new())];
    if postgres {
        others.push(Box::new(PostgresEngine::new()));
    }
    others
}

#[test]
fn every_store_does_what_the_model_does() {
    let first = number("CONFORMANCE_SEED", 0);
    let sequences = number("CONFORMANCE_SEQUENCES", SEQUENCES);
    let postgres = number("CONFORMANCE_POSTGRES_SEQUENCES", POSTGRES_SEQUENCES);
    let mut met = Met::default();
    for seed in first..first + sequences {
        let others = others(seed < first + postgres);
        if let Err(difference) = run(seed, ModelEngine::default(), others, &mut met) {
            panic!("{difference}");
        }
    }
    println!("{sequences} sequences: {met:?}");
    if sequences >= SEQUENCES {
        met.must_be_worth_something();
    }
}

/// Whoever finds nothing must be able to: a model with a broken promise differs from the real stores.
#[cfg(feature = "mutants")]
#[test]
fn a_model_that_breaks_a_promise_is_told_apart() {
    use nightbeat_sim::model::ModelMutant;

    for mutant in [
        ModelMutant::SplitTransition,
        ModelMutant::NoGapLedger,
        ModelMutant::GapAfterDecision,
        ModelMutant::UpOvertakesDown,
        ModelMutant::DuplicateCounts,
        ModelMutant::NoEarlierJudgement,
    ] {
        let found = (0..SEQUENCES).find(|seed| {
            let mut model = ModelEngine::default();
            model.model.mutate(Some(mutant));
            run(*seed, model, others(false), &mut Met::default()).is_err()
        });
        println!("{mutant:?}: sequence {found:?}");
        assert!(found.is_some(), "{mutant:?} was not noticed");
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(otherwise, |text| text.parse().unwrap())
}

/// What the sequences met: a run that meets nothing shows nothing.
#[derive(Debug, Default)]
struct Met {
    steps: u64,
    signals: u64,
    duplicates: u64,
    broken: u64,
    deliveries: u64,
    claimed: u64,
    refused: u64,
    conflicts: u64,
    dumps: u64,
    created: u64,
    ambiguous: u64,
    downs: u64,
    unverified: u64,
    warnings: u64,
    confirmed: u64,
    closed: u64,
    fallbacks: u64,
    cancelled: u64,
    false_raises: u64,
}

impl Met {
    fn note(&mut self, answer: &Result<Answer, Class>) {
        self.steps += 1;
        match answer {
            Ok(Answer::Done(done)) => {
                let count = |what| done.recorded.iter().filter(|it| **it == what).count() as u64;
                self.signals += done.recorded.len() as u64;
                self.duplicates += count(Recorded::Duplicate);
                self.broken += count(Recorded::Broken);
                self.created += count(Recorded::Created);
                self.ambiguous += count(Recorded::Ambiguous);
                self.false_raises += u64::from(done.false_raises);
                self.deliveries += u64::from(done.deliveries);
            }
            Ok(Answer::Claimed(claimed)) => self.claimed += claimed.len() as u64,
            Err(Class::Unavailable) => self.refused += 1,
            Err(Class::Conflict) => self.conflicts += 1,
            _ => {}
        }
    }

    fn note_change(&mut self, change: &Change) {
        use IncidentChange::{Closed, Confirmed, Opened};
        let counter = match change {
            Change::Incident { change, .. } => match change {
                Opened { claim, .. } => match claim {
                    Claim::Down => &mut self.downs,
                    Claim::Unverified => &mut self.unverified,
                    Claim::Warning => &mut self.warnings,
                },
                Confirmed { .. } => &mut self.confirmed,
                Closed { .. } => &mut self.closed,
            },
            Change::Queued { fallback: true, .. } => &mut self.fallbacks,
            Change::Cancelled { .. } => &mut self.cancelled,
            _ => return,
        };
        *counter += 1;
    }

    fn must_be_worth_something(&self) {
        for (what, count) in [
            ("signals", self.signals),
            ("duplicates", self.duplicates),
            ("broken rows", self.broken),
            ("deliveries", self.deliveries),
            ("claimed deliveries", self.claimed),
            ("refused transactions", self.refused),
            ("conflicts", self.conflicts),
            ("created heartbeats", self.created),
            ("ambiguous slugs", self.ambiguous),
            ("downs", self.downs),
            ("unverified", self.unverified),
            ("warnings", self.warnings),
            ("confirmed downs", self.confirmed),
            ("closed incidents", self.closed),
            ("fallback copies", self.fallbacks),
            ("cancelled deliveries", self.cancelled),
        ] {
            assert!(count >= 20, "only {count} {what}");
        }
    }
}

/// One sequence on the model and on every real store; where they differ, what was done last, and how.
fn run(
    seed: u64,
    mut model: ModelEngine,
    mut others: Vec<Box<dyn Engine>>,
    met: &mut Met,
) -> Result<(), String> {
    let mut generator = Generator::new(seed);
    let mut refusals = Random::new(!seed);
    let mut done = Vec::new();
    let mut first = generator.first().into_iter();
    for step in 0..STEPS {
        let next = first.next();
        let operation = next.unwrap_or_else(|| generator.next(&model.model));
        let refused = writes(&operation) && refusals.percent(4);
        let answer = model.apply(&operation, refused);
        met.note(&answer);
        let reopened = matches!(operation, Operation::Reopen);
        let look = reopened || (step + 1).is_multiple_of(DUMP_EVERY) || step + 1 == STEPS;
        let dump = look.then(|| model.dump());
        met.dumps += u64::from(look);
        for other in &mut others {
            let own_clock = other.has_own_clock();
            let answer = expected(&answer, own_clock);
            let real = other.apply(&operation, refused);
            let differs = dump
                .as_ref()
                .is_some_and(|dump| *without_clock(dump, own_clock) != other.dump());
            if *answer == real && !differs {
                continue;
            }
            done.push((refused, operation));
            let last = &done[done.len().saturating_sub(DUMP_EVERY)..];
            let rows = difference(&without_clock(&model.dump(), own_clock), &other.dump());
            let name = other.name();
            return Err(format!(
                "seed {seed}, step {step}, model and {name} differ after (refused, operation):\n\
                 {last:#?}\nmodel says {answer:#?}\n{name} says {real:#?}\n{rows}"
            ));
        }
        if let Ok(Answer::Claimed(claimed)) = &answer {
            generator.remember(claimed.iter().map(|it| (it.id, it.claim)));
        }
        for change in model.model.take_changes() {
            met.note_change(&change);
        }
        done.push((refused, operation));
    }
    Ok(())
}

/// What a store is to answer where the model answers this.
fn expected(answer: &Result<Answer, Class>, own_clock: bool) -> Cow<'_, Result<Answer, Class>> {
    match answer {
        Ok(Answer::Opened(_)) if own_clock => Cow::Owned(Ok(Answer::Opened(None))),
        answer => Cow::Borrowed(answer),
    }
}

/// What is to stand in a store where this stands in the model.
fn without_clock(dump: &Dump, own_clock: bool) -> Cow<'_, Dump> {
    if !own_clock {
        return Cow::Borrowed(dump);
    }
    let mut dump = dump.clone();
    dump.alive_until = None;
    Cow::Owned(dump)
}

/// Whether it is a transaction that another process can keep from beginning.
fn writes(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Record(_) | Operation::Elapse(_) | Operation::Claim(_) | Operation::Finish(_)
    )
}

/// The lines that only one of them has.
fn difference(model: &Dump, real: &Dump) -> String {
    let (model, real) = (model.to_string(), real.to_string());
    let mut lines = Vec::new();
    for (who, these, those) in [("model", &model, &real), ("real ", &real, &model)] {
        let known: Vec<&str> = those.lines().collect();
        let only = these.lines().filter(|line| !known.contains(line));
        lines.extend(only.map(|line| format!("{who} {line}")));
    }
    lines.join("\n")
}
