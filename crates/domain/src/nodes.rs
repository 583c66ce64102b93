//! Several nodes on one store: who may write, up to when may be judged, and what is a gap when one is lost.
//!
//! Each node holds a lease: a row that it renews with every transaction, so that a node which was taken for
//! lost cannot commit any more (its *epoch* is over). The row also says how far the node has come: every
//! signal that it received up to its *watermark* is recorded, or its refusal is in the gap ledger.
//!
//! All of it is pure: a store reads the rows in its transaction, calls this, and writes back what changed.
//!
//! # Time
//! `now` is always the cluster's time ([`cluster_time`]), never a node's clock: the database's own clock, but
//! never before what a node has stored. Set back, it stands still at most until the next transaction: the
//! nodes' axes go on with their boot clocks, and take it along with their watermarks, while they melt
//! towards it. Set forward by more than the lease, everybody's lease is over, which is a gap since each
//! node's watermark; by less, each node that follows enters the step as a gap.
//!
//! # What is lost with a lease
//! A node whose lease is void stores nothing of what it holds, ever: others may have judged past its stamps.
//! It answers 503 to all of it, drops what it had claimed, and joins again with an empty inbox and a fresh
//! axis, in the same process. What it had claimed is free when the claims run out, and not before: it may be
//! sending still, and what came after it must not overtake it. From its watermark until it was taken for
//! lost is a gap; so whoever sends signals to nodes must have stopped sending them to this one by then
//! ([`NODE_READY_LEFT_MIN`]).
//!
//! # Misses that nobody sees
//! A deadline is judged when every node has come past it ([`asof`]). A signal that one node receives after the
//! deadline but stores before that ends the silence unseen: another node may hold a signal that came in
//! time, so nothing may be claimed, and afterwards the job is known to be well. So with several nodes a job
//! may be late by as much as the others lag behind before that is told: by a beat as a rule, by two leases
//! at the most while a node is being lost. It is the patience that a gap at the deadline itself is given too, which is
//! never under a minute; silence that goes on is told, always. With one node nothing lags, and every miss is
//! told.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Gap, GapKind, UnixMicros};

/// How long a lease holds after it was renewed.
pub const NODE_LEASE: Duration = Duration::from_secs(10);
/// With nothing else to write, how often a node renews its lease.
pub const NODE_BEAT_EVERY: Duration = Duration::from_secs(1);
/// A node takes no more signals with less than this left of its lease: what it took could be fenced off
/// before it is stored.
pub const NODE_LEASE_LEFT_MIN: Duration = Duration::from_secs(2);

/// A node says that it is not ready with less than this left of its lease. A balancer that asks each second
/// and believes the third answer sends nothing there any more by the time it takes nothing: what is refused
/// after others took the node for lost, nobody could enter into the ledger.
pub const NODE_READY_LEFT_MIN: Duration = Duration::from_secs(6);

/// A node: chosen once for a machine or a container, the same after each of its restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Uuid);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a node shows with each of its transactions: that it is the one which joined as this epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The node.
    pub node: NodeId,
    /// Which of its lives this is.
    pub epoch: u64,
}

/// A node as the store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeRow {
    /// The node.
    pub node: NodeId,
    /// Grows when it joins, when it leaves and when it is taken for lost: an older lease is void.
    pub epoch: u64,
    /// Until when it may write without renewing.
    pub lease_until: UnixMicros,
    /// Every signal that it received up to this instant is recorded, or its refusal is in the gap ledger.
    pub watermark: UnixMicros,
    /// It is not there: it left cleanly, or it was lost and that is in the ledger.
    pub left: bool,
}

/// The lease is void: the node was taken for lost, or it has joined anew. Nothing of its transaction may be
/// stored. It has to join again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this node was taken for lost: its lease is void, and it must join again")]
pub struct Fenced;

/// What joining led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// What the node shows from now on.
    pub lease: Lease,
    /// Gaps to enter into the ledger in the same transaction, before anything else.
    pub gaps: Vec<Gap>,
}

impl NodeRow {
    /// Whether it may write at `now`.
    pub fn is_live(&self, now: UnixMicros) -> bool {
        !self.left && now < self.lease_until
    }

