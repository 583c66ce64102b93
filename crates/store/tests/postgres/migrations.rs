use std::collections::BTreeSet;

use nightbeat_store::{Opener, Result, Store, StoreError};
use nightbeat_testkit::postgres::{self, Database};

use crate::open;

async fn refused(database: &Database) -> String {
    let opened = Store::open_postgres(&database.url(), Opener::Server).await;
    let error = opened.unwrap_err();
    assert!(matches!(error, StoreError::Fatal(_)), "{error}");
    error.to_string()
}

/// Table, column and type, as SQLite calls it.
type Columns = BTreeSet<(String, String, String)>;

async fn columns(store: &Store, query: &'static str) -> Columns {
    let read = store.read(move |sql| {
        let rows = sql.query(query, &[])?;
        let column = |row: &nightbeat_store::sql::Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        rows.iter().map(column).collect::<Result<_>>()
    });
    read.await.unwrap()
}

#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let folder = tempfile::tempdir().unwrap();
    let file = Store::open_sqlite(&folder.path().join("beats.db"), Opener::Tool).unwrap();
    let of_sqlite = columns(
        &file.store,
        "SELECT t.name, c.name, c.type FROM pragma_table_list t, pragma_table_info(t.name) c
          WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite%' AND t.name <> 'schema_version'",
    );
    let database = postgres::database();
    let of_postgres = columns(
        &open(&database).await,
        "SELECT t.relname, c.attname,
                CASE format_type(c.atttypid, c.atttypmod)
                     WHEN 'bigint' THEN 'INTEGER' WHEN 'bytea' THEN 'BLOB' WHEN 'text' THEN 'TEXT' END
           FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid
          WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p')
            AND NOT t.relispartition AND c.attnum > 0
            AND t.relname NOT IN ('schema_version', 'node', 'handed_over')",
    )
    .await;
    assert_eq!(of_sqlite.await, of_postgres);
}

/// Else lists would be in another order, and an upgrade of the system could break an index.
#[tokio::test]
async fn all_text_is_ordered_byte_by_byte() {
    let database = postgres::database();
    drop(open(&database).await);
    let others = database.run(
        "SELECT t.relname, c.attname FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid
           JOIN pg_collation o ON o.oid = c.attcollation
          WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p') AND o.collname <> 'C'
            AND c.attnum > 0",
    );
    assert_eq!(others, Vec::<Vec<_>>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_may_start_on_an_empty_database_at_once() {
    let database = postgres::database();
    let nodes = (0..6).map(|_| {
        let url = database.url();
        tokio::spawn(async move { Store::open_postgres(&url, Opener::Server).await.map(drop) })
    });
    for node in nodes.collect::<Vec<_>>() {
        node.await.unwrap().unwrap();
    }
    let versions = database.run("SELECT version, name FROM schema_version ORDER BY version");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        versions,
        [
            vec![text("0"), text("nightbeat")],
            vec![text("1"), text("first")],
            vec![text("2"), text("handed_over")],
            vec![text("3"), text("work")],
            vec![text("4"), text("accounts")],
            vec![text("5"), text("second_step")],
            vec![text("6"), text("passkeys")],
            vec![text("7"), text("external_identity")],
            vec![text("8"), text("badges")],
            vec![text("9"), text("confirmed_addresses")],
            vec![text("10"), text("reports")],
            vec![text("11"), text("status_page")],
            vec![text("12"), text("incident_note")],
        ]
    );
}

#[tokio::test]
async fn an_older_program_refuses_a_newer_schema() {
    let database = postgres::database();
    drop(open(&database).await);
    database.run("INSERT INTO schema_version VALUES (99, 'of the future')");
    let text = refused(&database).await;
    assert!(text.contains("its schema is version 99"), "{text}");
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    for theirs in [
        "CREATE TABLE project (title text)",
        "CREATE TABLE schema_version (version text)",
        "CREATE TABLE schema_version (version bigint, name text)",
    ] {
        let database = postgres::database();
        database.run(theirs);
        let text = refused(&database).await;
        assert!(text.contains("belongs to another program"), "{text}");
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
        assert_eq!(database.run(tables), [[Some("1".to_owned())]], "{theirs}");
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let database = postgres::database();
    let url = database.url();
    let missing = url.replace(database.name(), "no_such_database");
    let error = Store::open_postgres(&missing, Opener::Server).await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, StoreError::Fatal(text) if text.contains("no_such_database")),
        "{error}"
    );
    let nobody = "postgres://nightbeat:hunter2@127.0.0.1:1/nightbeat";
    let error = Store::open_postgres(nobody, Opener::Server).await;
    let error = error.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    // Asked for TLS, it does not go on without.
    let host = "postgres://u@localhost:1/n?sslmode=require&sslrootcert=/no/such/file";
    let error = Store::open_postgres(host, Opener::Server)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Fatal(text) if text.contains("/no/such/file")),
        "{error}"
    );
}
