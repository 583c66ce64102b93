//! What of a request may stand in a log.

use std::borrow::Cow;

/// From this length on, a segment of a path may be a secret: heartbeat ids and ping keys are longer,
/// names of routes shorter.
const SECRET_CHARS_MIN: usize = 16;
/// How much of a secret is shown: enough to find it in a list, too little to use it.
const SHOWN_CHARS: usize = 6;

/// A path for the log: of ids and keys only the first six characters, and never more than 200 in all.
pub fn cut_path(path: &str) -> Cow<'_, str> {
    const SEGMENTS_MAX: usize = 12;
    const SEGMENT_BYTES_MAX: usize = 64;
    let harmless = |segment: &str| segment.len() < SECRET_CHARS_MIN;
    if path.split('/').all(harmless) && path.split('/').count() <= SEGMENTS_MAX {
        return Cow::Borrowed(path);
    }
    let mut cut = String::with_capacity(SEGMENT_BYTES_MAX);
    for (number, segment) in path.split('/').enumerate() {
        if number == SEGMENTS_MAX {
            cut.push_str("/…");
            break;
        }
        if number > 0 {
            cut.push('/');
        }
        if harmless(segment) {
            cut.push_str(segment);
        } else {
            cut.extend(segment.chars().take(SHOWN_CHARS));
            cut.push('…');
        }
    }
    Cow::Owned(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_keys_are_cut_and_routes_are_not() {
        for (path, expected) in [
            ("/", "/"),
            ("/api/v1/heartbeats", "/api/v1/heartbeats"),
            (
                "/ping/4c1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968/start",
                "/ping/4c1e8a…/start",
            ),
            (
                "/api/heartbeat/Zk3xw1YtQmB7n0pLr5vGdA/nightly",
                "/api/heartbeat/Zk3xw1…/nightly",
            ),
            (
                "/api/v1/heartbeats/4c1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968",
                "/api/v1/heartbeats/4c1e8a…",
            ),
            ("/setup/nb_s_abcdefghijklmnop", "/setup/nb_s_a…"),
            ("/ping/éééééééééééééééé", "/ping/éééééé…"),
            ("/a/a/a/a/a/a/a/a/a/a/a/a/a/a", "/a/a/a/a/a/a/a/a/a/a/a/…"),
        ] {
            assert_eq!(cut_path(path), expected);
        }
    }
}
