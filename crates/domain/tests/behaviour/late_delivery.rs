//! Signals that a client delivered later than they happened.

use nightbeat_domain::{
    AlertKind, Cause, Claim, Closing, IgnoredBecause, Phase, Signal, SignalKind,
};

use crate::cast::{Beat, DAY, HOUR, MINUTE, at, rid};

#[test]
fn a_late_success_that_ran_in_time_closes_the_incident_and_says_so() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00")
        .late_success("2d 02:10", "2d 07:00");
    beat.assert_told(&[(AlertKind::Down, "2d 03:00"), (AlertKind::Up, "2d 07:00")]);
    let closing = beat.last().closing;
    assert_eq!(closing, Some(Closing::RanInTime(at("2d 02:10"))));
    assert_eq!(beat.state.expected_at, Some(at("3d 02:10")));
    assert_eq!(beat.false_raises, 0, "we could receive: down was right");
}

#[test]
fn a_late_success_that_ran_late_is_a_plain_recovery() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00")
        .late_success("2d 03:10", "2d 07:00");
    assert_eq!(beat.last().closing, Some(Closing::Success));
}

#[test]
fn a_late_success_does_not_close_what_is_overdue_again_since() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00")
        .late_success("2d 02:10", "4d 00:00");
    assert_eq!(beat.state.phase, Phase::Down);
    assert_eq!(beat.state.last_success_at, Some(at("2d 02:10")));
    beat.assert_told(&[(AlertKind::Down, "2d 03:00")]);
}

#[test]
fn a_late_success_after_a_failure_does_not_say_up_when_the_next_is_overdue() {
    let mut beat = Beat::every(DAY);
    beat.fail_at("02:00").late_success("03:00", "4d 00:00");
    beat.elapse_until("4d 01:00");
    assert_eq!(beat.state.phase, Phase::Down);
    beat.assert_told(&[(AlertKind::Down, "02:00")]);
}

#[test]
fn a_late_success_older_than_the_last_run_only_enters_the_history() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00").fail_at("2d 02:00");
    beat.late_success("2d 01:00", "2d 03:00");
    assert_eq!(beat.incident(), (Cause::Failed, Claim::Down));
    assert_eq!(beat.effects.run.clone().unwrap().ended_at, at("2d 01:00"));
    assert_eq!(beat.state.last_success_at, Some(at("2d 01:00")));
    assert_eq!(beat.state.expected_at, Some(at("3d 02:00")));
}

#[test]
fn a_clients_time_is_believed_for_seven_days() {
    let mut beat = Beat::every(30 * DAY);
    beat.late_success("01:00", "20d 01:00");
    assert_eq!(beat.state.last_success_at, Some(at("13d 01:00")));
}

#[test]
fn a_clients_time_after_the_arrival_is_the_arrival() {
    let mut beat = Beat::every(DAY);
    beat.late_success("5d 00:00", "02:00");
    assert_eq!(beat.state.last_success_at, Some(at("02:00")));
}

#[test]
fn a_stale_start_without_a_run_id_is_out_of_order() {
    let mut beat = Beat::every(DAY);
    beat.success_at("02:00");
    let start = beat.signal(&Signal {
        claimed_at: Some(at("01:30")),
        ..Signal::new(SignalKind::Start, at("02:30"))
    });
    assert_eq!(start.ignored, Some(IgnoredBecause::OutOfOrder));
    assert_eq!(beat.state.runs, []);
}

#[test]
fn a_stale_start_does_not_take_the_place_of_a_newer_one() {
    let mut beat = Beat::every(DAY);
    beat.start_at("02:00");
    beat.signal(&Signal {
        claimed_at: Some(at("01:30")),
        ..Signal::new(SignalKind::Start, at("02:20"))
    });
    assert_eq!(beat.state.running_since(), Some(at("02:00")));
}

#[test]
fn a_late_success_older_than_the_open_run_leaves_it_open() {
    let mut beat = Beat::every(DAY);
    beat.start_at("2d 02:00").late_success("02:00", "2d 02:10");
    assert_eq!(beat.state.running_since(), Some(at("2d 02:00")));
}

#[test]
fn a_run_whose_start_comes_after_its_limit_has_time_to_deliver_its_end() {
    let mut beat = Beat::every(DAY).max_run(HOUR);
    let late = |kind, happened, received| Signal {
        rid: Some(rid(1)),
        claimed_at: Some(at(happened)),
        ..Signal::new(kind, at(received))
    };
    beat.signal(&late(SignalKind::Start, "02:00", "08:00"));
    beat.signal(&late(SignalKind::Success, "02:40", "08:00:02"));
    beat.assert_told(&[]);
    let run = beat.effects.run.clone().unwrap();
    assert_eq!(run.started_at, Some(at("02:00")));
    assert_eq!(run.ended_at, at("02:40"));

    beat.signal(&Signal {
        rid: Some(rid(2)),
        ..late(SignalKind::Start, "08:30", "10:00")
    });
    beat.elapse_until("10:09:59.999999");
    beat.assert_told(&[]);
    beat.elapse_until("10:10");
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Down));
}

