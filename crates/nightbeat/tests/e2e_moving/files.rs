//! `nightbeat import uptime-kuma` and `nightbeat import cronitor`.

use serde_json::json;

use crate::house::House;

/// A backup as version 1.18 writes it.
const KUMA: &str = r##"{
    "version": "1.18.5",
    "notificationList": [
        {"id": 1, "name": "ops", "active": true, "isDefault": true, "userId": 1,
         "config": "{\"name\":\"ops\",\"type\":\"webhook\",\"webhookURL\":\"https://example.org\"}"},
        {"id": 2, "name": "My Telegram", "active": true, "isDefault": false, "userId": 1,
         "config": "{\"name\":\"My Telegram\",\"type\":\"telegram\",\"telegramBotToken\":\"1:a\"}"}
    ],
    "monitorList": [
        {"id": 1, "name": "Website", "url": "https://example.org", "method": "GET", "type": "http", "interval": 60,
         "maxretries": 3, "active": 1, "tags": [], "notificationIDList": {"1": true}},
        {"id": 2, "name": "Nightly backup", "url": "https://", "method": "GET", "hostname": null, "port": null,
         "maxretries": 6, "weight": 2000, "active": 1, "type": "push", "interval": 90000, "retryInterval": 360,
         "resendInterval": 2, "keyword": null, "expiryNotification": false, "ignoreTls": false,
         "upsideDown": false, "maxredirects": 10, "accepted_statuscodes": ["200-299"],
         "dns_resolve_type": "A", "dns_resolve_server": "1.1.1.1", "proxyId": null,
         "notificationIDList": {"1": true}, "pushToken": "abcd1234EF", "description": "borg", "parent": 9,
         "tags": [{"id": 1, "monitor_id": 2, "tag_id": 1, "value": "", "name": "prod", "color": "#DC2626"},
                  {"id": 2, "monitor_id": 2, "tag_id": 2, "value": "nas", "name": "host", "color": "#059669"}]},
        {"id": 3, "name": "Sync", "type": "push", "interval": 20, "maxretries": 0, "retryInterval": 20, "active": 0,
         "upsideDown": false, "notificationIDList": {}, "pushToken": "4c1e8c5e3f0f4f6a9c5e0d6f8f6f1a2b", "tags": []},
        {"id": 4, "name": "Sync", "type": "push", "interval": "3600", "maxretries": "1", "retryInterval": 0,
         "active": true, "notificationIDList": {"2": true}, "pushToken": "ghij5678KL", "tags": []},
        {"id": 5, "name": "Reversed", "type": "push", "interval": 60, "upsideDown": true, "active": 1,
         "notificationIDList": {}, "pushToken": "mnop", "tags": []},
        {"id": 6, "name": "Strange", "type": "push", "interval": 0, "active": 1, "notificationIDList": {},
         "pushToken": "qrst", "tags": []},
        {"id": 9, "name": "Servers", "type": "group", "interval": 60, "active": 1, "notificationIDList": {}}
    ]
}"##;

