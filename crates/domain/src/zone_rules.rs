//! The rules of a time zone have changed since something was expected by them.

use crate::expect::{expected_since_quiet, first_expected, last_instant};
use crate::{Moved, Settings, State, UnixMicros};

/// Brings what is expected in line with the present rules of its schedule's zones; whether that changed
/// the state. The caller says that these rules may be new, and that it is `now`.
///
/// What is expected now may only become later: before the instant that was promised, nothing is reported
/// missing. Where the new instant is earlier, the old one stays for this time, so that a machine without
/// the new rules is in time as well. A machine that has them is in time by its success, which moves on what
/// is expected by the new rules; so the times after this one all follow them. What is overdue already, with
/// its grace, stays overdue; but a success that is delivered late counts for it wherever it is by now.
///
/// Done again, it changes nothing.
pub fn follow_zone_rules(settings: &Settings, state: &mut State, now: UnixMicros) -> bool {
    let Some(expected) = state.expected_at else {
        return false;
    };
    let Some(to) = later(settings, state, expected) else {
        return false;
    };
    if expected + settings.grace <= now {
        let from = expected;
        let known = state.moved.replace(Moved { from, to });
        let changed = known != state.moved;
        state.version += u64::from(changed);
        return changed;
    }
    let from = state.moved_slot().map_or(expected, |before| before.from);
    state.moved = Some(Moved { from, to });
    state.expected_at = Some(to);
    state.version += 1;
    state.wake_at = state.next_wake(settings);
    true
}

/// Where the present rules have put what was expected at `expected`, if that is later.
fn later(settings: &Settings, state: &State, expected: UnixMicros) -> Option<UnixMicros> {
    let schedule = &settings.schedule;
    if schedule.interval().is_some() || schedule.lacks_rules() {
        return None;
    }
    let before = last_instant(schedule, expected);
    let after = first_expected(schedule, expected)?;
    // An edit expects something at the instant of the edit, which no rules have put there: those move by
    // whole seconds.
    if before == expected || !whole_seconds(expected, after) {
        return None;
    }
    // Nothing was due before: it is this one, or it is not due at all this time.
    if let Some(next) = expected_since_quiet(schedule, state).filter(|next| *next > expected) {
        return Some(next);
    }
    // Else the nearer one is the same one as before: rules move it by an hour, seldom by more.
    (after.since(expected) <= expected.since(before)).then_some(after)
}

fn whole_seconds(from: UnixMicros, to: UnixMicros) -> bool {
    to.since(from).subsec_micros() == 0
}
