//! People sign in, and stay signed in; others do not.

use std::time::Duration;

use nightbeat_domain::{ProjectId, UnixMicros};
use nightbeat_server::accounts::passwords::Passwords;
use nightbeat_server::accounts::{self as people, insert_project, key_hash};
use nightbeat_server::config::{Config, SignUp};
use nightbeat_store::control::accounts::{self, Account, Role};
use nightbeat_store::control::sessions;
use nightbeat_store::sql::Sql;
use uuid::Uuid;

use crate::browser::{Browser, between};
use crate::support::{Fixture, start};

pub(crate) const PASSWORD: &str = "correct horse";

/// A server with Ana's project "Home", in which Ben is a manager, Cleo a member and Dora read-only; and with
/// Eve, who has a project of her own, "Lair". They all have the same password.
pub(crate) struct House {
    pub(crate) nightbeat: Fixture,
    pub(crate) home: ProjectId,
    pub(crate) lair: ProjectId,
}

pub(crate) async fn house(change: impl FnOnce(&mut Config)) -> House {
    let nightbeat = start(change).await;
    let hash = Passwords::default()
        .hash(PASSWORD.to_owned())
        .await
        .unwrap();
    let (home, now) = (nightbeat.project(), nightbeat.server.node().now());
    let filling = nightbeat.server.store().write(move |sql| {
        let ana = accounts::by_email(sql, "ana@example.org")?.unwrap().id;
        accounts::set_password_hash(sql, ana, Some(&hash))?;
        for (email, role) in [
            ("ben@example.org", Role::Manager),
            ("cleo@example.org", Role::Member),
            ("dora@example.org", Role::ReadOnly),
        ] {
            let id = account(sql, email, &hash, now)?;
            accounts::set_member(sql, home, id, role)?;
        }
        let eve = account(sql, "eve@example.org", &hash, now)?;
        Ok(insert_project(sql, "Lair", eve, now)?.id)
    });
    let lair = filling.await.unwrap();
    House {
        nightbeat,
        home,
        lair,
    }
}

fn account(
    sql: &mut dyn Sql,
    email: &str,
    hash: &str,
    now: UnixMicros,
) -> nightbeat_store::Result<Uuid> {
    let account = people::verified_account(email, Some(hash.to_owned()), now);
    accounts::create(sql, &account)?;
    Ok(account.id)
}

