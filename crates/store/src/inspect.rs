//! Does every stored row say something that this program could have written, and do they agree with each
//! other? Portable SQL, page by page: a database may be larger than the memory.

use std::collections::HashMap;

use nightbeat_domain::{AlertSnapshot, HeartbeatId, Phase, Settings, State, UnixMicros};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::codec::{Columns, named, short};
use crate::control::Routing;
use crate::control::deliveries::DeliveryState;
use crate::fields::Fields;
use crate::sql::{Row, Sql, Value};
use crate::sqlite::CheckedPart;
use crate::{Result, effects};

/// How many rows are read at once.
const PAGE_ROWS: usize = 1_000;

/// Looks at everything.
pub(crate) fn all(sql: &mut dyn Sql) -> Result<Vec<CheckedPart>> {
    Ok(vec![
        settings(sql)?,
        heartbeats(sql)?,
        broken_heartbeats(sql)?,
        chains(sql)?,
        incidents(sql)?,
        deliveries(sql)?,
        gaps(sql)?,
    ])
}

/// Calls `look` with each row of a query whose first column is its key: a positive number, or an id.
fn each(
    sql: &mut dyn Sql,
    query: &str,
    mut after: Value,
    mut look: impl FnMut(&mut dyn Sql, &Row) -> Result<()>,
) -> Result<u64> {
    let mut seen = 0;
    loop {
        let rows = sql.query(query, &[after.clone(), (PAGE_ROWS as i64).into()])?;
        for row in &rows {
            look(sql, row)?;
        }
        seen += rows.len() as u64;
        match rows.last() {
            Some(last) if rows.len() == PAGE_ROWS => after = last.values[0].clone(),
            _ => return Ok(seen),
        }
    }
}

fn nobody() -> Value {
    Uuid::nil().into()
}

const SETTINGS: [&str; 3] = ["settings.id", "settings.hash", "settings.json"];

fn settings(sql: &mut dyn Sql) -> Result<CheckedPart> {
    let mut part = CheckedPart::new("settings");
    let query = "SELECT id, hash, json FROM settings WHERE id > $1 ORDER BY id LIMIT $2";
    let count = each(sql, query, 0_i64.into(), |_, row| {
        let fields = Fields::new(&SETTINGS, row);
        part.broken(fields.json::<Settings>("settings.json"))?;
        let (hash, json): (Vec<u8>, String) = (row.get(1)?, row.get(2)?);
        if hash != Sha256::digest(json.as_bytes()).to_vec() {
            part.broken::<()>(Err(fields.broken("settings.hash", "is not that of json")))?;
        }
        Ok(())
    })?;
    part.extent = format!("{count} kinds");
    Ok(part)
}

const HEARTBEAT: [&str; 22] = [
    "heartbeat.id",
    "heartbeat.tags",
    "heartbeat.channels",
    "heartbeat_state.id",
    "settings.id",
    "open_incident.number",
    "heartbeat_state.phase",
    "heartbeat_state.armed_at",
    "heartbeat_state.last_signal_at",
    "heartbeat_state.last_success_at",
    "heartbeat_state.expected_at",
    "heartbeat_state.wake_at",
    "heartbeat_state.failures",
    "heartbeat_state.successes",
    "heartbeat_state.signals",
    "heartbeat_state.incidents",
    "heartbeat_state.alerts",
    "heartbeat_state.version",
    "heartbeat_state.run_started_at",
    "heartbeat_state.run_ended_at",
    "heartbeat_state.run_outcome",
    "heartbeat_state.rare",
];

