//! The times of day at which a schedule runs.

/// Microseconds in a second, a minute and a day.
pub(crate) const SECOND: u64 = 1_000_000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const DAY: u64 = 86_400 * SECOND;

/// A set of times of day: hours × minutes × seconds. Never empty.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    /// Bit h: hour h.
    pub(crate) hours: u32,
    /// Bit m: minute m.
    pub(crate) minutes: u64,
    /// The seconds of a minute.
    pub(crate) seconds: Vec<Run>,
}

/// Values of one minute in microseconds: `start`, `start + step`, … up to `stop`.
/// A single value has `stop == start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u64,
    pub(crate) stop: u64,
    pub(crate) step: u64,
}

impl Run {
    /// The single value `at`.
    pub(crate) fn once(at: u64) -> Self {
        Self {
            start: at,
            stop: at,
            step: 1,
        }
    }

    /// Whether `value` is one of the run.
    pub(crate) fn holds(self, value: u64) -> bool {
        self.at_or_after(value) == Some(value)
    }

    fn count(self) -> u64 {
        (self.stop - self.start) / self.step + 1
    }

    fn at_or_after(self, least: u64) -> Option<u64> {
        let value = self.start + least.saturating_sub(self.start).div_ceil(self.step) * self.step;
        (value <= self.stop).then_some(value)
    }

    fn at_or_before(self, most: u64) -> Option<u64> {
        let reach = most.min(self.stop).checked_sub(self.start)?;
        Some(self.start + reach / self.step * self.step)
    }
}

impl Times {
    /// The first time of day at or after `least`, in microseconds since midnight.
    pub(crate) fn at_or_after(&self, least: u64) -> Option<u64> {
        if least >= DAY {
            return None;
        }
        let (hour, minute) = (least / (60 * MINUTE), least / MINUTE % 60);
        if has(u64::from(self.hours), hour)
            && has(self.minutes, minute)
            && let Some(second) = self.second_at_or_after(least % MINUTE)
        {
            return Some(least / MINUTE * MINUTE + second);
        }
        let (hour, minute) = self.minute_after(hour, minute)?;
        Some((hour * 60 + minute) * MINUTE + self.second_at_or_after(0)?)
    }

    /// The last time of day at or before `most`, in microseconds since midnight.
    pub(crate) fn at_or_before(&self, most: u64) -> Option<u64> {
        let most = most.min(DAY - 1);
        let (hour, minute) = (most / (60 * MINUTE), most / MINUTE % 60);
        if has(u64::from(self.hours), hour)
            && has(self.minutes, minute)
            && let Some(second) = self.second_at_or_before(most % MINUTE)
        {
            return Some(most / MINUTE * MINUTE + second);
        }
        let (hour, minute) = self.minute_before(hour, minute)?;
        Some((hour * 60 + minute) * MINUTE + self.second_at_or_before(MINUTE - 1)?)
    }

    /// How many times a day holds.
    pub(crate) fn count(&self) -> u64 {
        let minutes = (self.hours & 0xff_ffff).count_ones() * self.minutes.count_ones();
        let seconds: u64 = self.seconds.iter().map(|run| run.count()).sum();
        u64::from(minutes) * seconds
    }

    fn minute_after(&self, hour: u64, minute: u64) -> Option<(u64, u64)> {
        if has(u64::from(self.hours), hour)
            && let Some(later) = lowest(self.minutes & above(minute))
        {
            return Some((hour, later));
        }
        let hour = lowest(u64::from(self.hours) & above(hour))?;
        Some((hour, lowest(self.minutes)?))
    }

    fn minute_before(&self, hour: u64, minute: u64) -> Option<(u64, u64)> {
        if has(u64::from(self.hours), hour)
            && let Some(earlier) = highest(self.minutes & below(minute))
        {
            return Some((hour, earlier));
        }
        let hour = highest(u64::from(self.hours) & below(hour))?;
        Some((hour, highest(self.minutes)?))
    }

    fn second_at_or_after(&self, least: u64) -> Option<u64> {
        self.seconds
            .iter()
            .filter_map(|run| run.at_or_after(least))
            .min()
    }

    fn second_at_or_before(&self, most: u64) -> Option<u64> {
        self.seconds
            .iter()
            .filter_map(|run| run.at_or_before(most))
            .max()
    }
}

/// Whether `bits` holds bit `index`.
pub(crate) fn has(bits: u64, index: u64) -> bool {
    bits >> index & 1 == 1
}

/// The bits above `index`, which is at most 62.
fn above(index: u64) -> u64 {
    u64::MAX << (index + 1)
}

/// The bits below `index`.
fn below(index: u64) -> u64 {
    (1 << index) - 1
}

pub(crate) fn lowest(bits: u64) -> Option<u64> {
    (bits != 0).then(|| u64::from(bits.trailing_zeros()))
}

pub(crate) fn highest(bits: u64) -> Option<u64> {
    (bits != 0).then(|| u64::from(bits.ilog2()))
}
