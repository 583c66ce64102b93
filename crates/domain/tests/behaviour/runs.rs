//! Runs from their start to their end.

use nightbeat_domain::{
    AlertKind, Cause, Claim, IgnoredBecause, Phase, Signal, SignalKind, Status,
};

use crate::cast::{Beat, DAY, HOUR, MINUTE, at, rid};

#[test]
fn a_run_has_a_start_and_an_end() {
    let mut beat = Beat::every(DAY);
    beat.start_at("02:00");
    assert_eq!(beat.state.running_since(), Some(at("02:00")));
    beat.success_at("02:20");
    assert_eq!(beat.state.running_since(), None);
    assert_eq!(
        beat.effects.run.clone().unwrap().started_at,
        Some(at("02:00"))
    );
    assert_eq!(beat.state.expected_at, Some(at("2d 02:20")));
}

#[test]
fn a_run_past_its_limit_is_down_also_from_new() {
    let mut beat = Beat::every(DAY).max_run(2 * HOUR);
    beat.start_at("02:00").elapse_until("03:59:59.999999");
    assert_eq!(beat.state.phase, Phase::New);
    beat.elapse_until("04:00");
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Down));
    beat.assert_told(&[(AlertKind::Down, "04:00")]);
    assert_eq!(beat.last().run_started_at, Some(at("02:00")));
    assert_eq!(beat.last().deadline, Some(at("04:00")));
}

#[test]
fn without_a_limit_of_its_own_a_run_may_last_as_long_as_the_grace() {
    let mut beat = Beat::every(DAY).grace(30 * MINUTE);
    beat.start_at("02:00").elapse_until("02:29:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("02:30");
    beat.assert_told(&[(AlertKind::Down, "02:30")]);
}

#[test]
fn a_success_at_the_last_microsecond_of_a_run_is_in_time() {
    let mut beat = Beat::every(DAY);
    beat.start_at("02:00")
        .success_at("03:00")
        .elapse_until("2d 00:00");
    beat.assert_told(&[]);
}

#[test]
fn a_run_that_overran_may_still_end_well() {
    let mut beat = Beat::every(DAY);
    beat.start_at("02:00").success_at("05:00");
    beat.assert_told(&[(AlertKind::Down, "03:00"), (AlertKind::Up, "05:00")]);
    assert_eq!(
        beat.effects.run.clone().unwrap().started_at,
        Some(at("02:00"))
    );
}

#[test]
fn an_open_run_within_its_limit_holds_a_miss_back() {
    let mut beat = Beat::every(DAY).max_run(3 * HOUR);
    beat.success_at("02:00").start_at("2d 02:59");
    beat.elapse_until("2d 05:00");
    assert_eq!(beat.status_at("2d 05:00"), Status::Late);
    assert_eq!(beat.state.deadline(&beat.settings), Some(at("2d 05:59")));
    beat.success_at("2d 05:59");
    beat.assert_told(&[]);
}

#[test]
fn an_open_run_past_its_limit_is_told_once_as_overrun() {
    let mut beat = Beat::every(DAY).max_run(3 * HOUR);
    beat.success_at("02:00").start_at("2d 02:59");
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(AlertKind::Down, "2d 05:59")]);
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Down));
}

#[test]
fn several_runs_are_open_at_once_each_with_its_own_deadline() {
    let mut beat = Beat::every(DAY);
    beat.start_of(1, "02:00").start_of(2, "02:30");
    beat.success_of(1, "02:50");
    assert_eq!(
        beat.effects.run.clone().unwrap().started_at,
        Some(at("02:00"))
    );
    assert_eq!(beat.state.running_since(), Some(at("02:30")));
    beat.elapse_until("03:30");
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Down));
    assert_eq!(beat.last().run_started_at, Some(at("02:30")));
}

#[test]
fn the_end_of_one_run_does_not_close_another() {
    let mut beat = Beat::every(DAY);
    beat.start_of(2, "02:30").success_of(1, "02:50");
    assert_eq!(beat.effects.run.clone().unwrap().started_at, None);
    assert_eq!(beat.state.running_since(), Some(at("02:30")));
}

