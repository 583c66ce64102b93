//! When what is stored of a heartbeat cannot be read: nothing can be decided about it, but it must be told.
//! The incident of it is none of the state's, which cannot be read: whoever stores keeps it.

use crate::{
    Alert, AlertKind, Closing, Effects, HeartbeatId, IncidentChange, IncidentFacts, IncidentId,
    Phase, Settings, State, Status, UnixMicros,
};

/// The alert that a heartbeat cannot be read, and so is watched by nobody. `sequence` is its next alert's;
/// `kind` is [`AlertKind::Unverified`] the first time and [`AlertKind::Reminder`] after that.
pub fn unreadable(
    sequence: u32,
    kind: AlertKind,
    incident: IncidentFacts,
    problem: String,
    at: UnixMicros,
) -> Alert {
    Alert {
        sequence,
        kind,
        at,
        status: Status::Unverified,
        incident: Some(incident),
        expected_at: None,
        deadline: None,
        last_success_at: None,
        run_started_at: None,
        exit_code: None,
        broken_rules: Vec::new(),
        gaps: Vec::new(),
        digest: false,
        closing: None,
        problem: Some(problem),
    }
}

/// It can be read again at `now`: the incident of that closes, and it is told. No news of the job itself,
/// so where another incident of it is open, this one does not say *up*.
pub fn readable_again(state: &mut State, incident: &IncidentFacts, now: UnixMicros) -> Effects {
    state.version += 1;
    state.alerts = state.alerts.saturating_add(1);
    let closing = Closing::Readable;
    let kind = if state.incident.is_some() {
        AlertKind::Reminder
    } else {
        AlertKind::Up
    };
    let alert = Alert {
        status: state.status(now),
        closing: Some(closing),
        problem: None,
        expected_at: state.expected_at,
        last_success_at: state.last_success_at,
        ..unreadable(
            state.alerts,
            kind,
            IncidentFacts {
                closed_at: Some(now),
                ..incident.clone()
            },
            String::new(),
            now,
        )
    };
    Effects {
        incidents: vec![IncidentChange::Closed {
            id: incident.id,
            at: now,
            closing,
        }],
        alerts: vec![alert],
        ..Effects::default()
    }
}

/// The state of a heartbeat whose own cannot be read, once a person has edited it at `now`: something is
/// expected from now on. It was there before, so its silence is a miss, not a first signal outstanding.
/// `incidents` and `alerts` are how many it has had, or more.
pub fn begin_anew(settings: &Settings, now: UnixMicros, incidents: u32, alerts: u32) -> State {
    let mut state = State::new(settings, now);
    state.phase = Phase::Up;
    state.incidents = incidents;
    state.alerts = alerts;
    state.wake_at = state.next_wake(settings);
    state
}

impl IncidentFacts {
    /// The incident that a heartbeat cannot be read: its `number`-th, opened at `at`.
    pub fn unreadable(heartbeat: HeartbeatId, number: u32, at: UnixMicros) -> Self {
        Self {
            id: IncidentId::derive(heartbeat, number),
            cause: crate::Cause::Internal,
            claim: crate::Claim::Unverified,
            opened_at: at,
            closed_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{GapLedger, Schedule, Surroundings, elapse};

    const NOW: UnixMicros = UnixMicros(1_795_312_800_000_000);

    #[test]
    fn a_state_that_begins_anew_is_missed_when_nothing_comes() {
        let settings = Settings::new(Schedule::every_seconds(3_600).unwrap());
        let heartbeat = HeartbeatId(uuid::Uuid::from_u128(7));
        let mut state = begin_anew(&settings, NOW, 3, 9);
        let deadline = NOW + Duration::from_secs(7_200);
        let around = Surroundings {
            gaps: &GapLedger::default(),
            maintenance: &[],
        };
        let effects = elapse(heartbeat, &settings, &mut state, around, deadline);
        let kinds: Vec<_> = effects.alerts.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [AlertKind::Down]);
        assert_eq!((state.incidents, state.alerts), (4, 10));
    }

    #[test]
    fn what_can_be_read_again_is_no_up_while_the_job_is_down() {
        let settings = Settings::new(Schedule::every_seconds(3_600).unwrap());
        let heartbeat = HeartbeatId(uuid::Uuid::from_u128(7));
        let ours = IncidentFacts::unreadable(heartbeat, 1, NOW);
        let mut state = begin_anew(&settings, NOW, 1, 1);
        let told = readable_again(&mut state.clone(), &ours, NOW);
        assert_eq!(told.alerts[0].kind, AlertKind::Up);
        let gaps = GapLedger::default();
        let around = Surroundings {
            gaps: &gaps,
            maintenance: &[],
        };
        let later = NOW + Duration::from_secs(7_200);
        elapse(heartbeat, &settings, &mut state, around, later);
        let told = readable_again(&mut state, &ours, later);
        assert_eq!(told.alerts[0].kind, AlertKind::Reminder);
        assert_eq!(told.alerts[0].status, Status::Down);
        assert_eq!(told.alerts[0].sequence, 3);
    }
}
