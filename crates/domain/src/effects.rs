//! What a decision changes besides the state itself. Stored in the same transaction as the state.

use crate::state::{OpenIncident, Outcome, State};
use crate::{
    Alert, AlertKind, BrokenRule, Cause, Claim, Closing, Gap, HeartbeatId, IncidentFacts,
    IncidentId, Phase, RunId, UnixMicros, Work,
};

/// What a decision wants stored and told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    /// A run that ended.
    pub run: Option<FinishedRun>,
    /// Incidents that opened, changed or closed, in order.
    pub incidents: Vec<IncidentChange>,
    /// Alerts to send, in order.
    pub alerts: Vec<Alert>,
    /// *Down* was claimed although a signal had arrived in time. Must never be more than zero.
    pub false_raises: u32,
}

/// A run that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishedRun {
    /// Its run id, where the client sent one.
    pub rid: Option<RunId>,
    /// When it started, where it said so.
    pub started_at: Option<UnixMicros>,
    /// When it ended.
    pub ended_at: UnixMicros,
    /// How.
    pub outcome: Outcome,
    /// Its exit code, where it was told.
    pub exit_code: Option<u8>,
    /// What it says of its work, where it says anything. Boxed: rare.
    pub work: Option<Box<Work>>,
}

/// What happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentChange {
    /// It opened.
    Opened {
        /// Its id.
        id: IncidentId,
        /// Which of the heartbeat's it is.
        number: u32,
        /// Why.
        cause: Cause,
        /// What is claimed.
        claim: Claim,
        /// When.
        at: UnixMicros,
    },
    /// *Unverified* became *down*.
    Confirmed {
        /// Its id.
        id: IncidentId,
    },
    /// It closed.
    Closed {
        /// Its id.
        id: IncidentId,
        /// When.
        at: UnixMicros,
        /// How.
        closing: Closing,
    },
}

/// What an alert says beyond its incident and the state.
#[derive(Debug, Default)]
pub(crate) struct Particulars {
    pub(crate) deadline: Option<UnixMicros>,
    pub(crate) run_started_at: Option<UnixMicros>,
    pub(crate) exit_code: Option<u8>,
    pub(crate) broken_rules: Vec<BrokenRule>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) digest: bool,
}

/// A decision in the making: the state that it changes, and what it wants told.
pub(crate) struct Decision<'a> {
    pub(crate) heartbeat: HeartbeatId,
    pub(crate) state: &'a mut State,
    pub(crate) effects: Effects,
    /// The instant of the decision.
    pub(crate) at: UnixMicros,
}

impl<'a> Decision<'a> {
    pub(crate) fn new(heartbeat: HeartbeatId, state: &'a mut State, at: UnixMicros) -> Self {
        state.version += 1;
        Self {
            heartbeat,
            state,
            effects: Effects::default(),
            at,
        }
    }

    /// Opens an incident and tells it. An open one is replaced, silently: the new one is the news.
    pub(crate) fn open(&mut self, cause: Cause, claim: Claim, particulars: Particulars) {
        self.close(Closing::Replaced);
        self.state.incidents += 1;
        let number = self.state.incidents;
        self.state.phase = phase_of(claim);
        self.state.successes = 0;
        self.state.incident = Some(OpenIncident {
            number,
            cause,
            claim,
            opened_at: self.at,
            deadline: particulars.deadline,
            alerted_at: self.at,
            acknowledged: false,
            snoozed_until: None,
            held_back: false,
        });
        self.effects.incidents.push(IncidentChange::Opened {
            id: IncidentId::derive(self.heartbeat, number),
            number,
            cause,
            claim,
            at: self.at,
        });
        let facts = self.open_facts();
        self.tell(kind_of(claim), facts, None, particulars);
    }

