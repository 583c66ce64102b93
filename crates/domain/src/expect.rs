//! When is a success expected, and from when on may we claim that none came?

use std::time::Duration;

use crate::{Gap, GapLedger, Schedule, Settings, State, UnixMicros};

/// The most that a success may come before its instant and still count for it: a host whose clock is a
/// few seconds ahead must not raise an alarm.
pub const EARLY_MAX: Duration = Duration::from_secs(5 * 60);

/// A gap shorter than this never keeps an *unverified* quiet, whatever the interval.
const SHORT_GAP: Duration = Duration::from_secs(30);

/// How long after our own absence a job may still report before we speak up: the grace within these.
const RETURN_GRACE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(600));

/// A stretch in which misses are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintenance {
    /// Its first instant.
    pub from: UnixMicros,
    /// The first instant after it.
    pub to: UnixMicros,
}

/// What a judgement must know besides the heartbeat: where we were blind, and where silence is planned.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Every stretch in which signals could not be received.
    pub gaps: &'a GapLedger,
    /// The project's maintenance windows, in any order.
    pub maintenance: &'a [Maintenance],
}

/// When the next success is expected, after the heartbeat was armed (created, resumed) at `at`.
pub(crate) fn first_expected(schedule: &Schedule, at: UnixMicros) -> Option<UnixMicros> {
    schedule.next_after(at.timestamp()).map(UnixMicros::from)
}

/// When the next success is expected, after a run that ended at `at`.
///
/// For a schedule that follows the wall clock, a run that ends shortly before an instant counts for that
/// instant: within the smaller of [`EARLY_MAX`] and a tenth of the distance to the previous instant.
pub(crate) fn expected_after_run(schedule: &Schedule, at: UnixMicros) -> Option<UnixMicros> {
    let next = first_expected(schedule, at)?;
    if schedule.interval().is_none() && next.since(at) <= early_tolerance(schedule, next) {
        return first_expected(schedule, next);
    }
    Some(next)
}

/// How long before `instant` a success counts for it already. Zero for an interval.
fn early_tolerance(schedule: &Schedule, instant: UnixMicros) -> Duration {
    if schedule.interval().is_some() {
        return Duration::ZERO;
    }
    (period(schedule, instant) / 10).min(EARLY_MAX)
}

/// The distance from the instant before `instant` to it; the interval, for an interval.
fn period(schedule: &Schedule, instant: UnixMicros) -> Duration {
    if let Some(interval) = schedule.interval() {
        return interval.duration();
    }
    let before = schedule.previous_before(instant.timestamp());
    before.map_or(Settings::SPAN_MAX, |before| instant.since(before.into()))
}

/// From when on a deadline that passed may be claimed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// From then on we are sure: *down*.
    pub(crate) down_at: UnixMicros,
    /// From then on we say that we are not sure, where a gap counts.
    pub(crate) unverified_at: Option<UnixMicros>,
    /// The gap was long: *unverified* may travel in a digest.
    pub(crate) digest: bool,
    /// The gaps that count.
    pub(crate) gaps: Vec<Gap>,
}

impl Verdict {
    fn certain(deadline: UnixMicros) -> Self {
        Self {
            down_at: deadline,
            unverified_at: None,
            digest: false,
            gaps: Vec::new(),
        }
    }

    /// The first instant at which anything may be claimed.
    pub(crate) fn first(&self) -> UnixMicros {
        self.unverified_at
            .map_or(self.down_at, |at| at.min(self.down_at))
    }
}

/// The verdict on a success that was expected at `expected` and has not come by `expected` + grace.
pub(crate) fn missed_verdict(
    settings: &Settings,
    state: &State,
    expected: UnixMicros,
    gaps: &GapLedger,
) -> Verdict {
    let schedule = &settings.schedule;
    let after = match schedule.interval() {
        // Any signal that we missed would have moved the deadline.
        Some(_) => state.quiet_since(),
        // A success before this instant would not have satisfied it anyway.
        None => expected - early_tolerance(schedule, expected) - Duration::from_micros(1),
    };
    verdict(settings, after, expected, expected + settings.grace, gaps)
}

