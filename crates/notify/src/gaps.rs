//! When Nightbeat could not receive, in words.

use nightbeat_domain::{Alert, Cause, Gap, GapKind};

use crate::words::{self, Precision};

/// Gaps shorter than this are told to the second, in seconds.
const SECONDS_MATTER_BELOW: u64 = 600;

/// `; our only interruption since its last signal was 2026-11-21 14:00:00–14:00:10 UTC`: the end of an
/// unverified alert's first sentence.
pub(crate) fn clause(alert: &Alert) -> String {
    let overran = alert
        .incident
        .as_ref()
        .is_some_and(|incident| incident.cause == Cause::Overran);
    let since = if overran {
        "its start"
    } else {
        "its last signal"
    };
    match alert.gaps.as_slice() {
        [] => "; Nightbeat could not receive all the time".to_owned(),
        [gap] => format!("; our only interruption since {since} was {}", stretch(gap)),
        gaps => format!("; we were interrupted {} times since {since}", gaps.len()),
    }
}

/// One line a gap: when, how long, why.
pub(crate) fn points(gaps: &[Gap]) -> Vec<String> {
    let point = |gap: &Gap| {
        let lasted = words::duration(gap.to.since(gap.from));
        format!("{} ({lasted}: {})", stretch(gap), reason(gap.kind))
    };
    gaps.iter().map(point).collect()
}

/// `2026-11-21 14:00:00–14:00:10 UTC`.
pub(crate) fn stretch(gap: &Gap) -> String {
    words::stretch(gap.from, gap.to, precision(gap))
}

fn precision(gap: &Gap) -> Precision {
    if gap.to.since(gap.from).as_secs() < SECONDS_MATTER_BELOW {
        Precision::Seconds
    } else {
        Precision::Minutes
    }
}

/// Why we could not receive.
pub(crate) fn reason(kind: GapKind) -> &'static str {
    match kind {
        GapKind::Stopped => "Nightbeat was not running",
        GapKind::Suspended => "its machine was suspended",
        GapKind::ClockJump => "its clock jumped",
        GapKind::Storage => "it could not store signals",
        GapKind::Refused => "it had to refuse signals",
        GapKind::Declared => "declared by the operator",
    }
}
