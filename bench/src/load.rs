//! Signals as fast as they are answered, from many connections at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Options;
use crate::process::{Server, median};
use crate::seed::{self, Seed};

/// How signals come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// So many connections, each kept for all its signals.
    KeepAlive(usize),
    /// So many at once, each signal on a connection of its own, as curl does it.
    NewConnections(usize),
}

/// One load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Over how many heartbeats the signals are spread.
    pub(crate) heartbeats: u32,
    /// How they come.
    pub(crate) mode: Mode,
}

/// What a load achieved: medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Rates {
    /// Over how many heartbeats the signals were spread.
    pub(crate) heartbeats: u32,
    /// How they came.
    pub(crate) connections: String,
    /// Durable signals a second.
    pub(crate) signals_per_second: f64,
    /// Requests a second on a route of the same server that stores nothing.
    pub(crate) nothing_per_second: f64,
    /// The one divided by the other, round by round.
    pub(crate) ratio: f64,
    /// Processor time of the server for one signal, in microseconds.
    pub(crate) cpu_micros: f64,
    /// Half of the signals were answered within this many milliseconds.
    pub(crate) p50_ms: f64,
    /// All but one in a hundred.
    pub(crate) p99_ms: f64,
}

/// One round of one load.
pub(crate) struct Round {
    /// How many were answered.
    pub(crate) answered: usize,
    /// The same, a second.
    pub(crate) per_second: f64,
    /// Processor time of the servers for each, in microseconds.
    pub(crate) cpu_micros: f64,
    /// Half of them were answered within this many milliseconds.
    pub(crate) p50_ms: f64,
    /// All but one in a hundred.
    pub(crate) p99_ms: f64,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::KeepAlive(count) => write!(f, "{count} kept"),
            Self::NewConnections(count) => write!(f, "new each, {count} at once"),
        }
    }
}

impl Load {
    /// Measures it, in turns with the route that stores nothing.
    pub(crate) async fn measure(self, options: &Options) -> anyhow::Result<Rates> {
        let folder = tempfile::tempdir()?;
        let database = folder.path().join("bench.db");
        seed::write(&database, &Seed::fine(self.heartbeats)).await?;
        let server = [Server::start(options, &database).await?];
        let time = Duration::from_secs(options.seconds);
        let signals = Arc::new(self.signal_requests());
        let nothing = Arc::new(vec![self.request("/healthz")]);
        // Once unmeasured: caches fill, files grow.
        self.round(&server, &signals, time / 2).await?;
        let mut rounds = Vec::new();
        let mut nothings = Vec::new();
        for _ in 0..options.rounds {
            nothings.push(self.round(&server, &nothing, time).await?.per_second);
            rounds.push(self.round(&server, &signals, time).await?);
        }
        let pick = |of: fn(&Round) -> f64| median(rounds.iter().map(of).collect());
        let ratios = rounds.iter().zip(&nothings);
        Ok(Rates {
            heartbeats: self.heartbeats,
            connections: self.mode.to_string(),
            signals_per_second: pick(|round| round.per_second),
            nothing_per_second: median(nothings.clone()),
            ratio: median(
                ratios
                    .map(|(round, nothing)| round.per_second / nothing)
                    .collect(),
            ),
            cpu_micros: pick(|round| round.cpu_micros),
            p50_ms: pick(|round| round.p50_ms),
            p99_ms: pick(|round| round.p99_ms),
        })
    }

    /// A signal to each of the heartbeats.
    pub(crate) fn signal_requests(self) -> Vec<Vec<u8>> {
        let path = |number| format!("/api/heartbeat/{}", seed::heartbeat(number));
        (0..self.heartbeats)
            .map(|number| self.request(&path(number)))
            .collect()
    }

    fn request(self, path: &str) -> Vec<u8> {
        let connection = match self.mode {
            Mode::KeepAlive(_) => "",
            Mode::NewConnections(_) => "Connection: close\r\n",
        };
        format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n{connection}\r\n"
        )
        .into_bytes()
    }

    /// Loads the servers for so long, each with its share of the connections.
    pub(crate) async fn round(
        self,
        servers: &[Server],
        requests: &Arc<Vec<Vec<u8>>>,
        time: Duration,
    ) -> anyhow::Result<Round> {
        let (count, keep) = match self.mode {
            Mode::KeepAlive(count) => (count, true),
            Mode::NewConnections(count) => (count, false),
        };
        let cpu_before = cpu(servers)?;
        let began = Instant::now();
        let until = began + time;
        let mut clients = JoinSet::new();
        for number in 0..count {
            let address = servers[number % servers.len()].address.clone();
            let requests = Arc::clone(requests);
            clients.spawn(client(address, requests, number as u64, keep, until));
        }
        let mut latencies: Vec<u32> = Vec::new();
        while let Some(done) = clients.join_next().await {
            latencies.extend(done??);
        }
        let took = began.elapsed().as_secs_f64();
        let cpu = cpu(servers)?.saturating_sub(cpu_before).as_secs_f64();
        latencies.sort_unstable();
        let at = |share: f64| {
            let index = (latencies.len() as f64 * share) as usize;
            latencies
                .get(index)
                .map_or(f64::NAN, |micros| f64::from(*micros) / 1e3)
        };
        Ok(Round {
            answered: latencies.len(),
            per_second: latencies.len() as f64 / took,
            cpu_micros: cpu * 1e6 / latencies.len() as f64,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
        })
    }
}

/// Processor time that all of them have used so far.
fn cpu(servers: &[Server]) -> anyhow::Result<Duration> {
    servers.iter().map(Server::cpu).sum()
}

/// Sends requests one after another; how long each took, in microseconds.
async fn client(
    address: String,
    requests: Arc<Vec<Vec<u8>>>,
    number: u64,
    keep: bool,
    until: Instant,
) -> anyhow::Result<Vec<u32>> {
    let mut latencies = Vec::with_capacity(4_096);
    let mut kept: Option<TcpStream> = None;
    let mut random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while Instant::now() < until {
        // xorshift: any heartbeat, not the next one on the same page.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let request = &requests[(random % requests.len() as u64) as usize];
        let began = Instant::now();
        let mut stream = if let Some(stream) = kept.take() {
            stream
        } else {
            let stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            stream
        };
        let status = exchange(&mut stream, request).await?;
        anyhow::ensure!(status == 200, "answered {status}");
        latencies.push(began.elapsed().as_micros() as u32);
        if keep {
            kept = Some(stream);
        }
    }
    Ok(latencies)
}

/// One request and its answer; the status. The answers of the server are small and carry their length.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8]) -> anyhow::Result<u16> {
    stream.write_all(request).await?;
    let mut answer = [0_u8; 2_048];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut answer[filled..]).await?;
        anyhow::ensure!(read > 0, "the connection ended");
        filled += read;
        let head = answer[..filled]
            .windows(4)
            .position(|four| four == b"\r\n\r\n");
        let Some(head) = head else { continue };
        let text = std::str::from_utf8(&answer[..head])?;
        let length: usize = text
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            })
            .unwrap_or(0);
        if filled >= head + 4 + length {
            return Ok(text[9..12].parse()?);
        }
    }
}
