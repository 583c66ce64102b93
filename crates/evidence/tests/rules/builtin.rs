//! The built-in rules, one after the other: what each finds, what it leaves alone, how it is tuned.

use nightbeat_evidence::{
    Reading, Severity, TelltaleKind,
    rules::{History, RuleSet, RunFacts, evaluate},
};

use crate::cast::{
    GIB, facts, judged, names, nights, reading, reported, restic, rsync, rules, telltale,
};

use Severity::{Failure, Warning};

/// A fortnight of rsync: 1,000 files, 10 GiB, 20 minutes.
fn fortnight() -> History {
    nights(14, &ordinary())
}

fn ordinary() -> RunFacts {
    facts(&[rsync(1_000, 10 * GIB)]).lasted(Some(1_200.0))
}

fn run(files: u64, gib: u64) -> RunFacts {
    facts(&[rsync(files, gib * GIB)]).lasted(Some(1_200.0))
}

/// The one sentence that is said.
fn sentence(facts: &RunFacts, history: &History) -> String {
    let broken = judged(facts, history);
    assert_eq!(broken.len(), 1, "{broken:?}");
    broken[0].explanation.clone()
}

#[test]
fn an_ordinary_night_breaks_nothing() {
    assert_eq!(judged(&ordinary(), &fortnight()), []);
    assert_eq!(judged(&ordinary(), &History::default()), []);
    assert_eq!(judged(&RunFacts::read(None), &History::default()), []);
    assert_eq!(
        judged(
            &RunFacts::read(Some(&Reading::default())),
            &History::default()
        ),
        []
    );
}

#[test]
fn nothing_read_fails_the_first_night_already() {
    let empty = facts(&[rsync(0, 0)]);
    let first = judged(&empty, &History::default());
    assert_eq!(names(&first), [("builtin nothing_read", Failure)]);
    assert_eq!(
        first[0].explanation,
        "no file was read; rsync said \"Number of files: 0\""
    );
    assert_eq!(
        sentence(&empty, &fortnight()),
        "no file was read, usual is 1,000; rsync said \"Number of files: 0\""
    );
    // A tool that counts no files.
    let mut bytes = rsync(0, 0);
    bytes.files_total = None;
    assert_eq!(
        sentence(&facts(&[bytes]), &History::default()),
        "not one byte was read; rsync said \"Number of files: 0\""
    );
}

#[test]
fn files_that_are_all_empty_are_files() {
    assert_eq!(judged(&facts(&[rsync(3, 0)]), &History::default()), []);
}

#[test]
fn a_tool_that_says_no_numbers_read_not_nothing() {
    let mut silent = rsync(0, 0);
    silent.files_total = None;
    silent.bytes_total = None;
    assert_eq!(judged(&facts(&[silent]), &History::default()), []);
}

#[test]
fn one_of_several_sources_is_empty() {
    let half = facts(&[rsync(500, GIB), rsync(0, 0)]);
    let first = judged(&half, &History::default());
    assert_eq!(names(&first), [("builtin nothing_read", Warning)]);
    assert_eq!(
        first[0].explanation,
        "1 of 2 runs of tools read nothing; rsync said \"Number of files: 0\""
    );
    // Never before: it fails.
    let full = nights(14, &facts(&[rsync(500, GIB), rsync(20, GIB)]));
    let broken = judged(&half, &full);
    assert_eq!(names(&broken), [("builtin nothing_read", Failure)]);
    assert!(
        broken[0]
            .explanation
            .contains("not usual in the last 14 good runs"),
        "{broken:?}"
    );
    // A source that is always empty is left alone after the five nights on which it was pointed out.
    let mut history = History::default();
    for night in 0..10 {
        let expected = usize::from(night < 5);
        assert_eq!(judged(&half, &history).len(), expected, "night {night}");
        history.push(&half, &RuleSet::default());
    }
    // And a second empty one is not.
    let two = facts(&[rsync(500, GIB), rsync(0, 0), rsync(0, 0)]);
    assert_eq!(
        names(&judged(&two, &history)),
        [("builtin nothing_read", Failure)]
    );
}

