//! Whose account an address opens: nobody lies in wait in an account for the one whose address it is.

use nightbeat_server::accounts::{self as people, Init};
use nightbeat_server::config::{Config, Secret, SignUp};
use nightbeat_store::control::accounts::{self, Role};
use nightbeat_testkit::oidc::{CLIENT_ID, CLIENT_SECRET, OidcProvider, Person};

use crate::browser::{Browser, between};
use crate::mailbox::Mailbox;
use crate::people::{House, PASSWORD, house};
use crate::support::Answer;

const OPEN: fn(&mut Config) = |config| config.sign_up = SignUp::Open;

/// The path of the link in a mail, which begins like this.
fn link(mail: &str, beginning: &str) -> String {
    let rest = between(mail, beginning, "\n").unwrap_or_else(|| panic!("{beginning} in {mail}"));
    format!("{beginning}{}", rest.trim())
}

impl House {
    /// A browser in which nobody is signed in.
    fn nobody(&self) -> Browser {
        Browser::new(self.nightbeat.address())
    }

    /// Types an address where people sign up.
    async fn sign_up(&self, browser: &mut Browser, email: &str) -> Answer {
        browser.get("/sign-up").await;
        browser.post("/sign-up", &[("email", email)]).await
    }

    /// Somebody makes an account with this address by a link that was shown to whoever invites: nothing shows that
    /// the address is theirs.
    async fn squat(&self, email: &str) -> Browser {
        let mut ana = self.browser("ana@example.org").await;
        let members = format!("/projects/{}/settings/members", self.home);
        ana.get(&members).await;
        let made = ana
            .post(&format!("{members}/invite"), &[("role", "read-only")])
            .await;
        let secret = between(&made.body, "/invitations/nb_i_", "<").expect("a link");
        let path = format!("/invitations/nb_i_{secret}");
        let mut mallory = self.nobody();
        mallory.get(&path).await;
        let fields = [("email", email), ("password", "mallory's horse")];
        let joined = mallory.post(&format!("{path}/sign-up"), &fields).await;
        assert_eq!(joined.status, 303, "{}", joined.body);
        mallory
    }

