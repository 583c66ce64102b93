//! Reports by mail: what they say, and that none arrives twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use nightbeat_domain::{Cause, ChannelId, Claim, DeliveryId, HeartbeatId, ProjectId, Status};
use nightbeat_notify::{
    ChannelTrouble, IncidentsOf, Letter, MailReport, ProjectReport, RegularLetter, RunCounts,
    SentOnce, Trouble,
};
use uuid::Uuid;

use crate::cast::{BASE_URL, HEARTBEAT, at, impatient, mailing};
use crate::smtp_server::{Server, SmtpStep, settings};

/// Nothing is wrong in it.
fn fine(number: u128, name: &str, jobs: u64) -> ProjectReport {
    ProjectReport {
        id: ProjectId(Uuid::from_u128(number)),
        name: name.to_owned(),
        statuses: HashMap::from([(Status::Up, jobs)]),
        troubles: Vec::new(),
        incidents: 0,
        incidents_cut: false,
        missed: 0,
        incidents_of: Vec::new(),
        runs: RunCounts {
            ok: jobs,
            ..RunCounts::default()
        },
        uncounted: 0,
        never: 0,
        never_names: Vec::new(),
        channels: Vec::new(),
    }
}

/// Everything is wrong in it.
fn troubled() -> ProjectReport {
    let id: HeartbeatId = HEARTBEAT.parse().unwrap();
    let trouble = |name: &str, status, since, cause| Trouble {
        id,
        name: name.to_owned(),
        slug: name.split(' ').next().unwrap().to_owned(),
        status,
        since,
        cause,
    };
    ProjectReport {
        statuses: HashMap::from([
            (Status::Down, 2),
            (Status::Unverified, 1),
            (Status::Late, 1),
            (Status::New, 1),
            (Status::Up, 7),
        ]),
        troubles: vec![
            trouble(
                "nightly backup",
                Status::Down,
                Some(at("2026-11-23 02:04")),
                Some(Cause::Missed),
            ),
            trouble(
                &format!("copy {HEARTBEAT}"),
                Status::Unverified,
                Some(at("2026-11-22 20:00")),
                Some(Cause::Missed),
            ),
            trouble("mail", Status::Late, Some(at("2026-11-23 06:30")), None),
        ],
        incidents: 4,
        missed: 3,
        incidents_of: vec![
            IncidentsOf {
                id,
                name: "old job".to_owned(),
                slug: None,
                count: 1,
                total: Duration::from_secs(45),
                kinds: vec![(Cause::Failed, Claim::Warning)],
                open: false,
            },
            IncidentsOf {
                id,
                name: "nightly backup".to_owned(),
                slug: Some("nightly-backup".to_owned()),
                count: 3,
                total: Duration::from_secs(18_360),
                kinds: vec![
                    (Cause::Missed, Claim::Down),
                    (Cause::Hollow, Claim::Down),
                    (Cause::Missed, Claim::Unverified),
                ],
                open: true,
            },
        ],
        runs: RunCounts {
            ok: 310,
            warning: 2,
            failed: 1,
        },
        uncounted: 3,
        never: 12,
        never_names: vec!["new one".to_owned(), "another".to_owned()],
        channels: vec![ChannelTrouble {
            id: ChannelId(Uuid::from_u128(7)),
            name: "phone".to_owned(),
            failing: 3,
            last_error: Some("HTTP 404 Not Found".to_owned()),
        }],
        ..fine(2, "servers", 0)
    }
}

fn report(projects: Vec<ProjectReport>) -> MailReport {
    MailReport {
        rhythm: "Daily",
        by_hand: false,
        from: at("2026-11-22 07:00"),
        to: at("2026-11-23 07:00"),
        now: at("2026-11-23 07:01"),
        zone: TimeZone::get("Europe/Madrid").unwrap(),
        base_url: BASE_URL.to_owned(),
        unsubscribe: format!("{BASE_URL}/reports/nb_u_secret"),
        projects,
        more_projects: 0,
    }
}

/// What a person reads. No text may show a signal's id.
fn shown(report: &MailReport) -> String {
    let text = report.text();
    let shown = format!("{}\n\n{}", text.title, text.plain(None));
    assert!(!shown.contains(HEARTBEAT), "{shown}");
    assert!(!text.html().contains(HEARTBEAT), "{}", text.html());
    shown
}

