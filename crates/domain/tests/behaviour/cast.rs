//! The fixed cast of the scenario tests: one heartbeat, its clock, and the words to tell a story with.
//!
//! The story begins on Monday 2 March 2026 at 00:00 UTC. Times read `"02:00"`, `"02:00:00.000001"`, or,
//! on a later day of the story, `"2d 02:00"` (day 1 is the first).
use std::time::Duration;

use jiff::tz::TimeZone;
use nightbeat_calendar::{Cron, OnCalendar};
use nightbeat_domain::{
    Alert, AlertKind, BrokenRule, Cause, Claim, Effects, Gap, GapKind, GapLedger, HeartbeatId,
    Maintenance, Observed, Phase, RunId, Schedule, Settings, Severity, Signal, SignalKind, State,
    Status, Surroundings, UnixMicros, Zone, control, elapse, follow_zone_rules, observe,
};
use uuid::Uuid;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// 2026-03-02T00:00:00Z, a Monday.
const MIDNIGHT: i64 = 1_772_409_600;

/// An instant of the story; see the module's first words.
pub(crate) fn at(text: &str) -> UnixMicros {
    let (day, time) = match text.split_once("d ") {
        Some((day, time)) => (day.parse::<i64>().unwrap() - 1, time),
        None => (0, text),
    };
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut seconds = MIDNIGHT + day * 86_400;
    for (part, unit) in whole.split(':').zip([3_600, 60, 1]) {
        seconds += part.parse::<i64>().unwrap() * unit;
    }
    UnixMicros(seconds * 1_000_000 + format!("{fraction:0<6}").parse::<i64>().unwrap())
}

/// The run id number `n`.
pub(crate) fn rid(n: u128) -> RunId {
    RunId(Uuid::from_u128(n))
}

/// A rule that did not hold.
pub(crate) fn broken(severity: Severity) -> BrokenRule {
    BrokenRule {
        rule: "files_total > 0".to_owned(),
        severity,
        explanation: "0 files were copied; usual are 12,000".to_owned(),
    }
}

/// One heartbeat, and all that happened to it.
pub(crate) struct Beat {
    pub(crate) id: HeartbeatId,
    pub(crate) settings: Settings,
    pub(crate) state: State,
    pub(crate) gaps: GapLedger,
    pub(crate) maintenance: Vec<Maintenance>,
    /// Every alert so far.
    pub(crate) alerts: Vec<Alert>,
    /// What the last step gave back.
    pub(crate) effects: Effects,
    pub(crate) false_raises: u32,
    /// The last instant of the story so far.
    now: UnixMicros,
}

impl Beat {
    /// A heartbeat created at 00:00 that is expected every `interval`, with a grace of one hour.
    pub(crate) fn every(interval: Duration) -> Self {
        Self::on(Schedule::every_seconds(interval.as_secs()).unwrap())
    }

    /// A heartbeat created at 00:00 that is expected by a cron expression, with a grace of one hour.
    pub(crate) fn cron(expression: &str, zone: &str) -> Self {
        let json = format!(r#"{{"cron":"{expression}","timezone":"{zone}"}}"#);
        Self::on(serde_json::from_str(&json).unwrap())
    }

    /// The same in a zone `Test/Zone` with the rules of a POSIX TZ string: `"TST-2"` is two hours ahead of
    /// UTC.
    pub(crate) fn cron_by_rules(expression: &str, rules: &str) -> Self {
        let zone = Zone::with_rules("Test/Zone", TimeZone::posix(rules).unwrap());
        Self::on(Cron::parse(expression, &zone).unwrap().into())
    }

    /// A heartbeat created at 00:00 that is expected by this schedule, with a grace of one hour.
    pub(crate) fn on(schedule: Schedule) -> Self {
        let settings = Settings::new(schedule);
        let state = State::new(&settings, at("00:00"));
        Self {
            id: HeartbeatId(Uuid::from_u128(7)),
            settings,
            state,
            gaps: GapLedger::default(),
            maintenance: Vec::new(),
            alerts: Vec::new(),
            effects: Effects::default(),
            false_raises: 0,
            now: at("00:00"),
        }
    }

    /// With other settings from its creation on.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.state = State::new(&self.settings, at("00:00"));
        self
    }

    pub(crate) fn grace(self, grace: Duration) -> Self {
        self.with(|settings| settings.grace = grace)
    }

    pub(crate) fn max_run(self, limit: Duration) -> Self {
        self.with(|settings| settings.max_run_time = Some(limit))
    }

