//! What we could not see: which gaps count, and what is claimed when.

use nightbeat_domain::{AlertKind, Cause, Claim, Closing, Phase, Signal, SignalKind};

use crate::cast::{Beat, DAY, HOUR, MINUTE, at};

const DOWN: AlertKind = AlertKind::Down;
const UNVERIFIED: AlertKind = AlertKind::Unverified;

/// Daily at 02:00 with a grace of an hour, last seen on day 1: due on day 2 at 03:00.
fn nightly() -> Beat {
    let mut beat = Beat::cron("0 2 * * *", "UTC");
    beat.success_at("02:00");
    beat
}

/// The same as an interval.
fn daily() -> Beat {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    beat
}

#[test]
fn without_a_gap_a_miss_is_certain() {
    for mut beat in [daily(), nightly()] {
        beat.elapse_until("2d 03:00");
        beat.assert_told(&[(DOWN, "2d 03:00")]);
        assert_eq!(beat.last().gaps, []);
    }
}

#[test]
fn a_gap_at_noon_counts_for_an_interval_but_not_for_cron() {
    let mut beat = daily().gap("14:00", "14:00:10");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00")]);

    let mut beat = nightly().gap("14:00", "14:00:10");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);
}

#[test]
fn a_short_gap_is_told_at_the_deadline_alone_and_named() {
    let mut beat = daily().gap("14:00", "14:00:10");
    beat.elapse_until("2d 03:00");
    let told = beat.last();
    assert_eq!((told.kind, told.at), (UNVERIFIED, at("2d 03:00")));
    assert!(!told.digest);
    assert_eq!(told.gaps, beat.gaps.all());
    assert_eq!(told.incident.as_ref().unwrap().claim, Claim::Unverified);
}

#[test]
fn a_gap_of_a_hundredth_of_the_interval_is_long() {
    // A hundredth of a day is 14 min 24 s.
    let mut beat = daily().gap("14:00", "14:14:23.999999");
    beat.elapse_until("2d 03:10");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00")]);

    let mut beat = daily().gap("14:00", "14:14:24");
    beat.elapse_until("2d 03:10");
    beat.assert_told(&[(UNVERIFIED, "2d 03:10")]);
    assert!(beat.last().digest);
}

#[test]
fn a_gap_under_thirty_seconds_is_short_whatever_the_interval() {
    let mut beat = Beat::every(10 * MINUTE).gap("00:05", "00:05:29");
    beat.success_at("00:00").elapse_until("01:10");
    beat.assert_told(&[(UNVERIFIED, "01:10")]);
    assert!(!beat.last().digest);

    let mut beat = Beat::every(10 * MINUTE).gap("00:05", "00:05:30");
    beat.success_at("00:00").elapse_until("01:15");
    assert_eq!(
        beat.state.phase,
        Phase::Up,
        "patient, then certain at 01:15:30"
    );
    beat.elapse_until("01:15:30");
    beat.assert_told(&[(DOWN, "01:15:30")]);
}

#[test]
fn several_short_gaps_are_long_together() {
    let mut beat = daily().gap("14:00", "14:08").gap("16:00", "16:08");
    beat.elapse_until("2d 03:10");
    beat.assert_told(&[(UNVERIFIED, "2d 03:10")]);
    assert_eq!(beat.last().gaps.len(), 2);
}

#[test]
fn an_alert_names_the_latest_gaps_only() {
    let mut beat = daily();
    for hour in 3..15 {
        beat = beat.gap(&format!("{hour}:00"), &format!("{hour}:00:01"));
    }
    beat.elapse_until("2d 03:00");
    assert_eq!(beat.last().gaps.len(), 10);
    assert_eq!(beat.last().gaps[0].from, at("5:00"));
}

#[test]
fn a_gap_that_ended_before_the_last_signal_does_not_count() {
    let mut beat = daily().gap("01:00", "02:00");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);

    let mut beat = daily().gap("02:00", "02:00:00.000001");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);

    let mut beat = daily().gap("02:00", "02:00:00.000002");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00")]);
}

#[test]
fn a_gap_that_begins_exactly_at_the_deadline_counts() {
    for beat in [daily(), nightly()] {
        let mut beat = beat.gap("2d 03:00", "2d 04:00");
        beat.elapse_until("2d 04:09:59.999999");
        beat.assert_told(&[]);
        beat.elapse_until("2d 04:10");
        beat.assert_told(&[(UNVERIFIED, "2d 04:10")]);
        assert!(beat.last().digest);
    }
}

#[test]
fn a_gap_that_begins_a_microsecond_after_the_deadline_does_not_count() {
    for beat in [daily(), nightly()] {
        let mut beat = beat.gap("2d 03:00:00.000001", "2d 04:00");
        beat.look_once("2d 04:00");
        beat.assert_told(&[(DOWN, "2d 04:00")]);
        assert_eq!(beat.last().deadline, Some(at("2d 03:00")));
    }
}

