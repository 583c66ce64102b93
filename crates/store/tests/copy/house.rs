//! A house with something in every table.

use std::path::Path;
use std::time::Duration;

use nightbeat_domain::{
    ChannelId, Gap, GapKind, HeartbeatId, ProjectId, Schedule, Settings, Signal, SignalKind, State,
    UnixMicros,
};
use nightbeat_store::control::channels::{self, Channel};
use nightbeat_store::control::heartbeats::{self, Details, New};
use nightbeat_store::control::projects::{self, Project};
use nightbeat_store::hot::Record;
use nightbeat_store::sql::{Sql, Value};
use nightbeat_store::{Arrival, Opener, Result, Store, Target};
use uuid::Uuid;

pub(crate) const ALICE: ProjectId = ProjectId(Uuid::from_u128(0xa11c_e000));
const PAGER: ChannelId = ChannelId(Uuid::from_u128(1));
const HOUR: Duration = Duration::from_secs(3_600);

/// 2026-03-02T00:00:00Z: when the story begins.
pub(crate) const START: UnixMicros = UnixMicros(1_772_409_600_000_000);

/// Until when the house has served.
pub(crate) const END: UnixMicros = UnixMicros(START.0 + 10 * 3_600_000_000);

/// How many deliveries were numbered that are deleted since.
pub(crate) const DELETED: i64 = 1_000;

/// What no verb puts there so easily.
const ODD_ROWS: [&str; 21] = [
    "INSERT INTO account VALUES ($1, 'a@example.org', NULL, 1, 'dark', 'Europe/Berlin', 2)",
    "INSERT INTO member SELECT id, $1, 'owner' FROM project",
    "INSERT INTO api_key SELECT $1, id, 'key', 'read-only', $1, 5, NULL FROM project",
    "INSERT INTO session VALUES ($1, $1, $1, NULL, 1, 2, 1, '192.0.2.7', 'Firefox')",
    "INSERT INTO invitation SELECT $1, $1, id, 'member', NULL, 'a@example.org', 1, 2 FROM project",
    "INSERT INTO audit SELECT $1, 1, id, $1, 'a@example.org', 'invited', '', '' FROM project",
    "INSERT INTO totp VALUES ($1, $1, 1, 2)",
    "INSERT INTO recovery_code VALUES ($1, $1)",
    "INSERT INTO passkey VALUES ($1, $1, $1, 'phone', '{}', 1, 2)",
    "INSERT INTO ceremony VALUES ($1, '{}', 2)",
    "INSERT INTO external_identity VALUES ('https://id.example', 'alice', $1, 1)",
    "INSERT INTO one_time_link VALUES ($1, 'setup', 1, 2)",
    "INSERT INTO report VALUES ($1, 'weekly', 8, 'nb_u_secret', 3, 2, 1, 0, 2, NULL)",
    "INSERT INTO maintenance SELECT $1, id, 1, 2, 'weekend', 0 FROM project",
    "INSERT INTO status_page SELECT $1, id, 'ours', '', 'Our backups', 1 FROM project",
    "INSERT INTO incident_note SELECT $1, min(id), 1, 'a@example.org', 'looked at it' FROM incident",
    "INSERT INTO removed_heartbeat VALUES ($1, NULL, NULL)",
    "INSERT INTO removed_project VALUES ($1)",
    "INSERT INTO run_day VALUES ($1, 20000, 1, 2, 3, 4, 5, 6), ($1, 20001, 1, 2, 3, 4, 5, 6)",
    "INSERT INTO zone_rules (name, fingerprint) VALUES ('Europe/Berlin', $1)",
    "INSERT INTO broken_heartbeat VALUES ($1, 1, 2, 3, NULL, 'a row is odd')",
];

/// A file on which Alice's server worked for ten hours.
pub(crate) async fn furnished(path: &Path) {
    let store = super::on_sqlite(path, Opener::Server).unwrap();
    store.write(furnish).await.unwrap();
    for hour in 1..=9 {
        let arrivals = (1..=5).map(|number| arrival(number, hour)).collect();
        record(&store, arrivals, START + hour * HOUR).await;
    }
    let gap = Gap {
        from: START,
        to: START + HOUR,
        kind: GapKind::Refused,
    };
    store.alive(END, vec![gap]).await.unwrap();
    store.write(odd).await.unwrap();
}

pub(crate) async fn record(store: &Store, arrivals: Vec<Arrival>, now: UnixMicros) {
    let batch = Record {
        arrivals,
        watermark: now,
        gaps: Vec::new(),
        now,
    };
    store.record(batch).await.unwrap();
}

/// Heartbeat 1 fails each second hour.
pub(crate) fn arrival(number: u32, hour: u32) -> Arrival {
    let kind = if number == 1 && hour.is_multiple_of(2) {
        SignalKind::Fail
    } else {
        SignalKind::Success
    };
    let body = format!("Ünïcode of hour {hour}");
    Arrival {
        target: Target::Id(heartbeat_id(number)),
        signal: Signal::new(kind, START + hour * HOUR),
        nonce: Some(format!("nonce-{hour}")),
        method: "POST",
        source: "192.0.2.7".to_owned(),
        user_agent: "curl/8.5.0".to_owned(),
        body_bytes: body.len() as u64,
        mail: None,
        body: Some(body.into_bytes()),
    }
}

pub(crate) fn heartbeat_id(number: u32) -> HeartbeatId {
    HeartbeatId(Uuid::from_u128(0xbea7_0000 + u128::from(number)))
}

fn furnish(sql: &mut dyn Sql) -> Result<()> {
    let project = Project {
        id: ALICE,
        name: "Alice".to_owned(),
        ping_key: "alice-ping-key".to_owned(),
        fallback_channel: Some(PAGER),
        created_at: START,
    };
    projects::create(sql, &project)?;
    let channel = Channel {
        id: PAGER,
        name: "pager".to_owned(),
        kind: "webhook".to_owned(),
        fields: [("url".to_owned(), "https://example.org".to_owned())].into(),
        created_at: START,
        version: 1,
    };
    channels::insert(sql, ALICE, &channel)?;
    for number in 1..=5 {
        let settings = Settings::new(Schedule::every_seconds(3_600 + u64::from(number)).unwrap());
        let details = Details {
            name: format!("job {number}"),
            slug: format!("job-{number}"),
            ..Details::default()
        };
        let new = New {
            id: heartbeat_id(number),
            details: &details,
            settings: &settings,
            state: &State::new(&settings, START),
            created_at: START,
        };
        heartbeats::insert(sql, ALICE, &new)?;
    }
    Ok(())
}

fn odd(sql: &mut dyn Sql) -> Result<()> {
    let id = Value::Blob(Uuid::from_u128(7).as_bytes().to_vec());
    for statement in ODD_ROWS {
        sql.execute(statement, std::slice::from_ref(&id))?;
    }
    sql.execute("INSERT INTO pruned SELECT id, 1, 2, 3 FROM heartbeat", &[])?;
    // A text with a zero in it, which PostgreSQL does not have.
    let detail = Value::Text("it said \0".to_owned());
    sql.execute(
        "INSERT INTO attempt SELECT number, 1, 2, 3, 0, $1 FROM delivery",
        &[detail],
    )?;
    let last = "UPDATE sqlite_sequence SET seq = seq + $1 WHERE name = 'delivery'";
    sql.execute(last, &[DELETED.into()])?;
    Ok(())
}
