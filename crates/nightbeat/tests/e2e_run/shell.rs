//! `--shell`: a line of which each step counts.

use crate::support::{Beats, ID, Machine};

#[test]
fn a_pipeline_fails_with_any_of_its_parts() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let ran = machine.nightbeat(&["run", ID, "--shell", "no-such-dump | gzip > dump.gz"]);
    assert_eq!(ran.code, Some(127));
    let end = beats.last();
    assert_eq!(end.tail, "/127");
    assert!(end.text().contains("command not found"), "{}", end.text());
}

#[test]
fn a_line_that_is_well_is_well() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    // What a script tests may fail.
    let line = "if false; then echo no; fi; false || true; grep -q x /dev/null && echo no; ! false; echo well";
    assert_eq!(
        machine.nightbeat(&["run", ID, "--shell", line]).quietly(0),
        "well\n"
    );
    assert_eq!(
        (beats.last().tail.as_str(), beats.last().text().as_str()),
        ("/0", "well\n")
    );
}

/// Every step failed, the script printed that all is well, and exited with 0.
#[test]
fn a_script_whose_steps_all_fail_and_which_exits_with_0_has_failed() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let script = machine.file(
        "backup.sh",
        "#!/bin/bash\n\
         source config.env\n\
         my-tool --prepare\n\
         (cd /nonexistent; tar cf data.tar .)\n\
         no-such-dump shop | gzip > shop.sql.gz\n\
         cp /nonexistent/file /tmp/\n\
         rm /nonexistent/old\n\
         ls /nonexistent > list\n\
         echo backup complete\n\
         exit 0\n",
    );
    let ran = machine.nightbeat(&["run", ID, "--shell", &format!("bash {}", script.display())]);
    assert_eq!(
        (ran.code, ran.text().as_str()),
        (Some(0), "backup complete\n")
    );
    let end = beats.last();
    assert_eq!(end.tail, "/fail");
    let text = end.text();
    for (step, line) in [
        ("`source config.env` ended with 1", 2),
        ("`my-tool --prepare` ended with 127", 3),
        ("`cd /nonexistent` ended with 1", 4),
        (
            "`gzip > shop.sql.gz` ended with 127 (the pipeline's parts: 127 0)",
            5,
        ),
        ("`cp /nonexistent/file /tmp/` ended with 1", 6),
        ("`rm /nonexistent/old` ended with 1", 7),
        ("`ls /nonexistent > list` ended with 2", 8),
    ] {
        let said = format!(
            "[nightbeat] step failed: {step}, line {line} of {}",
            script.display()
        );
        assert!(text.contains(&said), "{said}\n{text}");
    }
    let left = std::fs::read_dir(std::env::temp_dir()).unwrap();
    let ours = |name: &str| name.starts_with("nightbeat-") && name.len() == 42;
    let left = left.filter(|entry| ours(&entry.as_ref().unwrap().file_name().to_string_lossy()));
    assert_eq!(left.count(), 0, "nothing is left in the temporary files");
}

#[test]
fn ones_own_bash_env_is_still_read() {
    let beats = Beats::start();
    let machine = Machine::new(&beats.url());
    let own = machine.file("own", "GREETING=hello\n");
    let machine = machine.with("BASH_ENV", own.to_str().unwrap());
    let ran = machine.nightbeat(&["run", ID, "--shell", "echo $GREETING; false; true"]);
    assert_eq!((ran.code, ran.text().as_str()), (Some(0), "hello\n"));
    assert_eq!(beats.last().tail, "/fail");
}
