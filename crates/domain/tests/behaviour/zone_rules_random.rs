//! New rules of a time zone at a restart, edits, pauses and an absence, in any order, and a job whose
//! machine has the new rules from the restart on, or from its next run on.

use std::time::Duration;

use jiff::tz::TimeZone;
use nightbeat_calendar::Cron;
use nightbeat_domain::{AlertKind, Phase, Schedule, Signal, SignalKind, UnixMicros, Zone};
use proptest::{prelude::*, test_runner::RngSeed};

use crate::cast::{Beat, DAY, HOUR, MINUTE, at};

/// Each with the smallest distance between two of its instants, in minutes.
const EXPRESSIONS: [(&str, u32); 6] = [
    ("0 12 * * *", 1_440),
    ("30 2 * * *", 1_440),
    ("0 */6 * * *", 360),
    ("*/30 * * * *", 30),
    ("0 12 * * 1-5", 1_440),
    ("0 9,17 * * *", 480),
];
const DAY_MINUTES: u64 = 1_440;
const END: &str = "9d 00:00";

#[derive(Debug, Clone)]
enum Step {
    Grace(u32),
    RunLimit(u32),
    PauseAndResume,
}

#[derive(Debug, Clone)]
enum Event {
    /// It ended then, but may arrive later.
    Success(UnixMicros),
    Rules,
    Step(Step),
}

#[derive(Debug, Clone)]
struct Story {
    expression: usize,
    /// How many quarters of an hour its clock is ahead of UTC, and how many more by the new rules.
    old: i64,
    shift: i64,
    grace: u32,
    /// In minutes of the story; the server was away for so many before that.
    restart: u64,
    away: u64,
    machine_is_new: bool,
    /// A machine that gets the new rules after a run by the old ones does not run once more.
    runs_once: bool,
    /// Parts of the smallest grace.
    takes: Vec<f64>,
    early: Vec<bool>,
    steps: Vec<(u64, Step)>,
    dies: Option<u64>,
}

fn stories() -> impl Strategy<Value = Story> {
    let rules = (0..EXPRESSIONS.len(), -40..40_i64, -12..=12_i64, 1..120_u32);
    let restart = (
        2 * DAY_MINUTES..4 * DAY_MINUTES,
        prop_oneof![Just(0), 1..200_u64],
        any::<bool>(),
        any::<bool>(),
    );
    let takes = prop::collection::vec(0.0..0.99, 7);
    let early = prop::collection::vec(prop::bool::weighted(0.1), 5);
    let step = prop_oneof![
        (1..180_u32).prop_map(Step::Grace),
        (1..180_u32).prop_map(Step::RunLimit),
        Just(Step::PauseAndResume),
    ];
    let steps = prop::collection::vec((DAY_MINUTES..8 * DAY_MINUTES, step), 0..4);
    (rules, restart, takes, early, steps).prop_map(|(rules, restart, takes, early, steps)| Story {
        expression: rules.0,
        old: rules.1,
        shift: rules.2,
        grace: rules.3,
        restart: restart.0,
        away: restart.1,
        machine_is_new: restart.2,
        runs_once: restart.3,
        takes,
        early,
        steps,
        dies: None,
    })
}

fn posix(quarters: i64) -> String {
    let sign = if quarters < 0 { "" } else { "-" };
    let minutes = quarters.abs() * 15;
    format!("TST{sign}{}:{:02}", minutes / 60, minutes % 60)
}

fn minute(minute: u64) -> UnixMicros {
    at("00:00") + MINUTE * u32::try_from(minute).unwrap()
}

impl Story {
    fn schedule(&self, quarters: i64) -> Schedule {
        let rules = TimeZone::posix(&posix(quarters)).unwrap();
        let zone = Zone::with_rules("Test/Zone", rules);
        let (expression, _) = EXPRESSIONS[self.expression];
        Cron::parse(expression, &zone).unwrap().into()
    }

    fn restart(&self) -> UnixMicros {
        minute(self.restart) + Duration::from_micros(17)
    }

    fn gone(&self) -> UnixMicros {
        minute(self.restart - self.away) + Duration::from_micros(17)
    }

    /// A run never takes longer, whatever the grace is by then.
    fn smallest_grace(&self) -> Duration {
        let edits = self.steps.iter().filter_map(|(_, step)| match step {
            Step::Grace(minutes) | Step::RunLimit(minutes) => Some(*minutes),
            Step::PauseAndResume => None,
        });
        MINUTE * edits.chain([self.grace]).min().unwrap()
    }

