//! What people's own steps change: create, edit, pause, resume, acknowledge, snooze.

use crate::effects::{Decision, Effects};
use crate::expect::{counts_from_last_run, expected_since_quiet, first_expected, last_instant};
use crate::{Cause, Closing, HeartbeatId, Phase, Schedule, Settings, State, UnixMicros};

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
            moved: None,
            held_until: None,
            speaks: false,
        };
        state.wake_at = state.next_wake(settings);
        state
    }
}

/// New settings take the place of the `old` ones at `now`. An edit alone never raises an alarm: what it
/// makes overdue gets a fresh grace, and what it makes fine closes its incident. Only for settings that
/// differ: it starts again from the last run, so a postponement by maintenance is forgotten.
pub fn edit(
    heartbeat: HeartbeatId,
    old: &Settings,
    settings: &Settings,
    state: &mut State,
    now: UnixMicros,
) -> Effects {
    let mut decision = Decision::new(heartbeat, state, now);
    if decision.state.phase != Phase::Paused {
        decision.refit_runs(settings);
        decision.refit_expectation(settings, old.schedule == settings.schedule);
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
    decision.state.held_until = None;
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
    let mut decision = Decision::new(heartbeat, state, now);
    decision.rearm(settings);
    decision.finish(settings)
}

/// Someone has seen the open incident: no more repeats, nor what a snooze has held back so far. Whether
/// there was one to acknowledge.
pub fn acknowledge(settings: &Settings, state: &mut State) -> bool {
    let Some(incident) = state.incident.as_mut() else {
        return false;
    };
    incident.acknowledged = true;
    incident.held_back = false;
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
    /// Something is expected from now on, of a heartbeat that was paused.
    pub(crate) fn rearm(&mut self, settings: &Settings) {
        // A job that was heard of before is alive: its silence is news, not a first signal outstanding.
        let heard = self.state.last_signal_at.is_some() || self.state.last_run.is_some();
        self.state.phase = if heard { Phase::Up } else { Phase::New };
        self.state.armed_at = self.at;
        self.state.expected_at = first_expected(&settings.schedule, self.at);
        self.forget_failures();
        self.state.successes = 0;
    }

    /// Open runs get the new limit; one that would be over it already gets a fresh grace. One that was
    /// told as overrun and is within the new limit closes its incident.
    fn refit_runs(&mut self, settings: &Settings) {
        let told = self.open_deadline(Cause::Overran);
        let mut within = false;
        for run in &mut self.state.runs {
            let deadline = run.started_at + settings.run_limit();
            if deadline > self.at {
                within |= told == Some(run.deadline);
                // It was one of the failures in a row, and is none any more.
                self.state.failures -= u32::from(run.counted).min(self.state.failures);
                run.deadline = deadline;
                run.overran = false;
                run.counted = false;
            } else if !run.overran && told != Some(run.deadline) {
                run.deadline = self.at + settings.grace;
            }
        }
        if within {
            self.forget_failures();
            self.recover(Closing::Edited);
        }
    }

    fn refit_expectation(&mut self, settings: &Settings, same_schedule: bool) {
        let reminded = self.state.expected_at.is_none() && self.state.alerts > 0;
        if self.state.phase == Phase::New && reminded {
            return;
        }
        let mut expected = expected_since_quiet(&settings.schedule, self.state);
        let overdue_at = |expected: Option<UnixMicros>, at: UnixMicros| {
            expected.is_some_and(|expected| expected + settings.grace <= at)
        };
        let missed = self.open_deadline(Cause::Missed).is_some();
        // Misses that were counted below the threshold are not counted again.
        for _ in 0..self.state.failures {
            if missed || !overdue_at(expected, self.at) {
                break;
            }
            expected = expected.and_then(|at| first_expected(&settings.schedule, at));
        }
        if !missed && !counts_from_last_run(&settings.schedule) {
            expected = if same_schedule && self.is_still_promised(&settings.schedule, expected) {
                self.state.expected_at
            } else {
                self.expected_by_new_clock(&settings.schedule, expected)
            };
        }
        let overdue = overdue_at(expected, self.at);
        // A down stays what it is; before an unverified is confirmed, there is a fresh grace too.
        let settled = missed && self.state.phase == Phase::Down;
        self.state.expected_at = if overdue && !settled {
            Some(self.at)
        } else {
            expected
        };
        if missed && !overdue {
            self.forget_failures();
            self.recover(Closing::Edited);
        }
    }

    /// Whether what is expected holds on through an edit that leaves the schedule as it is, where that
    /// wants something at `expected` since the last run. New zone rules make the two differ, and a run
    /// that counted for more than its own end says: both are to be forgotten by no edit.
    fn is_still_promised(&self, schedule: &Schedule, expected: Option<UnixMicros>) -> bool {
        let (Some(old), Some(new)) = (self.state.expected_at, expected) else {
            return false;
        };
        // What maintenance put off is an instant of the schedule, after one that has passed.
        new < old && (new > self.at || last_instant(schedule, old) != old)
    }

    /// What a wall clock expects after an edit of a heartbeat that is not down, where it wants something at
    /// `expected` since the last run. Its instants before what was expected so far were never promised by
    /// anyone: the job has been on time through them.
    fn expected_by_new_clock(
        &self,
        schedule: &Schedule,
        expected: Option<UnixMicros>,
    ) -> Option<UnixMicros> {
        let (Some(old), Some(new)) = (self.state.expected_at, expected) else {
            return expected;
        };
        if new >= old || new > self.at {
            return expected;
        }
        if old > self.at {
            return first_expected(schedule, self.at);
        }
        // It is late. The new instant nearest to the old one takes its place.
        let before = last_instant(schedule, old);
        let after = first_expected(schedule, old)?;
        let later = before < old && after.since(old) <= old.since(before);
        if later { Some(after) } else { expected }
    }

    fn finish(self, settings: &Settings) -> Effects {
        self.state.wake_at = self.state.next_wake(settings);
        self.effects
    }
}
