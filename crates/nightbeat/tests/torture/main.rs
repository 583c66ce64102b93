//! Three nodes on a durable PostgreSQL under everything that can happen to them at once: killed, held still for
//! longer than a lease, cut off from the database; the database restarted. Jobs signal through all of them and
//! try again; some die. A checker that knows what each client was answered says whether a promise was broken.
//!
//! The short one is part of every run. The long one is a command, see `docs/reliability.md`:
//! `TORTURE_MINUTES=10 TORTURE_HEARTBEATS=5000 TORTURE_SEED=1 cargo nextest run -p nightbeat --test torture
//! --run-ignored only --no-capture`
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod checker;
mod clients;
mod story;
mod teeth;
mod troubles;
mod world;

use std::ops::Range;
use std::time::Duration;

use crate::story::Plan;

/// Decides who dies and what happens when, unless `TORTURE_SEED` does.
const SEED: u64 = 20_261_122;

/// Intervals and graces that let a dead job be known within a test's patience, in milliseconds.
const SHORT: (Range<u64>, Range<u64>) = (4_000..10_000, 4_000..7_000);

/// Those of a torture: 20–90 s, and 10–30 s of grace.
const LONG: (Range<u64>, Range<u64>) = (20_000..90_001, 10_000..30_001);

#[tokio::test(flavor = "multi_thread")]
async fn one_of_each_trouble_costs_no_alert_no_signal_and_nobody_s_sleep() {
    let (interval, grace) = SHORT;
    let plan = Plan {
        heartbeats: 150,
        interval,
        grace,
        span: None,
        seed: SEED,
    };
    story::live(plan).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes TORTURE_MINUTES (10) and some more"]
async fn torture() {
    let (interval, grace) = LONG;
    let plan = Plan {
        heartbeats: variable("TORTURE_HEARTBEATS", 5_000),
        interval,
        grace,
        span: Some(Duration::from_secs(variable("TORTURE_MINUTES", 10) * 60)),
        seed: variable("TORTURE_SEED", SEED),
    };
    story::live(plan).await;
}

fn variable(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| {
            panic!("{name} is a whole number, not {text:?}");
        }),
        Err(_) => usual,
    }
}