#[test]
fn for_cron_a_gap_counts_from_the_early_tolerance_on() {
    let mut beat = nightly().gap("2d 01:00", "2d 01:55");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);

    let mut beat = nightly().gap("2d 01:54", "2d 01:55:00.000001");
    beat.elapse_until("2d 03:00");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00")]);
}

#[test]
fn for_cron_down_waits_for_the_first_instant_that_no_gap_touches() {
    // A success at 01:57 would have counted for 02:00, and we would not have seen it.
    let mut beat = nightly().gap("2d 01:56", "2d 01:58");
    beat.elapse_until("3d 02:59:59.999999");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00")]);
    beat.elapse_until("3d 03:00");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00"), (DOWN, "3d 03:00")]);
}

#[test]
fn for_cron_an_instant_exactly_at_the_end_of_a_gap_is_within_its_early_window() {
    let mut beat = Beat::cron("0 * * * *", "UTC").grace(10 * MINUTE);
    beat.success_at("01:00:30");
    beat = beat.gap("02:05", "03:00");
    beat.elapse_until("03:10");
    beat.assert_told(&[(UNVERIFIED, "03:10")]);
    beat.elapse_until("04:10");
    beat.assert_told(&[(UNVERIFIED, "03:10"), (DOWN, "04:10")]);
}

#[test]
fn for_an_interval_down_waits_for_an_interval_and_the_grace_after_the_gap() {
    let mut beat = daily().gap("14:00", "14:00:10");
    beat.elapse_until("2d 15:00:09.999999");
    assert_eq!(beat.incident(), (Cause::Missed, Claim::Unverified));
    beat.elapse_until("2d 15:00:10");
    assert_eq!(beat.incident(), (Cause::Missed, Claim::Down));
    assert_eq!(beat.state.incidents, 1, "the same incident, confirmed");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00"), (DOWN, "2d 15:00:10")]);
}

#[test]
fn a_second_gap_before_we_are_sure_puts_off_down_again() {
    let mut beat = daily().gap("14:00", "14:00:10").gap("2d 10:00", "2d 11:00");
    beat.elapse_until("3d 11:59:59.999999");
    assert_eq!(beat.state.phase, Phase::Unverified);
    beat.elapse_until("3d 12:00");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00"), (DOWN, "3d 12:00")]);
}

#[test]
fn after_a_long_gap_over_the_deadline_the_job_has_ten_minutes_to_report() {
    let mut beat = daily().gap("2d 01:50", "2d 06:00");
    beat.success_at("2d 06:09");
    beat.assert_told(&[]);

    let mut beat = daily().gap("2d 01:50", "2d 06:00");
    beat.elapse_until("2d 06:10");
    beat.assert_told(&[(UNVERIFIED, "2d 06:10")]);
    assert!(beat.last().digest);
}

#[test]
fn the_time_to_report_is_the_grace_within_one_and_ten_minutes() {
    for (grace, told) in [
        (MINUTE / 60, "2d 06:01"),
        (5 * MINUTE, "2d 06:05"),
        (HOUR, "2d 06:10"),
    ] {
        let mut beat = Beat::cron("0 2 * * *", "UTC").grace(grace);
        beat.success_at("02:00");
        beat = beat.gap("2d 01:50", "2d 06:00");
        beat.elapse_until("2d 12:00");
        beat.assert_told(&[(UNVERIFIED, told)]);
    }
}

#[test]
fn a_short_gap_over_the_deadline_itself_is_patient_too() {
    let mut beat = nightly().gap("2d 02:59:55", "2d 03:00:05");
    beat.elapse_until("2d 03:10:05");
    beat.assert_told(&[(UNVERIFIED, "2d 03:10:05")]);
    assert!(beat.last().digest);
}

#[test]
fn a_crash_loop_is_told_after_ten_minutes_of_receiving_in_all() {
    // From the deadline on, up for 30 s of every minute.
    let mut beat = daily();
    for minute in 0..60 {
        beat = beat.gap(&format!("2d 03:{minute}"), &format!("2d 03:{minute}:30"));
    }
    beat.elapse_until("2d 03:19:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("2d 04:00");
    beat.assert_told(&[(UNVERIFIED, "2d 03:20")]);
}

#[test]
fn a_gap_learnt_of_while_waiting_puts_off_both_claims() {
    let mut beat = daily().gap("2d 02:00", "2d 03:05");
    beat.elapse_until("2d 03:06");
    beat = beat.gap("2d 03:06", "2d 03:26");
    beat.elapse_until("2d 03:34:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("2d 03:35");
    beat.assert_told(&[(UNVERIFIED, "2d 03:35")]);
}

#[test]
fn a_gap_during_an_open_run_makes_its_overrun_unverified() {
    let mut beat = Beat::cron("0 2 * * *", "UTC").gap("02:30", "02:30:05");
    beat.start_at("02:00").elapse_until("03:00");
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Unverified));
    beat.elapse_until("2d 03:00");
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Down));
    beat.assert_told(&[(UNVERIFIED, "03:00"), (DOWN, "2d 03:00")]);
}

