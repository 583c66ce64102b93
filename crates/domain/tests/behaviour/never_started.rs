//! One reminder for a job that never said anything.

use nightbeat_domain::{AlertKind, Phase};

use crate::cast::{Beat, DAY, HOUR, at};

#[test]
fn a_job_that_never_signals_is_told_once() {
    let mut beat = Beat::every(DAY);
    beat.elapse_until("2d 00:59:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("30d 00:00");
    beat.assert_told(&[(AlertKind::NeverStarted, "2d 01:00")]);
    assert_eq!(beat.state.phase, Phase::New);
    assert_eq!(beat.state.incident, None);
    assert_eq!(beat.last().deadline, Some(at("2d 01:00")));
}

#[test]
fn for_cron_it_is_told_after_the_first_instant() {
    let mut beat = Beat::cron("0 2 * * *", "UTC");
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(AlertKind::NeverStarted, "03:00")]);
}

#[test]
fn it_can_be_switched_off() {
    let mut beat = Beat::every(DAY).with(|settings| settings.remind_never_started = false);
    beat.elapse_until("30d 00:00");
    beat.assert_told(&[]);
}

#[test]
fn a_start_is_a_sign_of_life() {
    let mut beat = Beat::every(DAY).max_run(3 * DAY);
    beat.start_at("2d 00:30").elapse_until("4d 00:00");
    beat.assert_told(&[]);
}

#[test]
fn a_log_alone_is_none() {
    let mut beat = Beat::every(DAY);
    beat.log_at("02:00").elapse_until("9d 00:00");
    beat.assert_told(&[(AlertKind::NeverStarted, "2d 01:00")]);
}

#[test]
fn the_reminder_names_the_gap_in_which_a_signal_may_have_come() {
    let mut beat = Beat::every(DAY).gap("05:00", "06:00");
    beat.elapse_until("2d 01:00");
    assert_eq!(beat.last().kind, AlertKind::NeverStarted);
    assert_eq!(beat.last().gaps, beat.gaps.all());
}

#[test]
fn maintenance_holds_the_reminder_back() {
    let mut beat = Beat::every(DAY).maintenance("2d 00:30", "2d 02:00");
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(AlertKind::NeverStarted, "3d 03:00")]);
}

#[test]
fn an_edit_does_not_remind_again() {
    let mut beat = Beat::every(DAY);
    beat.elapse_until("2d 01:00");
    beat.edit_at("3d 00:00", |settings| settings.grace = 2 * HOUR);
    beat.elapse_until("30d 00:00");
    beat.assert_told(&[(AlertKind::NeverStarted, "2d 01:00")]);
}

#[test]
fn after_the_reminder_the_first_success_begins_everything() {
    let mut beat = Beat::every(DAY);
    beat.success_at("5d 02:00").elapse_until("6d 03:00");
    beat.assert_told(&[
        (AlertKind::NeverStarted, "2d 01:00"),
        (AlertKind::Down, "6d 03:00"),
    ]);
}
