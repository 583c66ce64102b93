//! Status pages: what strangers see, and who says so.

use nightbeat_store::control::PageRequest;
use nightbeat_store::control::audit;

use crate::browser::{Browser, between};
use crate::people::{House, house};
use crate::support::{Answer, HANGING};

/// A stranger's look at a page.
async fn look(house: &House, path: &str) -> Answer {
    house.nightbeat.get(path).await
}

fn settings(house: &House) -> String {
    format!("/projects/{}/settings/status-pages", house.home)
}

/// Makes a page; the address that the list shows for it.
async fn make(house: &House, ana: &mut Browser, title: &str, tag: &str, path: &str) -> String {
    ana.get(&settings(house)).await;
    let fields = [("title", title), ("tag", tag), ("path", path)];
    let made = ana.post(&settings(house), &fields).await;
    assert_eq!(made.status, 303, "{}", made.body);
    let list = ana.get(&settings(house)).await.body;
    let shown = title.replace('<', "&#60;").replace('>', "&#62;");
    let row = list.split(&format!(">{shown}</a>")).nth(1).unwrap();
    let address = between(row, "<code id=\"page-", "</code>").unwrap();
    let address = address.split_once("\">").unwrap().1;
    address[address.find("/status/").unwrap()..].to_owned()
}

async fn tagged(house: &House, slug: &str, tags: &str) {
    let mut ana = house.browser("ana@example.org").await;
    let form = format!("/projects/{}/heartbeats/new", house.home);
    ana.get(&form).await;
    let fields = [
        ("name", slug),
        ("tags", tags),
        ("kind", "every"),
        ("every", "1"),
        ("every_unit", "days"),
        ("grace", "1"),
        ("grace_unit", "h"),
        ("failure_threshold", "1"),
        ("recovery_threshold", "1"),
        ("description", "a-description"),
    ];
    let made = ana.post(&form, &fields).await;
    assert_eq!(made.status, 303, "{}", made.body);
}

