//! The figures, as a table and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::copy::Moved;
use crate::load::Rates;
use crate::outage::Outage;
use crate::pages::{OpenPages, Page};
use crate::postgres::SharedRates;
use crate::process::Start;

/// All figures of one run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Signals as fast as they are answered.
    pub(crate) signals: Vec<Rates>,
    /// The same on PostgreSQL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) shared: Vec<SharedRates>,
    /// Everything going down at once.
    pub(crate) outages: Vec<Outage>,
    /// What a start costs.
    pub(crate) starts: Vec<Start>,
    /// Pages as a browser sees them.
    pub(crate) pages: Vec<Page>,
    /// Many pages that are open at once.
    pub(crate) open_pages: Vec<OpenPages>,
    /// Databases that moved.
    pub(crate) moves: Vec<Moved>,
}

impl Report {
    /// A Markdown table for each part that was measured.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        if let Err(error) = self.write(&mut text) {
            eprintln!("cannot write the table: {error}");
        }
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        if !self.signals.is_empty() {
            writeln!(
                text,
                "| heartbeats | connections | signals/s | nothing/s | ratio | CPU a signal | p50 | p99 |\n\
                 |---:|---|---:|---:|---:|---:|---:|---:|"
            )?;
        }
        for row in &self.signals {
            writeln!(
                text,
                "| {} | {} | {:.0} | {:.0} | {:.2} | {:.1} µs | {:.2} ms | {:.2} ms |",
                row.heartbeats,
                row.connections,
                row.signals_per_second,
                row.nothing_per_second,
                row.ratio,
                row.cpu_micros,
                row.p50_ms,
                row.p99_ms,
            )?;
        }
        if !self.shared.is_empty() {
            writeln!(
                text,
                "| heartbeats | nodes | connections | signals/s | pgbench | ratio | HOT | WAL a signal | \
                 CPU a signal: nodes | PostgreSQL | p50 | p99 |\n\
                 |---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
            )?;
        }
        for row in &self.shared {
            writeln!(
                text,
                "| {} | {} | {} | {:.0} | {:.0} | {:.2} | {:.2} % | {:.0} B | {:.1} µs | {:.1} µs | {:.2} ms \
                 | {:.2} ms |",
                row.heartbeats,
                row.nodes,
                row.connections,
                row.signals_per_second,
                row.pgbench_per_second,
                row.ratio,
                row.hot_percent,
                row.wal_bytes,
                row.cpu_micros,
                row.postgres_cpu_micros,
                row.p50_ms,
                row.p99_ms,
            )?;
        }
        if !self.outages.is_empty() {
            writeln!(
                text,
                "\n| down at once | first alert | last alert | alerts |\n|---:|---:|---:|---:|"
            )?;
        }
        for row in &self.outages {
            writeln!(
                text,
                "| {} | {:.3} s | {:.2} s | {} |",
                row.heartbeats, row.first_seconds, row.last_seconds, row.alerts
            )?;
        }
        if !self.starts.is_empty() {
            writeln!(
                text,
                "\n| heartbeats | ready after | memory |\n|---:|---:|---:|"
            )?;
        }
        for row in &self.starts {
            writeln!(
                text,
                "| {} | {:.0} ms | {:.1} MB |",
                row.heartbeats, row.ready_ms, row.resident_mb
            )?;
        }
        self.write_pages(text)?;
        self.write_moves(text)
    }

    fn write_pages(&self, text: &mut String) -> std::fmt::Result {
        if !self.pages.is_empty() {
            writeln!(
                text,
                "\n| page | first byte | last byte | page | files that a browser keeps |\n|---|---:|---:|---:|---:|"
            )?;
        }
        for row in &self.pages {
            writeln!(
                text,
                "| {} | {:.1} ms | {:.1} ms | {:.1} kB | {:.1} kB |",
                row.name,
                row.first_byte_ms,
                row.whole_ms,
                row.html_bytes as f64 / 1e3,
                row.asset_bytes as f64 / 1e3,
            )?;
        }
        if !self.open_pages.is_empty() {
            writeln!(
                text,
                "\n| open pages | signals/s | lists asked for/s | each took | CPU | without pages | memory | without pages |\n\
                 |---:|---:|---:|---:|---:|---:|---:|---:|"
            )?;
        }
        for row in &self.open_pages {
            let [with, without] = row.resident_mb;
            writeln!(
                text,
                "| {} | {:.0} | {:.0} | {:.1} ms | {:.0} % | {:.0} % | {with:.1} MB | {without:.1} MB |",
                row.pages,
                row.signals_per_second,
                row.events_per_second,
                row.list_ms,
                row.cpu_percent,
                row.cpu_percent_alone,
            )?;
        }
        Ok(())
    }

    fn write_moves(&self, text: &mut String) -> std::fmt::Result {
        if !self.moves.is_empty() {
            writeln!(
                text,
                "\n| heartbeats | signals | to PostgreSQL: killed after | then | back: killed after | then |\n\
                 |---:|---:|---:|---:|---:|---:|"
            )?;
        }
        for row in &self.moves {
            let ([cut, rest], [cut_back, rest_back]) = (row.there_seconds, row.back_seconds);
            writeln!(
                text,
                "| {} | {} | {cut:.1} s | {rest:.1} s | {cut_back:.1} s | {rest_back:.1} s |",
                row.heartbeats, row.signals,
            )?;
        }
        Ok(())
    }
}
