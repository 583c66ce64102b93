//! What the server counts, for Prometheus.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// A gauge of seconds.
pub type SecondsGauge = Gauge<f64, std::sync::atomic::AtomicU64>;
/// A counter of seconds.
pub type SecondsCounter = Counter<f64, std::sync::atomic::AtomicU64>;

/// What became of a signal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// `counted`, `ignored`, `created`, `duplicate`, `unknown`, `ambiguous`, `broken`, `invalid`,
    /// `refused` or `too_fast`.
    pub outcome: &'static str,
}

/// What became of a report by mail.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReportLabel {
    /// `sent`, `in_doubt` (it may have arrived, and is not sent again), `failed` (one try) or `given_up`.
    pub outcome: &'static str,
}

/// In which state deliveries are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabel {
    /// `queued`, `sending`, `sent`, `failing` or `cancelled`.
    pub state: &'static str,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// `connections`, `connections_per_address`, `files` (the process may open no more), `mail_connections` or
    /// `mail_connections_per_address`.
    pub reason: &'static str,
}

/// Why signals could not be received.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct GapLabel {
    /// The name of a `GapKind`.
    pub kind: &'static str,
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabel {
    /// The route that matched, never the path itself: paths hold secrets and are without number.
    pub path: String,
    /// The status code.
    pub status: u16,
}

