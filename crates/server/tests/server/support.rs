//! A real server on a real database and port, and a client that sends what it is told, byte for byte.

use std::net::SocketAddr;
use std::time::Duration;

use nightbeat_domain::{HeartbeatId, ProjectId};
use nightbeat_server::Server;
use nightbeat_server::accounts::{self, Init, Initialised};
use nightbeat_server::clock::Clock;
use nightbeat_server::config::{Config, Database};
use nightbeat_store::control::PageRequest;
use nightbeat_store::control::heartbeats::{self, BySlug, Heartbeat};
use nightbeat_store::control::signals::{self, Signal};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Far longer than anything takes; only a hanging test waits this long.
pub(crate) const HANGING: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) keys: Initialised,
    folder: TempDir,
}

/// A server with one project, configured by `change`.
pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Fixture {
    let (server, folder) = start_empty(change).await;
    let init = Init {
        email: "ana@example.org".to_owned(),
        password: None,
        project: "Home".to_owned(),
    };
    let keys = accounts::create(server.store(), init, true, server.node().now())
        .await
        .unwrap();
    Fixture {
        server,
        keys,
        folder,
    }
}

/// A server on an empty database.
pub(crate) async fn start_empty(change: impl FnOnce(&mut Config)) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::with_database(Database::Sqlite(folder.path().join("nightbeat.db")));
    config.listen = vec!["127.0.0.1:0".parse().unwrap()];
    // A test asks as often as it wants; the one about this sets it.
    config.limits.api_requests_per_minute = None;
    change(&mut config);
    (
        Server::start(config, Clock::default()).await.unwrap(),
        folder,
    )
}

impl Fixture {
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    pub(crate) fn database(&self) -> Database {
        Database::Sqlite(self.folder.path().join("nightbeat.db"))
    }

    pub(crate) fn project(&self) -> ProjectId {
        self.keys.project_id
    }

    /// Sends `request` on a connection of its own; the whole answer.
    pub(crate) async fn talk(&self, request: impl AsRef<[u8]>) -> Answer {
        talk(self.address(), request.as_ref()).await
    }

    /// Sends a GET for `path`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.talk(format!(
            "GET {path} HTTP/1.1\r\nHost: beats.example.org\r\nConnection: close\r\n\r\n"
        ))
        .await
    }

    /// A heartbeat called `slug`, created by its first signal.
    pub(crate) async fn heartbeat(&self, slug: &str) -> HeartbeatId {
        let ping_key = &self.keys.ping_key;
        let answer = self
            .get(&format!("/api/heartbeat/{ping_key}/{slug}?create=1"))
            .await;
        assert_eq!((answer.status, answer.body.as_str()), (201, "Created"));
        self.by_slug(slug).await.unwrap().id
    }

    pub(crate) async fn by_slug(&self, slug: &str) -> Option<Heartbeat> {
        let (project, slug) = (self.project(), slug.to_owned());
        let reading = self
            .server
            .store()
            .read(move |sql| heartbeats::by_slug(sql, project, &slug));
        match reading.await.unwrap() {
            BySlug::One(found) => Some(*found),
            BySlug::None => None,
            BySlug::Several => panic!("several heartbeats have this slug"),
        }
    }

    /// Its signals, the newest first.
    pub(crate) async fn signals(&self, heartbeat: HeartbeatId) -> Vec<Signal> {
        let (project, request) = (self.project(), PageRequest::default());
        let reading = self
            .server
            .store()
            .read(move |sql| signals::list(sql, project, heartbeat, &request));
        reading.await.unwrap().unwrap().items
    }

    /// The newest signal.
    pub(crate) async fn newest(&self, heartbeat: HeartbeatId) -> Signal {
        self.signals(heartbeat).await.swap_remove(0)
    }
}

/// An HTTP answer, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Reads an answer that the server ended by closing the connection.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {head}"));
        Self {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }
}

pub(crate) async fn talk(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    Answer::parse(&rest(&mut stream).await)
}

/// What the server still sends until it closes the connection.
pub(crate) async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    let read = tokio::time::timeout(HANGING, reading)
        .await
        .expect("the server closes the connection");
    // A reset after the answer is an end, too.
    drop(read);
    bytes
}

/// One answer on a connection that stays open; its body is as long as it says.
pub(crate) async fn one_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        let byte = tokio::time::timeout(HANGING, stream.read_u8())
            .await
            .expect("an answer");
        bytes.push(byte.unwrap());
        if bytes.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let mut answer = Answer::parse(&bytes);
    let length = answer
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    answer.body = String::from_utf8(body).unwrap();
    answer
}
