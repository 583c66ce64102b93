//! What a webhook sends, and how its answers are judged.

use std::time::Duration;

use nightbeat_domain::{AlertKind, AlertSnapshot, Cause, Claim, Closing, Status};
use nightbeat_notify::{Content, Event, SendError};
use serde_json::json;

use crate::cast::{
    HEARTBEAT, at, fields, incident, message, missed, missed_number, notifier, one, test_message,
};
use crate::http_receiver::{Behaviour, OK, Receiver};

async fn failure(answer: &str) -> SendError {
    let receiver = Receiver::answering(answer).await;
    let settings = fields(&[("url", &receiver.url("/"))]);
    notifier()
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn the_default_body_is_the_documented_json() {
    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[("url", &receiver.url("/hook?a=b"))]);
    let alert = one(missed());
    let sent = notifier().send("webhook", &settings, &alert).await.unwrap();
    assert_eq!(sent.detail, "answered 200 OK: ok");
    let request = receiver.request();
    assert_eq!(request.line(), "POST /hook?a=b HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/json"));
    let delivery_id = alert.delivery_id.to_string();
    assert_eq!(
        request.header("idempotency-key"),
        Some(delivery_id.as_str())
    );
    insta::assert_json_snapshot!(request.json());
}

#[tokio::test]
async fn a_digest_lists_every_heartbeat_with_its_incident() {
    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[("url", &receiver.url("/"))]);
    let digest = message(Content::Digest(vec![missed_number(1), missed_number(2)]));
    notifier()
        .send("webhook", &settings, &digest)
        .await
        .unwrap();
    insta::assert_json_snapshot!(receiver.request().json());
}

#[tokio::test]
async fn a_test_has_neither_heartbeat_nor_incident() {
    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[("url", &receiver.url("/"))]);
    notifier()
        .send("webhook", &settings, &test_message())
        .await
        .unwrap();
    let body = receiver.request().json();
    assert_eq!(body["event"], "test");
    assert_eq!(
        (&body["heartbeat"], &body["incident"]),
        (&json!(null), &json!(null))
    );
}

#[test]
fn every_kind_of_alert_has_its_event() {
    for (kind, event) in [
        (AlertKind::Down, Event::Down),
        (AlertKind::Unverified, Event::Down),
        (AlertKind::Warning, Event::Warning),
        (AlertKind::Up, Event::Up),
        (AlertKind::Reminder, Event::Reminder),
        (AlertKind::NeverStarted, Event::Reminder),
    ] {
        assert_eq!(Event::of_alert(kind), event);
    }
    assert_eq!(Event::of(&Content::Digest(Vec::new())), Event::Digest);
}

#[tokio::test]
async fn unverified_shows_in_the_status_and_up_has_its_end() {
    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[("url", &receiver.url("/"))]);
    let mut snapshot = missed();
    snapshot.alert.kind = AlertKind::Unverified;
    snapshot.alert.status = Status::Unverified;
    notifier()
        .send("webhook", &settings, &one(snapshot))
        .await
        .unwrap();
    let body = receiver.request().json();
    assert_eq!(
        (&body["event"], &body["heartbeat"]["status"]),
        (&json!("down"), &json!("unverified"))
    );

    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[("url", &receiver.url("/"))]);
    let mut snapshot = missed();
    snapshot.alert.kind = AlertKind::Up;
    snapshot.alert.status = Status::Up;
    snapshot.alert.closing = Some(Closing::Success);
    let mut closed = incident(Cause::Missed, Claim::Down);
    closed.closed_at = Some(at("2026-11-22 05:18"));
    snapshot.alert.incident = Some(closed);
    notifier()
        .send("webhook", &settings, &one(snapshot))
        .await
        .unwrap();
    let body = receiver.request().json();
    assert_eq!(body["event"], "up");
    assert_eq!(body["incident"]["closed_at"], "2026-11-22T05:18:00Z");
}

#[tokio::test]
async fn ones_own_method_headers_and_body_are_filled_in() {
    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[
        ("url", &receiver.url("/{{heartbeat.slug}}?title={{title}}")),
        ("method", "PUT"),
        ("headers", "Authorization: Bearer abc\nX-Event: {{event}}"),
        (
            "body",
            r#"{"text": "{{title}} \"quoted\"", "tags": "{{heartbeat.tags}}", "n": 1}"#,
        ),
    ]);
    let mut snapshot = missed();
    snapshot.heartbeat.name = "a \"b\" & c\\".to_owned();
    notifier()
        .send("webhook", &settings, &one(snapshot))
        .await
        .unwrap();
    let request = receiver.request();
    assert_eq!(
        request.line(),
        "PUT /nightly-backup?title=DOWN%3A%20a%20%22b%22%20%26%20c%5C HTTP/1.1"
    );
    assert_eq!(request.header("authorization"), Some("Bearer abc"));
    assert_eq!(request.header("x-event"), Some("down"));
    assert_eq!(
        request.json(),
        json!({"text": "DOWN: a \"b\" & c\\ \"quoted\"", "tags": ["prod", "nas"], "n": 1})
    );
}