#[test]
fn a_gap_before_the_start_of_a_run_does_not_count_for_it() {
    let mut beat = Beat::every(DAY).gap("01:00", "02:00:00.000001");
    beat.start_at("02:00").elapse_until("03:00");
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Down));
}

#[test]
fn a_run_that_begins_after_the_gap_speaks_for_the_job() {
    let mut beat = daily().gap("14:00", "14:00:10");
    beat.elapse_until("2d 15:00").start_at("2d 15:00:05");
    beat.elapse_until("2d 16:00");
    assert_eq!(beat.state.phase, Phase::Unverified, "it is running");
    beat.elapse_until("2d 16:00:05");
    assert_eq!(beat.state.phase, Phase::Down);
}

#[test]
fn a_success_ends_an_unverified_like_any_incident() {
    let mut beat = daily().gap("14:00", "14:00:10");
    beat.success_at("2d 03:30");
    beat.assert_told(&[(UNVERIFIED, "2d 03:00"), (AlertKind::Up, "2d 03:30")]);
    assert_eq!(beat.last().closing, Some(Closing::Success));
}

#[test]
fn a_failure_makes_an_unverified_a_down() {
    let mut beat = daily().gap("14:00", "14:00:10");
    beat.fail_at("2d 03:30");
    assert_eq!(beat.incident(), (Cause::Failed, Claim::Down));
    beat.assert_told(&[(UNVERIFIED, "2d 03:00"), (DOWN, "2d 03:30")]);
}

#[test]
fn after_two_hours_away_nothing_is_down_and_the_dead_are_told() {
    // The first look after the absence, as a start of the server makes it.
    let mut short = Beat::every(MINUTE).grace(MINUTE);
    short.signal_unseen(&Signal::new(SignalKind::Success, at("00:59:30")));
    short = short.gap("01:00", "03:00");
    short.look_once("03:00");
    short.assert_told(&[]);
    short.elapse_until("03:02");
    short.assert_told(&[(UNVERIFIED, "03:01"), (DOWN, "03:02")]);

    let mut long = Beat::every(DAY).gap("2d 01:00", "2d 03:00");
    long.success_at("00:30").look_once("2d 03:00");
    long.assert_told(&[]);
    long.elapse_until("2d 03:10");
    long.assert_told(&[(UNVERIFIED, "2d 03:10")]);
}

#[test]
fn a_run_that_was_told_as_unverified_is_not_told_again_after_a_success() {
    let mut beat = Beat::every(DAY).gap("02:30", "02:30:05");
    beat.start_of(1, "02:00").success_of(2, "04:00");
    beat.elapse_until("2d 04:30");
    beat.assert_told(&[(UNVERIFIED, "03:00"), (AlertKind::Up, "04:00")]);
}

#[test]
fn an_edit_gives_an_unverified_a_fresh_grace_before_it_is_confirmed() {
    let mut beat = daily().gap("14:00", "14:00:10");
    beat.edit_at("2d 04:00", |settings| {
        settings.max_run_time = Some(2 * HOUR);
    });
    assert_eq!(beat.state.phase, Phase::Unverified);
    beat.edit_at("2d 04:30", |settings| {
        settings.schedule = nightbeat_domain::Schedule::every_seconds(3_600).unwrap();
    });
    beat.elapse_until("2d 05:29");
    assert_eq!(beat.state.phase, Phase::Unverified);
    beat.elapse_until("2d 05:30");
    assert_eq!(beat.state.phase, Phase::Down);
}

#[test]
fn a_run_that_may_have_ended_in_a_gap_is_not_a_miss_when_the_next_one_starts() {
    let mut beat = Beat::every(HOUR).grace(10 * MINUTE).max_run(2 * HOUR);
    beat.success_at("00:00:01").start_at("01:00");
    beat = beat.gap("02:30", "03:05");
    beat.signal_unseen(&Signal::new(SignalKind::Start, at("03:12")));
    beat.elapse_until("03:13");
    beat.assert_told(&[]);
}

#[test]
fn for_cron_a_gap_before_it_was_resumed_does_not_count() {
    let mut beat = nightly();
    beat.pause_at("2d 01:00");
    beat = beat.gap("2d 01:56", "2d 01:57");
    beat.resume_at("2d 01:58").elapse_until("2d 03:00");
    beat.assert_told(&[(DOWN, "2d 03:00")]);
}

