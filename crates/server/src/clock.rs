//! The only place that reads clocks.

use nightbeat_engine::Reading;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// The machine's clocks.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    #[cfg(feature = "test-clock")]
    offset: test_clock::Offset,
}

impl Clock {
    /// The clocks of this process. Test builds (feature `test-clock`) add the offset that the file in
    /// `NIGHTBEAT_CLOCK_FILE` holds: a whole number of microseconds, read again at each reading.
    pub fn of_process() -> Self {
        Self {
            #[cfg(feature = "test-clock")]
            offset: test_clock::Offset::of_process(),
        }
    }

    /// What the clocks say now.
    pub fn read(&self) -> Reading {
        #[cfg(feature = "test-clock")]
        let offset_micros = self.offset.micros();
        #[cfg(not(feature = "test-clock"))]
        let offset_micros = 0;
        let micros = |clock| micros(clock_gettime(clock)).saturating_add(offset_micros);
        Reading {
            boot_micros: micros(BOOT),
            wall_micros: micros(ClockId::Realtime),
        }
    }
}

#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
/// Elsewhere the monotonic clock; on macOS it goes on while the machine sleeps, too.
#[cfg(not(target_os = "linux"))]
const BOOT: ClockId = ClockId::Monotonic;

fn micros(time: Timespec) -> i64 {
    time.tv_sec
        .saturating_mul(1_000_000)
        .saturating_add(time.tv_nsec / 1_000)
}

#[cfg(feature = "test-clock")]
mod test_clock {
    use std::path::PathBuf;

    /// A file whose number is added to both clocks.
    #[derive(Debug, Clone, Default)]
    pub(super) struct Offset(Option<PathBuf>);

    impl Offset {
        pub(super) fn of_process() -> Self {
            Self(std::env::var_os("NIGHTBEAT_CLOCK_FILE").map(PathBuf::from))
        }

        /// Panics on a file that cannot be read: a test with a wrong clock must not go on.
        pub(super) fn micros(&self) -> i64 {
            let Some(path) = &self.0 else { return 0 };
            let text = std::fs::read_to_string(path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            text.trim()
                .parse()
                .unwrap_or_else(|error| panic!("{}: {error}: {text}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_do_not_go_backwards_and_tell_this_century() {
        let clock = Clock::default();
        let first = clock.read();
        let second = clock.read();
        assert!(second.boot_micros >= first.boot_micros);
        assert!(first.boot_micros > 0);
        assert!(first.wall_micros > 1_700_000_000_000_000);
    }
}