impl House {
    /// A browser in which this person is signed in.
    pub(crate) async fn browser(&self, email: &str) -> Browser {
        let mut browser = Browser::new(self.nightbeat.address());
        let answer = browser.sign_in(email, PASSWORD).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    pub(crate) async fn id(&self, email: &'static str) -> Uuid {
        self.account(email).await.expect("an account").id
    }

    pub(crate) async fn account(&self, email: &'static str) -> Option<Account> {
        let store = self.nightbeat.server.store();
        let found = store.read(move |sql| accounts::by_email(sql, email)).await;
        found.unwrap()
    }

    /// As if the person had signed in an hour ago.
    pub(crate) async fn let_an_hour_pass(&self, browser: &Browser) {
        let hash = key_hash(browser.session().unwrap());
        let now = self.nightbeat.server.node().now();
        let aging = self.nightbeat.server.store().write(move |sql| {
            let session = sessions::find(sql, &hash, now)?.unwrap();
            sessions::confirm(sql, session.id, now - Duration::from_secs(3_600))
        });
        aging.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_knows_the_password_is_signed_in_and_comes_to_where_they_wanted() {
    let house = house(|_| {}).await;
    let mut browser = Browser::new(house.nightbeat.address());
    let asked = browser.get("/profile").await;
    assert_eq!(
        (asked.status, asked.header("location")),
        (303, Some("/sign-in?next=/profile"))
    );
    let form = browser.get("/sign-in?next=/profile").await;
    assert_eq!(
        between(&form.body, "name=\"next\" value=\"", "\""),
        Some("/profile")
    );
    let fields = |password| {
        let email = ("email", " Ana@Example.org ");
        [email, ("password", password), ("next", "/profile")]
    };
    let wrong = browser.post("/sign-in", &fields("wrong horse")).await;
    assert_eq!((wrong.status, browser.session()), (401, None));
    let problem = "There is no account with this address and password.";
    assert!(wrong.body.contains(problem), "{}", wrong.body);
    let unknown = [("email", "nobody@example.org"), ("password", PASSWORD)];
    let nobody = browser.post("/sign-in", &unknown).await;
    assert_eq!(nobody.status, 401);
    assert!(nobody.body.contains(problem), "{}", nobody.body);
    let right = browser.post("/sign-in", &fields(PASSWORD)).await;
    assert_eq!(
        (right.status, right.header("location")),
        (303, Some("/profile"))
    );
    let profile = browser.get("/profile").await;
    assert_eq!(profile.status, 200);
    for shown in ["ana@example.org", "this one", "signed in", "by password"] {
        assert!(profile.body.contains(shown), "{shown}: {}", profile.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_another_site() {
    let house = house(|_| {}).await;
    for next in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "/\n/evil.example",
    ] {
        let mut browser = Browser::new(house.nightbeat.address());
        browser.get("/sign-in").await;
        let fields = [
            ("email", "ana@example.org"),
            ("password", PASSWORD),
            ("next", next),
        ];
        let answer = browser.post("/sign-in", &fields).await;
        let to = answer.header("location").unwrap();
        assert!(to == "/" || to == "/%09/evil.example", "{next:?}: {to}");
        let again = browser.get("/sign-in?next=//evil.example").await;
        assert_eq!((again.status, again.header("location")), (303, Some("/")));
        house.let_an_hour_pass(&browser).await;
        browser.get("/profile").await;
        let fields = [("password", PASSWORD), ("next", next)];
        let confirmed = browser.post("/confirm", &fields).await;
        let to = confirmed.header("location").unwrap();
        assert!(to == "/" || to == "/%09/evil.example", "{next:?}: {to}");
        let out = browser.post("/sign-out", &[("next", next)]).await;
        let to = out.header("location").unwrap();
        assert!(to.starts_with("/sign-in"), "{next:?}: {to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_gives_the_session_another_secret_and_ends_the_old_one() {
    let house = house(|_| {}).await;
    let mut browser = Browser::new(house.nightbeat.address());
    // Mallory has put a cookie of her choice into the victim's browser.
    let planted = "a".repeat(44);
    browser
        .cookies
        .insert("nightbeat".to_owned(), planted.clone());
    browser.sign_in("ana@example.org", PASSWORD).await;
    let first = browser.session().unwrap().to_owned();
    assert_ne!(first, planted);
    let mut mallory = Browser::new(house.nightbeat.address());
    mallory.cookies.insert("nightbeat".to_owned(), planted);
    assert_eq!(mallory.get("/profile").await.status, 303);

    // Signed in again without signing out: what was known before opens nothing.
    browser.get("/profile").await;
    let fields = [("email", "ana@example.org"), ("password", PASSWORD)];
    assert_eq!(browser.post("/sign-in", &fields).await.status, 303);
    assert_ne!(browser.session().unwrap(), first);
    mallory.cookies.insert("nightbeat".to_owned(), first);
    assert_eq!(mallory.get("/profile").await.status, 303);
    assert_eq!(browser.get("/profile").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_another_site_sends_is_refused() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    ana.get("/profile").await;
    let mine = ana.csrf.clone();
    let theme = [("theme", "dark")];
    assert_eq!(
        ana.post_unasked("/profile/appearance", &theme).await.status,
        403
    );
    // What another browser was shown, signed in or not, is of no use in this one.
    let mut eve = house.browser("eve@example.org").await;
    eve.get("/profile").await;
    let mut nobody = Browser::new(house.nightbeat.address());
    nobody.get("/sign-in").await;
    for foreign in [&eve.csrf, &nobody.csrf, ""] {
        foreign.clone_into(&mut ana.csrf);
        assert_eq!(ana.post("/profile/appearance", &theme).await.status, 403);
    }
    // Nor is a cookie for forms that somebody planted: who is signed in needs the session's own.
    let planted = nobody.cookies["nightbeat-form"].clone();
    ana.cookies.insert("nightbeat-form".to_owned(), planted);
    ana.csrf.clone_from(&nobody.csrf);
    assert_eq!(ana.post("/profile/appearance", &theme).await.status, 403);
    ana.csrf = mine;
    assert_eq!(ana.post("/profile/appearance", &theme).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_from_another_browser() {
    let house = house(|_| {}).await;
    let mut laptop = house.browser("ana@example.org").await;
    laptop.headers = "User-Agent: Laptop <b>\r\n".to_owned();
    let mut phone = Browser::new(house.nightbeat.address());
    phone.headers = "User-Agent: Phone\r\n".to_owned();
    phone.sign_in("ana@example.org", PASSWORD).await;
    let mut eve = house.browser("eve@example.org").await;

    let list = laptop.get("/profile").await.body;
    assert!(list.contains("Phone"), "{list}");
    let session = between(&list, "/profile/sessions/", "/end")
        .unwrap()
        .to_owned();
    let path = format!("/profile/sessions/{session}/end");
    eve.get("/profile").await;
    assert_eq!(eve.post(&path, &[]).await.status, 404, "it is not hers");
    assert_eq!(phone.get("/profile").await.status, 200);
    assert_eq!(laptop.post(&path, &[]).await.status, 303);
    assert_eq!(phone.get("/profile").await.status, 303);

    let mut tablet = house.browser("ana@example.org").await;
    assert_eq!(
        laptop
            .post("/profile/sessions/others/end", &[])
            .await
            .status,
        303
    );
    assert_eq!(tablet.get("/profile").await.status, 303);
    assert_eq!(laptop.get("/profile").await.status, 200);
    assert_eq!(eve.get("/profile").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_a_restart_and_ends_after_two_weeks_without_use() {
    let house = house(|_| {}).await;
    let browser = house.browser("ana@example.org").await;
    let hash = key_hash(browser.session().unwrap());
    let now = house.nightbeat.server.node().now();
    let store = house.nightbeat.server.store();
    let found = |at| store.read(move |sql| sessions::find(sql, &hash, at));
    assert!(found(now).await.unwrap().is_some(), "it is in the database");
    let end = now + Duration::from_secs(14 * 86_400 + 60);
    assert!(found(end).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_become_slow_for_the_account_and_harm_no_other() {
    let house = house(|_| {}).await;
    let mut browser = Browser::new(house.nightbeat.address());
    for _ in 0..10 {
        let wrong = browser.sign_in("ana@example.org", "wrong horse").await;
        assert_eq!(wrong.status, 401);
    }
    let late = browser.sign_in("ana@example.org", PASSWORD).await;
    assert_eq!((late.status, browser.session()), (429, None));
    let wait: u32 = late.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=91).contains(&wait), "{wait}");
    // An address that nobody has is told the same.
    for _ in 0..10 {
        browser.sign_in("nobody@example.org", "wrong horse").await;
    }
    let nobody = browser.sign_in("nobody@example.org", "wrong horse").await;
    assert_eq!(nobody.status, 429);
    assert_eq!(
        browser.sign_in("eve@example.org", PASSWORD).await.status,
        303
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_guesses_is_slowed_down_whatever_the_accounts() {
    let trusted = |config: &mut Config| {
        config.trusted_proxies.networks = vec!["127.0.0.1/32".parse().unwrap()];
    };
    let house = house(trusted).await;
    let mut guessing = Browser::new(house.nightbeat.address());
    guessing.headers = "X-Forwarded-For: 203.0.113.7\r\n".to_owned();
    // A try comes back every twenty seconds, which a slow machine may take for forty of them.
    let mut tries = 0;
    loop {
        let email = format!("{tries}@example.org");
        match guessing.sign_in(&email, "x").await.status {
            401 => tries += 1,
            status => break assert_eq!(status, 429),
        }
        assert!(tries < 200, "nobody slows them down");
    }
    assert!(tries >= 40, "slowed down after {tries}");
    guessing.headers = "X-Forwarded-For: 203.0.113.8\r\n".to_owned();
    assert_eq!(
        guessing.sign_in("ana@example.org", PASSWORD).await.status,
        303
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_asked_for_again_before_it_is_changed() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    let mut phone = house.browser("ana@example.org").await;
    house.let_an_hour_pass(&ana).await;
    ana.get("/profile").await;
    let new = [("password", "another horse")];
    let asked = ana.post("/profile/password", &new).await;
    let to = asked.header("location").unwrap().to_owned();
    assert_eq!((asked.status, to.as_str()), (303, "/confirm?next=/profile"));
    assert_eq!(ana.get(&to).await.status, 200);
    let wrong = ana.post("/confirm", &[("password", "wrong horse")]).await;
    assert_eq!(wrong.status, 401);
    let fields = [("password", PASSWORD), ("next", "/profile")];
    let confirmed = ana.post("/confirm", &fields).await;
    assert_eq!(confirmed.header("location"), Some("/profile"));
    let short = ana
        .post("/profile/password", &[("password", "short")])
        .await;
    assert_eq!(short.status, 422);
    assert_eq!(ana.post("/profile/password", &new).await.status, 303);
    assert_eq!(phone.get("/profile").await.status, 303, "others are out");
    assert_eq!(ana.get("/profile").await.status, 200);
    let mut again = Browser::new(house.nightbeat.address());
    assert_eq!(again.sign_in("ana@example.org", PASSWORD).await.status, 401);
    assert_eq!(
        again
            .sign_in("ana@example.org", "another horse")
            .await
            .status,
        303
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_nobody() {
    let house = house(|_| {}).await;
    let mut browser = Browser::new(house.nightbeat.address());
    browser.show_key(&house.nightbeat.keys.api_key).await;
    assert_eq!(browser.get("/profile").await.status, 403);
    assert_eq!(browser.get("/projects/new").await.status, 403);
    let home = house.home;
    let keys = browser
        .get(&format!("/projects/{home}/settings/keys"))
        .await;
    assert_eq!(keys.status, 403);
    assert!(!keys.body.contains("nb_p_"), "{}", keys.body);
    let members = browser
        .get(&format!("/projects/{home}/settings/members"))
        .await;
    assert_eq!(members.status, 403);
    assert!(
        !members.body.contains("ana@example.org"),
        "{}",
        members.body
    );
    let lair = house.lair;
    let other = browser.get(&format!("/projects/{lair}/settings")).await;
    assert_eq!(other.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn appearance_is_the_persons_own() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    ana.get("/profile").await;
    let fields = |zone| [("theme", "dark"), ("time_zone", zone)];
    let wrong = ana
        .post("/profile/appearance", &fields("Europe/Atlantis"))
        .await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.body.contains("No time zone is called"),
        "{}",
        wrong.body
    );
    let right = ana
        .post("/profile/appearance", &fields("Europe/Berlin"))
        .await;
    assert_eq!(right.status, 303);
    let page = ana.get("/profile").await.body;
    assert!(page.contains("value=\"dark\" selected"), "{page}");
    assert!(page.contains("value=\"Europe/Berlin\""), "{page}");
    let mut eve = house.browser("eve@example.org").await;
    let page = eve.get("/profile").await.body;
    assert!(page.contains("value=\"system\" selected"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_who_somebody_is_and_nobody_else_does() {
    let header = |config: &mut Config| {
        config.sign_in_header = Some("remote-email".parse().unwrap());
        config.trusted_proxies.networks = vec!["127.0.0.1/32".parse().unwrap()];
    };
    let house = house(header).await;
    let mut browser = Browser::new(house.nightbeat.address());
    browser.headers = "Remote-Email: Ana@example.org\r\n".to_owned();
    let entered = browser.get("/sign-in?next=/profile").await;
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, Some("/profile"))
    );
    assert!(
        browser
            .get("/profile")
            .await
            .body
            .contains("ana@example.org")
    );
    // Somebody else has signed in at the proxy, in the same browser.
    browser.headers = "Remote-Email: eve@example.org\r\n".to_owned();
    assert_eq!(browser.get("/profile").await.status, 303);
    browser.get("/sign-in").await;
    assert!(
        browser
            .get("/profile")
            .await
            .body
            .contains("eve@example.org")
    );
    // The client's own line, which a careless proxy has let through beside its own.
    let mut mallory = Browser::new(house.nightbeat.address());
    mallory.headers = "Remote-Email: ana@example.org\r\nRemote-Email: m@example.org\r\n".to_owned();
    assert_eq!(mallory.get("/sign-in").await.status, 200);
    mallory.headers = "Remote-Email: nobody@example.org\r\n".to_owned();
    assert_eq!(mallory.get("/sign-in").await.status, 403);

    let elsewhere = |config: &mut Config| {
        config.sign_in_header = Some("remote-email".parse().unwrap());
        config.trusted_proxies.networks = vec!["10.0.0.0/8".parse().unwrap()];
        config.sign_up = SignUp::Open;
    };
    let house = self::house(elsewhere).await;
    let mut mallory = Browser::new(house.nightbeat.address());
    mallory.headers = "Remote-Email: ana@example.org\r\n".to_owned();
    assert_eq!(mallory.get("/sign-in").await.status, 200);
    assert_eq!(mallory.session(), None);
}