#[test]
fn an_overrun_in_doubt_is_not_confirmed_while_a_newer_run_is_on() {
    let mut beat = Beat::every(2 * HOUR).max_run(3 * HOUR);
    beat.start_of(1, "02:00");
    beat = beat.gap("03:00", "03:00:05");
    beat.start_of(2, "05:30").elapse_until("06:00:05");
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Unverified));
    beat.elapse_until("08:29");
    assert_eq!(beat.state.phase, Phase::Unverified);
    beat.elapse_until("08:30");
    assert_eq!(beat.state.phase, Phase::Down);
}

#[test]
fn an_overrun_is_told_as_one_where_a_miss_was_only_unverified() {
    let mut beat = Beat::every(DAY).gap("12:00", "2d 01:00");
    beat.success_at("02:00").elapse_until("2d 05:00");
    assert_eq!(beat.incident(), (Cause::Missed, Claim::Unverified));
    // It starts, we see all of it, and it does not end.
    beat.start_at("2d 06:00").elapse_until("2d 07:00");
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Down));
    assert_eq!(beat.last().incident.as_ref().unwrap().cause, Cause::Overran);
    assert_eq!(beat.last().deadline, Some(at("2d 07:00")));
    assert_eq!(beat.last().run_started_at, Some(at("2d 06:00")));
    assert_eq!(beat.state.failures, 1, "one failure, told twice");
    // And nothing is left of the miss.
    beat.elapse_until("4d 00:00").success_at("4d 00:00");
    let kinds: Vec<AlertKind> = beat.alerts.iter().map(|alert| alert.kind).collect();
    assert_eq!(kinds, [UNVERIFIED, AlertKind::Down, AlertKind::Up]);
}

/// Every five minutes with a grace of a minute; a run may take ten, and has no run id. The one that began
/// at 00:09 holds back at 00:11 that the slot of 00:10 is missed.
fn held_back() -> Beat {
    let mut beat = Beat::cron("*/5 * * * *", "UTC")
        .grace(MINUTE)
        .max_run(10 * MINUTE);
    beat.success_at("00:05").start_at("00:09");
    beat.elapse_until("00:11");
    beat
}

#[test]
fn a_gap_in_a_run_that_a_new_one_replaces_counts_for_the_miss_that_it_held_back() {
    // The second run holds it back too, and may have ended in the gap. The third began too late for that.
    let mut beat = held_back().gap("00:20", "00:21");
    beat.start_at("00:18").start_at("00:22");
    beat.elapse_until("00:32");
    beat.assert_told(&[(UNVERIFIED, "00:23"), (DOWN, "00:32")]);
    assert_eq!(beat.alerts[0].gaps, beat.gaps.all());
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Down));
}

#[test]
fn without_a_gap_the_miss_that_a_replaced_run_held_back_is_certain_when_it_is_replaced() {
    let mut beat = held_back();
    beat.start_at("00:18").start_at("00:22");
    beat.elapse_until("00:22");
    beat.assert_told(&[(DOWN, "00:22")]);
    assert_eq!(beat.last().deadline, Some(at("00:22")));
    assert_eq!(beat.last().gaps, []);
}

#[test]
fn a_gap_before_what_the_run_held_back_does_not_count_for_that() {
    let mut beat = held_back().gap("00:06", "00:07");
    beat.start_at("00:18").start_at("00:22");
    beat.elapse_until("00:22");
    beat.assert_told(&[(DOWN, "00:22")]);
}

#[test]
fn a_miss_that_a_run_held_back_until_a_maintenance_is_told_the_grace_after_it() {
    let mut beat = held_back().maintenance("00:20", "00:30");
    beat.start_at("00:18").start_at("00:22");
    beat.elapse_until("00:30:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("00:31");
    beat.assert_told(&[(DOWN, "00:31")]);
}

#[test]
fn the_next_end_forgets_what_a_run_held_back() {
    let mut beat = held_back().gap("00:20", "00:21");
    beat.start_at("00:18").start_at("00:22");
    assert_eq!(beat.state.held_until, Some(at("00:22")));
    beat.success_at("00:22:30");
    assert_eq!(beat.state.held_until, None);
    beat.elapse_until("00:26");
    beat.assert_told(&[(DOWN, "00:26")]);
}

#[test]
fn an_overrun_in_doubt_waits_for_the_run_that_took_the_place_of_another() {
    // Had run 1 ended in the gap, those without an id would speak for the job, one after the other.
    let mut beat = Beat::every(30 * MINUTE)
        .grace(10 * MINUTE)
        .max_run(115 * MINUTE)
        .gap("00:10", "01:00");
    beat.start_of(1, "00:05")
        .start_at("01:05")
        .start_at("02:05");
    beat.elapse_until("03:59:59");
    beat.assert_told(&[(UNVERIFIED, "02:10")]);
    beat.elapse_until("04:00");
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Down));
}
