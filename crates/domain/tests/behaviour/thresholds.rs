//! How many failures open an incident, and how many successes close it.

use nightbeat_domain::{AlertKind, Cause, Claim, Phase, Severity};

use crate::cast::{Beat, DAY, at};

#[test]
fn the_second_miss_in_a_row_opens_the_incident() {
    let mut beat = Beat::every(DAY).failure_threshold(2);
    beat.success_at("02:00").elapse_until("3d 02:59:59");
    assert_eq!(beat.state.phase, Phase::Up);
    beat.elapse_until("3d 03:00");
    beat.assert_told(&[(AlertKind::Down, "3d 03:00")]);
}

#[test]
fn one_look_after_a_long_time_counts_every_miss() {
    let mut beat = Beat::every(DAY).failure_threshold(3);
    beat.success_at("02:00").look_once("9d 00:00");
    beat.assert_told(&[(AlertKind::Down, "9d 00:00")]);
    assert_eq!(beat.last().deadline, Some(at("4d 03:00")));
}

#[test]
fn misses_and_failures_count_together() {
    let mut beat = Beat::every(DAY).failure_threshold(2);
    beat.fail_at("02:00");
    assert_eq!(beat.state.phase, Phase::Up);
    beat.elapse_until("2d 03:00");
    assert_eq!(beat.incident(), (Cause::Missed, Claim::Down));
}

#[test]
fn a_success_between_two_failures_begins_the_count_again() {
    let mut beat = Beat::every(DAY).failure_threshold(2);
    beat.fail_at("02:00")
        .success_at("2d 02:00")
        .fail_at("3d 02:00");
    beat.assert_told(&[]);
    beat.hollow_at(Severity::Failure, "4d 02:00");
    beat.assert_told(&[(AlertKind::Down, "4d 02:00")]);
    assert_eq!(beat.incident(), (Cause::Hollow, Claim::Down));
}

#[test]
fn an_overrun_counts_as_one_failure_and_not_as_a_miss_too() {
    let mut beat = Beat::every(DAY).failure_threshold(2);
    beat.success_at("02:00").start_at("2d 02:30");
    beat.elapse_until("3d 04:29:59");
    beat.assert_told(&[]);
    // The run was given up on day 2 at 03:30; the next is expected a day later.
    beat.elapse_until("3d 04:30");
    beat.assert_told(&[(AlertKind::Down, "3d 04:30")]);
}

#[test]
fn a_new_job_that_overran_below_the_threshold_is_expected_from_then_on() {
    let mut beat = Beat::every(DAY).failure_threshold(2);
    beat.start_at("5d 02:00").elapse_until("6d 04:00");
    assert_eq!(beat.incident(), (Cause::Missed, Claim::Down));
    beat.assert_told(&[
        (AlertKind::NeverStarted, "2d 01:00"),
        (AlertKind::Down, "6d 04:00"),
    ]);
}

#[test]
fn the_second_success_in_a_row_closes_the_incident() {
    let mut beat = Beat::every(DAY).recovery_threshold(2);
    beat.fail_at("02:00").success_at("2d 02:00");
    assert_eq!(beat.state.phase, Phase::Down);
    beat.success_at("3d 02:00");
    beat.assert_told(&[(AlertKind::Down, "02:00"), (AlertKind::Up, "3d 02:00")]);
}

#[test]
fn a_failure_or_a_miss_ends_a_row_of_successes() {
    let mut beat = Beat::every(DAY).recovery_threshold(2);
    beat.fail_at("02:00")
        .success_at("2d 02:00")
        .fail_at("3d 02:00");
    beat.success_at("4d 02:00").success_at("5d 03:00:00.000001");
    assert_eq!(beat.state.phase, Phase::Down, "day 5 was missed");
    beat.success_at("6d 02:00");
    assert_eq!(beat.state.phase, Phase::Up);
    beat.assert_told(&[(AlertKind::Down, "02:00"), (AlertKind::Up, "6d 02:00")]);
}

#[test]
fn a_warning_counts_towards_the_end_of_a_down_but_not_of_a_warning() {
    let mut beat = Beat::every(DAY).recovery_threshold(2);
    beat.fail_at("02:00")
        .hollow_at(Severity::Warning, "2d 02:00");
    beat.hollow_at(Severity::Warning, "3d 02:00");
    assert_eq!(beat.state.phase, Phase::Warning);
    beat.success_at("4d 02:00")
        .hollow_at(Severity::Warning, "5d 02:00");
    beat.success_at("6d 02:00");
    assert_eq!(beat.state.phase, Phase::Warning);
    beat.success_at("7d 02:00");
    beat.assert_told(&[
        (AlertKind::Down, "02:00"),
        (AlertKind::Warning, "3d 02:00"),
        (AlertKind::Up, "7d 02:00"),
    ]);
}

#[test]
fn confirming_an_unverified_ends_a_row_of_successes() {
    let mut beat = Beat::every(DAY)
        .recovery_threshold(2)
        .gap("2d 01:00", "2d 04:00");
    beat.success_at("02:00").success_at("2d 05:00");
    assert_eq!(beat.state.phase, Phase::Unverified);
    beat.elapse_until("3d 06:00");
    assert_eq!(beat.state.phase, Phase::Down);
    beat.success_at("3d 07:00");
    assert_eq!(beat.state.phase, Phase::Down);
}

#[test]
fn a_gap_counts_for_the_whole_row_of_misses() {
    // A success in the gap would have made day 3 the first miss, and day 4 the second.
    let mut beat = Beat::cron("0 2 * * *", "UTC")
        .failure_threshold(2)
        .gap("2d 02:30", "2d 05:00");
    beat.success_at("02:00").elapse_until("3d 03:10");
    beat.assert_told(&[(AlertKind::Unverified, "3d 03:10")]);
    beat.elapse_until("4d 02:59:59");
    assert_eq!(beat.state.phase, Phase::Unverified);
    beat.elapse_until("4d 03:00");
    assert_eq!(beat.state.phase, Phase::Down);
}

#[test]
fn after_a_gap_an_interval_needs_the_whole_row_again() {
    let mut beat = Beat::every(DAY).failure_threshold(2).gap("04:00", "20:00");
    beat.success_at("02:00").elapse_until("3d 20:59:59");
    assert_eq!(beat.state.phase, Phase::Unverified);
    beat.elapse_until("3d 21:00");
    assert_eq!(beat.state.phase, Phase::Down);
}
