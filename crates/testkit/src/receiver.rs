//! Where alerts arrive, and everything that can go wrong there.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::clock::wall_now;
use crate::wait::{HANGING, until_within};

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Answer 200.
    Take,
    /// Answer this status.
    Status(u16),
    /// Answer this status, and ask for a pause of so many seconds.
    RetryAfter(u16, u32),
    /// Send the client somewhere else.
    Redirect(String),
    /// Read the request and reset the connection.
    Reset,
    /// Accept the connection and never read from it.
    HangBeforeReading,
    /// Read the request and never answer.
    HangBeforeHeaders,
    /// Begin an answer and never come to the end of its header.
    HangInHeaders,
    /// Answer 500 with a body that never comes to its end.
    HangInBody,
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// When, by this machine's wall clock.
    pub at: UnixMicros,
    /// Its first line.
    pub line: String,
    /// Its header lines.
    pub headers: Vec<String>,
    /// Its body as JSON; `null` where it is none.
    pub body: Value,
}

impl Received {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.iter().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim())
    }

    /// The `Idempotency-Key`: the same for each try of one delivery.
    #[track_caller]
    pub fn key(&self) -> &str {
        self.header("idempotency-key").unwrap()
    }

    /// The event: `down`, `up`, …
    pub fn event(&self) -> &str {
        self.body["event"].as_str().unwrap_or_default()
    }

    /// The heartbeat's name.
    pub fn heartbeat(&self) -> &str {
        self.body["heartbeat"]["name"].as_str().unwrap_or_default()
    }

    /// Whether it tells this event of this heartbeat, alone or in a digest.
    pub fn tells(&self, heartbeat: &str) -> bool {
        let together = self.body["heartbeats"].as_array();
        let mut together = together.into_iter().flatten();
        self.heartbeat() == heartbeat || together.any(|one| one["heartbeat"]["name"] == heartbeat)
    }
}

#[derive(Debug)]
struct Shared {
    received: Vec<Received>,
    /// What to do with the next requests; after them, `usually`.
    next: VecDeque<Behaviour>,
    usually: Behaviour,
    connections: usize,
}

/// An HTTP server on this machine. It ends when this is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    accepting: JoinHandle<()>,
    /// They fill the queue of a receiver that never accepts.
    callers: Vec<JoinHandle<()>>,
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        Self::usually(Behaviour::Take).await
    }

    /// One that does this with each request.
    pub async fn usually(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared {
            received: Vec::new(),
            next: VecDeque::new(),
            usually: behaviour,
            connections: 0,
        }));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            accepting,
            callers: Vec::new(),
        }
    }

    /// One that answers no call: connecting to it hangs. Its queue of connections is full.
    pub async fn that_nobody_can_connect_to() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut receiver = Self::usually(Behaviour::Take).await;
        receiver.address = listener.local_addr().unwrap();
        let address = receiver.address;
        let mut waiting = Vec::new();
        for _ in 0..8 {
            waiting.push(tokio::spawn(async move {
                let _held = TcpStream::connect(address).await;
                std::future::pending::<()>().await;
            }));
        }
        // Full when a call is not answered any more.
        until_within(HANGING, "the queue is full", async || {
            let call = TcpStream::connect(address);
            let answered = tokio::time::timeout(Duration::from_millis(500), call).await;
            answered.is_err().then_some(())
        })
        .await;
        receiver.accepting = tokio::spawn(async move {
            let _open = listener;
            std::future::pending::<()>().await;
        });
        receiver.callers = waiting;
        receiver
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/alert", self.address)
    }

    /// From now on, do this.
    pub fn behave(&self, behaviour: Behaviour) {
        let mut shared = self.lock();
        shared.next.clear();
        shared.usually = behaviour;
    }

    /// Do these with the next requests, one after the other.
    pub fn next(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.lock().next.extend(behaviours);
    }

    /// Everything that arrived, in its order.
    pub fn received(&self) -> Vec<Received> {
        self.lock().received.clone()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.lock().connections
    }

    /// Waits until `enough` is true of what arrived; all of it.
    pub async fn until(&self, what: &str, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        self.until_within(HANGING, what, enough).await
    }

    /// The same with another patience: for what a scheduler does once a minute.
    pub async fn until_within(
        &self,
        patience: Duration,
        what: &str,
        enough: impl Fn(&[Received]) -> bool,
    ) -> Vec<Received> {
        until_within(patience, what, async || {
            let received = self.received();
            enough(&received).then_some(received)
        })
        .await
    }

    /// Waits until this event of this heartbeat has arrived alone; the first that did.
    pub async fn told(&self, event: &str, heartbeat: &str) -> Received {
        let wanted = |one: &Received| one.event() == event && one.heartbeat() == heartbeat;
        let what = format!("{heartbeat} is told to be {event}");
        let received = self.until(&what, |all| all.iter().any(wanted)).await;
        received.into_iter().find(wanted).unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
        for waiting in &self.callers {
            waiting.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A client that gives up is no fault of the test.
            let _ = serve(stream, &shared).await;
        });
    }
}

async fn serve(mut stream: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let behaviour = {
        let mut shared = shared.lock().unwrap();
        shared.connections += 1;
        let usually = shared.usually.clone();
        shared.next.pop_front().unwrap_or(usually)
    };
    if behaviour == Behaviour::HangBeforeReading {
        return std::future::pending().await;
    }
    let received = read(&mut stream).await?;
    shared.lock().unwrap().received.push(received);
    let answer = match behaviour {
        Behaviour::Take => whole("200 OK", ""),
        Behaviour::Status(status) => whole(&format!("{status} Such"), ""),
        Behaviour::RetryAfter(status, seconds) => whole(
            &format!("{status} Later"),
            &format!("Retry-After: {seconds}\r\n"),
        ),
        Behaviour::Redirect(to) => whole("302 Found", &format!("Location: {to}\r\n")),
        Behaviour::Reset => {
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
            return Ok(());
        }
        Behaviour::HangInHeaders => "HTTP/1.1 200 OK\r\nContent-Le".to_owned(),
        Behaviour::HangInBody => {
            "HTTP/1.1 500 Broken\r\nContent-Length: 1000\r\n\r\nI was".to_owned()
        }
        Behaviour::HangBeforeReading | Behaviour::HangBeforeHeaders => String::new(),
    };
    let hangs = !answer.ends_with("\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    if hangs {
        // Until the client has enough of it.
        while stream.read(&mut [0; 1_024]).await? > 0 {}
    }
    Ok(())
}

fn whole(status: &str, header: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{header}\r\n")
}

/// Reads one request. Its body has a length: our client always says it.
async fn read(stream: &mut TcpStream) -> std::io::Result<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n").map(str::to_owned);
    let mut received = Received {
        at: wall_now(),
        line: lines.next().unwrap_or_default(),
        headers: lines.collect(),
        body: Value::Null,
    };
    let length = received.header("content-length");
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    received.body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(received)
}
