//! The time of the server under test.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use rustix::time::{ClockId, clock_gettime};

/// What the wall clock of this machine says.
pub fn wall_now() -> UnixMicros {
    let now = clock_gettime(ClockId::Realtime);
    UnixMicros(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Clone)]
pub struct TestClock {
    file: PathBuf,
    now: Arc<Mutex<UnixMicros>>,
}

impl TestClock {
    /// A clock that stands at `now`, told in `file`.
    pub(crate) fn standing(file: &Path, now: UnixMicros) -> Self {
        let clock = Self {
            file: file.to_owned(),
            now: Arc::new(Mutex::new(now)),
        };
        clock.tell(now);
        clock
    }

    /// Where it stands.
    pub fn now(&self) -> UnixMicros {
        *self.now.lock().unwrap()
    }

    /// Moves it on at once. More than three seconds at a time look to a running server like having been
    /// suspended: that is a gap. [`Binary::pass`](crate::Binary::pass) moves it without one.
    pub fn leap(&self, span: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = *now + span;
        self.tell(*now);
    }

    /// A reader sees the old time or the new one, never half of it.
    fn tell(&self, now: UnixMicros) {
        let fresh = self.file.with_extension("fresh");
        std::fs::write(&fresh, format!("={}", now.0)).unwrap();
        std::fs::rename(&fresh, &self.file).unwrap();
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
}