#[test]
fn a_report_tells_the_worst_first_and_what_is_fine_in_one_line() {
    let projects = vec![fine(1, "home", 12), fine(3, "empty", 0), troubled()];
    insta::assert_snapshot!(shown(&report(projects)));
}

#[test]
fn a_report_of_what_is_fine_is_short() {
    insta::assert_snapshot!(shown(&report(vec![fine(1, "home", 12)])));
}

#[test]
fn a_title_carries_the_verdict() {
    let title = |projects: Vec<ProjectReport>| report(projects).text().title;
    assert_eq!(
        title(vec![troubled(), fine(1, "home", 12)]),
        "Daily report: 2 down, 1 unverified, 1 late; 1 channel fails (2 projects, 24 jobs)"
    );
    let over = ProjectReport {
        incidents: 1,
        ..fine(1, "home", 1)
    };
    assert_eq!(
        title(vec![over]),
        "Daily report: all is well now, after 1 incident (home, 1 job)"
    );
    let mute = ProjectReport {
        channels: troubled().channels,
        ..fine(1, "home", 2)
    };
    assert_eq!(
        title(vec![mute]),
        "Daily report: all jobs are fine; 1 channel fails (home, 2 jobs)"
    );
    assert_eq!(
        title(vec![fine(1, "a\r\nBcc: all@example.org", 0)]),
        "Daily report: there are no jobs yet (a Bcc: all@example.org, 0 jobs)"
    );
}

fn letter() -> RegularLetter {
    let report = report(vec![fine(1, "home", 12)]);
    RegularLetter {
        letter: Letter {
            id: DeliveryId(Uuid::from_u128(9)),
            sent_at: report.now,
            to: "ana@example.org".to_owned(),
            text: report.text(),
        },
        unsubscribe: report.unsubscribe,
    }
}

#[tokio::test]
async fn a_mail_program_may_end_reports_by_itself() {
    let server = Server::start().await;
    let notifier = mailing(settings(&server));
    let sent = notifier.mail_once(&letter(), async { true }).await;
    assert_eq!(sent, Ok(SentOnce::Taken));
    let mail = server.mail();
    assert_eq!(mail.to, ["ana@example.org"]);
    for (name, value) in [
        (
            "List-Unsubscribe",
            "<https://beats.example.org/reports/nb_u_secret>",
        ),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Auto-Submitted", "auto-generated"),
        (
            "Subject",
            "Daily report: everything is fine (home, 12 jobs)",
        ),
    ] {
        assert_eq!(
            mail.header(name).as_deref(),
            Some(value),
            "{}",
            mail.content
        );
    }
    // Without TLS a mail program must not.
    let plain = RegularLetter {
        unsubscribe: "http://h.example/reports/nb_u_secret".to_owned(),
        ..letter()
    };
    notifier.mail_once(&plain, async { true }).await.unwrap();
    assert_eq!(server.mails()[1].header("List-Unsubscribe-Post"), None);
}

#[tokio::test]
async fn what_is_not_handed_over_does_not_arrive() {
    let server = Server::start().await;
    let sent = mailing(settings(&server))
        .mail_once(&letter(), async { false })
        .await;
    assert_eq!(sent, Ok(SentOnce::Withheld));
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn nothing_is_handed_over_before_the_server_waits_for_it() {
    let asked = AtomicUsize::new(0);
    let hand_over = || async {
        asked.fetch_add(1, Ordering::Relaxed);
        true
    };
    for step in [
        SmtpStep::Greeting,
        SmtpStep::MailFrom,
        SmtpStep::RcptTo,
        SmtpStep::Data,
    ] {
        let server = Server::stuck_at(step).await;
        let notifier = impatient(Some(settings(&server)));
        let sent = notifier.mail_once(&letter(), hand_over()).await;
        assert!(sent.is_err(), "{step:?}: {sent:?}");
    }
    let server = Server::start().await;
    server.refuse("ana@example.org", "550 5.1.1 no such user");
    let notifier = mailing(settings(&server));
    let sent = notifier.mail_once(&letter(), hand_over()).await;
    assert!(sent.unwrap_err().detail.contains("no such user"));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_answer_that_does_not_come_leaves_a_doubt() {
    let server = Server::stuck_at(SmtpStep::Content).await;
    let sent = impatient(Some(settings(&server)))
        .mail_once(&letter(), async { true })
        .await;
    let Ok(SentOnce::InDoubt(why)) = sent else {
        panic!("{sent:?}");
    };
    assert!(why.contains("did not answer to the mail itself"), "{why}");
}