#[test]
fn a_dry_run_that_was_left_in_fails() {
    let mut rehearsal = rsync(1_000, 10 * GIB);
    rehearsal.dry_run = Some(true);
    rehearsal.line = "total size is 10 speedup is 1.00 (DRY RUN)".to_owned();
    let broken = judged(&facts(&[rehearsal.clone()]), &History::default());
    assert_eq!(names(&broken), [("builtin dry_run", Failure)]);
    assert_eq!(
        broken[0].explanation,
        "rsync only rehearsed (a dry run), so nothing was saved; rsync said \"total size is 10 speedup is 1.00 (DRY RUN)\""
    );
    // Beside others that were in earnest, too.
    let others = facts(&[rehearsal.clone(), rsync(5, 5), restic(1_000, 10)]);
    assert_eq!(
        names(&judged(&others, &History::default())),
        [("builtin dry_run", Failure)]
    );
    // But a rehearsal with the same run behind it is how careful scripts count deletions.
    let careful = facts(&[rehearsal.clone(), rsync(1_003, 10 * GIB)]);
    assert_eq!(judged(&careful, &History::default()), []);
    let wrong_way = facts(&[rsync(1_000, 10 * GIB), rehearsal]);
    assert_eq!(judged(&wrong_way, &History::default()).len(), 1);
}

#[test]
fn a_tool_that_always_spoke_is_missed() {
    let both = facts(&[rsync(10, GIB), restic(10, GIB)]);
    let history = nights(6, &both);
    let broken = judged(&facts(&[rsync(10, 2 * GIB)]), &history);
    assert_eq!(names(&broken), [("builtin silent", Failure)]);
    assert_eq!(
        broken[0].explanation,
        "nothing of restic was found in the output, but in each of the last 6 good runs"
    );
    let mut not_found = Reading::default();
    let line = "backup.sh: line 4: restic: command not found";
    not_found
        .telltales
        .push(telltale(TelltaleKind::CommandNotFound, "backup.sh", line));
    assert_eq!(
        sentence(&RunFacts::read(Some(&not_found)), &history),
        "nothing of rsync and restic was found in the output, but in each of the last 6 good runs; \
         backup.sh said \"backup.sh: line 4: restic: command not found\""
    );
    // An empty output says nothing either; no output at all is another way to signal.
    assert_eq!(
        judged(&RunFacts::read(Some(&Reading::default())), &history).len(),
        1
    );
    assert_eq!(judged(&RunFacts::read(None), &history), []);
    // Four nights are too few, and a tool that is not there each night is not missed.
    assert_eq!(judged(&facts(&[rsync(10, GIB)]), &nights(4, &both)), []);
    let mut weekly = nights(5, &facts(&[rsync(20, 2 * GIB)]));
    weekly.push(&both, &RuleSet::default());
    assert_eq!(judged(&facts(&[rsync(20, 2 * GIB)]), &weekly), []);
}

#[test]
fn a_source_below_half_of_what_is_usual_has_shrunk() {
    assert_eq!(judged(&run(1_000, 5), &fortnight()), []);
    let broken = judged(&run(900, 4), &fortnight());
    assert_eq!(names(&broken), [("builtin shrunk 50%", Failure)]);
    assert_eq!(
        broken[0].explanation,
        "the source held 4 GiB, less than 50% of what is usual, 10 GiB (the median of the last 14 good runs); \
         rsync said \"Number of files: 900\""
    );
    // Not on fewer than five good runs.
    assert_eq!(judged(&run(900, 4), &nights(4, &ordinary())), []);
    assert_eq!(judged(&run(900, 4), &nights(5, &ordinary())).len(), 1);
}

