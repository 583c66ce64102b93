//! create, list, show, edit, pause, resume, delete, log

use serde_json::{Value, json};

use crate::support::{Answer, ID, Server, answer, heartbeat, text};

const LIST: &str = "GET /api/v1/heartbeats";

fn page(items: &[Value], next: Option<&str>) -> Answer {
    answer("200 OK", &json!({"items": items, "next_cursor": next}))
}

fn with_one() -> Server {
    Server::start()
        .on(
            "GET /api/v1/heartbeats/nightly-backup",
            [answer("200 OK", &heartbeat())],
        )
        .on("GET /api/v1/channels", [page(&[channel()], None)])
}

fn channel() -> Value {
    json!({"id": "c1", "name": "ops", "kind": "email", "settings": {}, "created_at": "2026-11-01T00:00:00Z"})
}

#[test]
fn create_prints_the_line_to_paste_and_nothing_else() {
    let server = with_one().on(
        "POST /api/v1/heartbeats",
        [answer("201 Created", &heartbeat())],
    );
    let run = server.run(&[
        "create",
        "nightly backup",
        "--every",
        "1d",
        "--grace",
        "90m",
        "--tag",
        "prod",
        "--max-run",
        "3h",
        "--channel",
        "ops",
        "--warning-code",
        "3",
    ]);
    assert_eq!(
        run.data(),
        format!("curl -fsS -m 10 --retry 5 http://beats.example/api/heartbeat/{ID} > /dev/null\n")
    );
    assert_eq!(
        run.stderr,
        "created `nightly-backup`: every 1 d, grace 90 min\nput this line at the end of the job:\n"
    );
    assert_eq!(
        server.seen().pop().unwrap().json(),
        json!({
            "name": "nightly backup", "schedule": {"every": 86400}, "grace": 5400, "tags": ["prod"],
            "max_run_time": 10800, "channels": ["c1"], "warning_codes": [3]
        })
    );
}

#[test]
fn create_warns_when_nobody_would_be_told() {
    let server = Server::start()
        .on("GET /api/v1/channels", [page(&[], None)])
        .on(
            "POST /api/v1/heartbeats",
            [answer("201 Created", &heartbeat())],
        );
    let run = server.run(&["create", "x"]);
    assert!(
        run.stderr.contains("hint: nobody would be told yet"),
        "{run:?}"
    );
}

#[test]
fn create_can_print_the_servers_own_json() {
    let raw = r#"{"slug":"x", "id":"i","name":"x","status":"new","mood":"hopeful"}"#;
    let server = with_one().on("POST /api/v1/heartbeats", [text("201 Created", raw)]);
    let run = server.run(&["create", "x", "--json"]);
    assert_eq!(run.data(), format!("{raw}\n"));
    assert_eq!(run.stderr, "");
}

#[test]
fn an_unknown_channel_is_found_out_before_anything_is_made() {
    let server = with_one();
    let run = server.run(&["create", "x", "--channel", "pager"]);
    assert_eq!(
        run.error(3),
        "error: no channel is called `pager`\nhint: there are: ops\n"
    );
    assert_eq!(server.lines(), ["GET /api/v1/channels"]);
}

#[test]
fn list_follows_the_cursors_and_keeps_what_it_does_not_know() {
    let second = json!({"id": "2", "name": "second", "status": "down"});
    let server = Server::start().on(
        LIST,
        [
            page(&[heartbeat()], Some("c 1")),
            page(std::slice::from_ref(&second), None),
        ],
    );
    let run = server.run(&[
        "list", "--json", "--tag", "a", "--tag", "b", "--status", "up",
    ]);
    let printed: Value = serde_json::from_str(run.data()).unwrap();
    assert_eq!(printed, json!({"items": [heartbeat(), second]}));
    let queries: Vec<String> = server.seen().into_iter().map(|seen| seen.query).collect();
    assert_eq!(
        queries,
        [
            "tag=a&tag=b&status=up&limit=100",
            "tag=a&tag=b&status=up&limit=100&cursor=c+1"
        ]
    );
}

