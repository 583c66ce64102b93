//! All alert texts, as people read them.

use nightbeat_domain::{
    AlertKind, AlertSnapshot, BrokenRule, Cause, Claim, Closing, Gap, GapKind, Schedule, Severity,
    Status,
};
use nightbeat_notify::{Content, incident_text, render};

use crate::cast::{HEARTBEAT, at, incident, message, missed, missed_number, one, test_message};

/// What a person reads, and the API's sentence. No text may show the signal's id.
fn shown(snapshot: AlertSnapshot) -> String {
    let sentence = incident_text(&snapshot);
    let message = one(snapshot);
    let text = format!(
        "{}\n\n{}\n\n[API] {sentence}",
        render::title(&message),
        render::body(&message)
    );
    assert!(!text.contains(HEARTBEAT), "{text}");
    text
}

fn with_incident(kind: AlertKind, cause: Cause, claim: Claim) -> AlertSnapshot {
    let mut snapshot = missed();
    snapshot.alert.kind = kind;
    snapshot.alert.incident = Some(incident(cause, claim));
    snapshot.alert.status = match claim {
        Claim::Down => Status::Down,
        Claim::Unverified => Status::Unverified,
        Claim::Warning => Status::Warning,
    };
    snapshot
}

fn gap(from: &str, to: &str, kind: GapKind) -> Gap {
    Gap {
        from: at(from),
        to: at(to),
        kind,
    }
}

fn broken(rule: &str, explanation: &str, severity: Severity) -> BrokenRule {
    BrokenRule {
        rule: rule.to_owned(),
        severity,
        explanation: explanation.to_owned(),
    }
}

