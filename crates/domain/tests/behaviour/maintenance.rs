//! Maintenance windows hold misses back altogether.

use nightbeat_domain::{AlertKind, Phase};

use crate::cast::{Beat, DAY, at};

const DOWN: AlertKind = AlertKind::Down;

fn nightly() -> Beat {
    let mut beat = Beat::cron("0 2 * * *", "UTC");
    beat.success_at("02:00");
    beat
}

#[test]
fn a_miss_in_a_window_is_held_back_to_the_first_instant_after_it() {
    let mut beat = nightly().maintenance("2d 01:00", "2d 02:30");
    beat.elapse_until("3d 02:59:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("3d 03:00");
    beat.assert_told(&[(DOWN, "3d 03:00")]);
}

#[test]
fn for_an_interval_it_is_held_back_by_an_interval_and_the_grace_after_it() {
    let mut beat = Beat::every(DAY).maintenance("2d 02:30", "2d 04:00");
    beat.success_at("02:00").elapse_until("3d 04:59:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("3d 05:00");
    beat.assert_told(&[(DOWN, "3d 05:00")]);
}

#[test]
fn a_window_that_ends_when_the_success_is_expected_changes_nothing() {
    let mut beat = nightly().maintenance("2d 01:00", "2d 02:00");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);

    let mut beat = nightly().maintenance("2d 01:00", "2d 02:00:00.000001");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[]);
}

#[test]
fn a_window_that_begins_after_the_deadline_changes_nothing() {
    let mut beat = nightly().maintenance("2d 03:00:00.000001", "2d 05:00");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);

    let mut beat = nightly().maintenance("2d 03:00", "2d 05:00");
    beat.elapse_until("2d 05:00");
    beat.assert_told(&[]);
}

#[test]
fn windows_that_follow_each_other_add_up() {
    let mut beat = nightly()
        .maintenance("3d 01:00", "3d 03:00")
        .maintenance("2d 01:00", "2d 03:00");
    beat.elapse_until("4d 03:00");
    beat.assert_told(&[(DOWN, "4d 03:00")]);
}

#[test]
fn a_run_that_is_too_long_in_a_window_has_the_grace_after_it() {
    let mut beat = nightly().maintenance("2d 02:30", "2d 04:00");
    beat.start_at("2d 02:00").elapse_until("2d 04:59:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("2d 05:00");
    beat.assert_told(&[(DOWN, "2d 05:00")]);
    assert_eq!(beat.last().run_started_at, Some(at("2d 02:00")));
}

#[test]
fn a_failure_in_a_window_is_told_all_the_same() {
    let mut beat = nightly().maintenance("2d 01:00", "2d 04:00");
    beat.fail_at("2d 02:00");
    beat.assert_told(&[(DOWN, "2d 02:00")]);
}

#[test]
fn a_success_in_a_window_counts() {
    let mut beat = nightly().maintenance("2d 01:00", "2d 04:00");
    beat.success_at("2d 02:10");
    assert_eq!(beat.state.expected_at, Some(at("3d 02:00")));
    assert_eq!(beat.state.phase, Phase::Up);
}

#[test]
fn a_miss_in_a_window_does_not_count_towards_the_threshold() {
    let mut beat = nightly().maintenance("2d 01:00", "2d 04:00");
    beat.settings.failure_threshold = 2;
    beat.elapse_until("3d 03:00");
    beat.assert_told(&[]);
    beat.elapse_until("4d 03:00");
    beat.assert_told(&[(DOWN, "4d 03:00")]);
}

#[test]
fn a_window_holds_back_the_certainty_after_a_gap_too() {
    // Had it run in the gap, it would next be missed on day 2 at 15:00, inside the window.
    let mut beat = Beat::every(DAY)
        .gap("13:59:50", "14:00")
        .maintenance("2d 14:30", "2d 16:00");
    beat.success_at("02:00").elapse_until("3d 16:59:59");
    beat.assert_told(&[(AlertKind::Unverified, "2d 03:00")]);
    beat.elapse_until("3d 17:00");
    assert_eq!(beat.state.phase, Phase::Down);
}
