//! What people change about a heartbeat's behaviour, decided by the domain and stored with its effects.
//! Portable SQL.

use nightbeat_domain::control;
use nightbeat_domain::{
    Cause, Closing, Effects, HeartbeatId, ProjectId, Settings, State, UnixMicros, begin_anew,
};

use crate::codec::Columns;
use crate::control::heartbeats::{self, Heartbeat};
use crate::control::settings;
use crate::effects::{self, About};
use crate::sql::{Sql, Value};
use crate::{Result, StoreError, Watched, broken};

/// One step of a person.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// New settings take effect.
    Edit(Settings),
    /// Nothing is expected any more.
    Pause,
    /// Something is expected again.
    Resume,
    /// The open incident has been seen.
    Acknowledge,
    /// Alerts of the open incident are held back until then.
    Snooze(UnixMicros),
}

/// What a step led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// When to look at the heartbeat next: tell whoever watches it.
    pub watched: Watched,
    /// How many deliveries were queued.
    pub deliveries: u32,
    /// Whether the step had something to act on: false for an acknowledgement without an open incident.
    pub effective: bool,
}

/// Takes a step at `now`; `None` when the project has no such heartbeat. One that cannot be read is mended
/// by an edit; for any other step it is a [`Conflict`](StoreError::Conflict).
pub fn take_step(
    sql: &mut dyn Sql,
    project: ProjectId,
    heartbeat: HeartbeatId,
    step: &Step,
    now: UnixMicros,
) -> Result<Option<Taken>> {
    let Some(found) = heartbeats::get(sql, project, heartbeat)? else {
        return Ok(None);
    };
    if found.unreadable.is_unwatched() {
        let Step::Edit(new) = step else {
            return Err(StoreError::Conflict(CANNOT_BE_READ.to_owned()));
        };
        return mend(sql, &found, new, now).map(Some);
    }
    let mut state = found.state;
    let mut settings_id = found.settings_id;
    let old = found.settings;
    let (effects, effective) = match step {
        // An edit starts again from the last run: one that changes nothing must not.
        Step::Edit(new) if *new == *old => (Effects::default(), false),
        Step::Edit(new) => {
            settings_id = settings::intern(sql, new)?;
            (control::edit(heartbeat, &old, new, &mut state, now), true)
        }
        Step::Pause => (control::pause(heartbeat, &old, &mut state, now), true),
        Step::Resume => (control::resume(heartbeat, &old, &mut state, now), true),
        Step::Acknowledge => {
            let effective = control::acknowledge(&old, &mut state);
            (Effects::default(), effective)
        }
        Step::Snooze(until) => {
            let effective = control::snooze(&old, &mut state, *until);
            (Effects::default(), effective)
        }
    };
    write_state(sql, heartbeat, settings_id, &state)?;
    let about = About {
        heartbeat,
        settings: if let Step::Edit(new) = step {
            new
        } else {
            &old
        },
        newest_signal: None,
    };
    let deliveries = effects::store(sql, &about, &effects)?;
    Ok(Some(Taken {
        watched: Watched {
            heartbeat,
            wake_at: state.wake_at,
        },
        deliveries,
        effective,
    }))
}

/// What a step other than an edit is answered where nothing can be decided.
const CANNOT_BE_READ: &str = "what is stored of this heartbeat cannot be read: edit its schedule, which mends it, or delete it";

/// An edit of a heartbeat that cannot be read makes it whole. Whoever watches looks at it at once, and tells
/// that it can be read again.
fn mend(sql: &mut dyn Sql, found: &Heartbeat, new: &Settings, now: UnixMicros) -> Result<Taken> {
    let heartbeat = found.id;
    let settings_id = settings::intern(sql, new)?;
    let mut effects = Effects::default();
    let state = if found.unreadable.state {
        let (incidents, alerts) = broken::counted(sql, heartbeat, now)?;
        sql.execute(
            "UPDATE incident SET closed_at = $2, closing = $3
              WHERE heartbeat = $1 AND closed_at IS NULL AND cause <> $4",
            &[
                heartbeat.into(),
                now.into(),
                Closing::Edited.as_str().into(),
                Cause::Internal.as_str().into(),
            ],
        )?;
        begin_anew(new, now, incidents, alerts)
    } else {
        let mut state = found.state.clone();
        // Of the settings before nothing is known.
        effects = control::edit(heartbeat, &found.settings, new, &mut state, now);
        state
    };
    if write_state(sql, heartbeat, settings_id, &state)? == 0 {
        effects::insert_state(sql, heartbeat, settings_id, &state)?;
    }
    let about = About {
        heartbeat,
        settings: new,
        newest_signal: None,
    };
    let deliveries = effects::store(sql, &about, &effects)?;
    Ok(Taken {
        watched: Watched {
            heartbeat,
            wake_at: Some(now),
        },
        deliveries,
        effective: true,
    })
}

/// Writes all that signals and judgements change; how many rows there were of it: one, or none.
pub(crate) fn write_state(
    sql: &mut dyn Sql,
    heartbeat: HeartbeatId,
    settings_id: i64,
    state: &State,
) -> Result<u64> {
    let mut values: Vec<Value> = vec![heartbeat.into(), settings_id.into()];
    values.extend(Columns::from_state(state)?.into_values());
    let columns: Vec<String> = Columns::NAMES
        .iter()
        .enumerate()
        .map(|(index, name)| format!("{name} = ${}", index + 3))
        .collect();
    let statement = format!(
        "UPDATE heartbeat_state SET settings = $2, {} WHERE id = $1",
        columns.join(", ")
    );
    sql.execute(&statement, &values)
}
