//! What the job used, as metrics.
//!
//! `getrusage` through `nix`: rustix has no such call, and `/proc` no longer tells the peak memory of a
//! process that has ended.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// How long the job ran, in seconds.
pub const WALL: &str = "wall_seconds";
/// The processor time of the job and of all it waited for, in seconds.
pub const CPU: &str = "cpu_seconds";
/// The most memory that one process of the job had at once, in bytes.
pub const PEAK_MEMORY: &str = "peak_memory_bytes";

/// The kernel counts memory in this many bytes.
const KIB: f64 = 1024.0;

/// The metrics of a run that took `wall`. All our ended children are counted: the job, and its tries before.
pub(super) fn metrics(wall: Duration) -> Vec<(String, f64)> {
    let mut metrics = vec![(WALL.to_owned(), rounded(wall.as_secs_f64()))];
    if let Ok(used) = getrusage(UsageWho::RUSAGE_CHILDREN) {
        let seconds = |time: nix::sys::time::TimeVal| {
            time.tv_sec() as f64 + time.tv_usec() as f64 / 1_000_000.0
        };
        let cpu = seconds(used.user_time()) + seconds(used.system_time());
        metrics.push((CPU.to_owned(), rounded(cpu)));
        metrics.push((PEAK_MEMORY.to_owned(), used.max_rss() as f64 * KIB));
    }
    metrics
}

/// To milliseconds: more is noise.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}
