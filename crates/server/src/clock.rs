//! The only place that reads clocks.

use nightbeat_engine::Reading;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// The machine's clocks.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    #[cfg(feature = "test-clock")]
    told: test_clock::Told,
}

impl Clock {
    /// The clocks of this process. Test builds (feature `test-clock`) obey the file in
    /// `NIGHTBEAT_CLOCK_FILE`, read again at each reading: `=N` stops both clocks at N microseconds since
    /// 1970, `N` alone is added to what they say.
    pub fn of_process() -> Self {
        Self {
            #[cfg(feature = "test-clock")]
            told: test_clock::Told::of_process(),
        }
    }

    /// What the clocks say now.
    pub fn read(&self) -> Reading {
        let reading = Reading {
            boot_micros: micros(clock_gettime(BOOT)),
            wall_micros: micros(clock_gettime(ClockId::Realtime)),
        };
        #[cfg(feature = "test-clock")]
        let reading = self.told.change(reading);
        reading
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

    use nightbeat_engine::Reading;

    /// A file that says what time it is.
    #[derive(Debug, Clone, Default)]
    pub(super) struct Told(pub(super) Option<PathBuf>);

    impl Told {
        pub(super) fn of_process() -> Self {
            Self(std::env::var_os("NIGHTBEAT_CLOCK_FILE").map(PathBuf::from))
        }

        /// Panics on a file that cannot be read: a test with a wrong clock must not go on.
        pub(super) fn change(&self, real: Reading) -> Reading {
            let Some(path) = &self.0 else { return real };
            let text = std::fs::read_to_string(path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let number = |text: &str| -> i64 {
                text.parse()
                    .unwrap_or_else(|error| panic!("{}: {error}: {text}", path.display()))
            };
            let text = text.trim();
            if let Some(instant) = text.strip_prefix('=') {
                return Reading {
                    boot_micros: number(instant),
                    wall_micros: number(instant),
                };
            }
            let offset = number(text);
            Reading {
                boot_micros: real.boot_micros.saturating_add(offset),
                wall_micros: real.wall_micros.saturating_add(offset),
            }
        }
    }
}

#[cfg(all(test, feature = "test-clock"))]
mod moved {
    use super::*;

    #[test]
    fn the_file_moves_both_clocks_and_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offset");
        let clock = Clock {
            told: test_clock::Told(Some(path.clone())),
        };
        let hour = 3_600_000_000;
        std::fs::write(&path, "0").unwrap();
        let before = clock.read();
        std::fs::write(&path, format!("{}\n", 2 * hour)).unwrap();
        let after = clock.read();
        for (before, after) in [
            (before.boot_micros, after.boot_micros),
            (before.wall_micros, after.wall_micros),
        ] {
            assert!((2 * hour..3 * hour).contains(&(after - before)));
        }
        std::fs::write(&path, "=42").unwrap();
        let stopped = Reading {
            boot_micros: 42,
            wall_micros: 42,
        };
        assert_eq!(clock.read(), stopped);
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
