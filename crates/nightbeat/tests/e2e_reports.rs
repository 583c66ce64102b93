//! Reports by mail: each is sent once, whatever happens to the servers meanwhile.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::collections::BTreeSet;
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_store::control::accounts::{self, Account, Role, Theme};
use nightbeat_store::control::reports::{self, Report, Rhythm, Wish};
use nightbeat_store::{Opener, Store};
use nightbeat_testkit::{Admin, Binary, Mail, MailServer, Setup, SmtpStep, postgres, until};
use uuid::Uuid;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// When Ana's first report is due: 2026-11-23T07:00:00Z, 08:00 in Berlin.
const MONDAY: UnixMicros = UnixMicros::from_seconds(1_795_417_200);

fn mailing(setup: Setup, mails: &MailServer) -> Setup {
    setup
        .with("smtp.host", "127.0.0.1")
        .with("smtp.port", &mails.port().to_string())
        .with("smtp.tls", "none")
        .with("smtp.from", "nightbeat@example.org")
}

/// A server whose clock stands half an hour before Ana's first report is due, with her project.
struct Scene {
    server: Binary,
    admin: Admin,
    mails: MailServer,
    ana: Uuid,
}

impl Scene {
    async fn new(mails: MailServer) -> Self {
        let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).clock_at(MONDAY - HOUR / 2);
        let setup = mailing(setup, &mails);
        let admin = setup.init();
        let store = Store::open_sqlite(setup.database(), Opener::Tool).unwrap();
        let choosing = store.store.write(|sql| {
            let ana = accounts::by_email(sql, "ana@example.org")?.unwrap().id;
            accounts::set_appearance(sql, ana, Theme::System, Some("Europe/Berlin"))?;
            reports::choose(sql, ana, &daily(ana, MONDAY))?;
            Ok(ana)
        });
        let ana = choosing.await.unwrap();
        drop(store);
        Self {
            server: setup.start().await,
            admin,
            mails,
            ana,
        }
    }

    /// What is stored of Ana's reports.
    async fn report(&self) -> Report {
        let store = Store::open_sqlite(self.server.database(), Opener::Tool).unwrap();
        let ana = self.ana;
        let reading = store.store.read(move |sql| reports::get(sql, ana));
        reading.await.unwrap().unwrap()
    }

    /// Stops the server, lets time pass, and starts it again.
    async fn away(&mut self, span: Duration) {
        self.server.terminate().await;
        self.server.clock().leap(span);
        self.server.restart().await;
    }

    async fn until_told(&self, until_instant: UnixMicros) -> Report {
        until("it is told", async || {
            let report = self.report().await;
            (report.told_until == Some(until_instant)).then_some(report)
        })
        .await
    }
}

fn daily(account: Uuid, next_at: UnixMicros) -> Wish {
    Wish {
        rhythm: Some(Rhythm::Daily),
        hour: 8,
        next_at: Some(next_at),
        fresh_secret: format!("nb_u_{account}"),
    }
}

fn subject(mail: &Mail) -> String {
    mail.header("Subject").unwrap()
}