async fn signal(house: &House, slug: &str, tail: &str) {
    let ping_key = &house.nightbeat.keys.ping_key;
    let body = "a-body";
    let request = format!(
        "POST /api/heartbeat/{ping_key}/{slug}{tail} HTTP/1.1\r\nHost: h\r\nUser-Agent: an-agent\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(house.nightbeat.talk(request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_names_and_how_things_are_and_nothing_else() {
    let house = house(|_| {}).await;
    tagged(&house, "web-backup", "web, inner-tag").await;
    tagged(&house, "web-report", "web").await;
    tagged(&house, "payroll", "office").await;
    signal(&house, "web-backup", "").await;
    signal(&house, "web-report", "/fail").await;
    let mut ana = house.browser("ana@example.org").await;
    let secret = make(&house, &mut ana, "Our <web> jobs", "web", "").await;
    assert_eq!(secret.len(), "/status/".len() + 32, "{secret}");

    let page = look(&house, &secret).await;
    assert_eq!(page.status, 200);
    for shown in [
        "<h1>Our &#60;web&#62; jobs</h1>",
        "<span class=\"mark big down\">1 down</span>",
        ">web-backup</span>",
        "<span class=\"mark up\">up</span>",
        "<span class=\"mark down\">down</span>",
        "aria-label=\"1 run: 0 ok, 1 failed\"",
        "none yet",
        "0 s ago",
        "noindex",
        "<noscript><meta http-equiv=\"refresh\" content=\"60\"></noscript>",
    ] {
        let or_a_moment_later = shown == "0 s ago" && page.body.contains(" s ago");
        assert!(
            page.body.contains(shown) || or_a_moment_later,
            "{shown}: {}",
            page.body
        );
    }
    let id = house.nightbeat.by_slug("web-backup").await.unwrap().id;
    let home = house.home.to_string();
    for kept in [
        "payroll",
        "inner-tag",
        "Home",
        "a-body",
        "an-agent",
        "a-description",
        "example.org",
        "/api/heartbeat",
        "csrf",
        "every",
        &id.to_string(),
        &home,
        &house.nightbeat.keys.ping_key,
    ] {
        let body = page.body.replace("http-equiv", "");
        assert!(!body.contains(kept), "it tells {kept}: {body}");
    }
    assert_eq!(page.header("cache-control"), Some("public, max-age=15"));
    assert!(page.header("set-cookie").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_made_changed_and_taken_down_by_those_who_manage() {
    let house = house(|_| {}).await;
    tagged(&house, "nightly", "nas").await;
    let mut ana = house.browser("ana@example.org").await;
    let path = make(&house, &mut ana, "Backups", "", "our-backups").await;
    assert_eq!(path, "/status/our-backups");
    let page = look(&house, &path).await.body;
    assert!(
        page.contains("Nothing was heard yet") && page.contains("nightly"),
        "{page}"
    );

    let list = ana.get(&settings(&house)).await.body;
    let own = between(&list, "/settings/status-pages/", "\"")
        .unwrap()
        .to_owned();
    let own = format!("{}/{own}", settings(&house));
    let form = ana.get(&own).await.body;
    assert!(form.contains("value=\"our-backups\""), "{form}");
    let fields = [
        ("title", "Nothing"),
        ("tag", "nobody-has-it"),
        ("path", "moved"),
    ];
    assert_eq!(ana.post(&own, &fields).await.status, 303);
    // At once, and not only when what was kept is old.
    assert_eq!(look(&house, &path).await.status, 404);
    let moved = look(&house, "/status/moved").await.body;
    assert!(
        moved.contains("Nothing is shown here yet") && !moved.contains("nightly"),
        "{moved}"
    );
    assert_eq!(ana.post(&format!("{own}/delete"), &[]).await.status, 303);

    let gone = look(&house, "/status/moved").await;
    let never = look(&house, "/status/never-was").await;
    let odd = look(&house, "/status/%00%C3%A4").await;
    assert_eq!((gone.status, never.status, odd.status), (404, 404, 404));
    let told = |answer: &Answer| {
        let body = &answer.body;
        let now = between(body, "data-now=\"", "\"").unwrap();
        body.replace(now, "")
    };
    assert_eq!(told(&gone), told(&never));
    assert_eq!(told(&odd), told(&never));
    assert_eq!(ana.post(&own, &fields).await.status, 404);
    assert_eq!(ana.post(&format!("{own}/delete"), &[]).await.status, 404);

    let home = house.home;
    let store = house.nightbeat.server.store();
    let log = store.read(move |sql| audit::of_project(sql, home, &PageRequest::default()));
    let log = log.await.unwrap().items;
    let done: Vec<_> = log
        .iter()
        .filter(|entry| entry.action.contains("status page"))
        .map(|entry| (entry.action.as_str(), entry.about.as_str()))
        .collect();
    assert_eq!(
        done,
        [
            (
                "took a status page down",
                "Nothing, of those with the tag nobody-has-it"
            ),
            (
                "changed a status page",
                "Nothing, of those with the tag nobody-has-it"
            ),
            ("made a status page", "Backups, of all heartbeats"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_manage_makes_none_and_a_bad_one_is_told() {
    let house = house(|_| {}).await;
    for email in ["cleo@example.org", "dora@example.org"] {
        let mut browser = house.browser(email).await;
        browser.get("/profile").await;
        let fields = [("title", "Mine"), ("path", "mine")];
        let refused = browser.post(&settings(&house), &fields).await;
        assert_eq!(refused.status, 403, "{email}");
        assert_eq!(browser.get(&settings(&house)).await.status, 403, "{email}");
    }
    assert_eq!(look(&house, "/status/mine").await.status, 404);
    // A manager may.
    let mut ben = house.browser("ben@example.org").await;
    make(&house, &mut ben, "Bens", "", "bens").await;
    let mut eve = house.browser("eve@example.org").await;
    let lair = format!("/projects/{}/settings/status-pages", house.lair);
    eve.get(&lair).await;
    for (title, path, told) in [
        ("", "fine", "1 to 100 characters"),
        ("Fine", "UPPER", "a–z, 0–9"),
        ("Fine", "ab", "3 to 60"),
        ("Fine", "a/b", "a–z, 0–9"),
        ("Fine", "bens", "is taken"),
    ] {
        let refused = eve.post(&lair, &[("title", title), ("path", path)]).await;
        assert_eq!(refused.status, 422, "{path}");
        let alert = between(&refused.body, "role=\"alert\">", "<").unwrap();
        assert!(alert.contains(told), "{alert}");
        let typed = format!("name=\"path\" value=\"{path}\"");
        assert!(refused.body.contains(&typed), "{}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_has_the_page_is_told_so() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    let path = make(&house, &mut ana, "Ours", "", "ours").await;
    // Each quarter of a minute it is made anew: then the next try finds it.
    let known = async {
        loop {
            let etag = look(&house, &path).await.header("etag").unwrap().to_owned();
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"other\", {etag}\r\n\
                 Connection: close\r\n\r\n"
            );
            let known = house.nightbeat.talk(request).await;
            if known.status == 304 {
                return (etag, known);
            }
        }
    };
    let known = tokio::time::timeout(HANGING, known).await;
    let (etag, known) = known.expect("it is known");
    assert_eq!(known.header("etag"), Some(etag.as_str()));
    assert!(known.body.is_empty());
}
