//! `nightbeat-sim`: see `--help`.

use clap::Parser as _;
use nightbeat_sim::{Faults, Mutant, Scenario, live};

#[derive(Debug, clap::Parser)]
struct Arguments {
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    #[arg(long, default_value_t = 5)]
    days: u32,
    #[arg(long, default_value = "all")]
    faults: Faults,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long)]
    mutant: Option<Mutant>,
    #[arg(long)]
    trace: bool,
    #[arg(long, default_value_t = 100)]
    heartbeats: usize,
    #[arg(long, default_value_t = 1)]
    nodes: usize,
}

fn main() {
    let arguments = Arguments::parse();
    let mut found = 0;
    let mut days = 0.0;
    for seed in arguments.seed..arguments.seed + arguments.seeds {
        let mut scenario = Scenario::new(seed, arguments.days, arguments.faults);
        scenario.mutant = arguments.mutant;
        scenario.trace = arguments.trace;
        scenario.heartbeats = arguments.heartbeats;
        scenario.nodes = arguments.nodes;
        let outcome = live(&scenario);
        days += outcome.check_days;
        if !outcome.violations.is_empty() {
            found += 1;
            println!("seed {seed}: {} violations", outcome.violations.len());
            for violation in outcome.violations.iter().take(2) {
                for fact in &violation.facts {
                    println!("    {fact}");
                }
                println!(
                    "  {} [{:?}] at {}: {}",
                    violation.invariant, violation.heartbeat, violation.at, violation.text
                );
            }
        }
        if arguments.seeds == 1 {
            let violations = outcome.violations;
            println!(
                "{:?}",
                nightbeat_sim::Outcome {
                    violations: Vec::new(),
                    ..outcome
                }
            );
            println!("{} violations", violations.len());
        }
    }
    println!(
        "{} seeds, {days} check-days, {found} seeds with violations",
        arguments.seeds
    );
}