    async fn is_confirmed(&self, email: &'static str) -> bool {
        let account = self.account(email).await.expect("an account");
        account.verified_at.is_some()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_up_is_closed_unless_the_operator_opens_it() {
    let closed = house(|_| {}).await;
    let mut browser = closed.nobody();
    assert_eq!(browser.get("/sign-up").await.status, 404);
    assert!(!browser.get("/sign-in").await.body.contains("/sign-up"));
    let fields = [("email", "new@example.org")];
    assert_eq!(browser.post("/sign-up", &fields).await.status, 404);

    let mailbox = Mailbox::open().await;
    let closed = house(|config| mailbox.configure(config)).await;
    let mut browser = closed.nobody();
    browser.get("/sign-in").await;
    assert_eq!(browser.post("/sign-up", &fields).await.status, 404);
    assert!(mailbox.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn open_sign_up_needs_mail_and_says_so() {
    let house = house(OPEN).await;
    let mut browser = house.nobody();
    assert!(!browser.get("/sign-in").await.body.contains("/sign-up"));
    let told = browser.get("/sign-up").await;
    assert_eq!(told.status, 404);
    assert!(told.body.contains("Sign-up needs mail"), "{}", told.body);
    let fields = [("email", "new@example.org")];
    let told = browser.post("/sign-up", &fields).await;
    assert!(told.body.contains("Sign-up needs mail"), "{}", told.body);
    assert!(house.account("new@example.org").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_the_mail_chooses_the_password_of_the_new_account() {
    let mailbox = Mailbox::open().await;
    let configured = |config: &mut Config| {
        OPEN(config);
        mailbox.configure(config);
    };
    let house = house(configured).await;
    let mut browser = house.nobody();
    assert!(browser.get("/sign-in").await.body.contains("/sign-up"));
    let wrong = house.sign_up(&mut browser, "new").await;
    assert_eq!(wrong.status, 422);
    let sent = house.sign_up(&mut browser, " New@example.org ").await;
    assert_eq!((sent.status, browser.session()), (200, None));
    let mail = mailbox.next().await;
    assert!(mail.contains("RCPT TO:<new@example.org>"), "{mail}");
    assert!(
        house.account("new@example.org").await.is_none(),
        "nothing is made before"
    );
    let path = link(&mail, "/sign-up/nb_u_");
    for _ in 0..2 {
        let opened = browser.get(&path).await;
        assert_eq!(opened.status, 200);
        assert!(opened.body.contains("new@example.org"), "{}", opened.body);
        assert!(
            house.account("new@example.org").await.is_none(),
            "a look makes nothing"
        );
    }
    let short = browser.post(&path, &[("password", "short")]).await;
    assert_eq!(short.status, 422);
    let created = browser.post(&path, &[("password", PASSWORD)]).await;
    assert_eq!(
        (created.status, created.header("location")),
        (303, Some("/projects/new")),
        "{}",
        created.body
    );
    assert!(house.is_confirmed("new@example.org").await);
    browser.get("/projects/new").await;
    let project = browser.post("/projects/new", &[("name", "  Mine ")]).await;
    let to = project.header("location").unwrap().to_owned();
    let settings = browser.get(&to).await;
    assert!(
        settings.body.contains("value=\"Mine\""),
        "{}",
        settings.body
    );

    let mut thief = house.nobody();
    assert_eq!(thief.get(&path).await.status, 404, "it works once");
    thief.get("/sign-in").await;
    assert_eq!(
        thief.post(&path, &[("password", PASSWORD)]).await.status,
        404
    );
    assert_eq!(thief.sign_in("new@example.org", PASSWORD).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_the_same_whether_there_is_an_account_or_not_and_the_mail_tells_its_owner() {
    let mailbox = Mailbox::open().await;
    let configured = |config: &mut Config| {
        OPEN(config);
        mailbox.configure(config);
    };
    let house = house(configured).await;
    let mut browser = house.nobody();
    let new = house.sign_up(&mut browser, "new@example.org").await;
    assert!(mailbox.next().await.contains("/sign-up/nb_u_"));
    let known = house.sign_up(&mut browser, "ana@example.org").await;
    let mail = mailbox.next().await;
    assert!(mail.contains("RCPT TO:<ana@example.org>"), "{mail}");
    assert!(mail.contains("You have an account"), "{mail}");
    assert!(!mail.contains("/sign-up/"), "{mail}");
    assert_eq!(new.status, known.status);
    let text = |answer: &Answer| {
        between(&answer.body, "<main", "</main>")
            .unwrap()
            .to_owned()
    };
    assert_eq!(text(&new), text(&known));
    // Two links for one address: the second one finds the account that the first has made.
    house.sign_up(&mut browser, "new@example.org").await;
    let second = link(&mailbox.next().await, "/sign-up/nb_u_");
    house.sign_up(&mut browser, "new@example.org").await;
    let third = link(&mailbox.next().await, "/sign-up/nb_u_");
    browser.get(&second).await;
    assert_eq!(
        browser
            .post(&second, &[("password", PASSWORD)])
            .await
            .status,
        303
    );
    browser.get("/profile").await;
    let late = browser.post(&third, &[("password", "another horse")]).await;
    assert_eq!(late.status, 409);
    let mut again = house.nobody();
    assert_eq!(again.sign_in("new@example.org", PASSWORD).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_to_one_address_are_counted() {
    let mailbox = Mailbox::open().await;
    let configured = |config: &mut Config| {
        OPEN(config);
        mailbox.configure(config);
    };
    let house = house(configured).await;
    let mut browser = house.nobody();
    for _ in 0..10 {
        assert_eq!(
            house.sign_up(&mut browser, "new@example.org").await.status,
            200
        );
    }
    let late = house.sign_up(&mut browser, "new@example.org").await;
    assert_eq!(late.status, 429);
    assert!(late.header("retry-after").is_some());
}

/// Mallory makes an account for Fay's address, and waits in it for Fay.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_lies_in_wait_for_the_one_whose_address_it_is() {
    let (mailbox, provider) = (Mailbox::open().await, OidcProvider::start().await);
    let issuer = provider.issuer();
    let configured = |config: &mut Config| {
        OPEN(config);
        mailbox.configure(config);
        config.oidc.issuer = Some(issuer);
        config.oidc.client_id = Some(CLIENT_ID.to_owned());
        config.oidc.client_secret = Some(Secret(CLIENT_SECRET.to_owned()));
        config.public_url = "http://beats.example.org".parse().unwrap();
        config.outgoing.allow = vec!["127.0.0.1/32".parse().unwrap()];
    };
    let house = house(configured).await;
    let mut mallory = house.squat("fay@example.org").await;
    assert!(!house.is_confirmed("fay@example.org").await);
    let profile = mallory.get("/profile").await.body;
    assert!(profile.contains("never confirmed"), "{profile}");

    // Fay comes from the provider, which knows that the address is hers: she does not get into Mallory's account.
    let mut fay = house.nobody();
    let away = fay.get("/sign-in/oidc").await;
    let now = house.nightbeat.server.node().now().0 / 1_000_000;
    let person = Person {
        subject: "fay-there".to_owned(),
        email: "fay@example.org".to_owned(),
        verified: true,
    };
    let back = provider.sign_in(away.header("location").unwrap(), &person, now);
    let back = back.strip_prefix("http://beats.example.org").unwrap();
    let refused = fay.get(back).await;
    assert_eq!((refused.status, fay.session()), (403, None));
    assert!(
        refused.body.contains("This account is not confirmed"),
        "{}",
        refused.body
    );
    assert!(
        refused.body.contains("without a password"),
        "{}",
        refused.body
    );

    // A link in a mail makes it hers, and Mallory is out.
    fay.get("/sign-in").await;
    fay.post("/sign-in/link", &[("email", "fay@example.org")])
        .await;
    let path = link(&mailbox.next().await, "/sign-in/link/nb_l_");
    let opened = fay.get(&path).await;
    assert!(
        opened.body.contains("all other sign-ins end"),
        "{}",
        opened.body
    );
    assert_eq!(
        mallory.get("/profile").await.status,
        200,
        "a look changes nothing"
    );
    assert_eq!(fay.post(&path, &[]).await.status, 303);
    assert!(house.is_confirmed("fay@example.org").await);
    assert_eq!(mallory.get("/profile").await.status, 303);
    let tried = mallory.sign_in("fay@example.org", "mallory's horse").await;
    assert_eq!(tried.status, 401);
    let profile = fay.get("/profile").await.body;
    assert!(profile.contains("confirmed the address"), "{profile}");
    // From now on the provider leads her there, too.
    let mut again = house.nobody();
    let away = again.get("/sign-in/oidc").await;
    let back = provider.sign_in(away.header("location").unwrap(), &person, now);
    let back = back.strip_prefix("http://beats.example.org").unwrap();
    assert_eq!(again.get(back).await.status, 303);
    assert!(again.get("/profile").await.body.contains("fay@example.org"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_leads_nobody_into_an_account_that_may_be_anothers() {
    let header = |config: &mut Config| {
        config.sign_in_header = Some("remote-email".parse().unwrap());
        config.trusted_proxies.networks = vec!["127.0.0.1/32".parse().unwrap()];
        config.sign_up = SignUp::Open;
    };
    let house = house(header).await;
    house.squat("fay@example.org").await;
    let mut fay = house.nobody();
    fay.headers = "Remote-Email: fay@example.org\r\n".to_owned();
    let refused = fay.get("/sign-in").await;
    assert_eq!((refused.status, fay.session()), (403, None));
    assert!(refused.body.contains("nightbeat init"), "{}", refused.body);
    // A first visit makes an account, whose address the proxy vouches for.
    let mut gil = house.nobody();
    gil.headers = "Remote-Email: gil@example.org\r\n".to_owned();
    assert_eq!(gil.get("/sign-in").await.status, 303);
    assert!(house.is_confirmed("gil@example.org").await);
    assert_eq!(gil.get("/sign-in").await.status, 303);

    // The operator says whose it is.
    let init = Init {
        email: "fay@example.org".to_owned(),
        password: Some("a new horse".to_owned()),
        project: "Fay's".to_owned(),
    };
    let (store, now) = (
        house.nightbeat.server.store(),
        house.nightbeat.server.node().now(),
    );
    people::create(store, init, false, now).await.unwrap();
    assert_eq!(fay.get("/sign-in").await.status, 303);
    let mut mallory = house.nobody();
    let tried = mallory.sign_in("fay@example.org", "mallory's horse").await;
    assert_eq!(tried.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_invitation_shows_whose_the_address_is_and_a_shown_one_does_not() {
    let mailbox = Mailbox::open().await;
    let configured = |config: &mut Config| {
        config.sign_up = SignUp::Invitation;
        mailbox.configure(config);
    };
    let house = house(configured).await;
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
    let path = link(&mailbox.next().await, "/invitations/nb_m_");
    let mut fay = house.nobody();
    fay.get(&path).await;
    let sign_up = format!("{path}/sign-up");
    assert_eq!(
        fay.post(&sign_up, &[("password", PASSWORD)]).await.status,
        303
    );
    assert!(house.is_confirmed("fay@example.org").await);

    house.squat("gil@example.org").await;
    assert!(!house.is_confirmed("gil@example.org").await);
    let listed = ana.get(&members).await.body;
    assert_eq!(
        listed.matches("address not confirmed").count(),
        1,
        "{listed}"
    );

    // Somebody who has an account that was never confirmed, and reads the mail, is signed in: it is theirs.
    let fields = [("role", "member"), ("email", "gil@example.org")];
    ana.post(&format!("{members}/invite"), &fields).await;
    let path = link(&mailbox.next().await, "/invitations/nb_m_");
    let mut gil = house.nobody();
    gil.sign_in("gil@example.org", "mallory's horse").await;
    gil.get(&path).await;
    assert_eq!(gil.post(&path, &[]).await.status, 303);
    assert!(house.is_confirmed("gil@example.org").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_cannot_be_mailed_is_shown_and_shows_nothing_of_the_address() {
    // Nobody listens there.
    let configured = |config: &mut Config| {
        config.sign_up = SignUp::Invitation;
        config.smtp.host = Some("127.0.0.1".to_owned());
        config.smtp.port = Some(9);
        config.smtp.tls = Some(nightbeat_notify::SmtpTls::None);
        config.smtp.from = Some("nightbeat@example.org".to_owned());
    };
    let house = house(configured).await;
    let mut ana = house.browser("ana@example.org").await;
    let members = format!("/projects/{}/settings/members", house.home);
    ana.get(&members).await;
    let fields = [("role", "member"), ("email", "fay@example.org")];
    let made = ana.post(&format!("{members}/invite"), &fields).await;
    assert!(
        made.body.contains("It could not be mailed"),
        "{}",
        made.body
    );
    assert_eq!(
        made.body.matches("/revoke").count(),
        1,
        "one is open: {}",
        made.body
    );
    let secret = between(&made.body, "/invitations/nb_i_", "<").expect("a link");
    let path = format!("/invitations/nb_i_{secret}");
    let mut fay = house.nobody();
    fay.get(&path).await;
    let sign_up = format!("{path}/sign-up");
    assert_eq!(
        fay.post(&sign_up, &[("password", PASSWORD)]).await.status,
        303
    );
    assert!(!house.is_confirmed("fay@example.org").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_changed_by_whoever_reads_the_mail_and_is_signed_in() {
    let mailbox = Mailbox::open().await;
    let house = house(|config| mailbox.configure(config)).await;
    let mut ana = house.browser("ana@example.org").await;
    house.let_an_hour_pass(&ana).await;
    ana.get("/profile/account").await;
    let new = [("email", " Anna@example.org")];
    let asked = ana.post("/profile/address", &new).await;
    assert_eq!(
        asked.header("location"),
        Some("/confirm?next=/profile/account")
    );
    ana.post("/confirm", &[("password", PASSWORD)]).await;
    let same = ana
        .post("/profile/address", &[("email", "ana@example.org")])
        .await;
    assert_eq!(same.status, 422);
    assert_eq!(ana.post("/profile/address", &new).await.status, 200);
    let mail = mailbox.next().await;
    assert!(mail.contains("RCPT TO:<anna@example.org>"), "{mail}");
    let path = link(&mail, "/profile/address/nb_a_");
    assert!(house.account("ana@example.org").await.is_some(), "not yet");

    // Whoever else reads it, because it was mistyped, gets nothing by it.
    let mut eve = house.browser("eve@example.org").await;
    assert_eq!(eve.get(&path).await.status, 404);
    eve.get("/profile").await;
    assert_eq!(eve.post(&path, &[]).await.status, 404);
    let mut nobody = house.nobody();
    assert_eq!(nobody.get(&path).await.status, 303, "asked to sign in");

    // A link that signs in, mailed to the old address.
    nobody.get("/sign-in").await;
    nobody
        .post("/sign-in/link", &[("email", "ana@example.org")])
        .await;
    let to_old = link(&mailbox.next().await, "/sign-in/link/nb_l_");

    let opened = ana.get(&path).await;
    assert!(
        opened.body.contains("Use anna@example.org?"),
        "{}",
        opened.body
    );
    assert!(
        house.account("ana@example.org").await.is_some(),
        "a look changes nothing"
    );
    assert_eq!(ana.post(&path, &[]).await.status, 303);
    assert!(house.is_confirmed("anna@example.org").await);
    let note = mailbox.next().await;
    assert!(note.contains("RCPT TO:<ana@example.org>"), "{note}");
    assert!(note.contains("anna@example.org"), "{note}");
    assert_eq!(ana.get("/profile").await.status, 200);
    assert_eq!(ana.get(&path).await.status, 404, "it works once");
    assert_eq!(
        nobody.get(&to_old).await.status,
        404,
        "the old mailbox opens nothing"
    );
    assert_eq!(
        nobody.sign_in("ana@example.org", PASSWORD).await.status,
        401
    );
    assert_eq!(
        nobody.sign_in("anna@example.org", PASSWORD).await.status,
        303
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_another_account_is_not_taken_and_only_its_owner_learns_of_it() {
    let mailbox = Mailbox::open().await;
    let configured = |config: &mut Config| {
        config.sign_up = SignUp::Invitation;
        mailbox.configure(config);
    };
    let house = house(configured).await;
    let mut ana = house.browser("ana@example.org").await;
    ana.get("/profile/account").await;
    let asked = ana
        .post("/profile/address", &[("email", "eve@example.org")])
        .await;
    assert!(asked.body.contains("Look into your mail"), "{}", asked.body);
    let mail = mailbox.next().await;
    assert!(mail.contains("RCPT TO:<eve@example.org>"), "{mail}");
    assert!(!mail.contains("/profile/address/"), "{mail}");
    // Free when it was asked for, taken when the link is opened.
    ana.get("/profile/account").await;
    ana.post("/profile/address", &[("email", "fay@example.org")])
        .await;
    let path = link(&mailbox.next().await, "/profile/address/nb_a_");
    house.squat("fay@example.org").await;
    ana.get(&path).await;
    assert_eq!(ana.post(&path, &[]).await.status, 409);
    assert!(house.account("ana@example.org").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_never_confirmed_is_confirmed_by_its_owner_who_keeps_everything() {
    let mailbox = Mailbox::open().await;
    let configured = |config: &mut Config| {
        config.sign_up = SignUp::Invitation;
        mailbox.configure(config);
    };
    let house = house(configured).await;
    let mut fay = house.squat("fay@example.org").await;
    let page = fay.get("/profile/account").await;
    assert!(
        page.body.contains("Mail me a link to confirm it"),
        "{}",
        page.body
    );
    fay.post("/profile/address", &[("email", "fay@example.org")])
        .await;
    let path = link(&mailbox.next().await, "/profile/address/nb_a_");
    let opened = fay.get(&path).await;
    assert!(
        opened.body.contains("Is fay@example.org yours?"),
        "{}",
        opened.body
    );
    assert_eq!(fay.post(&path, &[]).await.status, 303);
    assert!(house.is_confirmed("fay@example.org").await);
    assert_eq!(fay.get("/profile").await.status, 200, "the session goes on");
    let mut again = house.nobody();
    let signed_in = again.sign_in("fay@example.org", "mallory's horse").await;
    assert_eq!(signed_in.status, 303, "and so does the password");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_an_address_stays() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    let page = ana.get("/profile/account").await;
    assert!(page.body.contains("sends no mail"), "{}", page.body);
    ana.get("/profile").await;
    let asked = ana
        .post("/profile/address", &[("email", "b@example.org")])
        .await;
    assert_eq!(asked.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_deleted_by_its_owner_unless_a_project_would_have_none() {
    let mailbox = Mailbox::open().await;
    let house = house(|config| mailbox.configure(config)).await;
    let mut ana = house.browser("ana@example.org").await;
    let page = ana.get("/profile/account").await.body;
    assert!(
        page.contains("<strong>Home</strong> has other members"),
        "{page}"
    );
    let sure = [("sure", "ana@example.org")];
    let refused = ana.post("/profile/delete", &sure).await;
    assert_eq!(refused.status, 409);
    assert!(
        refused.body.contains("the only owner of Home"),
        "{}",
        refused.body
    );
    let mut eve = house.browser("eve@example.org").await;
    let page = eve.get("/profile/account").await.body;
    assert!(
        page.contains("<strong>Lair</strong> is yours alone"),
        "{page}"
    );
    let refused = eve
        .post("/profile/delete", &[("sure", "eve@example.org")])
        .await;
    assert!(
        refused.body.contains("Lair is yours alone"),
        "{}",
        refused.body
    );

    // Another owner: now she may go.
    let (home, ben) = (house.home, house.id("ben@example.org").await);
    let making = house
        .nightbeat
        .server
        .store()
        .write(move |sql| accounts::set_member(sql, home, ben, Role::Owner));
    making.await.unwrap();
    let mut phone = house.browser("ana@example.org").await;
    house.let_an_hour_pass(&ana).await;
    let asked = ana.post("/profile/delete", &sure).await;
    assert_eq!(
        asked.header("location"),
        Some("/confirm?next=/profile/account")
    );
    ana.post("/confirm", &[("password", PASSWORD)]).await;
    ana.get("/profile/account").await;
    assert_eq!(
        ana.post("/profile/delete", &[("sure", "yes")]).await.status,
        422
    );
    let deleted = ana.post("/profile/delete", &sure).await;
    assert_eq!((deleted.status, ana.session()), (200, None));
    assert!(house.account("ana@example.org").await.is_none());
    assert_eq!(
        phone.get("/profile").await.status,
        303,
        "signed out everywhere"
    );
    let mail = mailbox.next().await;
    assert!(mail.contains("RCPT TO:<ana@example.org>"), "{mail}");
    assert_eq!(phone.sign_in("ana@example.org", PASSWORD).await.status, 401);
    let mut ben = house.browser("ben@example.org").await;
    let log = ben
        .get(&format!("/projects/{home}/settings/log"))
        .await
        .body;
    assert!(
        log.contains("left <strong>by deleting the account</strong>"),
        "{log}"
    );
}
