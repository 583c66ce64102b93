//! `nightbeat evidence`, and what `docs/evidence.md` says of it.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::run;

/// Both streams of a recorded output.
fn recorded(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../evidence/tests/samples");
    let text = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
    let (_, streams) = text.split_once("# --- stdout ---\n").unwrap();
    let (output, errors) = streams.split_once("# --- stderr ---\n").unwrap();
    [output, errors.split("# --- ").next().unwrap()].concat()
}

#[test]
fn json_says_what_was_read_how_it_went_and_why() {
    let output = recorded("restic-partial-3-json");
    let run = run(
        &["evidence", "-", "--exit-code", "3", "--json"],
        &[],
        &output,
    );
    let answer: Value = serde_json::from_str(run.data()).unwrap();
    assert_eq!(answer["outcome"], "warning");
    assert!(
        answer["why"]
            .as_str()
            .unwrap()
            .starts_with("restic ended with 3: ")
    );
    let evidence = &answer["evidence"][0];
    assert_eq!(evidence["tool"], "restic");
    assert_eq!(evidence["files_total"], 12);
    assert_eq!(evidence["snapshot"], "a298f9e9");
    assert_eq!(evidence.get("deletes"), None);
    assert_eq!(answer["sum"]["bytes_total"], 300_006);
    assert_eq!(answer["telltales"][0]["kind"], "permission-denied");
}

#[test]
fn an_output_without_anything_known_says_where_to_look() {
    let human = run(&["evidence", "-"], &[], "all done\n");
    assert_eq!(human.data(), "ok: nothing was recognised\n");
    assert!(
        human
            .stderr
            .contains("hint: docs/evidence.md lists the tools")
    );
    let answer: Value =
        serde_json::from_str(run(&["evidence", "-", "--json"], &[], "all done\n").data()).unwrap();
    assert_eq!(answer, json!({"evidence": [], "outcome": "ok"}));
}

#[test]
fn a_file_is_read_and_a_missing_one_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("backup.log");
    std::fs::write(&file, recorded("tar-disk-full")).unwrap();
    let found = run(&["evidence", file.to_str().unwrap()], &[], "");
    assert!(
        found
            .data()
            .starts_with("failed: no space left: gzip: stdout: ")
    );
    let missing = folder.path().join("none.log");
    let refused = run(&["evidence", missing.to_str().unwrap()], &[], "");
    assert_eq!(refused.code, 3);
    assert!(refused.stderr.contains("none.log"));
}

#[test]
fn what_others_print_plays_no_tricks_on_the_terminal() {
    let output = "\u{1b}[2Jcp: a\u{202e}b: No space left on device\n";
    let run = run(&["evidence", "-"], &[], output);
    assert!(!run.data().contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn the_handbook_shows_what_is_printed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/evidence.md");
    let page = std::fs::read_to_string(file).unwrap();
    let recordings = [
        ("rsync.log", "rsync-source-empty"),
        ("restic.log", "restic-partial-3-json"),
        ("dump.log", "pg_dump-pipe-not-on-path"),
    ];
    let mut seen = 0;
    for block in page.split("$ nightbeat ").skip(1) {
        let (line, rest) = block.split_once('\n').unwrap();
        let shown = rest
            .split("```")
            .next()
            .unwrap()
            .split("$ ")
            .next()
            .unwrap();
        let (command, log) = line.split_once(" < ").unwrap();
        let recording = recordings
            .iter()
            .find(|recording| recording.0 == log)
            .unwrap();
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(
            run(&words, &[], &recorded(recording.1)).data(),
            shown,
            "{line}"
        );
        seen += 1;
    }
    assert_eq!(seen, 3);
}
