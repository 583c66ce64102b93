//! How a heartbeat behaves, told as stories: one file a behaviour, one cast.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the cast is not inside a #[test], and a panic is how a test fails"
)]

mod cast;
mod edits_and_pauses;
mod gaps_and_claims;
mod grace;
mod late_delivery;
mod maintenance;
mod never_started;
mod repeats_and_snooze;
mod runs;
mod signals;
mod thresholds;
mod zone_rules;
mod zone_rules_random;
mod zones_that_are_gone;
