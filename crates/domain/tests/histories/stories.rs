//! Random stories: rules, and what happens.

use nightbeat_domain::SignalKind;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::model::{Event, Rules, SECOND, T, TICK};

#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) rules: Rules,
    /// By time; no two in the same tick, and nothing is received within a gap.
    pub(crate) history: Vec<(T, Event)>,
    /// Acknowledge or snooze after these events; the reference does not care, and neither may a status.
    pub(crate) hands: Vec<Hand>,
}

impl Story {
    /// Whether such a thing happens in it.
    pub(crate) fn any(&self, such: impl Fn(&Event) -> bool) -> bool {
        self.history.iter().any(|(_, event)| such(event))
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Hand {
    Nothing,
    Acknowledge,
    Snooze(T),
}

/// Something that happens, before it is known when.
#[derive(Debug, Clone, Copy)]
enum Plan {
    Signal(SignalKind, bool, Option<u8>, Option<T>),
    Pause,
    Resume,
    Edit(Rules),
    Gap(T),
    Maintenance(T, T),
}

fn ticks(range: std::ops::Range<T>) -> impl Strategy<Value = T> {
    range.prop_map(|n| n * TICK)
}

fn rules() -> impl Strategy<Value = Rules> {
    (
        option::weighted(0.6, ticks(6..40)),
        ticks(1..30),
        option::of(ticks(1..60)),
        1_u32..=3,
        1_u32..=3,
        prop::bool::weighted(0.2),
    )
        .prop_map(
            |(every, grace, max_run, failures, recoveries, manual_resume)| Rules {
                every,
                grace,
                max_run,
                failures,
                recoveries,
                manual_resume,
            },
        )
}

fn plan() -> impl Strategy<Value = Plan> {
    let kind = prop_oneof![
        4 => Just(SignalKind::Success),
        3 => Just(SignalKind::Start),
        2 => Just(SignalKind::Fail),
        1 => Just(SignalKind::Log),
    ];
    let rid = option::of(1_u8..=3);
    let late = option::weighted(0.2, ticks(0..80));
    let signal = (kind, prop::bool::weighted(0.2), rid, late);
    prop_oneof![
        12 => signal.prop_map(|(kind, warning, rid, late)| Plan::Signal(kind, warning, rid, late)),
        1 => Just(Plan::Pause),
        1 => Just(Plan::Resume),
        1 => rules().prop_map(Plan::Edit),
        4 => ticks(1..40).prop_map(Plan::Gap),
        1 => (ticks(0..40), ticks(1..40)).prop_map(|(wait, length)| Plan::Maintenance(wait, length)),
    ]
}

fn hand() -> impl Strategy<Value = Hand> {
    prop_oneof![
        6 => Just(Hand::Nothing),
        1 => Just(Hand::Acknowledge),
        1 => ticks(1..60).prop_map(Hand::Snooze),
    ]
}

pub(crate) fn story() -> impl Strategy<Value = Story> {
    let wait = prop_oneof![3 => ticks(1..10), 2 => ticks(10..80)];
    (rules(), vec((wait, plan(), hand()), 1..14)).prop_map(|(rules, plans)| {
        let mut now = 0;
        let mut history = Vec::new();
        let mut hands = Vec::new();
        for (wait, plan, hand) in plans {
            now += wait;
            let event = match plan {
                Plan::Signal(kind, warning, rid, late) => Event::Signal {
                    kind,
                    warning: warning && kind != SignalKind::Log,
                    rid,
                    happened: late.map(|late| (now - late).max(-3_600 * SECOND)),
                },
                Plan::Pause => Event::Pause,
                Plan::Resume => Event::Resume,
                Plan::Edit(rules) => Event::Edit(rules),
                Plan::Gap(length) => {
                    let from = now;
                    now += length;
                    Event::Gap { from }
                }
                Plan::Maintenance(wait, length) => Event::Maintenance {
                    from: now + wait,
                    to: now + wait + length,
                },
            };
            history.push((now, event));
            hands.push(hand);
        }
        Story {
            rules,
            history,
            hands,
        }
    })
}
