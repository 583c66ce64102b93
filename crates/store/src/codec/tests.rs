use nightbeat_domain::{Cause, Claim};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::sql::Row;

fn at() -> impl Strategy<Value = UnixMicros> {
    any::<i64>().prop_map(UnixMicros)
}

fn rid() -> impl Strategy<Value = RunId> {
    any::<u128>().prop_map(|bits| RunId(Uuid::from_u128(bits)))
}

fn run() -> impl Strategy<Value = OpenRun> {
    let told = (any::<bool>(), any::<bool>());
    (of(rid()), at(), at(), told).prop_map(|(rid, started_at, deadline, (overran, counted))| {
        OpenRun {
            rid,
            started_at,
            deadline,
            overran,
            counted,
        }
    })
}

fn last_run() -> impl Strategy<Value = LastRun> {
    let outcome = prop_oneof![
        Just(Outcome::Ok),
        Just(Outcome::Warning),
        Just(Outcome::Failed)
    ];
    (of(at()), at(), outcome).prop_map(|(started_at, ended_at, outcome)| LastRun {
        started_at,
        ended_at,
        outcome,
    })
}

fn incident() -> impl Strategy<Value = OpenIncident> {
    let cause = prop_oneof![
        Just(Cause::Missed),
        Just(Cause::Overran),
        Just(Cause::Failed),
        Just(Cause::Hollow),
        Just(Cause::NeverStarted),
        Just(Cause::Internal),
    ];
    let claim = prop_oneof![
        Just(Claim::Warning),
        Just(Claim::Unverified),
        Just(Claim::Down)
    ];
    let times = (at(), of(at()), at(), of(at()));
    let flags = (any::<bool>(), any::<bool>());
    (any::<u32>(), cause, claim, times, flags).prop_map(
        |(number, cause, claim, (opened_at, deadline, alerted_at, snoozed_until), flags)| {
            OpenIncident {
                number,
                cause,
                claim,
                opened_at,
                deadline,
                alerted_at,
                acknowledged: flags.0,
                snoozed_until,
                held_back: flags.1,
            }
        },
    )
}

fn phase_of() -> impl Strategy<Value = Phase> {
    prop_oneof![
        Just(Phase::New),
        Just(Phase::Up),
        Just(Phase::Warning),
        Just(Phase::Down),
        Just(Phase::Unverified),
        Just(Phase::Paused),
    ]
}

prop_compose! {
    fn state()(
        phase in phase_of(),
        armed_at in at(),
        (last_signal_at, last_success_at) in (of(at()), of(at())),
        (expected_at, wake_at) in (of(at()), of(at())),
        (failures, successes, incidents, alerts) in any::<(u32, u32, u32, u32)>(),
        (signals, version) in (0..=i64::MAX as u64, 0..=i64::MAX as u64),
        last_run in of(last_run()),
        runs in vec(run(), 0..4),
        finished in vec(rid(), 0..4),
        incident in of(incident()),
        (moved_from, held_until) in (of(at()), of(at())),
        speaks in any::<bool>(),
    ) -> State {
        let moved = moved_from.zip(expected_at).map(|(from, to)| Moved { from, to });
        State {
            phase, armed_at, last_signal_at, last_success_at, expected_at, wake_at, failures,
            successes, signals, incidents, alerts, version, last_run, runs, finished, incident,
            moved, held_until, speaks,
        }
    }
}

/// A key, and the columns.
const NAMES: [&str; 17] = [
    "heartbeat_state.id",
    "heartbeat_state.phase",
    "heartbeat_state.armed_at",
    "heartbeat_state.last_signal_at",
    "heartbeat_state.last_success_at",
    "heartbeat_state.expected_at",
    "heartbeat_state.wake_at",
    "heartbeat_state.failures",
    "heartbeat_state.successes",
    "heartbeat_state.signals",
    "heartbeat_state.incidents",
    "heartbeat_state.alerts",
    "heartbeat_state.version",
    "heartbeat_state.run_started_at",
    "heartbeat_state.run_ended_at",
    "heartbeat_state.run_outcome",
    "heartbeat_state.rare",
];

const ROW: HeartbeatId = HeartbeatId(Uuid::from_u128(0x0123_4567_89ab_cdef_0000_0000_0000_0000));

proptest! {
    #[test]
    fn a_state_comes_back_from_its_columns_as_it_went(state in state()) {
        let columns = Columns::from_state(&state).unwrap();
        let nothing_rare = state.runs.is_empty()
            && state.finished.is_empty()
            && state.incident.is_none()
            && state.moved.is_none()
            && state.held_until.is_none()
            && !state.speaks;
        prop_assert_eq!(columns.rare.is_none(), nothing_rare);

        let mut values = vec![Value::from(ROW)];
        values.extend(columns.clone().into_values());
        let row = Row { values };
        prop_assert_eq!(&Columns::from_fields(&Fields::new(&NAMES, &row)).unwrap(), &columns);
        prop_assert_eq!(columns.into_state(ROW).unwrap(), state);
    }
}

