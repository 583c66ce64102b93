//! Signals: handed on to the whole group, once; nobody is left behind.

use std::process::Command;

use crate::support::{Beats, Begun, ID, Machine, lives, until};

#[test]
fn each_signal_is_handed_on() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    for name in ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"] {
        // `wait` is interrupted by a signal that is trapped.
        let line = format!(
            "trap 'echo got {name}; exit 7' {name}; echo ready; while :; do sleep 0.05; done"
        );
        let mut begun = machine.begin(&[], &line);
        assert_eq!(begun.line(), "ready");
        begun.signal(name);
        let ran = begun.end();
        assert_eq!(
            (ran.code, ran.text().as_str()),
            (Some(7), format!("got {name}\n").as_str())
        );
        assert_eq!(beats.last().tail, "/7");
    }
    assert!(!beats.last().text().contains("handed on"));
}

#[test]
fn the_whole_group_gets_it() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    // The shell waits for a child that would never end by itself.
    let mut begun = machine.begin(&[], "sleep 1000 & echo $!; wait");
    let pid = begun.line();
    begun.signal("TERM");
    let ran = begun.end();
    assert_eq!(ran.code, Some(143));
    until("the grandchild is gone", || !lives(&pid));
    let end = beats.last();
    assert_eq!(end.tail, "/143");
    assert!(
        end.text()
            .contains("told to end by signal 15, which we handed on")
    );
}

#[test]
fn what_ignores_the_end_of_its_group_is_killed() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let line = "(trap '' TERM; echo ready; exec sleep 1000) & echo $! > pid; wait";
    let mut begun = machine.begin(&["--kill-after", "1s"], line);
    assert_eq!(begun.line(), "ready");
    let file = machine.home.path().join("pid");
    let pid = || std::fs::read_to_string(&file).unwrap_or_default();
    until("its number is written", || pid().ends_with('\n'));
    let pid = pid();
    begun.signal("TERM");
    assert_eq!(begun.end().code, Some(143));
    until("the stubborn one is gone", || !lives(pid.trim()));
}

/// Nobody asked us first: the kernel was out of memory, or somebody was out of patience.
#[test]
fn killed_without_a_warning_it_leaves_no_orphan() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let mut begun = machine.begin(&[], "sleep 1000 & echo $$ $!; wait");
    let line = begun.line();
    let pids: Vec<&str> = line.split(' ').collect();
    beats.until(1);
    begun.signal("KILL");
    // Its stdout is closed when the whole group is gone.
    assert_eq!(begun.end().code, None);
    until("all are gone", || !pids.iter().any(|pid| lives(pid)));
    // The server knows of the start, and will miss the end.
    assert_eq!(beats.tails(), ["/start"]);
}

#[test]
fn what_nohup_ignores_stays_ignored() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let mut command = Command::new("nohup");
    command.args([env!("CARGO_BIN_EXE_nightbeat"), "run", ID, "--", "sh", "-c"]);
    command.arg("echo ready; while ! test -e go; do sleep 0.05; done; echo end");
    machine.prepare(&mut command);
    let mut begun = Begun(command.spawn().unwrap());
    assert_eq!(begun.line(), "ready");
    begun.signal("HUP");
    machine.file("go", "");
    let ran = begun.end();
    assert_eq!((ran.code, ran.text().as_str()), (Some(0), "end\n"));
}

/// The terminal tells its whole foreground group; a second one from us would end a job that asks "really?".
#[test]
fn a_terminals_interrupt_reaches_the_job_once() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let job = machine.file(
        "job.sh",
        "n=0\ntrap 'n=$((n + 1)); echo int $n' INT\necho ready\n\
         while ! test -e go; do sleep 0.05; done\necho \"ended after $n\"\n",
    );
    let line = format!(
        "exec '{}' run {ID} -- sh '{}'",
        env!("CARGO_BIN_EXE_nightbeat"),
        job.display()
    );
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]);
    machine.prepare(&mut command);
    command.stdin(std::process::Stdio::piped());
    let mut begun = Begun(command.spawn().unwrap());
    assert_eq!(begun.line(), "ready\r");
    let mut keys = begun.0.stdin.take().unwrap();
    std::io::Write::write_all(&mut keys, b"\x03").unwrap();
    while !begun.line().contains("int 1") {}
    machine.file("go", "");
    let mut last = begun.line();
    while !last.contains("ended after") {
        last = begun.line();
    }
    assert_eq!(last, "ended after 1\r");
    drop(keys);
    assert_eq!(begun.end().code, Some(0));
}

#[test]
fn as_the_first_process_of_a_container_it_reaps_and_hands_on() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    // An orphan in the container becomes ours; it has ended long before the zombies are counted.
    let count = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l";
    let line = format!(
        "trap 'echo got TERM; exit 9' TERM; (sleep 0.1 &); sleep 1; echo zombies $({count}); \
         echo ready; while :; do sleep 0.05; done"
    );
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
    command.args([
        env!("CARGO_BIN_EXE_nightbeat"),
        "run",
        ID,
        "--",
        "sh",
        "-c",
        &line,
    ]);
    machine.prepare(&mut command);
    let mut begun = Begun(command.spawn().unwrap());
    let first = begun.line();
    if first.is_empty() {
        // No rights to make a namespace: an unprivileged CI. It must have said so.
        let ran = begun.end();
        assert!(ran.stderr.contains("unshare"), "{ran:?}");
        return;
    }
    assert_eq!(
        (first.as_str(), begun.line().as_str()),
        ("zombies 0", "ready")
    );
    let children = format!("/proc/{0}/task/{0}/children", begun.0.id());
    let inner = std::fs::read_to_string(children).unwrap();
    let sent = Command::new("kill")
        .args(["-s", "TERM", inner.trim()])
        .status();
    assert!(sent.unwrap().success());
    let ran = begun.end();
    assert_eq!((ran.code, ran.text().as_str()), (Some(9), "got TERM\n"));
    assert_eq!(beats.tails(), ["/start", "/9"]);
}

/// At a terminal the job has no group of its own, and what is below it must end all the same.
#[test]
fn at_a_terminal_a_time_limit_ends_all_that_is_below_the_job() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let line = format!(
        "'{}' run {ID} --timeout 1s -- sh -c 'sleep 1000 & echo $! > pid; wait'",
        env!("CARGO_BIN_EXE_nightbeat")
    );
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]);
    machine.prepare(&mut command);
    assert_eq!(command.status().unwrap().code(), Some(124));
    let pid = std::fs::read_to_string(machine.home.path().join("pid")).unwrap();
    until("the grandchild is gone", || !lives(pid.trim()));
    assert_eq!(beats.last().tail, "/124");
}
