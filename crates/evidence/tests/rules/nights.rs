//! Two hundred nights of ordinary life, on which nothing is to be said, and the bad nights among them.

use nightbeat_evidence::{
    BrokenRule, Evidence,
    rules::{History, RuleSet, RunFacts, evaluate},
};
use proptest::prelude::*;

use crate::cast::{GIB, facts, restic, rsync};

/// How a source and its job behave.
#[derive(Debug, Clone)]
struct Life {
    files: f64,
    bytes_per_file: f64,
    /// How much it grows in a night, as a part.
    growth: f64,
    /// How much it goes up and down from night to night, as a part.
    unrest: f64,
    /// Every so many nights, so large a part is cleared away.
    retention: Option<(u32, f64)>,
    /// How long a night takes, in seconds, and how much that goes up and down.
    seconds: f64,
    seconds_unrest: f64,
    /// What is left of that time at weekends.
    weekend: f64,
    /// Whether a second tool runs behind the first.
    second_tool: bool,
    seed: u64,
}

fn lives() -> impl Strategy<Value = Life> {
    let size = (1.0_f64..6.0, 3.0_f64..8.0);
    let change = (-0.005_f64..0.03, 0.0_f64..0.1);
    let retention = prop::option::of((5_u32..40, 0.05_f64..0.3));
    let time = (0.5_f64..4.0, 0.0_f64..0.5, 0.25_f64..1.0);
    (size, change, retention, time, any::<bool>(), any::<u64>()).prop_map(
        |(
            (files, bytes),
            (growth, unrest),
            retention,
            (seconds, varies, weekend),
            second_tool,
            seed,
        )| Life {
            files: 10_f64.powf(files),
            bytes_per_file: 10_f64.powf(bytes),
            growth,
            unrest,
            retention,
            seconds: 10_f64.powf(seconds),
            seconds_unrest: varies,
            weekend,
            second_tool,
            seed,
        },
    )
}

/// The rules that the handbook proposes, beside the built-in ones.
fn handbook() -> RuleSet {
    RuleSet::parse(&[
        "files_total > 0",
        "bytes_total >= 50% of median(14)",
        "deletes <= files_total",
        "errors == 0 else warning",
        "duration <= 500% of median(14)",
    ])
    .unwrap()
}

/// A small generator of numbers: the nights of a life are the same each time.
struct Dice(u64);

impl Dice {
    /// A number from 0 to 1 (`SplitMix64`).
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One, give or take a part.
    fn about(&mut self, part: f64) -> f64 {
        1.0 + (self.roll() * 2.0 - 1.0) * part
    }
}

/// What one night is.
struct Night {
    evidence: Vec<Evidence>,
    seconds: f64,
}

impl Night {
    fn facts(&self) -> RunFacts {
        facts(&self.evidence).lasted(Some(self.seconds))
    }
}

/// The nights of a life.
fn nights(life: &Life, count: u32) -> Vec<Night> {
    let mut dice = Dice(life.seed);
    let mut files = life.files;
    let mut before = 0.0;
    (0..count)
        .map(|night| {
            files *= 1.0 + life.growth * dice.roll();
            // What had come since the last time is cleared away.
            let kept = life.retention.map_or(1.0, |(each, part)| {
                let since = f64::from(night % each) / f64::from(each - 1);
                1.0 - part * (1.0 - since)
            });
            let seen = (files * kept * dice.about(life.unrest)).max(2.0).round();
            let size = seen * life.bytes_per_file * dice.about(life.unrest / 2.0);
            let mut evidence = rsync(seen as u64, size as u64);
            let gone = (before - seen).max(0.0) + seen * 0.02 * dice.roll();
            evidence.deletes = Some(gone as u64);
            before = seen;
            let mut all = vec![evidence];
            if life.second_tool {
                all.push(restic(seen as u64 / 2 + 1, size as u64 / 2 + 1));
            }
            let weekend = if night % 7 >= 5 { life.weekend } else { 1.0 };
            let seconds = life.seconds * dice.about(life.seconds_unrest) * weekend;
            Night {
                evidence: all,
                seconds,
            }
        })
        .collect()
}

