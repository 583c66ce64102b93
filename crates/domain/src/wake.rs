//! When must a heartbeat be looked at next?

use crate::{Phase, Settings, State, UnixMicros};

impl State {
    /// The last thing that restarted the clock: the end of the last run, or being armed.
    pub(crate) fn quiet_since(&self) -> UnixMicros {
        let ended = self.last_run.map(|run| run.ended_at);
        ended.map_or(self.armed_at, |ended| ended.max(self.armed_at))
    }

    /// The instant at which an alert is due if nothing is heard until then; `None` where none can be.
    pub fn deadline(&self, settings: &Settings) -> Option<UnixMicros> {
        let run = self.first_run_deadline();
        let miss = match self.phase {
            Phase::Up | Phase::Warning => self.expected_at.map(|at| at + settings.grace),
            Phase::New | Phase::Down | Phase::Unverified | Phase::Paused => None,
        };
        // A miss is not judged while a run is open within its own limit.
        run.or(miss)
    }

    fn first_run_deadline(&self) -> Option<UnixMicros> {
        let live = self.runs.iter().filter(|run| !run.overran);
        live.map(|run| run.deadline).min()
    }

    /// A lower bound of the next instant at which `elapse` has something to decide. Gaps and maintenance
    /// can only make it later; `elapse` looks at them and says so.
    pub(crate) fn next_wake(&self, settings: &Settings) -> Option<UnixMicros> {
        if self.phase == Phase::Paused {
            return None;
        }
        let run = self.first_run_deadline();
        let looks = [
            run,
            run.map_or_else(|| self.miss_look(settings), |_| None),
            self.repeat_look(settings),
        ];
        looks.into_iter().flatten().min()
    }

    fn miss_look(&self, settings: &Settings) -> Option<UnixMicros> {
        let watched = match self.phase {
            Phase::Up | Phase::Warning | Phase::Unverified => true,
            Phase::New => settings.remind_never_started && self.last_signal_at.is_none(),
            // Only to end a row of successes that was not long enough to recover.
            Phase::Down => self.successes > 0,
            Phase::Paused => false,
        };
        self.expected_at
            .filter(|_| watched)
            .map(|at| at + settings.grace)
    }

    pub(crate) fn repeat_look(&self, settings: &Settings) -> Option<UnixMicros> {
        let incident = self.incident.as_ref()?;
        if incident.held_back {
            return incident.snoozed_until;
        }
        let repeats = matches!(self.phase, Phase::Down | Phase::Unverified);
        let after = settings.repeat_after.filter(|_| repeats)?;
        let next = incident.alerted_at + after;
        (!incident.acknowledged).then(|| incident.snoozed_until.map_or(next, |end| end.max(next)))
    }
}
