//! `nightbeat-sim`: lives many seeds and says what they broke.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Parser, Subcommand};
use nightbeat_sim::{Faults, Mutant, Outcome, Scenario, live, live_apart, shrink};

/// Years of bad luck for Nightbeat's engine, in minutes. One seed decides everything.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Mode>,
    /// How many seeds to live.
    #[arg(long, default_value_t = 1, global = true)]
    seeds: u64,
    /// How many days each.
    #[arg(long, default_value_t = 5, global = true)]
    days: u32,
    /// Which bad luck: all, none, or a list of crash, pause, db, provider, clock, client, people, outage.
    #[arg(long, default_value = "all", global = true)]
    faults: Faults,
    /// The first seed.
    #[arg(long, default_value_t = 1, global = true)]
    seed: u64,
    /// How many threads.
    #[arg(long, default_value_t = 1, global = true)]
    jobs: usize,
    /// How many heartbeats each.
    #[arg(long, default_value_t = 100, global = true)]
    heartbeats: usize,
    /// How many nodes on one store; each third seed has two or three where it is not said.
    #[arg(long, global = true)]
    nodes: Option<usize>,
    /// Something to break on purpose.
    #[arg(long, global = true)]
    mutant: Option<Mutant>,
    /// Live each seed twice, the second time without one of its projects: the others must not notice.
    #[arg(long, global = true)]
    apart: bool,
    /// Show violations as they are, without making their scenarios small first.
    #[arg(long, global = true)]
    no_shrink: bool,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Break each promise on purpose, and say how many seeds it takes to notice.
    Mutants,
}

impl Arguments {
    fn scenario(&self, seed: u64) -> Scenario {
        let mut scenario = Scenario::new(seed, self.days, self.faults);
        scenario.heartbeats = self.heartbeats;
        scenario.nodes = self.nodes.unwrap_or(scenario.nodes);
        scenario.mutant = self.mutant;
        scenario
    }

    fn live(&self, scenario: &Scenario) -> Outcome {
        let compared = scenario.mutant.is_some_and(Mutant::needs_comparison);
        if self.apart || compared {
            live_apart(scenario)
        } else {
            live(scenario)
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let good = match arguments.command {
        Some(Mode::Mutants) => mutants(&arguments),
        None => seeds(&arguments),
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Lives all seeds; whether nothing was broken.
fn seeds(arguments: &Arguments) -> bool {
    let next = AtomicU64::new(0);
    let found: Mutex<(Outcome, Vec<u64>)> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= arguments.seeds {
                        return;
                    }
                    let outcome = arguments.live(&arguments.scenario(arguments.seed + number));
                    let mut found = found
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    found.0.add(&outcome);
                    if let Some(first) = outcome.violations.first() {
                        eprintln!(
                            "seed {} breaks a promise: {}",
                            outcome.seed, first.invariant
                        );
                        found.1.push(outcome.seed);
                    }
                }
            });
        }
    });
    let (sum, mut broken) = found
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    broken.sort_unstable();
    for seed in broken.iter().take(3) {
        show(arguments, *seed);
    }
    figures(arguments, &sum, &broken);
    broken.is_empty()
}

/// Shows what a seed broke, as small as it gets.
fn show(arguments: &Arguments, seed: u64) {
    let mut scenario = arguments.scenario(seed);
    scenario.trace = true;
    let (small, outcome) = if arguments.no_shrink || arguments.apart {
        let outcome = arguments.live(&scenario);
        (scenario, outcome)
    } else {
        shrink(&scenario)
    };
    println!(
        "seed {seed}: heartbeats {:?}, {} troubles left out, {:.2} days",
        small.only,
        small.without.len(),
        small
            .cut
            .map_or(f64::from(small.days), |cut| cut as f64 / 8.64e10)
    );
    for violation in outcome.violations.iter().take(2) {
        for fact in &violation.facts {
            println!("    {fact}");
        }
        println!(
            "  {} at {}: {}",
            violation.invariant, violation.at, violation.text
        );
    }
}

fn figures(arguments: &Arguments, sum: &Outcome, broken: &[u64]) {
    let percent = |part: u64| 100.0 * part as f64 / (sum.unverified + sum.downs).max(1) as f64;
    println!(
        "{:.0} check-days, {} signals ({} acknowledged, {} refused, {} lost through us), {} alerts in {} \
         incidents, {} deliveries; faults {}: {} troubles, {} kills, {} standstills, {} failed transactions, \
         {} failed sends, {} requests lost on their way, {} doubled, {} spooled, {} acts of people; \
         {} seeds with violations {broken:?}; {} false raises; {} duplicates; {} of {} claims of silence \
         unverified ({:.2} %), a gap touched {} ({:.2} %); trouble {:.2} % and gaps {:.2} % of the time; {} found by the search",
        sum.check_days,
        sum.signals,
        sum.acknowledged,
        sum.refused,
        sum.tries_lost,
        sum.alerts,
        sum.incidents,
        sum.deliveries,
        arguments.faults,
        sum.troubles,
        sum.crashes,
        sum.pauses,
        sum.store_faults,
        sum.failed_sends,
        sum.requests_lost,
        sum.doubled,
        sum.spooled,
        sum.acts,
        broken.len(),
        sum.false_raises,
        sum.duplicates,
        sum.unverified,
        sum.unverified + sum.downs,
        percent(sum.unverified),
        sum.touched,
        percent(sum.touched),
        100.0 * sum.troubled_share,
        100.0 * sum.gap_share,
        sum.found_lost,
    );
}

/// What is wrong without the mutant too says nothing about it.
fn clean_without(arguments: &Arguments, scenario: &Scenario, mutant: Mutant) -> bool {
    let mut whole = scenario.clone();
    whole.mutant = None;
    let outcome = if mutant.needs_comparison() {
        live_apart(&whole)
    } else {
        arguments.live(&whole)
    };
    outcome.violations.is_empty()
}

/// Breaks each promise; whether each was noticed.
fn mutants(arguments: &Arguments) -> bool {
    let mut all = true;
    println!("{:24} {:>6}  noticed as", "mutant", "seeds");
    for (mutant, name) in Mutant::ALL {
        let mut caught = None;
        for number in 0..arguments.seeds.max(200) {
            let mut scenario = arguments.scenario(arguments.seed + number);
            scenario.mutant = Some(mutant);
            if mutant.needs_nodes() {
                scenario.nodes = 3;
            }
            let outcome = arguments.live(&scenario);
            if let Some(violation) = outcome.violations.first()
                && clean_without(arguments, &scenario, mutant)
            {
                caught = Some((number + 1, violation.invariant));
                break;
            }
        }
        match caught {
            Some((seeds, invariant)) => println!("{name:24} {seeds:>6}  {invariant}"),
            None => println!("{name:24} {:>6}  not noticed", "-"),
        }
        all &= caught.is_some();
    }
    all
}