    /// *Unverified* becomes *down*: now we are sure.
    pub(crate) fn confirm(&mut self, particulars: Particulars) {
        let at = self.at;
        let Some(incident) = self.state.incident.as_mut() else {
            return;
        };
        incident.claim = Claim::Down;
        let snoozed = incident.snoozed_until.is_some_and(|until| until > at);
        incident.held_back |= snoozed;
        let id = IncidentId::derive(self.heartbeat, incident.number);
        self.state.phase = Phase::Down;
        self.effects
            .incidents
            .push(IncidentChange::Confirmed { id });
        if !snoozed {
            self.alert_again(AlertKind::Down, particulars);
        }
    }

    /// Tells the open incident once more.
    pub(crate) fn alert_again(&mut self, kind: AlertKind, particulars: Particulars) {
        if let Some(incident) = self.state.incident.as_mut() {
            incident.alerted_at = self.at;
            incident.snoozed_until = None;
            incident.held_back = false;
        }
        let facts = self.open_facts();
        self.tell(kind, facts, None, particulars);
    }

    /// Closes the open incident, if there is one, and says what it was. Tells nobody.
    pub(crate) fn close(&mut self, closing: Closing) -> Option<OpenIncident> {
        let incident = self.state.incident.take()?;
        if incident.cause == Cause::Overran {
            // A run that was told as unverified is told: no second incident when we become sure.
            for run in &mut self.state.runs {
                run.overran |= incident.deadline == Some(run.deadline);
            }
        }
        self.effects.incidents.push(IncidentChange::Closed {
            id: IncidentId::derive(self.heartbeat, incident.number),
            at: self.at,
            closing,
        });
        Some(incident)
    }

    /// Closes the open incident and tells that all is well.
    pub(crate) fn recover(&mut self, closing: Closing) {
        self.state.phase = Phase::Up;
        let Some(incident) = self.close(closing) else {
            return;
        };
        let particulars = Particulars {
            deadline: incident.deadline,
            ..Particulars::default()
        };
        let facts = self.facts(&incident, Some(self.at));
        self.tell(AlertKind::Up, Some(facts), Some(closing), particulars);
    }

    /// Adds an alert to what is told.
    pub(crate) fn tell(
        &mut self,
        kind: AlertKind,
        incident: Option<IncidentFacts>,
        closing: Option<Closing>,
        particulars: Particulars,
    ) {
        self.state.alerts += 1;
        self.effects.alerts.push(Alert {
            sequence: self.state.alerts,
            kind,
            at: self.at,
            status: self.state.status(self.at),
            incident,
            expected_at: self.state.expected_at,
            deadline: particulars.deadline,
            last_success_at: self.state.last_success_at,
            run_started_at: particulars.run_started_at,
            exit_code: particulars.exit_code,
            broken_rules: particulars.broken_rules,
            gaps: particulars.gaps,
            digest: particulars.digest,
            closing,
            problem: None,
        });
    }

    /// The deadline that the open incident is about, where it is of this cause.
    pub(crate) fn open_deadline(&self, cause: Cause) -> Option<UnixMicros> {
        let incident = self.state.incident.as_ref()?;
        incident.deadline.filter(|_| incident.cause == cause)
    }

    fn open_facts(&self) -> Option<IncidentFacts> {
        let incident = self.state.incident.as_ref()?;
        Some(self.facts(incident, None))
    }

    fn facts(&self, incident: &OpenIncident, closed_at: Option<UnixMicros>) -> IncidentFacts {
        IncidentFacts {
            id: IncidentId::derive(self.heartbeat, incident.number),
            cause: incident.cause,
            claim: incident.claim,
            opened_at: incident.opened_at,
            closed_at,
        }
    }
}

fn phase_of(claim: Claim) -> Phase {
    match claim {
        Claim::Warning => Phase::Warning,
        Claim::Unverified => Phase::Unverified,
        Claim::Down => Phase::Down,
    }
}

fn kind_of(claim: Claim) -> AlertKind {
    match claim {
        Claim::Warning => AlertKind::Warning,
        Claim::Unverified => AlertKind::Unverified,
        Claim::Down => AlertKind::Down,
    }
}
