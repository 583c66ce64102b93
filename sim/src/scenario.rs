//! What a seed stands for: heartbeats with their jobs, channels, and the bad luck that is planned.

use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::{Schedule, Settings};

use crate::faults::{Fault, Faults};
use crate::mutants::Mutant;
use crate::random::Random;

/// Spans in microseconds, the unit of the simulator's true time.
pub(crate) const MS: i64 = 1_000;
pub(crate) const SECOND: i64 = 1_000 * MS;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// How long nothing goes wrong at the end of a run: by then, everything must have come right.
pub(crate) const CALM: i64 = 4 * HOUR;

/// 2026-01-01T00:00:00Z in seconds.
const YEAR_2026: i64 = 1_767_225_600;

/// What to run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Decides everything else.
    pub seed: u64,
    /// How many days are lived.
    pub days: u32,
    /// How many heartbeats there are.
    pub heartbeats: usize,
    /// How many of them, the first ones, belong to a job that is too slow for its schedule: they go down and
    /// come back every few seconds.
    pub flapping: usize,
    /// How many nodes serve one store: 1 is SQLite's case.
    pub nodes: usize,
    /// Which bad luck there is.
    pub faults: Faults,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
    /// Only these heartbeats; all where there are none. For shrinking.
    pub only: Vec<usize>,
    /// Without these planned troubles. For shrinking.
    pub without: Vec<usize>,
    /// This project does not exist: no heartbeats, no people. To compare what happens to the others.
    pub absent: Option<usize>,
    /// Nothing that all projects share takes longer because of this one, whether it exists or not, and only
    /// the others spring traps: what still differs without it is an effect of one project on another.
    pub steady_without: Option<usize>,
    /// It ends after this much of it, in microseconds, without a look at the end. For shrinking.
    pub cut: Option<i64>,
    /// Keep the last facts, to show them.
    pub trace: bool,
}

impl Scenario {
    /// The scenario of a seed with the usual size.
    pub fn new(seed: u64, days: u32, faults: Faults) -> Self {
        // Most run as one server; each third one as two or three nodes on one database.
        Self {
            seed,
            days,
            heartbeats: 100,
            flapping: 0,
            nodes: if seed.is_multiple_of(3) {
                2 + (seed / 3 % 2) as usize
            } else {
                1
            },
            faults,
            mutant: None,
            only: Vec::new(),
            without: Vec::new(),
            absent: None,
            steady_without: None,
            cut: None,
            trace: false,
        }
    }

    /// Whether this project may decide when bad luck strikes.
    pub(crate) fn springs(&self, project: usize) -> bool {
        self.steady_without != Some(project)
    }

    pub(crate) fn random(&self, purpose: &str, number: u64) -> Random {
        Random::stream(self.seed, purpose, number)
    }

    /// The true instant at which it begins: any day of the year, so that clocks change in some.
    pub(crate) fn begins_at(&self) -> i64 {
        let mut random = self.random("begin", 0);
        // Often near the last Sundays of March and October, when Europe's clocks change.
        let day = match random.within(0, 5) {
            0 => random.within(86, 88) - i64::from(self.days) / 2,
            1 => random.within(296, 298) - i64::from(self.days) / 2,
            _ => random.within(0, 364),
        };
        (YEAR_2026 + day.max(0) * 86_400 + random.within(0, 86_399)) * SECOND
            + random.within(0, SECOND)
    }

    pub(crate) fn ends_at(&self) -> i64 {
        self.begins_at() + i64::from(self.days) * DAY
    }
}

/// How a job signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Only its end.
    End,
    /// Start and end, with a run id.
    Runs,
    /// Start and end, without.
    PlainRuns,
}

/// How its client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// Once, and never again.
    Once,
    /// `curl --retry`: again, without a mark.
    Curl,
    /// Again, each signal with its mark; what cannot be delivered is kept and sent later with its time.
    Agent,
}

/// One heartbeat and its job.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) settings: Arc<Settings>,
    pub(crate) project: usize,
    pub(crate) style: Style,
    pub(crate) client: Client,
    /// The job's host's clock is ahead by this.
    pub(crate) ahead: i64,
    /// How long its runs take.
    pub(crate) run: (i64, i64),
    /// Of its runs, this share is aimed at its deadline.
    pub(crate) aimed: f64,
    /// Of its runs, this share fails, and this share never ends.
    pub(crate) fails: f64,
    pub(crate) hangs: f64,
    /// It is dead in these stretches of true time.
    pub(crate) dead: Vec<(i64, i64)>,
}

