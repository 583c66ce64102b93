//! When the hot path meets a heartbeat that it cannot read.

use nightbeat_domain::{HeartbeatId, UnixMicros};

use super::engine::{Opening, Writes};
use crate::Target;
use crate::broken;

/// Whose rows cannot be read.
pub(super) enum Whom<'a> {
    Heartbeat(HeartbeatId),
    Target(&'a Target),
}

/// Tells that a heartbeat is broken, in a transaction of its own, where that is news; how many deliveries
/// were queued. What cannot be told now is tried again when the heartbeat is looked at again, each minute.
pub(super) fn tell_broken(
    writer: &mut impl Writes,
    whom: &Whom<'_>,
    error: &str,
    since: UnixMicros,
    now: UnixMicros,
) -> u32 {
    let opening = Opening::of_nobody(now);
    let now = now.max(since);
    let known = match whom {
        Whom::Heartbeat(id) | Whom::Target(Target::Id(id)) => writer.memory().broken.get(id),
        Whom::Target(Target::Slug { .. }) => None,
    };
    if known.is_some_and(|marker| marker.is_told(now)) {
        return 0;
    }
    let noted = writer.transaction(&opening, |rows, _| {
        let sql = rows.sql()?;
        let heartbeat = match whom {
            Whom::Heartbeat(id) => Some(*id),
            Whom::Target(target) => broken::target(sql, target)?,
        };
        let Some(heartbeat) = heartbeat else {
            return Ok(None);
        };
        let (marker, deliveries) = broken::note(sql, heartbeat, error, since, now)?;
        Ok(Some((heartbeat, marker, deliveries)))
    });
    match noted {
        Ok(Some((heartbeat, marker, deliveries))) => {
            writer.memory().broken.insert(heartbeat, marker);
            deliveries
        }
        Ok(None) => {
            tracing::error!(
                error,
                "a signal cannot be recorded, and its heartbeat cannot be found"
            );
            0
        }
        Err(failed) => {
            tracing::error!(error, %failed, "a heartbeat is broken, and that cannot be told now");
            0
        }
    }
}
