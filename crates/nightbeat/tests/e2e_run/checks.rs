//! The destination: an exit code of 0 is not enough.

use crate::support::{Beats, Machine};

#[test]
fn a_dump_that_failed_in_a_pipe_is_a_failure() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let ran = machine.sh(
        &["--dump", "shop.sql.gz"],
        "no-such-dump | gzip > shop.sql.gz",
    );
    assert_eq!(ran.code, Some(0), "as always");
    let end = beats.last();
    assert_eq!(end.tail, "/fail");
    let text = end.text();
    assert!(
        text.contains("[nightbeat] check failed: the dump shop.sql.gz (20 B) holds nothing"),
        "{text}"
    );

    let dump = "{ echo '-- MySQL dump 10'; seq 1000; echo '-- Dump completed on 2026'; } | gzip > shop.sql.gz";
    machine.sh(&["--dump", "shop.sql.gz"], dump).quietly(0);
    let end = beats.last();
    assert_eq!(end.tail, "/0");
    assert!(end.metric("dump_content_bytes").unwrap() > 3_000.0);
    machine
        .sh(
            &["--dump", "shop.sql.gz"],
            &dump.replace("echo '-- Dump", "false '-- Dump"),
        )
        .code
        .unwrap();
    assert!(
        beats
            .last()
            .text()
            .contains("it does not end with `-- Dump completed`")
    );
}

#[test]
fn a_disk_that_is_not_mounted_stops_the_job_before_it_fills_another() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let root = ["--dest", "/etc", "--mounted"];
    let ran = machine.sh(
        &[&root[..], &["--check-first"]].concat(),
        "echo must not run",
    );
    assert_eq!((ran.code, ran.text().as_str()), (Some(69), ""));
    assert!(
        ran.stderr
            .contains("/etc is not mounted: it is a folder of the root disk"),
        "{}",
        ran.stderr
    );
    assert_eq!(beats.tails(), ["/fail"]);
    assert!(
        beats
            .last()
            .text()
            .contains("the job was not run: /etc is not mounted")
    );

    assert_eq!(machine.sh(&root, "echo runs").quietly(0), "runs\n");
    let end = beats.last();
    assert_eq!(end.tail, "/fail");
    assert!(end.text().contains("check failed: /etc is not mounted"));

    machine
        .sh(&["--dest", "/proc", "--mounted", "--check-first"], "true")
        .quietly(0);
    assert_eq!(beats.last().tail, "/0");
}

#[test]
fn a_job_that_writes_nothing_is_a_failure() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    std::fs::create_dir(machine.home.path().join("backup")).unwrap();
    let options = ["--dest", "backup", "--newer", "--larger", "--min-free", "1"];
    machine.sh(&options, "echo x > backup/a").quietly(0);
    let end = beats.last();
    assert_eq!(end.tail, "/0");
    assert_eq!(
        (end.metric("dest_files"), end.metric("dest_bytes")),
        (Some(1.0), Some(2.0))
    );
    assert!(end.metric("dest_free_bytes").unwrap() > 0.0);
    assert!(end.metric("newest_file").unwrap() > 1.7e9);
    machine.sh(&options, "true").quietly(0);
    let end = beats.last();
    assert_eq!(end.tail, "/fail");
    assert!(
        end.text()
            .contains("nothing in backup is newer than before the job")
    );
    // The job's own failure is the better news.
    machine.sh(&options, "exit 7").quietly(7);
    assert_eq!(beats.last().tail, "/7");
}
