//! How rules of one's own judge, and the sentence that they say.

use nightbeat_evidence::{
    Outcome, Reading, Severity, TelltaleKind,
    rules::{History, RunFacts},
};

use crate::cast::{GIB, MIB, facts, nights, own, reading, reported, restic, rsync, said, telltale};

fn none() -> History {
    History::default()
}

#[test]
fn the_sentence_says_what_was_seen_what_is_wanted_what_is_usual_and_the_line() {
    let usual = nights(14, &facts(&[rsync(13_420, 12 * GIB)]));
    let empty = facts(&[rsync(0, 0)]);
    let broken = own("files_total > 0", &empty, &usual).unwrap();
    assert_eq!(broken.rule, "files_total > 0");
    assert_eq!(broken.severity, Severity::Failure);
    assert_eq!(
        broken.explanation,
        "0 files were seen, wanted is more than 0, usual is 13,420; rsync said \"Number of files: 0\""
    );
}

#[test]
fn a_share_of_what_is_usual_says_of_what() {
    let usual = nights(14, &facts(&[rsync(13_420, 12 * GIB)]));
    let rule = "bytes_total >= 50% of median(14) else warning";
    assert_eq!(own(rule, &facts(&[rsync(13_420, 6 * GIB)]), &usual), None);
    let broken = own(rule, &facts(&[rsync(13_420, 6 * GIB - 1)]), &usual).unwrap();
    assert_eq!(broken.severity, Severity::Warning);
    assert_eq!(broken.rule, rule);
    assert_eq!(
        broken.explanation,
        "the source held 6 GiB, wanted is at least 6 GiB (50% of the median of the last 14 good runs, 12 GiB); \
         rsync said \"Number of files: 13420\""
    );
}

#[test]
fn median_max_min_and_last_look_at_as_many_runs_as_they_say() {
    let mut history = none();
    for files in [1_000, 10, 20, 30, 40, 50] {
        history.push(
            &facts(&[rsync(files, MIB)]),
            &nightbeat_evidence::rules::RuleSet::default(),
        );
    }
    let holds =
        |rule: &str, files: u64| said(rule, &facts(&[rsync(files, MIB)]), &history).is_empty();
    assert!(holds("files_total >= median(5)", 30) && !holds("files_total >= median(5)", 29));
    assert!(holds("files_total >= median(6)", 35) && !holds("files_total >= median(6)", 34));
    assert!(holds("files_total <= max(5)", 50) && !holds("files_total <= max(5)", 51));
    assert!(holds("files_total <= max(6)", 1_000));
    assert!(holds("files_total >= min(5)", 10) && !holds("files_total >= min(5)", 9));
    assert!(holds("files_total >= last", 50) && !holds("files_total >= last", 49));
    assert!(holds(
        "files_total between 50% of last and 200% of last",
        25
    ));
    assert!(!holds(
        "files_total between 50% of last and 200% of last",
        101
    ));
}

#[test]
fn with_too_few_good_runs_only_zero_is_judged() {
    let four = nights(4, &facts(&[rsync(100, GIB)]));
    let rule = "bytes_total >= 50% of median(14)";
    assert_eq!(said(rule, &facts(&[rsync(1, 1)]), &four), "");
    assert_eq!(
        said(rule, &facts(&[rsync(0, 0)]), &none()),
        "the source held 0 B; that is too little without any comparison; rsync said \"Number of files: 0\""
    );
    let five = nights(5, &facts(&[rsync(100, GIB)]));
    assert_ne!(said(rule, &facts(&[rsync(1, 1)]), &five), "");
    // Zero breaks no rule that only asks for little.
    assert_eq!(
        said(
            "deletes <= 200% of median(14)",
            &facts(&[rsync(9, 9)]),
            &none()
        ),
        ""
    );
    // Who asks for the last three, or the last, is told by these.
    let three = nights(3, &facts(&[rsync(100, GIB)]));
    assert_ne!(
        said("bytes_total >= median(3)", &facts(&[rsync(1, 1)]), &three),
        ""
    );
    let one = nights(1, &facts(&[rsync(100, GIB)]));
    assert_ne!(
        said("bytes_total >= last", &facts(&[rsync(1, 1)]), &one),
        ""
    );
    assert_eq!(
        said("bytes_total >= last", &facts(&[rsync(1, 1)]), &none()),
        ""
    );
}

