//! `nightbeat apply` and `nightbeat export`.

use nightbeat_testkit::Receiver;
use serde_json::{Value, json};

use crate::house::House;

/// A project with everything that can be set.
const EVERYTHING: &str = r#"
[project]
name = "Home & away"
fallback_channel = "me"

[channels.me]
kind = "email"
settings.to = "ana@example.org, ben@example.org"

[channels."on call: \"phone\""]
kind = "ntfy"
settings = { topic = "beats-8f2c", server = "https://ntfy.example.org", token = { env = "NTFY_TOKEN" } }

[channels.hook]
kind = "webhook"
[channels.hook.settings]
url = "https://hooks.example.org/{{event}}"
method = "PUT"
headers = { file = "headers" }
body = '''
{"text": "{{title}}"}'''

[heartbeats.usual]

[heartbeats.restic]
id = "4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b"
name = "restic, nightly"
description = """
Two lines
and a \\ "quote"."""
tags = ["prod", "a b", "größe"]
cron = "30 3 * * Mon-Fri"
timezone = "Europe/Madrid"
grace = "90m"
max_run_time = "3h"
failure_threshold = 2
recovery_threshold = 3
warning_codes = [3, 24]
manual_resume = true
remind_never_started = false
repeat_after = "1d"
post_only = true
rules = ["files_total > 0", "bytes_total >= 50% of median(14) else warning", 'metric("rows") > 0']
channels = ["me", "on call: \"phone\""]
paused = true
[heartbeats.restic.keywords]
start = ["BEGIN"]
success = ["done", " ok"]
failure = ["ERROR"]
in = ["body", "mail_subject"]
otherwise = "fail"

[heartbeats.silent]
every = "1h1s"
grace = 59
channels = []

[heartbeats.timer]
calendar = ["Mon..Fri 02:00", "Sat 04:00 Europe/Riga"]
timezone = "UTC"

[[maintenance]]
from = 2030-12-24T20:00:00Z
to = 2030-12-25T06:00:00+01:00
note = "holidays"
"#;

const TOKEN: [(&str, &str); 1] = [("NTFY_TOKEN", "tk_secret")];

