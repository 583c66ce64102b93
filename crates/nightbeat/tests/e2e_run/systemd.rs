//! Under systemd: a real one, a user's manager in namespaces of its own, so that it runs also where the machine was
//! not booted with it, and touches nobody's units. Needs root; says so and does nothing where it cannot run.

use std::path::PathBuf;
use std::process::Command;

use nightbeat_testkit::is_root;

use crate::support::{Beats, ID, Machine, Ran, nobody};

/// Makes the namespaces: a cgroup of its own first, of which the inner one is the root.
const OUTSIDE: &str = r#"
set -e
exec 2>&1
[ -x /lib/systemd/systemd ] || { echo "cannot: there is no systemd"; exit 0; }
mkdir -p "$HOME/cgroups" "$HOME/runtime" "$HOME/tree"
mount -t cgroup2 none "$HOME/cgroups" || { echo "cannot: no cgroups"; exit 0; }
own="$HOME/cgroups/nightbeat-test-$$"
mkdir "$own" || { echo "cannot: no cgroup of our own"; exit 0; }
code=0
sh -c 'echo $$ > "$0/cgroup.procs"; exec unshare --mount --pid --fork --cgroup --kill-child sh -c "$1"' \
    "$own" "$INSIDE" || code=$?
find "$own" -depth -type d -exec rmdir {} +
exit $code
"#;

/// The first process of the namespaces. A manager for a user is content with less of a machine than one that boots
/// it. It ends with the exit code of the unit (`SuccessAction=exit`).
const INSIDE: &str = r#"
mount -t proc proc /proc
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
export XDG_RUNTIME_DIR="$HOME/runtime" XDG_CONFIG_HOME="$HOME"
unset INSIDE
/lib/systemd/systemd --user --unit=job.service > "$HOME/manager.log" 2>&1
"#;

/// Runs a unit with these lines in its `[Service]`; `None` where systemd cannot be had.
fn unit(machine: &Machine, lines: &str) -> Option<Ran> {
    let units: PathBuf = machine.home.path().join("systemd/user");
    std::fs::create_dir_all(&units).unwrap();
    let out = machine.home.path().join("journal");
    let text = format!(
        "[Unit]\nDefaultDependencies=no\nSuccessAction=exit\nFailureAction=exit\n\
         [Service]\nType=oneshot\nStandardOutput=append:{0}\nStandardError=append:{0}\n{lines}\n",
        out.display()
    );
    std::fs::write(units.join("job.service"), text).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", OUTSIDE]);
    machine.prepare(&mut command);
    command.env("INSIDE", INSIDE);
    let mut ran = Ran::of(&command.output().unwrap());
    if let Some(why) = ran.text().lines().find(|line| line.starts_with("cannot: ")) {
        eprintln!("{why}: this test does nothing");
        return None;
    }
    ran.stderr = ran.text();
    ran.stdout = std::fs::read(out).unwrap_or_default();
    Some(ran)
}

fn run(flags: &str, line: &str) -> String {
    let program = env!("CARGO_BIN_EXE_nightbeat");
    format!("ExecStart={program} run {ID} --linger 30s {flags} -- /bin/sh -c '{line}'")
}

#[test]
fn a_unit_ends_as_its_job_ends_and_its_output_is_in_the_journal() {
    if !is_root() {
        return;
    }
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let look = "echo out; echo err >&2; tty; echo ${INVOCATION_ID:+a unit} ${HOME:+home}; exit 3";
    let Some(ran) = unit(&machine, &run("", &look.replace('$', "$$"))) else {
        return;
    };
    let text = ran.text();
    // Two streams in one file have no order between them.
    let (errors, out): (Vec<_>, Vec<_>) = text.lines().partition(|line| *line == "err");
    assert_eq!(
        (ran.code, errors, out),
        (
            Some(3),
            vec!["err"],
            vec!["out", "not a tty", "a unit home"]
        )
    );
    assert_eq!(beats.tails(), ["/start", "/3"]);
    let text = beats.last().text();
    assert!(text.contains("[stderr] err\n"), "{text}");

    let Some(ran) = unit(&machine, &run("", "true")) else {
        return;
    };
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(beats.last().tail, "/0");
}

/// A system's service without `User=` has no HOME.
#[test]
fn without_a_home_it_runs_and_reports() {
    if !is_root() {
        return;
    }
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let lines =
        run("", "echo home: $${HOME-none}; exit 0") + "\nUnsetEnvironment=HOME USER LOGNAME SHELL";
    let Some(ran) = unit(&machine, &lines) else {
        return;
    };
    assert_eq!(
        (ran.code, ran.text().as_str()),
        (Some(0), "home: none\n"),
        "{ran:?}"
    );
    assert_eq!(beats.tails(), ["/start", "/0"]);
}

/// systemd tells all processes of the unit to end: the job, what it started, and us.
#[test]
fn a_unit_that_is_stopped_tells_its_end_and_leaves_nobody() {
    if !is_root() {
        return;
    }
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let line = "trap \"echo cleaning up; exit 9\" TERM; sleep 1000 & echo ready; wait";
    let lines = run("", line) + "\nTimeoutStartSec=2s";
    let Some(ran) = unit(&machine, &lines) else {
        return;
    };
    assert_eq!(ran.text(), "ready\ncleaning up\n", "{ran:?}");
    assert_ne!(ran.code, Some(0));
    assert_eq!(beats.tails(), ["/start", "/9"]);
}

/// With the unit ends all that it started, also what would deliver the signals later: they wait for the next call.
#[test]
fn signals_outlive_a_unit_whose_server_is_away() {
    if !is_root() {
        return;
    }
    let address = nobody();
    let machine = Machine::new(&format!("http://{address}"));
    let job = run("", "echo done").replace("--linger 30s", "");
    let Some(ran) = unit(&machine, &job) else {
        return;
    };
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(machine.waiting(), 2, "{ran:?}");
    let beats = Beats::at(address, "200 OK", 100_000);
    assert_eq!(machine.nightbeat(&["flush"]).code, Some(0));
    assert_eq!(beats.tails(), ["/start", "/0"]);
    assert_eq!(machine.waiting(), 0);
}
