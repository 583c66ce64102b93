//! What the passing of time changes.

use crate::effects::{Decision, Effects, Particulars};
use crate::expect::{
    Surroundings, after_maintenance, expected_after_limit, first_expected,
    run_deadline_after_maintenance,
};
use crate::verdict::{Verdict, missed_verdict, overran_verdict};
use crate::{AlertKind, Cause, Claim, HeartbeatId, Phase, Settings, State, UnixMicros};

/// Decides what has become due by `asof`. The caller says that every signal received up to `asof` has
/// been observed (or refused, and that refusal is in the gap ledger).
///
/// Afterwards `state.wake_at` is the next instant at which there is something to decide; it is later
/// than `asof`.
pub fn elapse(
    heartbeat: HeartbeatId,
    settings: &Settings,
    state: &mut State,
    around: Surroundings<'_>,
    asof: UnixMicros,
) -> Effects {
    let mut decision = Decision::new(heartbeat, state, asof);
    if decision.state.phase == Phase::Paused {
        decision.state.wake_at = None;
        return decision.effects;
    }
    let run_look = decision.judge_runs(settings, around);
    let miss_look = decision.judge_miss(settings, around);
    let run_look = decision.settle_runs(run_look);
    decision.judge_repeats(settings);
    let looks = [run_look, miss_look, decision.state.repeat_look(settings)];
    decision.state.wake_at = looks.into_iter().flatten().min();
    decision.effects
}