const CRONS: [&str; 8] = [
    "*/5 * * * *",
    "*/15 * * * *",
    "0 * * * *",
    "17 */2 * * *",
    "30 2 * * *",
    "0 3 * * *",
    "15 1,13 * * *",
    "45 4 * * 1-5",
];
const CALENDARS: [&str; 5] = [
    "*:0/10",
    "hourly",
    "*-*-* 02:30:00",
    "Mon..Fri 01:15",
    "*-*-* 00/6:05:00",
];
const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Madrid",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Sao_Paulo",
];

impl Spec {
    /// The `number`-th heartbeat of a scenario.
    pub(crate) fn of(scenario: &Scenario, number: usize) -> Self {
        let mut random = scenario.random("spec", number as u64);
        if number < scenario.flapping {
            return Self::flapping(&mut random);
        }
        let schedule = schedule(&mut random);
        let period = period(&schedule);
        let grace = match random.within(0, 4) {
            0 => random.span(SECOND, 60 * SECOND),
            1 => random.span(10 * SECOND, period.max(20 * SECOND)),
            2 => HOUR.min(period),
            _ => random.span(period / 20, period),
        };
        let grace = whole_seconds(grace);
        let mut settings = Settings::new(schedule);
        settings.grace = Duration::from_micros(grace as u64);
        if random.chance(0.4) {
            let limit = whole_seconds(random.span(5 * SECOND, period));
            settings.max_run_time = Some(Duration::from_micros(limit as u64));
        }
        if random.chance(0.15) {
            settings.failure_threshold = random.within(2, 4) as u32;
        }
        if random.chance(0.1) {
            settings.recovery_threshold = random.within(2, 3) as u32;
        }
        settings.manual_resume = random.chance(0.1);
        if random.chance(0.2) {
            let repeat = whole_seconds(random.span(10 * MINUTE, DAY));
            settings.repeat_after = Some(Duration::from_micros(repeat as u64));
        }
        let limit = settings.run_limit().as_micros() as i64;
        let style = random.pick(&[Style::End, Style::End, Style::Runs, Style::PlainRuns]);
        let longest = limit.min(period / 2).max(2);
        Self {
            settings: Arc::new(settings),
            project: random.within(0, 2) as usize,
            style,
            client: random.pick(&[Client::Once, Client::Curl, Client::Agent]),
            ahead: random.within(-2 * SECOND, 2 * SECOND),
            run: (longest / 50 + 1, longest * 8 / 10),
            aimed: if random.chance(0.5) { 0.2 } else { 0.02 },
            fails: if random.chance(0.3) { 0.03 } else { 0.0 },
            hangs: if random.chance(0.3) { 0.03 } else { 0.0 },
            dead: dead(scenario, &mut random, period),
        }
    }

    /// One whose job takes longer than its heartbeat allows, time and again.
    fn flapping(random: &mut Random) -> Self {
        let mut settings = Settings::new(checked(Schedule::every_seconds(1)));
        settings.grace = Duration::from_secs(1);
        Self {
            settings: Arc::new(settings),
            project: random.within(0, 2) as usize,
            style: Style::End,
            client: Client::Curl,
            ahead: 0,
            run: (3 * SECOND, 6 * SECOND),
            aimed: 0.0,
            fails: 0.0,
            hangs: 0.0,
            dead: Vec::new(),
        }
    }
}

fn checked<E: std::fmt::Display>(schedule: Result<Schedule, E>) -> Schedule {
    schedule.unwrap_or_else(|error| panic!("a schedule of the simulator is wrong: {error}"))
}

fn schedule(random: &mut Random) -> Schedule {
    let zone = random.pick(&ZONES);
    let schedule = match random.within(0, 9) {
        0..=2 => Schedule::cron(random.pick(&CRONS), zone),
        3..=4 => Schedule::on_calendar(random.pick(&CALENDARS), zone),
        _ => {
            let usual = [
                60,
                300,
                900,
                3_600,
                3_600,
                6 * 3_600,
                86_400,
                86_400,
                86_400,
            ];
            let seconds = if random.chance(0.01) {
                20
            } else if random.chance(0.3) {
                random.span(120, 86_400) as u64
            } else {
                random.pick(&usual)
            };
            Schedule::every_seconds(seconds)
        }
    };
    checked(schedule)
}

/// Stretches in which the job does not run.
fn dead(scenario: &Scenario, random: &mut Random, period: i64) -> Vec<(i64, i64)> {
    let mut at = scenario.begins_at();
    let end = scenario.ends_at();
    let mut stretches = Vec::new();
    if random.chance(0.4) {
        return stretches;
    }
    loop {
        at += random.pause((2 * DAY).max(4 * period));
        let until = at + random.span(period, 6 * period.max(10 * MINUTE));
        if until >= end {
            return stretches;
        }
        stretches.push((at, until));
        at = until;
    }
}

