//! The simulator: years of bad luck for the real engine and domain code, in minutes.
//!
//! One seed decides everything. What a run found can be seen again by its seed.
#![forbid(unsafe_code)]

pub mod model;
