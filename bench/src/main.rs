//! How fast Nightbeat is.
//!
//! `cargo run --release -p nightbeat-bench` builds nothing but this: it measures the binary at
//! `target/release/nightbeat` (or `--binary PATH`), on this machine, against 127.0.0.1 only, and writes a
//! table to stdout and JSON to `bench/results.json`. Each figure for signals stands beside the same load
//! on a route of the same server that stores nothing; the ratio is what to compare between machines.
//!
//! `--database postgres` measures signals on a PostgreSQL of its own instead, with one node and with two,
//! beside what `pgbench` reaches on the same server.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring time is what this is for"
)]

mod copy;
mod load;
mod outage;
mod pages;
mod postgres;
mod process;
mod receiver;
mod report;
mod seed;

use std::path::PathBuf;

use anyhow::Context as _;

use crate::load::{Load, Mode};
use crate::report::Report;

/// What is measured, from the command line.
struct Options {
    binary: PathBuf,
    seconds: u64,
    rounds: u32,
    many: u32,
    only: Option<String>,
    json: Option<PathBuf>,
    postgres: bool,
}

fn main() -> anyhow::Result<()> {
    let options = options()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let report = runtime.block_on(measure(&options))?;
    println!("{}", report.table());
    let usual = if options.postgres {
        "bench/results-postgres.json"
    } else {
        "bench/results.json"
    };
    let json = options.json.unwrap_or_else(|| usual.into());
    std::fs::write(&json, serde_json::to_string_pretty(&report)?)
        .with_context(|| format!("cannot write {}", json.display()))?;
    Ok(())
}

fn options() -> anyhow::Result<Options> {
    let mut options = Options {
        binary: PathBuf::from("target/release/nightbeat"),
        seconds: 5,
        rounds: 3,
        many: 1_000_000,
        only: None,
        json: None,
        postgres: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--binary" => options.binary = value()?.into(),
            "--seconds" => options.seconds = value()?.parse()?,
            "--rounds" => options.rounds = value()?.parse()?,
            "--many" => options.many = value()?.parse()?,
            "--only" => options.only = Some(value()?),
            "--json" => options.json = Some(value()?.into()),
            "--database" => {
                options.postgres = match value()?.as_str() {
                    "sqlite" => false,
                    "postgres" => true,
                    other => anyhow::bail!("--database is sqlite or postgres, not {other}"),
                }
            }
            other => anyhow::bail!(
                "unknown argument {other}; there are --binary, --seconds, --rounds, --many, \
                 --only signals|outage|start|copy|pages, --json, --database sqlite|postgres"
            ),
        }
    }
    Ok(options)
}

async fn measure(options: &Options) -> anyhow::Result<Report> {
    let wanted = |part: &str| options.only.as_deref().is_none_or(|only| only == part);
    let mut report = Report::default();
    if options.postgres {
        let loads = postgres::measure(options);
        report.shared = loads.await?;
        return Ok(report);
    }
    if wanted("start") {
        report
            .starts
            .push(process::measure_start(options, 0).await?);
        report
            .starts
            .push(process::measure_start(options, options.many).await?);
    }
    if wanted("signals") {
        for heartbeats in [1_000, options.many] {
            for mode in [
                Mode::KeepAlive(64),
                Mode::KeepAlive(512),
                Mode::NewConnections(64),
            ] {
                let load = Load { heartbeats, mode };
                report.signals.push(load.measure(options).await?);
            }
        }
    }
    if wanted("copy") {
        report.moves.push(copy::measure(options).await?);
    }
    if wanted("pages") {
        report.pages = pages::measure(options).await?;
        report.open_pages.push(pages::measure_open(options).await?);
    }
    if wanted("outage") {
        for heartbeats in [2_000, 50_000] {
            report
                .outages
                .push(outage::measure(options, heartbeats).await?);
        }
    }
    Ok(report)
}
