//! The list of heartbeats.

use std::sync::Arc;

use nightbeat_domain::{HeartbeatId, Outcome, Schedule, Settings, State, UnixMicros};
use nightbeat_store::control::heartbeats::{self, Details, New};
use nightbeat_store::damage::append_runs;

use crate::support::{Fixture, start};
use crate::surfer::{Surfer, between};

/// The most that the list of 200 heartbeats may cost, with all its files, in bytes.
const LIST_BYTES_MAX: usize = 60_000;

/// How many runs each has.
const RUNS: i64 = 30;

/// `count` heartbeats, each with 30 runs of different lengths, of which one failed.
async fn many(nightbeat: &Fixture, count: usize) {
    let (project, now) = (nightbeat.project(), nightbeat.server.node().now());
    let names: Arc<Vec<(HeartbeatId, String)>> = Arc::new(
        (0..count)
            .map(|number| {
                (
                    HeartbeatId(nightbeat_server::random::uuid()),
                    format!("job {number:05}"),
                )
            })
            .collect(),
    );
    let writing = nightbeat.server.store().write(move |sql| {
        let settings = Settings::new(Schedule::cron("30 3 * * *", "Europe/Madrid").unwrap());
        for (number, (id, name)) in names.iter().enumerate() {
            let details = Details {
                name: name.clone(),
                slug: name.replace(' ', "-"),
                tags: vec![["nas", "db", "web"][number % 3].to_owned()],
                ..Details::default()
            };
            let state = State {
                last_signal_at: Some(now),
                ..State::new(&settings, now)
            };
            let new = New {
                id: *id,
                details: &details,
                settings: &settings,
                state: &state,
                created_at: now,
            };
            heartbeats::insert(sql, project, &new)?;
            let runs: Vec<_> = (0..RUNS)
                .map(|turn| {
                    let length = 1_000_000 * (60 + (turn * 7 + number as i64 * 13) % 40);
                    let outcome = if turn == number as i64 % RUNS {
                        Outcome::Failed
                    } else {
                        Outcome::Ok
                    };
                    (UnixMicros(now.0 - length), now, outcome)
                })
                .collect();
            append_runs(sql, *id, 1 + number as i64 * RUNS, &runs)?;
        }
        Ok(())
    });
    writing.await.unwrap();
}

/// The names on a page, in their order.
fn names(page: &str) -> Vec<&str> {
    let rows = page.split("<a class=\"name\" href=\"").skip(1);
    rows.map(|row| between(row, ">", "<")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_200_is_small_and_shows_runs_as_bars() {
    let nightbeat = start(|_| {}).await;
    many(&nightbeat, 200).await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let (mut bytes, page) = browser.packed(&browser.project).await;
    assert_eq!(names(&page).len(), 200);
    let files = page.split('"').filter(|part| part.starts_with("/assets/"));
    let mut files: Vec<&str> = files.collect();
    files.sort_unstable();
    files.dedup();
    for path in files {
        bytes += browser.packed(path).await.0;
    }
    assert!(bytes <= LIST_BYTES_MAX, "{bytes} bytes");
    let plain = browser.page("").await;
    assert_eq!(plain.header("content-encoding"), None);
    assert!(
        plain
            .body
            .contains("aria-label=\"last 30 runs: 29 ok, 1 failed\"")
    );
    assert_eq!(plain.body.matches("<svg class=\"spark\"").count(), 200);
    let ids = nightbeat.by_slug("job-00000").await.unwrap().id.to_string();
    assert!(!plain.body.contains(&ids));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_order_and_pages_stand_in_the_address() {
    let nightbeat = start(|_| {}).await;
    many(&nightbeat, 450).await;
    let browser = Surfer::of_reader(&nightbeat).await;
    let first = browser.page("?sort=name").await.body;
    assert_eq!(names(&first)[0], "job 00000");
    assert!(first.contains("1–200 of 450"), "{first}");
    let next = between(&first, "<a class=\"button\" href=\"", "\"").replace("&#38;", "&");
    let second = browser.get(&next).await.body;
    assert_eq!(names(&second)[0], "job 00200");
    let last = browser.page("?sort=name&page=3").await.body;
    assert_eq!(names(&last).len(), 50);
    assert!(!last.contains("rel=\"next\""));
    let reversed = browser.page("?sort=-name").await.body;
    assert_eq!(names(&reversed)[0], "job 00449");

    let found = browser.page("?q=JOB+0044").await.body;
    assert_eq!(names(&found).len(), 10);
    assert!(found.contains("value=\"JOB 0044\""));
    let tagged = browser.page("?q=0044&tag=nas").await.body;
    assert_eq!(names(&tagged).len(), 3, "{:?}", names(&tagged));
    let none = browser.page("?q=nothing").await.body;
    assert!(none.contains("No heartbeat is like that"), "{none}");
    let by_tag = browser.page("?q=0044&group=tag").await.body;
    assert_eq!(by_tag.matches("scope=\"rowgroup\"").count(), 3);
    let status = browser.page("?status=paused").await.body;
    assert!(status.contains("No heartbeat is like that") && status.contains("aria-current"));
    let odd = browser
        .page("?page=99999999999&sort=%FF&q=%00&status=x")
        .await;
    assert_eq!(odd.status, 200);

    let part = browser
        .get_with(&browser.project, "HX-Request: true\r\n")
        .await
        .body;
    assert!(part.trim_start().starts_with("<div id=\"live\""), "{part}");
    assert!(!part.contains("<html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_paused_resumed_and_acknowledged_together() {
    let nightbeat = start(|_| {}).await;
    for slug in ["a", "b", "c"] {
        nightbeat.heartbeat(slug).await;
    }
    let browser = Surfer::of_owner(&nightbeat).await;
    let ask = browser
        .page("/heartbeats/change?h=a&h=b&do=pause")
        .await
        .body;
    assert!(ask.contains("Pause 2 heartbeats?"), "{ask}");
    let done = browser.post("/heartbeats/change", "h=a&h=b&do=pause").await;
    let list = browser.follow(&done).await.body;
    assert_eq!(
        list.matches("<td class=\"c-status\"><span class=\"mark paused\">")
            .count(),
        2
    );
    browser.post("/heartbeats/change", "h=a&do=resume").await;
    let list = browser.page("").await.body;
    assert_eq!(
        list.matches("<td class=\"c-status\"><span class=\"mark paused\">")
            .count(),
        1
    );

    let ping_key = &nightbeat.keys.ping_key;
    nightbeat
        .get(&format!("/api/heartbeat/{ping_key}/c/fail"))
        .await;
    browser
        .post("/heartbeats/change", "h=c&h=a&do=acknowledge")
        .await;
    let page = browser.page("/heartbeats/c").await.body;
    assert!(page.contains("no more repeats"), "{page}");
    assert_eq!(
        browser.page("/heartbeats/change?do=pause").await.status,
        422
    );
    assert_eq!(
        browser
            .page("/heartbeats/change?h=a&do=explode")
            .await
            .status,
        404
    );
    let gone = browser.post("/heartbeats/change", "h=zzz&do=pause").await;
    assert_eq!(gone.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_project_says_what_to_do() {
    let nightbeat = start(|_| {}).await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let page = browser.page("").await.body;
    assert!(
        page.contains("Nothing is watched yet") && page.contains("First say where alerts go"),
        "{page}"
    );
    let start = browser.get("/").await;
    assert_eq!(start.header("location"), Some(browser.project.as_str()));
}
