//! The simulator: years of bad luck for the real engine and domain code, in minutes.
//!
//! One seed decides everything. What a run found can be seen again by its seed.
#![forbid(unsafe_code)]

mod apart;
mod check;
mod faults;
mod leases;
pub mod model;
mod mutants;
mod outcome;
mod random;
mod scenario;
mod shrink;
mod truth;
mod world;

pub use apart::live_apart;
pub use faults::{Fault, Faults};
pub use mutants::Mutant;
pub use outcome::{Outcome, Violation};
pub use scenario::Scenario;
pub use shrink::shrink;

/// Lives a scenario.
pub fn live(scenario: &Scenario) -> Outcome {
    world::live(scenario)
}
