//! A database that moves: from SQLite to PostgreSQL and back, cut off on the way both times.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nightbeat_store::dump::{Dump, dump};
use nightbeat_store::{Opener, Store};
use nightbeat_testkit::postgres::{Cluster, Settings};
use serde::Serialize;

use crate::Options;
use crate::load::{Load, Mode};
use crate::process::Server;
use crate::seed::{self, Seed};

const HEARTBEATS: u32 = 100_000;
const SIGNALS: usize = 1_000_000;

/// A copy is killed when it has told its progress so often: once for each tenth, and for what it does.
const KILLED_AFTER_LINES: usize = 5;

/// What it took.
#[derive(Debug, Serialize)]
pub(crate) struct Moved {
    /// How many heartbeats moved.
    pub(crate) heartbeats: usize,
    /// How many signals, and as many runs.
    pub(crate) signals: usize,
    /// From SQLite to PostgreSQL, in seconds: up to the kill, and from there to the end.
    pub(crate) there_seconds: [f64; 2],
    /// From PostgreSQL to another SQLite file.
    pub(crate) back_seconds: [f64; 2],
}

/// Moves a database there and back. An error where anything is another than it was.
pub(crate) async fn measure(options: &Options) -> anyhow::Result<Moved> {
    let folder = tempfile::tempdir()?;
    let (first, second) = (folder.path().join("a.db"), folder.path().join("b.db"));
    fill(options, &first).await?;
    let cluster = Cluster::private(Settings {
        durable: true,
        ..Settings::default()
    });
    let postgres = cluster.url("postgres");
    let [from, to] = [&first, &second].map(|path| format!("sqlite:{}", path.display()));
    let before = on_sqlite(&first).await?;
    let there_seconds = copy(options, &from, &postgres)?;
    let store = Store::open_postgres(&postgres, Opener::Copy).await?.store;
    anyhow::ensure!(store.read(dump).await? == before, "the copy differs");
    drop(store);
    let back_seconds = copy(options, &postgres, &to)?;
    anyhow::ensure!(on_sqlite(&second).await? == before, "the copy back differs");
    let signals = before.heartbeats.iter().map(|one| one.signals.len());
    Ok(Moved {
        heartbeats: before.heartbeats.len(),
        signals: signals.sum(),
        there_seconds,
        back_seconds,
    })
}

/// Signals as people's jobs send them, until there are enough.
async fn fill(options: &Options, database: &Path) -> anyhow::Result<()> {
    seed::write(database, &Seed::fine(HEARTBEATS)).await?;
    let server = [Server::start(options, database).await?];
    let load = Load {
        heartbeats: HEARTBEATS,
        mode: Mode::KeepAlive(512),
    };
    let requests = Arc::new(load.signal_requests());
    let mut answered = 0;
    while answered < SIGNALS {
        let round = load.round(&server, &requests, Duration::from_secs(options.seconds));
        answered += round.await?.answered;
    }
    Ok(())
}

async fn on_sqlite(path: &Path) -> anyhow::Result<Dump> {
    let store = Store::open_sqlite(path, Opener::Copy)?.store;
    Ok(store.read(dump).await?)
}

/// Copies with the command line, which is killed once and begun again.
fn copy(options: &Options, from: &str, to: &str) -> anyhow::Result<[f64; 2]> {
    let command = || {
        let mut command = Command::new(&options.binary);
        command
            .args(["db", "copy", "--from", from, "--to", to])
            .stderr(Stdio::piped());
        command
    };
    let began = Instant::now();
    let mut child = command().spawn().context("cannot start the copy")?;
    let told = child.stderr.take().context("no standard error")?;
    let mut lines = BufReader::new(told).lines().take(KILLED_AFTER_LINES);
    let last = lines.by_ref().last().context("it said nothing")??;
    child.kill()?;
    let status = child.wait()?;
    anyhow::ensure!(
        !status.success(),
        "it was done before it was killed: {last}"
    );
    let cut_off = began.elapsed();
    eprintln!("killed at: {last}");
    let output = command().output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the copy failed: {told}");
    anyhow::ensure!(
        told.contains("from an earlier attempt"),
        "it began anew: {told}"
    );
    let took = began.elapsed().saturating_sub(cut_off);
    Ok([cut_off, took].map(|time| time.as_secs_f64()))
}
