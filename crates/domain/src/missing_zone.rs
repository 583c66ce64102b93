//! What is expected of a schedule whose time zone nobody knows any more.
//!
//! Its wall clock may be anywhere between UTC-12 and UTC+14. So the next success is expected when it must
//! have come wherever that clock is: never before the job's own next instant, hence no job that is well is
//! reported missing, and at most about one distance between two instants later, hence none that is dead
//! stays quiet.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{EARLY_MAX, Schedule, UnixMicros, Zone, ZoneData};

/// The offsets from UTC that clocks of this world have, in quarters of an hour.
const OFFSETS: std::ops::RangeInclusive<i64> = -12 * 4..=14 * 4;
const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// What the offsets do not see: an instant may lie up to a quarter of an hour behind one of them, and
/// clocks that are put back make a wait an hour longer.
const MARGIN: Duration = Duration::from_secs(75 * 60);

/// The longest that it can be from `at` to the next instant, whatever the clocks that nobody knows show.
pub(crate) fn longest_wait(schedule: &Schedule, at: UnixMicros) -> Option<Duration> {
    let waits = schedule.zones().into_iter().filter_map(|zone| {
        if zone.data() == ZoneData::Missing {
            return longest_wait_in(schedule, zone, at);
        }
        // A success shortly before an instant counts for that.
        let from = at + EARLY_MAX;
        let next = schedule.next_after_in(zone, from.timestamp())?;
        Some(UnixMicros::from(next).since(at))
    });
    // Each zone of its own: where the hour is unknown in one, it is not in another.
    waits.min()
}

fn longest_wait_in(schedule: &Schedule, zone: &Zone, at: UnixMicros) -> Option<Duration> {
    let at = at.timestamp();
    let wait = |offset: i64| {
        let shown = at.checked_add(QUARTER * i32::try_from(offset).ok()?).ok()?;
        let next: Timestamp = schedule.next_after_in(zone, shown)?;
        Some(next.duration_since(shown).unsigned_abs())
    };
    OFFSETS.filter_map(wait).max().map(|wait| wait + MARGIN)
}
