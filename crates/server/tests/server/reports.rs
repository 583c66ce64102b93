//! Reports by mail, through the pages, a real mail server and a real database.

use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_notify::SmtpTls;
use nightbeat_server::accounts::new_account;
use nightbeat_server::accounts::passwords::Passwords;
use nightbeat_server::config::Config;
use nightbeat_store::control::accounts;
use nightbeat_store::control::reports::{self, Report, Wish};
use nightbeat_testkit::{Mail, MailServer, SmtpStep, until};
use uuid::Uuid;

use crate::browser::{Browser, between};
use crate::people::{House, PASSWORD, house};

/// Sends the server's mails there.
fn mailing(mails: &MailServer) -> impl FnOnce(&mut Config) {
    let port = mails.port();
    move |config| {
        config.public_url = "https://beats.example.org".parse().unwrap();
        config.smtp.host = Some("127.0.0.1".to_owned());
        config.smtp.port = Some(port);
        config.smtp.tls = Some(SmtpTls::None);
        config.smtp.from = Some("nightbeat@example.org".to_owned());
    }
}

impl House {
    async fn report(&self, account: Uuid) -> Option<Report> {
        let store = self.nightbeat.server.store();
        let reading = store.read(move |sql| reports::get(sql, account));
        reading.await.unwrap()
    }

    fn now(&self) -> UnixMicros {
        self.nightbeat.server.node().now()
    }

    /// As if the report had been due a moment ago.
    async fn make_due(&self, account: Uuid) {
        let next_at = self.now() - Duration::from_secs(1);
        let store = self.nightbeat.server.store();
        let moving = store.write(move |sql| reports::move_to(sql, account, next_at));
        moving.await.unwrap();
    }

    /// Waits until nobody works on the report any more: it is told, put off, or to be tried again.
    async fn until_settled(&self, account: Uuid) -> Report {
        until("the report is settled", async || {
            let report = self.report(account).await.unwrap();
            let later = report.next_at > Some(self.now());
            let settled = report.attempts == 0 || report.problem.is_some();
            (later && settled).then_some(report)
        })
        .await
    }

    /// An hour at which nothing is due while a test runs, in UTC as in Europe.
    fn far_hour(&self) -> u8 {
        let hour = self.now().0.div_euclid(3_600_000_000).rem_euclid(24);
        ((hour + 12) % 24) as u8
    }
}

async fn choose(house: &House, browser: &mut Browser, rhythm: &str) {
    browser.get("/profile/reports").await;
    let hour = house.far_hour().to_string();
    let fields = [("rhythm", rhythm), ("hour", &hour)];
    let answer = browser.post("/profile/reports", &fields).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/profile/reports"))
    );
}

