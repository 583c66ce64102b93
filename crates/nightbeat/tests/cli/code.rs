//! apply and import where the server does not go along

use serde_json::{Value, json};

use crate::support::{Answer, Server, answer, heartbeat, problem, run_at, text};

fn list(items: &[Value]) -> Answer {
    answer("200 OK", &json!({"items": items, "next_cursor": null}))
}

/// A project with these heartbeats.
fn project(heartbeats: &[Value]) -> Server {
    let project = json!({"name": "Home", "ping_key": "k", "fallback_channel": null});
    Server::start()
        .on("GET /api/v1/project", [answer("200 OK", &project)])
        .on("GET /api/v1/channel-kinds", [list(&[])])
        .on("GET /api/v1/channels", [list(&[])])
        .on("GET /api/v1/heartbeats", [list(heartbeats)])
        .on("GET /api/v1/maintenance", [list(&[])])
}

fn apply(server: &Server, file: &str) -> crate::support::Run {
    server.run_with(&["apply", "-"], &[], file)
}

#[test]
fn what_breaks_off_says_how_far_it_came() {
    let away = problem("503 Service Unavailable", "it cannot be stored now", None);
    let server = project(&[]).on(
        "POST /api/v1/heartbeats",
        [
            answer("201 Created", &heartbeat()),
            away.with("Retry-After: 5"),
        ],
    );
    let run = apply(&server, "[heartbeats.a]\n[heartbeats.b]\n[heartbeats.c]\n");
    assert_eq!(run.code, 1);
    assert_eq!(
        run.stdout,
        "+ heartbeat a\n+ heartbeat b\n+ heartbeat c\n= 0 unchanged\n"
    );
    assert_eq!(
        run.stderr,
        "error: heartbeat b: it cannot be stored now\nhint: try again in 5 s\n\
         hint: 1 of 3 changes are made; the same command goes on from here\n"
    );
}

#[test]
fn a_server_that_is_asked_too_fast_is_waited_for() {
    let busy = || problem("429 Too Many Requests", "too fast", None).with("Retry-After: 1");
    let server = project(&[]).on(
        "POST /api/v1/heartbeats",
        [busy(), answer("201 Created", &heartbeat())],
    );
    let run = apply(&server, "[heartbeats.a]\n");
    assert_eq!(run.data(), "+ heartbeat a\n= 0 unchanged\n");
    let posts = server.lines();
    let posts = posts.iter().filter(|line| line.starts_with("POST"));
    assert_eq!(posts.count(), 2);
}

#[test]
fn a_change_names_only_what_changes() {
    let server = project(&[heartbeat()]).on(
        "PATCH /api/v1/heartbeats/4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b",
        [answer("200 OK", &heartbeat())],
    );
    let file = "[heartbeats.nightly-backup]\nname = 'nightly backup'\ntags = ['prod']\nevery = '1d'\n\
        grace = '2h'\n";
    let run = apply(&server, file);
    assert!(
        run.data().starts_with("~ heartbeat nightly-backup\n"),
        "{run:?}"
    );
    let sent = server.seen();
    let sent = sent.last().unwrap().json();
    // The answer of this server is old: it has no words at all.
    assert_eq!(sent["grace"], 7200);
    assert_eq!(sent.get("tags"), None);
    assert_eq!(sent["warning_codes"], json!([]));
}

#[test]
fn a_file_with_mistakes_asks_no_server() {
    let server = Server::start();
    let run = apply(&server, "[heartbeats.a]\ngrase = 1\n");
    assert!(
        run.error(5)
            .starts_with("error: -:2: `grase` is not known here")
    );
    assert_eq!(server.lines(), [""; 0]);
}

#[test]
fn strange_answers_of_a_stranger_are_told() {
    let home = tempfile::tempdir().unwrap();
    let stranger = |answered: Answer| {
        let server = Server::start().on("GET /api/v3/checks/", [answered]);
        let url = server.url();
        let key = "x".repeat(32);
        let words = ["import", "healthchecks", "--url", &url, "--api-key", &key];
        let variables = [("NIGHTBEAT_API_KEY", "k")];
        run_at(home.path(), &words, &variables, "")
    };
    for (answered, code, says) in [
        (
            text("200 OK", "<html>"),
            1,
            "does not answer as a Healthchecks server does",
        ),
        (
            text("200 OK", "{\"checks\": 3}"),
            1,
            "does not answer as a Healthchecks server does",
        ),
        (
            text("404 Not Found", "nothing"),
            3,
            "answered 404 Not Found",
        ),
        (text("500 Internal Server Error", ""), 1, "answered 500"),
        (
            text("301 Moved Permanently", "").with("Location: https://elsewhere.example/"),
            1,
            "redirects to https://elsewhere.example/",
        ),
    ] {
        let run = stranger(answered);
        assert!(run.error(code).contains(says), "{run:?}");
    }
}
