//! Pages as a browser sees them: how soon the first byte is there, how much comes, and what open pages cost.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nightbeat_domain::{ProjectId, Signal, SignalKind, UnixMicros};
use nightbeat_store::control::keys::{self, Key, Scope};
use nightbeat_store::hot::Record;
use nightbeat_store::{Arrival, Opener, Store, Target};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Options;
use crate::load::exchange;
use crate::process::{Server, median, now};
use crate::seed::{self, Seed};

const API_KEY: &str = "nb_k_bench-key-bench-key-bench-key-bench-key";
const LISTS: [u32; 3] = [200, 2_000, 10_000];
/// How often each page is asked for; medians count.
const ASKED: usize = 30;
const OPEN_PAGES: usize = 1_000;
const SIGNALS_PER_SECOND: u32 = 1_000;
const DAY: Duration = Duration::from_secs(86_400);
const YEAR_DAYS: u32 = 365;
/// How many runs the list shows of each heartbeat.
const STRIP_RUNS: u32 = 30;
/// Of how many heartbeats runs are written in one transaction.
const CHUNK: u32 = 2_000;

/// What a page costs.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    /// Which one.
    pub(crate) name: String,
    /// From the request to the first byte of the answer, in milliseconds; the median.
    pub(crate) first_byte_ms: f64,
    /// To the last byte.
    pub(crate) whole_ms: f64,
    /// Bytes of the page itself, as they are sent.
    pub(crate) html_bytes: usize,
    /// Of the files that it names and a browser keeps: style sheet, scripts, icon; as they are sent.
    pub(crate) asset_bytes: usize,
}

/// What it costs that many pages are open while signals come.
#[derive(Debug, Serialize)]
pub(crate) struct OpenPages {
    /// How many.
    pub(crate) pages: usize,
    /// Signals a second that were stored meanwhile.
    pub(crate) signals_per_second: f64,
    /// Events that all pages together got in a second; each asked for the list then.
    pub(crate) events_per_second: f64,
    /// From the request for such a list to the last byte of the answer, in milliseconds; the median.
    pub(crate) list_ms: f64,
    /// Processor time of the server, in percent of one core.
    pub(crate) cpu_percent: f64,
    /// The same for these signals without any open page.
    pub(crate) cpu_percent_alone: f64,
    /// Resident memory in megabytes, with and without the pages.
    pub(crate) resident_mb: [f64; 2],
}

/// Measures lists of several lengths, and a heartbeat with a year behind it.
pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Page>> {
    let mut pages = Vec::new();
    for heartbeats in LISTS {
        let folder = tempfile::tempdir()?;
        let database = folder.path().join("bench.db");
        seed::write(&database, &Seed::fine(heartbeats)).await?;
        write_key_and_runs(&database, heartbeats).await?;
        let server = Server::start(options, &database).await?;
        let visitor = Visitor::sign_in(&server).await?;
        let list = visitor.project.clone();
        let name = format!("list of {heartbeats} heartbeats");
        pages.push(visitor.measure(name, &list).await?);
        if heartbeats == LISTS[0] {
            let one = format!("{}/heartbeats/job-0", visitor.project);
            let name = "heartbeat with a year of runs".to_owned();
            pages.push(visitor.measure(name, &one).await?);
        }
    }
    Ok(pages)
}

/// Measures many open pages.
pub(crate) async fn measure_open(options: &Options) -> anyhow::Result<OpenPages> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("bench.db");
    seed::write(&database, &Seed::fine(LISTS[0])).await?;
    write_key_and_runs(&database, LISTS[0]).await?;
    let server = Server::start(options, &database).await?;
    let visitor = Visitor::sign_in(&server).await?;
    let time = Duration::from_secs(options.seconds.max(10));
    let (cpu_percent_alone, _) = signals(&server, time).await?;
    let before = server.resident()? as f64 / 1e6;
    let lists: Arc<Mutex<Vec<f64>>> = Arc::default();
    let mut open = JoinSet::new();
    for _ in 0..OPEN_PAGES {
        let page = OpenPage {
            stream: visitor.follow().await?,
            address: server.address.clone(),
            request: visitor.request(&visitor.project, "br", "HX-Request: true\r\n"),
        };
        open.spawn(page.look(Arc::clone(&lists)));
    }
    // The first event of each says how things are.
    tokio::time::sleep(Duration::from_secs(2)).await;
    lists.lock().expect("no page panics").clear();
    let (cpu_percent, signals_per_second) = signals(&server, time).await?;
    let lists = std::mem::take(&mut *lists.lock().expect("no page panics"));
    if let Some(closed) = open.try_join_next() {
        closed??;
    }
    Ok(OpenPages {
        pages: OPEN_PAGES,
        signals_per_second,
        events_per_second: lists.len() as f64 / time.as_secs_f64(),
        list_ms: median(lists),
        cpu_percent,
        cpu_percent_alone,
        resident_mb: [server.resident()? as f64 / 1e6, before],
    })
}

