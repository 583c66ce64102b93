//! Rows that the other engine wrote, moved over.

use std::collections::BTreeMap;
use std::time::Duration;

use nightbeat_domain::nodes::NodeId;
use nightbeat_domain::{
    ChannelId, HeartbeatId, ProjectId, Schedule, Settings, Signal, SignalKind, State, UnixMicros,
};
use nightbeat_store::control::channels::Channel;
use nightbeat_store::control::heartbeats::{self, Details, New};
use nightbeat_store::control::projects::Project;
use nightbeat_store::control::{channels, projects};
use nightbeat_store::dump::{Dump, dump};
use nightbeat_store::hot::Record;
use nightbeat_store::outbox::{Claim, ClaimedDelivery, DeliveryEnding, FinishedDelivery};
use nightbeat_store::sql::{Row, Sql, Value};
use nightbeat_store::{
    Arrival, NodeFacts, Opener, PruneCursor, Result, Retention, Store, StoreError, Target, Watched,
};
use nightbeat_testkit::postgres;
use tempfile::TempDir;
use uuid::Uuid;

use crate::open;

const ALICE: ProjectId = ProjectId(Uuid::from_u128(0xa11c_e000));
const START: UnixMicros = UnixMicros(1_772_409_600_000_000);
const HOUR: Duration = Duration::from_secs(3_600);
const HEARTBEATS: u32 = 12;

fn heartbeat(number: u32) -> HeartbeatId {
    HeartbeatId(Uuid::from_u128(0xbea7_0000 + u128::from(number)))
}

/// Two channels, and heartbeats of which every second one is down.
async fn on_sqlite(store: &Store) {
    let furnish = |sql: &mut dyn Sql| {
        let project = Project {
            id: ALICE,
            name: "Alice".to_owned(),
            ping_key: "alice-ping-key".to_owned(),
            fallback_channel: Some(ChannelId(Uuid::from_u128(2))),
            created_at: START,
        };
        projects::create(sql, &project)?;
        for number in [1, 2] {
            let channel = Channel {
                id: ChannelId(Uuid::from_u128(number)),
                name: format!("hook {number}"),
                kind: "webhook".to_owned(),
                fields: BTreeMap::new(),
                created_at: START,
                version: 1,
            };
            channels::insert(sql, ALICE, &channel)?;
        }
        let settings = Settings::new(Schedule::every_seconds(3_600).unwrap());
        for number in 0..HEARTBEATS {
            let new = New {
                id: heartbeat(number),
                details: &Details::default(),
                settings: &settings,
                state: &State::new(&settings, START),
                created_at: START,
            };
            heartbeats::insert(sql, ALICE, &new)?;
        }
        Ok(())
    };
    store.write(furnish).await.unwrap();
    let arrivals = (0..4 * HEARTBEATS).map(|number| {
        let kind = match number % 2 {
            0 => SignalKind::Success,
            _ => SignalKind::Fail,
        };
        Arrival {
            target: Target::Id(heartbeat(number % HEARTBEATS)),
            signal: Signal::new(kind, START + Duration::from_secs(number.into())),
            nonce: Some(format!("n{number}")),
            method: "POST",
            source: "192.0.2.7".to_owned(),
            user_agent: "curl/8.5.0".to_owned(),
            body: Some(b"\xff\0 output".to_vec()),
            body_bytes: 9,
            mail: None,
        }
    });
    let batch = Record {
        arrivals: arrivals.collect(),
        watermark: UnixMicros::MIN,
        gaps: Vec::new(),
        now: START + HOUR,
    };
    let done = store.record(batch).await.unwrap();
    assert_eq!(done.deliveries, HEARTBEATS);
}

/// All of a table, with the names of its columns.
async fn table(store: &Store, name: &'static str) -> (Vec<String>, Vec<Row>) {
    let read = store.read(move |sql| {
        let names = sql.query("SELECT name FROM pragma_table_info($1)", &[name.into()])?;
        let names: Vec<String> = names.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        let rows = sql.query(&format!("SELECT {} FROM {name}", names.join(", ")), &[])?;
        Ok((names, rows))
    });
    read.await.unwrap()
}

