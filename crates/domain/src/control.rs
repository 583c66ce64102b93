//! What people's own steps change: create, edit, pause, resume, acknowledge, snooze.

use crate::effects::{Decision, Effects};
use crate::expect::{expected_after_run, first_expected};
use crate::{Cause, Closing, HeartbeatId, Phase, Settings, State, UnixMicros};

impl State {
    /// The state of a heartbeat created at `now`.
    pub fn new(settings: &Settings, now: UnixMicros) -> Self {
        let mut state = Self {
            phase: Phase::New,
            armed_at: now,
            last_signal_at: None,
            last_success_at: None,
            expected_at: first_expected(&settings.schedule, now),
            wake_at: None,
            failures: 0,
            successes: 0,
            signals: 0,
            incidents: 0,
            alerts: 0,
            version: 0,
            last_run: None,
            runs: Vec::new(),
            finished: Vec::new(),
            incident: None,
        };
        state.wake_at = state.next_wake(settings);
        state
    }
}

/// New settings take effect at `now`. An edit alone never raises an alarm: what it makes overdue gets a
/// fresh grace, and what it makes fine closes its incident.
pub fn edit(
    heartbeat: HeartbeatId,
    settings: &Settings,
    state: &mut State,
    now: UnixMicros,
) -> Effects {
    let mut decision = Decision::new(heartbeat, state, now);
    if decision.state.phase != Phase::Paused {
        decision.refit_runs(settings);
        decision.refit_expectation(settings);
    }
    decision.finish(settings)
}

/// Nothing is expected any more. Closes an open incident without a word: the person knows.
pub fn pause(
    heartbeat: HeartbeatId,
    settings: &Settings,
    state: &mut State,
    now: UnixMicros,
) -> Effects {
    let mut decision = Decision::new(heartbeat, state, now);
    decision.close(Closing::Paused);
    decision.state.phase = Phase::Paused;
    decision.state.expected_at = None;
    decision.state.runs.clear();
    decision.finish(settings)
}

/// Something is expected again, as if the heartbeat had just been created. Does nothing to a heartbeat
/// that is not paused.
pub fn resume(
    heartbeat: HeartbeatId,
    settings: &Settings,
    state: &mut State,
    now: UnixMicros,
) -> Effects {
    if state.phase != Phase::Paused {
        return Effects::default();
    }
    let decision = Decision::new(heartbeat, state, now);
    let heard = decision.state.last_run.is_some();
    decision.state.phase = if heard { Phase::Up } else { Phase::New };
    decision.state.armed_at = now;
    decision.state.expected_at = first_expected(&settings.schedule, now);
    decision.state.failures = 0;
    decision.state.successes = 0;
    decision.finish(settings)
}

/// Someone has seen the open incident: no more repeats. Whether there was one to acknowledge.
pub fn acknowledge(settings: &Settings, state: &mut State) -> bool {
    let Some(incident) = state.incident.as_mut() else {
        return false;
    };
    incident.acknowledged = true;
    state.version += 1;
    state.wake_at = state.next_wake(settings);
    true
}

/// Holds alerts of the open incident back until `until`. Whether there was one to snooze.
pub fn snooze(settings: &Settings, state: &mut State, until: UnixMicros) -> bool {
    let Some(incident) = state.incident.as_mut() else {
        return false;
    };
    incident.snoozed_until = Some(until);
    // Still down at the end of a snooze is news, also where nothing repeats.
    incident.held_back = true;
    state.version += 1;
    state.wake_at = state.next_wake(settings);
    true
}

impl Decision<'_> {
    /// Open runs get the new limit; one that would be over it already gets a fresh grace.
    fn refit_runs(&mut self, settings: &Settings) {
        for run in self.state.runs.iter_mut().filter(|run| !run.overran) {
            let deadline = run.started_at + settings.run_limit();
            run.deadline = if deadline > self.at {
                deadline
            } else {
                self.at + settings.grace
            };
        }
    }

    fn refit_expectation(&mut self, settings: &Settings) {
        let expected = match self.state.last_run {
            Some(run) if run.ended_at >= self.state.armed_at => {
                expected_after_run(&settings.schedule, run.ended_at)
            }
            _ => first_expected(&settings.schedule, self.state.armed_at),
        };
        let overdue = expected.is_some_and(|at| at + settings.grace <= self.at);
        let missed = self
            .state
            .incident
            .as_ref()
            .is_some_and(|incident| incident.cause == Cause::Missed);
        self.state.expected_at = if overdue && !missed {
            Some(self.at)
        } else {
            expected
        };
        if missed && !overdue {
            self.state.failures = 0;
            self.recover(Closing::Edited);
        }
    }

    fn finish(self, settings: &Settings) -> Effects {
        self.state.wake_at = self.state.next_wake(settings);
        self.effects
    }
}
