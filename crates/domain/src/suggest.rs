//! Which grace fits a job, by what was seen of its runs.
//!
//! A success is expected at an instant of the schedule, and comes as long after it as the job takes. So the
//! slowest of the recent successes, twice, is a grace that an ordinary bad night does not touch. Nothing is
//! left out of "the slowest" but what says nothing about the job's pace: an outage, or a run out of turn.

use std::time::Duration;

use crate::expect::{early_tolerance, expected_after_run, first_expected};
use crate::{LastRun, Outcome, Schedule, Settings, State, UnixMicros};

/// Successes without which nothing is suggested: fewer say too little about the slowest.
pub const SUCCESSES_MIN: usize = 5;
/// The runs that are looked at, the newest: half a hundred nights hold a month's end, and what a job was
/// like before is soon forgotten.
pub const RUNS_MAX: usize = 50;

/// The room that is left above the slowest: as much again.
const ROOM: u32 = 2;
/// What a success may be late for reasons of its own: clients try again for half a minute and more.
const SUGGESTED_MIN: Duration = Duration::from_secs(60);
/// How much later a job that is started by a wall clock runs on the day that has 25 hours.
const CLOCK_CHANGE: Duration = Duration::from_secs(3_600);
const DAY_SECONDS: u64 = 86_400;
/// A grace is long when it is over this many times what is enough, …
const LONG_TIMES: u32 = 4;
/// … and over this part of the smallest distance between two runs. An hour for a job that takes ten
/// seconds is much, but no harm where it runs once a day.
const LONG_PART: u32 = 4;

/// The round figures, in seconds: 1, 2, 5, 10, 15, 30, 45 min, 1 h, 90 min, 2, 3, 4, 6, 8, 12 h. What is
/// longer is whole days.
const FIGURES: [u64; 15] = [
    60, 120, 300, 600, 900, 1_800, 2_700, 3_600, 5_400, 7_200, 10_800, 14_400, 21_600, 28_800,
    43_200,
];

/// What was seen of a job's recent successes, and the grace that follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraceSuggestion {
    /// The grace to have: the present one where it is comfortable.
    pub grace: Duration,
    /// How the present grace does.
    pub fit: GraceFit,
    /// How many successes it is made from.
    pub runs: usize,
    /// The shortest and the longest of those that sent a start; `None` where none did.
    pub took: Option<(Duration, Duration)>,
    /// The longest time from the instant at which a success was expected until what the grace must wait
    /// for, see [`Self::awaited`]; `None` where no instant could be told.
    pub latest: Option<Duration>,
    /// What the grace must wait for.
    pub awaited: Awaited,
    /// The smallest distance between two instants, where a run took longer: runs can overlap.
    pub overlap: Option<Duration>,
}

/// How the present grace does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraceFit {
    /// It leaves room, and not too much.
    Comfortable,
    /// A run that is half as long again as the slowest raises an alarm.
    Short,
    /// The same, but only on the day with 25 hours: for intervals of whole days, whose job is usually
    /// started by a wall clock.
    ShortOnLongDays,
    /// A missing run is told far later than need be.
    Long,
}

/// What the grace must wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// The success.
    Success,
    /// The start, where each run sent one and has a longest run time of its own.
    Start,
}

/// The grace that fits, by the newest [`RUNS_MAX`] of `runs`, in any order. `None` with fewer than
/// [`SUCCESSES_MIN`] successes that say something, and where nobody knows the schedule's time zone any more.
///
/// It does not know when the schedule was edited: runs from before are seen by the present one.
pub fn suggest_grace(
    settings: &Settings,
    state: &State,
    runs: &[LastRun],
    now: UnixMicros,
) -> Option<GraceSuggestion> {
    if settings.schedule.lacks_rules() {
        return None;
    }
    let seen = Seen::of(settings, state.armed_at, runs)?;
    let spacing = settings.schedule.spacing_after(now.timestamp());
    let smallest = spacing.map_or(Duration::MAX, |spacing| spacing.smallest);
    let extra = extra(&settings.schedule);
    let enough = comfortable(seen.slowest, extra, smallest);
    let fit = fit(settings.grace, enough, &seen, extra, smallest);
    let longest = seen.took.map(|(_, longest)| longest);
    Some(GraceSuggestion {
        grace: if fit == GraceFit::Comfortable {
            settings.grace
        } else {
            enough
        },
        fit,
        runs: seen.count,
        took: seen.took,
        latest: seen.latest,
        awaited: seen.awaited,
        overlap: longest
            .is_some_and(|longest| longest > smallest)
            .then_some(smallest),
    })
}

/// What the runs say.
struct Seen {
    count: usize,
    took: Option<(Duration, Duration)>,
    latest: Option<Duration>,
    awaited: Awaited,
    /// What the grace had to wait for at least.
    slowest: Duration,
}

