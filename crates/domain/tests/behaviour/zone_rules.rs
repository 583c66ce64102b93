//! The server starts again, and the rules of a time zone are others.
//!
//! The job runs at 02:30 on its own wall clock, which is at first an hour ahead of UTC: at 01:30 UTC.

use nightbeat_calendar::{OnCalendar, Zone};
use nightbeat_domain::{AlertKind, Moved, Phase, Signal, SignalKind, UnixMicros};

use crate::cast::{Beat, DAY, MINUTE, at};

const DOWN: AlertKind = AlertKind::Down;
const UNVERIFIED: AlertKind = AlertKind::Unverified;

const HOUR_AHEAD: &str = "TST-1";
/// Two hours ahead: 02:30 is at 00:30 UTC, an hour earlier.
const EARLIER: &str = "TST-2";
/// As UTC: 02:30 is an hour later.
const LATER: &str = "TST0";
/// As UTC from noon of the first day on.
const LATER_FROM_NOON: &str = "TST-1UTC0,M3.1.1/12,M11.1.0";

/// Ran in the night of the first day, by the rules of before.
fn nightly() -> Beat {
    let mut beat = Beat::cron_by_rules("30 2 * * *", HOUR_AHEAD).grace(30 * MINUTE);
    beat.success_at("01:32");
    beat.assert_expected("2d 01:30");
    beat
}

fn moved_later() -> Beat {
    let mut beat = nightly();
    assert!(beat.new_rules_at("12:00", LATER));
    beat.assert_expected("2d 02:30");
    beat
}

#[test]
fn a_later_instant_is_waited_for_to_the_minute() {
    let mut beat = moved_later();
    beat.elapse_until("2d 02:59:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);
}

#[test]
fn a_machine_with_the_new_rules_is_in_time() {
    let mut beat = moved_later();
    beat.success_at("2d 02:32");
    beat.assert_expected("3d 02:30");
    beat.elapse_until("3d 02:59");
    beat.assert_told(&[]);
}

#[test]
fn a_machine_without_the_new_rules_is_in_time_too() {
    for time in ["2d 01:29:57", "2d 01:32", "2d 02:29"] {
        let mut beat = moved_later();
        beat.success_at(time);
        beat.assert_expected("3d 02:30");
        beat.elapse_until("3d 02:59");
        beat.assert_told(&[]);
    }
}

#[test]
fn a_run_long_before_either_instant_counts_for_neither() {
    let mut beat = moved_later();
    beat.success_at("2d 01:20");
    beat.assert_expected("2d 02:30");
    beat.success_at("2d 01:32");
    beat.assert_expected("3d 02:30");
}

#[test]
fn rules_that_begin_between_the_last_run_and_the_instant_move_it() {
    let mut beat = nightly();
    assert!(beat.new_rules_at("11:00", LATER_FROM_NOON));
    beat.assert_expected("2d 02:30");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);
}

#[test]
fn an_earlier_instant_counts_from_the_time_after_this_one() {
    let mut beat = nightly();
    assert!(!beat.new_rules_at("12:00", EARLIER));
    beat.elapse_until("2d 01:59:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "2d 02:00")]);
}

#[test]
fn an_earlier_instant_calls_no_machine_late_with_either_rules() {
    for time in ["2d 00:29:57", "2d 00:32", "2d 01:32", "2d 02:00"] {
        let mut beat = nightly();
        beat.new_rules_at("12:00", EARLIER);
        beat.success_at(time);
        beat.assert_expected("3d 00:30");
        beat.elapse_until("9d 00:00");
        beat.assert_told(&[(DOWN, "3d 01:00")]);
    }
}

#[test]
fn what_is_overdue_stays_overdue() {
    let mut beat = nightly();
    beat.new_rules_at("2d 02:00", LATER);
    beat.assert_expected("2d 01:30");
    beat.look_once("2d 02:00");
    beat.assert_told(&[(DOWN, "2d 02:00")]);
}

/// The server is away while tzdata is updated, longer than the grace; the job's machine has the old rules
/// then, and its success is delivered late.
#[test]
fn a_success_for_what_was_overdue_at_the_restart_counts_for_the_later_instant() {
    let mut beat = nightly().gap("2d 01:00", "2d 02:10");
    beat.success_at("01:33");
    beat.elapse_until("2d 00:59");
    beat.new_rules_at("2d 02:10", LATER);
    beat.late_success("2d 01:32", "2d 02:10:05");
    beat.assert_expected("3d 02:30");
    beat.elapse_until("3d 02:59");
    beat.assert_told(&[]);
}

#[test]
fn what_was_overdue_at_the_restart_is_one_miss_and_not_two() {
    let mut beat = nightly().failure_threshold(2);
    beat.success_at("01:33");
    beat.new_rules_at("2d 02:10", LATER);
    beat.elapse_until("3d 02:59");
    beat.assert_told(&[]);
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "3d 03:00")]);
}

