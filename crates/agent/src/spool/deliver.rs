//! Delivering what waits.

use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

use super::{Head, Spool, SpoolError, VERSION};
use crate::clock;
use crate::ping::{Address, Courier, Refusal, Signal};

/// After how long a waiting signal is given up: a server believes no older time.
const AGE_MAX: Duration = Duration::from_secs(7 * 86_400);

/// For how long a signal that the server refuses is kept, and offered again: a proxy may have answered in
/// place of a server that was away.
const REFUSED_AGE_MAX: Duration = Duration::from_secs(86_400);

/// How one round went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// How many signals were delivered.
    pub sent: usize,
    /// How many still wait, because a server is away or the round was ended.
    pub waiting: usize,
    /// Those that a server refused. They are kept for a day.
    pub refused: Vec<Refused>,
    /// How many were given up: too old, refused for a day, or not readable.
    pub given_up: usize,
    /// Somebody else is delivering: nothing was tried.
    pub busy: bool,
    /// Why a server did not take them.
    pub why_waiting: Option<String>,
}

/// A signal that a server refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why, as it may be shown.
    pub reason: String,
}

/// A waiting signal, as it was read.
pub(super) struct Waiting {
    pub(super) address: Address,
    pub(super) signal: Signal,
}

/// What became of one signal.
enum Fate {
    Sent,
    Waits(String),
    Refused(String),
    GivenUp,
}

impl Spool {
    /// Offers each waiting signal once, the oldest first, each for at most `one_try`, while `go_on` says so.
    /// Where a server is away, its other signals are not tried, so that they keep their order.
    pub fn deliver(
        &self,
        one_try: Duration,
        go_on: impl Fn() -> bool,
    ) -> Result<Delivery, SpoolError> {
        self.round(one_try, go_on)
            .map_err(|reason| self.failed(reason))
    }

    fn round(&self, one_try: Duration, go_on: impl Fn() -> bool) -> io::Result<Delivery> {
        let mut delivery = Delivery::default();
        if self.names()?.is_empty() {
            return Ok(delivery);
        }
        let Some(_lock) = self.lock()? else {
            delivery.busy = true;
            delivery.waiting = self.names()?.len();
            return Ok(delivery);
        };
        let mut away: Vec<String> = Vec::new();
        let mut courier: Option<Courier> = None;
        for name in self.names()? {
            if !go_on() {
                delivery.waiting += 1;
                continue;
            }
            let Some(found) = self.read(&name)? else {
                // A format that this version does not know, or no signal at all.
                delivery.given_up += 1;
                self.remove(&name)?;
                continue;
            };
            let server = found.address.origin();
            if away.contains(&server) {
                delivery.waiting += 1;
                continue;
            }
            match self.offer(&name, &found, &mut courier, one_try) {
                Fate::Sent => {
                    delivery.sent += 1;
                    self.remove(&name)?;
                }
                Fate::GivenUp => {
                    delivery.given_up += 1;
                    self.remove(&name)?;
                }
                Fate::Refused(reason) => delivery.refused.push(Refused { reason }),
                Fate::Waits(reason) => {
                    delivery.waiting += 1;
                    delivery.why_waiting = Some(reason);
                    away.push(server);
                }
            }
        }
        Ok(delivery)
    }

    fn offer(
        &self,
        name: &str,
        found: &Waiting,
        courier: &mut Option<Courier>,
        one_try: Duration,
    ) -> Fate {
        let age = clock::wall().duration_since(found.signal.at);
        if age.unsigned_abs() > AGE_MAX {
            return Fate::GivenUp;
        }
        let known = courier
            .take()
            .filter(|known| *known.address() == found.address);
        let known = courier.insert(known.unwrap_or_else(|| Courier::new(found.address.clone())));
        match known.try_once(&found.signal, one_try) {
            Ok(_receipt) => Fate::Sent,
            Err(Refusal::Later(failure)) => Fate::Waits(failure.error(1).to_string()),
            Err(Refusal::Final(_)) if self.kept_for(name) > REFUSED_AGE_MAX => Fate::GivenUp,
            Err(Refusal::Final(error)) => Fate::Refused(error.to_string()),
        }
    }

    /// `None`: it is not one of ours.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Waiting>> {
        let mut bytes = fs::read(self.folder.join(name))?;
        let Some(end) = memchr::memchr(b'\n', &bytes) else {
            return Ok(None);
        };
        let Ok(head) = serde_json::from_slice::<Head>(&bytes[..end]) else {
            return Ok(None);
        };
        if head.version != VERSION {
            return Ok(None);
        }
        let body = bytes.split_off(end + 1);
        let Head {
            address, signal, ..
        } = head;
        let signal = Signal { body, ..signal };
        Ok(Some(Waiting { address, signal }))
    }

    /// How long it has been in the spool.
    fn kept_for(&self, name: &str) -> Duration {
        let written = fs::metadata(self.folder.join(name)).and_then(|found| found.modified());
        let now = SystemTime::from(clock::wall());
        written
            .ok()
            .and_then(|written| now.duration_since(written).ok())
            .unwrap_or_default()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }
}
