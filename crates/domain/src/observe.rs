//! What a signal changes.

use nightbeat_evidence::Severity;

use crate::effects::{Decision, Effects, FinishedRun, Particulars};
use crate::expect::expected_after_run;
use crate::{
    Cause, Claim, Closing, HeartbeatId, IgnoredBecause, LastRun, OpenRun, Outcome, Phase, RunId,
    Settings, Signal, SignalKind, State, UnixMicros,
};

/// What became of a signal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// It is recorded, but did not count, for this reason.
    pub ignored: Option<IgnoredBecause>,
    /// What is stored and told.
    pub effects: Effects,
}

/// Decides what `signal` changes. The instant of the decision is the signal's arrival: one that arrives
/// exactly at a deadline is in time.
pub fn observe(
    heartbeat: HeartbeatId,
    settings: &Settings,
    state: &mut State,
    signal: &Signal,
) -> Observed {
    let mut decision = Decision::new(heartbeat, state, signal.received_at);
    decision.state.signals += 1;
    let ignored = decision.take_in(settings, signal);
    decision.state.wake_at = decision.state.next_wake(settings);
    Observed {
        ignored,
        effects: decision.effects,
    }
}

impl Decision<'_> {
    fn take_in(&mut self, settings: &Settings, signal: &Signal) -> Option<IgnoredBecause> {
        if signal.ignored.is_some() {
            return signal.ignored;
        }
        if self.state.phase == Phase::Paused {
            if settings.manual_resume {
                return Some(IgnoredBecause::Paused);
            }
            if signal.kind == SignalKind::Log {
                return None;
            }
            self.state.phase = Phase::New;
            self.state.armed_at = signal.received_at;
        }
        match signal.kind {
            SignalKind::Log => return None,
            SignalKind::Start => {
                if self.out_of_order(signal) {
                    return Some(IgnoredBecause::OutOfOrder);
                }
                self.start(settings, signal);
            }
            SignalKind::Success | SignalKind::Fail => self.end(settings, signal),
        }
        let before = self.state.last_signal_at.unwrap_or(UnixMicros::MIN);
        self.state.last_signal_at = Some(before.max(signal.received_at));
        None
    }

    /// A start that was overtaken by the end of its own run, or of a later one.
    fn out_of_order(&self, signal: &Signal) -> bool {
        match signal.rid {
            Some(rid) => self.state.finished.contains(&rid),
            None => {
                let ended = self.state.last_run.map(|run| run.ended_at);
                signal.claimed_at.is_some()
                    && ended.is_some_and(|ended| signal.happened_at() < ended)
            }
        }
    }

    fn start(&mut self, settings: &Settings, signal: &Signal) {
        let runs = &mut self.state.runs;
        let started_at = signal.happened_at();
        let run = OpenRun {
            rid: signal.rid,
            started_at,
            deadline: started_at + settings.run_limit(),
            overran: false,
        };
        if let Some(open) = runs.iter_mut().find(|open| open.rid == signal.rid) {
            // A start that is sent again says nothing new; one without a run id begins a new run.
            if signal.rid.is_none() {
                *open = run;
            }
            return;
        }
        if runs.len() == State::RUNS_MAX {
            let Some(spent) = runs.iter().position(|open| open.overran) else {
                return;
            };
            runs.remove(spent);
        }
        runs.push(run);
    }

    fn end(&mut self, settings: &Settings, signal: &Signal) {
        let ended_at = signal.happened_at();
        let (outcome, cause) = judge(settings, signal);
        let started_at = self.take_run(signal.rid, ended_at);
        self.effects.run = Some(FinishedRun {
            rid: signal.rid,
            started_at,
            ended_at,
            outcome,
            exit_code: signal.exit_code,
        });
        let done = outcome != Outcome::Failed;
        if done {
            self.state.last_success_at = self.state.last_success_at.max(Some(ended_at));
        }
        if let Some(last) = self.state.last_run
            && last.ended_at > ended_at
        {
            // Delivered late: it belongs into the history, but newer runs have decided since.
            return;
        }
        self.state.last_run = Some(LastRun {
            started_at,
            ended_at,
            outcome,
        });
        self.state.expected_at = expected_after_run(&settings.schedule, ended_at);
        let particulars = Particulars {
            run_started_at: started_at,
            exit_code: signal.exit_code,
            broken_rules: signal.broken_rules.clone(),
            ..Particulars::default()
        };
        if done {
            self.done(settings, signal, outcome, cause, particulars);
        } else {
            self.failed(settings, cause, particulars);
        }
    }

    /// Takes the run that a closing signal closes out of the open ones; when it started.
    fn take_run(&mut self, rid: Option<RunId>, ended_at: UnixMicros) -> Option<UnixMicros> {
        if let Some(rid) = rid {
            self.state.finished.retain(|known| *known != rid);
            if self.state.finished.len() == State::FINISHED_MAX {
                self.state.finished.remove(0);
            }
            self.state.finished.push(rid);
        }
        let runs = &mut self.state.runs;
        let found = match (rid, runs.as_slice()) {
            (None, [_]) => Some(0),
            _ => runs.iter().position(|run| run.rid == rid),
        }?;
        // A success delivered late may be older than a run that has begun since.
        if runs[found].started_at > ended_at {
            return None;
        }
        Some(runs.remove(found).started_at)
    }

    fn done(
        &mut self,
        settings: &Settings,
        signal: &Signal,
        outcome: Outcome,
        cause: Cause,
        particulars: Particulars,
    ) {
        self.state.failures = 0;
        self.state.successes = self.state.successes.saturating_add(1);
        if self.still_missing(settings, signal) {
            return;
        }
        let recovered = self.state.successes >= settings.recovery_threshold;
        match (self.state.phase, outcome) {
            (Phase::New | Phase::Up | Phase::Paused, Outcome::Warning) => {
                self.open(cause, Claim::Warning, particulars);
            }
            (Phase::New | Phase::Up | Phase::Paused, _) => self.state.phase = Phase::Up,
            (Phase::Warning, Outcome::Warning) => {}
            (Phase::Down | Phase::Unverified, Outcome::Warning) if recovered => {
                self.open(cause, Claim::Warning, particulars);
            }
            (Phase::Warning | Phase::Down | Phase::Unverified, _) if recovered => {
                let closing = self.closing(signal);
                self.effects.false_raises += u32::from(closing == Closing::Retracted);
                self.recover(closing);
            }
            (Phase::Warning | Phase::Down | Phase::Unverified, _) => {}
        }
    }

    /// A success delivered late shows that the job ran then, but it is overdue again since.
    fn still_missing(&self, settings: &Settings, signal: &Signal) -> bool {
        let Some(incident) = &self.state.incident else {
            return false;
        };
        let overdue = self
            .state
            .expected_at
            .is_some_and(|at| at + settings.grace < signal.received_at);
        incident.cause == Cause::Missed && overdue
    }

    /// How the open incident ends by this success.
    fn closing(&self, signal: &Signal) -> Closing {
        let Some(incident) = &self.state.incident else {
            return Closing::Success;
        };
        let timely = |at: UnixMicros| incident.deadline.is_some_and(|deadline| at <= deadline);
        if incident.claim == Claim::Down && timely(signal.received_at) {
            Closing::Retracted
        } else if timely(signal.happened_at()) {
            Closing::RanInTime(signal.happened_at())
        } else {
            Closing::Success
        }
    }

    fn failed(&mut self, settings: &Settings, cause: Cause, particulars: Particulars) {
        self.state.successes = 0;
        self.state.failures = self.state.failures.saturating_add(1);
        let enough = self.state.failures >= settings.failure_threshold;
        match self.state.phase {
            // The job says itself what we could not see.
            Phase::Unverified => self.open(cause, Claim::Down, particulars),
            Phase::Down => {}
            Phase::Warning | Phase::New | Phase::Up | Phase::Paused if enough => {
                self.open(cause, Claim::Down, particulars);
            }
            Phase::New | Phase::Paused => self.state.phase = Phase::Up,
            Phase::Up | Phase::Warning => {}
        }
    }
}

/// How a closing signal says that its run ended, and the cause if it is not well.
fn judge(settings: &Settings, signal: &Signal) -> (Outcome, Cause) {
    if signal.kind == SignalKind::Fail {
        let warning = signal
            .exit_code
            .is_some_and(|code| settings.warning_codes.contains(&code));
        return if warning {
            (Outcome::Warning, Cause::Failed)
        } else {
            (Outcome::Failed, Cause::Failed)
        };
    }
    let worst = signal.broken_rules.iter().map(|rule| rule.severity).max();
    match worst {
        None => (Outcome::Ok, Cause::Hollow),
        Some(Severity::Warning) => (Outcome::Warning, Cause::Hollow),
        Some(Severity::Failure) => (Outcome::Failed, Cause::Hollow),
    }
}