/// The link that ends reports, out of a mail.
fn link(mail: &Mail) -> String {
    let header = mail.header("List-Unsubscribe").unwrap();
    let url = header.trim_matches(['<', '>']).to_owned();
    let path = url.strip_prefix("https://beats.example.org");
    path.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_chooses_a_report_and_gets_it_once() {
    let mails = MailServer::start().await;
    let house = house(mailing(&mails)).await;
    house.nightbeat.heartbeat("nightly").await;
    let ana = house.id("ana@example.org").await;
    let mut browser = house.browser("ana@example.org").await;
    let profile = browser.get("/profile").await;
    assert!(
        profile.body.contains("href=\"/profile/reports\""),
        "{}",
        profile.body
    );
    let zone = [("theme", "dark"), ("time_zone", "Europe/Berlin")];
    browser.post("/profile/appearance", &zone).await;
    choose(&house, &mut browser, "daily").await;
    let shown = browser.get("/profile/reports").await;
    let hour = format!("{:02}:00", house.far_hour());
    for part in [
        "By the clocks of Europe/Berlin",
        "The next one comes to",
        &format!("{hour}:00 CE"),
    ] {
        assert!(shown.body.contains(part), "{part}: {}", shown.body);
    }
    assert!(house.report(ana).await.unwrap().next_at > Some(house.now()));
    house.make_due(ana).await;
    let mail = mails.until_mails(1).await.remove(0);
    assert_eq!(mail.to, ["ana@example.org"]);
    let subject = mail.header("Subject").unwrap();
    assert_eq!(subject, "Daily report: everything is fine (Home, 1 job)");
    assert_eq!(
        mail.header("List-Unsubscribe-Post").as_deref(),
        Some("List-Unsubscribe=One-Click")
    );
    let text = mail.unfolded();
    for part in [
        "Home: everything is fine; 1 job,",
        "https://beats.example.org/projects/",
        &format!("{hour} CE"),
        "text/html",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let told = house.until_settled(ana).await;
    assert_eq!(told.problem, None);
    // Due again by mistake: what is told is not told again.
    house.make_due(ana).await;
    let again = house.until_settled(ana).await;
    assert_eq!(again.told_until, told.told_until);
    assert_eq!(mails.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_zone_moves_the_next_report() {
    let mails = MailServer::start().await;
    let house = house(mailing(&mails)).await;
    let ana = house.id("ana@example.org").await;
    let mut browser = house.browser("ana@example.org").await;
    choose(&house, &mut browser, "monthly").await;
    let in_utc = house.report(ana).await.unwrap().next_at.unwrap();
    let zone = [("theme", "system"), ("time_zone", "Asia/Tokyo")];
    browser.post("/profile/appearance", &zone).await;
    let in_tokyo = house.report(ana).await.unwrap().next_at.unwrap();
    let nine_hours = 9 * 3_600 * 1_000_000;
    let moved = (in_utc.0 - in_tokyo.0).rem_euclid(86_400_000_000);
    assert_eq!(moved, nine_hours, "{in_utc} {in_tokyo}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_click_in_a_mail_program_ends_reports() {
    let mails = MailServer::start().await;
    let house = house(mailing(&mails)).await;
    let ana = house.id("ana@example.org").await;
    let mut browser = house.browser("ana@example.org").await;
    choose(&house, &mut browser, "weekly").await;
    browser.get("/profile/reports").await;
    let sent = browser.post("/profile/reports/now", &[]).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    assert!(
        sent.body.contains("is on its way to ana@example.org"),
        "{}",
        sent.body
    );
    let mail = mails.until_mails(1).await.remove(0);
    assert!(mail.unfolded().contains("You have asked for this report."));
    let path = link(&mail);
    // A program that only looks at the link ends nothing.
    let mut stranger = Browser::new(house.nightbeat.address());
    let page = stranger.get(&path).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("ana@example.org"), "{}", page.body);
    let action = between(&page.body, "action=\"", "\"");
    assert_eq!(action, Some(path.as_str()));
    assert!(house.report(ana).await.unwrap().rhythm.is_some());
    // A mail program's server: no cookie, no token, from another site.
    stranger.cookies.clear();
    stranger.headers = "Sec-Fetch-Site: cross-site\r\n".to_owned();
    for _ in 0..2 {
        let fields = [("List-Unsubscribe", "One-Click")];
        let ended = stranger.post_unasked(&path, &fields).await;
        assert_eq!(ended.status, 200);
        assert!(ended.body.contains("No more reports"), "{}", ended.body);
    }
    let report = house.report(ana).await.unwrap();
    assert_eq!((report.rhythm, report.next_at), (None, None));
    assert_eq!(stranger.get("/reports/nb_u_guess").await.status, 404);
    assert_eq!(
        stranger
            .post_unasked("/reports/nb_u_guess", &[])
            .await
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_by_hand_are_throttled() {
    let mails = MailServer::start().await;
    let house = house(mailing(&mails)).await;
    let mut browser = house.browser("dora@example.org").await;
    browser.get("/profile/reports").await;
    for _ in 0..10 {
        assert_eq!(browser.post("/profile/reports/now", &[]).await.status, 200);
    }
    let late = browser.post("/profile/reports/now", &[]).await;
    assert_eq!(late.status, 429);
    assert!(late.header("retry-after").is_some());
    assert_eq!(mails.mails().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_the_page_says_so() {
    let house = house(|_| {}).await;
    let mut browser = house.browser("ana@example.org").await;
    let page = browser.get("/profile/reports").await;
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("This server sends no mail."),
        "{}",
        page.body
    );
    assert!(!page.body.contains("<select"), "{}", page.body);
    browser.get("/profile").await;
    assert_eq!(browser.post("/profile/reports/now", &[]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_never_confirmed_gets_none() {
    let mails = MailServer::start().await;
    let house = house(mailing(&mails)).await;
    // Somebody has typed Fay's address.
    let hash = Passwords::default().hash(PASSWORD.to_owned()).await;
    let fay = new_account("fay@example.org", Some(hash.unwrap()), house.now());
    let (id, next_at) = (fay.id, house.now() - Duration::from_secs(1));
    let wish = Wish {
        rhythm: Some(reports::Rhythm::Daily),
        hour: house.far_hour(),
        next_at: Some(next_at),
        fresh_secret: "nb_u_secret".to_owned(),
    };
    let store = house.nightbeat.server.store();
    let making = store.write(move |sql| {
        accounts::create(sql, &fay)?;
        reports::choose(sql, fay.id, &wish)
    });
    making.await.unwrap();
    let put_off = house.until_settled(id).await;
    assert_eq!((put_off.told_until, put_off.claim), (None, 0));
    let mut browser = house.browser("fay@example.org").await;
    let page = browser.get("/profile/reports").await;
    assert!(page.body.contains("was never confirmed"), "{}", page.body);
    browser.get("/profile").await;
    let fields = [("rhythm", "weekly"), ("hour", "8")];
    let refused = browser.post("/profile/reports", &fields).await;
    assert_eq!(refused.status, 403);
    assert_eq!(browser.post("/profile/reports/now", &[]).await.status, 403);
    let none = [("rhythm", "none"), ("hour", "8")];
    assert_eq!(browser.post("/profile/reports", &none).await.status, 303);
    assert!(mails.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_choices_are_told() {
    let house = house(|_| {}).await;
    let mut browser = house.browser("ana@example.org").await;
    browser.get("/profile").await;
    for fields in [
        [("rhythm", "hourly"), ("hour", "8")],
        [("rhythm", "daily"), ("hour", "24")],
        [("rhythm", "daily"), ("hour", "")],
    ] {
        let answer = browser.post("/profile/reports", &fields).await;
        assert_eq!(answer.status, 422, "{fields:?}");
        assert!(answer.body.contains("role=\"alert\""), "{}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_refuses_is_tried_again_later() {
    let mails = MailServer::start().await;
    mails.refuse("ana@example.org", "451 4.7.1 greylisted");
    let house = house(mailing(&mails)).await;
    let ana = house.id("ana@example.org").await;
    let mut browser = house.browser("ana@example.org").await;
    choose(&house, &mut browser, "daily").await;
    house.make_due(ana).await;
    let failed = house.until_settled(ana).await;
    assert_eq!((failed.attempts, failed.told_until), (1, None));
    assert!(failed.problem.unwrap().contains("greylisted"));
    let page = browser.get("/profile/reports").await;
    assert!(page.body.contains("greylisted"), "{}", page.body);
    let metrics = house.nightbeat.get("/metrics").await;
    let counted = "nightbeat_reports_total{outcome=\"failed\"} 1";
    assert!(metrics.body.contains(counted), "{}", metrics.body);
    mails.refuse_nobody();
    let again_at = house.now() - Duration::from_secs(1);
    let store = house.nightbeat.server.store();
    let moving = store.write(move |sql| {
        let report = reports::get(sql, ana)?.unwrap();
        let untold = reports::Untold {
            told_until: None,
            sent_at: None,
            attempts: report.attempts,
            next_at: again_at,
            problem: String::new(),
        };
        reports::untold(sql, (ana, report.claim), &untold)
    });
    moving.await.unwrap();
    mails.until_mails(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_come_is_not_asked_for_twice() {
    let mails = MailServer::stuck_at(SmtpStep::Content).await;
    let mailing = mailing(&mails);
    let house = house(|config| {
        mailing(config);
        config.outgoing.timeout = Duration::from_secs(1);
    })
    .await;
    let ana = house.id("ana@example.org").await;
    let wish = Wish {
        rhythm: Some(reports::Rhythm::Daily),
        hour: house.far_hour(),
        next_at: Some(house.now() - Duration::from_secs(1)),
        fresh_secret: "nb_u_secret".to_owned(),
    };
    let store = house.nightbeat.server.store();
    let choosing = store.write(move |sql| reports::choose(sql, ana, &wish));
    choosing.await.unwrap();
    let doubt = until("a doubt is left", async || {
        let report = house.report(ana).await.unwrap();
        report.problem.is_some().then_some(report)
    })
    .await;
    assert!(doubt.told_until.is_some(), "{doubt:?}");
    assert!(doubt.next_at > Some(house.now()), "{doubt:?}");
    assert!(doubt.problem.unwrap().contains("may not have arrived"));
}
