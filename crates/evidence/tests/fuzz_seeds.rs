//! The inputs that fuzzing starts from, and what it once found, through the checks of the fuzz target.

use std::path::Path;

#[path = "../../../fuzz/checks/evidence.rs"]
mod evidence;

/// Fewer files than this mean that they were not found, or that somebody cleared them away.
const SEEDS_MIN: usize = 40;

#[test]
fn outputs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/evidence");
    let files = folder.read_dir().unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= SEEDS_MIN, "{} seeds", paths.len());
    for path in paths {
        // Shown where a check fails.
        println!("{}", path.display());
        evidence::check(&std::fs::read(path).unwrap());
    }
}
