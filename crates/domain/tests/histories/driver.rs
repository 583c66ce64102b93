//! Plays a story on the real decisions, as an engine would.

use nightbeat_domain::{
    Alert, AlertKind, Effects, Gap, GapKind, GapLedger, HeartbeatId, Maintenance, Phase, RunId,
    Schedule, Settings, Signal, SignalKind, State, Surroundings, UnixMicros, control, elapse,
    observe,
};
use uuid::Uuid;

use crate::model::{Event, Rules, SECOND, T, TICK};
use crate::stories::{Hand, Story};

/// 2026-03-02T00:00:00Z, an instant of the wall-clock schedule.
const START: T = 1_772_409_600 * SECOND;
/// The exit code that is a warning.
const WARNING_CODE: u8 = 3;

/// When the heartbeat is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Looks {
    /// Whenever its `wake_at` comes.
    WhenAsked,
    /// At each second, too.
    EverySecond,
    /// Also some hundredths of the way to its `wake_at`.
    AlsoTooEarly(i64),
}

pub(crate) struct Driver<'a> {
    story: &'a Story,
    looks: Looks,
    settings: Settings,
    pub(crate) state: State,
    gaps: GapLedger,
    maintenance: Vec<Maintenance>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) false_raises: u32,
    /// Everything up to here has been looked at.
    pub(crate) now: T,
}

pub(crate) fn to_model(at: UnixMicros) -> T {
    at.0 - START
}

fn at(time: T) -> UnixMicros {
    UnixMicros(START + time)
}

fn seconds(span: T) -> std::time::Duration {
    std::time::Duration::from_micros(span.unsigned_abs())
}

