//! What a person changes: settings, pausing, resuming.

use nightbeat_domain::{
    AlertKind, Cause, Claim, Closing, IgnoredBecause, IncidentChange, Phase, Schedule, Signal,
    SignalKind, Status,
};

use crate::cast::{Beat, DAY, HOUR, at, rid};

const DOWN: AlertKind = AlertKind::Down;
const UP: AlertKind = AlertKind::Up;

fn hours(n: u64) -> Schedule {
    Schedule::every_seconds(n * 3_600).unwrap()
}

#[test]
fn an_edit_counts_from_the_last_run() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    beat.edit_at("03:00", |settings| settings.schedule = hours(6));
    beat.elapse_until("09:00");
    beat.assert_told(&[(DOWN, "09:00")]);
}

#[test]
fn what_an_edit_makes_overdue_gets_a_fresh_grace() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    beat.edit_at("20:00", |settings| settings.schedule = hours(6));
    beat.elapse_until("20:59:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("21:00");
    beat.assert_told(&[(DOWN, "21:00")]);
}

/// Each expression is an instant that passed since the last run, before or after its grace.
#[test]
fn an_instant_that_passed_before_the_edit_was_not_missed() {
    for passed in ["0 12 * * *", "30 14 * * *", "0 14,15 * * *"] {
        let mut beat = Beat::cron("30 2 * * *", "UTC");
        beat.success_at("02:32");
        beat.edit_at("15:00", |settings| {
            settings.schedule = Schedule::cron(passed, "UTC").unwrap();
        });
        beat.elapse_until("2d 12:00");
        beat.assert_told(&[]);
        beat.elapse_until("9d 00:00");
        assert_eq!(beat.alerts.len(), 1, "{passed}");
    }
}

#[test]
fn a_late_job_stays_due_when_its_schedule_is_edited() {
    let mut beat = Beat::cron("30 2 * * *", "UTC");
    beat.success_at("02:32");
    beat.edit_at("2d 02:50", |settings| {
        settings.schedule = Schedule::cron("0 1 * * *", "UTC").unwrap();
    });
    beat.elapse_until("2d 03:49:59");
    beat.assert_told(&[]);
    beat.elapse_until("2d 03:50");
    beat.assert_told(&[(DOWN, "2d 03:50")]);
}

/// Also where the new time passed between the last run and what was expected.
#[test]
fn a_late_job_whose_time_is_put_later_is_due_at_that_time() {
    let mut beat = Beat::cron("30 2 * * *", "UTC");
    beat.success_at("02:32");
    beat.edit_at("2d 02:50", |settings| {
        settings.schedule = Schedule::cron("0 4 * * *", "UTC").unwrap();
    });
    beat.elapse_until("2d 04:59:59");
    beat.assert_told(&[]);
    beat.elapse_until("2d 05:00");
    beat.assert_told(&[(DOWN, "2d 05:00")]);
}

#[test]
fn an_edit_that_makes_it_fine_closes_the_incident() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    beat.edit_at("2d 04:00", |settings| settings.schedule = hours(48));
    beat.assert_told(&[(DOWN, "2d 03:00"), (UP, "2d 04:00")]);
    assert_eq!(beat.last().closing, Some(Closing::Edited));
    beat.elapse_until("3d 03:00");
    assert_eq!(beat.incident(), (Cause::Missed, Claim::Down));
}

#[test]
fn an_edit_that_leaves_it_overdue_leaves_the_incident_open() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    beat.edit_at("2d 04:00", |settings| settings.schedule = hours(25));
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);
}

#[test]
fn an_edit_does_not_close_a_failure() {
    let mut beat = Beat::every(DAY);
    beat.fail_at("02:00");
    beat.edit_at("03:00", |settings| settings.schedule = hours(48));
    assert_eq!(beat.incident(), (Cause::Failed, Claim::Down));
}

#[test]
fn an_edit_does_not_count_old_misses_again() {
    let mut beat = Beat::every(DAY).failure_threshold(2);
    beat.success_at("02:00");
    beat.edit_at("2d 04:00", |settings| settings.remind_never_started = false);
    beat.elapse_until("3d 02:59:59");
    beat.assert_told(&[]);
    beat.elapse_until("3d 03:00");
    beat.assert_told(&[(DOWN, "3d 03:00")]);
}

#[test]
fn a_longer_limit_reaches_the_open_run() {
    let mut beat = Beat::every(DAY);
    beat.start_at("02:00");
    beat.edit_at("02:30", |settings| settings.max_run_time = Some(3 * HOUR));
    beat.elapse_until("04:59");
    beat.assert_told(&[]);
    beat.elapse_until("05:00");
    beat.assert_told(&[(DOWN, "05:00")]);
}

#[test]
fn a_limit_that_the_open_run_is_over_already_gives_it_a_grace() {
    let mut beat = Beat::every(DAY).max_run(8 * HOUR);
    beat.start_at("02:00");
    beat.edit_at("06:00", |settings| settings.max_run_time = Some(2 * HOUR));
    beat.elapse_until("06:59");
    beat.assert_told(&[]);
    beat.elapse_until("07:00");
    beat.assert_told(&[(DOWN, "07:00")]);
}

