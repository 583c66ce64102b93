//! Heartbeats: create, show, change, delete, pause, resume, find.

use nightbeat_domain::SignalKind;
use serde_json::{Value, json};

use crate::support::{Api, PUBLIC_URL, each, items};

#[tokio::test]
async fn a_number_without_a_fraction_is_whole_however_it_is_written() {
    let api = Api::new().await;
    let new = json!({"name": "job", "grace": 600.0, "schedule": {"every": 3600.0}, "warning_codes": [3.0]});
    let made = api.post("/heartbeats", new).await.is(201);
    assert_eq!(made["grace"], 600);
    assert_eq!(made["schedule"], json!({"every": 3600}));
    assert_eq!(made["warning_codes"], json!([3]));
    for grace in [json!(600.5), json!(1e300), json!("600")] {
        let new = json!({"name": "other", "grace": grace});
        api.post("/heartbeats", new)
            .await
            .refuses(422, Some("grace"));
    }
}

#[tokio::test]
async fn a_heartbeat_needs_only_a_name() {
    let api = Api::new().await;
    let answer = api
        .post("/heartbeats", json!({"name": "nightly backup"}))
        .await;
    let made = answer.is(201);
    let id = made["id"].as_str().unwrap();
    let url = format!("{PUBLIC_URL}/api/v1/heartbeats/{id}");
    assert_eq!(answer.header("location"), Some(url.as_str()));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let expected = json!({
        "id": id, "name": "nightly backup", "slug": "nightly-backup", "description": "", "tags": [],
        "schedule": {"every": 86400}, "grace": 3600, "max_run_time": null, "failure_threshold": 1,
        "recovery_threshold": 1, "warning_codes": [], "manual_resume": false,
        "remind_never_started": true, "repeat_after": null, "post_only": false, "rules": [],
        "keywords": null, "channels": "all", "status": "new", "running_since": null,
        "expected_at": made["expected_at"], "deadline": null, "last_signal_at": null,
        "last_success_at": null, "last_run": null, "incident_id": null,
        "ping_url": format!("{PUBLIC_URL}/api/heartbeat/{id}"), "ping_email": null, "created_at": made["created_at"],
        "grace_suggestion": null, "problem": null,
    });
    assert_eq!(made, expected);
    for which in [
        id,
        "nightly-backup",
        &id.to_uppercase(),
        &id.replace('-', ""),
    ] {
        let shown = api.get(&format!("/heartbeats/{which}")).await;
        assert_eq!(shown.is(200), expected, "{which}");
        assert_eq!(shown.header("etag"), Some("\"1\""), "{which}");
    }
}