#[test]
fn list_stops_at_its_limit() {
    let server = Server::start().on(LIST, [page(&[heartbeat()], Some("more"))]);
    let run = server.run(&["list", "--json", "--limit", "1"]);
    assert_eq!(
        run.data(),
        json!({"items": [heartbeat()]}).to_string() + "\n"
    );
    assert_eq!(server.seen()[0].query, "limit=1");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_cursor_that_leads_nowhere_is_not_followed_for_ever() {
    let server = Server::start().on(LIST, [page(&[heartbeat()], Some("again"))]);
    assert!(server.run(&["list"]).error(1).contains("the same page"));
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn list_is_a_table_without_colour_where_nobody_looks() {
    let server = Server::start().on(LIST, [page(&[heartbeat()], None)]);
    let run = server.run(&["list"]);
    let lines: Vec<&str> = run.data().lines().collect();
    assert!(
        lines[0].starts_with("NAME            STATUS  SCHEDULE   LAST SIGNAL"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("nightly backup  up      every 1 d"),
        "{lines:?}"
    );
    assert!(!run.stdout.contains('\u{1b}'));
}

#[test]
fn an_empty_list_is_no_data() {
    let server = Server::start().on(LIST, [page(&[], None)]);
    let run = server.run(&["list"]);
    assert_eq!(run.data(), "");
    assert!(run.stderr.contains("hint: make one: nightbeat create"));
}

#[test]
fn show_is_a_card_with_the_open_incident_and_names_of_channels() {
    let mut down = heartbeat();
    down["status"] = json!("down");
    down["incident_id"] = json!("i1");
    down["channels"] = json!(["c1"]);
    let text = "runs take 12–41 min; grace 90 min is comfortable";
    down["grace_suggestion"] = json!({"grace": down["grace"], "shortest_run": 720.0,
        "longest_run": 2460.0, "latest": 2460.0, "runs": 30, "text": text});
    let incident = json!({"id": "i1", "cause": "missed", "claim": "down",
                          "opened_at": "2026-11-22T03:30:00Z", "text": "no success by 03:30"});
    let server = Server::start()
        .on(
            "GET /api/v1/heartbeats/nightly-backup",
            [answer("200 OK", &down)],
        )
        .on("GET /api/v1/incidents/i1", [answer("200 OK", &incident)])
        .on("GET /api/v1/channels", [page(&[channel()], None)]);
    let run = server.run(&["show", "nightly-backup"]);
    let card = run.data();
    assert!(
        card.starts_with("nightly backup  down\n  incident      missed (down) since"),
        "{card}"
    );
    assert!(card.contains("\n  channels      ops\n"));
    assert!(
        card.contains(&format!("\n  observed      {text}\n")),
        "{card}"
    );
    let json = server.run(&["show", "nightly-backup", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(json.data()).unwrap(), down);
}

#[test]
fn what_is_not_there_is_named() {
    let server = Server::start();
    for command in [
        &["show", "nope"][..],
        &["edit", "nope", "--grace", "1h"],
        &["pause", "nope"],
        &["resume", "nope"],
        &["delete", "nope", "--yes"],
        &["log", "nope"],
    ] {
        let run = server.run(command);
        assert_eq!(
            run.error(3),
            "error: there is no heartbeat `nope` in this project\nhint: `nightbeat list` shows them\n",
            "{command:?}"
        );
    }
}

#[test]
fn edit_sends_only_what_is_given() {
    let server = with_one().on(
        "PATCH /api/v1/heartbeats/nightly-backup",
        [answer("200 OK", &heartbeat())],
    );
    let run = server.run(&[
        "edit",
        "nightly-backup",
        "--name",
        "new",
        "--repeat-after",
        "none",
        "--post-only=false",
    ]);
    assert_eq!(
        (run.data(), run.stderr.as_str()),
        ("", "changed `nightly-backup`: every 1 d, grace 90 min\n")
    );
    assert_eq!(server.lines(), ["PATCH /api/v1/heartbeats/nightly-backup"]);
    assert_eq!(
        server.seen()[0].json(),
        json!({"name": "new", "repeat_after": null, "post_only": false})
    );
    assert!(
        server
            .run(&["edit", "nightly-backup"])
            .error(2)
            .contains("nothing to change")
    );
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn edit_keeps_the_zone_beside_a_new_expression_and_the_expression_beside_a_new_zone() {
    let with = |expression: &str, zone: &str| {
        let mut heartbeat = heartbeat();
        heartbeat["schedule"] = json!({"cron": expression, "timezone": zone});
        answer("200 OK", &heartbeat)
    };
    let server = Server::start()
        .on(
            "GET /api/v1/heartbeats/nightly-backup",
            [with("0 3 * * *", "Europe/Madrid")],
        )
        .on(
            "PATCH /api/v1/heartbeats/nightly-backup",
            [
                with("0 4 * * *", "Europe/Madrid"),
                with("0 3 * * *", "Europe/Lisbon"),
            ],
        );
    let run = server.run(&["edit", "nightly-backup", "--cron", "0 4 * * *"]);
    assert_eq!(
        (run.data(), run.stderr.as_str()),
        (
            "",
            "changed `nightly-backup`: cron 0 4 * * * (Europe/Madrid), grace 90 min\n"
        )
    );
    server
        .run(&["edit", "nightly-backup", "--tz", "Europe/Lisbon"])
        .data();
    let seen = server.seen();
    let sent = [1, 3].map(|number| seen[number].json()["schedule"].clone());
    assert_eq!(
        sent,
        [
            json!({"cron": "0 4 * * *", "timezone": "Europe/Madrid"}),
            json!({"cron": "0 3 * * *", "timezone": "Europe/Lisbon"})
        ]
    );
}

#[test]
fn who_makes_a_heartbeat_that_expects_nothing_is_told() {
    let mut over = heartbeat();
    over["schedule"] = json!({"calendar": "2020-01-01", "timezone": "UTC"});
    over["expected_at"] = Value::Null;
    let server = with_one().on(
        "POST /api/v1/heartbeats",
        [
            answer("201 Created", &over),
            answer("201 Created", &heartbeat()),
        ],
    );
    let warned = |run: &crate::support::Run| run.stderr.contains("still to come");
    assert!(warned(&server.run(&[
        "create",
        "x",
        "--calendar",
        "2020-01-01"
    ])));
    assert!(!warned(&server.run(&["create", "x"])));
}

#[test]
fn pause_and_resume_take_a_slug_or_an_id() {
    let pause = "POST /api/v1/heartbeats/nightly-backup/pause";
    let resume = format!("POST /api/v1/heartbeats/{ID}/resume");
    let server = with_one()
        .on(pause, [answer("200 OK", &heartbeat())])
        .on(&resume, [answer("200 OK", &heartbeat())]);
    assert_eq!(server.run(&["pause", "nightly-backup"]).data(), "");
    server.run(&["resume", ID]).data();
    assert_eq!(server.lines(), [pause, &resume]);
}

#[test]
fn delete_needs_a_yes_where_nobody_can_be_asked() {
    let delete = "DELETE /api/v1/heartbeats/nightly-backup";
    let server = with_one().on(delete, [text("204 No Content", "")]);
    let refused = server.run(&["delete", "nightly-backup"]);
    assert_eq!(
        refused.error(2),
        "error: heartbeat `nightly-backup` and its history would be deleted for good\n\
         hint: say --yes where nobody can be asked\n"
    );
    assert!(!server.lines().iter().any(|line| line == delete));
    server.run(&["delete", "nightly-backup", "--yes"]).data();
    assert!(server.lines().iter().any(|line| line == delete));
}

#[test]
fn log_shows_signals_and_says_when_there_are_more() {
    let signals = json!([
        {"id": 2, "kind": "fail", "at": "2026-11-22T02:00:00Z", "received_at": "2026-11-22T02:00:00Z",
         "exit_code": 23, "source": "10.0.0.7", "metrics": {}, "body_bytes": 9, "body": "disk full\n"},
        {"id": 1, "kind": "start", "at": "2026-11-22T01:00:00Z", "received_at": "2026-11-22T01:00:00Z",
         "metrics": {}, "body_bytes": 0, "body": ""}
    ]);
    let path = "GET /api/v1/heartbeats/nightly-backup/signals";
    let server = with_one().on(path, [page(signals.as_array().unwrap(), Some("more"))]);
    let run = server.run(&["log", "nightly-backup", "--limit", "2"]);
    let lines: Vec<&str> = run.data().lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines[1].contains("fail (exit 23)  10.0.0.7  disk full"),
        "{lines:?}"
    );
    assert_eq!(run.stderr, "hint: there are more; --limit N shows them\n");
    let json = server.run(&["log", "nightly-backup", "--limit", "2", "--json"]);
    assert_eq!(
        serde_json::from_str::<Value>(json.data()).unwrap(),
        json!({"items": signals})
    );
}
