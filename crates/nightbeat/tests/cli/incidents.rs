//! incidents and deliveries

use serde_json::{Value, json};

use crate::support::{ID, Server, answer};

fn incident() -> Value {
    json!({"id": "i1", "heartbeat_id": ID, "heartbeat_name": "nightly backup", "cause": "missed",
           "claim": "down", "opened_at": "2026-11-22T03:30:00Z", "closed_at": null, "closing": null,
           "acknowledged_at": null, "snoozed_until": null, "text": "no success by 03:30"})
}

#[test]
fn incidents_of_all_or_of_one_heartbeat_are_listed() {
    let page = answer(
        "200 OK",
        &json!({"items": [incident()], "next_cursor": null}),
    );
    let of_one = format!("GET /api/v1/heartbeats/{ID}/incidents");
    let server = Server::start()
        .on("GET /api/v1/incidents", [page.clone()])
        .on(&of_one, [page]);
    let run = server.run(&["incidents", "--open"]);
    assert!(
        run.data()
            .contains("nightly backup  down   missed  open   i1"),
        "{run:?}"
    );
    assert_eq!(server.seen()[0].query, "open=true&limit=20");
    let json = server.run(&["incidents", "--heartbeat", ID, "--json"]);
    let printed: Value = serde_json::from_str(json.data()).unwrap();
    assert_eq!(printed, json!({"items": [incident()]}));
    assert_eq!(server.lines()[1], of_one);
}

#[test]
fn an_incident_is_acknowledged_and_snoozed() {
    let server = Server::start()
        .on(
            "POST /api/v1/incidents/i1/acknowledge",
            [answer("200 OK", &incident())],
        )
        .on(
            "POST /api/v1/incidents/i1/snooze",
            [answer("200 OK", &incident())],
        );
    let run = server.run(&["incidents", "ack", "i1"]);
    assert_eq!(
        (run.data(), run.stderr.as_str()),
        ("", "acknowledged: nightly backup\n")
    );
    let snooze = [
        "incidents",
        "snooze",
        "i1",
        "--until",
        "2099-01-01T00:00:00Z",
    ];
    let run = server.run(&snooze);
    assert!(
        run.stderr.starts_with("snoozed until 2099-01-01 00:00:00"),
        "{run:?}"
    );
    assert_eq!(
        server.seen()[1].json(),
        json!({"until": "2099-01-01T00:00:00Z"})
    );
    server
        .run(&["incidents", "snooze", "i1", "--for", "2h", "--json"])
        .data();
    assert!(
        server.seen()[2].json()["until"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
}

#[test]
fn a_snooze_needs_an_end() {
    let server = Server::start();
    server.run(&["incidents", "snooze", "i1"]).error(2);
    server
        .run(&["incidents", "snooze", "i1", "--until", "2020-01-01"])
        .error(2);
    server
        .run(&["incidents", "snooze", "i1", "--until", "soon"])
        .error(2);
    assert_eq!(server.lines(), [""; 0]);
    let run = server.run(&["incidents", "ack", "i9"]);
    assert!(
        run.error(3)
            .starts_with("error: there is no incident `i9` in this project\n")
    );
}

#[test]
fn deliveries_are_filtered() {
    let delivery = json!({"id": "d1", "event": "down", "channel_name": "ops", "state": "failing",
        "created_at": "2026-11-22T11:00:00Z", "next_try_at": "2099-01-01T00:00:00Z",
        "attempt_count": 7, "last_error": "503"});
    let page = answer("200 OK", &json!({"items": [delivery], "next_cursor": null}));
    let server = Server::start().on("GET /api/v1/deliveries", [page]);
    let run = server.run(&[
        "deliveries",
        "list",
        "--state",
        "failing",
        "--heartbeat",
        "nightly-backup",
        "--channel",
        "ops",
    ]);
    assert!(
        run.data()
            .contains("down   ops      failing  7      next try in"),
        "{run:?}"
    );
    assert_eq!(
        server.seen()[0].query,
        "state=failing&heartbeat=nightly-backup&channel=ops&limit=20"
    );
}
