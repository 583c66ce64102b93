//! When Nightbeat could not receive, in words.

use nightbeat_domain::{Alert, AlertSnapshot, Cause, Gap, GapKind};

use crate::words::{self, Clock};

/// Gaps shorter than this are told to the second, in seconds.
const SECONDS_MATTER_BELOW: u64 = 600;

/// `; our only interruption since its last signal was 2026-11-21 14:00:00–14:00:10 UTC`: the end of an
/// unverified alert's first sentence.
pub(crate) fn clause(snapshot: &AlertSnapshot) -> String {
    let alert = &snapshot.alert;
    let cause = alert.incident.as_ref().map(|incident| incident.cause);
    // Which gaps count depends on what was awaited: see the gap ledger in the domain.
    let when = if cause == Some(Cause::Overran) {
        "since its start"
    } else if snapshot.heartbeat.schedule.interval().is_some() {
        "since its last signal"
    } else {
        "around that time"
    };
    match alert.gaps.as_slice() {
        [] => "; Nightbeat could not receive all the time".to_owned(),
        [gap] => {
            let stretch = stretch(gap, &Clock::of(&snapshot.heartbeat.schedule));
            format!("; our only interruption {when} was {stretch}")
        }
        gaps if gaps.len() >= Alert::GAPS_MAX => {
            format!("; we were interrupted at least {} times {when}", gaps.len())
        }
        gaps => format!("; we were interrupted {} times {when}", gaps.len()),
    }
}

/// One line a gap: when, how long, why.
pub(crate) fn points(gaps: &[Gap], clock: &Clock) -> Vec<String> {
    let point = |gap: &Gap| {
        let lasted = words::duration(gap.to.since(gap.from));
        format!("{} ({lasted}: {})", stretch(gap, clock), reason(gap.kind))
    };
    gaps.iter().map(point).collect()
}

/// `2026-11-21 14:00:00–14:00:10 UTC`.
pub(crate) fn stretch(gap: &Gap, clock: &Clock) -> String {
    let short = gap.to.since(gap.from).as_secs() < SECONDS_MATTER_BELOW;
    clock.with_seconds(short).stretch(gap.from, gap.to)
}

/// Why we could not receive.
pub(crate) fn reason(kind: GapKind) -> &'static str {
    match kind {
        GapKind::Stopped => "it was not running",
        GapKind::Suspended => "its machine was suspended",
        GapKind::ClockJump => "its clock jumped",
        GapKind::Storage => "it could not store signals",
        GapKind::Refused => "it had to refuse signals",
        GapKind::Declared => "declared by the operator",
    }
}