#[test]
fn a_longer_limit_closes_an_overrun_and_the_run_goes_on() {
    let mut beat = Beat::every(DAY);
    beat.start_at("02:00");
    beat.edit_at("03:30", |settings| settings.max_run_time = Some(3 * HOUR));
    assert_eq!(beat.state.phase, Phase::Up);
    assert_eq!(beat.state.running_since(), Some(at("02:00")));
    beat.elapse_until("05:00");
    beat.assert_told(&[(DOWN, "03:00"), (UP, "03:30"), (DOWN, "05:00")]);
}

#[test]
fn nothing_is_expected_of_a_paused_heartbeat() {
    let mut beat = Beat::every(DAY);
    beat.start_at("02:00")
        .pause_at("02:10")
        .elapse_until("30d 00:00");
    beat.assert_told(&[]);
    assert_eq!(beat.state.wake_at, None);
    assert_eq!(beat.status_at("30d 00:00"), Status::Paused);
}

#[test]
fn pausing_closes_the_incident_without_a_word() {
    let mut beat = Beat::every(DAY);
    beat.fail_at("02:00").pause_at("03:00");
    beat.assert_told(&[(DOWN, "02:00")]);
    let closed = beat.effects.incidents[0];
    assert!(matches!(
        closed,
        IncidentChange::Closed {
            closing: Closing::Paused,
            ..
        }
    ));
}

#[test]
fn resuming_expects_a_success_an_interval_later() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00")
        .pause_at("03:00")
        .resume_at("9d 10:00");
    assert_eq!(beat.state.phase, Phase::Up);
    beat.elapse_until("10d 10:59");
    beat.assert_told(&[]);
    beat.elapse_until("10d 11:00");
    beat.assert_told(&[(DOWN, "10d 11:00")]);
}

#[test]
fn resuming_what_is_not_paused_does_nothing() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    let expected_at = beat.state.expected_at;
    beat.resume_at("10:00");
    assert_eq!(beat.state.expected_at, expected_at);
}

#[test]
fn a_new_heartbeat_is_new_again_after_a_pause() {
    let mut beat = Beat::every(DAY);
    beat.pause_at("03:00").resume_at("9d 10:00");
    assert_eq!(beat.state.phase, Phase::New);
    beat.elapse_until("20d 00:00");
    beat.assert_told(&[(AlertKind::NeverStarted, "10d 11:00")]);
}

#[test]
fn a_job_that_only_ever_started_is_missed_after_a_pause() {
    let mut beat = Beat::every(DAY);
    beat.start_at("02:00")
        .pause_at("02:10")
        .resume_at("9d 10:00");
    beat.elapse_until("10d 11:00");
    beat.assert_told(&[(DOWN, "10d 11:00")]);
}

#[test]
fn a_signal_resumes_a_paused_heartbeat() {
    for kind in [SignalKind::Success, SignalKind::Fail, SignalKind::Start] {
        let mut beat = Beat::every(DAY);
        beat.success_at("02:00").pause_at("03:00");
        beat.signal(&Signal::new(kind, at("5d 02:00")));
        assert_ne!(beat.state.phase, Phase::Paused, "{kind:?}");
        beat.elapse_until("6d 03:00");
        assert_eq!(beat.state.phase, Phase::Down, "{kind:?}");
    }
}

#[test]
fn a_log_does_not_resume_a_paused_heartbeat() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00")
        .pause_at("03:00")
        .log_at("5d 02:00");
    assert_eq!(beat.state.phase, Phase::Paused);
}

#[test]
fn with_manual_resume_a_signal_is_recorded_and_ignored() {
    let mut beat = Beat::every(DAY).with(|settings| settings.manual_resume = true);
    beat.success_at("02:00").pause_at("03:00");
    let observed = beat.signal(&Signal::new(SignalKind::Success, at("5d 02:00")));
    assert_eq!(observed.ignored, Some(IgnoredBecause::Paused));
    assert_eq!(beat.state.phase, Phase::Paused);
    assert_eq!(beat.state.signals, 2);
}

#[test]
fn a_stale_start_that_resumes_leaves_a_success_expected() {
    let mut beat = Beat::every(DAY);
    beat.start_of(1, "02:00")
        .success_of(1, "02:10")
        .pause_at("03:00");
    let start = beat.signal(&Signal {
        rid: Some(rid(1)),
        ..Signal::new(SignalKind::Start, at("5d 02:00"))
    });
    assert_eq!(start.ignored, Some(IgnoredBecause::OutOfOrder));
    beat.elapse_until("6d 03:00");
    beat.assert_told(&[(DOWN, "6d 03:00")]);
}

#[test]
fn a_success_from_before_the_pause_that_resumes_is_not_missed_at_once() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00").pause_at("3d 00:00");
    beat.late_success("2d 02:00", "8d 00:00");
    beat.elapse_until("9d 00:59");
    assert_eq!(beat.state.phase, Phase::Up);
    beat.elapse_until("9d 01:00");
    assert_eq!(beat.state.phase, Phase::Down);
}

#[test]
fn failures_from_before_a_pause_are_forgotten() {
    let mut beat = Beat::every(DAY).failure_threshold(2);
    beat.fail_at("02:00").pause_at("03:00").fail_at("5d 02:00");
    assert_eq!(beat.state.phase, Phase::Up);
    beat.assert_told(&[]);
}
