//! ping: quiet when all is well, patient when not, and never recorded twice.

use serde_json::json;

use crate::support::{ID, Server, answer, heartbeat, nobody, run, text};

/// Four waits that cost no time.
const NO_WAITS: &str = "0s,0s,0s,0s";

fn path(tail: &str) -> String {
    format!("POST /api/heartbeat/{ID}{tail}")
}

fn nonce(query: &str) -> String {
    let mut pairs = query.split('&');
    let nonce = pairs.find_map(|pair| pair.strip_prefix("nonce="));
    nonce.unwrap().to_owned()
}

#[test]
fn a_ping_by_id_needs_no_key_and_says_nothing() {
    let server = Server::start().on(&path(""), [text("200 OK", "OK")]);
    let run = run(&["ping", ID], &[("NIGHTBEAT_URL", &server.url())], "");
    assert_eq!((run.data(), run.stderr.as_str()), ("", ""));
    let seen = &server.seen()[0];
    assert!(
        !seen
            .headers
            .iter()
            .any(|line| line.starts_with("x-api-key"))
    );
    assert_eq!(nonce(&seen.query).len(), 36);
}

#[test]
fn a_ping_is_tried_again_with_the_same_nonce() {
    let busy = text("503 Service Unavailable", "").with("Retry-After: 0");
    let server = Server::start().on(&path(""), [busy.clone(), busy, text("200 OK", "OK")]);
    let run = server.run(&["ping", ID, "--retry-waits", NO_WAITS]);
    assert_eq!((run.data(), run.stderr.as_str()), ("", ""));
    let nonces: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| nonce(&seen.query))
        .collect();
    assert_eq!(nonces.len(), 3);
    assert!(nonces.iter().all(|nonce| *nonce == nonces[0]), "{nonces:?}");
}

#[test]
fn two_pings_have_two_nonces() {
    let server = Server::start().on(&path(""), [text("200 OK", "OK")]);
    server.run(&["ping", ID]).data();
    server.run(&["ping", ID]).data();
    server.run(&["ping", ID, "--nonce", "mine"]).data();
    let nonces: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| nonce(&seen.query))
        .collect();
    assert_ne!(nonces[0], nonces[1]);
    assert_eq!(nonces[2], "mine");
}

#[test]
fn with_verbose_it_tells_each_try() {
    let server = Server::start().on(
        &path(""),
        [
            text("429 Too Many Requests", "slow down"),
            text("200 OK", "OK"),
        ],
    );
    let run = server.run(&["ping", ID, "--retry-waits", NO_WAITS, "--verbose"]);
    assert_eq!(run.data(), "");
    assert_eq!(
        run.stderr,
        format!(
            "{} did not take the signal, tried once: 429 Too Many Requests (slow down); \
             next try in 0.0 s\nrecorded, tries: 2\n",
            server.url()
        )
    );
}

#[test]
fn it_gives_up_after_five_tries() {
    let server = Server::start().on(&path(""), [text("503 Service Unavailable", "")]);
    let run = server.run(&["ping", ID, "--retry-waits", NO_WAITS]);
    assert!(
        run.error(1)
            .contains("tried 5 times: 503 Service Unavailable")
    );
    assert_eq!(server.seen().len(), 5);

    let dead = nobody();
    let run = crate::support::run(
        &["ping", ID, "--retry-waits", NO_WAITS],
        &[("NIGHTBEAT_URL", &dead)],
        "",
    );
    let stderr = run.error(4);
    assert!(
        stderr.contains("tried 5 times: Connection refused"),
        "{stderr}"
    );
}

#[test]
fn a_retry_after_beyond_the_deadline_is_not_waited_for() {
    let busy = text("503 Service Unavailable", "").with("Retry-After: 3600");
    let server = Server::start().on(&path(""), [busy]);
    let run = server.run(&["ping", ID, "--retry-waits", NO_WAITS]);
    assert!(run.error(1).contains("tried once"));
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_server_that_never_answers_does_not_hold_the_job_up() {
    // The connection is accepted by the kernel, and then nothing happens.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let run = run(
        &["ping", ID, "--timeout", "1s"],
        &[("NIGHTBEAT_URL", &url)],
        "",
    );
    assert!(run.error(4).contains("tried once: no answer in time"));
}

