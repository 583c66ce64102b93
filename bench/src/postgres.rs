//! Signals on PostgreSQL: a server of its own, one node and two, beside what `pgbench` reaches there.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use nightbeat_store::{Opener, Store};
use nightbeat_testkit::postgres::{Cluster, Settings};
use serde::Serialize;
use tempfile::TempDir;

use crate::Options;
use crate::load::{Load, Mode, Round};
use crate::process::{Server, cpu_of, median};
use crate::seed::{self, Seed};

/// Everything as PostgreSQL has it unless it is told otherwise (`fsync` and `synchronous_commit` are on), but
/// with memory for what is measured, and room in the log.
const SETTINGS: Settings<'_> = Settings {
    durable: true,
    tcp: false,
    conf: &[("shared_buffers", "1GB"), ("max_wal_size", "8GB")],
    files: &[],
};

/// How large `pgbench`'s tables are, in 100,000 accounts.
const PGBENCH_SCALE: &str = "20";

/// With how many connections it is tried; the best counts.
const PGBENCH_CLIENTS: [&str; 3] = ["16", "32", "64"];

/// How many heartbeats are written with one statement.
const CHUNK: u32 = 20_000;

/// The server counts changed rows when a session has been at it for a second.
const COUNTED_AFTER: Duration = Duration::from_millis(1_500);

/// What a load achieved: medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct SharedRates {
    /// Over how many heartbeats the signals were spread.
    pub(crate) heartbeats: u32,
    /// Over how many nodes.
    pub(crate) nodes: usize,
    /// How they came.
    pub(crate) connections: String,
    /// Durable signals a second, of all nodes.
    pub(crate) signals_per_second: f64,
    /// Transactions a second of `pgbench --skip-some-updates --protocol=prepared` on the same server.
    pub(crate) pgbench_per_second: f64,
    /// The one divided by the other, round by round.
    pub(crate) ratio: f64,
    /// How many of the changes of a heartbeat's state stayed on their page and touched no index, in percent.
    pub(crate) hot_percent: f64,
    /// What the server wrote to its log for one signal, in bytes.
    pub(crate) wal_bytes: f64,
    /// Processor time of the nodes for one signal, in microseconds.
    pub(crate) cpu_micros: f64,
    /// Processor time of PostgreSQL for one signal, in microseconds.
    pub(crate) postgres_cpu_micros: f64,
    /// Half of the signals were answered within this many milliseconds.
    pub(crate) p50_ms: f64,
    /// All but one in a hundred.
    pub(crate) p99_ms: f64,
}

/// Measures signals over a thousand heartbeats and over many.
pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<SharedRates>> {
    let mut rates = Vec::new();
    for heartbeats in [1_000, options.many] {
        let bench = Bench::new(heartbeats).await?;
        for nodes in [1, 2] {
            rates.extend(bench.measure(options, nodes).await?);
        }
    }
    Ok(rates)
}

/// A database with heartbeats, and another one for `pgbench`.
struct Bench {
    cluster: Cluster,
    heartbeats: u32,
    pgbench_clients: &'static str,
}

impl Bench {
    async fn new(heartbeats: u32) -> anyhow::Result<Self> {
        let cluster = Cluster::private(SETTINGS);
        fill(&cluster, heartbeats).await?;
        cluster.create("yardstick");
        let mut bench = Self {
            cluster,
            heartbeats,
            pgbench_clients: PGBENCH_CLIENTS[0],
        };
        bench.run_pgbench(&["--initialize", "--quiet", "--scale", PGBENCH_SCALE])?;
        let mut best = 0.0;
        for clients in PGBENCH_CLIENTS {
            let rate = bench.yardstick(clients, 3)?;
            if rate > best {
                (best, bench.pgbench_clients) = (rate, clients);
            }
        }
        Ok(bench)
    }

