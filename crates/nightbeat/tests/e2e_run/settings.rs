//! Where ids, keys and the server's address come from.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Beats, ID, Machine};

#[test]
fn ids_and_keys_can_stand_in_files() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let id = machine.file("id", &format!("{ID}\n"));
    let by_file = format!("file:{}", id.display());
    machine
        .nightbeat(&["run", &by_file, "--", "true"])
        .quietly(0);
    assert_eq!(beats.tails(), ["/start", "/0"]);

    let key = machine.file("key", "pk-secret\n");
    let key = format!("file:{}", key.display());
    machine
        .nightbeat(&["run", "nightly", "--ping-key", &key, "--", "true"])
        .quietly(0);
    assert_eq!(beats.last().tail, "/api/heartbeat/pk-secret/nightly/0");
    machine
        .nightbeat(&["ping", "nightly", "--ping-key", &key])
        .quietly(0);
    assert_eq!(beats.last().tail, "/api/heartbeat/pk-secret/nightly");
}

#[test]
fn a_machines_file_says_what_no_flag_and_no_variable_says() {
    let beats = Beats::start();
    let machine = Machine::new("");
    let config = machine.file(
        "agent.toml",
        &format!("url = \"{}\"\nping_key = \"pk\"\n", beats.url()),
    );
    std::fs::set_permissions(&config, PermissionsExt::from_mode(0o600)).unwrap();
    let config = config.to_str().unwrap();
    machine
        .nightbeat(&["run", "nightly", "--agent-config", config, "--", "true"])
        .quietly(0);
    assert_eq!(beats.last().tail, "/api/heartbeat/pk/nightly/0");

    std::fs::set_permissions(config, PermissionsExt::from_mode(0o644)).unwrap();
    let open = machine.nightbeat(&["run", "nightly", "--agent-config", config, "--", "true"]);
    assert!(
        open.stderr.contains("others can read the keys"),
        "{}",
        open.stderr
    );
}

/// The job is what matters; a server that cannot be told is told about.
#[test]
fn whatever_is_wrong_with_the_settings_the_job_runs() {
    let machine = Machine::new("not a url");
    let ran = machine.sh(&[], "echo ran; exit 3");
    assert_eq!((ran.code, ran.text().as_str()), (Some(3), "ran\n"));
    assert!(
        ran.stderr
            .contains("nightbeat: nothing was sent: `not a url`"),
        "{}",
        ran.stderr
    );

    let machine = Machine::new("http://127.0.0.1:9");
    let ran = machine.nightbeat(&["run", "file:/nowhere", "--", "echo", "ran"]);
    assert_eq!((ran.code, ran.text().as_str()), (Some(0), "ran\n"));
    assert!(
        ran.stderr
            .contains("cannot read the heartbeat from /nowhere"),
        "{}",
        ran.stderr
    );
    let bad = machine.file("bad.toml", "colour = 1\n");
    let ran = machine.nightbeat(&[
        "run",
        "x",
        "--agent-config",
        bad.to_str().unwrap(),
        "--",
        "true",
    ]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("unknown field `colour`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_spool_that_cannot_be_used_is_said() {
    let file = Machine::new("http://127.0.0.1:9").with("NIGHTBEAT_SPOOL", "/proc/nowhere");
    let ran = file.sh(&[], "exit 3");
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.stderr
            .contains("a signal is lost: cannot use the spool /proc/nowhere"),
        "{}",
        ran.stderr
    );
}