#[test]
fn a_run_that_overran_at_the_old_instant_is_not_missed_at_the_new_one() {
    let mut beat = nightly().failure_threshold(2);
    beat.success_at("01:33");
    beat.new_rules_at("12:00", LATER);
    beat.start_at("2d 01:30");
    beat.elapse_until("3d 02:59");
    beat.assert_told(&[]);
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "3d 03:00")]);
}

#[test]
fn within_its_grace_it_still_moves() {
    let mut beat = nightly();
    beat.elapse_until("2d 01:59");
    assert!(beat.new_rules_at("2d 01:59:59", LATER));
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);
}

#[test]
fn an_instant_that_the_new_rules_skip_is_not_waited_for() {
    let zone = Zone::with_rules("Test/Zone", jiff::tz::TimeZone::posix(HOUR_AHEAD).unwrap());
    let events = OnCalendar::parse("02:30", &zone).unwrap();
    let mut beat = Beat::on(events.into()).grace(30 * MINUTE);
    beat.success_at("01:32");
    // On Tuesday, 3 March, the clocks now go from 02:00 to 03:00.
    assert!(beat.new_rules_at("12:00", "TST-1TDT,M3.1.2/2,M11.1.0"));
    beat.assert_expected("3d 00:30");
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "3d 01:00")]);
}

#[test]
fn a_run_in_a_gap_over_the_old_instant_may_have_been_the_one() {
    let mut beat = moved_later().gap("2d 01:25", "2d 01:35");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00")]);
    beat.elapse_until("3d 03:00");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00"), (DOWN, "3d 03:00")]);
}

#[test]
fn rules_that_change_twice_keep_the_first_promise() {
    let mut beat = moved_later();
    assert!(beat.new_rules_at("13:00", "TST1"));
    beat.assert_expected("2d 03:30");
    let moved = Moved {
        from: at("2d 01:30"),
        to: at("2d 03:30"),
    };
    assert_eq!(beat.state.moved, Some(moved));
    // And back again: what was promised last stays for this time.
    assert!(!beat.new_rules_at("14:00", HOUR_AHEAD));
    beat.success_at("2d 01:32");
    beat.assert_expected("3d 01:30");
}

#[test]
fn a_fresh_grace_after_an_edit_is_no_instant_of_the_schedule() {
    let mut beat = Beat::cron_by_rules("30 2 * * *", HOUR_AHEAD).grace(30 * MINUTE);
    beat.success_at("01:32");
    beat.elapse_until("2d 01:40");
    beat.edit_at("2d 01:50:00.25", |settings| settings.grace = MINUTE);
    beat.assert_expected("2d 01:50:00.25");
    assert!(!beat.new_rules_at("2d 01:50:01", LATER));
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "2d 01:51:00.25")]);
}

#[test]
fn an_edit_after_new_rules_makes_nothing_overdue() {
    let mut beat = moved_later();
    beat.edit_at("13:00", |settings| settings.grace = MINUTE);
    beat.assert_expected("2d 02:30");
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "2d 02:31")]);
}

#[test]
fn an_edit_keeps_what_was_promised_where_new_rules_are_earlier() {
    for time in ["13:00", "2d 00:29", "2d 00:31", "2d 01:29"] {
        let mut beat = nightly();
        beat.new_rules_at("12:00", EARLIER);
        beat.edit_at(time, |settings| settings.grace = 10 * MINUTE);
        beat.assert_expected("2d 01:30");
        beat.elapse_until("9d 00:00");
        beat.assert_told(&[(DOWN, "2d 01:40")]);
    }
}

