//! The first steps in a project: they follow from what there is.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::start;
use crate::surfer::{Surfer, between};

/// A receiver on this machine that takes everything.
async fn receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http%3A%2F%2F{}%2Fhook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut some = vec![0; 65_536];
            let _ = stream.read(&mut some).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_the_first_one_that_is_not_done() {
    let nightbeat = start(|config| {
        config.outgoing.allow = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let browser = Surfer::of_owner(&nightbeat).await;
    let here = async || browser.page("/start").await.body;
    let shown = here().await;
    assert!(shown.contains("What should be watched?"), "{shown}");
    assert!(shown.contains("At 03:30 every day"), "{shown}");
    let preview = browser.post("/start/preview", "often=hour").await.body;
    assert!(
        preview.contains("Every hour") && !preview.contains("<html"),
        "{preview}"
    );

    let form = "name=Nightly+backup&often=at&time=02%3A15&timezone=Europe%2FMadrid";
    let made = browser.post("/start/heartbeat", form).await;
    let waiting = browser.follow(&made).await.body;
    assert!(
        waiting.contains("Waiting for the first signal of Nightly backup"),
        "{waiting}"
    );
    assert_eq!(between(&waiting, "id=\"line-2\">", " /usr"), "15 2 * * * ");
    assert!(here().await.contains("Waiting for the first signal"));
    let line = between(&waiting, "id=\"line-1\">", "</pre>");
    let path = between(line, "/api/", " ");
    assert_eq!(nightbeat.get(&format!("/api/{path}")).await.status, 200);
    let arrived = browser.follow(&made).await.body;
    assert!(arrived.contains("Nightly backup: it arrived"), "{arrived}");
    assert!(here().await.contains("Where do alerts go?"));

    let form = browser.page("/start?step=channel&kind=webhook").await.body;
    assert!(form.contains("name=\"set.url\""), "{form}");
    let bad = browser
        .post("/start/channel", "kind=webhook&name=a&set.url=x")
        .await;
    assert_eq!(bad.status, 422);
    let alert = between(&bad.body, "role=\"alert\">", "<");
    assert!(
        alert.contains("http") && bad.body.contains("value=\"a\""),
        "{alert}"
    );
    let form = format!("kind=webhook&name=pager&set.url={}", receiver().await);
    let made = browser.post("/start/channel", &form).await;
    let page = browser.follow(&made).await.body;
    assert!(
        page.contains("Does it arrive?") && page.contains("pager"),
        "{page}"
    );
    let own = made.header("location").unwrap();
    let own = own.strip_prefix(browser.project.as_str()).unwrap();
    let tested = browser.post(&format!("{own}/test"), "").await.body;
    assert!(
        tested.contains("It was accepted") && tested.contains("204"),
        "{tested}"
    );
    let done = here().await;
    assert!(
        done.contains("You are set up") && done.contains("Alerts go to pager."),
        "{done}"
    );
    // Any step can be looked at again.
    let again = browser.page("/start?step=heartbeat").await.body;
    assert!(again.contains("What should be watched?"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_beside_the_field_and_what_was_typed_stays() {
    let nightbeat = start(|_| {}).await;
    let browser = Surfer::of_owner(&nightbeat).await;
    for (form, typed, told) in [
        ("name=&often=day", "value=\"day\" checked", "empty"),
        ("name=a&often=at&time=soon", "value=\"soon\"", "03:30"),
        ("name=a&often=cron&cron=61+*+*+*+*", "61 * * * *", "61"),
        (
            "name=a&often=at&time=03:30&timezone=Mars",
            "value=\"Mars\"",
            "Mars",
        ),
    ] {
        let wrong = browser.post("/start/heartbeat", form).await;
        assert_eq!(wrong.status, 422, "{form}");
        assert!(wrong.body.contains(typed), "{form}: {}", wrong.body);
        let alert = between(&wrong.body, "role=\"alert\">", "<");
        assert!(alert.contains(told), "{form}: {alert}");
    }
    assert!(nightbeat.by_slug("a").await.is_none());
    let unknown = browser.post("/start/channel", "kind=pigeon&name=a").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_look_takes_no_step() {
    let nightbeat = start(|_| {}).await;
    let reader = Surfer::of_reader(&nightbeat).await;
    assert_eq!(reader.page("/start").await.status, 403);
    for (step, form) in [
        ("heartbeat", "name=a&often=day"),
        (
            "channel",
            "kind=webhook&name=a&set.url=https%3A%2F%2Fexample.org",
        ),
    ] {
        let refused = reader.post(&format!("/start/{step}"), form).await;
        assert_eq!(refused.status, 403, "{step}");
    }
    assert!(nightbeat.by_slug("a").await.is_none());
    let list = reader.page("").await.body;
    assert!(!list.contains("/start"), "{list}");
}
