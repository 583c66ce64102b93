//! What is broken on purpose, to see that the checker notices.

use std::fmt;
use std::str::FromStr;

/// Something broken on purpose. Only at the boundaries inside the simulator: no production code knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A signal is acknowledged when it has come in, not when it is durable.
    AckFirst,
    /// State and incident are one transaction, its deliveries another.
    SplitFlip,
    /// A delivery is marked as sent before it is sent.
    ProcessedFirst,
    /// A judgement is applied where the status is still the one it was made for, whatever came since.
    StatusOnly,
    /// Gaps are not kept.
    NoGapLedger,
    /// Deadlines run with the wall clock.
    WallClock,
    /// A judgement does not wait for the signals that came before it.
    NoWatermark,
    /// A node whose lease is over leaves no gap.
    NoPartialGap,
    /// A node whose lease is over still writes.
    Unfenced,
    /// A signal is taken in without telling first that a deadline has passed before it.
    SignalHidesDeadline,
    /// What the wheel is told gets lost, and nothing searches for it.
    LostWheel,
    /// The newest delivery of a heartbeat goes first.
    UpOvertakesDown,
    /// Gaps are entered after the decisions that they concern.
    GapAfterDecision,
    /// A start does not say that there was a time before it.
    NoStoppedGap,
    /// Standing still does not count as a gap.
    NoSuspendGap,
    /// Signals that were answered 503 leave no gap.
    NoRefusedGap,
    /// What may travel in a digest is marked as sent and dropped.
    DigestDropped,
    /// A delivery that failed once is given up.
    NoSecondTry,
    /// Signals get their time when they are written, not when they come.
    StampedLate,
    /// After a transaction that may or may not be committed, its heartbeats are not looked at.
    UnknownForgotten,
    /// Gaps are made up: everything overdue is called unverified.
    AlwaysUnverified,
    /// A delivery is claimed while somebody else is sending it.
    ClaimsTaken,
    /// A project's maintenance holds for all projects.
    SharedMaintenance,
    /// Who acknowledges an incident acknowledges those of all other projects too.
    SharedAcknowledgement,
}

impl Mutant {
    /// All of them, with their names on the command line.
    pub const ALL: [(Self, &'static str); 24] = [
        (Self::AckFirst, "ack-first"),
        (Self::SplitFlip, "split-flip"),
        (Self::ProcessedFirst, "processed-first"),
        (Self::StatusOnly, "status-only"),
        (Self::NoGapLedger, "no-gap-ledger"),
        (Self::WallClock, "wall-clock"),
        (Self::NoWatermark, "no-watermark"),
        (Self::NoPartialGap, "no-partial-gap"),
        (Self::Unfenced, "unfenced"),
        (Self::SignalHidesDeadline, "signal-hides-deadline"),
        (Self::LostWheel, "lost-wheel"),
        (Self::UpOvertakesDown, "up-overtakes-down"),
        (Self::GapAfterDecision, "gap-after-decision"),
        (Self::NoStoppedGap, "no-stopped-gap"),
        (Self::NoSuspendGap, "no-suspend-gap"),
        (Self::NoRefusedGap, "no-refused-gap"),
        (Self::DigestDropped, "digest-dropped"),
        (Self::NoSecondTry, "no-second-try"),
        (Self::StampedLate, "stamped-late"),
        (Self::UnknownForgotten, "unknown-forgotten"),
        (Self::AlwaysUnverified, "always-unverified"),
        (Self::ClaimsTaken, "claims-taken"),
        (Self::SharedMaintenance, "shared-maintenance"),
        (Self::SharedAcknowledgement, "shared-acknowledgement"),
    ];

    /// Whether it shows only where a world is compared with itself without one of its projects
    /// ([`crate::live_apart`]).
    pub fn needs_comparison(self) -> bool {
        self == Self::SharedAcknowledgement
    }

    /// Whether it shows only where several nodes share a store.
    pub fn needs_nodes(self) -> bool {
        matches!(
            self,
            Self::NoPartialGap | Self::Unfenced | Self::ClaimsTaken
        )
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::ALL.iter().find(|(mutant, _)| mutant == self);
        f.write_str(named.map_or("unnamed", |(_, name)| name))
    }
}

impl FromStr for Mutant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(mutant, _)| *mutant).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("\"{text}\" is none of: {}", names.join(", "))
        })
    }
}
