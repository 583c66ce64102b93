//! The time zones of stored schedules: where their rules come from, and what follows when those have
//! changed. Portable SQL, page by page.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use nightbeat_domain::{HeartbeatId, Settings, UnixMicros, Zone, ZoneData, follow_zone_rules};
use sha2::{Digest, Sha256};

use crate::codec::{Columns, short};
use crate::fields::Fields;
use crate::people::write_state;
use crate::sql::{Row, Sql, Value};
use crate::{Result, StoreError};

/// How many heartbeats are looked at in one transaction: few enough not to delay signals.
const PAGE_ROWS: usize = 500;

/// The clock changes that make up a fingerprint: from 2000 to 2100, in seconds since 1970.
const FINGERPRINT_SECONDS: (i64, i64) = (946_684_800, 4_102_444_800);
/// The most of them; no zone has more than four a year.
const FINGERPRINT_CHANGES_MAX: usize = 1_000;

/// A zone that stored schedules name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredZone {
    /// Its name.
    pub name: String,
    /// Where its rules come from.
    pub data: ZoneData,
    /// How many heartbeats depend on it.
    pub heartbeats: u64,
    /// Its rules are not known to be those of the last start.
    pub changed: bool,
}

/// A heartbeat that new zone rules moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovedHeartbeat {
    /// Which.
    pub heartbeat: HeartbeatId,
    /// When it was expected.
    pub from: UnixMicros,
    /// When it is expected.
    pub to: UnixMicros,
}

/// The zones in use, and what each is to [`follow_page`].
#[derive(Debug, Default)]
pub(crate) struct Zones {
    /// By name.
    pub(crate) stored: Vec<StoredZone>,
    /// Settings with a zone whose rules may be new.
    pub(crate) affected: HashMap<i64, Settings>,
    /// What is known of the rules from now on.
    fingerprints: Vec<(String, Vec<u8>)>,
}

/// Looks at every schedule in use. Settings that cannot be read are left out: whoever judges by them says
/// so.
pub(crate) fn survey(sql: &mut dyn Sql) -> Result<Zones> {
    let known = fingerprints(sql)?;
    let mut zones: BTreeMap<String, (StoredZone, Option<Vec<u8>>)> = BTreeMap::new();
    let mut affected = HashMap::new();
    // Counted before they are joined: a million heartbeats share few settings.
    for row in sql.query(
        "SELECT s.id, s.json, h.count
           FROM (SELECT settings, count(*) AS count FROM heartbeat_state GROUP BY settings) h
           JOIN settings s ON s.id = h.settings",
        &[],
    )? {
        let (id, json, count): (i64, String, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Ok(settings) = serde_json::from_str::<Settings>(&json) else {
            continue;
        };
        let mut follows = false;
        for zone in settings.schedule.zones() {
            let name = zone.name();
            let entry = zones.entry(name.to_owned()).or_insert_with(|| {
                let print = fingerprint(zone);
                let changed = print.as_ref().is_some_and(|it| known.get(name) != Some(it));
                let stored = StoredZone {
                    name: name.to_owned(),
                    data: zone.data(),
                    heartbeats: 0,
                    changed,
                };
                (stored, print)
            });
            entry.0.heartbeats += count;
            follows |= entry.0.changed;
        }
        if follows {
            affected.insert(id, settings);
        }
    }
    Ok(Zones {
        affected,
        fingerprints: zones
            .iter()
            .filter_map(|(name, (_, print))| Some((name.clone(), print.clone()?)))
            .collect(),
        stored: zones.into_values().map(|(zone, _)| zone).collect(),
    })
}

const COLUMNS: [&str; 18] = [
    "heartbeat_state.id",
    "heartbeat_state.settings",
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

/// One page of heartbeats after `after` follows the rules; the last id, where there may be more.
pub(crate) fn follow_page(
    sql: &mut dyn Sql,
    affected: &HashMap<i64, Settings>,
    after: &Value,
    now: UnixMicros,
    moved: &mut Vec<MovedHeartbeat>,
) -> Result<Option<Value>> {
    let query = format!(
        "SELECT {} FROM heartbeat_state WHERE id > $1 ORDER BY id LIMIT $2",
        COLUMNS.join(", ")
    );
    let rows = sql.query(&query, &[after.clone(), (PAGE_ROWS as i64).into()])?;
    for row in &rows {
        let settings: i64 = row.get(1)?;
        if let Some(decisive) = affected.get(&settings) {
            moved.extend(follow(sql, row, settings, decisive, now)?);
        }
    }
    let last = rows.last().filter(|_| rows.len() == PAGE_ROWS);
    Ok(last.map(|row| row.values[0].clone()))
}

fn follow(
    sql: &mut dyn Sql,
    row: &Row,
    settings_id: i64,
    settings: &Settings,
    now: UnixMicros,
) -> Result<Option<MovedHeartbeat>> {
    let fields = Fields::new(&COLUMNS, row);
    let heartbeat: HeartbeatId = fields.get("heartbeat_state.id")?;
    let read = Columns::from_fields(&fields).and_then(|columns| columns.into_state(heartbeat));
    let mut state = match read {
        Ok(state) => state,
        Err(StoreError::Broken(error)) => {
            let heartbeat = short(heartbeat.0);
            tracing::error!(%heartbeat, %error, "a heartbeat cannot follow its time zone: it is broken");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let from = state.expected_at;
    if !follow_zone_rules(settings, &mut state, now) {
        return Ok(None);
    }
    write_state(sql, heartbeat, settings_id, &state)?;
    // What is overdue stays where it is.
    let both = from.zip(state.expected_at).filter(|(from, to)| from != to);
    Ok(both.map(|(from, to)| MovedHeartbeat {
        heartbeat,
        from,
        to,
    }))
}

/// Notes the rules that every heartbeat follows by now. What is noted too early would never be followed.
pub(crate) fn remember(sql: &mut dyn Sql, zones: &Zones) -> Result<()> {
    for (name, fingerprint) in &zones.fingerprints {
        sql.execute(
            "INSERT INTO zone_rules (name, fingerprint) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint",
            &[name.clone().into(), fingerprint.clone().into()],
        )?;
    }
    Ok(())
}

fn fingerprints(sql: &mut dyn Sql) -> Result<HashMap<String, Vec<u8>>> {
    let rows = sql.query("SELECT name, fingerprint FROM zone_rules", &[])?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect()
}

/// What tells these rules from others; `None` where they are missing.
fn fingerprint(zone: &Zone) -> Option<Vec<u8>> {
    if zone.data() == ZoneData::Missing {
        return None;
    }
    let (from, to) = FINGERPRINT_SECONDS;
    let from = Timestamp::from_second(from).ok()?;
    let mut hash = Sha256::new();
    hash.update(zone.rules().to_offset(from).seconds().to_be_bytes());
    let changes = zone.rules().following(from);
    for change in changes
        .take(FINGERPRINT_CHANGES_MAX)
        .take_while(|change| change.timestamp().as_second() < to)
    {
        hash.update(change.timestamp().as_second().to_be_bytes());
        hash.update(change.offset().seconds().to_be_bytes());
    }
    Some(hash.finalize().to_vec())
}

/// A key before every id.
pub(crate) fn nobody() -> Value {
    uuid::Uuid::nil().into()
}
