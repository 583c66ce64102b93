use nightbeat_domain::nodes::NodeId;
use nightbeat_store::dump::dump;
use nightbeat_store::sql::Sql;
use nightbeat_store::{NodeFacts, Opener, Store, StoreError};
use nightbeat_testkit::postgres;
use uuid::Uuid;

use crate::house::{DELETED, END, arrival, furnished, record};
use crate::{copy, copy_all, on_postgres, on_sqlite};

/// Everything, as PostgreSQL can have it: a zero in a text becomes what stands for it there.
async fn all(store: &Store) -> String {
    let dumped = store.read(dump).await.unwrap();
    dumped.to_string().replace("\\0", "\u{fffd}")
}

async fn count(store: &Store, query: &'static str) -> i64 {
    let read = store.read(move |sql: &mut dyn Sql| sql.first(query, &[])?.unwrap().get(0));
    read.await.unwrap()
}

/// Each table that there is, except what each database has for itself.
async fn tables(store: &Store) -> Vec<String> {
    let read = store.read(|sql| {
        sql.query(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
                AND name NOT IN ('schema_version', 'service') ORDER BY name",
            &[],
        )
    });
    let rows = read.await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

#[tokio::test]
async fn everything_moves_to_postgresql_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, back) = (folder.path().join("a.db"), folder.path().join("b.db"));
    furnished(&path).await;
    let database = postgres::database();
    let source = on_sqlite(&path, Opener::Copy).unwrap();
    let target = on_postgres(&database, Opener::Copy).await.unwrap();

    let there = copy_all(&source, &target).await.unwrap();

    assert!(there.tables.iter().all(|(_, rows)| *rows > 0), "{there:?}");
    let mut copied: Vec<_> = there.tables.iter().map(|(name, _)| *name).collect();
    copied.sort_unstable();
    assert_eq!(copied, tables(&source).await);
    let before = all(&source).await;
    assert!(before.contains(&format!("{END:?}")), "{before}");
    assert!(all(&target).await == before, "the copy differs");

    let third = on_sqlite(&back, Opener::Copy).unwrap();
    let home = copy_all(&target, &third).await.unwrap();

    assert_eq!(home.tables, there.tables);
    assert!(all(&third).await == before, "the second copy differs");
    let given = "SELECT seq FROM sqlite_sequence WHERE name = 'delivery'";
    let last = "SELECT max(number) FROM delivery";
    assert_eq!(
        count(&third, given).await,
        count(&source, last).await + DELETED
    );
}

#[tokio::test]
async fn wherever_it_is_cut_off_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    furnished(&path).await;
    let database = postgres::database();
    let mut steps = 0;
    loop {
        // Each attempt opens both anew and comes a little further.
        let source = on_sqlite(&path, Opener::Copy).unwrap();
        let target = on_postgres(&database, Opener::Copy).await.unwrap();
        match copy(&source, &target, 7, steps).await {
            Ok(_) => break,
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("after {steps} steps: {error}"),
        }
        for opener in [Opener::Server, Opener::Tool] {
            let refused = on_postgres(&database, opener).await.unwrap_err();
            assert!(refused.to_string().contains("is not finished"), "{refused}");
        }
        steps += 5;
    }
    let source = on_sqlite(&path, Opener::Server).unwrap();
    let target = on_postgres(&database, Opener::Server).await.unwrap();
    assert!(all(&target).await == all(&source).await, "the copy differs");
}

#[tokio::test]
async fn a_copy_serves_on_and_the_time_between_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    furnished(&path).await;
    let database = postgres::database();
    {
        let source = on_sqlite(&path, Opener::Copy).unwrap();
        let target = on_postgres(&database, Opener::Copy).await.unwrap();
        copy_all(&source, &target).await.unwrap();
    }
    let store = on_postgres(&database, Opener::Server).await.unwrap();
    let old = "SELECT max(id) FROM signal";
    let (old_signal, deliveries) = (
        count(&store, old).await,
        count(&store, "SELECT max(number) FROM delivery").await,
    );
    let who = NodeFacts {
        id: NodeId(Uuid::from_u128(1)),
        name: "host".to_owned(),
        version: "1".to_owned(),
    };
    let joined = store.join(who).await.unwrap().unwrap();
    assert_eq!(joined.gaps.len(), 1);
    assert_eq!(
        (joined.gaps[0].from, joined.gaps[0].to),
        (END, joined.clock)
    );
    // It fails once more: another signal, incident and deliveries, with settings and gaps beside.
    record(&store, vec![arrival(1, 10)], joined.clock).await;
    assert!(count(&store, old).await > old_signal);
    let newest = "SELECT max(number) FROM delivery";
    assert!(count(&store, newest).await > deliveries + DELETED);
}