/// Roughly how often a schedule wants a run.
pub(crate) fn period(schedule: &Schedule) -> i64 {
    if let Some(interval) = schedule.interval() {
        return interval.duration().as_micros() as i64;
    }
    let from = jiff::Timestamp::from_second(YEAR_2026).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let mut instants = schedule.instants_after(from);
    let first = instants.next().map_or(0, jiff::Timestamp::as_microsecond);
    let second = instants.next().map_or(DAY, jiff::Timestamp::as_microsecond);
    second - first
}

fn whole_seconds(micros: i64) -> i64 {
    (micros / SECOND).max(1) * SECOND
}

/// A piece of bad luck that begins at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Trouble {
    /// Killed; started again after this.
    Kill { down: i64 },
    /// Asked to stop; started again after this.
    Restart { down: i64 },
    /// Killed as soon as it comes to this place, within this time.
    KillAt { site: Site, within: i64, down: i64 },
    /// Killed again and again.
    CrashLoop { times: u32, every: i64 },
    /// The process stands still.
    Pause { span: i64 },
    /// It stands still right after the next signal has come in, within this time; `aimed`: the next one
    /// whose deadline passes meanwhile.
    PauseAfterSignal { within: i64, span: i64, aimed: bool },
    /// The machine sleeps: nothing can reach it.
    Suspend { span: i64 },
    /// The store fails this share of transactions.
    StoreFails { span: i64, share: f64 },
    /// The store commits this share of transactions without saying so.
    StoreMute { span: i64, share: f64 },
    /// The next transaction that carries a start is committed, and nobody is told; within this time.
    StoreMuteAtStart { within: i64 },
    /// A transaction takes up to this long.
    StoreSlow { span: i64, delay: i64 },
    /// A channel's receiver behaves so.
    Receiver {
        channel: usize,
        span: i64,
        mood: Mood,
    },
    /// The wall clock is set by this.
    ClockStep { by: i64 },
    /// The clock of the database that several nodes share is set by this.
    DatabaseClock { by: i64 },
    /// The wall clock goes wrong by this many parts in a million from now on.
    ClockDrift { parts: i64 },
    /// This share of requests is lost on their way.
    Network { span: i64, share: f64 },
}

impl Trouble {
    /// Whether all nodes can have it at once.
    fn may_hit_all(self) -> bool {
        matches!(
            self,
            Self::Kill { .. }
                | Self::Suspend { .. }
                | Self::StoreFails { .. }
                | Self::StoreMute { .. }
                | Self::StoreSlow { .. }
        )
    }
}

/// A place between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    Received,
    BeforeCommit,
    Committed,
    Judged,
    Claimed,
    Sent,
    BeforeFinish,
}

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Slow,
    Fails,
    TooMany,
    Hangs,
    LosesAnswers,
}

/// A trouble with its time and its node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Planned {
    pub(crate) at: i64,
    pub(crate) node: usize,
    /// Every node has it: the database itself, or what all of them stand on.
    pub(crate) all: bool,
    pub(crate) trouble: Trouble,
}

/// How many projects there are.
pub(crate) const PROJECTS: usize = 3;

/// How many channels there are: two of each project.
pub(crate) const CHANNELS: usize = 2 * PROJECTS;

/// All bad luck of a scenario, in no order. Its numbers are the same whatever is switched off.
pub(crate) fn plan(scenario: &Scenario) -> Vec<(usize, Planned)> {
    let mut planned = Vec::new();
    let mut number = 0;
    for fault in Fault::ALL {
        let mut random = scenario.random(fault.name(), 0);
        // Some seeds are quiet in one way and wild in another.
        let wild = random.pick(&[0.3, 1.0, 1.0, 3.0]);
        for every in every(fault) {
            let mut at = scenario.begins_at() + 10 * MINUTE;
            let every = (*every as f64 / wild) as i64;
            loop {
                at += random.pause(every) + MINUTE;
                if at >= scenario.ends_at() - CALM {
                    break;
                }
                let node = random.within(0, scenario.nodes as i64 - 1) as usize;
                let room = scenario.ends_at() - CALM - at;
                let Some(trouble) = trouble(fault, &mut random, room) else {
                    continue;
                };
                let shared = scenario.nodes > 1 && number % 3 == 0;
                let trouble = match trouble {
                    Trouble::ClockStep { by } if shared => Trouble::DatabaseClock { by },
                    trouble => trouble,
                };
                if scenario.faults.has(fault) && !scenario.without.contains(&number) {
                    let planned_one = Planned {
                        at,
                        node,
                        all: shared && trouble.may_hit_all(),
                        trouble,
                    };
                    planned.push((number, planned_one));
                }
                number += 1;
            }
        }
    }
    planned
}

