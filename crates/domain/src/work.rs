//! What a run says of its work, and what its heartbeat's rules make of that.
//!
//! A rule is held against the run itself and against the good runs before it. Those are handed in: what is
//! stored of them is all that is known of the past.

use std::time::Duration;

use nightbeat_evidence::rules::{HISTORY_RUNS_MAX, History, RuleSet, RunFacts, evaluate};
use nightbeat_evidence::{BrokenRule, Metric, Outcome as Said, Reading, Severity};
use serde::{Deserialize, Serialize};

use crate::{Outcome, Settings, Signal, SignalKind, State, UnixMicros};

/// How many runs are read at once of those that a run is held against.
pub const PAST_RUNS: usize = 60;

/// How far back they are looked for. The failed ones do not count: of a job that failed for as many runs as
/// these, nothing is known of what is usual.
pub const PAST_RUNS_MAX: usize = 1_200;

/// The name under which an alert about a failed run tells what its output says.
const OUTPUT_RULE: &str = "output";

/// What a run says of its work. Stored with the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// What was read from its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Box<Reading>>,
    /// Numbers that it reported itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// Rules that did not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken_rules: Vec<BrokenRule>,
}

/// A run of the past, as far as a later one is held against it.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// When it started, where it said so.
    pub started_at: Option<UnixMicros>,
    /// When it ended.
    pub ended_at: UnixMicros,
    /// How it ended.
    pub outcome: Outcome,
    /// What it says of its work.
    pub work: Option<Work>,
}

impl Work {
    /// What a closing signal says of its run; `None`: nothing.
    pub fn of(signal: &Signal) -> Option<Self> {
        let reading = signal.reading.as_ref();
        let reading = reading.filter(|it| says_anything(Some(it)) || it.why.is_some());
        if reading.is_none() && signal.metrics.is_empty() && signal.broken_rules.is_empty() {
            return None;
        }
        Some(Self {
            reading: reading.cloned(),
            metrics: signal.metrics.clone(),
            broken_rules: signal.broken_rules.clone(),
        })
    }
}

/// Whether there is anything to hold against the runs before: a success that says something of its work, or
/// one of which something is wanted, by rules or because the runs before it did speak.
pub fn is_judged(settings: &Settings, state: &State, signal: &Signal) -> bool {
    let spoken = || says_anything(signal.reading.as_deref());
    signal.kind == SignalKind::Success
        && signal.ignored.is_none()
        && (!settings.rules.is_empty() || state.speaks || spoken())
}

/// Whether anything was recognised in an output.
pub(crate) fn says_anything(reading: Option<&Reading>) -> bool {
    reading.is_some_and(|it| !it.evidence.is_empty() || !it.telltales.is_empty())
}

/// Whether `past` holds as many good runs as a later one is held against: no earlier one changes the judgement.
pub fn is_enough(past: &[PastRun]) -> bool {
    let good = past.iter().filter(|run| run.outcome != Outcome::Failed);
    good.count() >= HISTORY_RUNS_MAX
}

/// The rules that a run does not keep, by what its closing signal says: the heartbeat's and those that are on
/// by themselves. `past`: the runs before it, the oldest first, as many as [`is_enough`] asks for; those that
/// failed say nothing of what is usual.
///
/// A rule of a newer version, which this one cannot read, is left out: each was checked when it was set.
pub fn broken_rules(
    settings: &Settings,
    state: &State,
    signal: &Signal,
    past: &[PastRun],
) -> Vec<BrokenRule> {
    let (rules, _) = RuleSet::readable(&settings.rules);
    let mut history = History::default();
    for run in past.iter().filter(|run| run.outcome != Outcome::Failed) {
        history.push(&past_facts(run), &rules);
    }
    let duration = duration(state, signal);
    let facts = facts(signal.reading.as_deref(), &signal.metrics, duration)
        .exited(signal.exit_code.map(i32::from))
        .ended_at(Some(signal.happened_at().0 as f64 / 1e6));
    evaluate(&rules, &facts, &history)
}

/// What the output of a run that failed says of it.
pub(crate) fn verdict_of_output(signal: &Signal) -> Option<BrokenRule> {
    let reading = signal.reading.as_ref()?;
    let severity = match reading.outcome {
        Said::Ok => return None,
        Said::Warning => Severity::Warning,
        Said::Failed => Severity::Failure,
    };
    Some(BrokenRule {
        rule: OUTPUT_RULE.to_owned(),
        severity,
        explanation: reading.why.clone()?,
    })
}

/// What rules would have said of each of these runs, had they been set then; the oldest run comes first. Beside
/// each run stands the exit code that it sent. Each is held against those before it, as when it ended.
pub fn trial(rules: &RuleSet, runs: &[(PastRun, Option<u8>)]) -> Vec<Vec<BrokenRule>> {
    let mut history = History::default();
    let tried = runs.iter().map(|(run, exit_code)| {
        let facts = past_facts(run)
            .exited(exit_code.map(i32::from))
            .ended_at(Some(run.ended_at.0 as f64 / 1e6));
        let broken = evaluate(rules, &facts, &history);
        let fails = |rule: &BrokenRule| rule.severity == Severity::Failure;
        if run.outcome != Outcome::Failed && !broken.iter().any(fails) {
            history.push(&facts, rules);
        }
        broken
    });
    tried.collect()
}

/// The figures of a run that has ended: what it says of its work, and how long it took.
pub fn past_facts(run: &PastRun) -> RunFacts {
    let duration = run.started_at.map(|at| run.ended_at.since(at));
    let reading = run.work.as_ref().and_then(|work| work.reading.as_deref());
    let metrics = run.work.as_ref().map_or(&[][..], |work| &work.metrics);
    facts(reading, metrics, duration)
}

fn facts(reading: Option<&Reading>, metrics: &[Metric], duration: Option<Duration>) -> RunFacts {
    RunFacts::read(reading)
        .lasted(duration.map(|it| it.as_secs_f64()))
        .reported(metrics)
}

/// How long the run took that a closing signal ends, where its start was told.
fn duration(state: &State, signal: &Signal) -> Option<Duration> {
    let run = match (signal.rid, state.runs.as_slice()) {
        (None, [only]) => Some(only),
        (rid, runs) => runs.iter().find(|run| run.rid == rid),
    }?;
    Some(signal.happened_at().since(run.started_at))
}
