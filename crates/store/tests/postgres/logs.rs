//! The logs in parts: made ahead, merged with what is old, and nothing lost that is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use nightbeat_domain::{HeartbeatId, ProjectId, Schedule, Settings, State, UnixMicros};
use nightbeat_store::control::heartbeats::{self, Details, New};
use nightbeat_store::control::projects::{self, Project};
use nightbeat_store::sql::Sql;
use nightbeat_store::{Opener, PruneCursor, Result, Retention, Store};
use nightbeat_testkit::postgres::{self, Database};
use uuid::Uuid;

use crate::open;

const ALICE: ProjectId = ProjectId(Uuid::from_u128(0xa11c_e000));
const DAY: i64 = 86_400_000_000;
const HOUR: i64 = DAY / 24;

/// For each heartbeat, how far its signals are apart, and how many there are.
const BEATS: [(i64, i64); 6] = [
    (HOUR / 2, 1_700),
    (6 * HOUR, 150),
    (DAY, 36),
    (7 * DAY, 5),
    (HOUR, 3),
    (HOUR, 900),
];

/// It has only signals from before all others'.
const OLD: usize = 4;
/// It is removed.
const REMOVED: usize = 5;

/// A row of a log, and the one it links to.
type Chains = BTreeMap<(&'static str, HeartbeatId), Vec<i64>>;

fn heartbeat(number: usize) -> HeartbeatId {
    HeartbeatId(Uuid::from_u128(0xbea7_0000 + number as u128))
}

fn retention() -> Retention {
    Retention {
        signals_max: 60,
        runs: Duration::from_secs(25 * 86_400),
        runs_max: 100,
        incident_signals: Duration::from_secs(20 * 86_400),
        ..Retention::default()
    }
}

/// Today by the database's clock, counted from 1970.
fn today(database: &Database) -> i64 {
    let rows = database.run("SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)");
    rows[0][0].as_deref().unwrap().parse().unwrap()
}

/// The id of a row of that instant, as a node with this slot gives it.
fn id(at: i64, slot: i64, counter: i64) -> i64 {
    (((at / 1_000_000) * 1_024 + slot) << 21) + counter
}

/// The parts of a log, and how many rows lie in each.
fn parts(database: &Database, log: &str) -> BTreeMap<String, u64> {
    let names = database.run(&format!(
        "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = '{log}'::regclass"
    ));
    let names = names.into_iter().map(|mut row| row.remove(0).unwrap());
    names
        .map(|name| (name.clone(), database.count(&name)))
        .collect()
}

/// Heartbeats whose signals and runs reach from `until` far back, with incidents among them.
async fn furnish(store: &Store, until: i64) {
    let furnish = move |sql: &mut dyn Sql| {
        let created_at = UnixMicros(until - 100 * DAY);
        let project = Project {
            id: ALICE,
            name: "Alice".to_owned(),
            ping_key: "alice-ping-key".to_owned(),
            fallback_channel: None,
            created_at,
        };
        projects::create(sql, &project)?;
        let settings = Settings::new(Schedule::every_seconds(3_600).unwrap());
        for (number, (apart, count)) in BEATS.into_iter().enumerate() {
            let new = New {
                id: heartbeat(number),
                details: &Details::default(),
                settings: &settings,
                state: &State::new(&settings, created_at),
                created_at,
            };
            heartbeats::insert(sql, ALICE, &new)?;
            let last = if number == OLD {
                until - 60 * DAY
            } else {
                until
            };
            for log in ["signal", "run"] {
                chain(sql, log, number, (last, apart, count))?;
            }
        }
        Ok(())
    };
    store.write(furnish).await.unwrap();
    let incidents = move |sql: &mut dyn Sql| {
        for (number, (opened, closed)) in [
            (30 * DAY, Some(29 * DAY)),
            (15 * DAY, Some(14 * DAY)),
            (9 * DAY, None),
        ]
        .into_iter()
        .enumerate()
        {
            for of in [0, 1, REMOVED] {
                sql.execute(
                    "INSERT INTO incident (id, project, heartbeat, heartbeat_name, number, cause, claim,
                                           opened_at, closed_at, alert)
                     VALUES ($1, $2, $3, '', $4, 'missed', 'down', $5, $6, 'null')",
                    &[
                        Uuid::from_u128((number * 10 + of) as u128).into(),
                        ALICE.0.into(),
                        heartbeat(of).into(),
                        (number as i64).into(),
                        (until - opened).into(),
                        closed.map(|ago| until - ago).into(),
                    ],
                )?;
            }
        }
        heartbeats::delete(sql, ALICE, heartbeat(REMOVED), None, UnixMicros(until)).map(drop)
    };
    store.write(incidents).await.unwrap();
}