    async fn measure(&self, options: &Options, nodes: usize) -> anyhow::Result<Vec<SharedRates>> {
        let folders = (0..nodes).map(|_| tempfile::tempdir());
        let folders = folders.collect::<Result<Vec<TempDir>, _>>()?;
        let mut servers = Vec::new();
        for folder in &folders {
            let url = self.cluster.url("postgres");
            servers.push(Server::start_on(options, &url, folder.path()).await?);
        }
        let mut rates = Vec::new();
        for mode in [
            Mode::KeepAlive(64),
            Mode::KeepAlive(512),
            Mode::NewConnections(64),
        ] {
            let load = Load {
                heartbeats: self.heartbeats,
                mode,
            };
            let found = self.load(options, load, &servers).await?;
            // The table comes when all is measured, which takes a quarter of an hour.
            eprintln!(
                "{} heartbeats, {nodes} nodes, {}: {:.0} signals/s, {:.2} times pgbench",
                found.heartbeats, found.connections, found.signals_per_second, found.ratio
            );
            rates.push(found);
        }
        Ok(rates)
    }

    /// Measures one load, in turns with `pgbench`.
    async fn load(
        &self,
        options: &Options,
        load: Load,
        servers: &[Server],
    ) -> anyhow::Result<SharedRates> {
        let time = Duration::from_secs(options.seconds);
        let requests = Arc::new(load.signal_requests());
        // Once unmeasured: caches fill, files grow.
        load.round(servers, &requests, time / 2).await?;
        let mut yardsticks = Vec::new();
        let mut rounds = Vec::new();
        let mut used = Vec::new();
        for _ in 0..options.rounds {
            yardsticks.push(self.yardstick(self.pgbench_clients, options.seconds)?);
            tokio::time::sleep(COUNTED_AFTER).await;
            let before = self.counters()?;
            let round = load.round(servers, &requests, time).await?;
            tokio::time::sleep(COUNTED_AFTER).await;
            used.push(self.counters()?.since(&before, round.answered));
            rounds.push(round);
        }
        let of_rounds = |of: fn(&Round) -> f64| median(rounds.iter().map(of).collect());
        let of_used = |of: fn(&Used) -> f64| median(used.iter().map(of).collect());
        let ratios = rounds.iter().zip(&yardsticks);
        let ratios = ratios.map(|(round, yardstick)| round.per_second / yardstick);
        Ok(SharedRates {
            heartbeats: self.heartbeats,
            nodes: servers.len(),
            connections: load.mode.to_string(),
            signals_per_second: of_rounds(|round| round.per_second),
            ratio: median(ratios.collect()),
            pgbench_per_second: median(yardsticks),
            hot_percent: of_used(|used| used.hot_percent),
            wal_bytes: of_used(|used| used.wal_bytes),
            cpu_micros: of_rounds(|round| round.cpu_micros),
            postgres_cpu_micros: of_used(|used| used.cpu_micros),
            p50_ms: of_rounds(|round| round.p50_ms),
            p99_ms: of_rounds(|round| round.p99_ms),
        })
    }

