//! The one place where what runs beside a job reads the clocks and makes random numbers.

use std::time::Instant;

use jiff::Timestamp;
use uuid::Uuid;

/// The wall clock: when something happened.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge: what happens beside the job is told with its time"
)]
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// The steady clock: how long something takes. It stands still while the machine sleeps, as the job does.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge: limits of the job and of waits are measured here"
)]
pub fn steady() -> Instant {
    Instant::now()
}

/// A random UUID: run ids and nonces.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge: run ids and nonces are made here"
)]
pub fn random() -> Uuid {
    Uuid::new_v4()
}
