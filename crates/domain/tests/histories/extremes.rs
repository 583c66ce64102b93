//! Times at the ends of the axis: late or never, but no panic.

use nightbeat_domain::{
    Gap, GapKind, GapLedger, HeartbeatId, Maintenance, RunId, Schedule, Settings, Signal,
    SignalKind, State, Surroundings, UnixMicros, control, elapse, observe,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use uuid::Uuid;

fn instant() -> impl Strategy<Value = UnixMicros> {
    prop_oneof![
        any::<i64>(),
        (0_i64..10).prop_map(|n| i64::MIN + n),
        (0_i64..10).prop_map(|n| i64::MAX - n),
        (-3_i64..3).prop_map(|n| n * 1_000_000),
        // The ends of the years that calendars know.
        (-3_i64..3).prop_map(|n| 253_402_207_200_999_999 + n),
        (-3_i64..3).prop_map(|n| -377_705_023_201_000_000 + n),
    ]
    .prop_map(UnixMicros)
}

fn settings() -> impl Strategy<Value = Settings> {
    let schedules = [
        r#"{"every":1}"#,
        r#"{"every":315360000}"#,
        r#"{"cron":"0 2 * * *","timezone":"Europe/Madrid"}"#,
        r#"{"cron":"0 0 29 2 *","timezone":"UTC"}"#,
    ];
    let schedule = (0..schedules.len())
        .prop_map(move |n| serde_json::from_str::<Schedule>(schedules[n]).unwrap());
    (schedule, any::<bool>(), 1_u32..=3).prop_map(|(schedule, long, threshold)| Settings {
        grace: if long {
            Settings::SPAN_MAX
        } else {
            std::time::Duration::from_secs(1)
        },
        repeat_after: Some(Settings::SPAN_MAX),
        failure_threshold: threshold,
        ..Settings::new(schedule)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: RngSeed::Fixed(crate::SEED), ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_however_strange_the_times(
        settings in settings(),
        times in vec((0..7, instant(), instant()), 1..20),
    ) {
        let id = HeartbeatId(Uuid::from_u128(7));
        let mut state = State::new(&settings, times[0].1);
        let mut gaps = GapLedger::default();
        let mut maintenance = Vec::new();
        for (what, one, other) in times {
            match what {
                0 => gaps.add(Gap { from: one, to: other, kind: GapKind::ClockJump }),
                1 => maintenance.push(Maintenance { from: one, to: other }),
                2 => drop(control::edit(id, &settings, &settings, &mut state, one)),
                3 => drop(control::pause(id, &settings, &mut state, one)),
                4 => drop(control::snooze(&settings, &mut state, one)),
                kind => {
                    let kind = if kind == 5 { SignalKind::Start } else { SignalKind::Success };
                    let signal = Signal {
                        claimed_at: Some(other),
                        rid: Some(RunId(Uuid::from_u128(1))),
                        ..Signal::new(kind, one)
                    };
                    observe(id, &settings, &mut state, &signal);
                }
            }
            let around = Surroundings { gaps: &gaps, maintenance: &maintenance };
            for asof in [one, other, UnixMicros::MIN, UnixMicros::MAX] {
                elapse(id, &settings, &mut state, around, asof);
                state.status(asof);
                state.deadline(&settings);
            }
        }
    }
}