#[tokio::test]
async fn everything_may_be_said_at_once_and_changed_one_by_one() {
    let api = Api::new().await;
    let channel = api.channel("hook").await["id"].clone();
    let all = json!({
        "name": "  Sauvegarde — 備份 🗄 ", "slug": "backup_1", "description": "a\nb\tc",
        "tags": ["prod", "été", "prod"],
        "schedule": {"cron": "30 3 * * *", "timezone": "Europe/Madrid"}, "grace": 60,
        "max_run_time": 7200, "failure_threshold": 2, "recovery_threshold": 3,
        "warning_codes": [3, 24, 3], "manual_resume": true, "remind_never_started": false,
        "repeat_after": 900, "post_only": true, "rules": [], "channels": [channel, channel],
        "keywords": {"start": ["begin"], "success": [], "failure": ["ERROR", "x y"], "in": ["body", "mail_body"],
            "otherwise": "fail"},
    });
    let made = api.post("/heartbeats", all.clone()).await.is(201);
    let mut expected = all;
    expected["name"] = json!("Sauvegarde — 備份 🗄");
    expected["tags"] = json!(["prod", "été"]);
    expected["warning_codes"] = json!([3, 24]);
    expected["channels"] = json!([channel]);
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&made[field], value, "{field}");
    }
    for (field, value) in [
        ("name", json!("x")),
        ("slug", json!("x")),
        ("description", json!("")),
        ("tags", json!([])),
        (
            "schedule",
            json!({"calendar": "Mon..Fri 02:00", "timezone": "UTC"}),
        ),
        ("schedule", json!({"every": 315_360_000})),
        ("grace", json!(315_360_000)),
        ("max_run_time", json!(null)),
        ("max_run_time", json!(1)),
        ("failure_threshold", json!(1000)),
        ("recovery_threshold", json!(1)),
        ("warning_codes", json!([])),
        ("manual_resume", json!(false)),
        ("remind_never_started", json!(true)),
        ("repeat_after", json!(null)),
        ("post_only", json!(false)),
        ("keywords", json!(null)),
        (
            "keywords",
            json!({"start": [], "success": ["ok"], "failure": [], "in": ["body"], "otherwise": "ignore"}),
        ),
        ("channels", json!([])),
        ("channels", json!("all")),
    ] {
        let path = format!("/heartbeats/{}", made["id"].as_str().unwrap());
        let before = api.get(&path).await.is(200);
        let mut change = json!({});
        change[field] = value.clone();
        let after = api.patch(&path, change).await.is(200);
        assert_eq!(after[field], value, "{field}");
        for (other, old) in before.as_object().unwrap() {
            let moves = ["expected_at", "deadline", "schedule", field].contains(&other.as_str());
            assert!(moves || after[other] == *old, "{field} changed {other}");
        }
    }
}

#[tokio::test]
async fn slugs_are_made_from_names_and_stay_apart() {
    let api = Api::new().await;
    let mut slugs = Vec::new();
    for _ in 0..12 {
        slugs.push(api.heartbeat("Backup!").await["slug"].clone());
    }
    let mut expected = vec![json!("backup")];
    expected.extend((2..=12).map(|n| json!(format!("backup-{n}"))));
    assert_eq!(slugs, expected);
    assert_eq!(api.heartbeat("備份").await["slug"], "heartbeat");
    assert_eq!(api.heartbeat("備份").await["slug"], "heartbeat-2");
    let long = "x".repeat(150);
    assert_eq!(api.heartbeat(&long).await["slug"], "x".repeat(100));
    let second = api.heartbeat(&long).await["slug"].clone();
    assert_eq!(second, format!("{}-2", "x".repeat(98)));

    let body = json!({"name": "other", "slug": "backup"});
    let detail = api
        .post("/heartbeats", body)
        .await
        .refuses(409, Some("slug"));
    assert!(detail.contains("\"backup\""), "{detail}");
    let change = json!({"slug": "backup-2"});
    api.patch("/heartbeats/backup", change)
        .await
        .refuses(409, Some("slug"));
    // Its own slug is not taken by another.
    api.patch("/heartbeats/backup", json!({"slug": "backup"}))
        .await
        .is(200);
    // Another project's slugs are no business of ours.
    let body = json!({"name": "Backup"});
    let key = &api.ben.api_key;
    let bens = api.send(key, "POST", "/heartbeats", &body).await.is(201);
    assert_eq!(bens["slug"], "backup");
}

