//! The client commands against the real server, started as a person starts it.

use std::process::Command;

use nightbeat_testkit::{Binary, Receiver, Setup};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Run, run_at};

/// A server with a project, and a person with its keys.
struct Nightbeat {
    server: Binary,
    home: TempDir,
    keys: Value,
}

impl Nightbeat {
    async fn start() -> Self {
        let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).with("log.format", "json");
        let keys = setup.run(&["init", "--email", "ana@example.org", "--json"]);
        Self {
            server: setup.start().await,
            home: TempDir::new().unwrap(),
            keys: serde_json::from_str(&keys).unwrap(),
        }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.run_as("api_key", arguments)
    }

    fn run_as(&self, key: &str, arguments: &[&str]) -> Run {
        let url = format!("http://{}", self.server.address());
        let key = self.keys[key].as_str().unwrap();
        let environment = [("NIGHTBEAT_URL", url.as_str()), ("NIGHTBEAT_API_KEY", key)];
        run_at(self.home.path(), arguments, &environment, "")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(run.data()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_heartbeat_lives_from_create_to_delete() {
    let nightbeat = Nightbeat::start().await;
    let create = [
        "create",
        "nightly backup",
        "--every",
        "1d",
        "--grace",
        "90m",
    ];
    let made = nightbeat.run(&create);
    assert!(
        made.data().starts_with("curl -fsS -m 10 --retry 5 http://"),
        "{made:?}"
    );
    assert!(
        made.stderr
            .contains("created `nightly-backup`: every 1 d, grace 90 min\n")
    );

    nightbeat
        .run(&["edit", "nightly-backup", "--max-run", "3h", "--tag", "prod"])
        .data();
    let heartbeat = nightbeat.json(&["show", "nightly-backup"]);
    assert_eq!(heartbeat["max_run_time"], 10_800);
    assert_eq!(heartbeat["tags"][0], "prod");
    assert_eq!(heartbeat["grace"], 5_400);

    let list = nightbeat.run(&["list", "--tag", "prod"]);
    assert!(
        list.data()
            .contains("nightly backup  new     every 1 d  never"),
        "{list:?}"
    );
    assert_eq!(nightbeat.run(&["list", "--tag", "other"]).data(), "");

    nightbeat.run(&["pause", "nightly-backup"]).data();
    assert_eq!(
        nightbeat.json(&["show", "nightly-backup"])["status"],
        "paused"
    );
    nightbeat.run(&["resume", "nightly-backup"]).data();
    nightbeat.run(&["delete", "nightly-backup", "--yes"]).data();
    nightbeat.run(&["show", "nightly-backup"]).error(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_ping_is_recorded_once_with_all_it_carries() {
    let nightbeat = Nightbeat::start().await;
    let id = nightbeat.json(&["create", "backup"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let ping = [
        "ping", "backup", "--metric", "rows=12", "--body", "all well", "--nonce", "n",
    ];
    nightbeat.run(&ping).data();
    nightbeat.run(&ping).data();
    let log = nightbeat.json(&["log", "backup"]);
    let items = log["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "the same nonce is recorded once: {log}");
    assert_eq!(items[0]["kind"], "success");
    assert_eq!(items[0]["metrics"]["rows"], 12.0);
    assert_eq!(items[0]["body"], "all well");
    let show = nightbeat.run(&["show", "backup"]);
    assert!(show.data().starts_with("backup  up\n"), "{show:?}");

    nightbeat.run(&["ping", &id, "--exit-code", "3"]).data();
    let log = nightbeat.run(&["log", "backup"]);
    assert!(
        log.data().lines().nth(1).unwrap().contains("fail (exit 3)"),
        "{log:?}"
    );
    let incidents = nightbeat.json(&["incidents", "--open"]);
    let incident = incidents["items"][0]["id"].as_str().unwrap();
    nightbeat.run(&["incidents", "ack", incident]).data();
    nightbeat
        .run(&["incidents", "snooze", incident, "--for", "2h"])
        .data();
    let shown = nightbeat.run(&["incidents"]);
    assert!(
        shown
            .data()
            .contains("backup     down   failed  snoozed until"),
        "{shown:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_no_of_the_real_server_is_understood() {
    let nightbeat = Nightbeat::start().await;
    let refused = nightbeat.run(&["create", "x", "--grace", "0"]);
    let stderr = refused.error(1);
    assert!(
        stderr.starts_with("error: grace: 0 seconds is outside"),
        "{stderr}"
    );
    assert!(stderr.contains("\nhint: set it with --grace"), "{stderr}");
    assert!(
        nightbeat
            .run_as("read_only_key", &["create", "x"])
            .error(1)
            .contains("read-write API key")
    );
    assert!(
        nightbeat
            .run_as("ping_key", &["list"])
            .error(1)
            .contains("check the API key")
    );
    assert!(
        nightbeat
            .run(&["show", "nope"])
            .error(3)
            .contains("no heartbeat `nope`")
    );
    nightbeat
        .run(&["incidents", "ack", "00000000-0000-0000-0000-000000000000"])
        .error(3);
    nightbeat.run(&["create", "twice"]).data();
    nightbeat
        .run(&["create", "twice", "--slug", "twice"])
        .error(1);
    nightbeat
        .run_as("read_only_key", &["ping", "twice"])
        .error(5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_channel_is_added_tested_and_deleted() {
    let nightbeat = Nightbeat::start().await;
    let receiver = Receiver::start().await;
    let url = format!("url={}", receiver.url());
    nightbeat
        .run(&["channel", "add", "webhook", "--name", "hook", "--set", &url])
        .data();
    let test = nightbeat.run(&["channel", "test", "hook"]);
    assert!(test.stderr.starts_with("sent in "), "{test:?}");
    assert_eq!(receiver.received()[0].event(), "test");

    let dead = [
        "channel",
        "add",
        "webhook",
        "--name",
        "dead",
        "--set",
        "url=http://127.0.0.1:1/",
    ];
    nightbeat.run(&dead).data();
    let test = nightbeat.run(&["channel", "test", "dead"]);
    assert!(
        test.error(1)
            .starts_with("error: the test did not go through"),
        "{test:?}"
    );
    let missing = nightbeat.run(&["channel", "add", "webhook", "--name", "y"]);
    assert!(missing.error(1).contains("url"), "{missing:?}");

    nightbeat.run(&["create", "x", "--channel", "hook"]).data();
    assert!(
        nightbeat
            .run(&["show", "x"])
            .data()
            .contains("\n  channels      hook\n")
    );
    nightbeat.run(&["ping", "x", "--fail"]).data();
    let deliveries = nightbeat.json(&["deliveries", "list", "--channel", "hook"]);
    assert_eq!(
        deliveries["items"][0]["channel_name"], "hook",
        "{deliveries}"
    );
    receiver
        .until("the alert", |all| {
            all.iter().any(|one| one.event() == "down")
        })
        .await;

    let named = nightbeat.run(&["channel", "delete", "hook", "--yes"]);
    let stderr = named.error(1);
    assert!(
        stderr.contains("hint: nightbeat edit HEARTBEAT --channel all"),
        "{stderr}"
    );
    nightbeat.run(&["edit", "x", "--channel", "all"]).data();
    nightbeat
        .run(&["channel", "delete", "hook", "--yes"])
        .data();
    nightbeat
        .run(&["channel", "delete", "dead", "--yes"])
        .data();
    assert_eq!(nightbeat.run(&["channel", "list"]).data(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn serve_refuses_a_second_server_and_ends_well_when_told_to() {
    let mut nightbeat = Nightbeat::start().await;
    let database = format!("sqlite:{}", nightbeat.server.database().display());
    let mut second = Command::new(env!("CARGO_BIN_EXE_nightbeat"));
    second.args(["serve", "--listen", "127.0.0.1:0", "--database", &database]);
    let second = second.env_clear().output().unwrap();
    assert_eq!(
        second.status.code(),
        Some(1),
        "a second server on the same database"
    );
    assert!(
        String::from_utf8(second.stderr)
            .unwrap()
            .contains("error: ")
    );

    assert_eq!(nightbeat.server.terminate().await.code(), Some(0));
    let log = nightbeat.server.log();
    let json: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert!(json.iter().any(|line| line["level"] == "INFO"), "{log}");
}
