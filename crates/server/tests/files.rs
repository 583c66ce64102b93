//! The process may open no more files. Alone in its file: it changes the limits of its whole process.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use nightbeat_server::Server;
use nightbeat_server::clock::Clock;
use nightbeat_server::config::{Config, Database};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

fn allow_files(count: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(count),
            maximum,
        },
    )
    .unwrap();
}

/// Asks for something, and reads some of what comes.
async fn ask(open: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    open.write_all(request.as_bytes()).await.unwrap();
    let mut some = vec![0; 65_536];
    let count = open.read(&mut some).await.unwrap();
    String::from_utf8_lossy(&some[..count]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn accepting_waits_for_room_and_counts_as_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::with_database(Database::Sqlite(folder.path().join("nightbeat.db")));
    config.listen = vec!["127.0.0.1:0".parse().unwrap()];
    let server = Server::start(config, Clock::default()).await.unwrap();
    let address = server.addresses()[0];
    let usual = getrlimit(Resource::Nofile).current.unwrap();
    let mut open = TcpStream::connect(address).await.unwrap();
    // Accepted, or it would be one of those that wait; and ready: a start that cannot open its files fails.
    while !ask(&mut open, "/readyz").await.starts_with("HTTP/1.1 200") {}
    let waiting = TcpSocket::new_v4().unwrap();

    // What is open stays open; no number is free, also of those that the server's start gives back only now.
    allow_files(0);
    let mut waiting = waiting.connect(address).await.unwrap();
    waiting
        .write_all(b"GET /ping/unknown HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut seen = String::new();
    while !seen.contains("nightbeat_refused_connections_total{reason=\"files\"}") {
        seen.push_str(&ask(&mut open, "/metrics").await);
    }
    allow_files(usual);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.0 404"),
        "the kernel kept the connection: {answer}"
    );
    drop((open, waiting));
    server.stop().await.unwrap();
}
