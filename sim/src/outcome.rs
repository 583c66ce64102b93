//! What came of a run.

use std::collections::BTreeMap;

use crate::scenario::Scenario;

/// A broken promise.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Which one.
    pub invariant: &'static str,
    /// The true instant, in microseconds since 1970.
    pub at: i64,
    /// Whose, in the order in which heartbeats were made.
    pub heartbeat: Option<usize>,
    /// Its number in the scenario.
    pub number: Option<usize>,
    /// What is wrong.
    pub text: String,
    /// What happened before, where a trace was kept.
    pub facts: Vec<String>,
}

/// What came of one scenario.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Heartbeats times days.
    pub check_days: f64,
    /// Signals that jobs made.
    pub signals: u64,
    /// Signals stored.
    pub stored: u64,
    /// Requests answered 200.
    pub acknowledged: u64,
    /// Requests answered 503.
    pub refused: u64,
    /// Requests that reached us and were lost through us.
    pub tries_lost: u64,
    /// Requests that the network lost.
    pub requests_lost: u64,
    /// Requests that the network doubled.
    pub doubled: u64,
    /// Signals that a client kept for later.
    pub spooled: u64,
    /// Incidents opened.
    pub incidents: u64,
    /// Alerts decided.
    pub alerts: u64,
    /// Alerts that claim *down* for silence.
    pub downs: u64,
    /// Alerts that claim *unverified*.
    pub unverified: u64,
    /// Claims for silence, *down* or *unverified*, where a gap of ours touches that silence.
    pub touched: u64,
    /// Deliveries queued.
    pub deliveries: u64,
    /// Messages that a receiver took again.
    pub duplicates: u64,
    /// Attempts that failed.
    pub failed_sends: u64,
    /// Planned troubles that began.
    pub troubles: u64,
    /// Kills.
    pub crashes: u64,
    /// Times at which a node stood still.
    pub pauses: u64,
    /// Transactions that the store failed or kept quiet about.
    pub store_faults: u64,
    /// What people did.
    pub acts: u64,
    /// Gaps entered into the ledger.
    pub gaps: u64,
    /// What the search each minute found.
    pub found_lost: u64,
    /// *Down* claimed although a signal came in time.
    pub false_raises: u64,
    /// The share of time in which something was wrong with us.
    pub troubled_share: f64,
    /// The share of time that gaps cover.
    pub gap_share: f64,
    /// Of everything that happened, in order.
    pub hash: u64,
    /// In a steady world, of each heartbeat, by its project and its number: all that happened to it, in its
    /// own order, with its instants. Under 0 what was stored and decided, under each receiver's number from
    /// 1 what that was told.
    pub histories: BTreeMap<(usize, usize, usize), Vec<String>>,
    /// Broken promises.
    pub violations: Vec<Violation>,
}

impl Outcome {
    /// Adds another scenario's figures; shares are weighted by check-days.
    pub fn add(&mut self, other: &Self) {
        let days = (self.check_days + other.check_days).max(f64::MIN_POSITIVE);
        let mean = |one: f64, two: f64| (one * self.check_days + two * other.check_days) / days;
        self.troubled_share = mean(self.troubled_share, other.troubled_share);
        self.gap_share = mean(self.gap_share, other.gap_share);
        self.check_days += other.check_days;
        for (sum, more) in [
            (&mut self.signals, other.signals),
            (&mut self.stored, other.stored),
            (&mut self.acknowledged, other.acknowledged),
            (&mut self.refused, other.refused),
            (&mut self.tries_lost, other.tries_lost),
            (&mut self.requests_lost, other.requests_lost),
            (&mut self.doubled, other.doubled),
            (&mut self.spooled, other.spooled),
            (&mut self.incidents, other.incidents),
            (&mut self.alerts, other.alerts),
            (&mut self.downs, other.downs),
            (&mut self.unverified, other.unverified),
            (&mut self.touched, other.touched),
            (&mut self.deliveries, other.deliveries),
            (&mut self.duplicates, other.duplicates),
            (&mut self.failed_sends, other.failed_sends),
            (&mut self.troubles, other.troubles),
            (&mut self.crashes, other.crashes),
            (&mut self.pauses, other.pauses),
            (&mut self.store_faults, other.store_faults),
            (&mut self.acts, other.acts),
            (&mut self.gaps, other.gaps),
            (&mut self.found_lost, other.found_lost),
            (&mut self.false_raises, other.false_raises),
        ] {
            *sum += more;
        }
    }

    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            seed: scenario.seed,
            ..Self::default()
        }
    }
}