async fn copy(from: &Store, to: &Store) {
    for name in [
        "project",
        "settings",
        "heartbeat",
        "heartbeat_state",
        "signal",
        "signal_nonce",
        "run",
        "incident",
        "channel",
        "delivery",
    ] {
        let (names, rows) = table(from, name).await;
        let places: Vec<_> = (1..=names.len()).map(|place| format!("${place}")).collect();
        let (names, places) = (names.join(", "), places.join(", "));
        let insert = format!("INSERT INTO {name} ({names}) VALUES ({places})");
        let write = to.write(move |sql| {
            for row in &rows {
                assert_eq!(sql.execute(&insert, &row.values)?, 1);
            }
            Ok(())
        });
        write.await.unwrap();
    }
}

async fn join(store: &Store, number: u128) {
    let node = NodeFacts {
        id: NodeId(Uuid::from_u128(number)),
        name: format!("node {number}"),
        version: "1".to_owned(),
    };
    store.join(node).await.unwrap();
}

/// Both engines with the same rows, and the folder of the one.
async fn both(database: &postgres::Database) -> (Store, Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = Store::open_sqlite(&folder.path().join("beats.db"), Opener::Server).unwrap();
    on_sqlite(&file.store).await;
    let node = open(database).await;
    join(&node, 1).await;
    copy(&file.store, &node).await;
    (file.store, node, folder)
}

fn wish(now: UnixMicros) -> Claim {
    Claim {
        now,
        lease_until: now + Duration::from_secs(120),
        per_channel: 500,
        skip: Vec::new(),
        digest_kinds: Vec::new(),
    }
}

fn finished(claimed: &ClaimedDelivery, now: UnixMicros) -> FinishedDelivery {
    FinishedDelivery {
        number: claimed.number,
        claim: claimed.claim,
        began_at: now,
        took: Duration::from_millis(30),
        ending: DeliveryEnding::Sent {
            // A receiver may say anything; this character is none in PostgreSQL.
            detail: "200 \0".to_owned(),
        },
    }
}

async fn dumps_agree(sqlite: &Store, postgres: &Store) {
    // Each lives by a clock of its own.
    let rows = |read: Result<Dump>| {
        let dump = Dump {
            alive_until: None,
            gaps: Vec::new(),
            ..read.unwrap()
        };
        dump.to_string().replace("\\0", "\u{fffd}")
    };
    let (of_file, of_node) = (sqlite.read(dump).await, postgres.read(dump).await);
    assert_eq!(rows(of_file), rows(of_node));
}

fn sorted(mut watched: Vec<Watched>) -> Vec<Watched> {
    watched.sort_by_key(|it| it.heartbeat);
    watched
}

