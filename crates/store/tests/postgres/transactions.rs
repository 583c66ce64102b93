use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nightbeat_store::sql::{Sql, Value};
use nightbeat_store::{Result, Store, StoreError};
use nightbeat_testkit::postgres::{self, Database};
use nightbeat_testkit::proxy::{Behaviour, Ending, Point, Proxy, Side, Target};

use crate::{at, open};

/// A row that says which write it was.
fn insert(sql: &mut dyn Sql, name: &str) -> Result<()> {
    let values: [Value; 2] = [name.into(), Value::Blob(vec![7])];
    sql.query("SELECT count(*) FROM zone_rules", &[])?;
    let changed = sql.execute(
        "INSERT INTO zone_rules (name, fingerprint) VALUES ($1, $2)",
        &values,
    )?;
    assert_eq!(changed, 1);
    Ok(())
}

fn rows(database: &Database, name: &str) -> usize {
    let found = format!("SELECT name FROM zone_rules WHERE name = '{name}'");
    database.run(&found).len()
}

fn through(proxy: &Proxy, database: &Database) -> String {
    proxy.url(database.name())
}

async fn write(store: &Store, name: &str) -> Result<()> {
    let name = name.to_owned();
    store.write(move |sql| insert(sql, &name)).await
}

/// The verb reads, another transaction changes what it read, the verb writes: it is run again and reads anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_others_got_in_the_way_of_is_run_again() {
    let database = Arc::new(postgres::database());
    let store = open(&database).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let (count, other) = (Arc::clone(&runs), Arc::clone(&database));
    let added = store.write(move |sql| {
        let found = sql.query("SELECT gap_revision FROM service", &[])?;
        let found: i64 = found[0].get(0)?;
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            other.run("UPDATE service SET gap_revision = 40");
        }
        let update = "UPDATE service SET gap_revision = $1";
        sql.execute(update, &[(found + 2).into()])
    });
    assert_eq!(added.await.unwrap(), 1);
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    let revision = database.run("SELECT gap_revision FROM service");
    assert_eq!(revision, [[Some("42".to_owned())]]);
}

/// Eight who created heartbeats at once were in each other's way more than five times, and one was answered 503.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_others_got_in_the_way_of_ten_times_is_stored() {
    let database = Arc::new(postgres::database());
    let store = open(&database).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let (count, other) = (Arc::clone(&runs), Arc::clone(&database));
    let added = store.write(move |sql| {
        sql.query("SELECT gap_revision FROM service", &[])?;
        if count.fetch_add(1, Ordering::Relaxed) < 10 {
            other.run("UPDATE service SET gap_revision = gap_revision + 1");
        }
        let update = "UPDATE service SET gap_revision = gap_revision + 32";
        sql.execute(update, &[])
    });
    assert_eq!(added.await.unwrap(), 1);
    assert_eq!(runs.load(Ordering::Relaxed), 11);
    let revision = database.run("SELECT gap_revision FROM service");
    assert_eq!(revision, [[Some("42".to_owned())]]);
}

/// Cut after each message of either side: what is answered is true.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_anywhere_leaves_no_doubt_but_at_commit() {
    let database = postgres::database();
    let proxy = Proxy::to(Target::Unix(database.socket()));
    let store = at(&through(&proxy, &database)).await;
    write(&store, "warm").await.unwrap();
    let (mut retried, mut unknown, mut committed) = (0, 0, 0);
    for side in [Side::Client, Side::Server] {
        for number in 1.. {
            let name = format!("{side:?} {number}");
            // On a connection that stands, so that its greeting is not what is cut.
            store.read(|_| Ok(())).await.unwrap();
            proxy.cut_at(side, Point::After(number), Ending::Reset);
            let answer = write(&store, &name).await;
            if proxy.forget_cut() {
                answer.unwrap();
                assert!(number > 3, "{name}: too few messages");
                break;
            }
            match answer {
                Ok(()) => {
                    assert_eq!(rows(&database, &name), 1, "{name}");
                    retried += 1;
                }
                Err(StoreError::Unknown(_)) => {
                    unknown += 1;
                    committed += rows(&database, &name);
                }
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    assert!(retried > 3, "{retried} writes were carried out elsewhere");
    assert!(committed > 0, "{unknown} of unknown end, none committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_unavailable_and_comes_back() {
    let database = postgres::database();
    let proxy = Proxy::to(Target::Unix(database.socket()));
    let store = at(&through(&proxy, &database)).await;
    proxy.behave(Behaviour::Refuse);
    let error = write(&store, "away").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let error = store.watch_list().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    proxy.behave(Behaviour::Pass);
    write(&store, "back").await.unwrap();
    assert_eq!((rows(&database, "away"), rows(&database, "back")), (0, 1));
}

#[tokio::test]
async fn what_a_verb_does_wrong_is_rolled_back_and_the_next_one_works() {
    let database = postgres::database();
    let store = open(&database).await;
    let panicked = store.write(|sql| -> Result<()> {
        insert(sql, "panic")?;
        panic!("no such calendar");
    });
    let error = panicked.await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Broken(text) if text.contains("no such calendar")),
        "{error}"
    );
    let swallowed = store.write(|sql| {
        insert(sql, "swallowed")?;
        drop(insert(sql, "swallowed"));
        Ok(())
    });
    let error = swallowed.await.unwrap_err();
    assert!(matches!(error, StoreError::Broken(_)), "{error}");
    let refused = store.write(|sql| -> Result<()> {
        insert(sql, "refused")?;
        Err(StoreError::Conflict("no".to_owned()))
    });
    let error = refused.await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)), "{error}");
    write(&store, "next").await.unwrap();
    let all = database.run("SELECT name FROM zone_rules");
    assert_eq!(all, [[Some("next".to_owned())]]);
}

#[tokio::test]
async fn a_read_does_not_write() {
    let database = postgres::database();
    let store = open(&database).await;
    let wrote = store.read(|sql| insert(sql, "read"));
    assert!(wrote.await.is_err());
    assert_eq!(rows(&database, "read"), 0);
}

#[tokio::test]
async fn every_transaction_has_its_limits_and_is_synced() {
    let database = postgres::database();
    let store = open(&database).await;
    let settings = store.write(|sql| {
        let rows = sql.query(
            "SELECT setting FROM pg_settings WHERE name IN ('statement_timeout',
                 'idle_in_transaction_session_timeout', 'synchronous_commit') ORDER BY name",
            &[],
        )?;
        rows.iter()
            .map(|row| row.get(0))
            .collect::<Result<Vec<String>>>()
    });
    // The tests' server has `synchronous_commit = off`.
    assert_eq!(settings.await.unwrap(), ["5000", "30000", "on"]);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_for_others_is_not_waited_for_by_them() {
    let database = postgres::database();
    let store = open(&database).await;
    let (held, is_held) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let other = store.clone();
    let holding = tokio::spawn(async move {
        let verb = move |sql: &mut dyn Sql| {
            sql.execute("UPDATE service SET stopped_clean = 1", &[])?;
            held.send(()).unwrap();
            released.recv_timeout(Duration::from_secs(4)).ok();
            Ok(())
        };
        other.write(verb).await
    });
    tokio::task::spawn_blocking(move || is_held.recv().unwrap())
        .await
        .unwrap();
    // Another row, and a snapshot: neither waits.
    write(&store, "beside").await.unwrap();
    let seen =
        store.read(|sql| sql.query("SELECT stopped_clean FROM service", &[])?[0].get::<i64>(0));
    assert_eq!(seen.await.unwrap(), 0);
    release.send(()).unwrap();
    holding.await.unwrap().unwrap();
}
