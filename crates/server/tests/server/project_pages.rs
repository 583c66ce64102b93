//! Channels, maintenance windows, incidents and the handbook.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::start;
use crate::surfer::{Surfer, between};

/// A receiver on this machine that answers each request so.
async fn receiver(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut some = vec![0; 65_536];
            let _ = stream.read(&mut some).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

fn encoded(text: &str) -> String {
    text.replace('%', "%25")
        .replace(':', "%3A")
        .replace('/', "%2F")
        .replace('&', "%26")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_made_from_its_file_tested_and_changed() {
    let nightbeat = start(|config| {
        config.outgoing.allow = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let kinds = browser.page("/channels").await.body;
    for kind in ["E-mail", "ntfy", "Webhook", "Nobody is told yet"] {
        assert!(kinds.contains(kind), "{kind}: {kinds}");
    }
    let form = browser.page("/channels/new?kind=webhook").await.body;
    assert!(
        form.contains("name=\"set.url\"") && form.contains("<option selected>POST"),
        "{form}"
    );
    assert!(form.contains("An HTTP request to a URL of yours"), "{form}");

    let bad = browser
        .post(
            "/channels/new",
            "kind=webhook&name=hook&set.url=ftp%3A%2F%2Fh",
        )
        .await;
    assert_eq!(bad.status, 422);
    assert!(
        between(&bad.body, "role=\"alert\">", "<").contains("http"),
        "{}",
        bad.body
    );
    let url = receiver("HTTP/1.1 418 I'm a teapot\r\nContent-Length: 12\r\n\r\nshort, stout").await;
    let form = format!(
        "kind=webhook&name=hook&set.url={}&set.headers=X-Key%3A+s3cret",
        encoded(&url)
    );
    let made = browser.post("/channels/new", &form).await;
    let page = browser.follow(&made).await.body;
    assert!(
        page.contains("not used yet") && !page.contains("s3cret"),
        "{page}"
    );
    let own = made
        .header("location")
        .unwrap()
        .strip_prefix(browser.project.as_str())
        .unwrap();

    let tested = browser.post(&format!("{own}/test"), "").await.body;
    assert!(tested.contains("It was not accepted"), "{tested}");
    assert!(
        tested.contains("418") && tested.contains("short, stout"),
        "{tested}"
    );
    let url = receiver("HTTP/1.1 204 No Content\r\n\r\n").await;
    let version = between(&tested, "name=\"version\" value=\"", "\"");
    let form = format!("version={version}&name=phone&set.url={}", encoded(&url));
    let saved = browser.post(own, &form).await;
    assert!(
        browser
            .follow(&saved)
            .await
            .body
            .contains("stored; leave empty to keep it")
    );
    let tested = browser.post(&format!("{own}/test"), "").await.body;
    assert!(
        tested.contains("It was accepted") && tested.contains("204"),
        "{tested}"
    );
    let stale = browser.post(own, &form).await;
    assert_eq!(stale.status, 412, "{}", stale.body);

    let removed = browser.post(&format!("{own}/delete"), "").await;
    assert!(!browser.follow(&removed).await.body.contains(">phone<"));
    assert_eq!(browser.page(own).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channels_log_shows_each_try_and_what_was_said() {
    let nightbeat = start(|config| {
        config.outgoing.allow = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let url = receiver("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy").await;
    let form = format!("kind=webhook&name=hook&set.url={}", encoded(&url));
    let made = browser.post("/channels/new", &form).await;
    let own = made.header("location").unwrap().to_owned();
    nightbeat.heartbeat("nightly").await;
    let ping_key = &nightbeat.keys.ping_key;
    nightbeat
        .get(&format!("/api/heartbeat/{ping_key}/nightly/fail"))
        .await;
    let shown = async {
        loop {
            let page = browser.get(&own).await.body;
            if page.contains("not taken") {
                return page;
            }
        }
    };
    let page = tokio::time::timeout(crate::support::HANGING, shown)
        .await
        .expect("a try");
    assert!(
        page.contains("503") && page.contains("trying again"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_planned_in_a_zone_and_removed() {
    let nightbeat = start(|_| {}).await;
    let browser = Surfer::of_owner(&nightbeat).await;
    assert!(
        browser
            .page("/maintenance")
            .await
            .body
            .contains("No window is planned")
    );
    let form = "from=2030-07-01T02:00&to=2030-07-01T04:30&timezone=Europe%2FMadrid&note=New+disks";
    let made = browser.post("/maintenance", form).await;
    let page = browser.follow(&made).await.body;
    for shown in ["to come", "2030-07-01T00:00:00Z", "2 h 30 min", "New disks"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    for (form, told) in [
        (
            "from=2030-07-02T02:00&to=2030-07-01T04:30&timezone=UTC",
            "later",
        ),
        (
            "from=2020-07-02T02:00&to=2020-07-03T04:30&timezone=UTC",
            "future",
        ),
        ("from=x&to=y&timezone=UTC", "write it like"),
        (
            "from=2030-07-02T02:00&to=2030-07-03T04:30&timezone=Mars",
            "Europe/Madrid",
        ),
    ] {
        let wrong = browser.post("/maintenance", form).await;
        assert_eq!(wrong.status, 422, "{form}");
        assert!(
            between(&wrong.body, "role=\"alert\">", "<").contains(told),
            "{form}: {}",
            wrong.body
        );
    }
    let id = between(&page, "/maintenance/", "/delete").to_owned();
    let removed = browser.post(&format!("/maintenance/{id}/delete"), "").await;
    assert!(
        browser
            .follow(&removed)
            .await
            .body
            .contains("No window is planned")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handbook_is_for_everybody_and_searched() {
    let nightbeat =
        start(|config| config.public_url = "http://example.org/beats".parse().unwrap()).await;
    let first = nightbeat.get("/beats/docs").await;
    assert_eq!(first.header("location"), Some("/beats/docs/first-hour"));
    let page = nightbeat.get("/beats/docs/rules").await;
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("aria-current=\"page\"") && page.body.contains("<h2 id="),
        "{}",
        page.body
    );
    let found = nightbeat
        .get("/beats/docs?q=ping%20key%20%3Cb%3E")
        .await
        .body;
    assert!(
        found.contains("Nothing there has all of these words") && !found.contains("<b>"),
        "{found}"
    );
    let found = nightbeat.get("/beats/docs?q=median").await.body;
    assert!(found.contains("/beats/docs/rules#"), "{found}");
    assert_eq!(nightbeat.get("/beats/docs/nowhere").await.status, 404);
}
