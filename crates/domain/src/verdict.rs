//! From when on may we claim that a success did not come?

use std::time::Duration;

use crate::expect::{
    MICROSECOND, Surroundings, after_maintenance, counts_from_last_run, early_tolerance,
    expected_after_run, expected_since_quiet, first_expected, last_instant, past_moved, period,
};
use crate::{Gap, Maintenance, Moved, OpenRun, Settings, State, UnixMicros};

/// A gap shorter than this never keeps an *unverified* quiet, whatever the interval.
const SHORT_GAP: Duration = Duration::from_secs(30);

/// How long after an absence, ours or the client's, a job may still report before we speak up: the grace
/// within these.
const RETURN_GRACE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(600));

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
    /// How new zone rules moved what is expected: a run that we did not see may have been for that.
    moved: Option<Moved>,
}

impl Verdict {
    fn certain(deadline: UnixMicros) -> Self {
        Self {
            down_at: deadline,
            unverified_at: None,
            digest: false,
            gaps: Vec::new(),
            moved: None,
        }
    }

    /// Puts *down* off to `at`, and on past the gaps that make that uncertain too.
    fn not_before(&mut self, settings: &Settings, at: UnixMicros, around: Surroundings<'_>) {
        if at > self.down_at {
            self.down_at = certain_from(settings, self.moved, self.down_at, at, around);
        }
    }

    /// Several failures make an incident, and a gap counts: a run held misses back until its own
    /// `deadline`, and may itself be only the first failure since the gap.
    fn wait_for_row_after(
        &mut self,
        settings: &Settings,
        deadline: UnixMicros,
        around: Surroundings<'_>,
    ) {
        let more = settings.failure_threshold.saturating_sub(1);
        if more > 0 {
            let next = expected_after_run(&settings.schedule, deadline);
            let last = last_of_row(settings, next, more, around.maintenance);
            let due = last.map_or(deadline, |last| last + settings.grace);
            self.not_before(settings, due, around);
        }
    }

    /// A gap counts: had a success come in it, a run that is on would speak for the job until its deadline.
    fn wait_for_runs(&mut self, settings: &Settings, state: &State, around: Surroundings<'_>) {
        let latest = self.down_at;
        let held = |run: &&OpenRun| run.holds_back(settings, latest);
        for run in state.runs.iter().filter(held) {
            self.not_before(settings, run.deadline, around);
        }
    }

    /// The first instant at which anything may be claimed.
    pub(crate) fn first(&self) -> UnixMicros {
        self.unverified_at
            .map_or(self.down_at, |at| at.min(self.down_at))
    }
}

/// The verdict on a success that was expected at `expected` and has not come by `deadline`: `expected` +
/// grace, or when a run that spoke for the job went without an end.
pub(crate) fn missed_verdict(
    settings: &Settings,
    state: &State,
    expected: UnixMicros,
    deadline: UnixMicros,
    around: Surroundings<'_>,
) -> Verdict {
    let since = silent_since(settings, state, expected);
    let moved = state.moved_slot();
    let mut verdict = verdict(settings, moved, since, expected, deadline, around);
    if verdict.unverified_at.is_some() {
        let quiet = state.quiet_since();
        let overran = state.runs.iter().filter(|run| run.overran);
        for run in overran.filter(|run| run.deadline > quiet) {
            verdict.wait_for_row_after(settings, run.deadline, around);
        }
    }
    if deadline > expected + settings.grace && verdict.down_at > deadline {
        // The run that is on began too late to hold this back for sure, but perhaps not for the next.
        verdict.wait_for_runs(settings, state, around);
    }
    verdict
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
    if settings.failure_threshold > 1 && state.failures > 0 {
        // An unseen success would have ended the row of failures that this overrun continues.
        let expected = state.expected_at.unwrap_or(started);
        since = since.min(silent_since(settings, state, expected));
    }
    let moved = state.moved_slot();
    let mut verdict = verdict(settings, moved, since, deadline, deadline, around);
    if verdict.unverified_at.is_none() {
        return verdict;
    }
    verdict.wait_for_row_after(settings, deadline, around);
    // Had it ended in the gap, only the next misses would count,
    let misses = settings.failure_threshold;
    if let Some(last) = last_of_row(settings, state.expected_at, misses, around.maintenance) {
        verdict.not_before(settings, last + settings.grace, around);
    }
    // and a run that is on within its own limit, or was, would speak for the job until then.
    if let Some(until) = state.held_until {
        verdict.not_before(settings, until, around);
    }
    verdict.wait_for_runs(settings, state, around);
    verdict
}

