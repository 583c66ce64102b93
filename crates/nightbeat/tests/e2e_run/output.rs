//! The output: passed on as it is, kept with marks and without secrets.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::support::{Beats, ID, Machine, lives, until};

/// How much anonymous memory the wrapper may hold, in kB, whatever goes through it. All of its own is less than that
/// which a debug build needs for itself.
const MEMORY_KB_MAX: u64 = 10_000;

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

/// 100 MB in ten seconds.
#[test]
fn ten_megabytes_a_second_pass_unchanged_through_little_memory() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let noise = machine.home.path().join("noise");
    let made = Command::new("sh")
        .args(["-c", "head -c 1000000 /dev/urandom > \"$0\""])
        .arg(&noise)
        .status();
    assert!(made.unwrap().success());
    let line = "for part in $(seq 100); do cat noise; sleep 0.1; done; echo all > done; \
                while ! test -e go; do sleep 0.05; done";
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightbeat"));
    command.args(["run", ID, "--", "sh", "-c", line]);
    machine.prepare(&mut command);
    let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
    let noise = std::fs::read(&noise).unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut part = vec![0; noise.len()];
    for number in 0..100 {
        out.read_exact(&mut part).unwrap();
        assert!(part == noise, "part {number} is the same");
    }
    let done = machine.home.path().join("done");
    until("the job has written all", || done.exists());
    let held = anonymous_memory_kb(child.id());
    assert!(held < MEMORY_KB_MAX, "{held} kB");
    machine.file("go", "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(out.read(&mut part).unwrap(), 0);
    assert_eq!(beats.last().tail, "/0");
}

/// What a process holds that is not in a file: its heap and its stacks.
fn anonymous_memory_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
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
