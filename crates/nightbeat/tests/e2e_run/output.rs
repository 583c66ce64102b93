//! The output: passed on as it is, kept with marks and without secrets.

use std::process::Command;

use crate::support::{Beats, ID, Machine, lives, until};

#[test]
fn both_streams_are_passed_on_apart_and_kept_together() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let ran = machine.sh(&[], "echo out; echo err >&2; printf end");
    assert_eq!(
        (ran.text().as_str(), ran.stderr.as_str()),
        ("out\nend", "err\n")
    );
    let text = beats.last().text();
    assert!(
        text.contains("out\n") && text.contains("[stderr] err\n"),
        "{text}"
    );
    assert!(text.lines().any(|line| line == "end"), "{text}");
}

#[test]
fn binary_output_of_many_megabytes_is_passed_on_to_the_last_byte() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let noise = machine.home.path().join("noise");
    let made = Command::new("sh")
        .args(["-c", "head -c 50000000 /dev/urandom > \"$0\""])
        .arg(&noise)
        .status();
    assert!(made.unwrap().success());
    let ran = machine.nightbeat(&["run", ID, "--", "cat", noise.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout == std::fs::read(&noise).unwrap(),
        "the same bytes"
    );
    let body = beats.last().body;
    assert!((90_000..=100_000).contains(&body.len()), "{}", body.len());
    assert_eq!(body[..1_000], ran.stdout[..1_000]);
    assert_eq!(
        body[body.len() - 1_000..],
        ran.stdout[ran.stdout.len() - 1_000..]
    );
}

#[test]
fn the_servers_limit_is_kept_to() {
    let beats = Beats::keeping(2_000);
    let machine = Machine::new(&beats.url());
    // The start's answer, which tells the limit, comes while the job runs.
    let ran = machine.sh(&[], "seq 10000; sleep 1");
    assert_eq!(ran.text().lines().count(), 10_000);
    let text = beats.last().text();
    assert!(text.len() <= 2_000, "{}", text.len());
    assert!(text.starts_with("1\n2\n") && text.contains("bytes cut"));
    assert!(text.ends_with("\n10000\n"), "{text}");
}

#[test]
fn secrets_are_passed_on_but_not_kept() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url()).with("RESTIC_PASSWORD", "correct horse");
    let ran = machine.sh(
        &[],
        "echo \"password is $RESTIC_PASSWORD\"; echo rest:https://ann:battery@host/ >&2",
    );
    assert_eq!(ran.text(), "password is correct horse\n");
    assert_eq!(ran.stderr, "rest:https://ann:battery@host/\n");
    let text = beats.last().text();
    assert!(text.contains("password is ***"), "{text}");
    assert!(
        text.contains("[stderr] rest:https://ann:***@host/"),
        "{text}"
    );
}

#[test]
fn no_output_is_sent_where_none_is_wanted() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    assert_eq!(
        machine.sh(&["--no-output"], "echo private").quietly(0),
        "private\n"
    );
    assert_eq!(beats.last().text(), "");
}

#[test]
fn a_grandchild_that_keeps_the_pipe_open_holds_nobody_up_and_lives_on() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    // `setsid` waits for us, not for the grandchild; its output goes to a file, or the test would wait.
    let line = "sleep 1000 & echo $! > pid; echo done";
    let out = std::fs::File::create(machine.home.path().join("out")).unwrap();
    let err = out.try_clone().unwrap();
    let mut command = machine.command(&["run", ID, "--", "sh", "-c", line]);
    let code = command.stdout(out).stderr(err).status().unwrap().code();
    assert_eq!(code, Some(0));
    assert_eq!(beats.last().tail, "/0");
    assert_eq!(beats.last().text(), "done\n");
    let pid = std::fs::read_to_string(machine.home.path().join("pid")).unwrap();
    assert!(lives(pid.trim()));
    Command::new("kill").arg(pid.trim()).status().unwrap();
    until("it is gone", || !lives(pid.trim()));
}

#[test]
fn a_grandchild_that_never_stops_talking_holds_nobody_up() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let line = "(while :; do echo more; sleep 0.02; done) & echo $! > pid; echo done";
    let ran = machine.sh(&[], line);
    assert_eq!(ran.code, Some(0));
    assert_eq!(beats.last().tail, "/0");
    let pid = std::fs::read_to_string(machine.home.path().join("pid")).unwrap();
    Command::new("kill").arg(pid.trim()).status().ok();
}

#[test]
fn what_a_slow_reader_has_not_taken_yet_is_not_lost() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let line = format!(
        "'{}' run {ID} -- seq 20000 | (sleep 3; cat)",
        env!("CARGO_BIN_EXE_nightbeat")
    );
    let mut command = Command::new("setsid");
    command.args(["--wait", "sh", "-c", &line]);
    machine.prepare(&mut command);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 20_000);
    assert_eq!(text.lines().last(), Some("20000"));
}

#[test]
fn the_output_of_a_terminal_is_the_terminals() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let line = format!(
        "'{}' run {ID} -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo a terminal'",
        env!("CARGO_BIN_EXE_nightbeat")
    );
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]);
    machine.prepare(&mut command);
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "a terminal\r\n");
    assert_eq!(
        (output.status.code(), beats.last().text().as_str()),
        (Some(0), "")
    );
}