    /// The successes of the job.
    fn runs(&self) -> Vec<(UnixMicros, Event)> {
        let (old, new) = (
            self.schedule(self.old),
            self.schedule(self.old + self.shift),
        );
        let next_after = |schedule: &Schedule, from: UnixMicros| -> UnixMicros {
            schedule.next_after(from.timestamp()).unwrap().into()
        };
        let (restart, gone) = (self.restart(), self.gone());
        let dies = self.dies.map_or(at(END), minute);
        let mut events = Vec::new();
        let mut has_new = false;
        let mut from = at("00:00");
        for number in 0.. {
            let mut next = next_after(if has_new { &new } else { &old }, from);
            let mut made_up = false;
            if !has_new && self.machine_is_new && next > restart {
                has_new = true;
                next = next_after(&new, from);
                // What the change of its clock skips is made up for.
                made_up = next < restart;
                next = next.max(restart + Duration::from_secs(6));
            }
            if next > dies {
                break;
            }
            from = next;
            let takes = self
                .smallest_grace()
                .mul_f64(self.takes[number % self.takes.len()]);
            let ended = if self.early[number % self.early.len()] && !made_up {
                next - Duration::from_secs(3)
            } else {
                next + takes
            };
            let received = if gone <= ended && ended < restart {
                restart + Duration::from_secs(5) + Duration::from_micros(number as u64)
            } else {
                ended
            };
            events.push((received, Event::Success(ended)));
            if !has_new && received >= restart {
                has_new = true;
                let again = MINUTE * 15 * u32::try_from((-self.shift).max(0)).unwrap();
                let (_, period) = EXPRESSIONS[self.expression];
                if self.runs_once && again * 2 <= MINUTE * period {
                    from = from + again;
                }
            }
        }
        events
    }

    fn events(&self) -> Vec<(UnixMicros, Event)> {
        let mut events = self.runs();
        events.push((self.restart(), Event::Rules));
        for (at, step) in &self.steps {
            let at = minute(*at) + Duration::from_micros(333);
            // What is resumed begins anew: of a run by the old rules it knows nothing.
            let differs = !self.machine_is_new || self.runs_once;
            let forgets = matches!(step, Step::PauseAndResume) && differs;
            if !forgets && (at < self.gone() || at > self.restart()) {
                events.push((at, Event::Step(step.clone())));
            }
        }
        events.sort_by_key(|event| event.0);
        events
    }

    fn told(&self) -> Beat {
        let (expression, _) = EXPRESSIONS[self.expression];
        let mut beat = Beat::cron_by_rules(expression, &posix(self.old)).grace(MINUTE * self.grace);
        if self.away > 0 {
            beat = beat.away(self.gone(), self.restart());
        }
        beat.success_at("00:00:01");
        for (at, event) in self.events() {
            match event {
                Event::Rules => {
                    beat.elapse_at(self.gone() - Duration::from_micros(1));
                    beat.follow_rules(at, &posix(self.old + self.shift));
                }
                Event::Success(ended) => {
                    let claimed_at = (ended != at).then_some(ended);
                    beat.signal(&Signal {
                        claimed_at,
                        ..Signal::new(SignalKind::Success, at)
                    });
                }
                Event::Step(Step::Grace(minutes)) => {
                    beat.edit(at, |settings| settings.grace = MINUTE * minutes);
                }
                Event::Step(Step::RunLimit(minutes)) => {
                    beat.edit(at, |settings| {
                        settings.max_run_time = Some(MINUTE * minutes);
                    });
                }
                Event::Step(Step::PauseAndResume) => beat.pause_and_resume(at),
            }
        }
        beat.elapse_until(END);
        beat
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_122),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_job_that_runs_is_called_down(story in stories()) {
        let beat = story.told();
        let downs: Vec<_> = beat.alerts.iter().filter(|it| it.kind == AlertKind::Down).collect();
        prop_assert!(downs.is_empty(), "{downs:?}");
    }

    #[test]
    fn every_job_that_dies_is_called_down(story in stories(), dies in 2 * DAY_MINUTES..7 * DAY_MINUTES) {
        let story = Story { dies: Some(dies), ..story };
        let mut beat = story.told();
        // A weekend, a night that a gap made unsure, and the longest grace.
        beat.elapse_at(at(END) + 4 * DAY + 6 * HOUR);
        prop_assert_eq!(beat.state.phase, Phase::Down);
    }
}