/// Every heartbeat has a state and settings that can be read, and an open incident exactly where its phase
/// says so.
fn heartbeats(sql: &mut dyn Sql) -> Result<CheckedPart> {
    let mut part = CheckedPart::new("heartbeats");
    let columns = HEARTBEAT.map(|column| match column {
        "open_incident.number" => {
            "(SELECT max(number) FROM incident
               WHERE incident.heartbeat = heartbeat.id AND closed_at IS NULL AND cause <> 'internal')"
        }
        other => other,
    });
    let query = format!(
        "SELECT {} FROM heartbeat
           LEFT JOIN heartbeat_state ON heartbeat_state.id = heartbeat.id
           LEFT JOIN settings ON settings.id = heartbeat_state.settings
          WHERE heartbeat.id > $1 ORDER BY heartbeat.id LIMIT $2",
        columns.join(", ")
    );
    let count = each(sql, &query, nobody(), |_, row| heartbeat(&mut part, row))?;
    part.extent = count.to_string();
    let stray = "SELECT id FROM heartbeat_state
                  WHERE id > $1 AND NOT EXISTS (SELECT 1 FROM heartbeat WHERE heartbeat.id = heartbeat_state.id)
                  ORDER BY id LIMIT $2";
    each(sql, stray, nobody(), |_, row| {
        let id: HeartbeatId = row.get(0)?;
        part.problem(format!("{}: a state without a heartbeat", short(id.0)));
        Ok(())
    })?;
    Ok(part)
}

fn heartbeat(part: &mut CheckedPart, row: &Row) -> Result<()> {
    let fields = Fields::new(&HEARTBEAT, row);
    let id: HeartbeatId = fields.get("heartbeat.id")?;
    let who = short(id.0);
    part.broken(fields.json::<Vec<String>>("heartbeat.tags"))?;
    part.broken(fields.parsed::<Routing>("heartbeat.channels"))?;
    if fields
        .get::<Option<HeartbeatId>>("heartbeat_state.id")?
        .is_none()
    {
        part.problem(format!("{who}: has no state, so nobody watches it"));
        return Ok(());
    }
    if fields.get::<Option<i64>>("settings.id")?.is_none() {
        part.problem(format!("{who}: its settings are missing"));
    }
    let state = Columns::from_fields(&fields).and_then(|columns| columns.into_state(id));
    let Some(state) = part.broken(state)? else {
        return Ok(());
    };
    let open: Option<u32> = fields.get("open_incident.number")?;
    if let Some(problem) = disagreement(&state, open) {
        part.problem(format!("{who}: {problem}"));
    }
    Ok(())
}

/// What is wrong between a state and the newest incident of it that is open.
fn disagreement(state: &State, open: Option<u32>) -> Option<String> {
    let bad = matches!(
        state.phase,
        Phase::Warning | Phase::Down | Phase::Unverified
    );
    let phase = state.phase;
    match (&state.incident, open) {
        (None, _) if bad => Some(format!("is {phase:?} without an open incident")),
        (Some(incident), _) if !bad => {
            let number = incident.number;
            Some(format!("is {phase:?}, but its incident {number} is open"))
        }
        (Some(incident), open) if open != Some(incident.number) => Some(format!(
            "its state has incident {} open, the list of incidents {}",
            incident.number,
            open.map_or("none".to_owned(), |number| number.to_string())
        )),
        (None, Some(number)) => Some(format!("incident {number} is open, but not in its state")),
        _ => None,
    }
}

/// Heartbeats that the server could not read when it looked at them last.
fn broken_heartbeats(sql: &mut dyn Sql) -> Result<CheckedPart> {
    let mut part = CheckedPart::new("heartbeats that cannot be read");
    let query = "SELECT b.heartbeat, b.since, b.problem FROM broken_heartbeat b
                  WHERE b.mended_at IS NULL AND b.heartbeat > $1 ORDER BY b.heartbeat LIMIT $2";
    let count = each(sql, query, nobody(), |_, row| {
        let id: HeartbeatId = row.get(0)?;
        let (since, problem): (UnixMicros, String) = (row.get(1)?, row.get(2)?);
        let who = short(id.0);
        part.problem(format!("{who}: nobody watches it since {since}: {problem}"));
        Ok(())
    })?;
    part.extent = count.to_string();
    Ok(part)
}

