//! When is a success expected?

use std::time::Duration;

use crate::missing_zone::longest_wait;
use crate::{GapLedger, Moved, Schedule, Settings, State, UnixMicros};

/// The most that a success may come before its instant and still count for it: a host whose clock is a
/// few seconds ahead must not raise an alarm.
pub const EARLY_MAX: Duration = Duration::from_secs(5 * 60);

/// The step of the time axis: what makes a bound exclusive.
pub(crate) const MICROSECOND: Duration = Duration::from_micros(1);

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
    if schedule.lacks_rules() {
        return longest_wait(schedule, at).map(|wait| at + wait);
    }
    schedule.next_after(at.timestamp()).map(UnixMicros::from)
}

/// When the next success is expected, after a run that ended at `at`.
///
/// For a schedule that follows the wall clock, a run that ends shortly before an instant counts for that
/// instant: within the smaller of [`EARLY_MAX`] and a tenth of the distance to the previous instant.
pub(crate) fn expected_after_run(schedule: &Schedule, at: UnixMicros) -> Option<UnixMicros> {
    let next = first_expected(schedule, at)?;
    if !counts_from_last_run(schedule) && next.since(at) <= early_tolerance(schedule, next) {
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

/// When the next success is expected, after a run ended at `ended_at` that is the last one by now. A run
/// at the instant of before counts for one that new zone rules have moved since: its machine may not have
/// them yet.
pub(crate) fn expected_after_end(
    schedule: &Schedule,
    state: &State,
    ended_at: UnixMicros,
) -> Option<UnixMicros> {
    let next = expected_since_quiet(schedule, state);
    past_moved(schedule, state.moved_slot(), ended_at, next)
}

/// When the next success is expected, after a run that was on until its `deadline` and has not been heard
/// of since: as if it had ended then.
pub(crate) fn expected_after_limit(
    schedule: &Schedule,
    state: &State,
    deadline: UnixMicros,
) -> Option<UnixMicros> {
    let next = expected_after_run(schedule, deadline);
    past_moved(schedule, state.moved_slot(), deadline, next)
}

/// `next`, or what comes after the moved instant, where a run that ended at `ended_at` counts for that.
pub(crate) fn past_moved(
    schedule: &Schedule,
    moved: Option<Moved>,
    ended_at: UnixMicros,
    next: Option<UnixMicros>,
) -> Option<UnixMicros> {
    match moved {
        Some(moved) if moved.from <= ended_at + early_tolerance(schedule, moved.from) => {
            next.max(first_expected(schedule, moved.to))
        }
        _ => next,
    }
}

/// Whether any success moves what is expected on: an interval does so, and a wall clock that nobody can
/// read any more.
pub(crate) fn counts_from_last_run(schedule: &Schedule) -> bool {
    schedule.interval().is_some() || schedule.lacks_rules()
}

/// How long before `instant` a success counts for it already. Zero where any success moves it on.
pub(crate) fn early_tolerance(schedule: &Schedule, instant: UnixMicros) -> Duration {
    if counts_from_last_run(schedule) {
        return Duration::ZERO;
    }
    (period(schedule, instant) / 10).min(EARLY_MAX)
}

/// The schedule's last instant at or before `at`, which an edit may have put between two instants.
pub(crate) fn last_instant(schedule: &Schedule, at: UnixMicros) -> UnixMicros {
    let instant = schedule.previous_before((at + MICROSECOND).timestamp());
    instant.map_or(at, UnixMicros::from)
}

/// The distance from the instant before `at` to the one before that; the interval, for an interval.
pub(crate) fn period(schedule: &Schedule, at: UnixMicros) -> Duration {
    if let Some(interval) = schedule.interval() {
        return interval.duration();
    }
    let instant = last_instant(schedule, at);
    let before = schedule.previous_before(instant.timestamp());
    before.map_or(Settings::SPAN_MAX, |before| instant.since(before.into()))
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