#[test]
fn a_field_that_was_not_read_breaks_its_rule() {
    let nothing = RunFacts::read(None);
    let silent = RunFacts::read(Some(&Reading::default()));
    assert_eq!(
        said("files_total > 0", &nothing, &none()),
        "files_total is not known: nothing was read, the signal carried no output"
    );
    assert_eq!(
        said("files_total < 100", &silent, &none()),
        "files_total is not known: nothing was read, no known tool reports in the output"
    );
    assert_eq!(
        said("deletes == 0", &facts(&[restic(5, 5)]), &none()),
        "deletes is not known: nothing was read, restic did not say it"
    );
    let usual = nights(14, &facts(&[rsync(13_420, 12 * GIB)]));
    let mut not_found = Reading::default();
    let line = "sh: 1: rsync: not found";
    not_found
        .telltales
        .push(telltale(TelltaleKind::CommandNotFound, "sh", line));
    assert_eq!(
        said("files_total > 0", &RunFacts::read(Some(&not_found)), &usual),
        "files_total is not known, usual is 13,420: nothing was read, no known tool reports in the output; \
         the output said \"sh: 1: rsync: not found\""
    );
    assert_eq!(
        said("duration > 5m", &nothing, &none()),
        "duration is not known: no start was sent, and no output says how long it took"
    );
    assert_eq!(
        said("metric(\"rows\") > 0", &nothing, &none()),
        "metric(\"rows\") is not known: neither the job nor a tool reported it (send m.rows=NUMBER with the signal)"
    );
    assert_eq!(
        said("exit_code == 0", &nothing, &none()),
        "exit_code is not known: the job sent no exit code"
    );
    assert_eq!(
        said("age(newest_file) < 26h", &nothing, &none()),
        "age(newest_file) is not known: the job reported no newest_file (send m.newest_file=UNIX_SECONDS with the signal)"
    );
    // A comparison that cannot be made yet misses nothing.
    assert_eq!(
        said("files_total >= 50% of median(14)", &nothing, &none()),
        ""
    );
    assert_ne!(
        said("files_total >= 50% of median(14)", &nothing, &usual),
        ""
    );
}

#[test]
fn a_part_of_another_field() {
    let mut run = rsync(400, GIB);
    run.deletes = Some(81);
    let broken = said(
        "deletes <= 20% of files_total",
        &facts(&[run.clone()]),
        &none(),
    );
    assert_eq!(
        broken,
        "81 files were deleted, wanted is at most 80 (20% of files_total, 400); rsync said \"Number of files: 400\""
    );
    run.deletes = Some(80);
    assert_eq!(
        said(
            "deletes <= 20% of files_total",
            &facts(&[run.clone()]),
            &none()
        ),
        ""
    );
    run.files_total = None;
    assert_eq!(
        said("deletes <= 20% of files_total", &facts(&[run]), &none()),
        "files_total is not known: nothing was read, rsync did not say it"
    );
}

#[test]
fn durations_are_told_in_words() {
    let run = |seconds: f64| RunFacts::read(None).lasted(Some(seconds));
    let rule = "duration between 5m and 3h";
    assert_eq!(said(rule, &run(300.0), &none()), "");
    assert_eq!(said(rule, &run(10_800.0), &none()), "");
    assert_eq!(
        said(rule, &run(0.331), &none()),
        "the run took 0.331 s, wanted is at least 5 min and at most 3 h"
    );
    assert!(said(rule, &run(11_100.0), &none()).starts_with("the run took 3 h 5 min, wanted"));
    // What a tool says of its own time counts where nobody saw the start.
    let mut told = rsync(5, 5);
    told.duration = Some(400.0);
    assert_eq!(said(rule, &facts(&[told.clone()]), &none()), "");
    assert_ne!(said(rule, &facts(&[told]).lasted(Some(2.0)), &none()), "");
}

