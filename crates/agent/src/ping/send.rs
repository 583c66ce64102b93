//! The tries of one signal.

use std::time::Duration;

use super::{Address, Courier, Patience, PingError, Refusal, Sent, Signal};
use crate::clock;

/// Sends `signal` until it is recorded, refused, or `patience` is at its end.
///
/// What may go better next time is tried again: no connection, no answer, any 5xx, 429. `Retry-After`
/// (in seconds) lengthens a wait. `retrying` is told before each wait what went wrong.
pub fn send(
    address: &Address,
    signal: &Signal,
    patience: &Patience,
    mut retrying: impl FnMut(&PingError, Duration),
) -> Result<Sent, PingError> {
    let began = clock::steady();
    let left = || patience.total.saturating_sub(began.elapsed());
    let mut courier = Courier::new(address.clone());
    let mut waits = patience.waits.iter();
    let mut tries = 0;
    loop {
        tries += 1;
        let failure = match courier.try_once(signal, left().min(patience.one_try)) {
            Ok(_receipt) => return Ok(Sent { tries }),
            Err(Refusal::Final(error)) => return Err(error),
            Err(Refusal::Later(failure)) => failure,
        };
        let wait = waits
            .next()
            .map(|wait| failure.retry_after.map_or(*wait, |asked| asked.max(*wait)))
            .filter(|wait| *wait < left());
        let error = failure.error(tries);
        let Some(wait) = wait else {
            return Err(error);
        };
        retrying(&error, wait);
        std::thread::sleep(wait);
    }
}
