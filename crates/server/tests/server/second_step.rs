//! Codes after the password, and links by mail in its place.

use nightbeat_store::control::second_step;
use totp_rs::Builder;

use crate::browser::{Browser, between};
use crate::mailbox::Mailbox;
use crate::people::{House, PASSWORD, house};

const PATH: &str = "/profile/second-step";

impl House {
    /// The code that this person's app shows, `steps` half minutes from now.
    async fn code(&self, email: &'static str, steps: i64) -> String {
        let id = self.id(email).await;
        let store = self.nightbeat.server.store();
        let totp = store.read(move |sql| second_step::get(sql, id)).await;
        let app = Builder::new()
            .with_secret(totp.unwrap().unwrap().secret)
            .build()
            .unwrap();
        let seconds = self.nightbeat.server.node().now().0 / 1_000_000 + 30 * steps;
        app.generate(u64::try_from(seconds).unwrap()).to_string()
    }

    /// As if no code had been used yet: a test does not wait for the next half minute.
    async fn forget_the_last_code(&self, email: &'static str) {
        let id = self.id(email).await;
        let now = self.nightbeat.server.node().now();
        let forgetting = self.nightbeat.server.store().write(move |sql| {
            let secret = second_step::get(sql, id)?.unwrap().secret;
            second_step::remove(sql, id)?;
            second_step::begin(sql, id, &secret)?;
            second_step::confirm(sql, id, now)
        });
        forgetting.await.unwrap();
    }
}