impl Seen {
    fn of(settings: &Settings, armed_at: UnixMicros, runs: &[LastRun]) -> Option<Self> {
        let mut runs = runs.to_vec();
        runs.sort_by_key(|run| run.ended_at);
        let runs = &runs[runs.len().saturating_sub(RUNS_MAX)..];
        let successes = || runs.iter().filter(|run| run.outcome != Outcome::Failed);
        // A run that is on holds *missed* back; only its own limit counts then.
        let awaited =
            if settings.max_run_time.is_some() && successes().all(|run| run.started_at.is_some()) {
                Awaited::Start
            } else {
                Awaited::Success
            };
        let mut seen = Self {
            count: 0,
            took: None,
            latest: None,
            awaited,
            slowest: Duration::ZERO,
        };
        let mut before: Option<UnixMicros> = None;
        for run in runs {
            let armed = (armed_at <= run.ended_at).then_some(armed_at);
            let late = before.and_then(|ended_at| {
                let expected = expected(&settings.schedule, ended_at, armed)?;
                lateness(&settings.schedule, expected, *run, awaited)
            });
            before = Some(run.ended_at);
            if run.outcome != Outcome::Failed {
                seen.take(*run, late);
            }
        }
        (seen.count >= SUCCESSES_MIN).then_some(seen)
    }

    fn take(&mut self, run: LastRun, late: Option<Duration>) {
        let took = run
            .started_at
            .map(|started_at| run.ended_at.since(started_at));
        if let Some(took) = took {
            let (shortest, longest) = self.took.unwrap_or((took, took));
            self.took = Some((shortest.min(took), longest.max(took)));
        }
        self.latest = self.latest.max(late);
        let limited = took.filter(|_| self.awaited == Awaited::Success);
        // `None` is less than any duration.
        if let Some(slow) = late.max(limited) {
            self.count += 1;
            self.slowest = self.slowest.max(slow);
        }
    }
}

/// When a success was expected after a run that ended at `ended_at`, or after being armed later.
fn expected(
    schedule: &Schedule,
    ended_at: UnixMicros,
    armed_at: Option<UnixMicros>,
) -> Option<UnixMicros> {
    match armed_at {
        Some(armed_at) if armed_at > ended_at => first_expected(schedule, armed_at),
        _ => expected_after_run(schedule, ended_at),
    }
}

/// How long after `expected` the run did what is awaited. `None` where that says nothing:
/// - it ended well before an instant of the wall clock, as a run out of turn does;
/// - it began when more than half of the time until the next instant had passed. Then this one was missed,
///   or the schedule was another.
fn lateness(
    schedule: &Schedule,
    expected: UnixMicros,
    run: LastRun,
    awaited: Awaited,
) -> Option<Duration> {
    let began_at = run.started_at.unwrap_or(run.ended_at);
    if run.ended_at < expected {
        let in_turn = schedule.interval().is_some()
            || expected.since(run.ended_at) <= early_tolerance(schedule, expected);
        return in_turn.then_some(Duration::ZERO);
    }
    if let Some(next) = first_expected(schedule, expected)
        && began_at.since(expected) > next.since(expected) / 2
    {
        return None;
    }
    Some(match awaited {
        Awaited::Success => run.ended_at.since(expected),
        Awaited::Start => began_at.since(expected),
    })
}

/// What is added for the clock change in autumn: an interval of whole days knows no wall clock, but what
/// starts its job usually does.
fn extra(schedule: &Schedule) -> Duration {
    let days = schedule
        .interval()
        .is_some_and(|interval| interval.seconds().is_multiple_of(DAY_SECONDS));
    if days { CLOCK_CHANGE } else { Duration::ZERO }
}

/// The grace that leaves room above the slowest: a round figure. Not over the smallest distance between two
/// instants, where one missing run would go unnoticed because the next one comes in time, unless what was
/// seen already needs more.
fn comfortable(slowest: Duration, extra: Duration, smallest: Duration) -> Duration {
    let wanted = round_up(slowest.saturating_mul(ROOM).max(SUGGESTED_MIN) + extra);
    if wanted <= smallest {
        return wanted;
    }
    let most = round_down(smallest);
    if slowest + extra <= most {
        return most;
    }
    round_up(slowest + extra)
}

fn fit(
    grace: Duration,
    enough: Duration,
    seen: &Seen,
    extra: Duration,
    smallest: Duration,
) -> GraceFit {
    let half_again = seen.slowest.saturating_add(seen.slowest / 2);
    if grace < enough.min(half_again) {
        return GraceFit::Short;
    }
    if grace < enough.min(half_again + extra) {
        return GraceFit::ShortOnLongDays;
    }
    if grace / LONG_TIMES > enough && grace > smallest / LONG_PART {
        return GraceFit::Long;
    }
    GraceFit::Comfortable
}

/// The smallest figure that is not less; at most the longest grace there is.
fn round_up(span: Duration) -> Duration {
    let seconds = span
        .as_secs()
        .saturating_add(u64::from(span.subsec_nanos() > 0));
    let figure = FIGURES.into_iter().find(|figure| *figure >= seconds);
    let days = || seconds.div_ceil(DAY_SECONDS).saturating_mul(DAY_SECONDS);
    Duration::from_secs(figure.unwrap_or_else(days)).min(Settings::SPAN_MAX)
}

/// The greatest figure that is not more; below the first one, whole seconds.
fn round_down(span: Duration) -> Duration {
    let seconds = span.as_secs();
    let days = seconds / DAY_SECONDS * DAY_SECONDS;
    let figures = FIGURES.into_iter().chain([days]);
    let figure = figures.filter(|figure| *figure > 0 && *figure <= seconds);
    Duration::from_secs(figure.max().unwrap_or(seconds.max(1))).min(Settings::SPAN_MAX)
}