#[test]
fn an_edit_while_it_is_late_by_the_old_rules_keeps_the_old_instant() {
    let mut beat = nightly();
    beat.new_rules_at("12:00", EARLIER);
    beat.edit_at("2d 01:31", |settings| settings.grace = 62 * MINUTE);
    beat.assert_expected("2d 01:30");
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "2d 02:32")]);
}

#[test]
fn an_edit_after_a_run_by_the_old_rules_expects_no_second_one() {
    for time in ["2d 01:40", "2d 02:29", "2d 02:31"] {
        let mut beat = moved_later();
        beat.success_at("2d 01:32");
        beat.edit_at(time, |settings| settings.grace = 10 * MINUTE);
        beat.assert_expected("3d 02:30");
        beat.elapse_until("3d 02:39");
        beat.assert_told(&[]);
    }
}

#[test]
fn an_edit_of_the_schedule_itself_counts_at_once() {
    let mut beat = nightly();
    beat.new_rules_at("12:00", EARLIER);
    beat.edit_at("13:00", |settings| {
        settings.schedule = Beat::cron_by_rules("0 2 * * *", EARLIER).settings.schedule;
    });
    beat.assert_expected("2d 00:00");
}

#[test]
fn paused_and_reminded_heartbeats_expect_nothing_afterwards_either() {
    let mut beat = nightly();
    beat.pause_at("03:00");
    assert!(!beat.new_rules_at("12:00", LATER));
    assert_eq!(beat.state.expected_at, None);
    assert_eq!(beat.state.phase, Phase::Paused);
}

#[test]
fn a_row_of_misses_below_the_threshold_goes_on() {
    let mut beat = nightly().failure_threshold(3);
    beat.success_at("01:33");
    beat.elapse_until("3d 12:00");
    assert_eq!(beat.state.failures, 2);
    assert!(beat.new_rules_at("3d 12:00", LATER));
    beat.elapse_until("9d 00:00");
    beat.assert_told(&[(DOWN, "4d 03:00")]);
}

/// Whatever the rules were and are: a job that runs by either is never reported missing, and a dead one
/// always is, at the latest a day after it would have been, and never twice.
#[test]
fn whichever_rules_hold_and_whoever_has_them() {
    let posix = |quarters: i32| {
        let sign = if quarters < 0 { "" } else { "-" };
        let minutes = quarters.abs() * 15;
        format!("TST{sign}{}:{:02}", minutes / 60, minutes % 60)
    };
    // Noon on the machine, whose clock is so many quarters of an hour ahead.
    let noon = |quarters: i32| {
        let minutes = 2 * 1_440 + 720 - quarters * 15;
        format!(
            "{}d {}:{:02}",
            minutes / 1_440 + 1,
            minutes / 60 % 24,
            minutes % 60
        )
    };
    for old in (-40..=40).step_by(5) {
        for new in old - 12..=old + 12 {
            let before = || {
                let mut beat = Beat::cron_by_rules("0 12 * * *", &posix(old)).grace(MINUTE);
                let last = at(&noon(old)).0 - 86_400_000_000 + 1;
                let last = UnixMicros(last);
                let success = SignalKind::Success;
                beat.signal(&Signal::new(success, last));
                beat.alerts.clear();
                beat.assert_expected(&noon(old));
                let soon_after = last + MINUTE;
                beat.elapse_at(soon_after);
                beat.follow_rules(soon_after, &posix(new));
                beat
            };
            for rules in [old, new] {
                let mut well = before();
                well.success_at(&format!("{}:01", noon(rules)));
                assert!(
                    well.alerts.is_empty(),
                    "{old} {new} {rules}: {:?}",
                    well.alerts
                );
                let next = well.state.expected_at.unwrap();
                let following = at(&noon(new)) + DAY;
                assert_eq!(next, following, "{old} {new} {rules}");
            }
            let mut dead = before();
            dead.elapse_until("9d 00:00");
            let told: Vec<_> = dead.alerts.iter().map(|it| (it.kind, it.at)).collect();
            let deadline = at(&noon(old)).max(at(&noon(new))) + MINUTE;
            assert_eq!(told, [(DOWN, deadline)], "{old} {new}");
        }
    }
}
