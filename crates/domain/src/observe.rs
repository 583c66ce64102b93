//! What a signal changes.

use nightbeat_evidence::{BrokenRule, Outcome as Said, Severity};

use crate::effects::{Decision, Effects, FinishedRun, Particulars};
use crate::expect::{expected_after_end, expected_after_limit};
use crate::verdict::patience;
use crate::{
    Cause, Claim, Closing, HeartbeatId, IgnoredBecause, LastRun, OpenRun, Outcome, Phase, RunId,
    Settings, Signal, SignalKind, State, UnixMicros, Work, work,
};

/// What became of a signal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// It is recorded, but did not count, for this reason.
    pub ignored: Option<IgnoredBecause>,
    /// What is stored and told.
    pub effects: Effects,
}

/// Decides what `signal` changes. The instant of the decision is the signal's arrival: one that arrives
/// exactly at a deadline is in time.
///
/// Where `wake_at` lies before the arrival, the caller elapses up to the microsecond before it first:
/// else a deadline that passed between two looks would never be told.
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
            self.rearm(settings);
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
        if let Some(rid) = signal.rid {
            return self.state.finished.contains(&rid);
        }
        let ended = self.state.last_run.map(|run| run.ended_at);
        signal.claimed_at.is_some() && ended.is_some_and(|ended| signal.happened_at() < ended)
    }

    fn start(&mut self, settings: &Settings, signal: &Signal) {
        let started_at = signal.happened_at();
        let mut deadline = started_at + settings.run_limit();
        if deadline <= signal.received_at && started_at < signal.received_at {
            // Delivered after its own limit: the end of this run is on its way too.
            deadline = signal.received_at + patience(settings);
        }
        let run = OpenRun {
            rid: signal.rid,
            started_at,
            deadline,
            overran: false,
            counted: false,
        };
        let runs = &mut self.state.runs;
        if let Some(open) = runs.iter_mut().find(|open| open.rid == signal.rid) {
            // A start that is sent again says nothing new; one without a run id begins a new run.
            if signal.rid.is_none() && open.started_at < started_at {
                let replaced = std::mem::replace(open, run);
                self.excuse_what_it_was_for(settings, signal, replaced);
                self.note_what_it_held(settings, replaced);
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

    /// A run that is over its limit, but may have ended in a gap, gives way to a new one: the miss that
    /// it held back must not be claimed now as if it had never been on.
    fn excuse_what_it_was_for(&mut self, settings: &Settings, signal: &Signal, run: OpenRun) {
        if !run.overran && run.deadline < signal.received_at {
            let next = expected_after_limit(&settings.schedule, self.state, run.deadline);
            self.state.expected_at = self.state.expected_at.max(next);
        }
    }

    /// A run is gone without an end that counts. A miss that it held back can be claimed from now on only,
    /// and what we could not see until now counts: it was to speak for the job all that time.
    fn note_what_it_held(&mut self, settings: &Settings, run: OpenRun) {
        let due = self.state.expected_at.map(|at| at + settings.grace);
        let held = |due: UnixMicros| due < self.at && run.holds_back(settings, due);
        if due.is_some_and(held) {
            self.state.held_until = Some(self.at);
        }
    }

    fn end(&mut self, settings: &Settings, signal: &Signal) {
        let (outcome, cause) = judge(settings, signal);
        let run = self.take_run(signal.rid, signal.happened_at());
        let rid = signal.rid.or(run.and_then(|run| run.rid));
        let started_at = run.map(|run| run.started_at);
        // No run ends before it has started: then the client's clock is behind ours.
        let ended_at = signal
            .happened_at()
            .max(started_at.unwrap_or(UnixMicros::MIN));
        self.remember_finished(rid);
        self.state.speaks |= signal
            .reading
            .as_ref()
            .is_some_and(|it| !it.evidence.is_empty());
        self.effects.run = Some(FinishedRun {
            rid,
            started_at,
            ended_at,
            outcome,
            exit_code: signal.exit_code,
            work: Work::of(signal).map(Box::new),
        });
        let done = outcome != Outcome::Failed;
        if done {
            self.state.last_success_at = self.state.last_success_at.max(Some(ended_at));
        }
        if let Some(last) = self.state.last_run
            && last.ended_at > ended_at
        {
            // Delivered late: it belongs into the history, but newer runs have decided since.
            if let Some(run) = run {
                self.note_what_it_held(settings, run);
            }
            if let Some(run) = run.filter(|_| done) {
                self.take_back_overrun(settings, signal, run);
            }
            return;
        }
        self.state.held_until = None;
        self.state.last_run = Some(LastRun {
            started_at,
            ended_at,
            outcome,
        });
        self.state.expected_at = expected_after_end(&settings.schedule, self.state, ended_at);
        let particulars = Particulars {
            run_started_at: started_at,
            exit_code: signal.exit_code,
            broken_rules: what_was_seen(signal),
            ..Particulars::default()
        };
        if done {
            self.done(settings, signal, outcome, cause, particulars);
        } else {
            self.failed(settings, cause, particulars);
        }
    }

    /// Takes the run that a closing signal closes out of the open ones: the one with its `rid`, or,
    /// where it has none, the only one.
    fn take_run(&mut self, rid: Option<RunId>, ended_at: UnixMicros) -> Option<OpenRun> {
        let runs = &mut self.state.runs;
        let found = match (rid, runs.as_slice()) {
            (None, [_]) => Some(0),
            _ => runs.iter().position(|run| run.rid == rid),
        }?;
        // Without a run id, a success delivered late may be older than a run that has begun since.
        if rid.is_none() && runs[found].started_at > ended_at {
            return None;
        }
        Some(runs.remove(found))
    }

    /// Remembers that this run has ended, to know its start if that arrives later.
    fn remember_finished(&mut self, rid: Option<RunId>) {
        let Some(rid) = rid else { return };
        let finished = &mut self.state.finished;
        finished.retain(|known| *known != rid);
        if finished.len() == State::FINISHED_MAX {
            finished.remove(0);
        }
        finished.push(rid);
    }

    fn done(
        &mut self,
        settings: &Settings,
        signal: &Signal,
        outcome: Outcome,
        cause: Cause,
        particulars: Particulars,
    ) {
        self.forget_failures();
        self.state.successes = self.state.successes.saturating_add(1);
        self.retract_if_false(settings, signal);
        if self.overdue_again(settings, signal) {
            return;
        }
        if outcome == Outcome::Warning && self.state.phase == Phase::Warning {
            // One more warning is no step towards the end of a warning.
            self.state.successes = 0;
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
                self.recover(closing);
            }
            (Phase::Warning | Phase::Down | Phase::Unverified, _) => {}
        }
    }

    /// Takes back a *down* that was claimed although this success had arrived in time, however many
    /// successes a recovery takes.
    fn retract_if_false(&mut self, settings: &Settings, signal: &Signal) {
        let Some(incident) = &self.state.incident else {
            return;
        };
        let next_due = self.state.expected_at.map(|at| at + settings.grace);
        let was_false = incident.claim == Claim::Down
            && incident.deadline.is_some_and(|deadline| {
                signal.received_at <= deadline && next_due.is_none_or(|due| due > deadline)
            });
        if was_false {
            self.effects.false_raises += 1;
            self.recover(Closing::Retracted);
        }
    }

    /// The end of a run that was counted as overrun was delivered after that of a newer run.
    fn take_back_overrun(&mut self, settings: &Settings, signal: &Signal, run: OpenRun) {
        let told = self.open_deadline(Cause::Overran) == Some(run.deadline);
        if told || run.counted {
            self.state.failures = self.state.failures.saturating_sub(1);
        }
        if told && !self.overdue_again(settings, signal) {
            let closing = self.closing(signal);
            self.recover(closing);
        }
    }

    /// A success delivered late shows that the job ran then, but it is overdue again since: the incident
    /// stays open.
    fn overdue_again(&self, settings: &Settings, signal: &Signal) -> bool {
        let due = self.state.expected_at.map(|at| at + settings.grace);
        self.state.incident.is_some() && due.is_some_and(|due| due < signal.received_at)
    }

    /// How the open incident ends by this success.
    fn closing(&self, signal: &Signal) -> Closing {
        let happened_at = signal.happened_at();
        let deadline = self.state.incident.as_ref().and_then(|it| it.deadline);
        if deadline.is_some_and(|deadline| happened_at <= deadline) {
            Closing::RanInTime(happened_at)
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
            Phase::Warning | Phase::New | Phase::Up | Phase::Paused if enough => {
                self.open(cause, Claim::Down, particulars);
            }
            Phase::New | Phase::Paused => self.state.phase = Phase::Up,
            Phase::Up | Phase::Warning | Phase::Down => {}
        }
    }
}

/// How a closing signal says that its run ended, and the cause if it is not well.
fn judge(settings: &Settings, signal: &Signal) -> (Outcome, Cause) {
    if signal.kind == SignalKind::Fail {
        let listed = |code| settings.warning_codes.contains(&code);
        let warning = signal.exit_code.is_some_and(listed) || means_warning(signal);
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

/// Whether the tool whose output came with it means a warning by this exit code (restic 3, rsync 24, borg 1).
fn means_warning(signal: &Signal) -> bool {
    let said = signal.reading.as_ref().map(|it| it.outcome);
    signal.exit_code.is_some() && said == Some(Said::Warning)
}

/// What an alert about the end of a run can say of its work: the rules that it did not keep, or what the
/// output of a failed one says.
fn what_was_seen(signal: &Signal) -> Vec<BrokenRule> {
    if signal.kind == SignalKind::Fail {
        return work::verdict_of_output(signal).into_iter().collect();
    }
    signal.broken_rules.clone()
}