    pub(crate) fn failure_threshold(self, threshold: u32) -> Self {
        self.with(|settings| settings.failure_threshold = threshold)
    }

    pub(crate) fn recovery_threshold(self, threshold: u32) -> Self {
        self.with(|settings| settings.recovery_threshold = threshold)
    }

    /// We could not receive from `from` until `to`.
    pub(crate) fn gap(self, from: &str, to: &str) -> Self {
        self.away(at(from), at(to))
    }

    pub(crate) fn away(mut self, from: UnixMicros, to: UnixMicros) -> Self {
        let kind = GapKind::Stopped;
        self.gaps.add(Gap { from, to, kind });
        self
    }

    pub(crate) fn maintenance(mut self, from: &str, to: &str) -> Self {
        self.maintenance.push(Maintenance {
            from: at(from),
            to: at(to),
        });
        self
    }

    /// A signal arrives; time has been looked at until just before.
    pub(crate) fn signal(&mut self, signal: &Signal) -> Observed {
        self.elapse_at(UnixMicros(signal.received_at.0 - 1));
        self.signal_unseen(signal)
    }

    /// A signal is taken in without a look at the time before it.
    pub(crate) fn signal_unseen(&mut self, signal: &Signal) -> Observed {
        let observed = observe(self.id, &self.settings, &mut self.state, signal);
        self.now = signal.received_at;
        self.note(observed.effects.clone());
        observed
    }

    pub(crate) fn success_at(&mut self, time: &str) -> &mut Self {
        self.signal(&Signal::new(SignalKind::Success, at(time)));
        self
    }

    pub(crate) fn success_of(&mut self, run: u128, time: &str) -> &mut Self {
        self.signal(&Signal {
            rid: Some(rid(run)),
            ..Signal::new(SignalKind::Success, at(time))
        });
        self
    }

    /// A success that happened at `happened` and reached us at `received`.
    pub(crate) fn late_success(&mut self, happened: &str, received: &str) -> &mut Self {
        self.signal(&Signal {
            claimed_at: Some(at(happened)),
            ..Signal::new(SignalKind::Success, at(received))
        });
        self
    }

    pub(crate) fn start_at(&mut self, time: &str) -> &mut Self {
        self.signal(&Signal::new(SignalKind::Start, at(time)));
        self
    }

    pub(crate) fn start_of(&mut self, run: u128, time: &str) -> &mut Self {
        self.signal(&Signal {
            rid: Some(rid(run)),
            ..Signal::new(SignalKind::Start, at(time))
        });
        self
    }

    pub(crate) fn fail_at(&mut self, time: &str) -> &mut Self {
        self.signal(&Signal::new(SignalKind::Fail, at(time)));
        self
    }

    pub(crate) fn exit_at(&mut self, code: u8, time: &str) -> &mut Self {
        self.signal(&Signal {
            exit_code: Some(code),
            ..Signal::new(SignalKind::Fail, at(time))
        });
        self
    }

    pub(crate) fn log_at(&mut self, time: &str) -> &mut Self {
        self.signal(&Signal::new(SignalKind::Log, at(time)));
        self
    }

    /// A success whose evidence breaks a rule.
    pub(crate) fn hollow_at(&mut self, severity: Severity, time: &str) -> &mut Self {
        self.signal(&Signal {
            broken_rules: vec![broken(severity)],
            ..Signal::new(SignalKind::Success, at(time))
        });
        self
    }

    /// Time passes until `time`: it is looked at whenever the heartbeat asked for it.
    pub(crate) fn elapse_until(&mut self, time: &str) -> &mut Self {
        let end = at(time);
        self.elapse_at(end);
        self
    }

    pub(crate) fn elapse_at(&mut self, end: UnixMicros) {
        for _ in 0..10_000 {
            match self.state.wake_at {
                Some(wake) if wake <= end => self.look(wake.max(self.now)),
                _ => return self.look(end),
            }
        }
        panic!("10,000 looks were not enough to reach {end}");
    }

    /// One look at the time, at exactly this instant, as after a long absence.
    pub(crate) fn look_once(&mut self, time: &str) -> &mut Self {
        self.look(at(time));
        self
    }

    fn look(&mut self, asof: UnixMicros) {
        let around = Surroundings {
            gaps: &self.gaps,
            maintenance: &self.maintenance,
        };
        let effects = elapse(self.id, &self.settings, &mut self.state, around, asof);
        self.now = asof;
        let wake = self.state.wake_at;
        assert!(wake.is_none_or(|wake| wake > asof), "{wake:?} <= {asof:?}");
        self.note(effects);
    }

