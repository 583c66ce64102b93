//! What the whole output says is read on its way, also the middle of it, which is not kept.

use serde_json::Value;

use crate::support::{Beats, Machine};

fn reading(text: &str) -> Value {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("[nightbeat] reading "));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no reading: {text}"))).unwrap()
}

/// The closing line of restic 0.14.0, `restic backup --json`.
const RESTIC: &str = r#"{"message_type":"summary","files_new":13,"files_changed":0,"files_unmodified":0,"dirs_new":3,"dirs_changed":0,"dirs_unmodified":0,"data_blobs":12,"tree_blobs":4,"data_added":315000,"total_files_processed":13,"total_bytes_processed":312005,"total_duration":0.4,"snapshot_id":"de13ad41"}"#;

#[test]
fn evidence_in_the_middle_of_a_long_output_is_sent() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    machine.file("summary", RESTIC);
    machine.sh(&[], "seq 50000; cat summary; echo; seq 50000");
    let text = beats.last().text();
    assert!(text.len() <= 100_000 && text.contains("bytes cut"));
    assert!(!text.contains("message_type"), "it was cut out of the text");
    let reading = reading(&text);
    assert_eq!(reading["evidence"][0]["tool"], "restic");
    assert_eq!(reading["evidence"][0]["files_total"], 13);
    assert_eq!(reading["evidence"][0]["bytes_total"], 312_005);
}

#[test]
fn a_line_on_stderr_gives_a_hollow_success_away() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url()).with("DB_PASSWORD", "battery staple");
    machine.sh(
        &[],
        "echo 'cp: /battery staple/x: No space left on device' >&2; echo done",
    );
    let text = beats.last().text();
    let reading = reading(&text);
    assert_eq!(reading["telltales"][0]["kind"], "no-space-left");
    assert!(!text.contains("battery staple"), "{text}");
}
