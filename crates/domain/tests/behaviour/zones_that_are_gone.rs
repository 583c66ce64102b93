//! A stored schedule whose time zone nobody knows any more.
//!
//! It ran at 02:30 on a wall clock that may be anywhere now.

use nightbeat_domain::{AlertKind, Schedule, Settings};

use crate::cast::{Beat, HOUR, MINUTE, at};

const DOWN: AlertKind = AlertKind::Down;

/// The settings as they come back from where they were stored.
fn stored(schedule: &str) -> Settings {
    let mut settings =
        serde_json::to_value(Settings::new(Schedule::every_seconds(60).unwrap())).unwrap();
    settings["schedule"] = serde_json::from_str(schedule).unwrap();
    serde_json::from_value(settings).unwrap()
}

/// Ran in the night of the first day, when its zone was known; then the server started again without it.
fn nightly(schedule: &str) -> Beat {
    let mut beat = Beat::cron_by_rules("30 2 * * *", "TST-1").grace(30 * MINUTE);
    beat.success_at("01:32");
    beat.settings.schedule = stored(schedule).schedule;
    assert!(beat.settings.schedule.lacks_rules());
    beat
}

const DAILY: &str = r#"{"cron":"30 2 * * *","timezone":"Atlantis/Old_Town"}"#;

#[test]
fn the_deadline_that_was_stored_holds() {
    for schedule in [
        DAILY,
        r#"{"calendar":"02:30 Atlantis/Old_Town","timezone":"UTC"}"#,
    ] {
        let mut beat = nightly(schedule);
        beat.assert_expected("2d 01:30");
        beat.elapse_until("9d 00:00");
        beat.assert_told(&[(DOWN, "2d 02:00")]);
    }
}

#[test]
fn any_gap_since_the_last_run_makes_it_unsure() {
    let mut beat = nightly(DAILY).gap("12:00", "12:01");
    beat.elapse_until("2d 12:00");
    beat.assert_told(&[(AlertKind::Unverified, "2d 02:00")]);
    beat.elapse_until("9d 00:00");
    assert_eq!(beat.alerts.len(), 2);
    assert_eq!(beat.last().kind, DOWN);
}

#[test]
fn a_job_that_goes_on_is_not_reported_missing() {
    let mut beat = nightly(DAILY);
    for day in 2..100 {
        beat.success_at(&format!("{day}d 01:{:02}", 30 + day * 7 % 25));
    }
    beat.assert_told(&[]);
}

#[test]
fn one_that_dies_is_told_about_a_day_after_it_should_have_run() {
    let mut beat = nightly(DAILY);
    beat.success_at("2d 01:32");
    beat.elapse_until("9d 00:00");
    // A day since it ran, the grace, and the hour and a quarter that a clock without rules may be off.
    let told: Vec<_> = beat.alerts.iter().map(|it| it.kind).collect();
    assert_eq!(told, [DOWN]);
    let late = beat.last().at.since(at("3d 02:00"));
    assert!(late <= 2 * HOUR, "{late:?}");
}

#[test]
fn a_job_of_working_days_rests_at_the_weekend() {
    let mut beat = nightly(r#"{"cron":"30 2 * * 1-5","timezone":"Atlantis/Old_Town"}"#);
    // Monday is the first day: 6 and 7, 13 and 14 are no working days.
    for day in [2, 3, 4, 5, 8, 9, 10, 11, 12, 15] {
        beat.success_at(&format!("{day}d 01:32"));
    }
    beat.assert_told(&[]);
    beat.elapse_until("17d 00:00");
    assert_eq!(beat.alerts.len(), 1);
}

/// One line at noon UTC, one at midnight of a clock that shows midnight then too: the other line must not be
/// expected twelve hours later.
#[test]
fn a_line_whose_zone_is_known_keeps_its_hour() {
    let mut beat = nightly(r#"{"calendar":"12:00 UTC\n00:00 Atlantis/Old_Town","timezone":"UTC"}"#);
    beat.success_at("2d 01:32");
    for day in 2..6 {
        for time in ["11:59:57", "12:10"] {
            beat.success_at(&format!("{day}d {time}"));
            beat.assert_expected(&format!("{}d 12:00", day + 1));
        }
    }
    beat.assert_told(&[]);
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "6d 12:30")]);
}
