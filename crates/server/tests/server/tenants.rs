//! Every page, with a stranger's session and key, and with none. The table is held against the routes in the
//! source: a new route without a row fails. (The API has its own table.)

use std::collections::BTreeSet;
use std::path::Path;

use nightbeat_server::accounts::key_hash;
use nightbeat_store::control::invitations::{self, Invitation};
use nightbeat_store::control::keys::{self, Key, Scope};
use nightbeat_store::control::status_pages::{self, StatusPage};
use nightbeat_store::control::{PageRequest, accounts, projects};
use nightbeat_store::sql::Sql;
use uuid::Uuid;

use crate::browser::Browser;
use crate::people::{House, house};

/// Whom a page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Whoever comes; it shows nothing of anybody's.
    Everybody,
    /// Whoever has the secret that is in its path.
    Holder,
    /// Whoever is signed in, with an account; it is about that account.
    Person,
    /// Whoever is signed in.
    Viewer,
    /// The project's members.
    Members,
}

use For::{Everybody, Holder, Members, Person, Viewer};

/// Every route of a page.
const ROUTES: &[(&str, &str, For)] = &[
    ("GET", "/", Viewer),
    ("GET", "ASSETS_ROUTE", Everybody),
    ("GET", "/status/{secret}", Holder),
    ("GET", "/docs", Everybody),
    ("GET", "/docs/{chapter}", Everybody),
    ("GET", "/healthz", Everybody),
    ("GET", "/readyz", Everybody),
    ("GET", "/metrics", Everybody),
    ("GET", "/robots.txt", Everybody),
    ("GET", "/sign-in", Everybody),
    ("POST", "/sign-in", Everybody),
    ("POST", "/sign-in/code", Everybody),
    ("POST", "/sign-in/link", Everybody),
    ("GET", "/sign-in/link/{secret}", Holder),
    ("POST", "/sign-in/link/{secret}", Holder),
    ("GET", "/sign-out", Viewer),
    ("POST", "/sign-in/passkey/ask", Everybody),
    ("POST", "/sign-in/passkey", Everybody),
    ("GET", "/sign-in/oidc", Everybody),
    ("GET", "/sign-in/oidc/callback", Everybody),
    ("POST", "/sign-out", Everybody),
    ("GET", "/sign-up", Everybody),
    ("POST", "/sign-up", Everybody),
    ("GET", "/sign-up/{secret}", Holder),
    ("POST", "/sign-up/{secret}", Holder),
    ("GET", "/reports/{secret}", Holder),
    ("POST", "/reports/{secret}", Holder),
    ("GET", "/setup/{secret}", Holder),
    ("POST", "/setup/{secret}", Holder),
    ("GET", "/invitations/{secret}", Holder),
    ("POST", "/invitations/{secret}", Person),
    ("POST", "/invitations/{secret}/sign-up", Holder),
    ("GET", "/confirm", Person),
    ("POST", "/confirm", Person),
    ("GET", "/profile", Person),
    ("GET", "/profile/account", Person),
    ("POST", "/profile/address", Person),
    ("GET", "/profile/address/{secret}", Person),
    ("POST", "/profile/address/{secret}", Person),
    ("POST", "/profile/delete", Person),
    ("POST", "/profile/appearance", Person),
    ("POST", "/profile/password", Person),
    ("GET", "/profile/second-step", Person),
    ("POST", "/profile/second-step/begin", Person),
    ("POST", "/profile/second-step/confirm", Person),
    ("POST", "/profile/second-step/codes", Person),
    ("POST", "/profile/second-step/remove", Person),
    ("GET", "/profile/passkeys", Person),
    ("POST", "/profile/passkeys", Person),
    ("POST", "/profile/passkeys/begin", Person),
    ("POST", "/profile/passkeys/{passkey}/remove", Person),
    ("GET", "/profile/reports", Person),
    ("POST", "/profile/reports", Person),
    ("POST", "/profile/reports/now", Person),
    ("POST", "/profile/sessions/others/end", Person),
    ("POST", "/profile/sessions/{session}/end", Person),
    ("GET", "/projects/new", Person),
    ("POST", "/projects/new", Person),
    ("GET", "/projects/{project}", Members),
    ("GET", "/projects/{project}/events", Members),
    ("GET", "/projects/{project}/start", Members),
    ("POST", "/projects/{project}/start/heartbeat", Members),
    ("POST", "/projects/{project}/start/preview", Members),
    ("POST", "/projects/{project}/start/channel", Members),
    (
        "GET",
        "/projects/{project}/start/channel/{channel}",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/start/channel/{channel}/test",
        Members,
    ),
    ("GET", "/projects/{project}/heartbeats/change", Members),
    ("POST", "/projects/{project}/heartbeats/change", Members),
    ("GET", "/projects/{project}/heartbeats/new", Members),
    ("POST", "/projects/{project}/heartbeats/new", Members),
    ("POST", "/projects/{project}/heartbeats/preview", Members),
    ("GET", "/projects/{project}/heartbeats/{heartbeat}", Members),
    (
        "GET",
        "/projects/{project}/heartbeats/{heartbeat}/edit",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/heartbeats/{heartbeat}/edit",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/heartbeats/{heartbeat}/pause",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/heartbeats/{heartbeat}/resume",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/heartbeats/{heartbeat}/test",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/heartbeats/{heartbeat}/delete",
        Members,
    ),
    (
        "GET",
        "/projects/{project}/heartbeats/{heartbeat}/events",
        Members,
    ),
    ("GET", "/projects/{project}/incidents", Members),
    ("GET", "/projects/{project}/incidents/{incident}", Members),
    (
        "POST",
        "/projects/{project}/incidents/{incident}/notes",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/incidents/{incident}/acknowledge",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/incidents/{incident}/snooze",
        Members,
    ),
    ("GET", "/projects/{project}/channels", Members),
    ("GET", "/projects/{project}/channels/new", Members),
    ("POST", "/projects/{project}/channels/new", Members),
    ("GET", "/projects/{project}/channels/{channel}", Members),
    ("POST", "/projects/{project}/channels/{channel}", Members),
    (
        "POST",
        "/projects/{project}/channels/{channel}/test",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/channels/{channel}/delete",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/deliveries/{delivery}/dismiss",
        Members,
    ),
    ("GET", "/projects/{project}/maintenance", Members),
    ("POST", "/projects/{project}/maintenance", Members),
    (
        "POST",
        "/projects/{project}/maintenance/{window}/delete",
        Members,
    ),
    ("GET", "/projects/{project}/settings", Members),
    ("POST", "/projects/{project}/settings", Members),
    ("GET", "/projects/{project}/settings/delete", Members),
    ("POST", "/projects/{project}/settings/delete", Members),
    ("GET", "/projects/{project}/settings/members", Members),
    (
        "POST",
        "/projects/{project}/settings/members/invite",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/settings/members/leave",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/settings/members/{account}/role",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/settings/members/{account}/remove",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/settings/members/{account}/transfer",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/settings/invitations/{invitation}/revoke",
        Members,
    ),
    ("GET", "/projects/{project}/settings/keys", Members),
    ("POST", "/projects/{project}/settings/keys", Members),
    (
        "POST",
        "/projects/{project}/settings/keys/{key}/rotate",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/settings/keys/{key}/revoke",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/settings/ping-key/rotate",
        Members,
    ),
    ("GET", "/projects/{project}/settings/log", Members),
    ("GET", "/projects/{project}/settings/status-pages", Members),
    ("POST", "/projects/{project}/settings/status-pages", Members),
    (
        "GET",
        "/projects/{project}/settings/status-pages/{page}",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/settings/status-pages/{page}",
        Members,
    ),
    (
        "POST",
        "/projects/{project}/settings/status-pages/{page}/delete",
        Members,
    ),
];

