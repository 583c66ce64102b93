//! Successes, failures, logs, and the deadline between them.

use nightbeat_domain::{
    AlertKind, Cause, Claim, Closing, IgnoredBecause, Outcome, Phase, Severity, Signal, SignalKind,
    Status,
};

use crate::cast::{Beat, DAY, MINUTE, at};

#[test]
fn a_success_is_followed_by_the_next_one_an_interval_later() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    assert_eq!(beat.state.phase, Phase::Up);
    assert_eq!(beat.state.expected_at, Some(at("2d 02:00")));
    assert_eq!(beat.state.deadline(&beat.settings), Some(at("2d 03:00")));
}

#[test]
fn it_is_late_when_expected_and_down_when_the_grace_is_over() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    beat.elapse_until("2d 01:59:59.999999");
    assert_eq!(beat.status_at("2d 01:59:59.999999"), Status::Up);
    assert_eq!(beat.status_at("2d 02:00"), Status::Late);
    beat.elapse_until("2d 02:59:59.999999");
    assert_eq!(beat.status_at("2d 02:59:59.999999"), Status::Late);
    beat.elapse_until("2d 03:00");
    assert_eq!(beat.status_at("2d 03:00"), Status::Down);
    assert_eq!(beat.incident(), (Cause::Missed, Claim::Down));
    beat.assert_told(&[(AlertKind::Down, "2d 03:00")]);
    let told = beat.last();
    assert_eq!(told.expected_at, Some(at("2d 02:00")));
    assert_eq!(told.deadline, Some(at("2d 03:00")));
    assert_eq!(told.last_success_at, Some(at("02:00")));
}

#[test]
fn a_success_exactly_at_the_deadline_is_in_time() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00").success_at("2d 03:00");
    beat.elapse_until("2d 04:00");
    beat.assert_told(&[]);
}

#[test]
fn a_success_a_microsecond_after_the_deadline_is_late_and_told() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00").success_at("2d 03:00:00.000001");
    beat.assert_told(&[
        (AlertKind::Down, "2d 03:00"),
        (AlertKind::Up, "2d 03:00:00.000001"),
    ]);
    assert_eq!(beat.last().closing, Some(Closing::Success));
    assert_eq!(beat.false_raises, 0);
}

#[test]
fn a_down_job_is_told_once_however_long_it_stays_silent() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00").elapse_until("30d 00:00");
    beat.assert_told(&[(AlertKind::Down, "2d 03:00")]);
}

#[test]
fn cron_expects_the_next_instant_on_the_wall_clock() {
    let mut beat = Beat::cron("0 2 * * *", "Europe/Madrid");
    // 02:00 in Madrid is 01:00 UTC, in winter.
    beat.success_at("01:10");
    assert_eq!(beat.state.expected_at, Some(at("2d 01:00")));
    beat.success_at("20d 01:10");
    assert_eq!(beat.state.expected_at, Some(at("21d 01:00")));
    // On Sunday 29 March (day 28) 02:00 does not exist there: the job runs at 03:00, which is 01:00 UTC.
    beat.success_at("27d 01:10");
    assert_eq!(beat.state.expected_at, Some(at("28d 01:00")));
    beat.success_at("28d 01:10");
    assert_eq!(beat.state.expected_at, Some(at("29d 00:00")));
}

#[test]
fn a_success_shortly_before_an_instant_counts_for_that_instant() {
    let mut beat = Beat::cron("0 2 * * *", "UTC");
    beat.success_at("01:55");
    assert_eq!(beat.state.expected_at, Some(at("2d 02:00")));
}

#[test]
fn a_success_more_than_five_minutes_before_an_instant_does_not_count_for_it() {
    let mut beat = Beat::cron("0 2 * * *", "UTC");
    beat.success_at("01:54:59.999999");
    assert_eq!(beat.state.expected_at, Some(at("02:00")));
}

#[test]
fn the_early_tolerance_is_at_most_a_tenth_of_the_distance() {
    let mut beat = Beat::cron("*/10 * * * *", "UTC").grace(MINUTE);
    beat.success_at("00:09");
    assert_eq!(beat.state.expected_at, Some(at("00:20")));
    beat.success_at("00:18:59.999999");
    assert_eq!(beat.state.expected_at, Some(at("00:20")));
}

#[test]
fn a_success_closes_the_incident_and_clears_the_failures() {
    let mut beat = Beat::every(DAY);
    beat.fail_at("02:00").success_at("02:30");
    beat.assert_told(&[(AlertKind::Down, "02:00"), (AlertKind::Up, "02:30")]);
    assert_eq!(beat.state.phase, Phase::Up);
    assert_eq!(beat.state.failures, 0);
    assert_eq!(beat.state.incident, None);
}

