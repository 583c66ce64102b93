//! A handler that panics harms nobody else.

use std::sync::Arc;

use crate::support::{one_answer, start};
use axum::Router;
use axum::routing::get;
use nightbeat_server::config::Config;
use nightbeat_server::http::{self, App, Shutdown};
use nightbeat_server::ingest::Ingest;
use nightbeat_store::damage::{Damage, damage};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

async fn broken() -> &'static str {
    panic!("on purpose")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_handler_is_answered_500_and_the_connection_lives_on() {
    let nightbeat = start(|_| {}).await;
    let id = nightbeat.heartbeat("backup").await;
    let config = Config::with_database(nightbeat.database());
    let (node, metrics) = (nightbeat.server.node().clone(), Arc::default());
    let ingest = Ingest::new(&config, node.clone(), Arc::clone(&metrics));
    let app = Arc::new(App::new(
        &config,
        ingest,
        Router::new().route("/broken", get(broken)),
    ));
    let listener = http::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.tcp_address().unwrap();
    let (switch, shutdown) = Shutdown::new();
    let running = tokio::spawn(async move {
        http::run(vec![listener], app, &config, metrics, node, shutdown).await;
    });

    let mut stream = TcpStream::connect(address).await.unwrap();
    for (path, status) in [
        ("/broken".to_owned(), 500),
        (format!("/ping/{id}"), 200),
        ("/broken".to_owned(), 500),
    ] {
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
            .await
            .unwrap();
        assert_eq!(one_answer(&mut stream).await.status, status, "{path}");
    }
    drop(stream);
    switch.begin();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_cannot_be_read_costs_nobody_else() {
    let nightbeat = start(|_| {}).await;
    let (ill, well) = (
        nightbeat.heartbeat("ill").await,
        nightbeat.heartbeat("well").await,
    );
    let broken = damage(nightbeat.server.store(), ill, Damage::State);
    broken.await.unwrap();
    let refused = nightbeat.get(&format!("/ping/{ill}")).await;
    let answer = (refused.status, refused.body.as_str());
    assert_eq!(answer, (500, "cannot be stored"), "not on disk, so no 200");
    assert_eq!(nightbeat.get(&format!("/ping/{well}")).await.status, 200);
    assert_eq!(nightbeat.get("/readyz").await.status, 200);
    let counted = nightbeat.server.store().broken_heartbeats();
    assert_eq!(counted.await.unwrap(), 1);
}

/// What the daily look at the database finds.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_not_ready_until_it_is_sound_again() {
    let nightbeat = start(|_| {}).await;
    // Its signal is answered once the node has started.
    nightbeat.heartbeat("job").await;
    let node = nightbeat.server.node();
    node.database_looked_over(Some("page 7 is never used".to_owned()));
    let ready = nightbeat.get("/readyz").await;
    assert_eq!(ready.status, 503);
    let told = "the database is damaged: page 7 is never used";
    assert!(ready.body.contains(told), "{}", ready.body);
    node.database_looked_over(None);
    let ready = nightbeat.get("/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.body);
}
