//! From one Nightbeat to another, by the API that other products' clients speak: both sides are real.

use serde_json::json;

use crate::house::House;

/// What Healthchecks' API can say: the reminder of new ones, rules and thresholds it cannot.
const PROJECT: &str = r#"
[project]
name = "The same"

[channels.me]
kind = "email"
settings.to = "ana@example.org"

[channels.hook]
kind = "webhook"
settings.url = "https://hooks.example.org/"

[heartbeats.interval]
name = "An interval"
every = "26h"
grace = "45m"
tags = ["prod", "db"]
description = """
Two
lines"""
channels = ["hook"]
remind_never_started = false

[heartbeats.cron]
cron = "30 3 * * 1-5"
timezone = "Europe/Madrid"
channels = ["hook", "me"]
manual_resume = true
post_only = true
remind_never_started = false

[heartbeats.timer]
calendar = ["Mon..Fri 02:00", "Sat 04:00"]
timezone = "Australia/Lord_Howe"
channels = []
paused = true
remind_never_started = false

[heartbeats.words]
every = "1h"
channels = ["me"]
remind_never_started = false
[heartbeats.words.keywords]
start = ["BEGIN"]
success = ["done", " ok"]
failure = ["ERROR"]
in = ["body", "mail_subject", "mail_body"]
otherwise = "fail"

[heartbeats.unnamed-4c1e8c5e]
id = "4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b"
name = "unnamed 4c1e8c5e"
every = "1d"
channels = []
remind_never_started = false
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_project_arrives_as_it_left() {
    let (old, new) = (House::start().await, House::start().await);
    old.file("project.toml", PROJECT);
    old.run(&["apply", "project.toml"]).data();
    // Channels are made by hand: their secrets are nobody's to tell.
    let (head, _) = PROJECT.split_once("[heartbeats.interval]").unwrap();
    new.file("project.toml", head);
    new.run(&["apply", "project.toml"]).data();

    let url = format!("{}/api/v3/", old.url());
    let key = old.admin.api_key();
    let arguments = [
        "import",
        "healthchecks",
        "--url",
        &url,
        "--api-key",
        key,
        "--yes",
    ];
    let run = new.run(&arguments);
    run.data();
    assert!(run.stderr.contains("done: 5 created\n"), "{}", run.stderr);
    assert_eq!(new.export(), old.export());
    let before = new.everything().await;
    let again = new.run(&arguments);
    again.data();
    assert!(again.stderr.contains("5 unchanged\n"), "{}", again.stderr);
    assert_eq!(new.everything().await, before);

    // What moved on there moves on here.
    let longer = json!({"grace": 7200});
    old.admin
        .ask("PATCH", "/heartbeats/interval", &longer)
        .await;
    new.run(&arguments).data();
    assert_eq!(new.export(), old.export());
}