#[test]
fn an_end_without_a_run_id_closes_the_only_run() {
    let mut beat = Beat::every(DAY);
    beat.start_of(1, "02:00").success_at("02:50");
    let run = beat.effects.run.clone().unwrap();
    assert_eq!((run.rid, run.started_at), (Some(rid(1)), Some(at("02:00"))));
    // That run has ended: its start, delivered again, begins nothing.
    let again = beat.signal(&Signal {
        rid: Some(rid(1)),
        ..Signal::new(SignalKind::Start, at("03:00"))
    });
    assert_eq!(again.ignored, Some(IgnoredBecause::OutOfOrder));
}

#[test]
fn an_end_without_a_run_id_closes_none_of_several_others() {
    let mut beat = Beat::every(DAY);
    beat.start_of(1, "02:00")
        .start_of(2, "02:10")
        .success_at("02:50");
    assert_eq!(beat.state.runs.len(), 2);
    assert_eq!(beat.state.last_success_at, Some(at("02:50")));
}

#[test]
fn a_start_that_is_sent_again_says_nothing_new() {
    let mut beat = Beat::every(DAY);
    beat.start_of(1, "02:00").start_of(1, "02:40");
    assert_eq!(beat.state.running_since(), Some(at("02:00")));
    beat.elapse_until("03:00");
    beat.assert_told(&[(AlertKind::Down, "03:00")]);
}

#[test]
fn a_start_without_a_run_id_begins_a_new_run() {
    let mut beat = Beat::every(DAY);
    beat.start_at("02:00")
        .start_at("02:40")
        .elapse_until("03:39");
    beat.assert_told(&[]);
    beat.elapse_until("03:40");
    beat.assert_told(&[(AlertKind::Down, "03:40")]);
}

#[test]
fn a_start_that_arrives_after_the_end_of_its_run_is_out_of_order() {
    let mut beat = Beat::every(DAY);
    beat.success_of(1, "02:00");
    let start = beat.signal(&Signal {
        rid: Some(rid(1)),
        ..Signal::new(SignalKind::Start, at("02:00:01"))
    });
    assert_eq!(start.ignored, Some(IgnoredBecause::OutOfOrder));
    assert_eq!(beat.state.runs, []);
    beat.elapse_until("2d 02:59");
    beat.assert_told(&[]);
}

#[test]
fn a_failure_after_a_success_of_the_same_run_wins() {
    let mut beat = Beat::every(DAY);
    beat.start_of(1, "02:00").success_of(1, "02:10");
    beat.signal(&Signal {
        rid: Some(rid(1)),
        ..Signal::new(SignalKind::Fail, at("02:10:05"))
    });
    assert_eq!(beat.incident(), (Cause::Failed, Claim::Down));
    beat.success_of(2, "2d 02:00");
    assert_eq!(beat.state.phase, Phase::Up);
}

#[test]
fn an_end_closes_its_own_run_though_the_clients_clock_is_behind() {
    let mut beat = Beat::every(DAY);
    beat.start_of(1, "02:00:05");
    beat.signal(&Signal {
        rid: Some(rid(1)),
        claimed_at: Some(at("02:00:03")),
        ..Signal::new(SignalKind::Success, at("02:00:06"))
    });
    assert_eq!(beat.state.runs, []);
    let run = beat.effects.run.clone().unwrap();
    assert_eq!(run.started_at, Some(run.ended_at));
}

#[test]
fn a_job_that_dies_after_each_of_its_starts_is_told() {
    let mut beat = Beat::every(HOUR).grace(10 * MINUTE).max_run(2 * HOUR);
    beat.success_at("00:00:01");
    for start in ["01:00", "02:00", "03:00", "04:00", "05:00"] {
        beat.start_at(start);
    }
    assert_eq!(beat.incident(), (Cause::Missed, Claim::Down));
    beat.assert_told(&[(AlertKind::Down, "04:00")]);
}

#[test]
fn more_runs_than_are_timed_are_still_recorded() {
    let mut beat = Beat::every(DAY);
    for run in 1..=40 {
        beat.start_of(run, "02:00");
    }
    assert_eq!(beat.state.runs.len(), 32);
    beat.success_of(40, "02:30");
    assert_eq!(beat.effects.run.clone().unwrap().started_at, None);
    assert_eq!(beat.state.last_success_at, Some(at("02:30")));
}