#[tokio::test]
async fn a_content_type_decides_how_a_body_is_written() {
    for (content_type, body, sent) in [
        ("text/plain", "{{title}}!", "DOWN: nightly backup!"),
        (
            "application/x-www-form-urlencoded",
            "t={{title}}&x=1",
            "t=DOWN%3A%20nightly%20backup&x=1",
        ),
        ("application/vnd.x+json", r#"["{{event}}"]"#, r#"["down"]"#),
    ] {
        let receiver = Receiver::answering(OK).await;
        let headers = format!("Content-Type: {content_type}");
        let settings = fields(&[
            ("url", &receiver.url("/")),
            ("headers", &headers),
            ("body", body),
        ]);
        notifier()
            .send("webhook", &settings, &one(missed()))
            .await
            .unwrap();
        assert_eq!(
            receiver.request().header("content-type"),
            Some(content_type)
        );
        assert_eq!(receiver.request().body, sent);
    }
}

#[tokio::test]
async fn get_sends_no_body() {
    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[("url", &receiver.url("/")), ("method", "GET")]);
    notifier()
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap();
    let request = receiver.request();
    assert_eq!(request.line(), "GET / HTTP/1.1");
    assert_eq!(
        (request.body.as_str(), request.header("content-type")),
        ("", None)
    );
}

#[tokio::test]
async fn a_value_with_a_line_break_cannot_make_a_header() {
    let receiver = Receiver::answering(OK).await;
    let settings = fields(&[("url", &receiver.url("/")), ("headers", "X-Text: {{text}}")]);
    let error = notifier()
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap_err();
    assert!(
        error.refused && error.detail.contains("line break"),
        "{error}"
    );
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn the_signal_url_is_in_no_text_that_a_person_reads() {
    let receiver = Receiver::answering(OK).await;
    let body = r#"["{{title}}", "{{text}}", "{{link}}", "{{incident.text}}", "{{heartbeat.name}}", "{{heartbeat.url}}"]"#;
    let settings = fields(&[("url", &receiver.url("/")), ("body", body)]);
    let mut snapshot: AlertSnapshot = missed();
    snapshot.heartbeat.name = format!("see https://h/api/heartbeat/{HEARTBEAT}/fail");
    snapshot.output_tail = Some(format!(
        "curl: (22) https://h/ping/{}\n",
        HEARTBEAT.to_uppercase()
    ));
    notifier()
        .send("webhook", &settings, &one(snapshot))
        .await
        .unwrap();
    let sent = receiver.request().body.to_lowercase();
    assert!(!sent.contains("0123456789ab"), "{sent}");
    assert!(sent.contains("/api/heartbeat/[hidden]/fail"), "{sent}");
}

#[tokio::test]
async fn an_error_is_told_with_the_beginning_of_its_answer() {
    let long = "x".repeat(500);
    let error = failure(&format!(
        "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: 507\r\n\r\nno\x1b[1m \r\n{long}"
    ))
    .await;
    let begins = "answered 500 Internal Server Error: no xxxx";
    assert!(error.detail.starts_with(begins), "{error}");
    assert_eq!(error.detail.chars().filter(|c| *c == 'x').count(), 197);
    assert_eq!((error.retry_after, error.refused), (None, false));
}

#[tokio::test]
async fn a_body_that_is_not_text_is_not_shown() {
    let error = failure(
        "HTTP/1.1 404 Not Found\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\nPNG",
    )
    .await;
    assert_eq!(error.detail, "answered 404 Not Found");
}

#[tokio::test]
async fn the_wait_that_a_receiver_asks_for_is_honoured_up_to_an_hour() {
    for (headers, seconds) in [
        ("Retry-After: 120", 120),
        ("Retry-After: 86400", 3_600),
        ("Retry-After: 99999999999999999999999", 3_600),
        ("Retry-After: Sun, 22 Nov 2026 03:09:01 GMT", 300),
        (
            "Date: Sun, 22 Nov 2026 10:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 10:00:30 GMT",
            30,
        ),
        ("Retry-After: Sun, 22 Nov 2020 03:09:01 GMT", 0),
    ] {
        let answer =
            format!("HTTP/1.1 429 Too Many Requests\r\n{headers}\r\nContent-Length: 0\r\n\r\n");
        let error = failure(&answer).await;
        assert_eq!(
            error.retry_after,
            Some(Duration::from_secs(seconds)),
            "{headers}"
        );
        assert_eq!(error.detail, "answered 429 Too Many Requests");
    }
    let error =
        failure("HTTP/1.1 503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(error.retry_after, None);
}

#[tokio::test]
async fn a_reset_and_a_refused_connection_are_failures() {
    let receiver = Receiver::start(Behaviour::Reset).await;
    let settings = fields(&[("url", &receiver.url("/secret-token"))]);
    let error = notifier()
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap_err();
    assert!(
        !error.refused && !error.detail.contains("secret-token"),
        "{error}"
    );

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let settings = fields(&[("url", &format!("http://127.0.0.1:{port}/secret-token"))]);
    let error = notifier()
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap_err();
    assert!(
        error.detail.starts_with(&format!(
            "cannot connect to 127.0.0.1:{port}: Connection refused"
        )),
        "{error}"
    );
}

#[tokio::test]
async fn an_endless_answer_is_read_up_to_its_limit() {
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n{}",
        "y".repeat(70_000)
    );
    let receiver = Receiver::start(Behaviour::AnswerAndHang(answer)).await;
    let settings = fields(&[("url", &receiver.url("/"))]);
    let sent = notifier()
        .send("webhook", &settings, &one(missed()))
        .await
        .unwrap();
    assert!(
        sent.detail.starts_with("answered 200 OK: yyy"),
        "{}",
        sent.detail
    );
}