    /// First step of each transaction of a node: its lease holds, and holds on. `watermark`: every signal
    /// that it received up to this instant is in this transaction or an earlier one.
    pub fn renew(
        &mut self,
        lease: Lease,
        watermark: UnixMicros,
        now: UnixMicros,
    ) -> Result<(), Fenced> {
        if self.node != lease.node || self.epoch != lease.epoch || !self.is_live(now) {
            return Err(Fenced);
        }
        self.lease_until = self.lease_until.max(now + NODE_LEASE);
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    /// Takes the node for lost: what it received since its watermark, it will never store.
    fn lose(&mut self, now: UnixMicros) -> Gap {
        self.epoch += 1;
        self.left = true;
        gap(self.watermark, now)
    }
}

/// The cluster's time, where the database's clock says `clock`: it never goes back behind what is on record.
/// `alive_until`: the instant up to which any node is known to have received.
pub fn cluster_time(
    rows: &[NodeRow],
    alive_until: Option<UnixMicros>,
    clock: UnixMicros,
) -> UnixMicros {
    let known = rows.iter().map(|row| row.watermark);
    known.chain(alive_until).fold(clock, UnixMicros::max)
}

/// Takes the nodes whose lease is over for lost; the gaps that they leave. Call it in the transaction of
/// each judgement, before [`asof`]: a lost node holds every judgement back.
pub fn reap(rows: &mut [NodeRow], now: UnixMicros) -> Vec<Gap> {
    let lost = rows.iter_mut().filter(|row| !row.left && !row.is_live(now));
    lost.map(|row| row.lose(now)).collect()
}

/// Up to when may be judged, where one node may judge up to `wish`: no further than what every node that is
/// there has stored.
pub fn asof(rows: &[NodeRow], wish: UnixMicros) -> UnixMicros {
    let there = rows.iter().filter(|row| !row.left);
    there.map(|row| row.watermark).fold(wish, UnixMicros::min)
}

/// Which lives of nodes are over, in one number that only grows. Each node looks at it in each of its
/// transactions, and where it is another than before, reads anew when to look at which heartbeat: who stored
/// that a deadline has become earlier was the only one to be told, and may be gone, cleanly or not.
pub fn generation(rows: &[NodeRow]) -> u64 {
    rows.iter().map(|row| row.epoch).sum()
}

/// A node begins at `now`. Its last life, if it did not end cleanly, is over from now on. `alive_until` is
/// the instant up to which any node is known to have received: where nobody else is there, nobody received
/// since.
pub fn join(
    rows: &mut Vec<NodeRow>,
    node: NodeId,
    alive_until: Option<UnixMicros>,
    now: UnixMicros,
) -> Joined {
    let mut gaps = reap(rows, now);
    let index = rows.iter().position(|row| row.node == node);
    let index = index.unwrap_or_else(|| {
        rows.push(NodeRow {
            node,
            epoch: 0,
            lease_until: now,
            watermark: now,
            left: true,
        });
        rows.len() - 1
    });
    if !rows[index].left {
        gaps.push(rows[index].lose(now));
    }
    if rows.iter().all(|row| row.left)
        && let Some(alive_until) = alive_until
    {
        gaps.push(gap(alive_until, now));
    }
    let row = &mut rows[index];
    row.epoch += 1;
    row.lease_until = now + NODE_LEASE;
    row.watermark = now;
    row.left = false;
    let lease = Lease {
        node,
        epoch: row.epoch,
    };
    Joined { lease, gaps }
}

/// A node ends cleanly: everything that it received is recorded or refused, and the others go on without
/// it. No gap; but what it was to watch, the others watch from now on: see [`generation`].
pub fn leave(rows: &mut [NodeRow], lease: Lease, now: UnixMicros) -> Result<(), Fenced> {
    let row = rows.iter_mut().find(|row| row.node == lease.node);
    let row = row.ok_or(Fenced)?;
    row.renew(lease, now, now)?;
    row.epoch += 1;
    row.left = true;
    Ok(())
}

/// A stretch in which a node could not receive. Where the database's clock was set back in it, the cluster's
/// time stood still: what came meanwhile was missed all the same, so it is a gap, of a microsecond.
fn gap(from: UnixMicros, to: UnixMicros) -> Gap {
    let kind = GapKind::Stopped;
    let to = to.max(UnixMicros(from.0.saturating_add(1)));
    Gap { from, to, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId(Uuid::from_u128(1));
    const TWO: NodeId = NodeId(Uuid::from_u128(2));

    fn at(seconds: i64) -> UnixMicros {
        UnixMicros::from_seconds(seconds)
    }

    fn lost(from: i64, to: i64) -> Gap {
        Gap {
            from: at(from),
            to: at(to),
            kind: GapKind::Stopped,
        }
    }

    /// Two nodes that joined at 100 s and at 101 s.
    fn two() -> (Vec<NodeRow>, Lease, Lease) {
        let mut rows = Vec::new();
        let one = join(&mut rows, ONE, None, at(100));
        let two = join(&mut rows, TWO, Some(at(101)), at(101));
        assert_eq!(one.gaps, vec![]);
        assert_eq!(two.gaps, vec![]);
        (rows, one.lease, two.lease)
    }

    #[test]
    fn a_judgement_goes_no_further_than_every_node_has_come() {
        let (mut rows, one, two) = two();
        rows[0].renew(one, at(105), at(105)).unwrap();
        rows[1].renew(two, at(103), at(105)).unwrap();
        assert_eq!(asof(&rows, at(105)), at(103));
        assert_eq!(asof(&rows, at(102)), at(102));
        assert_eq!(
            asof(&[], at(105)),
            at(105),
            "a store with one node has no rows"
        );
    }

    #[test]
    fn a_watermark_never_falls() {
        let (mut rows, one, _) = two();
        rows[0].renew(one, at(105), at(105)).unwrap();
        rows[0].renew(one, UnixMicros::MIN, at(106)).unwrap();
        assert_eq!(rows[0].watermark, at(105));
    }

    #[test]
    fn a_node_that_is_silent_for_ten_seconds_is_lost_and_leaves_a_gap() {
        let (mut rows, one, two) = two();
        rows[0].renew(one, at(105), at(105)).unwrap();
        rows[1].renew(two, at(104), at(104)).unwrap();
        assert_eq!(reap(&mut rows, at(113)), []);
        assert_eq!(reap(&mut rows, at(114)), [lost(104, 114)]);
        assert_eq!(asof(&rows, at(114)), at(105), "only those that are there");
        assert_eq!(reap(&mut rows, at(115)), [lost(105, 115)]);
        assert_eq!(reap(&mut rows, at(200)), [], "once");
    }

    #[test]
    fn a_node_that_was_paused_meanwhile_cannot_write_any_more() {
        let (mut rows, _, two) = two();
        // Paused from 101 s on; nobody has taken it for lost yet, but somebody may this very moment.
        assert_eq!(rows[1].renew(two, at(111), at(111)), Err(Fenced));
        assert_eq!(reap(&mut rows, at(111)).len(), 2);
        assert_eq!(rows[1].renew(two, at(110), at(110)), Err(Fenced));
        let again = join(&mut rows, TWO, Some(at(101)), at(112));
        assert_ne!(again.lease, two);
        assert_eq!(rows[1].renew(two, at(113), at(113)), Err(Fenced));
        assert_eq!(rows[1].renew(again.lease, at(113), at(113)), Ok(()));
    }

    #[test]
    fn a_restart_within_the_lease_is_a_gap_since_the_watermark() {
        let (mut rows, one, two) = two();
        rows[0].renew(one, at(104), at(104)).unwrap();
        rows[1].renew(two, at(103), at(103)).unwrap();
        let again = join(&mut rows, TWO, Some(at(104)), at(106));
        assert_eq!(again.gaps, vec![lost(103, 106)]);
        assert_eq!(rows[1].renew(two, at(107), at(107)), Err(Fenced));
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn who_leaves_cleanly_leaves_no_gap() {
        let (mut rows, one, two) = two();
        rows[0].renew(one, at(109), at(109)).unwrap();
        leave(&mut rows, two, at(109)).unwrap();
        assert_eq!(reap(&mut rows, at(115)), []);
        assert_eq!(asof(&rows, at(109)), at(109));
        assert_eq!(rows[1].renew(two, at(111), at(111)), Err(Fenced));
        assert_eq!(leave(&mut rows, two, at(111)), Err(Fenced), "once");
        let again = join(&mut rows, TWO, Some(at(112)), at(112));
        assert_eq!(again.gaps, vec![]);
    }

    #[test]
    fn whoever_goes_leaves_what_it_watched_to_the_others() {
        let (mut rows, one, two) = two();
        let both = generation(&rows);
        rows[0].renew(one, at(105), at(105)).unwrap();
        rows[1].renew(two, at(105), at(105)).unwrap();
        assert_eq!(generation(&rows), both, "nothing to read anew");
        leave(&mut rows, two, at(109)).unwrap();
        let left = generation(&rows);
        assert!(left > both, "one that left cleanly had its own watch too");
        join(&mut rows, TWO, Some(at(109)), at(110));
        let joined = generation(&rows);
        assert!(joined > left);
        rows[0].renew(one, at(111), at(111)).unwrap();
        reap(&mut rows, at(120));
        assert!(generation(&rows) > joined, "and one that was lost");
    }

    #[test]
    fn when_everybody_was_away_nobody_received() {
        let (mut rows, one, two) = two();
        leave(&mut rows, one, at(105)).unwrap();
        leave(&mut rows, two, at(106)).unwrap();
        let first = join(&mut rows, ONE, Some(at(106)), at(500));
        assert_eq!(first.gaps, vec![lost(106, 500)]);
        let second = join(&mut rows, TWO, Some(at(500)), at(501));
        assert_eq!(second.gaps, vec![]);
    }

    #[test]
    fn when_everybody_was_lost_each_gap_counts() {
        let (mut rows, one, two) = two();
        rows[0].renew(one, at(103), at(103)).unwrap();
        rows[1].renew(two, at(108), at(108)).unwrap();
        let first = join(&mut rows, ONE, Some(at(108)), at(500));
        assert_eq!(first.gaps, [lost(103, 500), lost(108, 500), lost(108, 500)]);
    }

    #[test]
    fn time_never_goes_back_behind_what_is_on_record() {
        let (mut rows, one, _) = two();
        assert_eq!(cluster_time(&rows, None, at(200)), at(200));
        assert_eq!(cluster_time(&rows, None, at(50)), at(101));
        assert_eq!(cluster_time(&rows, Some(at(103)), at(50)), at(103));
        // The nodes take it along: a lost one is noticed whatever the database's clock does.
        for second in 102..=111 {
            let now = cluster_time(&rows, None, at(50));
            rows[0].renew(one, at(second), now).unwrap();
        }
        let now = cluster_time(&rows, None, at(50));
        assert_eq!(reap(&mut rows, now), [lost(101, 111)]);
    }

    #[test]
    fn a_database_clock_set_forward_by_more_than_the_lease_is_a_gap() {
        let (mut rows, one, _) = two();
        let now = cluster_time(&rows, None, at(4_000));
        assert_eq!(rows[0].renew(one, at(102), now), Err(Fenced));
        let again = join(&mut rows, ONE, Some(at(101)), now);
        assert!(again.gaps.contains(&lost(100, 4_000)));
        assert_eq!(rows[0].watermark, at(4_000));
    }

    #[test]
    fn an_absence_in_which_the_database_clock_was_set_back_is_a_gap_all_the_same() {
        let stood_still = Gap {
            to: UnixMicros(at(101).0 + 1),
            ..lost(101, 101)
        };
        // Killed at 101 s and started 700 ms later, but the clock was set back by more than that.
        let (mut rows, _, _) = two();
        let now = cluster_time(&rows, Some(at(101)), UnixMicros(at(101).0 - 1));
        let again = join(&mut rows, TWO, Some(at(101)), now);
        assert_eq!(again.gaps, vec![stood_still]);
        // Everybody left for an hour, in which the clock was set back by two.
        let (mut rows, one, two) = two();
        leave(&mut rows, one, at(101)).unwrap();
        leave(&mut rows, two, at(101)).unwrap();
        let now = cluster_time(&rows, Some(at(101)), at(-3_499));
        let first = join(&mut rows, ONE, Some(at(101)), now);
        assert_eq!(first.gaps, vec![stood_still]);
    }

    #[test]
    fn a_lease_is_only_good_for_its_own_row() {
        let (mut rows, one, _) = two();
        assert_eq!(rows[1].renew(one, at(102), at(102)), Err(Fenced));
    }
}