/// The newest signal and run that a heartbeat names are there, and its own.
fn chains(sql: &mut dyn Sql) -> Result<CheckedPart> {
    let mut part = CheckedPart::new("chains of signals and runs");
    let mut count = 0;
    for table in ["heartbeat_state", "removed_heartbeat"] {
        let query = format!(
            "SELECT o.id, o.newest_signal, s.heartbeat, o.newest_run, r.heartbeat FROM {table} o
               LEFT JOIN signal s ON s.id = o.newest_signal
               LEFT JOIN run r ON r.id = o.newest_run
              WHERE o.id > $1 AND (o.newest_signal IS NOT NULL OR o.newest_run IS NOT NULL)
              ORDER BY o.id LIMIT $2"
        );
        count += each(sql, &query, nobody(), |_, row| {
            let id: HeartbeatId = row.get(0)?;
            for (what, head, owner) in [("signal", 1, 2), ("run", 3, 4)] {
                let head: Option<i64> = row.get(head)?;
                let owner: Option<HeartbeatId> = row.get(owner)?;
                // What a removed heartbeat left behind goes from its newest row on: the end of it may be
                // named already.
                let may_lack = table == "removed_heartbeat" && owner.is_none();
                if let Some(head) = head
                    && owner != Some(id)
                    && !may_lack
                {
                    let who = short(id.0);
                    part.problem(format!(
                        "{who}: its newest {what} is {head}, which is not its own"
                    ));
                }
            }
            Ok(())
        })?;
    }
    part.extent = format!("of {count} heartbeats");
    Ok(part)
}

const INCIDENT: [&str; 6] = [
    "incident.id",
    "incident.cause",
    "incident.claim",
    "incident.alert",
    "incident.closed_at",
    "heartbeat_state.id",
];

fn incidents(sql: &mut dyn Sql) -> Result<CheckedPart> {
    let mut part = CheckedPart::new("incidents");
    let query = format!(
        "SELECT {} FROM incident LEFT JOIN heartbeat_state ON heartbeat_state.id = incident.heartbeat
          WHERE incident.id > $1 ORDER BY incident.id LIMIT $2",
        INCIDENT.join(", ")
    );
    let count = each(sql, &query, nobody(), |_, row| {
        let fields = Fields::new(&INCIDENT, row);
        part.broken(fields.named::<nightbeat_domain::Cause>("incident.cause"))?;
        part.broken(fields.named::<nightbeat_domain::Claim>("incident.claim"))?;
        part.broken(fields.json::<Option<AlertSnapshot>>("incident.alert"))?;
        let closed_at: Option<UnixMicros> = fields.get("incident.closed_at")?;
        let heartbeat: Option<HeartbeatId> = fields.get("heartbeat_state.id")?;
        if closed_at.is_none() && heartbeat.is_none() {
            let open = fields.broken("incident.closed_at", "open, but its heartbeat is gone");
            part.broken::<()>(Err(open))?;
        }
        Ok(())
    })?;
    part.extent = count.to_string();
    Ok(part)
}

const DELIVERY: [&str; 3] = ["delivery.number", "delivery.state", "delivery.snapshot"];

fn deliveries(sql: &mut dyn Sql) -> Result<CheckedPart> {
    let mut part = CheckedPart::new("deliveries");
    let mut states: HashMap<&'static str, u64> = HashMap::new();
    let query = "SELECT number, state, snapshot FROM delivery WHERE number > $1
                 ORDER BY number LIMIT $2";
    let count = each(sql, query, 0_i64.into(), |_, row| {
        let fields = Fields::new(&DELIVERY, row);
        part.broken(fields.json::<AlertSnapshot>("delivery.snapshot"))?;
        let state: String = row.get(1)?;
        if let Some(state) = named::<DeliveryState>(&state) {
            *states.entry(state.as_str()).or_default() += 1;
        } else {
            let unknown = fields.broken("delivery.state", "an unknown state");
            part.broken::<()>(Err(unknown))?;
        }
        Ok(())
    })?;
    let failing = states.get("failing").unwrap_or(&0);
    part.extent = format!("{count}, of which {failing} failed for good");
    Ok(part)
}

fn gaps(sql: &mut dyn Sql) -> Result<CheckedPart> {
    let mut part = CheckedPart::new("gaps");
    let read = effects::gaps(sql);
    if let Some(gaps) = part.broken(read)? {
        part.extent = gaps.len().to_string();
    }
    Ok(part)
}
