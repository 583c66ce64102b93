//! Kinds of channels that an operator adds as files, and ntfy, which is one like them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::{AlertKind, Cause, Claim};
use nightbeat_notify::{Catalogue, Content, Notifier, Outgoing};
use serde_json::json;

use crate::cast::{fields, incident, message, missed, missed_number, notifier, one, test_message};
use crate::http_receiver::{OK, Receiver};

fn notifier_with(folder: &Path) -> Notifier {
    let catalogue = Catalogue::load(Some(folder)).unwrap();
    let outgoing = Outgoing {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..Outgoing::default()
    };
    Notifier::new(Arc::new(catalogue), outgoing, None).unwrap()
}

#[tokio::test]
async fn ntfy_gets_a_title_a_text_and_a_priority() {
    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[
        ("server", &receiver.url("")),
        ("topic", "my-topic"),
        ("token", "tk_1"),
    ]);
    notifier()
        .send("ntfy", &settings, &one(missed()))
        .await
        .unwrap();
    let request = receiver.request();
    assert_eq!(request.line(), "POST / HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Bearer tk_1"));
    insta::assert_json_snapshot!(request.json());
}

#[tokio::test]
async fn ntfy_without_a_token_sends_no_authorization() {
    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[("server", &receiver.url("")), ("topic", "my-topic")]);
    notifier()
        .send("ntfy", &settings, &test_message())
        .await
        .unwrap();
    let request = receiver.request();
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.json()["tags"], json!(["wave"]));
    assert_eq!(request.json()["priority"], json!(3));
}

#[tokio::test]
async fn ntfy_gets_no_more_text_than_it_takes() {
    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[("server", &receiver.url("")), ("topic", "my-topic")]);
    let many = (1..=40)
        .map(|number| {
            let mut snapshot = missed_number(number);
            snapshot.heartbeat.name = format!("{number} {}", "ü".repeat(150));
            snapshot
        })
        .collect();
    notifier()
        .send("ntfy", &settings, &message(Content::Digest(many)))
        .await
        .unwrap();
    let text = receiver.request().json()["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(text.len() <= 3_900, "{}", text.len());
    assert!(text.ends_with("…\n\nhttps://beats.example.org/"), "{text}");
}

#[tokio::test]
async fn a_services_own_pace_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let slow = "title = \"Slow\"\nhelp = \"h\"\nrate_per_minute = 2\nrate_burst = 2\n\
                [[fields]]\nname = \"url\"\ntype = \"url\"\nhelp = \"h\"\nrequired = true\n\
                [request]\nmethod = \"POST\"\nurl = \"{{field.url}}\"\nbody.text = \"{{title}}\"\n";
    std::fs::write(folder.path().join("slow.toml"), slow).unwrap();
    let receiver = Receiver::answering(OK).await;
    let notifier = notifier_with(folder.path());
    let settings = fields(&[("url", &receiver.url("/"))]);
    for _ in 0..2 {
        notifier
            .send("slow", &settings, &one(missed()))
            .await
            .unwrap();
    }
    let error = notifier
        .send("slow", &settings, &one(missed()))
        .await
        .unwrap_err();
    assert!(
        error.detail.contains("takes 2 messages a minute"),
        "{error}"
    );
    let wait = error.retry_after.unwrap();
    assert!(
        wait > Duration::ZERO && wait <= Duration::from_secs(30),
        "{wait:?}"
    );
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn a_form_a_different_request_for_one_event_and_an_answer_that_must_say_ok() {
    let folder = tempfile::tempdir().unwrap();
    let pager = r#"
        title = "Pager"
        help = "h"
        success = { status = [202, 202], contains = "\"status\":1" }
        [[fields]]
        name = "server"
        type = "url"
        required = true
        help = "h"
        [[fields]]
        name = "user"
        type = "text"
        required = true
        secret = true
        help = "h"
        [request]
        method = "POST"
        url = "{{field.server}}/{{field.user}}/raise"
        body.form = { message = "{{title}}", key = "{{incident.id}}", urgency = "{{by_event.urgency}}" }
        [on.up]
        method = "PUT"
        url = "{{field.server}}/{{field.user}}/clear"
        [by_event.urgency]
        default = 1
        down = 9
    "#;
    std::fs::write(folder.path().join("pager.toml"), pager).unwrap();
    let notifier = notifier_with(folder.path());
    let receiver =
        Receiver::answering("HTTP/1.1 202 Accepted\r\nContent-Length: 12\r\n\r\n{\"status\":1}")
            .await;
    let settings = fields(&[("server", &receiver.url("")), ("user", "a/b c")]);
    notifier
        .send("pager", &settings, &one(missed()))
        .await
        .unwrap();
    let mut up = missed();
    up.alert.kind = AlertKind::Up;
    notifier.send("pager", &settings, &one(up)).await.unwrap();
    let requests = receiver.requests();
    assert_eq!(requests[0].line(), "POST /a%2Fb%20c/raise HTTP/1.1");
    let key = incident(Cause::Missed, Claim::Down).id;
    assert_eq!(
        requests[0].body,
        format!("key={key}&message=DOWN%3A%20nightly%20backup&urgency=9")
    );
    assert_eq!(requests[1].line(), "PUT /a%2Fb%20c/clear HTTP/1.1");
    assert!(
        requests[1].body.ends_with("&urgency=1"),
        "{}",
        requests[1].body
    );

    let receiver =
        Receiver::answering("HTTP/1.1 202 Accepted\r\nContent-Length: 12\r\n\r\n{\"status\":0}")
            .await;
    let settings = fields(&[("server", &receiver.url("")), ("user", "u")]);
    let error = notifier
        .send("pager", &settings, &one(missed()))
        .await
        .unwrap_err();
    assert_eq!(
        error.detail,
        "answered 202 Accepted, but without \"\\\"status\\\":1\": {\"status\":0}"
    );
}

#[tokio::test]
async fn the_handbooks_example_of_a_file_works() {
    let handbook = include_str!("../../../../docs/channels.md");
    let (_, example) = handbook.rsplit_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pager.toml"), example).unwrap();
    let receiver =
        Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}").await;
    let settings = fields(&[("server", &receiver.url("")), ("token", "t")]);
    let mut up = missed();
    up.alert.kind = AlertKind::Up;
    let notifier = notifier_with(folder.path());
    notifier.send("pager", &settings, &one(up)).await.unwrap();
    let request = receiver.request();
    assert_eq!(request.line(), "POST /v1/alerts/clear HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Bearer t"));
    assert_eq!(request.json()["urgency"], json!(1));
}