    /// Transactions a second of `pgbench`: one row changed by its key and one appended, in a transaction each.
    fn yardstick(&self, clients: &str, seconds: u64) -> anyhow::Result<f64> {
        let seconds = seconds.to_string();
        let text = self.run_pgbench(&[
            "--no-vacuum",
            "--skip-some-updates",
            "--protocol=prepared",
            "--jobs=2",
            "--client",
            clients,
            "--time",
            &seconds,
        ])?;
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rate| rate.split_whitespace().next());
        let rate = rate.with_context(|| format!("pgbench says no rate: {text}"))?;
        Ok(rate.parse()?)
    }

    fn run_pgbench(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.cluster.program("pgbench");
        let output = command.args(arguments).arg("yardstick").output();
        let output = output.context("cannot run pgbench")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "pgbench failed: {errors}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn counters(&self) -> anyhow::Result<Counters> {
        let rows = self.cluster.run(
            "SELECT n_tup_upd, n_tup_hot_upd, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')
               FROM pg_stat_user_tables WHERE relname = 'heartbeat_state'",
        );
        let number = |column: usize| {
            let text = rows.first().and_then(|row| row[column].as_deref());
            text.context("no such counter")?
                .parse::<f64>()
                .context("no number")
        };
        let sessions = self.cluster.run("SELECT pid FROM pg_stat_activity");
        let processes = sessions
            .iter()
            .filter_map(|row| row[0].as_deref()?.parse().ok());
        // The session that has just asked is gone.
        let cpu = processes.filter_map(|process: u32| Some((process, cpu_of(process).ok()?)));
        Ok(Counters {
            updates: number(0)?,
            hot_updates: number(1)?,
            wal_bytes: number(2)?,
            cpu: cpu.collect(),
        })
    }
}

/// What the server has counted so far.
struct Counters {
    updates: f64,
    hot_updates: f64,
    wal_bytes: f64,
    /// Of each of its processes.
    cpu: Vec<(u32, Duration)>,
}

/// What a round took of the server.
struct Used {
    hot_percent: f64,
    wal_bytes: f64,
    cpu_micros: f64,
}

impl Counters {
    fn since(&self, before: &Self, signals: usize) -> Used {
        let known = |process: u32| before.cpu.iter().find(|(known, _)| *known == process);
        let cpu = self.cpu.iter().map(|(process, cpu)| {
            let earlier = known(*process).map_or(Duration::ZERO, |(_, earlier)| *earlier);
            cpu.saturating_sub(earlier).as_secs_f64()
        });
        let signals = signals as f64;
        Used {
            hot_percent: 100.0 * (self.hot_updates - before.hot_updates)
                / (self.updates - before.updates),
            wal_bytes: (self.wal_bytes - before.wal_bytes) / signals,
            cpu_micros: cpu.sum::<f64>() * 1e6 / signals,
        }
    }
}

/// Makes the schema and the heartbeats: one as people make it, the others as copies of its rows.
async fn fill(cluster: &Cluster, heartbeats: u32) -> anyhow::Result<()> {
    let url = cluster.url("postgres");
    let store = Store::open_postgres(&url, Opener::Tool).await?.store;
    seed::write_to(&store, &Seed::fine(1)).await?;
    drop(store);
    let mut from = 1;
    while from < heartbeats {
        let to = (from + CHUNK).min(heartbeats);
        cluster.run(&copies(from..to));
        from = to;
    }
    // As a database is that has been in use for a while.
    for table in ["heartbeat", "heartbeat_state"] {
        cluster.run(&format!("VACUUM ANALYZE {table}"));
    }
    cluster.run("CHECKPOINT");
    Ok(())
}

/// Statements that make heartbeats of these numbers like the first.
fn copies(numbers: std::ops::Range<u32>) -> String {
    let mut ids = String::new();
    for number in numbers.clone() {
        let comma = if number == numbers.start { "" } else { "," };
        let id = seed::heartbeat(number).0.simple();
        // Writing to a string cannot fail.
        let _ = write!(ids, "{comma}{id}");
    }
    let first = seed::heartbeat(0).0.simple();
    let before = i64::from(numbers.start) - 1;
    let copy = |table: &str, changed: &str| {
        format!(
            "INSERT INTO {table} SELECT copied.*
               FROM {table} AS first, unnest('{{{ids}}}'::text[]) WITH ORDINALITY AS v (id, number),
                    jsonb_populate_record(first, jsonb_build_object('id', '\\x' || v.id{changed})) AS copied
              WHERE first.id = '\\x{first}';"
        )
    };
    let named =
        format!(", 'name', 'job ' || (number + {before}), 'slug', 'job-' || (number + {before})");
    copy("heartbeat", &named) + &copy("heartbeat_state", "")
}