/// The first instant at which a success that we did not see would have changed that the one expected at
/// `expected` is missed, or that it is one miss too many.
fn silent_since(settings: &Settings, state: &State, expected: UnixMicros) -> UnixMicros {
    let schedule = &settings.schedule;
    let quiet = state.quiet_since() + MICROSECOND;
    if counts_from_last_run(schedule) {
        // Any signal would have moved the deadline.
        return quiet;
    }
    // A success before this instant would not have satisfied it anyway.
    let mut instant = last_instant(schedule, expected);
    if let Some(moved) = state.moved_slot() {
        instant = instant.min(moved.from);
    }
    let mut since = instant - early_tolerance(schedule, instant);
    if settings.failure_threshold > 1 && state.failures > 0 {
        // But it would have satisfied an earlier one of the same row, or ended a run that overran.
        if let Some(first) = expected_since_quiet(schedule, state) {
            since = since.min(first - early_tolerance(schedule, first));
        }
        let overran = state.runs.iter().filter(|run| run.overran);
        let started = overran.map(|run| run.started_at + MICROSECOND).min();
        since = since.min(started.unwrap_or(since));
    }
    since.max(quiet)
}

/// How long after an absence, ours or the client's, we wait for a job to report.
pub(crate) fn patience(settings: &Settings) -> Duration {
    settings.grace.clamp(RETURN_GRACE.0, RETURN_GRACE.1)
}

/// The verdict on silence from `since` to `deadline`; the period is measured at `instant`.
fn verdict(
    settings: &Settings,
    moved: Option<Moved>,
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
        down_at: certain_from(settings, moved, since, deadline, around),
        unverified_at: Some(unverified_at),
        digest: !(short && over),
        gaps: counted[latest..].to_vec(),
        moved,
    }
}

/// The first instant by which a living job must have been heard outside every gap.
fn certain_from(
    settings: &Settings,
    moved: Option<Moved>,
    since: UnixMicros,
    deadline: UnixMicros,
    around: Surroundings<'_>,
) -> UnixMicros {
    let mut certain = deadline;
    let mut since = since;
    while let Some(gap) = around.gaps.touching(since, certain).first() {
        since = gap.to;
        let expected = last_miss_after(settings, moved, gap.to, around.maintenance);
        certain = certain.max(expected + settings.grace);
    }
    certain
}

/// Had a success come in the last moment of a gap that ended at `end`: the instant whose miss would then
/// open an incident.
fn last_miss_after(
    settings: &Settings,
    moved: Option<Moved>,
    end: UnixMicros,
    windows: &[Maintenance],
) -> UnixMicros {
    let schedule = &settings.schedule;
    let first = if let Some(interval) = schedule.interval() {
        Some(end + interval.duration())
    } else {
        let last = end - MICROSECOND;
        past_moved(schedule, moved, last, expected_after_run(schedule, last))
    };
    last_of_row(settings, first, settings.failure_threshold, windows).unwrap_or(end)
}

/// The last of `count` instants that begin with `first`, where maintenance holds none of them back.
fn last_of_row(
    settings: &Settings,
    first: Option<UnixMicros>,
    count: u32,
    windows: &[Maintenance],
) -> Option<UnixMicros> {
    let held_back = |expected| after_maintenance(settings, expected, windows);
    let mut expected = held_back(first?);
    for _ in 1..count {
        expected = held_back(first_expected(&settings.schedule, expected)?);
    }
    Some(expected)
}