/// The mean time between two troubles of a kind.
fn every(fault: Fault) -> &'static [i64] {
    match fault {
        Fault::Crash | Fault::Pause => &[5 * HOUR],
        Fault::Db | Fault::Provider => &[6 * HOUR],
        Fault::Clock => &[12 * HOUR],
        Fault::Client => &[10 * HOUR],
        Fault::People => &[],
        Fault::Outage => &[36 * HOUR],
    }
}

fn standstill(random: &mut Random) -> Trouble {
    match random.within(0, 3) {
        0 => Trouble::Pause {
            span: random.span(200 * MS, 3 * MINUTE),
        },
        1 => Trouble::Suspend {
            span: random.span(SECOND, 2 * HOUR),
        },
        _ => Trouble::PauseAfterSignal {
            within: HOUR,
            span: random.span(200 * MS, MINUTE),
            aimed: random.chance(0.7),
        },
    }
}

fn trouble(fault: Fault, random: &mut Random, room: i64) -> Option<Trouble> {
    let trouble = match fault {
        Fault::Crash => match random.within(0, 9) {
            0 | 1 => Trouble::Kill {
                down: random.span(200 * MS, 10 * MINUTE),
            },
            2 => Trouble::Restart {
                down: random.span(SECOND, 2 * MINUTE),
            },
            3 => Trouble::CrashLoop {
                times: random.within(3, 30) as u32,
                every: random.span(3 * SECOND, 40 * SECOND),
            },
            _ => Trouble::KillAt {
                site: random.pick(&[
                    Site::Received,
                    Site::BeforeCommit,
                    Site::Committed,
                    Site::Judged,
                    Site::Judged,
                    Site::Claimed,
                    Site::Sent,
                    Site::BeforeFinish,
                ]),
                within: HOUR,
                down: random.span(200 * MS, MINUTE),
            },
        },
        Fault::Pause => standstill(random),
        Fault::Db => {
            let span = random.span(SECOND, 10 * MINUTE);
            match random.within(0, 4) {
                0 => Trouble::StoreFails { span, share: 1.0 },
                1 => Trouble::StoreFails { span, share: 0.4 },
                2 => Trouble::StoreMute { span, share: 0.5 },
                3 => Trouble::StoreMuteAtStart { within: HOUR },
                _ => Trouble::StoreSlow {
                    span,
                    delay: random.span(10 * MS, 20 * SECOND),
                },
            }
        }
        Fault::Provider => Trouble::Receiver {
            channel: random.within(0, CHANNELS as i64 - 1) as usize,
            span: random.span(10 * SECOND, 6 * HOUR),
            mood: random.pick(&[
                Mood::Slow,
                Mood::Fails,
                Mood::TooMany,
                Mood::Hangs,
                Mood::LosesAnswers,
            ]),
        },
        Fault::Clock => match random.within(0, 3) {
            0 => Trouble::ClockDrift {
                parts: random.within(-200, 200),
            },
            1 => Trouble::ClockStep {
                by: -random.span(100 * MS, 3 * HOUR),
            },
            2 => Trouble::ClockStep {
                by: random.span(100 * MS, 3 * HOUR),
            },
            _ => Trouble::ClockStep {
                by: random.within(-1_500, 1_500) * MS,
            },
        },
        Fault::Client => Trouble::Network {
            span: random.span(SECOND, HOUR),
            share: random.pick(&[0.1, 0.5, 1.0]),
        },
        Fault::People => return None,
        Fault::Outage => Trouble::Kill {
            down: random.span(10 * MINUTE, 3 * DAY),
        },
    };
    let ends = match trouble {
        Trouble::Kill { down } | Trouble::Restart { down } => down,
        Trouble::KillAt { within, down, .. } => within + down,
        Trouble::CrashLoop { times, every } => i64::from(times) * every,
        Trouble::PauseAfterSignal { within, span, .. } => within + span,
        Trouble::StoreMuteAtStart { within } => within + MINUTE,
        Trouble::Pause { span }
        | Trouble::Suspend { span }
        | Trouble::StoreFails { span, .. }
        | Trouble::StoreMute { span, .. }
        | Trouble::StoreSlow { span, .. }
        | Trouble::Receiver { span, .. }
        | Trouble::Network { span, .. } => span,
        Trouble::ClockStep { .. } | Trouble::DatabaseClock { .. } | Trouble::ClockDrift { .. } => 0,
    };
    (ends < room).then_some(trouble)
}