#[test]
fn a_failure_is_told_at_once_with_its_exit_code() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00").exit_at(7, "2d 02:00");
    assert_eq!(beat.incident(), (Cause::Failed, Claim::Down));
    assert_eq!(beat.last().exit_code, Some(7));
    let run = beat.effects.run.clone().unwrap();
    assert_eq!((run.outcome, run.exit_code), (Outcome::Failed, Some(7)));
}

#[test]
fn a_new_job_may_fail_too() {
    let mut beat = Beat::every(DAY);
    beat.fail_at("02:00");
    beat.assert_told(&[(AlertKind::Down, "02:00")]);
}

#[test]
fn a_failed_run_is_not_missed_as_well() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00").fail_at("2d 02:00");
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(AlertKind::Down, "2d 02:00")]);
}

#[test]
fn a_warning_code_warns() {
    let mut beat = Beat::every(DAY).with(|settings| settings.warning_codes = vec![3]);
    beat.exit_at(3, "02:00");
    assert_eq!(beat.state.phase, Phase::Warning);
    assert_eq!(beat.incident(), (Cause::Failed, Claim::Warning));
    assert_eq!(beat.effects.run.clone().unwrap().outcome, Outcome::Warning);
    assert_eq!(beat.state.last_success_at, Some(at("02:00")));
    beat.exit_at(4, "2d 02:00");
    assert_eq!(beat.incident(), (Cause::Failed, Claim::Down));
    beat.assert_told(&[(AlertKind::Warning, "02:00"), (AlertKind::Down, "2d 02:00")]);
}

#[test]
fn a_job_that_warns_is_missed_like_any_other() {
    let mut beat = Beat::every(DAY).with(|settings| settings.warning_codes = vec![3]);
    beat.exit_at(3, "02:00").elapse_until("2d 03:00");
    assert_eq!(beat.incident(), (Cause::Missed, Claim::Down));
}

#[test]
fn a_success_that_breaks_a_rule_is_hollow() {
    let mut beat = Beat::every(DAY);
    beat.hollow_at(Severity::Failure, "02:00");
    assert_eq!(beat.incident(), (Cause::Hollow, Claim::Down));
    assert_eq!(beat.last().broken_rules[0].rule, "files_total > 0");
    assert_eq!(beat.state.last_success_at, None);
}

#[test]
fn a_broken_rule_that_says_so_only_warns() {
    let mut beat = Beat::every(DAY);
    beat.hollow_at(Severity::Warning, "02:00");
    assert_eq!(beat.incident(), (Cause::Hollow, Claim::Warning));
    beat.success_at("2d 02:00");
    beat.assert_told(&[(AlertKind::Warning, "02:00"), (AlertKind::Up, "2d 02:00")]);
}

#[test]
fn a_log_changes_nothing() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    let before = beat.state.clone();
    beat.log_at("20:00");
    assert_eq!(beat.state.expected_at, before.expected_at);
    assert_eq!(beat.state.last_signal_at, before.last_signal_at);
    assert_eq!(beat.state.signals, 2);
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(AlertKind::Down, "2d 03:00")]);
}

#[test]
fn what_does_not_count_is_recorded_and_changes_nothing() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    let observed = beat.signal(&Signal {
        ignored: Some(IgnoredBecause::Previewer),
        ..Signal::new(SignalKind::Success, at("2d 02:30"))
    });
    assert_eq!(observed.ignored, Some(IgnoredBecause::Previewer));
    assert_eq!(beat.state.signals, 2);
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(AlertKind::Down, "2d 03:00")]);
}

#[test]
fn a_down_that_was_claimed_although_a_success_had_arrived_is_retracted_and_counted() {
    let mut beat = Beat::every(DAY).recovery_threshold(3);
    beat.success_at("02:00").elapse_until("2d 03:00");
    beat.signal_unseen(&Signal::new(SignalKind::Success, at("2d 03:00")));
    assert_eq!(beat.last().kind, AlertKind::Up);
    assert_eq!(beat.last().closing, Some(Closing::Retracted));
    assert_eq!(beat.false_raises, 1);
    assert_eq!(beat.state.phase, Phase::Up);
}

#[test]
fn the_shortest_heartbeat_works_to_the_microsecond() {
    let second = MINUTE / 60;
    let mut beat = Beat::every(second).grace(second);
    beat.success_at("00:00:01").success_at("00:00:03");
    beat.elapse_until("00:00:04.999999");
    beat.assert_told(&[]);
    beat.elapse_until("00:00:05");
    beat.assert_told(&[(AlertKind::Down, "00:00:05")]);
}
