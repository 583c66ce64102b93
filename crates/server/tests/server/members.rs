//! Roles, invitations, keys, and the log of who did what.

use nightbeat_server::config::SignUp;
use nightbeat_store::control::accounts::{self, Role};

use crate::browser::{Browser, between};
use crate::people::{House, PASSWORD, house};

impl House {
    async fn role(&self, email: &'static str) -> Option<Role> {
        let (home, id) = (self.home, self.id(email).await);
        let store = self.nightbeat.server.store();
        store
            .read(move |sql| accounts::role(sql, home, id))
            .await
            .unwrap()
    }

    fn settings(&self, tail: &str) -> String {
        format!("/projects/{}/settings{tail}", self.home)
    }

    /// The path of a step that concerns this person.
    async fn step(&self, email: &'static str, step: &str) -> String {
        let id = self.id(email).await;
        self.settings(&format!("/members/{id}/{step}"))
    }
}

/// Where a page says that an invitation can be accepted.
fn invitation(page: &str) -> String {
    let secret = between(page, "/invitations/nb_i_", "<").expect("a link");
    format!("/invitations/nb_i_{secret}")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_what_it_says() {
    let house = house(|_| {}).await;
    let pages = ["", "/members", "/keys", "/log"];
    for (email, allowed) in [
        ("ana@example.org", [200, 200, 200, 200]),
        ("ben@example.org", [200, 200, 200, 200]),
        ("cleo@example.org", [200, 200, 403, 403]),
        ("dora@example.org", [200, 200, 403, 403]),
        ("eve@example.org", [404, 404, 404, 404]),
    ] {
        let mut browser = house.browser(email).await;
        browser.get("/profile").await;
        let csrf = browser.csrf.clone();
        for (page, expected) in pages.iter().zip(allowed) {
            let path = house.settings(page);
            assert_eq!(browser.get(&path).await.status, expected, "{email} {path}");
        }
        browser.csrf = csrf;
        let manages = allowed[2];
        let refused = if manages == 200 { 303 } else { manages };
        let renamed = browser.post(&house.settings(""), &[("name", "Home")]).await;
        assert_eq!(renamed.status, refused, "{email}");
        let target = house.step("dora@example.org", "role").await;
        let changed = browser.post(&target, &[("role", "read-only")]).await;
        assert_eq!(changed.status, refused, "{email}");
        let rotated = browser.post(&house.settings("/ping-key/rotate"), &[]).await;
        assert_eq!(rotated.status, refused, "{email}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_touches_no_owner_and_makes_none() {
    let house = house(|_| {}).await;
    let mut ben = house.browser("ben@example.org").await;
    let page = ben.get(&house.settings("/members")).await.body;
    assert!(!page.contains("value=\"owner\""), "{page}");
    let on_ana = house.step("ana@example.org", "role").await;
    assert_eq!(ben.post(&on_ana, &[("role", "member")]).await.status, 409);
    let away = house.step("ana@example.org", "remove").await;
    assert_eq!(ben.post(&away, &[]).await.status, 409);
    for target in ["ben@example.org", "cleo@example.org"] {
        let path = house.step(target, "role").await;
        assert_eq!(
            ben.post(&path, &[("role", "owner")]).await.status,
            409,
            "{target}"
        );
    }
    let give = house.step("ben@example.org", "transfer").await;
    assert_eq!(ben.post(&give, &[]).await.status, 403);
    assert_eq!(house.role("ana@example.org").await, Some(Role::Owner));
    assert_eq!(house.role("ben@example.org").await, Some(Role::Manager));

    let path = house.step("cleo@example.org", "role").await;
    assert_eq!(ben.post(&path, &[("role", "manager")]).await.status, 303);
    assert_eq!(house.role("cleo@example.org").await, Some(Role::Manager));
    let path = house.step("dora@example.org", "remove").await;
    assert_eq!(ben.post(&path, &[]).await.status, 303);
    assert_eq!(house.role("dora@example.org").await, None);
    let strangers = house.step("eve@example.org", "role").await;
    assert_eq!(
        ben.post(&strangers, &[("role", "member")]).await.status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_always_has_an_owner() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    ana.get(&house.settings("/members")).await;
    let leave = house.settings("/members/leave");
    assert_eq!(ana.post(&leave, &[]).await.status, 409);
    let own = house.step("ana@example.org", "role").await;
    assert_eq!(ana.post(&own, &[("role", "manager")]).await.status, 409);
    let remove = house.step("ana@example.org", "remove").await;
    assert_eq!(ana.post(&remove, &[]).await.status, 409);
    assert_eq!(house.role("ana@example.org").await, Some(Role::Owner));

    let mut cleo = house.browser("cleo@example.org").await;
    cleo.get(&house.settings("/members")).await;
    assert_eq!(cleo.post(&leave, &[]).await.status, 303);
    assert_eq!(house.role("cleo@example.org").await, None);
    assert_eq!(cleo.get(&house.settings("")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_given_away_by_whoever_proves_to_be_its_owner() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    house.let_an_hour_pass(&ana).await;
    ana.get(&house.settings("/members")).await;
    let path = house.step("ben@example.org", "transfer").await;
    let asked = ana.post(&path, &[]).await;
    assert!(
        asked
            .header("location")
            .unwrap()
            .starts_with("/confirm?next=")
    );
    assert_eq!(house.role("ben@example.org").await, Some(Role::Manager));
    ana.post("/confirm", &[("password", PASSWORD)]).await;
    assert_eq!(ana.post(&path, &[]).await.status, 303);
    assert_eq!(house.role("ben@example.org").await, Some(Role::Owner));
    assert_eq!(house.role("ana@example.org").await, Some(Role::Manager));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_makes_one_member_once() {
    let house = house(|_| {}).await;
    let mut ben = house.browser("ben@example.org").await;
    ben.get(&house.settings("/members")).await;
    let invite = house.settings("/members/invite");
    let owner = ben.post(&invite, &[("role", "owner")]).await;
    assert_eq!(owner.status, 422);
    let made = ben
        .post(&invite, &[("role", "member"), ("email", "")])
        .await;
    assert_eq!(made.status, 201);
    let path = invitation(&made.body);
    let listed = ben.get(&house.settings("/members")).await.body;
    assert!(
        !listed.contains("nb_i_"),
        "the link is shown once: {listed}"
    );

    let mut eve = Browser::new(house.nightbeat.address());
    let asked = eve.get(&path).await;
    assert!(asked.body.contains("Sign in to join"), "{}", asked.body);
    assert!(
        asked.body.contains("makes no new accounts"),
        "{}",
        asked.body
    );
    let to = between(&asked.body, "href=\"/sign-in?next=", "\"")
        .unwrap()
        .to_owned();
    let form = eve.get(&format!("/sign-in?next={to}")).await;
    let next = between(&form.body, "name=\"next\" value=\"", "\"")
        .unwrap()
        .to_owned();
    assert_eq!(next, path);
    let fields = [
        ("email", "eve@example.org"),
        ("password", PASSWORD),
        ("next", &next),
    ];
    assert_eq!(
        eve.post("/sign-in", &fields).await.header("location"),
        Some(path.as_str())
    );
    eve.get(&path).await;
    assert_eq!(eve.post(&path, &[]).await.status, 303);
    assert_eq!(house.role("eve@example.org").await, Some(Role::Member));
    assert_eq!(eve.get(&path).await.status, 404, "it is used up");
    let mut dora = house.browser("dora@example.org").await;
    dora.get("/profile").await;
    assert_eq!(dora.post(&path, &[]).await.status, 404);
    assert_eq!(house.role("dora@example.org").await, Some(Role::ReadOnly));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_for_an_address_is_for_nobody_else() {
    let house = house(|config| config.sign_up = SignUp::Invitation).await;
    let mut ana = house.browser("ana@example.org").await;
    ana.get(&house.settings("/members")).await;
    let fields = [("role", "manager"), ("email", "Fay@example.org")];
    let made = ana.post(&house.settings("/members/invite"), &fields).await;
    assert!(
        made.body.contains("No mail server is configured"),
        "{}",
        made.body
    );
    let path = invitation(&made.body);
    let mut eve = house.browser("eve@example.org").await;
    let asked = eve.get(&path).await;
    assert!(
        asked.body.contains("for whom this invitation is not"),
        "{}",
        asked.body
    );
    assert_eq!(eve.post(&path, &[]).await.status, 403);

    let mut fay = Browser::new(house.nightbeat.address());
    fay.get(&path).await;
    let sign_up = format!("{path}/sign-up");
    let other = [("email", "mallory@example.org"), ("password", "short")];
    assert_eq!(fay.post(&sign_up, &other).await.status, 422);
    let other = [("email", "mallory@example.org"), ("password", PASSWORD)];
    assert_eq!(fay.post(&sign_up, &other).await.status, 303);
    assert_eq!(
        house.role("fay@example.org").await,
        Some(Role::Manager),
        "whatever was typed"
    );
    assert_eq!(fay.get(&house.settings("/keys")).await.status, 200);
    let mut again = Browser::new(house.nightbeat.address());
    again.get("/sign-in").await;
    assert_eq!(
        again.post(&sign_up, &other).await.status,
        404,
        "it is used up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_taken_back_in_its_project_only() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    ana.get(&house.settings("/members")).await;
    let made = ana
        .post(&house.settings("/members/invite"), &[("role", "member")])
        .await;
    let path = invitation(&made.body);
    let id = between(&made.body, "/settings/invitations/", "/revoke")
        .unwrap()
        .to_owned();
    let mut eve = house.browser("eve@example.org").await;
    eve.get("/profile").await;
    let lair = house.lair;
    let through_lair = format!("/projects/{lair}/settings/invitations/{id}/revoke");
    assert_eq!(eve.post(&through_lair, &[]).await.status, 404);
    assert_eq!(eve.get(&path).await.status, 200);
    let revoke = house.settings(&format!("/invitations/{id}/revoke"));
    assert_eq!(ana.post(&revoke, &[]).await.status, 303);
    assert_eq!(eve.get(&path).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_do_more_already_loses_nothing_by_an_invitation() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    ana.get(&house.settings("/members")).await;
    let made = ana
        .post(&house.settings("/members/invite"), &[("role", "read-only")])
        .await;
    let path = invitation(&made.body);
    assert_eq!(ana.post(&path, &[]).await.status, 303);
    assert_eq!(house.role("ana@example.org").await, Some(Role::Owner));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_rotated_and_revoked_and_the_log_says_by_whom() {
    let house = house(|_| {}).await;
    let mut ben = house.browser("ben@example.org").await;
    house.let_an_hour_pass(&ben).await;
    let keys = house.settings("/keys");
    ben.get(&keys).await;
    let fields = [("name", "  laptop "), ("scope", "read-write")];
    let asked = ben.post(&keys, &fields).await;
    assert!(
        asked
            .header("location")
            .unwrap()
            .starts_with("/confirm?next=")
    );
    ben.post("/confirm", &[("password", PASSWORD)]).await;
    let made = ben.post(&keys, &fields).await;
    assert_eq!(made.status, 201);
    let secret = between(&made.body, ">nb_k_", "<").unwrap().to_owned();
    let works = async |secret: &str| {
        let request = format!(
            "GET /api/v1/project HTTP/1.1\r\nHost: h\r\nX-Api-Key: nb_k_{secret}\r\nConnection: close\r\n\r\n"
        );
        house.nightbeat.talk(request).await.status
    };
    assert_eq!(works(&secret).await, 200);
    let listed = ben.get(&keys).await.body;
    assert!(
        !listed.contains("nb_k_") && listed.contains("laptop"),
        "{listed}"
    );

    let of_laptop = listed.split_once(">laptop<").unwrap().1;
    let id = between(of_laptop, "/settings/keys/", "/rotate")
        .unwrap()
        .to_owned();
    let mut eve = house.browser("eve@example.org").await;
    eve.get("/profile").await;
    let lair = house.lair;
    for step in ["rotate", "revoke"] {
        let through_lair = format!("/projects/{lair}/settings/keys/{id}/{step}");
        assert_eq!(eve.post(&through_lair, &[]).await.status, 404);
    }
    let rotated = ben
        .post(&house.settings(&format!("/keys/{id}/rotate")), &[])
        .await;
    let new = between(&rotated.body, ">nb_k_", "<").unwrap().to_owned();
    assert_eq!((works(&secret).await, works(&new).await), (401, 200));
    let of_laptop = rotated.body.rsplit_once(">laptop<").unwrap().1;
    let id = between(of_laptop, "/settings/keys/", "/rotate");
    let id = id.unwrap().to_owned();
    let revoked = ben
        .post(&house.settings(&format!("/keys/{id}/revoke")), &[])
        .await;
    assert_eq!((revoked.status, works(&new).await), (303, 401));

    let old = &house.nightbeat.keys.ping_key;
    assert_eq!(
        ben.post(&house.settings("/ping-key/rotate"), &[])
            .await
            .status,
        303
    );
    let page = ben.get(&keys).await.body;
    assert!(
        page.contains("nb_p_") && !page.contains(old.as_str()),
        "{page}"
    );

    let log = ben.get(&house.settings("/log")).await.body;
    for line in [
        "made an API key <strong>laptop</strong>",
        "rotated an API key <strong>laptop</strong>",
        "revoked an API key <strong>laptop</strong>",
        "rotated the ping key",
        "ben@example.org",
        "127.0.0.1",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(!log.contains(&new), "no secret is in it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_renamed_and_its_fallback_is_its_own() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    ana.get(&house.settings("")).await;
    let empty = ana.post(&house.settings(""), &[("name", " ")]).await;
    assert_eq!(empty.status, 422);
    let fields = [("name", "<i>Flat</i>"), ("fallback_channel", "")];
    assert_eq!(ana.post(&house.settings(""), &fields).await.status, 303);
    let page = ana.get(&house.settings("")).await.body;
    assert!(page.contains("&#60;i&#62;Flat"), "{page}");
    let stranger = uuid::Uuid::from_u128(7).to_string();
    let fields = [("name", "Flat"), ("fallback_channel", stranger.as_str())];
    assert_eq!(ana.post(&house.settings(""), &fields).await.status, 409);
}