#[tokio::test(flavor = "multi_thread")]
async fn the_push_monitors_of_uptime_kuma_are_taken_once() {
    let house = House::start().await;
    let ops = house.admin.webhook("ops", "http://127.0.0.1:9/").await;
    house.file("kuma.json", KUMA);
    let look = house.run(&["import", "uptime-kuma", "kuma.json", "--dry-run"]);
    for row in [
        "no heartbeat  Website",
        "it probes (http): Nightbeat waits for signals",
        "left out      Reversed",
        "left out      Strange",
        "no heartbeat  Servers",
        "hardly a retry there: the shortest grace",
        "another has the same name",
    ] {
        assert!(
            look.ends_with(7).stdout.contains(row),
            "{row} in\n{}",
            look.stdout
        );
    }
    let run = house.run(&["import", "uptime-kuma", "kuma.json", "--yes"]);
    assert!(
        run.ends_with(7).stderr.contains("My Telegram (telegram)"),
        "{}",
        run.stderr
    );
    let backup = house.heartbeat("nightly-backup").await;
    let wanted = json!({"name": "Nightly backup", "description": "borg", "tags": ["prod", "host:nas", "Servers"],
        "schedule": {"every": 90_000}, "grace": 2160, "repeat_after": 180_000, "channels": [ops]});
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(backup[name], *value, "{name}");
    }
    let sync = house.heartbeat("sync").await;
    assert_eq!(sync["id"], "4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b");
    assert_eq!(
        (&sync["status"], &sync["grace"]),
        (&json!("paused"), &json!(20))
    );
    let second = house.heartbeat("sync-2").await;
    assert_eq!(
        (&second["grace"], &second["channels"]),
        (&json!(3600), &json!("all"))
    );
    // The new URLs are told, and work.
    let url = run
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("Nightly backup\t"));
    let pushed = house.shell(
        &format!("curl -fsS '{}?status=up&msg=OK&ping='", url.unwrap()),
        &[],
    );
    assert_eq!(pushed.data(), "{\"ok\":true}");
    assert_eq!(house.heartbeat("nightly-backup").await["status"], "up");

    let before = house.everything().await;
    let again = house.run(&["import", "uptime-kuma", "kuma.json", "--yes"]);
    assert!(
        again
            .ends_with(7)
            .stderr
            .contains("3 unchanged, 2 left out, 2 no heartbeat\n")
    );
    assert_eq!(house.everything().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_is_told_so() {
    let house = House::start().await;
    for (text, says) in [
        ("{}", "there is no monitorList in it"),
        ("monitors: []", "this is not JSON"),
        ("", "this is not JSON"),
    ] {
        house.file("kuma.json", text);
        let run = house.run(&["import", "uptime-kuma", "kuma.json"]);
        assert!(run.ends_with(5).stderr.contains(says), "{}", run.stderr);
    }
    let none = house.run(&["import", "uptime-kuma", "nothing.json"]);
    assert!(
        none.ends_with(5)
            .stderr
            .contains("cannot read nothing.json")
    );
    house.file("kuma.json", r#"{"monitorList": {}}"#);
    let empty = house.run(&["import", "uptime-kuma", "kuma.json"]);
    assert_eq!(
        (empty.data(), empty.stderr.as_str()),
        ("", "there is nothing to take over\n")
    );
    // A file that grows when it is read.
    house.file("bomb.yaml", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
        c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\n\
        f: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g]\n");
    let bomb = house.run(&["import", "cronitor", "bomb.yaml"]);
    assert!(
        bomb.ends_with(5).stderr.contains("this is not YAML"),
        "{}",
        bomb.stderr
    );
}

/// A file as Cronitor exports it.
const CRONITOR: &str = r#"
jobs:
  nightly-backup:
    name: Nightly backup
    schedule: "0 2 * * *"
    timezone: America/New_York
    grace_seconds: 900
    assertions:
      - "metric.duration < 15min"
      - metric.count > 0
      - "metric.colour = red"
    notify:
      - ops
    tags: [production, backup]
    group: databases
    note: Ask Ben
    realert_interval: every 8 hours
    failure_tolerance: 1
    schedule_tolerance: 1
    platform: linux cron
    metadata: '{"host": "nas"}'
  Send-Welcome:
    schedule: every 10 minutes
  twice:
    schedules: ["at 8:05", "at 20:00"]
    timezone: UTC
    paused: true
    notify: [on-call, "email:ana@example.org"]
  unscheduled:
    notify: [default]
  strange:
    schedule: 0 2 * *
checks:
  website-homepage:
    schedule: every 1 min
    request: {url: "https://example.org"}
heartbeats:
  queue-consumer:
    schedule: every 5 min
    grace_seconds: 120
    notify:
      alerts: [default]
      events: {complete: true}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_and_heartbeats_of_cronitor_are_taken_once() {
    let house = House::start().await;
    let ops = house.admin.webhook("ops", "http://127.0.0.1:9/").await;
    house.file("cronitor.yaml", CRONITOR);
    let run = house.run(&["import", "cronitor", "cronitor.yaml", "--yes"]);
    for says in [
        "no heartbeat  website-homepage",
        "left out      unscheduled",
        "it has no schedule: its silence means nothing",
        "left out      strange",
        "not taken: metric.colour = red",
        "not taken: metadata",
        "not taken: notify.events",
        "its telemetry URL ends with send-welcome here, not Send-Welcome",
        "tells all channels: not here yet: on-call, email:ana@example.org",
    ] {
        assert!(
            run.ends_with(7).stdout.contains(says),
            "{says} in\n{}",
            run.stdout
        );
    }
    let backup = house.heartbeat("nightly-backup").await;
    let wanted = json!({"name": "Nightly backup", "schedule": {"cron": "0 2 * * *", "timezone": "America/New_York"},
        "grace": 900, "max_run_time": 900, "rules": ["metric(\"count\") > 0"], "channels": [ops],
        "tags": ["production", "backup", "databases"], "description": "Ask Ben", "repeat_after": 28_800,
        "failure_threshold": 2});
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(backup[name], *value, "{name}");
    }
    let welcome = house.heartbeat("send-welcome").await;
    assert_eq!(
        (&welcome["grace"], &welcome["max_run_time"]),
        (&json!(60), &json!(600))
    );
    let twice = house.heartbeat("twice").await;
    assert_eq!(
        twice["schedule"]["calendar"],
        "*-*-* 08:05:00\n*-*-* 20:00:00"
    );
    assert_eq!(
        (&twice["status"], &twice["max_run_time"]),
        (&json!("paused"), &json!(86_400))
    );
    let queue = house.heartbeat("queue-consumer").await;
    assert_eq!(
        (&queue["grace"], &queue["channels"]),
        (&json!(120), &json!("all"))
    );

    // Its job goes on as before: only the host is another.
    let telemetry = format!(
        "{}/p/{}/nightly-backup?state=complete&metric=count:3",
        house.url(),
        house.admin.ping_key
    );
    house.shell(&format!("curl -fsS '{telemetry}'"), &[]).data();
    assert_eq!(house.heartbeat("nightly-backup").await["status"], "up");

    let before = house.everything().await;
    let again = house.run(&["import", "cronitor", "cronitor.yaml", "--yes"]);
    assert!(
        again
            .ends_with(7)
            .stderr
            .contains("4 unchanged, 2 left out, 1 no heartbeat\n"),
        "{}",
        again.stderr
    );
    assert_eq!(house.everything().await, before);
}