/// Rows so far apart, the newest at `last`, written by two nodes in turns.
fn chain(
    sql: &mut dyn Sql,
    log: &str,
    number: usize,
    (last, apart, count): (i64, i64, i64),
) -> Result<()> {
    let (columns, values) = match log {
        "signal" => (
            "kind, received_at, method, source, user_agent",
            "0, $4, 'GET', '', ''",
        ),
        _ => ("outcome, started_at, ended_at", "$5, $6, $4"),
    };
    let insert = format!(
        "INSERT INTO {log} (id, previous, heartbeat, {columns}) VALUES ($1, $2, $3, {values})"
    );
    let mut previous: Option<i64> = None;
    for step in (0..count).rev() {
        let at = last - step * apart;
        let id = id(at, 7 - step % 2, number as i64);
        let mut params = vec![
            id.into(),
            previous.into(),
            heartbeat(number).into(),
            at.into(),
        ];
        if log == "run" {
            params.extend([(step % 3).into(), (at - 1_000_000 * (step % 5)).into()]);
        }
        sql.execute(&insert, &params)?;
        previous = Some(id);
    }
    sql.execute(
        &format!("UPDATE heartbeat_state SET newest_{log} = $2, signals = $3 WHERE id = $1"),
        &[heartbeat(number).into(), previous.into(), count.into()],
    )?;
    Ok(())
}

/// A whole sweep.
async fn sweep(store: &Store, now: i64) {
    let mut cursor = PruneCursor::default();
    loop {
        let step = store
            .prune_step(&retention(), UnixMicros(now), cursor)
            .await;
        let step = step.unwrap();
        if step.done {
            return;
        }
        cursor = step.cursor;
    }
}

/// What can be reached of each log from its newest row on, as far as it is older than `end`.
async fn chains(store: &Store, end: i64) -> Chains {
    let read = store.read(move |sql| {
        let mut chains = Chains::new();
        for log in ["signal", "run"] {
            let rows = sql.query(&format!("SELECT id, previous FROM {log}"), &[])?;
            let links: BTreeMap<i64, Option<i64>> = rows
                .iter()
                .map(|row| Ok((row.get(0)?, row.get(1)?)))
                .collect::<Result<_>>()?;
            for number in 0..BEATS.len() {
                let head = format!("SELECT newest_{log} FROM heartbeat_state WHERE id = $1");
                let head = sql.first(&head, &[heartbeat(number).into()])?;
                let mut next: Option<i64> = head.map_or(Ok(None), |row| row.get(0))?;
                let mut chain = Vec::new();
                while let Some((id, previous)) = next.and_then(|id| links.get_key_value(&id)) {
                    chain.extend((*id < end).then_some(*id));
                    assert!(chain.len() <= links.len(), "a chain without an end");
                    next = *previous;
                }
                chains.insert((log, heartbeat(number)), chain);
            }
        }
        Ok(chains)
    });
    read.await.unwrap()
}

#[track_caller]
fn assert_same(found: &Chains, expected: &Chains) {
    for (whose, expected) in expected {
        let found = &found[whose];
        let (are, should) = (found.len(), expected.len());
        let first = found
            .iter()
            .zip(expected)
            .position(|(one, other)| one != other);
        assert_eq!(
            found, expected,
            "{whose:?}: {are} rows, not {should}; others from {first:?} on"
        );
    }
}