/// Signals at a steady pace; the server's processor time in percent, and how many a second.
async fn signals(server: &Server, time: Duration) -> anyhow::Result<(f64, f64)> {
    let cpu = server.cpu()?;
    let began = Instant::now();
    let mut jobs = JoinSet::new();
    for number in 0..SIGNALS_PER_SECOND / TICKS_PER_SECOND {
        jobs.spawn(job(server.address.clone(), number, time));
    }
    let mut sent = 0;
    while let Some(done) = jobs.join_next().await {
        sent += done??;
    }
    let took = began.elapsed().as_secs_f64();
    let used = server.cpu()?.saturating_sub(cpu).as_secs_f64();
    Ok((100.0 * used / took, f64::from(sent) / took))
}

/// How many signals each connection sends in a second.
const TICKS_PER_SECOND: u32 = 50;

async fn job(address: String, number: u32, time: Duration) -> anyhow::Result<u32> {
    let mut stream = TcpStream::connect(&address).await?;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / TICKS_PER_SECOND);
    let began = Instant::now();
    let mut sent = 0;
    while began.elapsed() < time {
        ticks.tick().await;
        let heartbeat = seed::heartbeat((number * TICKS_PER_SECOND + sent) % LISTS[0]);
        let request = format!("GET /api/heartbeat/{heartbeat} HTTP/1.1\r\nHost: bench\r\n\r\n");
        let status = exchange(&mut stream, request.as_bytes()).await?;
        anyhow::ensure!(status == 200, "answered {status}");
        sent += 1;
    }
    Ok(sent)
}

/// A list that somebody has left open.
struct OpenPage {
    stream: TcpStream,
    address: String,
    /// Asks for the list.
    request: String,
}

impl OpenPage {
    /// Asks for the list at each event, as the page's script does, until the server closes the stream. Writes
    /// down how long each took, in milliseconds.
    async fn look(mut self, lists: Arc<Mutex<Vec<f64>>>) -> anyhow::Result<()> {
        let mut piece = [0_u8; 1_024];
        loop {
            let read = self.stream.read(&mut piece).await?;
            anyhow::ensure!(read > 0, "a page's stream ended");
            if !piece[..read].windows(6).any(|it| it == b"event:") {
                continue;
            }
            let list = fetch(&self.address, &self.request).await?;
            anyhow::ensure!(list.status == 200, "a list answered {}", list.status);
            let took = list.whole.as_secs_f64() * 1e3;
            lists.lock().expect("no page panics").push(took);
        }
    }
}

/// A browser that is signed in.
struct Visitor<'s> {
    server: &'s Server,
    cookie: String,
    /// The path of the project's list.
    project: String,
}

impl<'s> Visitor<'s> {
    /// Shows an API key, as its form does.
    async fn sign_in(server: &'s Server) -> anyhow::Result<Self> {
        let mut visitor = Self {
            server,
            cookie: String::new(),
            project: String::new(),
        };
        let form = visitor.get("/sign-in").await?;
        visitor.cookie = form.cookie()?;
        let text = String::from_utf8_lossy(&form.body).into_owned();
        let token = between(&text, "name=\"csrf\" value=\"", "\"")?;
        let fields = format!("csrf={token}&key={API_KEY}&next=/");
        let request = format!(
            "POST /sign-in HTTP/1.1\r\nHost: bench\r\nCookie: {}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{fields}",
            visitor.cookie,
            fields.len()
        );
        let signed_in = fetch(&server.address, &request).await?;
        anyhow::ensure!(signed_in.status == 303, "answered {}", signed_in.status);
        visitor.cookie = signed_in.cookie()?;
        let front = visitor.get("/").await?;
        visitor.project = front.header("location").context("no project")?;
        Ok(visitor)
    }

    async fn get(&self, path: &str) -> anyhow::Result<Fetched> {
        self.get_as(path, "gzip, br").await
    }

    async fn get_as(&self, path: &str, encodings: &str) -> anyhow::Result<Fetched> {
        let request = self.request(path, encodings, "");
        fetch(&self.server.address, &request).await
    }

    /// A request with this session, and with further header lines.
    fn request(&self, path: &str, encodings: &str, further: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: bench\r\nCookie: {}\r\nAccept-Encoding: {encodings}\r\n\
             {further}Connection: close\r\n\r\n",
            self.cookie
        )
    }

    async fn measure(&self, name: String, path: &str) -> anyhow::Result<Page> {
        let mut first_bytes = Vec::new();
        let mut wholes = Vec::new();
        let mut last = self.get(path).await?;
        for _ in 0..ASKED {
            last = self.get(path).await?;
            anyhow::ensure!(last.status == 200, "{path} answered {}", last.status);
            first_bytes.push(last.first_byte.as_secs_f64() * 1e3);
            wholes.push(last.whole.as_secs_f64() * 1e3);
        }
        let plain = self.get_as(path, "identity").await?;
        let text = String::from_utf8_lossy(&plain.body).into_owned();
        let mut asset_bytes = 0;
        for attribute in ["href=\"/assets/", "src=\"/assets/"] {
            for rest in text.split(attribute).skip(1) {
                let file = rest.split('"').next().unwrap_or_default();
                let asset = self.get(&format!("/assets/{file}")).await?;
                anyhow::ensure!(asset.status == 200, "{file} answered {}", asset.status);
                asset_bytes += asset.body.len();
            }
        }
        Ok(Page {
            name,
            first_byte_ms: median(first_bytes),
            whole_ms: median(wholes),
            html_bytes: last.body.len(),
            asset_bytes,
        })
    }

    /// Opens the stream of what changes.
    async fn follow(&self) -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.server.address).await?;
        let request = format!(
            "GET {}/events HTTP/1.1\r\nHost: bench\r\nCookie: {}\r\nAccept: text/event-stream\r\n\r\n",
            self.project, self.cookie
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = [0_u8; 12];
        stream.read_exact(&mut head).await?;
        anyhow::ensure!(&head == b"HTTP/1.1 200", "no stream");
        Ok(stream)
    }
}