#[test]
fn down_missed() {
    let mut snapshot = missed();
    snapshot.output_tail = Some("Files: 12 new\nAdded: 3.1 GiB\nsnapshot 9f2c saved\n".to_owned());
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn down_missed_the_first_time_and_every_minute() {
    let mut snapshot = missed();
    snapshot.heartbeat.schedule = Schedule::every_seconds(60).unwrap();
    snapshot.heartbeat.tags.clear();
    snapshot.alert.last_success_at = None;
    snapshot.alert.expected_at = Some(at("2026-11-22 03:03:20"));
    snapshot.alert.deadline = Some(at("2026-11-22 03:03:50"));
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn down_missed_by_a_wall_clock() {
    let mut snapshot = missed();
    snapshot.heartbeat.schedule = Schedule::cron("30 3 * * *", "Europe/Madrid").unwrap();
    snapshot.alert.expected_at = Some(at("2026-11-22 02:30"));
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn down_overran() {
    let mut snapshot = with_incident(AlertKind::Down, Cause::Overran, Claim::Down);
    snapshot.alert.run_started_at = Some(at("2026-11-22 00:04"));
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn down_failed() {
    let mut snapshot = with_incident(AlertKind::Down, Cause::Failed, Claim::Down);
    snapshot.alert.run_started_at = Some(at("2026-11-22 02:52"));
    snapshot.alert.exit_code = Some(12);
    snapshot.alert.deadline = None;
    snapshot.output_tail = Some(
        "\u{1b}[31mFatal:\u{1b}[0m unable to open repository\n\n    at /mnt/nas: no such file or directory\n".to_owned(),
    );
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn down_hollow() {
    let mut snapshot = with_incident(AlertKind::Down, Cause::Hollow, Claim::Down);
    snapshot.alert.broken_rules = vec![
        broken(
            "files_total > 0",
            "0 files; usual are 12,000.",
            Severity::Failure,
        ),
        broken("duration > 30s", "it took 1 s", Severity::Failure),
    ];
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn unverified_after_one_short_interruption() {
    let mut snapshot = with_incident(AlertKind::Unverified, Cause::Missed, Claim::Unverified);
    snapshot.alert.gaps = vec![gap(
        "2026-11-21 14:00:00",
        "2026-11-21 14:00:10",
        GapKind::Stopped,
    )];
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn unverified_after_several_interruptions() {
    let mut snapshot = with_incident(AlertKind::Unverified, Cause::Overran, Claim::Unverified);
    snapshot.alert.run_started_at = Some(at("2026-11-22 00:04"));
    snapshot.alert.gaps = vec![
        gap(
            "2026-11-21 23:50:00",
            "2026-11-22 00:30:00",
            GapKind::Suspended,
        ),
        gap(
            "2026-11-22 02:00:00",
            "2026-11-22 02:00:04",
            GapKind::Storage,
        ),
    ];
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn warning_by_exit_code() {
    let mut snapshot = with_incident(AlertKind::Warning, Cause::Failed, Claim::Warning);
    snapshot.alert.exit_code = Some(24);
    snapshot.output_tail = Some("rsync warning: some files vanished (code 24)".to_owned());
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn warning_by_rule() {
    let mut snapshot = with_incident(AlertKind::Warning, Cause::Hollow, Claim::Warning);
    let explanation = "1.2 GB, which is 12% of the usual 10 GB";
    snapshot.alert.broken_rules = vec![broken(
        "bytes_total >= 50% of median(14)",
        explanation,
        Severity::Warning,
    )];
    insta::assert_snapshot!(shown(snapshot));
}

fn up(claim: Claim, closing: Closing) -> AlertSnapshot {
    let mut snapshot = with_incident(AlertKind::Up, Cause::Missed, claim);
    snapshot.alert.at = at("2026-11-22 05:18");
    snapshot.alert.status = Status::Up;
    snapshot.alert.closing = Some(closing);
    if let Some(incident) = &mut snapshot.alert.incident {
        incident.closed_at = Some(at("2026-11-22 05:18"));
    }
    snapshot.output_tail = Some("done".to_owned());
    snapshot
}

#[test]
fn up_in_every_way() {
    let ways = [
        up(Claim::Down, Closing::Success),
        up(Claim::Unverified, Closing::Success),
        up(Claim::Warning, Closing::Success),
        up(Claim::Down, Closing::RanInTime(at("2026-11-22 02:58"))),
        up(Claim::Down, Closing::Retracted),
        up(Claim::Down, Closing::Edited),
        up(Claim::Down, Closing::Paused),
        up(Claim::Warning, Closing::Replaced),
    ];
    let shown: Vec<String> = ways.map(shown).into();
    insta::assert_snapshot!(shown.join("\n\n----------\n\n"));
}

#[test]
fn reminder() {
    let mut snapshot = with_incident(AlertKind::Reminder, Cause::Missed, Claim::Down);
    snapshot.alert.at = at("2026-11-25 05:10");
    insta::assert_snapshot!(shown(snapshot));
}

fn unreadable(kind: AlertKind) -> AlertSnapshot {
    let mut snapshot = with_incident(kind, Cause::Internal, Claim::Unverified);
    snapshot.alert.status = Status::Unverified;
    snapshot.alert.deadline = None;
    snapshot.alert.problem = Some(format!(
        "table settings, column json, row 7: cron \u{1b}[1m\"30 3 * * mo\" {HEARTBEAT}: a name where none may be"
    ));
    snapshot
}

#[test]
fn unverified_because_nightbeat_cannot_read_it() {
    insta::assert_snapshot!(shown(unreadable(AlertKind::Unverified)));
}

#[test]
fn unverified_and_still_not_readable() {
    let mut snapshot = unreadable(AlertKind::Reminder);
    snapshot.alert.at = at("2026-11-23 03:04");
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn readable_again_while_the_job_is_fine_and_while_it_is_down() {
    let mut fine = up(Claim::Unverified, Closing::Readable);
    if let Some(incident) = &mut fine.alert.incident {
        incident.cause = Cause::Internal;
    }
    fine.alert.problem = None;
    let mut down = fine.clone();
    down.alert.kind = AlertKind::Reminder;
    down.alert.status = Status::Down;
    insta::assert_snapshot!([shown(fine), shown(down)].join("\n\n----------\n\n"));
}

#[test]
fn a_digest_does_not_call_what_cannot_be_read_away() {
    let mut other = unreadable(AlertKind::Unverified);
    other.heartbeat = missed_number(2).heartbeat;
    let text = digest(vec![unreadable(AlertKind::Unverified), other]);
    assert!(text.starts_with("2 jobs: 2 UNVERIFIED\n"), "{text}");
    let point = "- UNVERIFIED: job 2. Nightbeat cannot read what it stored";
    assert!(text.contains(point), "{text}");
}

#[test]
fn never_started() {
    let mut snapshot = missed();
    snapshot.alert.kind = AlertKind::NeverStarted;
    snapshot.alert.status = Status::New;
    snapshot.alert.incident = None;
    snapshot.alert.last_success_at = None;
    insta::assert_snapshot!(shown(snapshot));
}

#[test]
fn names_and_output_that_want_to_be_something_else() {
    let mut snapshot = missed();
    snapshot.heartbeat.name = format!("evil\u{202e}\r\nX: y \u{1b}[2J https://h/ping/{HEARTBEAT}");
    snapshot.heartbeat.project_name = "home\u{0}\n<b>".to_owned();
    snapshot.heartbeat.tags = vec!["a\nb".to_owned(), HEARTBEAT.to_owned()];
    snapshot.heartbeat.slug = "ü/../?#".to_owned();
    snapshot.output_tail = Some(format!(
        "curl https://h/api/heartbeat/{HEARTBEAT}/fail\r\n\u{9b}1mbold"
    ));
    insta::assert_snapshot!(shown(snapshot));
}

fn digest(snapshots: Vec<AlertSnapshot>) -> String {
    let message = message(Content::Digest(snapshots));
    format!("{}\n\n{}", render::title(&message), render::body(&message))
}

fn overdue_while_away(number: u32) -> AlertSnapshot {
    let mut snapshot = missed_number(number);
    snapshot.alert.kind = AlertKind::Unverified;
    snapshot.alert.digest = true;
    snapshot.alert.incident = Some(incident(Cause::Missed, Claim::Unverified));
    snapshot.alert.gaps = vec![gap(
        "2026-11-22 01:50:00",
        "2026-11-22 06:00:00",
        GapKind::Stopped,
    )];
    snapshot
}

#[test]
fn digest_after_being_away() {
    let mut late = overdue_while_away(3);
    late.alert.last_success_at = None;
    insta::assert_snapshot!(digest(vec![
        overdue_while_away(1),
        overdue_while_away(2),
        late
    ]));
}

#[test]
fn digest_of_one_after_being_away() {
    insta::assert_snapshot!(digest(vec![overdue_while_away(1)]));
}

#[test]
fn digest_of_a_storm_tells_each_job_once_and_the_worst_first() {
    let mut recovered = up(Claim::Down, Closing::Success);
    recovered.heartbeat = missed_number(1).heartbeat;
    recovered.alert.sequence = 2;
    let mut failed = with_incident(AlertKind::Down, Cause::Failed, Claim::Down);
    failed.heartbeat = missed_number(4).heartbeat;
    failed.alert.exit_code = Some(1);
    let all = vec![
        missed_number(1),
        missed_number(2),
        recovered,
        overdue_while_away(3),
        failed,
    ];
    insta::assert_snapshot!(digest(all));
}

#[test]
fn a_digest_tells_a_job_that_flapped_by_its_last_state_and_how_often() {
    let mut all = Vec::new();
    for sequence in 0..12 {
        let mut one = if sequence % 2 == 0 {
            missed_number(1)
        } else {
            up(Claim::Down, Closing::Success)
        };
        one.heartbeat = missed_number(1).heartbeat;
        one.alert.sequence = sequence + 1;
        all.push(one);
    }
    let text = digest(all.clone());
    assert!(text.starts_with("1 job: 1 UP\n"), "{text}");
    let times = "Since the last message it went down 6 times and came back 6 times.";
    assert_eq!(text.matches("job 1.").count(), 1, "{text}");
    assert!(text.contains(times), "{text}");
    // One end and a new beginning: that it had come back is news too.
    let text = digest(all.split_off(9).into_iter().take(2).collect());
    assert!(text.starts_with("1 job: 1 DOWN\n"), "{text}");
    let times = "Since the last message it went down once and came back once.";
    assert!(text.contains(times), "{text}");
}

#[test]
fn a_digest_does_not_blame_an_absence_for_alerts_that_are_not_about_it() {
    let mut loud = overdue_while_away(1);
    loud.alert.digest = false;
    let text = digest(vec![loud, overdue_while_away(2)]);
    assert!(text.starts_with("2 jobs: 2 UNVERIFIED\n"), "{text}");
}

#[test]
fn a_huge_digest_counts_what_it_does_not_name() {
    let text = digest((1..=2_000).map(missed_number).collect());
    assert!(text.starts_with("2000 jobs: 2000 DOWN\n"), "{text}");
    assert!(
        text.contains("job 50.") && !text.contains("job 51."),
        "{text}"
    );
    assert!(text.contains("- and 1950 more\n"), "{text}");
}

#[test]
fn test_message_text() {
    let message = test_message();
    insta::assert_snapshot!(format!(
        "{}\n\n{}",
        render::title(&message),
        render::body(&message)
    ));
}