/// The verdict on a run that started at `started` and has not ended by its `deadline`.
pub(crate) fn overran_verdict(
    settings: &Settings,
    started: UnixMicros,
    deadline: UnixMicros,
    gaps: &GapLedger,
) -> Verdict {
    verdict(settings, started, deadline, deadline, gaps)
}

/// The verdict on silence from `after` to `deadline`; `instant` is where the period is measured.
fn verdict(
    settings: &Settings,
    after: UnixMicros,
    instant: UnixMicros,
    deadline: UnixMicros,
    gaps: &GapLedger,
) -> Verdict {
    let counted = gaps.touching(after, deadline);
    if counted.is_empty() {
        return Verdict::certain(deadline);
    }
    let blind: Duration = counted
        .iter()
        .map(|gap| gap.to.min(deadline).since(gap.from.max(after)))
        .sum();
    let short = blind < (period(&settings.schedule, instant) / 100).max(SHORT_GAP);
    let over = counted.iter().all(|gap| gap.to <= deadline);
    // A short gap that is over is as loud as a down. While we were away at the deadline itself, the job
    // may be trying again this very moment.
    let unverified_at = if short && over {
        deadline
    } else {
        let patience = settings.grace.clamp(RETURN_GRACE.0, RETURN_GRACE.1);
        gaps.available(deadline, patience)
    };
    let latest = counted.len().saturating_sub(crate::Alert::GAPS_MAX);
    Verdict {
        down_at: certain_from(settings, after, deadline, gaps),
        unverified_at: Some(unverified_at),
        digest: !(short && over),
        gaps: counted[latest..].to_vec(),
    }
}

/// The first instant by which a living job must have been heard outside every gap.
fn certain_from(
    settings: &Settings,
    after: UnixMicros,
    deadline: UnixMicros,
    gaps: &GapLedger,
) -> UnixMicros {
    let schedule = &settings.schedule;
    let mut certain = deadline;
    let mut after = after;
    while let Some(gap) = gaps.touching(after, certain).first() {
        after = gap.to;
        let expected = match schedule.interval() {
            Some(interval) => gap.to + interval.duration(),
            // The first instant at or after the gap's end. Earlier gaps cannot hide a success for it, but
            // one that touches its own early tolerance can: so look again from there.
            None => match first_expected(schedule, gap.to - Duration::from_micros(1)) {
                Some(next) => {
                    after = after.max(next - early_tolerance(schedule, next));
                    next
                }
                None => gap.to,
            },
        };
        certain = certain.max(expected + settings.grace);
    }
    certain
}

/// The instant that counts in place of `expected`, where maintenance holds a miss back: the first one
/// after the window's end.
pub(crate) fn after_maintenance(
    settings: &Settings,
    expected: UnixMicros,
    windows: &[Maintenance],
) -> UnixMicros {
    let mut expected = expected;
    // Each turn moves past one window, so it ends.
    while let Some(window) = windows
        .iter()
        .find(|window| window.from <= expected + settings.grace && expected < window.to)
    {
        expected = match settings.schedule.interval() {
            Some(interval) => window.to + interval.duration(),
            None => first_expected(&settings.schedule, window.to - Duration::from_micros(1))
                .unwrap_or(window.to),
        };
    }
    expected
}

/// A run's deadline, where maintenance holds it back: the grace after the window's end.
pub(crate) fn run_deadline_after_maintenance(
    settings: &Settings,
    deadline: UnixMicros,
    windows: &[Maintenance],
) -> UnixMicros {
    let mut deadline = deadline;
    while let Some(window) = windows
        .iter()
        .find(|window| window.from <= deadline && deadline < window.to)
    {
        deadline = window.to + settings.grace;
    }
    deadline
}
