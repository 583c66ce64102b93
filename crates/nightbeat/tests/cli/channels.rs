//! channel add, list, test, delete

use serde_json::{Value, json};

use crate::support::{Server, answer, problem, text};

fn channel() -> Value {
    json!({"id": "c1", "name": "my hook", "kind": "webhook", "settings": {"url": "http://h"},
           "created_at": "2026-11-01T00:00:00Z",
           "health": {"last_sent_at": null, "last_error": null, "failing": 0}})
}

fn with_one() -> Server {
    Server::start().on(
        "GET /api/v1/channels/my%20hook",
        [answer("200 OK", &channel())],
    )
}

#[test]
fn a_channel_is_added_with_its_settings() {
    let server = Server::start().on("POST /api/v1/channels", [answer("201 Created", &channel())]);
    let run = server.run(&[
        "channel",
        "add",
        "webhook",
        "--name",
        "my hook",
        "--set",
        "url=http://h/?a=b",
        "--set",
        "headers=A: 1",
        "--set",
        "headers=B: 2",
    ]);
    assert_eq!(run.data(), "");
    assert_eq!(
        run.stderr,
        "added channel `my hook`\nhint: see whether it works: nightbeat channel test 'my hook'\n"
    );
    assert_eq!(
        server.seen()[0].json(),
        json!({"kind": "webhook", "name": "my hook",
               "settings": {"url": "http://h/?a=b", "headers": "A: 1\nB: 2"}})
    );
    server
        .run(&["channel", "add", "webhook", "--name", "x", "--set", "url"])
        .error(2);
}

#[test]
fn a_test_tells_the_receivers_real_answer() {
    let result = |ok: bool, detail: &str| {
        answer(
            "200 OK",
            &json!({"ok": ok, "detail": detail, "duration_ms": 12}),
        )
    };
    let server = with_one().on(
        "POST /api/v1/channels/my%20hook/test",
        [
            result(true, "204 No Content"),
            result(false, "503 Service Unavailable"),
        ],
    );
    let run = server.run(&["channel", "test", "my hook"]);
    assert_eq!(
        (run.data(), run.stderr.as_str()),
        ("", "sent in 12 ms: 204 No Content\n")
    );
    let run = server.run(&["channel", "test", "my hook"]);
    assert_eq!(
        run.error(1),
        "error: the test did not go through, after 12 ms: 503 Service Unavailable\n"
    );
    let run = server.run(&["channel", "test", "my hook", "--json"]);
    assert_eq!(run.code, 1);
    assert_eq!(
        serde_json::from_str::<Value>(&run.stdout).unwrap()["ok"],
        false
    );
}

#[test]
fn channels_are_listed_and_deleted() {
    let server = with_one()
        .on(
            "GET /api/v1/channels",
            [answer(
                "200 OK",
                &json!({"items": [channel()], "next_cursor": null}),
            )],
        )
        .on("DELETE /api/v1/channels/c1", [text("204 No Content", "")]);
    let run = server.run(&["channel", "list"]);
    assert!(
        run.data()
            .contains("my hook  webhook  never      not used yet"),
        "{run:?}"
    );
    server.run(&["channel", "delete", "my hook"]).error(2);
    assert!(!server.lines().iter().any(|line| line.starts_with("DELETE")));
    server
        .run(&["channel", "delete", "my hook", "--yes"])
        .data();
    let run = server.run(&["channel", "delete", "pager", "--yes"]);
    assert!(
        run.error(3)
            .starts_with("error: there is no channel `pager` in this project\n")
    );
}

#[test]
fn a_setting_that_is_refused_is_named() {
    let refusal = problem(
        "422 Unprocessable Content",
        "settings.url: is missing",
        Some("settings.url"),
    );
    let server = Server::start().on("POST /api/v1/channels", [refusal]);
    let run = server.run(&["channel", "add", "webhook", "--name", "x"]);
    assert_eq!(
        run.error(1),
        "error: settings.url: is missing\nhint: set them with --set NAME=VALUE, once for each\n"
    );
}
