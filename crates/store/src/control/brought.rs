//! Ids that heartbeats bring along from elsewhere, so that their signal URLs stay.

use nightbeat_domain::{HeartbeatId, UnixMicros};

use super::prune::prune_this;
use crate::sql::Sql;
use crate::{Result, broken};

/// How many rows that an earlier heartbeat left behind are removed at once: no signal should wait for it.
const LEFT_ROWS_MAX: u32 = 200;

/// What is known of an id that a new heartbeat is to have. Ids are one space for all projects: whose a taken
/// one is, is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// No heartbeat ever had it.
    Unknown,
    /// A heartbeat has it.
    Taken,
    /// The heartbeat that had it was removed, and left much behind that is not pruned yet: its log would become
    /// the new one's.
    Leaving,
    /// A heartbeat had it, and its incidents are kept. The ids of incidents and deliveries are made of the
    /// heartbeat's and a number, so the new one goes on with these.
    Earlier {
        /// How many incidents were opened.
        incidents: u32,
        /// How many alerts were raised, or more.
        alerts: u32,
    },
}

/// Finds out whether a new heartbeat may have this id. The little that an earlier one left behind is removed.
pub fn claim(sql: &mut dyn Sql, id: HeartbeatId, now: UnixMicros) -> Result<Brought> {
    if broken::exists(sql, id)? {
        return Ok(Brought::Taken);
    }
    if !prune_this(sql, id, LEFT_ROWS_MAX)? {
        return Ok(Brought::Leaving);
    }
    let (incidents, alerts) = broken::counted(sql, id, now)?;
    Ok(match incidents {
        0 => Brought::Unknown,
        incidents => Brought::Earlier { incidents, alerts },
    })
}