/// What forms hold, of all routes at once: what a route does not know it leaves out.
const FIELDS: &[(&str, &str)] = &[
    ("name", "taken over"),
    ("role", "member"),
    ("scope", "read-write"),
    ("email", "eve@example.org"),
    ("theme", "dark"),
    ("password", "another horse"),
    ("code", "123456"),
    ("ticket", "x"),
    ("title", "taken over"),
];

/// Method and path of each `.route(…)` in the files of the pages.
fn routes_in_source() -> BTreeSet<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let mut found = BTreeSet::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                routes_in(&std::fs::read_to_string(path).unwrap(), &mut found);
            }
        }
    }
    found
}

fn routes_in(source: &str, found: &mut BTreeSet<(String, String)>) {
    for rest in source.split(".route(").skip(1) {
        let mut depth = 1;
        let end = rest.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        let call = &rest[..end.unwrap()];
        let (path, handlers) = call.trim().split_once(',').unwrap();
        let path = path.trim().trim_matches('"');
        let path = path.rsplit("::").next().unwrap();
        for (name, method) in [
            ("get", "GET"),
            ("post", "POST"),
            ("put", "PUT"),
            ("delete", "DELETE"),
        ] {
            if handlers.contains(&format!("{name}(")) {
                found.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
}

#[test]
fn every_route_of_a_page_has_its_row() {
    let rows = ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
    let rows: BTreeSet<_> = rows.collect();
    let source = routes_in_source();
    let missing: Vec<_> = source.difference(&rows).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    let gone: Vec<_> = rows.difference(&source).collect();
    assert!(gone.is_empty(), "no route for {gone:?}");
}

/// What Ana has, by its names in paths.
struct Anas {
    key: Uuid,
    invitation: Uuid,
    account: Uuid,
}

async fn furnish(house: &House) -> Anas {
    let (home, now) = (house.home, house.nightbeat.server.node().now());
    house.nightbeat.heartbeat("nightly").await;
    let anas = Anas {
        key: Uuid::from_u128(11),
        invitation: Uuid::from_u128(12),
        account: house.id("cleo@example.org").await,
    };
    let (key, invitation) = (anas.key, anas.invitation);
    let furnishing = house.nightbeat.server.store().write(move |sql| {
        let key = Key {
            id: key,
            name: "anas-key".to_owned(),
            scope: Scope::ReadOnly,
            created_at: now,
            last_used_at: None,
        };
        keys::insert(sql, home, &key, &key_hash("anas"))?;
        let invitation = Invitation {
            id: invitation,
            project: home,
            role: accounts::Role::Member,
            email: Some("fay@example.org".to_owned()),
            invited_by: "ana@example.org".to_owned(),
            created_at: now,
            expires_at: now + std::time::Duration::from_secs(3_600),
        };
        invitations::insert(sql, &invitation, &key_hash("anas"))?;
        let page = StatusPage {
            id: Uuid::from_u128(18),
            path: "anas-page".to_owned(),
            tag: String::new(),
            title: "anas-title".to_owned(),
            created_at: now,
        };
        status_pages::insert(sql, home, &page)
    });
    furnishing.await.unwrap();
    anas
}

/// Everything of Ana's that a page could change.
async fn all_of_anas(house: &House) -> String {
    let (home, now) = (house.home, house.nightbeat.server.node().now());
    let read = move |sql: &mut dyn Sql| {
        let members = accounts::members(sql, home)?;
        let members: Vec<_> = members
            .into_iter()
            .map(|(account, role)| (account.email, role, account.theme, account.password_hash))
            .collect();
        Ok(format!(
            "{:?} {:?} {members:?} {:?} {:?}",
            projects::get(sql, home)?,
            keys::list(sql, home, &PageRequest::default())?,
            invitations::list(sql, home, now)?,
            status_pages::list(sql, home)?
        ))
    };
    house.nightbeat.server.store().read(read).await.unwrap()
}

fn path(template: &str, house: &House, anas: &Anas) -> String {
    let mut path = template.to_owned();
    for (name, value) in [
        ("{project}", house.home.to_string()),
        ("{account}", anas.account.to_string()),
        ("{key}", anas.key.to_string()),
        ("{invitation}", anas.invitation.to_string()),
        ("{passkey}", Uuid::from_u128(14).to_string()),
        ("{session}", Uuid::from_u128(13).to_string()),
        ("{heartbeat}", "nightly".to_owned()),
        ("{incident}", Uuid::from_u128(14).to_string()),
        ("{channel}", Uuid::from_u128(15).to_string()),
        ("{delivery}", Uuid::from_u128(16).to_string()),
        ("{window}", Uuid::from_u128(17).to_string()),
        ("{page}", Uuid::from_u128(18).to_string()),
        ("{chapter}", "rules".to_owned()),
        ("{secret}", "guess".to_owned()),
    ] {
        path = path.replace(name, &value);
    }
    assert!(!path.contains('{'), "what stands for a part of {path}?");
    path
}

/// Sends each request that concerns a project, or a person, and judges the status.
async fn try_all(
    house: &House,
    anas: &Anas,
    browser: &mut Browser,
    expected: impl Fn(&str, For) -> Option<Vec<u16>>,
) {
    let csrf = browser.csrf.clone();
    for (method, template, whom) in ROUTES {
        let Some(expected) = expected(method, *whom) else {
            continue;
        };
        let path = path(template, house, anas);
        csrf.clone_into(&mut browser.csrf);
        let answer = match *method {
            "GET" => browser.get(&path).await,
            _ => browser.post(&path, FIELDS).await,
        };
        assert!(
            expected.contains(&answer.status),
            "{method} {path}: {}",
            answer.status
        );
        for secret in [
            "nightly",
            "anas-key",
            "anas-page",
            "anas-title",
            "cleo@example.org",
            "fay@example.org",
            "Home",
        ] {
            assert!(
                !answer.body.contains(secret),
                "{method} {path} tells {secret}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_a_stranger_who_is_signed_in_a_project_does_not_exist() {
    let house = house(|_| {}).await;
    let anas = furnish(&house).await;
    let before = all_of_anas(&house).await;
    let mut eve = house.browser("eve@example.org").await;
    eve.get("/profile").await;
    let expected = |_: &str, whom| (whom == Members).then(|| vec![404]);
    try_all(&house, &anas, &mut eve, expected).await;
    assert_eq!(all_of_anas(&house).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_key_opens_nothing_either() {
    let house = house(|_| {}).await;
    let anas = furnish(&house).await;
    let (lair, now) = (house.lair, house.nightbeat.server.node().now());
    let making = house.nightbeat.server.store().write(move |sql| {
        let key = Key {
            id: Uuid::from_u128(21),
            name: "eves-key".to_owned(),
            scope: Scope::ReadWrite,
            created_at: now,
            last_used_at: None,
        };
        keys::insert(sql, lair, &key, &key_hash("eves"))
    });
    making.await.unwrap();
    let before = all_of_anas(&house).await;
    let mut eve = Browser::new(house.nightbeat.address());
    assert_eq!(eve.show_key("eves").await.status, 303);
    eve.get("/").await;
    let expected = |_: &str, whom| match whom {
        Members => Some(vec![404]),
        Person => Some(vec![403]),
        Everybody | Holder | Viewer => None,
    };
    try_all(&house, &anas, &mut eve, expected).await;
    assert_eq!(all_of_anas(&house).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_signed_in_is_asked_to_and_changes_nothing() {
    let house = house(|_| {}).await;
    let anas = furnish(&house).await;
    let before = all_of_anas(&house).await;
    let mut nobody = Browser::new(house.nightbeat.address());
    nobody.get("/sign-in").await;
    let expected = |method: &str, whom| match whom {
        Members | Person | Viewer if method == "GET" => Some(vec![303]),
        Members | Person | Viewer => Some(vec![401]),
        Holder => Some(vec![404]),
        Everybody => None,
    };
    try_all(&house, &anas, &mut nobody, expected).await;
    assert_eq!(all_of_anas(&house).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_is_taken_without_what_it_was_given() {
    let house = house(|_| {}).await;
    let anas = furnish(&house).await;
    let before = all_of_anas(&house).await;
    let mut ana = house.browser("ana@example.org").await;
    for (method, template, _) in ROUTES {
        // A mail program ends reports with what stands in its mail, and knows no token.
        if *method == "GET" || *template == "/reports/{secret}" {
            continue;
        }
        let path = path(template, &house, &anas);
        let answer = ana.post_unasked(&path, FIELDS).await;
        assert_eq!(answer.status, 403, "{path}");
        ana.headers = "X-Csrf-Token: 00000000000000000000000000000000\r\n".to_owned();
        let answer = ana.post_unasked(&path, FIELDS).await;
        assert_eq!(answer.status, 403, "{path}");
        ana.headers.clear();
    }
    assert_eq!(all_of_anas(&house).await, before);
    assert_eq!(ana.get("/profile").await.status, 200, "still signed in");
}
