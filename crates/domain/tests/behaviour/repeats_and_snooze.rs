//! Repeats, acknowledging and snoozing while an incident is open.

use nightbeat_domain::{AlertKind, Phase, control};

use crate::cast::{Beat, DAY, HOUR, at};

const DOWN: AlertKind = AlertKind::Down;
const REMINDER: AlertKind = AlertKind::Reminder;

/// Down since day 2, 03:00, and repeated every six hours.
fn down() -> Beat {
    let mut beat = Beat::every(DAY).with(|settings| settings.repeat_after = Some(6 * HOUR));
    beat.success_at("02:00").elapse_until("2d 03:00");
    beat
}

#[test]
fn nothing_is_repeated_by_default() {
    let mut beat = Beat::every(DAY);
    beat.fail_at("02:00").elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "02:00")]);
}

#[test]
fn a_down_is_repeated_while_it_lasts() {
    let mut beat = down();
    beat.elapse_until("2d 20:00").success_at("2d 20:30");
    beat.elapse_until("3d 09:00");
    beat.assert_told(&[
        (DOWN, "2d 03:00"),
        (REMINDER, "2d 09:00"),
        (REMINDER, "2d 15:00"),
        (AlertKind::Up, "2d 20:30"),
    ]);
}

#[test]
fn after_a_long_absence_it_is_repeated_once() {
    let mut beat = down();
    beat.look_once("5d 00:00");
    beat.assert_told(&[(DOWN, "2d 03:00"), (REMINDER, "5d 00:00")]);
}

#[test]
fn acknowledging_stops_the_repeats() {
    let mut beat = down();
    beat.acknowledge_at("2d 10:00").elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "2d 03:00"), (REMINDER, "2d 09:00")]);
}

#[test]
fn an_acknowledgement_holds_for_its_incident_only() {
    let mut beat = down();
    beat.acknowledge_at("2d 04:00").success_at("2d 05:00");
    beat.fail_at("3d 05:00").elapse_until("3d 11:00");
    beat.assert_told(&[
        (DOWN, "2d 03:00"),
        (AlertKind::Up, "2d 05:00"),
        (DOWN, "3d 05:00"),
        (REMINDER, "3d 11:00"),
    ]);
}

#[test]
fn a_snooze_holds_alerts_back_and_says_so_at_its_end() {
    let mut beat = down();
    beat.snooze_at("2d 04:00", "3d 08:00")
        .elapse_until("3d 14:00");
    beat.assert_told(&[
        (DOWN, "2d 03:00"),
        (REMINDER, "3d 08:00"),
        (REMINDER, "3d 14:00"),
    ]);
}

#[test]
fn a_snooze_that_outlives_the_incident_says_nothing() {
    let mut beat = down();
    beat.snooze_at("2d 04:00", "3d 08:00")
        .success_at("2d 12:00");
    beat.elapse_until("3d 09:00");
    beat.assert_told(&[(DOWN, "2d 03:00"), (AlertKind::Up, "2d 12:00")]);
}

#[test]
fn an_incident_after_a_snoozed_one_is_told_at_once() {
    let mut beat = down();
    beat.snooze_at("2d 04:00", "9d 00:00")
        .success_at("2d 12:00")
        .elapse_until("3d 20:00");
    beat.assert_told(&[
        (DOWN, "2d 03:00"),
        (AlertKind::Up, "2d 12:00"),
        (DOWN, "3d 13:00"),
        (REMINDER, "3d 19:00"),
    ]);
}

#[test]
fn a_down_that_is_confirmed_during_a_snooze_is_told_at_its_end() {
    let mut beat = Beat::every(DAY).gap("14:00", "14:00:10");
    beat.success_at("02:00").snooze_at("2d 04:00", "2d 18:00");
    beat.elapse_until("2d 16:00");
    assert_eq!(beat.state.phase, Phase::Down);
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(AlertKind::Unverified, "2d 03:00"), (REMINDER, "2d 18:00")]);
}

#[test]
fn acknowledging_a_snoozed_incident_ends_the_matter() {
    let mut beat = down();
    beat.snooze_at("2d 04:00", "2d 18:00")
        .acknowledge_at("2d 10:00");
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);
}

#[test]
fn snoozing_an_acknowledged_incident_asks_for_one_reminder() {
    let mut beat = down();
    beat.acknowledge_at("2d 04:00")
        .snooze_at("2d 05:00", "2d 18:00");
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "2d 03:00"), (REMINDER, "2d 18:00")]);
}

#[test]
fn without_an_incident_there_is_nothing_to_acknowledge_or_snooze() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    let before = beat.state.clone();
    assert!(!control::acknowledge(&beat.settings, &mut beat.state));
    assert!(!control::snooze(
        &beat.settings,
        &mut beat.state,
        at("09:00")
    ));
    assert_eq!(beat.state, before);
}

#[test]
fn a_warning_is_not_repeated() {
    let mut beat = Beat::every(DAY).with(|settings| {
        settings.repeat_after = Some(HOUR);
        settings.warning_codes = vec![3];
    });
    beat.exit_at(3, "02:00").elapse_until("20:00");
    beat.assert_told(&[(AlertKind::Warning, "02:00")]);
}
