//! The inputs that fuzzing starts from, and what it once found, through the checks of the fuzz targets.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::path::Path;

#[path = "../../../fuzz/checks/schedule.rs"]
mod schedule;

/// Fewer files than this mean that they were not found, or that somebody cleared them away.
const SEEDS_MIN: usize = 24;

fn replay(target: &str, check: fn(&str)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let files = folder.join(target).read_dir().unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= SEEDS_MIN, "{} seeds", paths.len());
    for path in paths {
        // Shown where a check fails.
        println!("{}", path.display());
        check(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
    }
}

#[test]
fn schedules() {
    replay("schedule", schedule::check);
}