/// Rows older than `end` of both logs, and the summaries of runs.
async fn sums(store: &Store, end: i64) -> String {
    let read = store.read(move |sql| {
        let signals = sql.query("SELECT count(*) FROM signal WHERE id < $1", &[end.into()])?;
        let runs = sql.query("SELECT count(*) FROM run WHERE id < $1", &[end.into()])?;
        let days = sql.query("SELECT * FROM run_day ORDER BY heartbeat, day", &[])?;
        assert!(days.len() > 20);
        Ok(format!("{signals:?} {runs:?} {days:?}"))
    });
    read.await.unwrap()
}

#[tokio::test]
async fn the_days_ahead_have_a_part_each() {
    let database = postgres::database();
    drop(open(&database).await);
    let today = today(&database);
    for log in ["signal", "run"] {
        let mut expected = vec![format!("{log}_before_{today}"), format!("{log}_other")];
        expected.extend((today..=today + 7).map(|day| format!("{log}_day_{day}")));
        expected.sort_unstable();
        assert_eq!(
            parts(&database, log).into_keys().collect::<Vec<_>>(),
            expected
        );
    }
}

/// Row by row on the one engine, whole parts on the other.
#[tokio::test(flavor = "multi_thread")]
async fn both_engines_keep_the_same() {
    let database = postgres::database();
    let first = open(&database).await;
    let second = open(&database).await;
    let folder = tempfile::tempdir().unwrap();
    let file = Store::open_sqlite(&folder.path().join("beats.db"), Opener::Server).unwrap();
    let today = today(&database);
    // Days that are over by then, one that is not, and one that is still going on.
    let until = (today + 5) * DAY + 5 * HOUR;
    furnish(&first, until).await;
    furnish(&file.store, until).await;
    assert!(
        parts(&database, "signal")
            .values()
            .filter(|rows| **rows > 0)
            .count()
            == 7
    );
    let end = id((today + 4) * DAY, 0, 0);
    sweep(&file.store, until).await;
    let expected = chains(&file.store, end).await;
    let lengths: Vec<usize> = expected.values().map(Vec::len).collect();
    assert!(
        lengths.iter().filter(|length| **length > 0).count() >= 7,
        "{lengths:?}"
    );

    // Two nodes at once.
    let both =
        [first.clone(), second].map(|node| tokio::spawn(async move { sweep(&node, until).await }));
    for one in both {
        one.await.unwrap();
    }
    // What one of them held, the other has left for later.
    sweep(&first, until).await;
    assert_same(&chains(&first, end).await, &expected);
    assert_eq!(sums(&first, end).await, sums(&file.store, end).await);
    for log in ["signal", "run"] {
        let mut expected = vec![
            format!("{log}_before_{}", today + 4),
            format!("{log}_other"),
        ];
        expected.extend((today + 4..=today + 7).map(|day| format!("{log}_day_{day}")));
        expected.sort_unstable();
        assert_eq!(
            parts(&database, log).into_keys().collect::<Vec<_>>(),
            expected
        );
    }
    let checked = first.check().await.unwrap().parts;
    let of_chains = checked.iter().find(|part| part.name.contains("chains"));
    assert_eq!(of_chains.unwrap().problems, [""; 0]);

    // Twenty days later little is left, and all of it is still linked.
    let later = until + 20 * DAY;
    sweep(&file.store, later).await;
    sweep(&first, later).await;
    assert_same(
        &chains(&first, i64::MAX).await,
        &chains(&file.store, i64::MAX).await,
    );
    assert_eq!(
        sums(&first, i64::MAX).await,
        sums(&file.store, i64::MAX).await
    );
}

