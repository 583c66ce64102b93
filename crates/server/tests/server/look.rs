//! What all pages have in common.

use crate::support::start;
use crate::surfer::{Surfer, between};

#[tokio::test(flavor = "multi_thread")]
async fn every_file_that_a_page_names_is_there_and_kept_by_browsers() {
    let nightbeat =
        start(|config| config.public_url = "http://example.org/beats".parse().unwrap()).await;
    let browser = Surfer::of_nobody(&nightbeat);
    let page = browser.get("/beats/sign-in").await.body;
    let named: Vec<&str> = page
        .split('"')
        .filter(|part| part.starts_with("/beats/assets/"))
        .collect();
    assert_eq!(named.len(), 4, "{page}");
    for path in named {
        let file = browser.get(path).await;
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(
            file.header("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
        let packed = browser.packed(path).await;
        assert_eq!(packed.1, file.body, "{path}");
        let media_type = file.header("content-type").unwrap();
        let expected = match path.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(media_type, expected, "{path}");
    }
    assert_eq!(browser.get("/beats/assets/style.0.css").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_may_run_or_load_what_is_not_ours() {
    let nightbeat = start(|_| {}).await;
    nightbeat.heartbeat("nightly").await;
    let browser = Surfer::of_owner(&nightbeat).await;
    for below in [
        "",
        "/heartbeats/nightly",
        "/heartbeats/nightly/edit",
        "/heartbeats/new",
        "/incidents",
        "/channels",
        "/channels/new?kind=ntfy",
        "/maintenance",
        "/heartbeats/nowhere",
    ] {
        let page = browser.page(below).await;
        let policy = page.header("content-security-policy").unwrap();
        assert_eq!(
            policy,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        );
        for forbidden in [
            " style=",
            "<style",
            " onclick",
            " hx-on",
            "javascript:",
            "http://www.",
        ] {
            assert!(!page.body.contains(forbidden), "{below}: {forbidden}");
        }
        if page.status == 200 {
            assert!(
                page.body.contains("<a class=\"skip\" href=\"#main\">"),
                "{below}"
            );
            assert_eq!(page.body.matches("<h1").count(), 1, "{below}");
        }
    }
    let list = browser.page("").await.body;
    assert!(
        !list.contains(&browser.csrf().await),
        "a page that is compressed has no token"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_asked_to_sign_in_and_finds_no_other_project() {
    let nightbeat = start(|_| {}).await;
    nightbeat.heartbeat("nightly").await;
    let stranger = Surfer::of_nobody(&nightbeat);
    for below in [
        "",
        "/events",
        "/heartbeats/nightly",
        "/channels",
        "/incidents",
        "/maintenance",
    ] {
        let answer = stranger.page(below).await;
        assert_eq!(answer.status, 303, "{below}");
        assert!(
            answer.header("location").unwrap().starts_with("/sign-in"),
            "{below}"
        );
    }
    let browser = Surfer::of_owner(&nightbeat).await;
    for id in ["00000000-0000-4000-8000-000000000000", "x"] {
        for below in ["", "/events", "/heartbeats/nightly", "/channels"] {
            let answer = browser.get(&format!("/projects/{id}{below}")).await;
            assert_eq!(answer.status, 404, "{id}{below}");
            assert!(!answer.body.contains("nightly"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_its_token_or_from_elsewhere_changes_nothing() {
    let nightbeat = start(|_| {}).await;
    nightbeat.heartbeat("nightly").await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let csrf = browser.csrf().await;
    let path = format!("{}/heartbeats/nightly/pause", browser.project);
    for (form, headers) in [
        (String::new(), ""),
        ("csrf=0123456789abcdef0123456789abcdef".to_owned(), ""),
        (format!("csrf={csrf}"), "Sec-Fetch-Site: cross-site\r\n"),
        (format!("csrf={csrf}"), "Sec-Fetch-Site: same-site\r\n"),
    ] {
        let answer = browser.send(&path, &form, headers).await;
        assert_eq!(answer.status, 403, "{form} {headers}");
    }
    let other = Surfer::of_owner(&nightbeat).await;
    let answer = other.send(&path, &format!("csrf={csrf}"), "").await;
    assert_eq!(answer.status, 403, "the token is another session's");
    let page = browser.page("/heartbeats/nightly").await.body;
    assert!(page.contains("class=\"mark big up\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_look_changes_nothing_and_learns_no_secret() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("nightly").await.to_string();
    let reader = Surfer::of_reader(&nightbeat).await;
    for below in [
        "",
        "/heartbeats/nightly",
        "/incidents",
        "/channels",
        "/maintenance",
    ] {
        let page = reader.page(below).await;
        assert_eq!(page.status, 200, "{below}");
        for secret in [&id, &nightbeat.keys.ping_key, "/api/heartbeat/"] {
            assert!(!page.body.contains(secret), "{below}: {secret}");
        }
    }
    for below in [
        "/heartbeats/new",
        "/heartbeats/nightly/edit",
        "/channels/new?kind=ntfy",
    ] {
        assert_eq!(reader.page(below).await.status, 403, "{below}");
    }
    for below in [
        "/heartbeats/new",
        "/heartbeats/change",
        "/heartbeats/nightly/edit",
        "/heartbeats/nightly/pause",
        "/heartbeats/nightly/resume",
        "/heartbeats/nightly/test",
        "/heartbeats/nightly/delete",
        "/channels/new",
        "/maintenance",
    ] {
        assert_eq!(reader.post(below, "").await.status, 403, "{below}");
    }
    let page = reader.page("/heartbeats/nightly").await.body;
    assert_eq!(between(&page, "class=\"mark big ", "\""), "up");
}