    pub(crate) fn edit_at(&mut self, time: &str, change: impl FnOnce(&mut Settings)) -> &mut Self {
        self.edit(at(time), change);
        self
    }

    pub(crate) fn edit(&mut self, time: UnixMicros, change: impl FnOnce(&mut Settings)) {
        self.elapse_at(time);
        let old = self.settings.clone();
        change(&mut self.settings);
        let effects = control::edit(self.id, &old, &self.settings, &mut self.state, time);
        self.note(effects);
    }

    pub(crate) fn pause_and_resume(&mut self, time: UnixMicros) {
        self.elapse_at(time);
        let paused = control::pause(self.id, &self.settings, &mut self.state, time);
        self.note(paused);
        let resumed = control::resume(self.id, &self.settings, &mut self.state, time);
        self.note(resumed);
    }

    /// The server starts again, and its zone has these rules by now; whether that moved what is expected.
    pub(crate) fn new_rules_at(&mut self, time: &str, rules: &str) -> bool {
        self.follow_rules(at(time), rules)
    }

    pub(crate) fn follow_rules(&mut self, now: UnixMicros, rules: &str) -> bool {
        let zone = Zone::with_rules("Test/Zone", TimeZone::posix(rules).unwrap());
        self.settings.schedule = match &self.settings.schedule {
            Schedule::Cron(cron) => Cron::parse(cron.expression(), &zone).unwrap().into(),
            Schedule::OnCalendar(events) => OnCalendar::parse(events.expression(), &zone)
                .unwrap()
                .into(),
            other => panic!("{other:?} has no zone"),
        };
        let moved = follow_zone_rules(&self.settings, &mut self.state, now);
        let again = follow_zone_rules(&self.settings, &mut self.state, now);
        assert!(!again, "a second start moves nothing");
        moved
    }

    /// When the next success is expected.
    #[track_caller]
    pub(crate) fn assert_expected(&self, time: &str) {
        assert_eq!(self.state.expected_at, Some(at(time)));
    }

    pub(crate) fn pause_at(&mut self, time: &str) -> &mut Self {
        self.elapse_until(time);
        let effects = control::pause(self.id, &self.settings, &mut self.state, at(time));
        self.note(effects);
        self
    }

    pub(crate) fn resume_at(&mut self, time: &str) -> &mut Self {
        self.elapse_until(time);
        let effects = control::resume(self.id, &self.settings, &mut self.state, at(time));
        self.note(effects);
        self
    }

    pub(crate) fn acknowledge_at(&mut self, time: &str) -> &mut Self {
        self.elapse_until(time);
        assert!(control::acknowledge(&self.settings, &mut self.state));
        self
    }

    pub(crate) fn snooze_at(&mut self, time: &str, until: &str) -> &mut Self {
        self.elapse_until(time);
        assert!(control::snooze(&self.settings, &mut self.state, at(until)));
        self
    }

    fn note(&mut self, effects: Effects) {
        self.false_raises += effects.false_raises;
        self.alerts.extend(effects.alerts.iter().cloned());
        self.effects = effects;
        let open = matches!(
            self.state.phase,
            Phase::Warning | Phase::Down | Phase::Unverified
        );
        assert_eq!(self.state.incident.is_some(), open, "{:?}", self.state);
    }

    /// What a person is shown at `time`, without a look in between.
    pub(crate) fn status_at(&self, time: &str) -> Status {
        self.state.status(at(time))
    }

    /// The kind and time of every alert so far, as seconds and kind.
    #[track_caller]
    pub(crate) fn assert_told(&self, expected: &[(AlertKind, &str)]) {
        let told: Vec<_> = self.alerts.iter().map(|it| (it.kind, it.at)).collect();
        let expected: Vec<_> = expected.iter().map(|(kind, it)| (*kind, at(it))).collect();
        assert_eq!(told, expected);
    }

    /// The last alert.
    #[track_caller]
    pub(crate) fn last(&self) -> &Alert {
        self.alerts.last().expect("an alert")
    }

    /// What the open incident says.
    #[track_caller]
    pub(crate) fn incident(&self) -> (Cause, Claim) {
        let incident = self.state.incident.as_ref().expect("an open incident");
        (incident.cause, incident.claim)
    }
}
