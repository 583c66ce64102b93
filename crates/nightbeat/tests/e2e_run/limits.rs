//! Time limits, locks, another try, and what counts as a failure.

use crate::support::{Beats, Machine, Told, lives, until};

#[test]
fn a_job_that_runs_too_long_is_told_to_end() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let line = "trap 'echo cleaned up; exit 0' TERM; while :; do sleep 0.05; done";
    let ran = machine.sh(&["--timeout", "1s"], line);
    // Not its own 0: it did not do its work.
    assert_eq!((ran.code, ran.text().as_str()), (Some(124), "cleaned up\n"));
    let end = beats.last();
    assert_eq!(end.tail, "/124");
    assert!(
        end.text()
            .contains("it ran longer than it may and was told to end")
    );
}

#[test]
fn one_that_does_not_care_is_killed_with_all_its_group() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let line = "trap '' TERM; sleep 1000 & echo $! > pid; while :; do sleep 0.05; done";
    let ran = machine.sh(&["--timeout", "1s", "--kill-after", "1s"], line);
    assert_eq!(ran.code, Some(124));
    assert!(beats.last().text().contains("and was killed"));
    let pid = std::fs::read_to_string(machine.home.path().join("pid")).unwrap();
    until("the group is gone", || !lives(pid.trim()));
}

#[test]
fn an_overlap_is_skipped_and_reported() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let lock = machine.home.path().join("backup.lock");
    let lock = ["--lock", lock.to_str().unwrap()];
    let mut first = machine.begin(&lock, "echo ready; while ! test -e go; do sleep 0.05; done");
    assert_eq!(first.line(), "ready");
    let second = machine.sh(&lock, "echo must not run");
    assert_eq!((second.code, second.text().as_str()), (Some(75), ""));
    assert!(
        second
            .stderr
            .contains("overlap: the job was not run, because process ")
    );
    let skipped = beats.until_told("/log");
    assert!(
        skipped
            .text()
            .starts_with("[nightbeat] overlap: the job was not run")
    );
    machine.file("go", "");
    assert_eq!(first.end().code, Some(0));
    assert_eq!(machine.sh(&lock, "echo runs").quietly(0), "runs\n");
}

#[test]
fn an_overlap_can_be_waited_for() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let lock = machine.home.path().join("backup.lock");
    let lock = ["--lock", lock.to_str().unwrap(), "--overlap", "wait"];
    let mut first = machine.begin(&lock, "echo ready; while ! test -e go; do sleep 0.05; done");
    assert_eq!(first.line(), "ready");
    let second = machine.begin(&lock, "echo second");
    let waits = beats.until_told("/log").text();
    assert!(
        waits.contains("overlap: waits for the lock, which process "),
        "{waits}"
    );
    machine.file("go", "");
    assert_eq!(first.end().code, Some(0));
    assert_eq!(second.end().quietly(0), "second\n");
    let waited = |told: &Told| told.text().contains("overlap: waited ");
    let end = beats.told().into_iter().find(waited).unwrap();
    assert!(end.metric("lock_wait_seconds").is_some());

    let impatient = [&lock[..3], &["wait:1s"]].concat();
    let mut first = machine.begin(
        &impatient,
        "echo ready; while ! test -e stop; do sleep 0.05; done",
    );
    assert_eq!(first.line(), "ready");
    assert_eq!(machine.sh(&impatient, "echo never").code, Some(75));
    machine.file("stop", "");
    first.end();
}

#[test]
fn a_lock_that_cannot_be_used_does_not_keep_a_backup_from_running() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let ran = machine.sh(&["--lock", "/proc/nowhere/x"], "echo ran");
    assert_eq!((ran.code, ran.text().as_str()), (Some(0), "ran\n"));
    assert!(ran.stderr.contains("the lock /proc/nowhere/x: "));
    assert!(beats.last().text().contains("the lock /proc/nowhere/x: "));
}

#[test]
fn a_job_that_failed_is_run_again() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let line = "echo try >> tries; test $(wc -l < tries) = 3 || { echo not yet; exit 9; }";
    let ran = machine.sh(&["--retry", "4", "--retry-wait", "0s"], line);
    assert_eq!(ran.quietly(0), "not yet\nnot yet\n");
    assert_eq!(beats.tails(), ["/start", "/log", "/log", "/0"]);
    let told = beats.told();
    assert!(told[1].text().contains("not yet\n"));
    assert!(told[1].text().contains("try 1 of 5 ended with exit code 9"));
    assert_eq!(told[3].metric("attempts"), Some(3.0));

    let ran = machine.sh(&["--retry", "1", "--retry-wait", "0s"], "exit 8");
    assert_eq!(ran.code, Some(8));
    assert_eq!(beats.tails()[4..], ["/start", "/log", "/8"]);
}

#[test]
fn words_on_stderr_can_be_a_failure() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let ran = machine.sh(&["--stderr-is-failure"], "echo fine; echo hm >&2");
    assert_eq!(ran.code, Some(0), "the job's exit code stays its own");
    let end = beats.last();
    assert_eq!(end.tail, "/fail");
    assert!(end.text().contains("which counts as a failure"));
    machine.sh(&["--stderr-is-failure"], "echo fine").quietly(0);
    assert_eq!(beats.last().tail, "/0");
}

#[test]
fn some_exit_codes_are_only_a_warning() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let ran = machine.sh(&["--warn-exit", "3,24", "--retry", "5"], "exit 24");
    assert_eq!(ran.code, Some(24), "it is not run again either");
    let end = beats.last();
    assert_eq!(end.tail, "/24");
    assert!(
        end.text()
            .contains("[nightbeat] exit code 24 counts as a warning")
    );
    // An exit code alone would be a failure to the server.
    assert!(
        end.text().contains("\"outcome\":\"warning\""),
        "{}",
        end.text()
    );
}
