//! The recorded outputs of real tools that exit 0 without having done their work, held against the built-in rules.
//! The recordings and the versions of their tools are those of `tests/samples`.

use nightbeat_evidence::{
    Reader, Reading, Stream,
    rules::{History, RuleSet, RunFacts, evaluate},
};

/// What a recorded run printed, read as the wrapper reads it.
fn sample(name: &str) -> Reading {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples");
    let text = std::fs::read_to_string(format!("{folder}/{name}.txt")).unwrap();
    let (_, rest) = text.split_once("# --- stdout ---\n").unwrap();
    let (output, rest) = rest.split_once("# --- stderr ---\n").unwrap();
    let mut reader = Reader::new();
    reader.push(Stream::Output, output.as_bytes());
    reader.push(
        Stream::Errors,
        rest.split("# --- ").next().unwrap().as_bytes(),
    );
    reader.finish(Some(0))
}

fn first_night(name: &str) -> String {
    let facts = RunFacts::read(Some(&sample(name)));
    let broken = evaluate(&RuleSet::default(), &facts, &History::default());
    let told = broken
        .iter()
        .map(|rule| format!("{}: {}", rule.rule, rule.explanation));
    told.collect::<Vec<_>>().join("; ")
}

#[test]
fn an_empty_source_is_told_on_the_first_night() {
    for (name, said) in [
        (
            "rsync-source-empty",
            "rsync said \"Number of files: 1 (dir: 1)\"",
        ),
        (
            "restic-source-empty-text",
            "restic said \"processed 0 files, 0 B in 0:00\"",
        ),
        ("borg12-source-empty", "borg said"),
        ("rclone-source-empty", "rclone said"),
        ("duplicity-source-empty", "duplicity said \"SourceFiles 1\""),
    ] {
        let told = first_night(name);
        assert!(
            told.starts_with("builtin nothing_read: no file was read; "),
            "{name}: {told}"
        );
        assert!(told.contains(said), "{name}: {told}");
    }
}

#[test]
fn a_good_first_night_is_quiet() {
    for name in [
        "rsync-success",
        "rsync-success-nochange",
        "rsync-success-v",
        "rsync-locale-de",
        "rsync-success-human",
        "restic-success-json",
        "restic-success-quiet-json",
        "restic-forget-json",
        "borg12-success-json",
        "borg12-success-stats",
        "rclone-success-copy-v",
        "rclone-success-jsonlog",
        "rclone-success-oneline",
        "rclone-nothing-v",
        "duplicity-success",
        "duplicity-incr-nochange",
        "pg_basebackup-success",
        "pg_dump-success",
        "pg_dump-verbose",
        "snapraid-status",
        "tar-success-plain",
        "sqlite-backup-success",
    ] {
        assert_eq!(first_night(name), "", "{name}");
    }
}

#[test]
fn an_archive_of_nothing_is_told_once_five_good_ones_are_known() {
    // tar does not count files, and even an empty archive has ten kibibytes.
    let rules = RuleSet::default();
    let empty = RunFacts::read(Some(&sample("tar-source-empty")));
    let mut history = History::default();
    let mut good = sample("tar-source-empty");
    good.evidence[0].bytes_total = Some(327_680);
    let good = RunFacts::read(Some(&good));
    for _ in 0..5 {
        assert_eq!(evaluate(&rules, &empty, &history), []);
        history.push(&good, &rules);
    }
    let broken = evaluate(&rules, &empty, &history);
    assert_eq!(broken.len(), 1);
    assert!(
        broken[0]
            .explanation
            .starts_with("the source held 10 KiB, less than 50% of what is usual, 320 KiB")
    );
}
