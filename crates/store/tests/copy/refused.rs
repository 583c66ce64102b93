use nightbeat_domain::nodes::NodeId;
use nightbeat_store::{NodeFacts, Opener, Store, StoreError};
use nightbeat_testkit::postgres;
use uuid::Uuid;

use crate::house::{END, arrival, furnished, record};
use crate::{copy, copy_all, on_postgres, on_sqlite};

async fn refused(from: &Store, to: &Store) -> String {
    let error = copy_all(from, to).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)), "{error}");
    error.to_string()
}

async fn join(store: &Store) {
    let who = NodeFacts {
        id: NodeId(Uuid::from_u128(1)),
        name: "alpha".to_owned(),
        version: "1".to_owned(),
    };
    store.join(who).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_target_that_holds_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["a.db", "b.db"].map(|name| folder.path().join(name));
    furnished(&one).await;
    furnished(&two).await;
    let source = on_sqlite(&one, Opener::Copy).unwrap();
    let other = on_sqlite(&two, Opener::Copy).unwrap();
    assert!(refused(&source, &other).await.contains("is not empty"));

    let served = postgres::database();
    join(&on_postgres(&served, Opener::Server).await.unwrap()).await;
    let target = on_postgres(&served, Opener::Copy).await.unwrap();
    assert!(refused(&source, &target).await.contains("node"));

    // A part of a copy of this source, which has served since.
    let fresh = postgres::database();
    let target = on_postgres(&fresh, Opener::Copy).await.unwrap();
    copy(&source, &target, 7, 9).await.unwrap_err();
    record(&source, vec![arrival(2, 10)], END).await;
    assert!(refused(&source, &target).await.contains("a part of a copy"));
}

#[tokio::test]
async fn a_source_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let server = on_sqlite(&path, Opener::Server).unwrap();
    let error = on_sqlite(&path, Opener::Copy).unwrap_err();
    assert!(error.to_string().contains("another server"), "{error}");
    drop(server);

    let database = postgres::database();
    let server = on_postgres(&database, Opener::Server).await.unwrap();
    join(&server).await;
    let source = on_postgres(&database, Opener::Copy).await.unwrap();
    let target = on_sqlite(&path, Opener::Copy).unwrap();
    assert!(refused(&source, &target).await.contains("alpha"));
    server.leave(Vec::new(), END).await.unwrap();
    copy_all(&source, &target).await.unwrap();
}

#[tokio::test]
async fn a_row_that_differs_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    furnished(&path).await;
    let source = on_sqlite(&path, Opener::Copy).unwrap();
    let database = postgres::database();
    let target = on_postgres(&database, Opener::Copy).await.unwrap();
    // All 34 tables and 100 rows and more, in two steps a table; then something happens to one
    // of those that are there.
    copy(&source, &target, 1_000, 48).await.unwrap_err();
    database.run("UPDATE signal SET body = '\\x00' WHERE id = (SELECT min(id) FROM signal)");
    let error = refused(&source, &target).await;
    assert!(error.contains("checksums of signal differ"), "{error}");
    let server = on_postgres(&database, Opener::Server).await;
    assert!(server.is_err());
}