/// Lives through nights, of which none may break a rule.
fn live(nights: &[Night], rules: &RuleSet) -> Result<History, TestCaseError> {
    let mut history = History::default();
    for (index, night) in nights.iter().enumerate() {
        let facts = night.facts();
        let broken = evaluate(rules, &facts, &history);
        prop_assert_eq!(broken, vec![], "night {}", index);
        history.push(&facts, rules);
        // As the store does it.
        let json = serde_json::to_string(&history).unwrap();
        history = serde_json::from_str(&json).unwrap();
    }
    Ok(history)
}

fn has(broken: &[BrokenRule], rule: &str) -> bool {
    broken.iter().any(|broken| broken.rule.starts_with(rule))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(20_261_123),
        ..ProptestConfig::default()
    })]

    #[test]
    fn two_hundred_ordinary_nights_raise_nothing_and_each_bad_one_is_caught(life in lives()) {
        let rules = handbook();
        let nights = nights(&life, 200);
        let history = live(&nights, &rules)?;
        let last = nights.last().unwrap();
        let bad = |change: &dyn Fn(&mut Night)| {
            let mut night = Night { evidence: last.evidence.clone(), seconds: last.seconds };
            change(&mut night);
            evaluate(&rules, &night.facts(), &history)
        };

        let empty = bad(&|night| for one in &mut night.evidence {
            one.files_total = Some(0);
            one.bytes_total = Some(0);
        });
        prop_assert!(has(&empty, "builtin nothing_read") && has(&empty, "files_total > 0"), "{empty:?}");

        let wiped = bad(&|night| {
            night.evidence[0].deletes = night.evidence[0].files_total;
            night.evidence[0].files_total = Some(0);
            night.evidence[0].bytes_total = Some(0);
        });
        prop_assert!(has(&wiped, "builtin nothing_read"), "{wiped:?}");

        let rehearsed = bad(&|night| night.evidence[0].dry_run = Some(true));
        prop_assert!(has(&rehearsed, "builtin dry_run"), "{rehearsed:?}");

        let third = bad(&|night| for one in &mut night.evidence {
            one.files_total = one.files_total.map(|files| (files / 4).max(1));
            one.bytes_total = one.bytes_total.map(|bytes| (bytes / 4).max(1));
        });
        prop_assert!(has(&third, "builtin shrunk") && has(&third, "bytes_total >= 50%"), "{third:?}");

        let silent = bad(&|night| { night.evidence.pop(); });
        prop_assert!(has(&silent, "builtin silent"), "{silent:?}");

        let before: u64 = last.evidence.iter().filter_map(|one| one.files_total).sum();
        if before >= 20 {
            let deleted = bad(&|night| night.evidence[0].deletes = Some(before * 3 / 4 + 1));
            prop_assert!(has(&deleted, "builtin many_deletes"), "{deleted:?}");
        }
        if life.seconds >= 60.0 {
            let fast = bad(&|night| night.seconds = life.seconds * life.weekend / 50.0);
            prop_assert!(has(&fast, "builtin too_fast"), "{fast:?}");
        }
        let endless = bad(&|night| night.seconds = life.seconds * 9.0);
        prop_assert!(has(&endless, "duration <= 500%"), "{endless:?}");
    }
}

#[test]
fn a_bad_night_that_goes_on_is_told_each_night() {
    let life = Life {
        files: 5_000.0,
        bytes_per_file: 1e6,
        growth: 0.001,
        unrest: 0.01,
        retention: None,
        seconds: 1_200.0,
        seconds_unrest: 0.1,
        weekend: 1.0,
        second_tool: false,
        seed: 7,
    };
    let rules = RuleSet::default();
    let history = live(&nights(&life, 30), &rules).unwrap();
    let small = facts(&[rsync(1_000, GIB)]).lasted(Some(1_200.0));
    for _ in 0..60 {
        // It fails, so it is not remembered.
        assert!(has(&evaluate(&rules, &small, &history), "builtin shrunk"));
    }
    // One that is only warned about is remembered, and becomes usual within a fortnight.
    let rules = RuleSet::parse(&["builtin shrunk else warning"]).unwrap();
    let mut history = history;
    let mut warned = 0;
    for _ in 0..14 {
        warned += evaluate(&rules, &small, &history).len();
        history.push(&small, &rules);
    }
    assert!((1..=7).contains(&warned), "{warned}");
    assert_eq!(evaluate(&rules, &small, &history), []);
}