#[tokio::test]
async fn both_engines_do_the_same_with_the_same_rows() {
    let database = postgres::database();
    let (sqlite, postgres, _folder) = both(&database).await;
    dumps_agree(&sqlite, &postgres).await;
    let watched = sorted(sqlite.watch_list().await.unwrap());
    assert_eq!(watched.len(), HEARTBEATS as usize / 2);
    assert_eq!(sorted(postgres.watch_list().await.unwrap()), watched);
    let later = START + 100 * HOUR;
    let overdue = sorted(sqlite.overdue(later, 1_000).await.unwrap());
    assert_eq!(
        sorted(postgres.overdue(later, 1_000).await.unwrap()),
        overdue
    );
    let now = START + HOUR;
    let claimed = sqlite.claim(wish(now)).await.unwrap();
    assert_eq!(postgres.claim(wish(now)).await.unwrap(), claimed);
    assert!(!claimed.is_empty());
    dumps_agree(&sqlite, &postgres).await;
    for store in [&sqlite, &postgres] {
        let sent = claimed.iter().map(|one| finished(one, now)).collect();
        store.finish(sent).await.unwrap();
    }
    dumps_agree(&sqlite, &postgres).await;
    let counts = sqlite.delivery_counts().await.unwrap();
    assert_eq!(postgres.delivery_counts().await.unwrap(), counts);
    assert_eq!(postgres.broken_heartbeats().await.unwrap(), 0);
    let report = postgres.check().await.unwrap();
    assert!(report.is_ok(), "{report}");
    let retention = Retention {
        signals_max: 2,
        runs_max: 1,
        ..Retention::default()
    };
    for store in [&sqlite, &postgres] {
        let mut cursor = PruneCursor::default();
        let mut deleted = 0;
        loop {
            let step = store
                .prune_step(&retention, START + 9_000 * HOUR, cursor)
                .await;
            let step = step.unwrap();
            deleted += step.deleted;
            cursor = step.cursor;
            if step.done {
                break;
            }
        }
        assert!(deleted > u64::from(HEARTBEATS), "{deleted}");
    }
    dumps_agree(&sqlite, &postgres).await;
    let days = |sql: &mut dyn Sql| {
        let rows = sql.query("SELECT * FROM run_day ORDER BY heartbeat, day", &[])?;
        assert!(!rows.is_empty());
        Ok(rows)
    };
    assert_eq!(
        sqlite.read(days).await.unwrap(),
        postgres.read(days).await.unwrap()
    );
}

/// What two nodes find at the same time is given to one of them.
#[tokio::test(flavor = "multi_thread")]
async fn no_delivery_is_claimed_twice() {
    let database = postgres::database();
    let (sqlite, first, _folder) = both(&database).await;
    let second = open(&database).await;
    join(&second, 2).await;
    let now = START + HOUR;
    let all = sqlite.claim(wish(now)).await.unwrap();
    let nodes = [first.clone(), second.clone(), first, second];
    let claims = nodes.map(|node| tokio::spawn(async move { node.claim(wish(now)).await }));
    let mut claimed = Vec::new();
    for claim in claims {
        claimed.extend(claim.await.unwrap().unwrap());
    }
    claimed.sort_by_key(|it| it.number);
    let numbers = |claimed: &[ClaimedDelivery]| {
        let mut numbers: Vec<_> = claimed.iter().map(|it| (it.number, it.claim)).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(numbers(&claimed), numbers(&all));
}

#[tokio::test]
async fn values_come_back_as_they_went_or_are_refused() {
    let database = postgres::database();
    let store = open(&database).await;
    let values = [
        Value::Null,
        Value::Int(i64::MIN),
        Value::Text("Ünïcode 備份".to_owned()),
        Value::Blob(vec![0, 255]),
    ];
    let sent = values.clone();
    let query =
        "SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS BYTEA)";
    let row = store.read(move |sql| sql.query(query, &sent));
    assert_eq!(row.await.unwrap()[0].values, values);
    for (sql, param, said) in [
        (
            "SELECT CAST($1 AS BIGINT)",
            Value::from("1"),
            "text, where int8 is wanted",
        ),
        (
            "SELECT CAST($1 AS INTEGER)",
            Value::Int(1 << 40),
            "where int4 is wanted",
        ),
        (
            "SELECT 1.5, CAST($1 AS BIGINT)",
            Value::Int(1),
            "column 0 is of type numeric",
        ),
        (
            "SELECT 1",
            Value::Int(1),
            "parameters and values do not match",
        ),
        ("SELECT nothing, $1", Value::Int(1), "does not exist"),
    ] {
        let read = store.read(move |on| on.query(sql, std::slice::from_ref(&param)));
        let error = read.await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Broken(text) if text.contains(said)),
            "{sql}: {error}"
        );
    }
}

#[tokio::test]
async fn a_backup_is_left_to_the_servers_own_tools() {
    let database = postgres::database();
    let store = open(&database).await;
    let error = store
        .backup("/tmp/never".as_ref(), false)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("pg_dump"), "{error}");
    assert_eq!(store.wal_bytes(), 0);
}
