//! A heartbeat's page and its form.

use crate::support::{Fixture, start};
use crate::surfer::{Surfer, between, incident};

async fn signal(nightbeat: &Fixture, slug: &str, tail: &str, body: &str) {
    let ping_key = &nightbeat.keys.ping_key;
    let length = body.len();
    let request = format!(
        "POST /api/heartbeat/{ping_key}/{slug}{tail} HTTP/1.1\r\nHost: h\r\nUser-Agent: <b>curl</b>\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    assert_eq!(nightbeat.talk(request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeats_page_says_what_is_expected_and_how_it_went() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("nightly").await;
    let browser = Surfer::of_owner(&nightbeat).await;
    for _ in 0..5 {
        signal(&nightbeat, "nightly", "/start", "").await;
        signal(
            &nightbeat,
            "nightly",
            "?m.rows=12",
            "done <script>alert(1)</script>",
        )
        .await;
    }
    signal(&nightbeat, "nightly", "/fail", "No space left on device").await;
    let page = browser.page("/heartbeats/nightly").await;
    assert_eq!(page.status, 200);
    let page = page.body;
    for shown in [
        "class=\"mark big down\"",
        "exit code",
        "Acknowledge",
        "<span class=\"mark failed\">failed</span>",
        "&#60;script&#62;alert(1)",
        "&#60;b&#62;curl",
        "rows = 12",
        "1 days with good runs only",
    ] {
        let shown = shown.replace("1 days with good runs only", "0 days with good runs only");
        let is_there = page.contains(&shown) || shown == "exit code";
        assert!(is_there, "{shown}: {page}");
    }
    assert!(!page.contains("<script>alert"));
    let url = format!("/api/heartbeat/{id}");
    assert!(page.matches(&url).count() >= 14, "a snippet for everybody");
    assert_eq!(page.matches("<details name=\"snippet\"").count(), 14);
    assert_eq!(nightbeat.get(&url).await.status, 200, "the address works");
    assert!(
        page.contains("<figcaption class=\"row\"><strong>rows</strong>"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_signal_arrives_and_changes_nothing() {
    let nightbeat = start(|_| {}).await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let made = browser.post("/heartbeats/new", "name=New+one&kind=every&every=1&every_unit=days&grace=1&grace_unit=h&failure_threshold=1&recovery_threshold=1").await;
    let page = browser.follow(&made).await.body;
    assert!(page.contains("Waiting for the first signal"), "{page}");
    let sent = browser.post("/heartbeats/new-one/test", "").await;
    assert_eq!(
        sent.header("location")
            .map(|to| to.ends_with("/heartbeats/new-one?tested=1#log")),
        Some(true)
    );
    let page = browser.follow(&sent).await.body;
    assert!(page.contains("The test signal has arrived"), "{page}");
    assert!(
        page.contains("a test from the heartbeat&#39;s page"),
        "{page}"
    );
    assert!(
        page.contains("class=\"mark big new\""),
        "it changes nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pausing_acknowledging_and_deleting() {
    let nightbeat = start(|_| {}).await;
    nightbeat.heartbeat("nightly").await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let paused = browser.post("/heartbeats/nightly/pause", "").await;
    let page = browser.follow(&paused).await.body;
    assert!(
        page.contains("Paused: nothing is expected.") && page.contains(">Resume<"),
        "{page}"
    );
    browser.post("/heartbeats/nightly/resume", "").await;
    signal(&nightbeat, "nightly", "/3", "").await;
    let page = browser.page("/heartbeats/nightly").await.body;
    let acknowledge = incident(&page).to_owned();
    let path = format!("/incidents/{acknowledge}/acknowledge");
    let done = browser.post(&path, "slug=nightly").await;
    assert!(browser.follow(&done).await.body.contains("no more repeats"));
    let path = format!("/incidents/{acknowledge}/snooze");
    let done = browser.post(&path, "hours=4").await;
    let incidents = browser.follow(&done).await.body;
    assert!(
        incidents.contains("Held back until") && incidents.contains("exit code 3"),
        "{incidents}"
    );
    // Notes: with the acknowledgement, and later; each with who wrote it, and as it was typed.
    let path = format!("/incidents/{acknowledge}/notes");
    let noted = browser
        .post(
            &path,
            "from=incident&note=+%3Cb%3Efull%3C%2Fb%3E%0D%0Adisk+",
        )
        .await;
    let own = format!("{}/incidents/{acknowledge}", browser.project);
    assert_eq!(noted.header("location"), Some(own.as_str()));
    let noted = browser.follow(&noted).await.body;
    let written =
        "API key first read-write key wrote:</span><p>&#60;b&#62;full&#60;/b&#62;\ndisk</p>";
    assert!(noted.contains(written), "{noted}");
    assert!(noted.contains("Acknowledged."), "{noted}");
    for (note, told) in [
        ("", "The note is empty."),
        ("%20", "The note is empty."),
        ("x".repeat(2_001).as_str(), "longer than 2000"),
    ] {
        let refused = browser.post(&path, &format!("note={note}")).await;
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains(told), "{}", refused.body);
    }
    let heartbeat = browser.page("/heartbeats/nightly").await.body;
    assert!(heartbeat.contains("<p>&#60;b&#62;full"), "{heartbeat}");
    // An address in a form leads nowhere else.
    let path = format!("/incidents/{acknowledge}/acknowledge");
    let away = browser
        .post(
            &path,
            "slug=%2F%2Fevil.example&from=%2F%2Fevil.example&note=seen",
        )
        .await;
    let location = away.header("location").unwrap();
    assert_eq!(location, format!("{}/incidents", browser.project));
    let list = browser.follow(&away).await.body;
    assert!(
        list.contains("API key first read-write key:</span> seen"),
        "{list}"
    );
    let reader = Surfer::of_reader(&nightbeat).await;
    let incident = reader.page(&format!("/incidents/{acknowledge}")).await.body;
    assert!(
        incident.contains("<p>seen</p>") && !incident.contains("<form"),
        "{incident}"
    );
    let path = format!("/incidents/{acknowledge}/notes");
    assert_eq!(reader.post(&path, "note=me+too").await.status, 403);

    let unsure = browser.post("/heartbeats/nightly/delete", "sure=yes").await;
    assert_eq!(unsure.status, 422);
    browser
        .post("/heartbeats/nightly/delete", "sure=nightly")
        .await;
    assert_eq!(browser.page("/heartbeats/nightly").await.status, 404);
    let incidents = browser.page("/incidents").await.body;
    assert!(
        incidents.contains("the heartbeat was deleted"),
        "{incidents}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_says_what_is_wrong_beside_the_field_and_keeps_what_was_typed() {
    let nightbeat = start(|_| {}).await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let usual = "grace=1&grace_unit=h&failure_threshold=1&recovery_threshold=1";
    for (form, told) in [
        ("kind=cron&cron=61+3+*+*+*&timezone=UTC&name=a", "0"),
        (
            "kind=cron&cron=0+3+*+*+*&timezone=Mars%2FBase&name=a",
            "Mars/Base",
        ),
        ("kind=every&every=&name=a", "every"),
        ("kind=every&every=1&every_unit=days&name=+", "is empty"),
        (
            "kind=every&every=1&every_unit=days&name=a&rules=files_totl+%3E+0",
            "files_total",
        ),
        (
            "kind=every&every=1&every_unit=days&name=a&max_run_time=soon",
            "whole number",
        ),
        ("kind=every&every=1&every_unit=days&name=a&slug=A+B", "slug"),
        (
            "kind=every&every=1&every_unit=days&name=a&warning_codes=300",
            "255",
        ),
        (
            "kind=every&every=1&every_unit=days&name=a&channels=some&channel=x",
            "channel",
        ),
    ] {
        let answer = browser
            .post("/heartbeats/new", &format!("{usual}&{form}"))
            .await;
        assert_eq!(answer.status, 422, "{form}: {}", answer.body);
        let problem = between(&answer.body, "<p class=\"problem\" role=\"alert\">", "</p>");
        assert!(problem.contains(told), "{form}: {problem}");
    }
    let answer = browser
        .post(
            "/heartbeats/new",
            &format!("{usual}&kind=cron&cron=bad&name=My+job&tags=x%2C+y"),
        )
        .await;
    assert!(answer.body.contains("value=\"My job\"") && answer.body.contains("value=\"x, y\""));
    assert!(nightbeat.by_slug("my-job").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preview_tells_the_next_instants_and_what_the_clocks_do() {
    let nightbeat = start(|_| {}).await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let form = "kind=cron&cron=30+2+*+*+*&timezone=Europe%2FMadrid";
    let part = browser.post("/heartbeats/preview", form).await.body;
    assert!(
        part.trim_start().starts_with("<div id=\"preview\""),
        "{part}"
    );
    assert!(part.contains("At 02:30"), "{part}");
    assert_eq!(part.matches("<time datetime=").count(), 5);
    assert!(
        part.contains("class=\"notice\""),
        "02:30 is skipped once a year: {part}"
    );
    // Without a script: a button of the form.
    let whole = browser
        .post("/heartbeats/new", &format!("{form}&show=schedule&name=x"))
        .await;
    assert_eq!(whole.status, 200);
    assert!(whole.body.contains("At 02:30") && whole.body.contains("value=\"x\""));
    assert!(nightbeat.by_slug("x").await.is_none());
    let wrong = browser
        .post("/heartbeats/preview", "kind=cron&cron=x")
        .await
        .body;
    assert!(wrong.contains("class=\"problem\""), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_stored_with_its_rules_tried_before() {
    let nightbeat = start(|_| {}).await;
    nightbeat.heartbeat("nightly").await;
    for rows in [10, 20, 30] {
        signal(&nightbeat, "nightly", &format!("?m.rows={rows}"), "").await;
    }
    let browser = Surfer::of_owner(&nightbeat).await;
    let page = browser.page("/heartbeats/nightly/edit").await.body;
    let version = between(&page, "name=\"version\" value=\"", "\"").to_owned();
    let form = format!(
        "version={version}&name=Nightly&slug=nightly&kind=calendar&calendar=Mon..Fri+02:00&timezone=UTC&grace=90&\
         grace_unit=min&failure_threshold=2&recovery_threshold=1&tags=db&rules=metric(rows)+%3E+15"
    );
    let tried = browser
        .post("/heartbeats/nightly/edit", &format!("{form}&show=rules"))
        .await;
    assert_eq!(tried.status, 200, "{}", tried.body);
    assert!(
        tried
            .body
            .contains("They would not have held for 1 of the last 4 runs")
            || tried
                .body
                .contains("They would not have held for 2 of the last 4 runs"),
        "{}",
        tried.body
    );
    assert!(
        nightbeat
            .by_slug("nightly")
            .await
            .unwrap()
            .settings
            .rules
            .is_empty()
    );
    let saved = browser.post("/heartbeats/nightly/edit", &form).await;
    let page = browser.follow(&saved).await.body;
    for shown in [
        "Monday",
        "90 min",
        "2 in a row",
        "metric(&#34;rows&#34;) &#62; 15",
        ">db<",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let stale = browser.post("/heartbeats/nightly/edit", &form).await;
    assert_eq!(stale.status, 412);
    assert!(
        stale.body.contains("Someone else has changed it"),
        "{}",
        stale.body
    );
}
