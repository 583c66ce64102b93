//! The processes below a job that shares our process group, because a person sits at its terminal. Its group
//! holds us and perhaps a whole pipeline, so it cannot be signalled as a group.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Sends a signal to `pid` and to all below it, the lowest first: who is told last has nobody to mourn yet.
pub(super) fn signal(pid: Pid, signal: Signal) {
    for below in descendants(pid).into_iter().rev() {
        // It has ended meanwhile.
        let _ = kill_process(below, signal);
    }
    let _ = kill_process(pid, signal);
}

/// All processes below `pid`, parents before their children; empty where there is no `/proc`.
fn descendants(pid: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<(i32, i32)> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|id: i32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            Some((id, parent(&stat)?))
        })
        .collect();
    let mut found = vec![pid.as_raw_nonzero().get()];
    let mut looked = 0;
    while looked < found.len() {
        let parent = found[looked];
        looked += 1;
        found.extend(
            all.iter()
                .filter(|(_, of)| *of == parent)
                .map(|(id, _)| *id),
        );
    }
    found
        .into_iter()
        .skip(1)
        .filter_map(Pid::from_raw)
        .collect()
}

/// The parent in `/proc/PID/stat`: the second field behind the name, which may hold anything, brackets too.
fn parent(stat: &str) -> Option<i32> {
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_stands_behind_any_name() {
        assert_eq!(parent("17 (a) b) S 4 17 17 0"), Some(4));
        assert_eq!(parent(""), None);
    }
}
