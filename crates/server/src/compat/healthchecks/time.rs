//! Times as Healthchecks writes them: RFC 3339 with `+00:00`.

use nightbeat_domain::UnixMicros;

/// To the second.
pub(super) fn seconds(at: UnixMicros) -> String {
    at.timestamp()
        .strftime("%Y-%m-%dT%H:%M:%S+00:00")
        .to_string()
}

/// To the microsecond, where it is not a whole second.
pub(super) fn micros(at: UnixMicros) -> String {
    let whole = at.timestamp().strftime("%Y-%m-%dT%H:%M:%S");
    match at.0.rem_euclid(1_000_000) {
        0 => format!("{whole}+00:00"),
        micros => format!("{whole}.{micros:06}+00:00"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_python_does() {
        let at = UnixMicros(1_795_000_000_000_000);
        assert_eq!(seconds(at), "2026-11-18T11:06:40+00:00");
        assert_eq!(micros(at), "2026-11-18T11:06:40+00:00");
        let later = UnixMicros(at.0 + 1_050);
        assert_eq!(seconds(later), "2026-11-18T11:06:40+00:00");
        assert_eq!(micros(later), "2026-11-18T11:06:40.001050+00:00");
    }
}
