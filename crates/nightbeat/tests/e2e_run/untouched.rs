//! The job does not notice us: exit codes, input, output, environment.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::{Beats, ID, Machine};

#[test]
fn a_good_run_says_its_start_and_its_end_and_nothing_else() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let ran = machine.sh(&["--metric", "rows=12"], "echo done");
    assert_eq!(ran.quietly(0), "done\n");
    let told = beats.told();
    let [start, end] = &told[..] else {
        panic!("a start and an end: {told:?}");
    };
    assert_eq!((start.tail.as_str(), end.tail.as_str()), ("/start", "/0"));
    assert_eq!(start.get("rid"), end.get("rid"));
    assert_ne!(start.get("nonce"), end.get("nonce"));
    assert_eq!(
        (start.text(), end.text()),
        (String::new(), "done\n".to_owned())
    );
    // What is sent at once needs no time of its own.
    assert_eq!((start.at(), end.at()), (None, None));
    assert_eq!(end.metric("rows"), Some(12.0));
    assert!(end.metric("wall_seconds").unwrap() < 60.0);
    assert!(end.metric("cpu_seconds").unwrap() < 60.0);
    let memory = end.metric("peak_memory_bytes").unwrap();
    assert!((100_000.0..1e9).contains(&memory), "{memory}");
    assert_eq!(machine.waiting(), 0);
}

#[test]
fn exit_codes_are_those_of_a_shell() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    for (line, code) in [
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
    ] {
        machine.sh(&[], line).quietly(code);
        assert_eq!(beats.last().tail, format!("/{code}"));
    }
    assert!(beats.last().text().contains("it was ended by signal 15"));
}

#[test]
fn what_cannot_be_started_has_a_shells_exit_code_and_is_reported() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let missing = machine.nightbeat(&["run", ID, "--", "no-such-command"]);
    assert_eq!(missing.code, Some(127));
    assert_eq!(
        missing.stderr,
        "nightbeat: no-such-command: command not found\n"
    );
    assert_eq!(beats.tails(), ["/127"]);
    assert_eq!(
        beats.last().text(),
        "[nightbeat] no-such-command: command not found\n"
    );

    let plain = machine.file("plain", "not a program");
    let refused = machine.nightbeat(&["run", ID, "--", plain.to_str().unwrap()]);
    assert_eq!(refused.code, Some(126));
    assert_eq!(beats.last().tail, "/126");
}

#[test]
fn a_script_without_a_first_line_is_run_by_a_shell() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let script = machine.file("script", "echo \"$1\"; exit 4\n");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let ran = machine.nightbeat(&["run", ID, "--", script.to_str().unwrap(), "an argument"]);
    assert_eq!(ran.quietly(4), "an argument\n");
}

#[test]
fn stdin_and_the_environment_reach_the_job() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url()).with("GREETING", "hello");
    let mut command = machine.command(&[
        "run",
        ID,
        "--",
        "sh",
        "-c",
        "cat; echo $GREETING $NIGHTBEAT_RUN_ID",
    ]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"typed\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let rid = beats.last().get("rid").unwrap().to_owned();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("typed\nhello {rid}\n")
    );
}

#[test]
fn closed_stdin_stdout_and_stderr_are_no_trouble() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let line = format!(
        "exec '{}' run {ID} -- sh -c 'cat; echo out; echo err >&2; exit 5' <&- >&- 2>&-",
        env!("CARGO_BIN_EXE_nightbeat")
    );
    let mut command = Command::new("sh");
    command.args(["-c", &line]);
    machine.prepare(&mut command);
    assert_eq!(command.status().unwrap().code(), Some(5));
    assert_eq!(beats.last().tail, "/5");
}

#[test]
fn when_nobody_reads_its_output_the_job_learns_it_as_always() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let mut command = machine.command(&["run", ID, "--", "yes"]);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    // 128 + SIGPIPE.
    assert_eq!(child.wait().unwrap().code(), Some(141));
    assert_eq!(beats.last().tail, "/141");
    assert!(
        beats
            .last()
            .text()
            .contains("what read its output was gone")
    );
}

#[test]
fn a_command_line_that_is_wrong_runs_nothing() {
    let machine = Machine::new("http://127.0.0.1:9");
    assert_eq!(machine.nightbeat(&["run", ID]).code, Some(2));
    let both = machine.nightbeat(&["run", ID, "--shell", "true", "--", "true"]);
    assert_eq!(both.code, Some(2));
    assert_eq!(
        machine
            .nightbeat(&["run", ID, "--warn-exit", "0", "--", "true"])
            .code,
        Some(2)
    );
}
