//! When is a success expected, and from when on may we claim that none came?

use std::time::Duration;

use crate::{Gap, GapLedger, Schedule, Settings, State, UnixMicros};

/// The most that a success may come before its instant and still count for it: a host whose clock is a
/// few seconds ahead must not raise an alarm.
pub const EARLY_MAX: Duration = Duration::from_secs(5 * 60);

/// A gap shorter than this never keeps an *unverified* quiet, whatever the interval.
const SHORT_GAP: Duration = Duration::from_secs(30);

/// How long after an absence, ours or the client's, a job may still report before we speak up: the grace
/// within these.
const RETURN_GRACE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(600));

/// The step of the time axis: what makes a bound exclusive.
const MICROSECOND: Duration = Duration::from_micros(1);

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

/// When the next success is expected, by the last thing that restarted the clock: the end of the last
/// run, or being armed after it.
pub(crate) fn expected_since_quiet(schedule: &Schedule, state: &State) -> Option<UnixMicros> {
    match state.last_run {
        Some(run) if run.ended_at >= state.armed_at => expected_after_run(schedule, run.ended_at),
        _ => first_expected(schedule, state.armed_at),
    }
}

/// How long before `instant` a success counts for it already. Zero for an interval.
fn early_tolerance(schedule: &Schedule, instant: UnixMicros) -> Duration {
    if schedule.interval().is_some() {
        return Duration::ZERO;
    }
    (period(schedule, instant) / 10).min(EARLY_MAX)
}

/// The schedule's last instant at or before `at`, which an edit may have put between two instants.
fn last_instant(schedule: &Schedule, at: UnixMicros) -> UnixMicros {
    let instant = schedule.previous_before((at + MICROSECOND).timestamp());
    instant.map_or(at, UnixMicros::from)
}

/// The distance from the instant before `at` to the one before that; the interval, for an interval.
fn period(schedule: &Schedule, at: UnixMicros) -> Duration {
    if let Some(interval) = schedule.interval() {
        return interval.duration();
    }
    let instant = last_instant(schedule, at);
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
    around: Surroundings<'_>,
) -> Verdict {
    let since = silent_since(settings, state, expected);
    verdict(settings, since, expected, expected + settings.grace, around)
}

/// The verdict on a run that started at `started` and has not ended by its `deadline`.
pub(crate) fn overran_verdict(
    settings: &Settings,
    state: &State,
    started: UnixMicros,
    deadline: UnixMicros,
    around: Surroundings<'_>,
) -> Verdict {
    let mut since = started + MICROSECOND;
    if state.failures > 0 {
        // An unseen success would have ended the row of failures that this overrun continues.
        let expected = state.expected_at.unwrap_or(started);
        since = since.min(silent_since(settings, state, expected));
    }
    verdict(settings, since, deadline, deadline, around)
}

/// The first instant at which a success that we did not see would have changed that the one expected at
/// `expected` is missed, or that it is one miss too many.
fn silent_since(settings: &Settings, state: &State, expected: UnixMicros) -> UnixMicros {
    let schedule = &settings.schedule;
    let quiet = state.quiet_since() + MICROSECOND;
    if schedule.interval().is_some() {
        // Any signal would have moved the deadline.
        return quiet;
    }
    // A success before the first instant of a row of misses would not have satisfied that anyway.
    let first = first_of_row(schedule, state, expected);
    let mut since = first - early_tolerance(schedule, first);
    if state.failures > 0 {
        let overran = state.runs.iter().filter(|run| run.overran);
        let started = overran.map(|run| run.started_at + MICROSECOND).min();
        since = since.min(started.unwrap_or(since));
    }
    since.max(quiet)
}

/// The first of the consecutive misses of which the one at `expected` is the last.
fn first_of_row(schedule: &Schedule, state: &State, expected: UnixMicros) -> UnixMicros {
    let oldest = expected_since_quiet(schedule, state).unwrap_or(expected);
    let mut first = last_instant(schedule, expected);
    for _ in 0..state.failures {
        match schedule.previous_before(first.timestamp()) {
            Some(before) if UnixMicros::from(before) >= oldest => first = before.into(),
            _ => break,
        }
    }
    first
}

/// How long after an absence, ours or the client's, we wait for a job to report.
pub(crate) fn patience(settings: &Settings) -> Duration {
    settings.grace.clamp(RETURN_GRACE.0, RETURN_GRACE.1)
}

/// The verdict on silence from `since` to `deadline`; `instant` is where the period is
/// measured.
fn verdict(
    settings: &Settings,
    since: UnixMicros,
    instant: UnixMicros,
    deadline: UnixMicros,
    around: Surroundings<'_>,
) -> Verdict {
    let counted = around.gaps.touching(since, deadline);
    if counted.is_empty() {
        return Verdict::certain(deadline);
    }
    let blind: Duration = counted
        .iter()
        .map(|gap| gap.to.min(deadline).since(gap.from.max(since)))
        .sum();
    let short = blind < (period(&settings.schedule, instant) / 100).max(SHORT_GAP);
    let over = counted.iter().all(|gap| gap.to <= deadline);
    // A short gap that is over is as loud as a down. While we were away at the deadline itself, the job
    // may be trying again this very moment.
    let unverified_at = if short && over {
        deadline
    } else {
        around.gaps.available(deadline, patience(settings))
    };
    let latest = counted.len().saturating_sub(crate::Alert::GAPS_MAX);
    Verdict {
        down_at: certain_from(settings, since, deadline, around),
        unverified_at: Some(unverified_at),
        digest: !(short && over),
        gaps: counted[latest..].to_vec(),
    }
}

/// The first instant by which a living job must have been heard outside every gap.
fn certain_from(
    settings: &Settings,
    since: UnixMicros,
    deadline: UnixMicros,
    around: Surroundings<'_>,
) -> UnixMicros {
    let mut certain = deadline;
    let mut since = since;
    while let Some(gap) = around.gaps.touching(since, certain).first() {
        since = gap.to;
        let expected = last_miss_after(settings, gap.to, around.maintenance);
        certain = certain.max(expected + settings.grace);
    }
    certain
}

/// Had a success come in the last moment of a gap that ended at `end`: the instant whose miss would then
/// open an incident.
fn last_miss_after(settings: &Settings, end: UnixMicros, windows: &[Maintenance]) -> UnixMicros {
    let schedule = &settings.schedule;
    let first = match schedule.interval() {
        Some(interval) => Some(end + interval.duration()),
        None => expected_after_run(schedule, end - MICROSECOND),
    };
    let held_back = |expected| after_maintenance(settings, expected, windows);
    let mut expected = first.map(held_back);
    for _ in 1..settings.failure_threshold {
        expected = expected
            .and_then(|expected| first_expected(schedule, expected))
            .map(held_back);
    }
    expected.unwrap_or(end)
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
            None => {
                first_expected(&settings.schedule, window.to - MICROSECOND).unwrap_or(window.to)
            }
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
