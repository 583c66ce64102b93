//! Pages that follow what happens.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;

use crate::support::{HANGING, start};
use crate::surfer::{Surfer, between, incident};

async fn events(browser: &Surfer, below: &str) -> Lines<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(browser.address).await.unwrap();
    let (project, cookie) = (&browser.project, &browser.cookie);
    let request =
        format!("GET {project}{below}/events HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    BufReader::new(stream).lines()
}

/// The next line that begins so; `None`: the stream is over.
async fn next(lines: &mut Lines<BufReader<TcpStream>>, start: &str) -> Option<String> {
    let reading = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(rest) = line.strip_prefix(start) {
                return Some(rest.to_owned());
            }
        }
        None
    };
    tokio::time::timeout(HANGING, reading)
        .await
        .expect("something happens")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_hears_of_each_change_and_of_its_own_version() {
    let nightbeat = start(|_| {}).await;
    nightbeat.heartbeat("nightly").await;
    let browser = Surfer::of_reader(&nightbeat).await;
    let mut lines = events(&browser, "").await;
    assert_eq!(next(&mut lines, "HTTP/1.1 ").await.unwrap(), "200 OK");
    assert_eq!(next(&mut lines, "x-accel-buffering: ").await.unwrap(), "no");
    let first = next(&mut lines, "data: ").await.unwrap();
    let page = browser.page("").await.body;
    assert_eq!(between(&page, "data-version=\"", "\""), first);

    let ping_key = &nightbeat.keys.ping_key;
    nightbeat
        .get(&format!("/api/heartbeat/{ping_key}/nightly/fail"))
        .await;
    let second = next(&mut lines, "data: ").await.unwrap();
    assert_ne!(first, second);
    let page = browser.page("").await.body;
    assert_eq!(between(&page, "data-version=\"", "\""), second);
    assert!(
        page.contains("data-title=\"1 down – Home – Nightbeat\""),
        "{page}"
    );
    // A change by hand.
    let owner = Surfer::of_owner(&nightbeat).await;
    owner.post("/heartbeats/nightly/pause", "").await;
    assert_ne!(next(&mut lines, "data: ").await.unwrap(), second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeats_page_hears_of_its_own_changes_only() {
    let nightbeat = start(|_| {}).await;
    nightbeat.heartbeat("nightly").await;
    nightbeat.heartbeat("hourly").await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let page = "/heartbeats/nightly";
    let mut lines = events(&browser, page).await;
    let first = next(&mut lines, "data: ").await.unwrap();
    let shown = async || {
        let page = browser.page(page).await.body;
        assert!(page.contains(&format!(
            "data-events=\"{}/heartbeats/nightly/events\"",
            browser.project
        )));
        between(&page, "data-version=\"", "\"").to_owned()
    };
    assert_eq!(shown().await, first);
    let ping_key = &nightbeat.keys.ping_key;
    let fail = async |slug: &str| {
        let path = format!("/api/heartbeat/{ping_key}/{slug}/fail");
        assert_eq!(nightbeat.get(&path).await.status, 200);
    };
    fail("hourly").await;
    assert_eq!(shown().await, first, "another one failed");
    fail("nightly").await;
    let second = next(&mut lines, "data: ").await.unwrap();
    assert_ne!(second, first);
    assert_eq!(shown().await, second);
    // A note is no change of the heartbeat, but one of its page.
    let page = browser.page(page).await.body;
    let incident = incident(&page);
    let path = format!("/incidents/{incident}/notes");
    assert_eq!(browser.post(&path, "note=On+my+way").await.status, 303);
    let third = next(&mut lines, "data: ").await.unwrap();
    assert_ne!(third, second);
    let none = browser.page("/heartbeats/nobody/events").await;
    assert_eq!(none.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_holds_no_server_up_that_stops() {
    let nightbeat = start(|_| {}).await;
    let browser = Surfer::of_reader(&nightbeat).await;
    let mut lines = events(&browser, "").await;
    next(&mut lines, "data: ").await.unwrap();
    let stopping = tokio::spawn(nightbeat.server.stop());
    // The stream ends by itself, long before the server would cut it off.
    assert_eq!(next(&mut lines, "data: ").await, None);
    let stopped = tokio::time::timeout(HANGING, stopping).await;
    stopped.expect("it stops").unwrap().unwrap();
}