/// What the server counts. Each field may be updated from anywhere; updates are atomic.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Signals by what became of them.
    pub signals: Family<OutcomeLabel, Counter>,
    /// Mails by what became of them: `taken` (it is a signal, or several), `later`, `too_fast`, `too_large`,
    /// `too_slow`, `bare` (it held a line feed alone), and `refused_recipient` for each of these.
    pub mails: Family<OutcomeLabel, Counter>,
    /// How many signals were committed together.
    pub commit_signals: Histogram,
    /// How long a commit took.
    pub commit_seconds: Histogram,
    /// How long a signal waited from its arrival to its answer.
    pub signal_seconds: Histogram,
    /// Deadlines that have passed and are not judged yet.
    pub deadlines_overdue: Gauge,
    /// Heartbeats that cannot be read, so that nobody watches their jobs. Must be 0.
    pub broken_heartbeats: Gauge,
    /// How far the watcher is behind the clock.
    pub watcher_lag_seconds: SecondsGauge,
    /// Deliveries by state.
    pub deliveries: Family<StateLabel, Gauge>,
    /// Reports by mail, by what became of them.
    pub reports: Family<ReportLabel, Counter>,
    /// The size of SQLite's write-ahead log.
    pub wal_bytes: Gauge,
    /// Gaps recorded, by kind.
    pub gaps: Family<GapLabel, Counter>,
    /// The seconds in them.
    pub gap_seconds: SecondsCounter,
    /// Downs that turned out to be our own error. Must be 0.
    pub false_raises: Counter,
    /// Whether this node is one of those on the database now: 1 or 0.
    pub joined: Gauge,
    /// How often this node was taken for lost.
    pub lost: Counter,
    /// Open connections.
    pub connections: Gauge,
    /// Connections refused, by reason. Each may have been a signal.
    pub refusals: Family<ReasonLabel, Counter>,
    /// Requests other than signals, by route and status.
    pub requests: Family<RequestLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("nightbeat"),
            signals: Family::default(),
            mails: Family::default(),
            // 1 to 16,384 signals; 0.25 ms to 8 s.
            commit_signals: Histogram::new(exponential_buckets(1.0, 4.0, 8)),
            commit_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            signal_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            deadlines_overdue: Gauge::default(),
            broken_heartbeats: Gauge::default(),
            watcher_lag_seconds: SecondsGauge::default(),
            deliveries: Family::default(),
            reports: Family::default(),
            wal_bytes: Gauge::default(),
            gaps: Family::default(),
            gap_seconds: SecondsCounter::default(),
            false_raises: Counter::default(),
            joined: Gauge::default(),
            lost: Counter::default(),
            connections: Gauge::default(),
            refusals: Family::default(),
            requests: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// The media type of [`Metrics::encode`].
    pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// All metrics in the OpenMetrics text format.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "signals",
            "Signals by what became of them",
            self.signals.clone(),
        );
        registry.register("mails", "Mails by what became of them", self.mails.clone());
        registry.register(
            "commit_signals",
            "Signals committed together",
            self.commit_signals.clone(),
        );
        registry.register_with_unit(
            "commit",
            "How long a commit took",
            Unit::Seconds,
            self.commit_seconds.clone(),
        );
        registry.register_with_unit(
            "signal",
            "From a signal's arrival to its answer",
            Unit::Seconds,
            self.signal_seconds.clone(),
        );
        registry.register(
            "deadlines_overdue",
            "Deadlines that have passed and are not judged yet",
            self.deadlines_overdue.clone(),
        );
        registry.register(
            "broken_heartbeats",
            "Heartbeats that cannot be read, so that nobody watches their jobs; must be 0",
            self.broken_heartbeats.clone(),
        );
        registry.register_with_unit(
            "watcher_lag",
            "How far the watcher is behind the clock",
            Unit::Seconds,
            self.watcher_lag_seconds.clone(),
        );
        registry.register("deliveries", "Deliveries by state", self.deliveries.clone());
        registry.register(
            "reports",
            "Reports by mail, by what became of them",
            self.reports.clone(),
        );
        registry.register_with_unit(
            "wal",
            "Size of SQLite's write-ahead log",
            Unit::Bytes,
            self.wal_bytes.clone(),
        );
        registry.register(
            "gaps",
            "Stretches in which signals could not be received",
            self.gaps.clone(),
        );
        registry.register_with_unit(
            "gap",
            "Time in which signals could not be received",
            Unit::Seconds,
            self.gap_seconds.clone(),
        );
        registry.register(
            "false_raise",
            "Downs that were claimed in error; must be 0",
            self.false_raises.clone(),
        );
        registry.register(
            "node_joined",
            "Whether this node has joined the PostgreSQL database: 1 or 0",
            self.joined.clone(),
        );
        registry.register(
            "node_lost",
            "How often this node could not renew its lease and was taken for lost",
            self.lost.clone(),
        );
        registry.register(
            "open_connections",
            "Open connections",
            self.connections.clone(),
        );
        registry.register(
            "refused_connections",
            "Connections refused, by reason",
            self.refusals.clone(),
        );
        registry.register(
            "http_requests",
            "Requests other than signals, by route and status",
            self.requests.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_there_under_its_name() {
        let metrics = Metrics::default();
        metrics
            .signals
            .get_or_create(&OutcomeLabel { outcome: "counted" })
            .inc();
        metrics
            .deliveries
            .get_or_create(&StateLabel { state: "queued" })
            .set(3);
        metrics
            .refusals
            .get_or_create(&ReasonLabel { reason: "files" })
            .inc();
        metrics
            .requests
            .get_or_create(&RequestLabel {
                path: "/api/v1/project".to_owned(),
                status: 200,
            })
            .inc();
        metrics.commit_signals.observe(5.0);
        metrics.wal_bytes.set(4_096);
        let text = metrics.encode().unwrap();
        for line in [
            "nightbeat_signals_total{outcome=\"counted\"} 1",
            "nightbeat_commit_signals_count 1",
            "nightbeat_commit_seconds_count 0",
            "nightbeat_signal_seconds_count 0",
            "nightbeat_deadlines_overdue 0",
            "nightbeat_broken_heartbeats 0",
            "nightbeat_watcher_lag_seconds 0.0",
            "nightbeat_deliveries{state=\"queued\"} 3",
            "nightbeat_wal_bytes 4096",
            "nightbeat_gap_seconds_total 0.0",
            "nightbeat_false_raise_total 0",
            "nightbeat_node_joined 0",
            "nightbeat_node_lost_total 0",
            "nightbeat_open_connections 0",
            "nightbeat_refused_connections_total{reason=\"files\"} 1",
            "nightbeat_http_requests_total{path=\"/api/v1/project\",status=\"200\"} 1",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