async fn furnished() -> House {
    let house = House::start().await;
    house.file("headers", "Authorization: Bearer s3cret\nX-Team: ops\n");
    house.file("beats.toml", EVERYTHING);
    let run = house.run_with(&["apply", "beats.toml"], &TOKEN);
    assert!(run.data().ends_with("= 0 unchanged\n"), "{}", run.stdout);
    assert_eq!(
        run.stderr.lines().next(),
        Some("done: 8 created, 1 changed")
    );
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_is_exported_and_a_second_time_nothing_changes() {
    let house = furnished().await;
    let before = house.everything().await;

    let again = house.run_with(&["apply", "beats.toml"], &TOKEN);
    assert_eq!(again.data(), "= 8 unchanged\n");
    // Its own file changes nothing, either: with secrets and without, and by pipe.
    for line in [
        "nightbeat export > own.toml; nightbeat apply own.toml --prune",
        "nightbeat export --with-secrets > own.toml; nightbeat apply own.toml --prune",
        "nightbeat export | nightbeat apply - --check",
    ] {
        assert_eq!(house.shell(line, &[]).data(), "= 8 unchanged\n", "{line}");
    }
    assert_eq!(house.everything().await, before);

    let restic = house.heartbeat("restic").await;
    assert_eq!(restic["id"], "4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b");
    assert_eq!(restic["status"], "paused");
    assert_eq!(restic["description"], "Two lines\nand a \\ \"quote\".");
    assert_eq!(restic["repeat_after"], 86_400);
    assert_eq!(restic["rules"].as_array().unwrap().len(), 3);
    assert_eq!(restic["channels"].as_array().unwrap().len(), 2);
    assert_eq!(house.heartbeat("silent").await["channels"], json!([]));
    assert_eq!(
        house.heartbeat("silent").await["schedule"],
        json!({"every": 3601})
    );
    assert_eq!(house.heartbeat("usual").await["channels"], "all");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_no_secrets_unless_it_is_asked_for_them_and_makes_the_same_project_elsewhere()
{
    let house = furnished().await;
    let plain = house.run(&["export"]);
    for secret in [
        "4c1e8c5e",
        "s3cret",
        "tk_secret",
        "•",
        &house.admin.ping_key,
    ] {
        assert!(!plain.data().contains(secret), "{secret}");
    }
    assert!(
        plain
            .stdout
            .contains("# headers is a secret, and left alone\n")
    );
    let all = house.export();
    assert_eq!(all.matches("\nid = ").count(), 4);
    for secret in ["s3cret", "tk_secret", "•", &house.admin.ping_key] {
        assert!(!all.contains(secret), "{secret}");
    }

    let other = House::start().await;
    other.file("beats.toml", &all);
    other.run(&["apply", "beats.toml"]).data();
    let said = |file: &str| -> Vec<String> {
        let lines = file.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(said(&other.export()), said(&all));
    let id = house.heartbeat("usual").await["id"].clone();
    assert_eq!(other.heartbeat("usual").await["id"], id);
    // What could not come along is not invented.
    let hook = other.admin.get("/channels/hook").await;
    assert_eq!(hook["settings"].get("headers"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_are_not_said_stay_and_those_that_are_said_are_compared() {
    let house = House::start().await;
    let receiver = Receiver::start().await;
    let file = |more: &str| {
        format!(
            "[channels.hook]\nkind = \"webhook\"\nsettings.url = \"{}\"\n{more}",
            receiver.url()
        )
    };
    let apply = |more: &str, variables: &[(&str, &str)]| {
        house.file("beats.toml", &file(more));
        house.run_with(&["apply", "beats.toml"], variables)
    };
    let secret = "settings.headers = { env = \"HEADERS\" }\n";
    let first = apply(secret, &[("HEADERS", "X-Secret: one")]);
    assert_eq!(
        first.data(),
        "+ channel hook\n    kind: webhook\n= 0 unchanged\n"
    );
    assert_eq!(apply("", &[]).data(), "= 1 unchanged\n");
    let same = apply(secret, &[("HEADERS", "X-Secret: one")]);
    assert_eq!(same.data(), "= 1 unchanged\n");
    house.run(&["channel", "test", "hook"]).data();
    assert_eq!(
        receiver.received().last().unwrap().header("x-secret"),
        Some("one")
    );

    let other = apply(secret, &[("HEADERS", "X-Secret: two")]);
    assert_eq!(
        other.data(),
        "~ channel hook\n    headers: another secret\n= 0 unchanged\n"
    );
    house.run(&["channel", "test", "hook"]).data();
    assert_eq!(
        receiver.received().last().unwrap().header("x-secret"),
        Some("two")
    );
    // What is no secret and not said is as usual again.
    apply("settings.method = \"PUT\"\n", &[]).data();
    assert_eq!(
        apply("", &[]).data(),
        "~ channel hook\n    method: PUT → none\n= 0 unchanged\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_by_looking_or_by_a_file_with_a_mistake() {
    let house = furnished().await;
    let before = house.everything().await;
    let changed = EVERYTHING.replace("90m", "2h") + "\n[heartbeats.new]\n";
    house.file("changed.toml", &changed);
    let plan = "\
~ heartbeat restic
    grace: 90 min → 2 h
+ heartbeat new
= 7 unchanged
";
    let look = house.run_with(&["apply", "changed.toml", "--dry-run"], &TOKEN);
    assert_eq!(look.data(), plan);
    let check = house.run_with(&["apply", "changed.toml", "--check"], &TOKEN);
    assert_eq!(check.ends_with(6).stdout, plan);
    // Without the secret there is less to compare, and who looks with a read-only key is not shown ids.
    let look = house.run(&["apply", "changed.toml", "--dry-run"]);
    assert!(
        look.stderr
            .contains("NTFY_TOKEN is not set, so `token` is not compared")
    );
    assert_eq!(look.data(), plan);
    let made = json!({"name": "look", "scope": "read-only"});
    let key = house.admin.ask("POST", "/keys", &made).await.json();
    let key = [("NIGHTBEAT_API_KEY", key["key"].as_str().unwrap())];
    let look = house.run_with(&["apply", "changed.toml", "--check"], &key);
    assert_eq!(look.ends_with(6).stdout, plan);
    assert!(look.stderr.contains("this key is read-only"));
    let export = house.run_with(&["export"], &key);
    assert!(export.ends_with(1).stderr.contains("read-write API key"));

    for (mistake, says) in [
        ("\n[heartbeats.x]\ngrase = 1\n", "did you mean `grace`?"),
        ("\n[heartbeats.x]\ngrace = \"0s\"\n", "grace: "),
        (
            "\n[channels.x]\nkind = \"webhook\"\n",
            "channels.x: settings.url: is required",
        ),
        (
            "\n[channels.x]\nkind = \"wehook\"\n",
            "did you mean \"webhook\"?",
        ),
        (
            "\n[heartbeats.x]\nchannels = [\"nobody\"]\n",
            "no channel is called `nobody`",
        ),
    ] {
        house.file("wrong.toml", &(changed.clone() + mistake));
        let run = house.run_with(&["apply", "wrong.toml"], &TOKEN);
        let line = changed.lines().count() + 2;
        let told = &run.ends_with(5).stderr;
        assert!(told.starts_with("error: wrong.toml:"), "{told}");
        assert!(told.contains(says), "{told}");
        let near = (line..=line + 2).any(|line| told.contains(&format!("wrong.toml:{line}: ")));
        assert!(near, "{told}");
    }
    let missing = house.run(&["apply", "beats.toml"]);
    assert!(
        missing
            .ends_with(5)
            .stderr
            .contains("the variable NTFY_TOKEN is not set")
    );
    assert_eq!(house.everything().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_file_goes_only_when_that_is_said_twice() {
    let house = furnished().await;
    house.file(
        "small.toml",
        "[channels.me]\nkind = \"email\"\nsettings.to = \"ana@example.org,ben@example.org\"\n[heartbeats.usual]\n",
    );
    let kept = house.run(&["apply", "small.toml"]);
    assert!(
        kept.data()
            .contains("5 not in the file, left alone without --prune: "),
        "{}",
        kept.stdout
    );
    let unsaid = house.run(&["apply", "small.toml", "--prune"]);
    assert!(unsaid.ends_with(2).stderr.contains("say --yes"));
    assert_eq!(house.admin.list("/heartbeats").await.len(), 4);
    let pruned = house.run(&["apply", "small.toml", "--prune", "--yes"]);
    assert!(
        pruned
            .data()
            .contains("- heartbeat restic\n    with its history\n")
    );
    assert_eq!(pruned.stderr, "done: 5 removed\n");
    assert_eq!(house.admin.list("/heartbeats").await.len(), 1);
    assert_eq!(house.admin.list("/channels").await.len(), 1);
    // The file says nothing about windows.
    assert_eq!(house.admin.list("/maintenance").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_has_the_same_url_and_other_incidents() {
    let house = furnished().await;
    let id = "4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b";
    house.run(&["resume", "restic"]).data();
    let fail = || house.run(&["ping", id, "--fail"]);
    fail().data();
    fail().data();
    let incidents = || async { house.admin.list("/incidents").await };
    assert_eq!(incidents().await.len(), 1);
    house.run(&["delete", "restic", "--yes"]).data();
    house.file(
        "back.toml",
        &format!("[heartbeats.restic]\nid = \"{id}\"\n"),
    );
    house.run(&["apply", "back.toml"]).data();
    fail().data();
    let all = incidents().await;
    let open: Vec<&Value> = all.iter().filter(|it| it["closed_at"].is_null()).collect();
    assert_eq!((all.len(), open.len()), (2, 1));
    assert_eq!(
        house.server.try_run(&["db", "check"]).status.code(),
        Some(0)
    );
}