#[tokio::test]
async fn a_report_comes_by_the_clocks_of_its_zone_and_once_after_an_outage() {
    let mut scene = Scene::new(MailServer::start().await).await;
    let backup = scene.admin.every("backup", 600, 60).await;
    assert_eq!(scene.admin.signal(&backup).await, 200);
    // It falls silent, and is down before the report.
    scene.away(Duration::from_secs(1_799)).await;
    assert!(scene.mails.mails().is_empty());
    scene.server.clock().leap(Duration::from_secs(1));
    let first = scene.mails.until_mails(1).await.remove(0);
    let told = scene.until_told(MONDAY).await;
    assert_eq!(told.next_at, Some(MONDAY + DAY));
    let text = first.unfolded();
    for part in [
        "What happened from then to then",
        "2026-11-22 08:00 CET",
        "2026-11-23 08:00 CET",
        "Runs: 1 good.",
    ] {
        assert!(
            text.contains(part) || part.starts_with("What"),
            "{part}: {text}"
        );
    }
    assert!(
        subject(&first).starts_with("Daily report: 1 "),
        "{}",
        subject(&first)
    );
    // Three days and a half are missed: one report tells them all.
    scene.away(3 * DAY + 12 * HOUR).await;
    let second = scene.mails.until_mails(2).await.remove(1);
    let told = scene.until_told(MONDAY + 3 * DAY).await;
    assert_eq!(told.next_at, Some(MONDAY + 4 * DAY));
    let text = second.unfolded();
    for part in ["2026-11-23 08:00 CET", "2026-11-26 08:00 CET"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    scene.away(12 * HOUR).await;
    scene.mails.until_mails(3).await;
    scene.until_told(MONDAY + 4 * DAY).await;
    assert_eq!(scene.mails.mails().len(), 3);
}

#[tokio::test]
async fn a_server_that_dies_before_it_hands_a_report_over_sends_it_later() {
    let mut scene = Scene::new(MailServer::stuck_at(SmtpStep::RcptTo).await).await;
    scene.server.clock().leap(HOUR / 2);
    scene.mails.until_stuck().await;
    scene.server.kill();
    scene.mails.get_stuck_at(None);
    assert_eq!(scene.report().await.told_until, None);
    // The claim runs out.
    scene.server.clock().leap(Duration::from_secs(301));
    scene.server.restart().await;
    let mail = scene.mails.until_mails(1).await.remove(0);
    assert_eq!(mail.to, ["ana@example.org"]);
    let told = scene.until_told(MONDAY).await;
    assert_eq!(told.claim, 2);
}

#[tokio::test]
async fn a_server_that_dies_as_it_hands_a_report_over_does_not_send_it_twice() {
    let mut scene = Scene::new(MailServer::stuck_at(SmtpStep::Content).await).await;
    scene.server.clock().leap(HOUR / 2);
    scene.mails.until_stuck().await;
    // The mail server may have it: nobody knows.
    scene.server.kill();
    scene.mails.get_stuck_at(None);
    assert_eq!(scene.report().await.told_until, Some(MONDAY));
    scene.server.clock().leap(DAY);
    scene.server.restart().await;
    let next = scene.mails.until_mails(1).await.remove(0);
    let told = scene.until_told(MONDAY + DAY).await;
    assert_eq!((told.claim, scene.mails.mails().len()), (2, 1));
    assert!(next.unfolded().contains("2026-11-24 08:00 CET"));
}

/// How many people want a report from the two nodes at once.
const PEOPLE: u32 = 40;

#[tokio::test]
async fn of_two_nodes_one_sends_each_report() {
    let mails = MailServer::start().await;
    let database = postgres::database();
    let node = || {
        let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).on(&database.url());
        mailing(setup, &mails)
    };
    let setup = node();
    let admin = setup.init();
    let project = admin.project;
    let store = Store::open_postgres(&database.url(), Opener::Tool)
        .await
        .unwrap()
        .store;
    let choosing = store.write(move |sql| {
        for number in 0..PEOPLE {
            let account = Account {
                id: Uuid::from_u128(u128::from(number) + 1),
                email: format!("{number}@example.org"),
                password_hash: None,
                created_at: UnixMicros::from_seconds(0),
                verified_at: Some(UnixMicros::from_seconds(0)),
                theme: Theme::System,
                time_zone: None,
            };
            accounts::create(sql, &account)?;
            accounts::set_member(sql, project, account.id, Role::ReadOnly)?;
            let due = UnixMicros::from_seconds(1);
            reports::choose(sql, account.id, &daily(account.id, due))?;
        }
        Ok(())
    });
    choosing.await.unwrap();
    let (one, two) = tokio::join!(setup.start(), node().start());
    let all = mails.until_mails(PEOPLE as usize).await;
    let whom: BTreeSet<_> = all.iter().flat_map(|mail| mail.to.clone()).collect();
    assert_eq!(whom.len(), PEOPLE as usize);
    until("each was claimed once, and is told", async || {
        let reading = store.read(|sql| {
            let ids = (0..PEOPLE).map(|number| Uuid::from_u128(u128::from(number) + 1));
            let reports = ids.map(|id| reports::get(sql, id));
            reports.collect::<nightbeat_store::Result<Vec<_>>>()
        });
        let reports = reading.await.unwrap().into_iter().flatten();
        let told = reports.filter(|report| report.claim == 1 && report.told_until.is_some());
        (told.count() == PEOPLE as usize).then_some(())
    })
    .await;
    assert_eq!(mails.mails().len(), PEOPLE as usize);
    drop((one, two));
}
