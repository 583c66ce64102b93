//! The inputs that fuzzing starts from, and what it once found, through the checks of the fuzz targets.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::path::Path;

#[path = "../../../fuzz/checks/config.rs"]
mod config;
#[path = "../../../fuzz/checks/signal_url.rs"]
mod signal_url;
#[path = "../../../fuzz/checks/smtp.rs"]
mod smtp;

/// Fewer files than this mean that they were not found, or that somebody cleared them away.
const SEEDS_MIN: usize = 24;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let files = folder.join(target).read_dir().unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= SEEDS_MIN, "{} seeds", paths.len());
    for path in paths {
        // Shown where a check fails.
        println!("{}", path.display());
        check(&std::fs::read(path).unwrap());
    }
}

#[test]
fn signal_urls() {
    replay("signal_url", |bytes| {
        signal_url::check(&String::from_utf8_lossy(bytes));
    });
}

#[test]
fn configurations() {
    replay("config", |bytes| {
        config::check(&String::from_utf8_lossy(bytes));
    });
}

#[test]
fn conversations_with_the_mail_server() {
    replay("smtp", smtp::check);
}