#[test]
fn what_will_not_change_is_not_tried_again() {
    let server = Server::start().on(
        &path("/fail"),
        [text("400 Bad Request", "invalid uuid format")],
    );
    let gone = server.run(&["ping", ID, "--retry-waits", NO_WAITS]);
    let stderr = gone.error(3);
    assert!(stderr.starts_with("error: no heartbeat has this address on http://127.0.0.1:"));
    assert!(!stderr.contains(ID), "the id is a secret: {stderr}");
    let bad = server.run(&["ping", ID, "--fail"]);
    assert!(
        bad.error(1)
            .contains("refused the signal: 400 Bad Request (invalid uuid format)")
    );
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn all_that_a_signal_can_carry_is_sent() {
    let server = Server::start().on(&path("/3"), [text("200 OK", "OK")]);
    let rid = "0b9f6b1e-8f0a-4a62-9a7e-111111111111";
    let run = server.run_with(
        &[
            "ping",
            ID,
            "--exit-code",
            "3",
            "--rid",
            rid,
            "--metric",
            "rows=12",
            "--metric",
            "ratio=0.5",
            "--at",
            "2026-11-22T03:00:00+01:00",
            "--nonce",
            "n",
            "--body",
            "-",
        ],
        &[],
        "line 1\nline 2\n",
    );
    run.data();
    let seen = &server.seen()[0];
    assert_eq!(
        seen.query,
        format!("nonce=n&rid={rid}&at=2026-11-22T02%3A00%3A00Z&m.rows=12&m.ratio=0.5")
    );
    assert_eq!(seen.body, "line 1\nline 2\n");
    server.run(&["ping", ID, "--exit-code", "256"]).error(2);
    server.run(&["ping", ID, "--start", "--fail"]).error(2);
    server.run(&["ping", ID, "--metric", "rows=many"]).error(2);
}

#[test]
fn a_slug_is_addressed_with_the_ping_key() {
    let server = Server::start().on(
        "POST /api/heartbeat/pk/nightly-backup/start",
        [text("200 OK", "OK")],
    );
    let run = run(
        &["ping", "nightly-backup", "--start"],
        &[
            ("NIGHTBEAT_URL", &server.url()),
            ("NIGHTBEAT_PING_KEY", "pk"),
        ],
        "",
    );
    run.data();
}

#[test]
fn without_a_ping_key_a_slug_is_looked_up_and_that_is_tried_again_too() {
    let look_up = "GET /api/v1/heartbeats/nightly-backup";
    let server = Server::start()
        .on(
            look_up,
            [
                text("503 Service Unavailable", ""),
                answer("200 OK", &heartbeat()),
            ],
        )
        .on(
            &path(""),
            [text("503 Service Unavailable", ""), text("200 OK", "OK")],
        );
    server
        .run(&["ping", "nightly-backup", "--retry-waits", NO_WAITS])
        .data();
    assert_eq!(server.lines(), [look_up, look_up, &path(""), &path("")]);

    let unknown = server.run(&["ping", "nope"]);
    unknown.error(3);
    let no_key = run(
        &["ping", "nightly-backup"],
        &[("NIGHTBEAT_URL", &server.url())],
        "",
    );
    assert!(no_key.error(5).contains("NIGHTBEAT_PING_KEY is enough"));
}

#[test]
fn a_read_only_key_does_not_open_a_slug() {
    let mut hidden = heartbeat();
    hidden["id"] = json!(null);
    hidden["ping_url"] = json!(null);
    let server = Server::start().on(
        "GET /api/v1/heartbeats/nightly-backup",
        [answer("200 OK", &hidden)],
    );
    let run = server.run(&["ping", "nightly-backup"]);
    assert!(run.error(5).contains("read-only"));
}

#[test]
fn a_whole_url_needs_nothing_else() {
    let server = Server::start().on("POST /beats/ping/pk/slug/log", [text("200 OK", "OK")]);
    let url = format!("{}/beats/ping/pk/slug?create=1", server.url());
    run(
        &["ping", &url, "--log", "--body", "-x", "--nonce", "n"],
        &[],
        "",
    )
    .data();
    let seen = &server.seen()[0];
    assert_eq!(
        (seen.query.as_str(), seen.body.as_str()),
        ("create=1&nonce=n", "-x")
    );
}