/// An answer, read to its end.
struct Fetched {
    status: u16,
    head: String,
    body: Vec<u8>,
    first_byte: Duration,
    whole: Duration,
}

impl Fetched {
    fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned())
    }

    /// All cookies that it sets, as a browser sends them back.
    fn cookie(&self) -> anyhow::Result<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let set = lines.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        let pairs = set.filter_map(|(_, value)| value.split(';').next());
        let pairs: Vec<&str> = pairs
            .map(str::trim)
            .filter(|it| !it.ends_with('='))
            .collect();
        anyhow::ensure!(!pairs.is_empty(), "no cookie: {}", self.head);
        Ok(pairs.join("; "))
    }
}

async fn fetch(address: &str, request: &str) -> anyhow::Result<Fetched> {
    let mut stream = TcpStream::connect(address).await?;
    let began = Instant::now();
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![0_u8; 1];
    stream.read_exact(&mut answer).await?;
    let first_byte = began.elapsed();
    stream.read_to_end(&mut answer).await?;
    let whole = began.elapsed();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.context("no answer")?;
    let head = String::from_utf8(answer[..end].to_vec())?;
    Ok(Fetched {
        status: head.get(9..12).context("no status")?.parse()?,
        body: answer.split_off(end + 4),
        head,
        first_byte,
        whole,
    })
}

fn between(text: &str, before: &str, after: &str) -> anyhow::Result<String> {
    let rest = text.split(before).nth(1).context("no such field")?;
    Ok(rest.split(after).next().unwrap_or_default().to_owned())
}

/// An API key for the project, and a year of daily runs with a start and numbers for its first heartbeat.
async fn write_key_and_runs(database: &std::path::Path, heartbeats: u32) -> anyhow::Result<()> {
    let store = Store::open_sqlite(database, Opener::Tool)?.store;
    let today = now();
    let key = Key {
        id: Uuid::from_u128(3),
        name: "bench".to_owned(),
        scope: Scope::ReadWrite,
        created_at: today,
        last_used_at: None,
    };
    let hash: [u8; 32] = Sha256::digest(API_KEY.as_bytes()).into();
    let project = ProjectId(Uuid::from_u128(1));
    let writing = store.write(move |sql| keys::insert(sql, project, &key, &hash));
    writing.await?;
    for days in (1..YEAR_DAYS).rev() {
        // One has run for a year, the others as long as their strip is.
        let with_runs = if days <= STRIP_RUNS { heartbeats } else { 1 };
        for from in (0..with_runs).step_by(CHUNK as usize) {
            let chunk = from..(from + CHUNK).min(with_runs);
            let runs = chunk.flat_map(|number| run(number, days, today));
            let arrivals: Vec<Arrival> = runs.collect();
            let last = arrivals
                .iter()
                .map(|it| it.signal.received_at)
                .max()
                .unwrap_or(today);
            let batch = Record {
                arrivals,
                watermark: last,
                gaps: Vec::new(),
                now: last,
            };
            store.record(batch).await?;
        }
    }
    Ok(())
}

/// A run of a heartbeat so many days ago: ten minutes and something, and one in forty fails.
fn run(number: u32, days: u32, today: UnixMicros) -> [Arrival; 2] {
    let began = UnixMicros(today.0 - i64::from(days) * DAY.as_micros() as i64);
    let odd = u64::from(days) * 37 + u64::from(number) * 101;
    let took = Duration::from_secs(600 + odd % 240);
    let end = if odd.is_multiple_of(40) {
        SignalKind::Fail
    } else {
        SignalKind::Success
    };
    [
        arrival(number, SignalKind::Start, began),
        arrival(number, end, began + took),
    ]
}

fn arrival(number: u32, kind: SignalKind, at: UnixMicros) -> Arrival {
    Arrival {
        target: Target::Id(seed::heartbeat(number)),
        signal: Signal::new(kind, at),
        nonce: None,
        method: "GET",
        source: "192.0.2.7".to_owned(),
        user_agent: "curl/8.14.1".to_owned(),
        body: None,
        body_bytes: 0,
        mail: None,
    }
}