impl Decision<'_> {
    /// Judges the runs that are past their deadline; when to look again.
    fn judge_runs(&mut self, settings: &Settings, around: Surroundings<'_>) -> Option<UnixMicros> {
        let mut look: Option<UnixMicros> = None;
        for index in 0..self.state.runs.len() {
            let run = self.state.runs[index];
            if run.overran {
                continue;
            }
            let deadline = if run.deadline <= self.at {
                run_deadline_after_maintenance(settings, run.deadline, around.maintenance)
            } else {
                run.deadline
            };
            self.state.runs[index].deadline = deadline;
            if deadline > self.at {
                look = earlier(look, Some(deadline));
                continue;
            }
            if self.below_threshold(settings) {
                self.state.runs[index].overran = true;
                self.state.runs[index].counted = true;
                self.count_overrun(settings, deadline);
                continue;
            }
            let verdict = overran_verdict(settings, self.state, run.started_at, deadline, around);
            let particulars = Particulars {
                deadline: Some(deadline),
                run_started_at: Some(run.started_at),
                ..Particulars::default()
            };
            let before = self.state.failures;
            let next = self.claim(Cause::Overran, &verdict, particulars);
            self.state.runs[index].counted |= self.state.failures > before;
            if next.is_none() {
                self.state.runs[index].overran = true;
            }
            look = earlier(look, next);
        }
        look
    }

    /// While it is down, nothing more is to be said of the runs that are past their deadline.
    fn settle_runs(&mut self, look: Option<UnixMicros>) -> Option<UnixMicros> {
        if self.state.phase != Phase::Down {
            return look;
        }
        for run in &mut self.state.runs {
            run.overran |= run.deadline <= self.at;
        }
        self.state.first_run_deadline()
    }

    /// Counts a run that is too long, but not yet one failure too many. Whether we could see all of it
    /// is asked when the last of the row is judged.
    fn count_overrun(&mut self, settings: &Settings, deadline: UnixMicros) {
        self.count_failure();
        self.state.phase = match self.state.phase {
            Phase::New => Phase::Up,
            phase => phase,
        };
        // As after a run that failed: what this run was for is not missed a second time.
        let next = expected_after_limit(&settings.schedule, self.state, deadline);
        self.state.expected_at = self.state.expected_at.max(next);
    }

    /// The row of failures is over.
    pub(crate) fn forget_failures(&mut self) {
        self.state.failures = 0;
        for run in &mut self.state.runs {
            run.counted = false;
        }
    }

    fn count_failure(&mut self) {
        self.state.failures = self.state.failures.saturating_add(1);
        self.state.successes = 0;
    }

    /// Judges the success that is expected; when to look again.
    fn judge_miss(&mut self, settings: &Settings, around: Surroundings<'_>) -> Option<UnixMicros> {
        if self.state.phase == Phase::New {
            return self.judge_never_started(settings, around);
        }
        if !self.watches_misses() {
            return None;
        }
        loop {
            let expected = self.state.expected_at?;
            let due = expected + settings.grace;
            if self.state.run_speaks_at(settings, due) {
                return None;
            }
            if due > self.at {
                return Some(due);
            }
            let moved = after_maintenance(settings, expected, around.maintenance);
            if moved != expected {
                self.state.expected_at = Some(moved);
                continue;
            }
            if self.state.phase == Phase::Down {
                self.state.successes = 0;
                return None;
            }
            if self.below_threshold(settings) {
                self.count_failure();
                let missed = self.state.moved_slot().map_or(expected, |moved| moved.to);
                self.state.expected_at = first_expected(&settings.schedule, missed);
                continue;
            }
            let deadline = self.held_deadline(settings, due, around);
            if deadline > self.at {
                return Some(deadline);
            }
            let verdict = missed_verdict(settings, self.state, expected, deadline, around);
            // What a run held back that is gone is kept quiet by no other: there might always be one more.
            if deadline == due && self.state.run_speaks_at(settings, verdict.down_at) {
                return None;
            }
            let particulars = Particulars {
                deadline: Some(deadline),
                ..Particulars::default()
            };
            return self.claim(Cause::Missed, &verdict, particulars);
        }
    }

    /// When the success due at `due` counts as missed: where a run spoke for the job and went without an end,
    /// not before that; and where that was in maintenance, as with a run that is too long.
    fn held_deadline(
        &self,
        settings: &Settings,
        due: UnixMicros,
        around: Surroundings<'_>,
    ) -> UnixMicros {
        let until = self.state.held_until.filter(|until| *until > due);
        until.map_or(due, |until| {
            run_deadline_after_maintenance(settings, until, around.maintenance)
        })
    }

    /// Whether a deadline of the expected success still matters in this phase.
    fn watches_misses(&self) -> bool {
        match self.state.phase {
            Phase::Up | Phase::Warning | Phase::Unverified => true,
            Phase::Down => self.state.successes > 0,
            Phase::New | Phase::Paused => false,
        }
    }

    /// One more miss or failure is not enough yet to open an incident.
    fn below_threshold(&self, settings: &Settings) -> bool {
        matches!(self.state.phase, Phase::New | Phase::Up | Phase::Warning)
            && self.state.failures.saturating_add(1) < settings.failure_threshold
    }

    /// Claims what may be claimed by now; when to look again, or `None` when all is said.
    fn claim(
        &mut self,
        cause: Cause,
        verdict: &Verdict,
        particulars: Particulars,
    ) -> Option<UnixMicros> {
        if self.state.phase == Phase::Down {
            // It is told already. What we may have missed does not end a row of successes.
            if verdict.unverified_at.is_none() {
                self.state.successes = 0;
            }
            return None;
        }
        let told = self.state.phase == Phase::Unverified;
        if self.at >= verdict.down_at {
            self.state.successes = 0;
            let open = self.state.incident.as_ref().map(|incident| incident.cause);
            if told && open == Some(cause) {
                self.confirm(particulars);
            } else if told {
                // We are sure of something else than what we were not sure of. It is counted already.
                self.open(cause, Claim::Down, particulars);
            } else {
                self.raise(cause, Claim::Down, particulars);
            }
            return None;
        }
        if let Some(unverified_at) = verdict.unverified_at
            && !told
        {
            if unverified_at > self.at {
                return Some(verdict.first());
            }
            let particulars = Particulars {
                gaps: verdict.gaps.clone(),
                digest: verdict.digest,
                ..particulars
            };
            self.raise(cause, Claim::Unverified, particulars);
        }
        Some(verdict.down_at)
    }

    fn raise(&mut self, cause: Cause, claim: Claim, particulars: Particulars) {
        self.count_failure();
        self.open(cause, claim, particulars);
    }

    /// One reminder for a job from which no signal ever came.
    fn judge_never_started(
        &mut self,
        settings: &Settings,
        around: Surroundings<'_>,
    ) -> Option<UnixMicros> {
        if !settings.remind_never_started || self.state.last_signal_at.is_some() {
            return None;
        }
        let expected = self.state.expected_at?;
        let expected = after_maintenance(settings, expected, around.maintenance);
        let due = expected + settings.grace;
        if due > self.at {
            return Some(due);
        }
        let verdict = missed_verdict(settings, self.state, expected, due, around);
        self.state.expected_at = None;
        let particulars = Particulars {
            deadline: Some(due),
            gaps: verdict.gaps,
            ..Particulars::default()
        };
        self.tell(AlertKind::NeverStarted, None, None, particulars);
        None
    }

    /// Sends what a snooze held back, and repeats what nobody has acknowledged.
    fn judge_repeats(&mut self, settings: &Settings) {
        let at = self.at;
        let Some(incident) = &self.state.incident else {
            return;
        };
        let snoozed = incident.snoozed_until.is_some_and(|until| until > at);
        let deadline = incident.deadline;
        let repeat = settings.repeat_after.is_some_and(|after| {
            !incident.acknowledged && incident.claim != Claim::Warning && {
                incident.alerted_at + after <= at
            }
        });
        if !snoozed && (incident.held_back || repeat) {
            let particulars = Particulars {
                deadline,
                ..Particulars::default()
            };
            self.alert_again(AlertKind::Reminder, particulars);
        }
    }
}

fn earlier(one: Option<UnixMicros>, other: Option<UnixMicros>) -> Option<UnixMicros> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