fn settings(rules: Rules) -> Settings {
    let json = match rules.every {
        Some(every) => format!(r#"{{"every":{}}}"#, every / SECOND),
        None => r#"{"cron":"*/5 * * * *","timezone":"UTC"}"#.to_owned(),
    };
    let schedule: Schedule = serde_json::from_str(&json).unwrap();
    Settings {
        grace: seconds(rules.grace),
        max_run_time: rules.max_run.map(seconds),
        failure_threshold: rules.failures,
        recovery_threshold: rules.recoveries,
        manual_resume: rules.manual_resume,
        warning_codes: vec![WARNING_CODE],
        repeat_after: Some(seconds(90 * SECOND)),
        ..Settings::new(schedule)
    }
}

const ID: HeartbeatId = HeartbeatId(Uuid::from_u128(7));

impl<'a> Driver<'a> {
    pub(crate) fn new(story: &'a Story, looks: Looks) -> Self {
        let settings = settings(story.rules);
        let state = State::new(&settings, at(0));
        Self {
            story,
            looks,
            settings,
            state,
            gaps: GapLedger::default(),
            maintenance: Vec::new(),
            alerts: Vec::new(),
            false_raises: 0,
            now: 0,
        }
    }

    /// Whether one failure is not enough for an incident.
    pub(crate) fn needs_a_row(&self) -> bool {
        self.settings.failure_threshold > 1
    }

    /// The whole story, and a while after it.
    pub(crate) fn play_all(story: &'a Story, looks: Looks) -> Self {
        let mut driver = Self::new(story, looks);
        for index in 0..story.history.len() {
            driver.play(index);
        }
        driver.look_until(driver.now + 800 * TICK);
        driver
    }

    /// Lets time pass up to an event, plays it, and looks at its instant.
    pub(crate) fn play(&mut self, index: usize) {
        let (time, event) = self.story.history[index];
        if let Event::Gap { from } = event {
            self.look_until(from);
            self.gaps.add(Gap {
                from: at(from),
                to: at(time),
                kind: GapKind::Stopped,
            });
        } else {
            self.look_until(time - 1);
        }
        self.now = time;
        let settings = &self.settings;
        match event {
            Event::Signal {
                kind,
                warning,
                rid,
                happened,
            } => {
                self.signal(time, kind, warning, rid, happened);
            }
            Event::Pause => {
                let effects = control::pause(ID, settings, &mut self.state, at(time));
                self.note(effects);
            }
            Event::Resume => {
                let effects = control::resume(ID, settings, &mut self.state, at(time));
                self.note(effects);
            }
            Event::Edit(rules) => {
                let old = std::mem::replace(&mut self.settings, self::settings(rules));
                let effects = control::edit(ID, &old, &self.settings, &mut self.state, at(time));
                self.note(effects);
            }
            Event::Maintenance { from, to } => {
                self.maintenance.push(Maintenance {
                    from: at(from),
                    to: at(to),
                });
            }
            Event::Gap { .. } | Event::EverythingEndsWell => {}
        }
        match self.story.hands[index] {
            Hand::Nothing => {}
            Hand::Acknowledge => drop(control::acknowledge(&self.settings, &mut self.state)),
            Hand::Snooze(span) => {
                control::snooze(&self.settings, &mut self.state, at(time + span));
            }
        }
        self.look_until(time);
    }

    fn signal(
        &mut self,
        time: T,
        kind: SignalKind,
        warning: bool,
        rid: Option<u8>,
        happened: Option<T>,
    ) {
        let kind = if warning && kind == SignalKind::Success {
            SignalKind::Fail
        } else {
            kind
        };
        let signal = Signal {
            claimed_at: happened.map(at),
            rid: rid.map(|n| RunId(Uuid::from_u128(n.into()))),
            exit_code: warning.then_some(WARNING_CODE),
            ..Signal::new(kind, at(time))
        };
        let before = self.state.clone();
        let observed = observe(ID, &self.settings, &mut self.state, &signal);
        let repeated = kind == SignalKind::Start
            && signal.rid.is_some()
            && before.runs.iter().any(|run| run.rid == signal.rid);
        if repeated || observed.ignored.is_some() && before.phase != Phase::Paused {
            let unchanged = State {
                version: self.state.version,
                signals: self.state.signals,
                last_signal_at: self.state.last_signal_at,
                wake_at: self.state.wake_at,
                ..before
            };
            assert_eq!(self.state, unchanged);
            assert_eq!(observed.effects, Effects::default());
        }
        self.note(observed.effects);
    }

    /// Time passes.
    pub(crate) fn look_until(&mut self, end: T) {
        if self.looks == Looks::EverySecond {
            let mut second = self.now / SECOND * SECOND + SECOND;
            while second <= end {
                self.look_when_asked(second);
                self.look(second);
                second += SECOND;
            }
        }
        self.look_when_asked(end);
        self.look(end);
        self.now = end;
    }

    fn look_when_asked(&mut self, end: T) {
        while let Some(wake) = self.state.wake_at.map(to_model) {
            if wake > self.now
                && let Looks::AlsoTooEarly(parts) = self.looks
            {
                self.look_too_early(self.now + (wake.min(end) - self.now) * parts / 100, wake);
            }
            if wake > end {
                return;
            }
            self.look(wake.max(self.now));
        }
    }

    fn look_too_early(&mut self, time: T, wake: T) {
        if time >= wake {
            return;
        }
        let before = self.state.clone();
        let alerts = self.alerts.len();
        self.look(time);
        // What is known by now of gaps may let it wait longer.
        let unchanged = State {
            version: self.state.version,
            wake_at: self.state.wake_at.max(before.wake_at),
            ..before
        };
        assert_eq!(self.state, unchanged, "looked {} too early", wake - time);
        assert_eq!(self.alerts.len(), alerts);
    }

    fn look(&mut self, time: T) {
        let around = Surroundings {
            gaps: &self.gaps,
            maintenance: &self.maintenance,
        };
        let effects = elapse(ID, &self.settings, &mut self.state, around, at(time));
        let wake = self.state.wake_at.map(to_model);
        assert!(
            wake.is_none_or(|wake| wake > time),
            "asks to be looked at again at once"
        );
        self.now = time;
        self.note(effects);
    }

    fn note(&mut self, effects: Effects) {
        let open = matches!(
            self.state.phase,
            Phase::Warning | Phase::Down | Phase::Unverified
        );
        assert_eq!(self.state.incident.is_some(), open, "{:?}", self.state);
        self.false_raises += effects.false_raises;
        self.alerts.extend(effects.alerts);
    }

    pub(crate) fn assert_alerts_make_sense(&self) {
        let mut open = None;
        for (index, alert) in self.alerts.iter().enumerate() {
            assert_eq!(alert.sequence as usize, index + 1);
            let incident = alert.incident.as_ref().map(|it| it.id);
            match alert.kind {
                AlertKind::Down | AlertKind::Unverified | AlertKind::Warning => open = incident,
                AlertKind::Up => assert_eq!(incident, open.take(), "up of what was told"),
                AlertKind::Reminder => assert_eq!(incident, open, "a reminder of what was told"),
                AlertKind::NeverStarted => assert_eq!(incident, None),
            }
        }
    }
}