#[test]
fn fewer_files_of_the_same_size_are_only_pointed_out() {
    let broken = judged(&run(100, 9), &fortnight());
    assert_eq!(names(&broken), [("builtin shrunk 50%", Warning)]);
    assert!(
        broken[0].explanation.starts_with("100 files were seen"),
        "{broken:?}"
    );
    // Where the size is not known, they decide.
    let mut counted = rsync(1_000, 0);
    counted.bytes_total = None;
    let history = nights(14, &facts(&[counted.clone()]));
    counted.files_total = Some(400);
    assert_eq!(
        names(&judged(&facts(&[counted]), &history)),
        [("builtin shrunk 50%", Failure)]
    );
    // Of a handful of files, half come and go.
    let few = nights(14, &facts(&[rsync(9, GIB)]));
    assert_eq!(judged(&facts(&[rsync(2, GIB)]), &few), []);
}

#[test]
fn small_runs_that_take_turns_with_large_ones_are_usual() {
    // Full archives, and now and then a small one.
    let mut history = History::default();
    for night in 0..14 {
        history.push(
            &run(1_000, if night % 3 == 0 { 1 } else { 100 }),
            &RuleSet::default(),
        );
    }
    assert_eq!(judged(&run(1_000, 1), &history), []);
    assert_eq!(
        judged(
            &facts(&[rsync(1_000, GIB / 2)]).lasted(Some(1_200.0)),
            &history
        )
        .len(),
        1
    );
}

#[test]
fn deleting_more_than_half_of_what_was_there_fails() {
    let deleting = |files: u64, deletes: u64| {
        let mut evidence = rsync(files, 10 * GIB);
        evidence.deletes = Some(deletes);
        facts(&[evidence]).lasted(Some(1_200.0))
    };
    assert_eq!(judged(&deleting(600, 500), &fortnight()), []);
    let broken = judged(&deleting(990, 501), &fortnight());
    assert_eq!(names(&broken), [("builtin many_deletes 50%", Failure)]);
    assert_eq!(
        broken[0].explanation,
        "501 files were deleted, more than 50% of the 1,000 that were there, usual is 0; \
         rsync said \"Number of files: 990\""
    );
    assert_eq!(judged(&deleting(990, 501), &nights(4, &ordinary())), []);
    // A folder in which everything is new each night.
    let history = nights(5, &deleting(1_000, 1_000));
    assert_eq!(judged(&deleting(1_000, 1_000), &history), []);
    // A wiped backup is told on the first night, by the empty source.
    let wiped = judged(&deleting(0, 15), &History::default());
    assert_eq!(names(&wiped), [("builtin nothing_read", Failure)]);
    // And later with both: what was read, and what is gone.
    let wiped = judged(&deleting(0, 1_000), &fortnight());
    assert_eq!(
        names(&wiped),
        [
            ("builtin nothing_read", Failure),
            ("builtin many_deletes 50%", Failure)
        ]
    );
}

#[test]
fn a_tenth_of_the_usual_time_is_too_fast() {
    let took = |seconds: f64| facts(&[rsync(1_000, 10 * GIB)]).lasted(Some(seconds));
    assert_eq!(judged(&took(120.0), &fortnight()), []);
    // It saw all there is, so nothing is lost: a warning.
    let broken = judged(&took(119.0), &fortnight());
    assert_eq!(names(&broken), [("builtin too_fast 10%", Warning)]);
    assert_eq!(
        broken[0].explanation,
        "the run took 1 min 59 s, less than 10% of what is usual, 20 min (the median of the last 14 good runs), \
         though it saw as much as usual; rsync said \"Number of files: 1000\""
    );
    assert_eq!(judged(&took(1.0), &nights(4, &ordinary())), []);
    // Nothing says that it saw anything: it failed.
    let mut mute = rsync(1, 1);
    mute.files_total = None;
    mute.bytes_total = None;
    let mute = facts(&[mute]);
    let history = nights(14, &mute.clone().lasted(Some(1_200.0)));
    assert_eq!(
        names(&judged(&mute.lasted(Some(0.3)), &history)),
        [("builtin too_fast 10%", Failure)]
    );
    // A shrunken source is fast, too: one sentence is enough.
    let small = facts(&[rsync(10, GIB)]).lasted(Some(3.0));
    assert_eq!(
        names(&judged(&small, &fortnight())),
        [("builtin shrunk 50%", Failure)]
    );
    // Seconds vary for no reason.
    let quick = nights(14, &took(9.0));
    assert_eq!(judged(&took(0.1), &quick), []);
}

