//! The server as a process: started, watched, stopped.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nightbeat_domain::UnixMicros;
use serde::Serialize;
use tokio::net::TcpStream;

use crate::Options;
use crate::load::exchange;
use crate::seed::{self, Seed};

/// How long a server may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A server under load. Ended when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
    /// From its start to the first 200 of `/readyz`.
    pub(crate) ready_after: Duration,
}

/// What a start costs.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    /// Heartbeats in the database.
    pub(crate) heartbeats: u32,
    /// From the start of the process until it is ready, in milliseconds; the median.
    pub(crate) ready_ms: f64,
    /// Resident memory once it is ready, in megabytes (10^6 bytes); the median.
    pub(crate) resident_mb: f64,
}

impl Server {
    /// Starts the binary on an SQLite file.
    pub(crate) async fn start(options: &Options, database: &Path) -> anyhow::Result<Self> {
        let folder = database.parent().unwrap_or(Path::new("."));
        let database = format!("sqlite:{}", database.display());
        Self::start_on(options, &database, folder).await
    }

    /// Starts the binary on a database that others may use, too. Who it is among them stands in `folder`.
    pub(crate) async fn start_on(
        options: &Options,
        database: &str,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let address = format!("127.0.0.1:{port}");
        let began = Instant::now();
        let child = Command::new(&options.binary)
            .args(["serve", "--listen", &address, "--log-level", "warn"])
            .arg("--database")
            .arg(database)
            .env("NIGHTBEAT_DATA_FOLDER", folder)
            .env("NIGHTBEAT_OUTGOING_ALLOW", "127.0.0.0/8")
            .env("NIGHTBEAT_LIMITS_CONNECTIONS_PER_ADDRESS", "10000")
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| {
                format!(
                    "cannot start {}; build it with `cargo build --release`",
                    options.binary.display()
                )
            })?;
        let mut server = Self {
            child,
            address,
            ready_after: Duration::ZERO,
        };
        while !server.is_ready().await {
            anyhow::ensure!(
                began.elapsed() < READY_WITHIN,
                "the server did not become ready"
            );
            anyhow::ensure!(server.child.try_wait()?.is_none(), "the server ended");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        server.ready_after = began.elapsed();
        Ok(server)
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(&self.address).await else {
            return false;
        };
        let request = "GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
        matches!(exchange(&mut stream, request.as_bytes()).await, Ok(200))
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(self.child.id())
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(kilobytes.context("no VmRSS")?.parse::<u64>()? * 1_024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32)
            && rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_err()
        {
            eprintln!("the server had ended already");
        }
        if let Err(error) = self.child.wait() {
            eprintln!("cannot wait for the server: {error}");
        }
    }
}

/// Processor time that a process has used so far.
pub(crate) fn cpu_of(process: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The command's name stands in parentheses and may hold spaces.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// Measures what a start costs with so many heartbeats.
pub(crate) async fn measure_start(options: &Options, heartbeats: u32) -> anyhow::Result<Start> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("bench.db");
    seed::write(&database, &Seed::fine(heartbeats)).await?;
    let mut ready = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..options.rounds {
        let server = Server::start(options, &database).await?;
        ready.push(server.ready_after.as_secs_f64() * 1e3);
        resident.push(server.resident()? as f64 / 1e6);
    }
    Ok(Start {
        heartbeats,
        ready_ms: median(ready),
        resident_mb: median(resident),
    })
}

/// The wall clock.
pub(crate) fn now() -> UnixMicros {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixMicros(since.unwrap_or_default().as_micros() as i64)
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
