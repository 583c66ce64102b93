//! What a run did: its evidence, its rules, and what becomes of a success that did nothing.

use std::time::Duration;

use nightbeat_domain::{Signal, SignalKind};
use nightbeat_evidence::{Reader, Stream};
use serde_json::{Value, json};

use crate::support::{Api, items};

/// What rsync 3.2 prints with `--stats`, of a source with so many files.
fn rsync(files: u64) -> String {
    format!(
        "Number of files: {files} (reg: {files})\nNumber of created files: 0\nNumber of deleted files: 0\n\
         Number of regular files transferred: 0\nTotal file size: {} bytes\n\
         Total transferred file size: 0 bytes\nLiteral data: 0 bytes\nMatched data: 0 bytes\n\
         File list size: 0\nFile list generation time: 0.001 seconds\n\
         File list transfer time: 0.000 seconds\nTotal bytes sent: 63\nTotal bytes received: 11\n\n\
         sent 63 bytes  received 11 bytes  148.00 bytes/sec\n\
         total size is {}  speedup is 0.00\n",
        files * 1_000,
        files * 1_000
    )
}

/// One success whose output this is.
async fn succeed(api: &Api, job: &Value, minute: u64, output: &str) {
    let at = api.node.now() + Duration::from_secs(60 * minute);
    let mut signal = Signal::new(SignalKind::Success, at);
    let mut reader = Reader::new();
    reader.push(Stream::Output, output.as_bytes());
    signal.reading = Some(Box::new(reader.finish(None)));
    api.record(job, signal, Some(output.as_bytes().to_vec()))
        .await;
}

#[tokio::test]
async fn what_the_output_says_is_kept_with_the_run() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    succeed(&api, &job, 0, &rsync(120)).await;
    let runs = api.get("/heartbeats/job/runs").await.is(200);
    let run = &items(&runs)[0];
    assert_eq!(run["outcome"], "ok");
    assert_eq!(run["broken_rules"], json!([]));
    let evidence = &run["evidence"][0];
    assert_eq!(evidence["tool"], "rsync");
    assert_eq!(evidence["files_total"], 120);
    assert_eq!(evidence["bytes_total"], 120_000);
}

#[tokio::test]
async fn a_success_that_copied_nothing_is_down() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    for night in 0..6 {
        succeed(&api, &job, night, &rsync(120)).await;
    }
    assert_eq!(api.get("/heartbeats/job").await.is(200)["status"], "up");
    succeed(&api, &job, 6, &rsync(0)).await;
    assert_eq!(api.get("/heartbeats/job").await.is(200)["status"], "down");
    let incidents = api.get("/heartbeats/job/incidents").await.is(200);
    let incident = &items(&incidents)[0];
    assert_eq!(incident["cause"], "hollow");
    let runs = api.get("/heartbeats/job/runs").await.is(200);
    let run = &items(&runs)[0];
    assert_eq!(run["outcome"], "failed");
    let broken = &run["broken_rules"][0];
    assert_eq!(broken["severity"], "failure");
    let text = incident["text"].as_str().unwrap();
    let told = broken["text"].as_str().unwrap().trim_end_matches('.');
    assert!(text.contains(told), "{text} does not say: {told}");

    succeed(&api, &job, 7, &rsync(121)).await;
    assert_eq!(api.get("/heartbeats/job").await.is(200)["status"], "up");
}

#[tokio::test]
async fn a_rule_of_ones_own_is_kept_and_held_against_each_run() {
    let api = Api::new().await;
    let rules = json!(["files_total > 100 else warning"]);
    let new = json!({"name": "job", "rules": rules});
    let job = api.post("/heartbeats", new).await.is(201);
    assert_eq!(job["rules"], rules);
    succeed(&api, &job, 0, &rsync(90)).await;
    assert_eq!(
        api.get("/heartbeats/job").await.is(200)["status"],
        "warning"
    );
    let none = api.patch("/heartbeats/job", json!({"rules": []})).await;
    assert_eq!(none.is(200)["rules"], json!([]));
    succeed(&api, &job, 1, &rsync(90)).await;
    assert_eq!(api.get("/heartbeats/job").await.is(200)["status"], "up");
}

#[tokio::test]
async fn a_rule_that_is_none_is_refused_with_the_place() {
    let api = Api::new().await;
    let new = json!({"name": "job", "rules": ["files_total > 0", "files_totl > 0"]});
    let answer = api.post("/heartbeats", new).await.is(422);
    let text = answer.to_string();
    assert!(text.contains("rules"), "{text}");
    assert!(text.contains("files_totl"), "{text}");
    assert!(text.contains("files_total"), "the suggestion: {text}");
}

#[tokio::test]
async fn an_exit_code_that_the_tool_means_as_a_warning_is_one() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    let output = "file has vanished: \"/home/a/x\"\n".to_owned()
        + &rsync(120)
        + "rsync warning: some files vanished before they could be transferred (code 24) at main.c(1338) [sender=3.2.7]\n";
    let mut signal = Signal::new(SignalKind::Fail, api.node.now());
    signal.exit_code = Some(24);
    let mut reader = Reader::new();
    reader.push(Stream::Output, output.as_bytes());
    signal.reading = Some(Box::new(reader.finish(Some(24))));
    api.record(&job, signal, Some(output.into_bytes())).await;
    assert_eq!(
        api.get("/heartbeats/job").await.is(200)["status"],
        "warning"
    );
}

#[tokio::test]
async fn a_failure_says_what_the_output_says_and_a_strange_exit_code_is_one() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    let output = "cp: error writing '/backup/a': No space left on device\n";
    let mut signal = Signal::new(SignalKind::Fail, api.node.now());
    signal.exit_code = Some(3);
    let mut reader = Reader::new();
    reader.push(Stream::Output, output.as_bytes());
    signal.reading = Some(Box::new(reader.finish(Some(3))));
    api.record(&job, signal, Some(output.as_bytes().to_vec()))
        .await;
    assert_eq!(api.get("/heartbeats/job").await.is(200)["status"], "down");
    let incidents = api.get("/heartbeats/job/incidents").await.is(200);
    let text = items(&incidents)[0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("No space left on device"), "{text}");
}
