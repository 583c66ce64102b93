//! When must a heartbeat be looked at next?

use crate::{OpenRun, Phase, Settings, State, UnixMicros};

impl OpenRun {
    /// Whether it holds back the miss that may be claimed from `due` on: see [`State::run_speaks_at`].
    pub(crate) fn holds_back(&self, settings: &Settings, due: UnixMicros) -> bool {
        !self.overran && self.started_at <= due + settings.run_limit()
    }
}

impl State {
    /// The last thing that restarted the clock: the end of the last run, or being armed.
    pub(crate) fn quiet_since(&self) -> UnixMicros {
        let ended = self.last_run.map(|run| run.ended_at);
        ended.map_or(self.armed_at, |ended| ended.max(self.armed_at))
    }

    /// The instant at which an alert is due if nothing is heard until then; `None` where none can be.
    /// While failures are below their threshold, the instant of the next one.
    pub fn deadline(&self, settings: &Settings) -> Option<UnixMicros> {
        let (run, miss) = match self.phase {
            Phase::New => (self.first_run_deadline(), None),
            Phase::Up | Phase::Warning => (self.first_run_deadline(), self.miss_look(settings)),
            Phase::Down | Phase::Unverified | Phase::Paused => (None, None),
        };
        run.into_iter().chain(miss).min()
    }

    /// Whether an open run within its own limit holds back the miss that may be claimed from `due` on.
    /// A run that began more than its limit after that does not: a job that dies after each of its starts
    /// would stay quiet for ever.
    pub(crate) fn run_speaks_at(&self, settings: &Settings, due: UnixMicros) -> bool {
        self.runs.iter().any(|run| run.holds_back(settings, due))
    }

    pub(crate) fn first_run_deadline(&self) -> Option<UnixMicros> {
        let live = self.runs.iter().filter(|run| !run.overran);
        live.map(|run| run.deadline).min()
    }

    /// A lower bound of the next instant at which `elapse` has something to decide. Gaps and maintenance
    /// can only make it later; `elapse` looks at them and says so.
    pub(crate) fn next_wake(&self, settings: &Settings) -> Option<UnixMicros> {
        if self.phase == Phase::Paused {
            return None;
        }
        let looks = [
            self.first_run_deadline(),
            self.miss_look(settings),
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
        let due = self.expected_at.filter(|_| watched)? + settings.grace;
        (!self.run_speaks_at(settings, due)).then_some(due)
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