#[test]
fn a_late_success_from_before_its_heartbeat_is_expected_again_from_the_creation() {
    let mut beat = Beat::every(DAY).grace(10 * MINUTE);
    let before_the_story = Signal {
        claimed_at: Some(at("00:01") - 3 * DAY),
        ..Signal::new(SignalKind::Success, at("00:01"))
    };
    beat.signal(&before_the_story);
    beat.elapse_until("2d 00:09");
    beat.assert_told(&[]);
    beat.elapse_until("2d 00:10");
    beat.assert_told(&[(AlertKind::Down, "2d 00:10")]);
}

#[test]
fn the_late_end_of_an_overrun_closes_it_though_a_newer_run_has_ended() {
    let mut beat = Beat::every(DAY);
    beat.start_of(1, "02:00").success_of(2, "02:50");
    beat.elapse_until("03:30");
    assert_eq!(beat.incident(), (Cause::Overran, Claim::Down));
    beat.signal(&Signal {
        rid: Some(rid(1)),
        claimed_at: Some(at("02:40")),
        ..Signal::new(SignalKind::Success, at("04:00"))
    });
    let closing = beat.last().closing;
    assert_eq!(closing, Some(Closing::RanInTime(at("02:40"))));
    assert_eq!(beat.state.phase, Phase::Up);
    assert_eq!(beat.state.expected_at, Some(at("2d 02:50")));
}

#[test]
fn an_end_that_a_client_puts_before_its_own_start_is_one_at_the_start() {
    // Its clock is an hour behind ours, and the end was delivered after we had been away.
    let mut beat = Beat::every(DAY).gap("2d 03:00:01", "2d 03:05");
    beat.success_at("02:00").start_of(1, "2d 02:50");
    beat.signal(&Signal {
        rid: Some(rid(1)),
        claimed_at: Some(at("2d 01:55")),
        ..Signal::new(SignalKind::Success, at("2d 03:05"))
    });
    let run = beat.effects.run.clone().unwrap();
    assert_eq!(run.started_at, Some(at("2d 02:50")));
    assert_eq!(run.ended_at, at("2d 02:50"));
    beat.assert_expected("3d 02:50");

    beat.elapse_until("3d 03:49:59.999999");
    beat.assert_told(&[]);
}

#[test]
fn an_end_before_its_start_counts_though_it_claims_to_be_older_than_the_last() {
    let mut beat = Beat::every(HOUR).gap("04:10", "04:15");
    beat.success_at("02:00").start_of(1, "03:50");
    beat.elapse_until("04:05");
    beat.signal(&Signal {
        rid: Some(rid(1)),
        claimed_at: Some(at("01:50")),
        ..Signal::new(SignalKind::Success, at("04:15"))
    });
    beat.elapse_until("05:49");
    beat.assert_told(&[]);
    beat.assert_expected("04:50");
}

#[test]
fn a_gap_counts_for_the_miss_that_a_run_held_back_until_its_late_end() {
    // Two at once: the one that went on ended first, and only now says so.
    let told = |mut beat: Beat| {
        beat.start_of(1, "01:00").success_of(2, "02:00");
        beat.elapse_until("04:05");
        beat.signal(&Signal {
            rid: Some(rid(1)),
            claimed_at: Some(at("01:30")),
            ..Signal::new(SignalKind::Success, at("04:15"))
        });
        beat.elapse_until("04:20");
        beat.alerts.iter().map(|it| (it.kind, it.at)).collect()
    };
    let beat = || Beat::every(HOUR).max_run(4 * HOUR);
    let certain: Vec<_> = told(beat());
    assert_eq!(certain, [(AlertKind::Down, at("04:15"))]);
    assert_eq!(told(beat().gap("04:08", "04:10")), []);
}

#[test]
fn an_overrun_of_before_the_last_success_is_not_taken_from_the_row_of_failures_since() {
    let mut beat = Beat::every(DAY).max_run(MINUTE * 10).failure_threshold(3);
    beat.success_at("02:00").start_of(1, "2d 02:00");
    beat.success_of(2, "2d 03:00");
    assert_eq!(beat.state.failures, 0, "the overrun is forgiven");
    beat.elapse_until("4d 05:00");
    assert_eq!(beat.state.failures, 2, "missed twice");
    let mut end = Signal::new(SignalKind::Success, at("4d 05:00"));
    end.rid = Some(rid(1));
    end.claimed_at = Some(at("2d 02:30"));
    beat.signal(&end);
    beat.elapse_until("6d 00:00");
    beat.assert_told(&[(AlertKind::Down, "5d 04:00")]);
}