#[test]
fn a_job_without_a_known_tool_is_judged_where_asked_for() {
    let gickup = |seconds: f64| RunFacts::read(None).lasted(Some(seconds));
    let history = nights(14, &gickup(1_200.0));
    assert_eq!(judged(&gickup(0.331), &history), []);
    let broken = evaluate(&rules(&["builtin too_fast on"]), &gickup(0.331), &history);
    assert_eq!(names(&broken), [("builtin too_fast on 10%", Failure)]);
    let zero = reported(&[("files_total", 0.0)]);
    assert_eq!(judged(&zero, &History::default()), []);
    let broken = evaluate(
        &rules(&["builtin nothing_read on"]),
        &zero,
        &History::default(),
    );
    assert_eq!(broken[0].explanation, "no file was read");
}

#[test]
fn built_in_rules_can_be_tuned_and_switched_off() {
    let said = |texts: &[&str], facts: &RunFacts| {
        let broken = evaluate(&rules(texts), facts, &fortnight());
        let told = broken
            .iter()
            .map(|rule| format!("{} {:?}", rule.rule, rule.severity));
        told.collect::<Vec<_>>().join("; ")
    };
    let four = run(1_000, 4);
    assert_eq!(said(&[], &four), "builtin shrunk 50% Failure");
    assert_eq!(said(&["builtin shrunk off"], &four), "");
    assert_eq!(said(&["builtin shrunk 30%"], &four), "");
    assert_eq!(
        said(&["builtin shrunk 30%"], &run(1_000, 2)),
        "builtin shrunk 30% Failure"
    );
    assert_eq!(
        said(&["builtin shrunk else warning"], &four),
        "builtin shrunk 50% else warning Warning"
    );
    assert_eq!(
        said(&["builtin all else warning"], &four),
        "builtin shrunk 50% else warning Warning"
    );
    assert_eq!(said(&["builtin all off"], &four), "");
    // A later line counts, and who tunes a rule wants it.
    assert_eq!(
        said(&["builtin all off", "builtin shrunk 45%"], &four),
        "builtin shrunk 45% Failure"
    );
    assert_eq!(said(&["builtin shrunk 45%", "builtin all off"], &four), "");
    assert_eq!(
        said(&["builtin shrunk off", "builtin all else warning"], &four),
        ""
    );
    let rules = rules(&["builtin all off"]);
    assert!(rules.is_off() && !RuleSet::default().is_off());
}

#[test]
fn what_a_broken_rule_calls_itself_can_be_copied_into_the_list() {
    let empty = facts(&[rsync(0, 0)]);
    let mut all = judged(&empty, &fortnight());
    all.extend(judged(&run(900, 4), &fortnight()));
    for broken in all {
        let copied = format!("{} else warning", broken.rule);
        RuleSet::parse(&[copied.as_str()]).unwrap();
    }
}

#[test]
fn failures_are_told_before_warnings() {
    let mut evidence = rsync(1_000, 10 * GIB);
    evidence.deletes = Some(900);
    let run = RunFacts::read(Some(&reading(&[evidence]))).lasted(Some(3.0));
    let list = rules(&["errors > 0 else warning", "files_total > 5000"]);
    let broken = evaluate(&list, &run, &fortnight());
    assert_eq!(
        names(&broken),
        [
            ("builtin many_deletes 50%", Failure),
            ("files_total > 5000", Failure),
            ("builtin too_fast 10%", Warning),
            ("errors > 0 else warning", Warning),
        ]
    );
}