/// Nodes that were all away, or could not make parts, for longer than these are made ahead.
#[tokio::test]
async fn what_lies_in_no_part_is_taken_in() {
    let database = postgres::database();
    let node = open(&database).await;
    let today = today(&database);
    let start = |day: i64| id(day * DAY, 0, 0);
    furnish(&node, (today - 1) * DAY).await;
    let before = database.count("signal");
    database.run(&format!(
        "DROP TABLE signal_day_{today};
         CREATE TABLE shorter (LIKE signal INCLUDING ALL);
         INSERT INTO shorter SELECT * FROM signal WHERE id < {0};
         CREATE TABLE moved (LIKE signal);
         INSERT INTO moved SELECT * FROM signal WHERE id >= {0};
         DROP TABLE signal_before_{today};
         ALTER TABLE shorter RENAME TO signal_before_{1};
         ALTER TABLE signal ATTACH PARTITION signal_before_{1} FOR VALUES FROM (MINVALUE) TO ({0});
         INSERT INTO signal SELECT * FROM moved",
        start(today - 10),
        today - 10,
    ));
    database.run(&format!(
        "INSERT INTO signal (id, heartbeat, kind, received_at, method, source, user_agent)
         VALUES ({}, '\\x00', 0, 0, '', '', '')",
        start(today) + 1
    ));
    assert_eq!(database.count("signal"), before + 1);
    assert!(database.count("signal_other") > 100);
    let kept = chains(&node, i64::MAX).await;
    drop(node);
    // What belongs to today goes there.
    let node = open(&database).await;
    assert_eq!(database.count(&format!("signal_day_{today}")), 1);
    assert_eq!(chains(&node, i64::MAX).await, kept);
    // The other days are taken in with today, when that is over.
    sweep(&node, (today + 2) * DAY).await;
    assert_eq!(database.count("signal_other"), 0);
    let of_signals = |chains: Chains| {
        let signals = chains.into_iter().filter(|((log, _), _)| *log == "signal");
        signals.map(|(_, chain)| chain).collect::<Vec<_>>()
    };
    let (kept, left) = (of_signals(kept), of_signals(chains(&node, i64::MAX).await));
    for (kept, left) in kept.iter().zip(&left) {
        assert!(left.iter().all(|id| kept.contains(id)));
        assert_eq!(kept[..kept.len().min(60)], left[..left.len().min(60)]);
    }
}

/// Somebody reads old rows for long: signals come in all the same, and the merge is done when he is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_holds_nobody_up() {
    let database = postgres::database();
    let node = open(&database).await;
    let today = today(&database);
    furnish(&node, (today + 6) * DAY).await;
    let names = || parts(&database, "signal").into_keys().collect::<Vec<_>>();
    let before = names();
    let (client, driving) = connect(&database).await;

    // Another node is at it.
    let hold = |mode| format!("BEGIN; LOCK TABLE signal_before_{today} IN {mode} MODE");
    let merging = hold("SHARE UPDATE EXCLUSIVE");
    client.batch_execute(&merging).await.unwrap();
    sweep(&node, (today + 8) * DAY).await;
    assert_eq!(names(), before);
    client.batch_execute("COMMIT").await.unwrap();

    client.batch_execute(&hold("ACCESS SHARE")).await.unwrap();
    let merge = tokio::spawn(async move { sweep(&node, (today + 8) * DAY).await });
    let waits = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted";
    while database.run(waits)[0][0].as_deref() == Some("0") {
        assert!(!merge.is_finished());
    }
    for number in 1..=20 {
        database.run(&format!(
            "SET lock_timeout = '2s';
             INSERT INTO signal (id, heartbeat, kind, received_at, method, source, user_agent)
             VALUES ({}, '\\x00', 0, 0, '', '', '')",
            id((today + 7) * DAY, 0, number)
        ));
    }
    client.batch_execute("COMMIT").await.unwrap();
    merge.await.unwrap();
    let merged = format!("signal_before_{}", today + 7);
    assert!(names().contains(&merged), "{:?}", names());
    assert_eq!(database.count(&format!("signal_day_{}", today + 7)), 20);
    drop(client);
    driving.await.unwrap().unwrap();
}

type Driving = tokio::task::JoinHandle<std::result::Result<(), tokio_postgres::Error>>;

async fn connect(database: &Database) -> (tokio_postgres::Client, Driving) {
    let url = database.url();
    let connected = tokio_postgres::connect(&url, tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    (client, tokio::spawn(connection))
}