/// Sets it up in Ana's browser; the recovery codes.
async fn set_up(house: &House, ana: &mut Browser) -> Vec<String> {
    assert!(
        ana.get(PATH)
            .await
            .body
            .contains("It is <strong>off</strong>")
    );
    assert_eq!(ana.post(&format!("{PATH}/begin"), &[]).await.status, 303);
    let page = ana.get(PATH).await.body;
    assert!(page.contains("src=\"data:image/svg+xml,"), "{page}");
    let wrong = ana
        .post(&format!("{PATH}/confirm"), &[("code", "12345")])
        .await;
    assert_eq!(wrong.status, 422);
    let code = house.code("ana@example.org", 0).await;
    let on = ana
        .post(&format!("{PATH}/confirm"), &[("code", &code)])
        .await;
    assert_eq!(on.status, 201, "{}", on.body);
    let codes: Vec<String> = on
        .body
        .split("<li><code>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10, "{}", on.body);
    let page = ana.get(PATH).await.body;
    assert!(
        !page.contains("data:image") && !page.contains(&codes[0]),
        "{page}"
    );
    codes
}

/// The password is right; the ticket for the second step.
async fn first_step(browser: &mut Browser) -> String {
    let asked = browser.sign_in("ana@example.org", PASSWORD).await;
    assert_eq!(
        (asked.status, browser.session()),
        (200, None),
        "{}",
        asked.body
    );
    assert_eq!(browser.get("/profile").await.status, 303);
    between(&asked.body, "name=\"ticket\" value=\"", "\"")
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_password_a_code_is_asked_for_and_each_works_once() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    set_up(&house, &mut ana).await;
    house.forget_the_last_code("ana@example.org").await;

    let mut phone = Browser::new(house.nightbeat.address());
    let ticket = first_step(&mut phone).await;
    let code = house.code("ana@example.org", 0).await;
    let fields = |code| {
        [
            ("ticket", ticket.as_str()),
            ("code", code),
            ("next", "/projects/new"),
        ]
    };
    let old = house.code("ana@example.org", -10).await;
    for wrong in ["000000", "", &old] {
        let refused = phone.post("/sign-in/code", &fields(wrong)).await;
        // One of a million is right by chance; then this test asks for nothing impossible.
        assert!(refused.status == 401 || wrong == code, "{wrong}");
    }
    let entered = phone.post("/sign-in/code", &fields(&code)).await;
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, Some("/projects/new"))
    );
    assert_eq!(phone.get("/profile").await.status, 200);

    // Neither the code nor the ticket works again.
    let mut thief = Browser::new(house.nightbeat.address());
    thief.get("/sign-in").await;
    let again = thief.post("/sign-in/code", &fields(&code)).await;
    assert_eq!((again.status, thief.session()), (303, None));
    let other = first_step(&mut thief).await;
    let seen = [("ticket", other.as_str()), ("code", code.as_str())];
    assert_eq!(thief.post("/sign-in/code", &seen).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_stands_in_for_the_app_once() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    let codes = set_up(&house, &mut ana).await;
    let typed = codes[3].to_uppercase().replace('-', " ");
    for expected in [303, 401] {
        let mut browser = Browser::new(house.nightbeat.address());
        let ticket = first_step(&mut browser).await;
        let fields = [("ticket", ticket.as_str()), ("code", typed.as_str())];
        let answer = browser.post("/sign-in/code", &fields).await;
        assert_eq!(answer.status, expected);
        assert_eq!(browser.session().is_some(), expected == 303);
    }
    assert!(
        ana.get(PATH)
            .await
            .body
            .contains("9 recovery codes are left")
    );
    let new = ana.post(&format!("{PATH}/codes"), &[]).await;
    assert_eq!(new.status, 201);
    assert!(!new.body.contains(&codes[4]), "{}", new.body);
    let mut browser = Browser::new(house.nightbeat.address());
    let ticket = first_step(&mut browser).await;
    let fields = [("ticket", ticket.as_str()), ("code", codes[4].as_str())];
    assert_eq!(browser.post("/sign-in/code", &fields).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_cannot_be_guessed_quickly() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    set_up(&house, &mut ana).await;
    let mut browser = Browser::new(house.nightbeat.address());
    let ticket = first_step(&mut browser).await;
    let fields = [("ticket", ticket.as_str()), ("code", "abcdef")];
    for _ in 0..10 {
        assert_eq!(browser.post("/sign-in/code", &fields).await.status, 401);
    }
    assert_eq!(browser.post("/sign-in/code", &fields).await.status, 429);
    // A new ticket brings no new tries.
    let ticket = first_step(&mut browser).await;
    let fields = [("ticket", ticket.as_str()), ("code", "abcdef")];
    assert_eq!(browser.post("/sign-in/code", &fields).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_step_is_changed_only_by_who_proves_to_be_the_person() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    set_up(&house, &mut ana).await;
    house.let_an_hour_pass(&ana).await;
    for step in ["begin", "codes", "remove"] {
        ana.get(PATH).await;
        let asked = ana.post(&format!("{PATH}/{step}"), &[]).await;
        let to = asked.header("location").unwrap();
        assert_eq!(to, "/confirm?next=/profile/second-step", "{step}");
    }
    ana.post("/confirm", &[("password", PASSWORD)]).await;
    ana.get(PATH).await;
    assert_eq!(ana.post(&format!("{PATH}/remove"), &[]).await.status, 303);
    let mut browser = Browser::new(house.nightbeat.address());
    let answer = browser.sign_in("ana@example.org", PASSWORD).await;
    assert_eq!(answer.status, 303, "no code is asked for any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_link_signs_in_once_and_only_by_a_button() {
    let mailbox = Mailbox::open().await;
    let house = house(|config| mailbox.configure(config)).await;
    let mut browser = Browser::new(house.nightbeat.address());
    assert!(
        browser
            .get("/sign-in")
            .await
            .body
            .contains("Mail me a link")
    );
    let fields = [("email", " Ana@example.org"), ("next", "/projects/new")];
    let sent = browser.post("/sign-in/link", &fields).await;
    assert!(sent.body.contains("Look into your mail"), "{}", sent.body);
    let mail = mailbox.next().await;
    assert!(mail.contains("RCPT TO:<ana@example.org>"), "{mail}");
    let secret = between(&mail, "/sign-in/link/", "?next=/projects/new").expect("a link");
    let path = format!("/sign-in/link/{secret}?next=/projects/new");
    for _ in 0..2 {
        let opened = browser.get(&path).await;
        assert!(
            opened.body.contains("Sign in as ana@example.org?"),
            "{}",
            opened.body
        );
        assert_eq!(browser.session(), None, "a look signs nobody in");
    }
    let entered = browser.post(&path, &[("next", "/projects/new")]).await;
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, Some("/projects/new"))
    );
    assert_eq!(browser.get("/profile").await.status, 200);
    let mut thief = Browser::new(house.nightbeat.address());
    assert_eq!(thief.get(&path).await.status, 404);
    thief.get("/sign-in").await;
    assert_eq!(thief.post(&path, &[]).await.status, 404);

    // Whether there is an account is not told; and no mail goes to where there is none.
    thief.get("/sign-in").await;
    let nobody = thief
        .post("/sign-in/link", &[("email", "nobody@example.org")])
        .await;
    assert!(
        nobody.body.contains("If there is an account"),
        "{}",
        nobody.body
    );
    thief
        .post("/sign-in/link", &[("email", "eve@example.org")])
        .await;
    assert!(mailbox.next().await.contains("RCPT TO:<eve@example.org>"));
    assert!(mailbox.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_link_does_not_stand_in_for_the_second_step() {
    let mailbox = Mailbox::open().await;
    let house = house(|config| mailbox.configure(config)).await;
    let mut ana = house.browser("ana@example.org").await;
    set_up(&house, &mut ana).await;
    let mut browser = Browser::new(house.nightbeat.address());
    browser.get("/sign-in").await;
    browser
        .post("/sign-in/link", &[("email", "ana@example.org")])
        .await;
    let mail = mailbox.next().await;
    let found = between(&mail, "/sign-in/link/nb_l_", "\n")
        .unwrap()
        .trim()
        .to_owned();
    let path = format!("/sign-in/link/nb_l_{found}");
    browser.get(&path).await;
    let asked = browser.post(&path, &[]).await;
    assert_eq!((asked.status, browser.session()), (200, None));
    assert!(asked.body.contains("name=\"ticket\""), "{}", asked.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_there_are_no_links() {
    let house = house(|_| {}).await;
    let mut browser = Browser::new(house.nightbeat.address());
    assert!(
        !browser
            .get("/sign-in")
            .await
            .body
            .contains("Mail me a link")
    );
    let sent = browser
        .post("/sign-in/link", &[("email", "ana@example.org")])
        .await;
    assert_eq!(sent.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_for_an_address_is_mailed_to_it() {
    let mailbox = Mailbox::open().await;
    let house = house(|config| mailbox.configure(config)).await;
    let mut ana = house.browser("ana@example.org").await;
    let members = format!("/projects/{}/settings/members", house.home);
    ana.get(&members).await;
    let fields = [("role", "member"), ("email", "fay@example.org")];
    let made = ana.post(&format!("{members}/invite"), &fields).await;
    assert!(
        made.body.contains("It was mailed to fay@example.org"),
        "{}",
        made.body
    );
    assert!(
        !made.body.contains("/invitations/nb_"),
        "nobody else has the link: {}",
        made.body
    );
    let mail = mailbox.next().await;
    assert!(mail.contains("RCPT TO:<fay@example.org>"), "{mail}");
    assert!(mail.contains("/invitations/nb_m_"), "{mail}");
}