fn columns() -> Columns {
    Columns {
        phase: 1,
        armed_at: 0,
        last_signal_at: None,
        last_success_at: None,
        expected_at: None,
        wake_at: None,
        failures: 0,
        successes: 0,
        signals: 0,
        incidents: 0,
        alerts: 0,
        version: 0,
        run_started_at: None,
        run_ended_at: None,
        run_outcome: None,
        rare: None,
    }
}

fn complaint(change: impl FnOnce(&mut Columns)) -> String {
    let mut columns = columns();
    change(&mut columns);
    let error = columns.into_state(ROW).unwrap_err();
    assert!(matches!(error, StoreError::Broken(_)), "{error}");
    error.to_string()
}

#[test]
fn a_broken_state_is_named_by_table_column_and_row() {
    columns().into_state(ROW).unwrap();
    assert_eq!(
        complaint(|columns| columns.phase = 6),
        "broken row: table heartbeat_state, column phase, row 01234567…: an unknown phase"
    );
    for (column, error) in [
        ("failures", complaint(|columns| columns.failures = -1)),
        (
            "incidents",
            complaint(|columns| columns.incidents = 1 << 32),
        ),
        ("version", complaint(|columns| columns.version = -1)),
        (
            "run_ended_at",
            complaint(|columns| columns.run_outcome = Some(0)),
        ),
        (
            "run_ended_at",
            complaint(|columns| columns.run_started_at = Some(0)),
        ),
        (
            "rare",
            complaint(|columns| columns.rare = Some("{".to_owned())),
        ),
        (
            "rare",
            complaint(|columns| columns.rare = Some("{\"x\":1}".to_owned())),
        ),
    ] {
        assert!(error.contains(&format!("column {column},")), "{error}");
    }
    let unknown = complaint(|columns| {
        columns.run_ended_at = Some(0);
        columns.run_outcome = Some(3);
    });
    assert!(unknown.contains("column run_outcome,"), "{unknown}");
}

#[test]
fn a_column_of_the_wrong_type_is_named() {
    for (index, name) in Columns::NAMES.iter().enumerate() {
        let mut values = vec![Value::from(ROW)];
        values.extend(columns().into_values());
        values[index + 1] = Value::Blob(vec![1, 2, 3]);
        let row = Row { values };
        let error = Columns::from_fields(&Fields::new(&NAMES, &row)).unwrap_err();
        let place = format!("table heartbeat_state, column {name}, row 01234567…: ");
        assert!(error.to_string().contains(&place), "{error}");
    }
}

#[test]
fn codes_stay_what_they_are_in_files_that_exist() {
    let phases: Vec<_> = (0..=6).map(phase).collect();
    let expected = [
        Some(Phase::New),
        Some(Phase::Up),
        Some(Phase::Warning),
        Some(Phase::Down),
        Some(Phase::Unverified),
        Some(Phase::Paused),
        None,
    ];
    assert_eq!(phases, expected);
    assert_eq!(
        [0, 1, 2, 3].map(outcome).map(|it| it.map(Outcome::as_str)),
        [Some("ok"), Some("warning"), Some("failed"), None]
    );
    assert_eq!(
        [0, 1, 2, 3, 4]
            .map(kind)
            .map(|it| it.map(SignalKind::as_str)),
        [
            Some("success"),
            Some("start"),
            Some("fail"),
            Some("log"),
            None
        ]
    );
    assert_eq!(
        [0, 1, 2, 3, 4, 5]
            .map(ignored)
            .map(|it| it.map(IgnoredBecause::as_str)),
        [
            Some("paused"),
            Some("method"),
            Some("previewer"),
            Some("out_of_order"),
            Some("keywords"),
            None
        ]
    );
    for code in 0..6 {
        assert_eq!(phase(code).map(phase_code), Some(code));
    }
    for code in 0..3 {
        assert_eq!(outcome(code).map(outcome_code), Some(code));
    }
    for code in 0..4 {
        assert_eq!(kind(code).map(kind_code), Some(code));
        assert_eq!(ignored(code).map(ignored_code), Some(code));
    }
}

#[test]
fn metrics_are_one_object() {
    let metric = |name, value| Metric::new(name, value).unwrap();
    assert_eq!(metrics_json(&[]).unwrap(), None);
    assert_eq!(
        metrics_json(&[
            metric("rows", 12.0),
            metric("bytes", 0.5),
            metric("rows", 13.0)
        ])
        .unwrap(),
        Some("{\"bytes\":0.5,\"rows\":13.0}".to_owned())
    );
}

#[test]
fn names_are_read_as_they_are_written() {
    for cause in [
        Cause::Missed,
        Cause::NeverStarted,
        Cause::Hollow,
        Cause::Internal,
    ] {
        assert_eq!(named::<Cause>(cause.as_str()), Some(cause));
    }
    assert_eq!(named::<Cause>("other"), None);
}