#[tokio::test]
async fn an_edit_that_has_not_seen_another_is_refused() {
    let api = Api::new().await;
    api.heartbeat("job").await;
    let with = async |method: &str, tag: &str, body: &str| {
        let headers = [("x-api-key", api.ana.api_key.as_str()), ("if-match", tag)];
        api.raw(method, "/heartbeats/job", &headers, body.to_owned())
            .await
    };
    let first = with("PATCH", "\"1\"", r#"{"grace": 60}"#).await;
    first.is(200);
    assert_eq!(first.header("etag"), Some("\"2\""));
    for stale in ["\"1\"", "W/\"2\"", "2", "\"\"", "garbage", "\"3\", \"1\""] {
        let detail = with("PATCH", stale, r#"{"grace": 70}"#)
            .await
            .refuses(412, None);
        assert!(detail.contains("\"2\""), "{detail}");
        with("DELETE", stale, "").await.refuses(412, None);
    }
    assert_eq!(api.get("/heartbeats/job").await.is(200)["grace"], 60);
    // What changes nothing is no new version.
    let same = with("PATCH", "\"2\"", r#"{"grace": 60}"#).await;
    assert_eq!(same.header("etag"), Some("\"2\""));
    let any = with("PATCH", "*", r#"{"name": "task"}"#).await;
    assert_eq!(any.header("etag"), Some("\"3\""));
    // A signal is no edit.
    let job = api.get("/heartbeats/job").await.is(200);
    api.signal(&job, SignalKind::Success).await;
    with("PATCH", "\"9\", \"3\"", r#"{"tags": ["a"]}"#)
        .await
        .is(200);
    with("DELETE", "\"4\"", "").await.is(204);
    api.get("/heartbeats/job").await.refuses(404, None);
}

#[tokio::test]
async fn a_deleted_heartbeat_is_gone_and_its_incidents_stay() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    api.signal(&job, SignalKind::Fail).await;
    api.delete("/heartbeats/job").await.is(204);
    let id = job["id"].as_str().unwrap();
    for path in ["", "/signals", "/runs", "/incidents"] {
        let path = format!("/heartbeats/{id}{path}");
        api.get(&path).await.refuses(404, None);
    }
    api.delete("/heartbeats/job").await.refuses(404, None);
    let incidents = api.get("/incidents").await.is(200);
    assert_eq!(each(&incidents, "heartbeat_name"), ["job"]);
    assert!(items(&incidents)[0]["closed_at"].is_string());
    assert_eq!(api.heartbeat("job").await["slug"], "job");
}

#[tokio::test]
async fn pause_and_resume() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    api.signal(&job, SignalKind::Fail).await;
    let down = api.get("/heartbeats/job").await.is(200);
    assert_eq!(down["status"], "down");
    assert!(down["incident_id"].is_string());
    let paused = api.post("/heartbeats/job/pause", Value::Null).await.is(200);
    assert_eq!(paused["status"], "paused");
    assert_eq!(paused["expected_at"], Value::Null);
    assert_eq!(paused["incident_id"], Value::Null);
    let incidents = api.get("/heartbeats/job/incidents").await.is(200);
    assert_eq!(items(&incidents)[0]["closing"], "paused");
    let again = api.post("/heartbeats/job/pause", Value::Null).await.is(200);
    assert_eq!(again["status"], "paused");
    let resumed = api
        .post("/heartbeats/job/resume", Value::Null)
        .await
        .is(200);
    assert_eq!(resumed["status"], "up");
    assert!(resumed["expected_at"].is_string());
    for step in ["pause", "resume"] {
        let path = format!("/heartbeats/nobody/{step}");
        api.post(&path, Value::Null).await.refuses(404, None);
    }
}

#[tokio::test]
async fn a_heartbeat_tells_what_signals_did_to_it() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    api.signal(&job, SignalKind::Start).await;
    let running = api.get("/heartbeats/job").await.is(200);
    assert!(running["running_since"].is_string());
    assert!(running["deadline"].is_string());
    assert_eq!(running["last_run"], Value::Null);
    api.signal(&job, SignalKind::Success).await;
    let up = api.get("/heartbeats/job").await.is(200);
    assert_eq!(up["status"], "up");
    assert_eq!(up["running_since"], Value::Null);
    assert_eq!(up["last_run"]["outcome"], "ok");
    assert_eq!(up["last_run"]["ended_at"], up["last_success_at"]);
    assert!(up["last_run"]["duration"].as_f64().unwrap() < 60.0);
    assert!(up["deadline"].as_str() > up["expected_at"].as_str());
}

#[tokio::test]
async fn heartbeats_are_found_by_tag_status_text_and_slug() {
    let api = Api::new().await;
    for (name, description, tags) in [
        ("Alpha", "the FIRST one", json!(["prod", "db"])),
        ("beta", "100 % of it", json!(["prod"])),
        ("Gämma", "", json!(["a \"quoted\", tag"])),
    ] {
        let body = json!({"name": name, "description": description, "tags": tags});
        api.post("/heartbeats", body).await.is(201);
    }
    let beta = api.get("/heartbeats/beta").await.is(200);
    api.signal(&beta, SignalKind::Fail).await;
    for (query, names) in [
        ("", vec!["Alpha", "beta", "Gämma"]),
        ("?tag=prod", vec!["Alpha", "beta"]),
        ("?tag=prod&tag=db", vec!["Alpha"]),
        ("?tag=pro", vec![]),
        ("?tag=a+%22quoted%22,+tag", vec!["Gämma"]),
        ("?status=new", vec!["Alpha", "Gämma"]),
        ("?status=down", vec!["beta"]),
        ("?status=unverified", vec![]),
        ("?q=first", vec!["Alpha"]),
        ("?q=ALPHA", vec!["Alpha"]),
        ("?q=%25", vec!["beta"]),
        ("?q=G%C3%A4m", vec!["Gämma"]),
        ("?q=", vec!["Alpha", "beta", "Gämma"]),
        ("?slug=beta", vec!["beta"]),
        ("?slug=bet", vec![]),
        ("?tag=prod&status=down&q=of&slug=beta", vec!["beta"]),
    ] {
        let found = api.get(&format!("/heartbeats{query}")).await.is(200);
        assert_eq!(each(&found, "name"), names, "{query}");
        assert_eq!(found["next_cursor"], Value::Null, "{query}");
    }
}

#[tokio::test]
async fn the_nearest_known_field_is_named() {
    let api = Api::new().await;
    for (body, field, says) in [
        (
            json!({"name": "x", "grase": 1}),
            "grase",
            "did you mean \"grace\"?",
        ),
        (
            json!({"name": "x", "channel": "all"}),
            "channel",
            "did you mean \"channels\"?",
        ),
        (
            json!({"name": "x", "Slug": "y"}),
            "Slug",
            "did you mean \"slug\"?",
        ),
        (
            json!({"name": "x", "qq": 1}),
            "qq",
            "there is name, slug, description",
        ),
    ] {
        let detail = api
            .post("/heartbeats", body)
            .await
            .refuses(422, Some(field));
        assert!(detail.contains(says), "{detail}");
    }
    let detail = api
        .get("/heartbeats?limitt=1")
        .await
        .refuses(400, Some("limitt"));
    assert!(detail.contains("did you mean \"limit\"?"), "{detail}");
}

#[tokio::test]
async fn a_wrong_schedule_is_answered_with_the_place_and_a_guess() {
    let api = Api::new().await;
    for (schedule, says) in [
        (
            json!({"cron": "0 24 * * *"}),
            "hour 24: 0 to 23 (column 3); did you mean",
        ),
        (
            json!({"cron": "0 3 * * *", "timezone": "Europe/Madird"}),
            "Europe/Madrid",
        ),
        (json!({"calendar": "Mon..Fry 02:00"}), "(column"),
        (json!({"every": 0}), "every:"),
        (
            json!({"every": 60, "timezone": "UTC"}),
            "remove \"timezone\"",
        ),
        (json!({"every": 60, "cron": "* * * * *"}), "exactly one of"),
        (json!({}), "exactly one of"),
        (json!({"evry": 60}), "every"),
        (json!({"every": "1d"}), "1d"),
        (json!("daily"), "schedule"),
    ] {
        let body = json!({"name": "x", "schedule": schedule});
        let detail = api
            .post("/heartbeats", body)
            .await
            .refuses(422, Some("schedule"));
        assert!(
            detail.starts_with("schedule: ") && detail.contains(says),
            "{detail}"
        );
    }
}