#[test]
fn no_errors_is_what_a_tool_says_that_speaks_of_none() {
    let rule = "errors == 0 else warning";
    assert_eq!(said(rule, &facts(&[rsync(5, 5)]), &none()), "");
    let mut failed = rsync(5, 5);
    failed.outcome = Outcome::Failed;
    assert!(
        said(rule, &facts(&[failed]), &none()).starts_with("1 error was reported, wanted is 0")
    );
    let mut counted = rsync(5, 5);
    counted.errors = Some(3);
    assert!(said(rule, &facts(&[counted]), &none()).starts_with("3 errors were reported"));
    let mut lines = reading(&[rsync(5, 5)]);
    let line = "cp: error writing 'b': No space left on device";
    lines
        .telltales
        .push(telltale(TelltaleKind::NoSpaceLeft, "cp", line));
    assert_eq!(
        said(rule, &RunFacts::read(Some(&lines)), &none()),
        format!("1 error was reported, wanted is 0; cp said \"{line}\"")
    );
    // Where nothing was read, nobody says that there were none.
    assert_ne!(
        said(rule, &RunFacts::read(Some(&Reading::default())), &none()),
        ""
    );
}

#[test]
fn metrics_and_ages() {
    assert_eq!(
        said("metric(\"rows\") > 0", &reported(&[("rows", 3.0)]), &none()),
        ""
    );
    assert_eq!(
        said("m.rows > 0", &reported(&[("rows", 0.0)]), &none()),
        "rows was 0, wanted is more than 0"
    );
    // 2026-11-23 00:00 UTC.
    let end = 1_795_392_000.0;
    let newest = |at: f64| reported(&[("newest_file", at)]).ended_at(Some(end));
    let rule = "age(newest_file) < 26h";
    assert_eq!(said(rule, &newest(end - 93_599.0), &none()), "");
    assert_eq!(
        said(rule, &newest(end - 180_000.0), &none()),
        "newest_file was 2 d 2 h old, wanted is less than 1 d 2 h"
    );
    // A clock that is a little fast, and one that is no clock at all: milliseconds.
    assert_eq!(said(rule, &newest(end + 60.0), &none()), "");
    assert!(said(rule, &newest(end * 1000.0), &none()).ends_with("is no time in Unix seconds"));
}

#[test]
fn a_job_may_report_the_fields_itself() {
    let run = reported(&[("files_total", 0.0)]);
    assert_eq!(
        said("files_total > 0", &run, &none()),
        "0 files were seen, wanted is more than 0"
    );
    // A tool knows better.
    let both =
        facts(&[rsync(7, 7)])
            .reported(&[nightbeat_evidence::Metric::new("files_total", 0.0).unwrap()]);
    assert_eq!(said("files_total == 7", &both, &none()), "");
}

#[test]
fn and_wants_all_or_wants_one() {
    let run = reported(&[("a", 1.0), ("b", 0.0)]);
    assert_eq!(said("m.a == 1 or m.b == 1", &run, &none()), "");
    assert_eq!(
        said("m.a == 1 and m.b == 1", &run, &none()),
        "b was 0, wanted is 1"
    );
    assert_eq!(
        said("m.a == 2 or m.b == 1", &run, &none()),
        "a was 1, wanted is 2, and b was 0, wanted is 1"
    );
    // What cannot be judged yet may hold.
    assert_eq!(
        said("m.a >= 200% of median(14) or m.b == 1", &run, &none()),
        ""
    );
    assert_ne!(
        said("m.a >= 200% of median(14) and m.b == 1", &run, &none()),
        ""
    );
}

#[test]
fn several_tools_count_together() {
    let run = facts(&[rsync(5, 5), restic(6, 6)]);
    assert_eq!(said("files_total == 11", &run, &none()), "");
    assert_eq!(
        said("warnings == 3", &run, &none()),
        "0 warnings were reported, wanted is 3; restic said \"processed 6 files\""
    );
}

#[test]
fn a_sentence_stays_short_and_on_its_line() {
    let mut run = rsync(0, 0);
    run.line = format!("Number\tof\nfiles {}", "x".repeat(300));
    let said = said("files_total > 0", &facts(&[run]), &none());
    assert!(said.contains("rsync said \"Number of files xxx"), "{said}");
    assert!(
        said.ends_with("x…\"") && said.chars().count() < 250,
        "{said}"
    );
}
