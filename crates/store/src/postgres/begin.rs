//! How a transaction on the hot path begins: one round trip brings the nodes, the gaps, and every heartbeat
//! that it is about, locked.

use std::collections::HashSet;

use nightbeat_domain::nodes::{self, Fenced, Lease, NodeId, NodeRow};
use nightbeat_domain::{Gap, HeartbeatId, UnixMicros};
use tokio::runtime::Handle;
use tokio_postgres::Row as PostgresRow;
use uuid::Uuid;

use super::connection::{Connection, wait};
use super::error::Failure;
use super::rows::{self, FREE_STATES, STATES, key, whose};
use crate::broken::Marker;
use crate::codec::{broken, named};
use crate::hot::{Opening, Renewed};
use crate::nodes::SLOTS;
use crate::{Result, StoreError};

/// Everything that a transaction sets, it sets for itself alone: behind a pooler the next one may run on
/// another connection. Locks are waited for until after a second, when the server looks for deadlocks: one
/// that is found is tried again.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
     SET LOCAL statement_timeout = '4s';
     SET LOCAL lock_timeout = '2s';
     SET LOCAL idle_in_transaction_session_timeout = '5s'";

/// Where heartbeats are loaded by their keys, statements are planned once: to plan each anew for the ids of its
/// batch can take the server longer than to carry it out.
const PLANNED_ONCE: &str = "; SET LOCAL plan_cache_mode = 'force_generic_plan'";

/// Our own node, locked until the end: whoever takes us for lost waits for that. A server that does not sync
/// its log for a commit is told to, for this one.
const OWN_NODE: &str = "
SELECT id, epoch, lease_until, watermark, gone, slot, last_id, last_batch,
       CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) AS clock,
       CASE current_setting('synchronous_commit')
            WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END AS synced
  FROM node WHERE id = $1 FOR UPDATE";

/// The others. Read before the gaps: what a watermark passed by is in the ledger by then.
const OTHER_NODES: &str =
    "SELECT id, epoch, lease_until, watermark, gone FROM node WHERE id <> $1 ORDER BY id";

/// Until when receiving is known to have worked on the database that this one was copied from; and the
/// ledger's revision, which grows with every gap that comes or goes. Read after the nodes: see there.
const SERVICE: &str = "SELECT alive_until, gap_revision FROM service";

const GAPS: &str = "SELECT from_at, to_at, kind, id FROM gap";

const MARKERS: &str = "SELECT heartbeat, since, mended_at, told_at FROM broken_heartbeat";

/// Whom slugs name. Read before the transaction, so that all that it locks is locked in one order: whoever is
/// named anew since is locked when his turn comes.
const NAMED: &str = "
SELECT h.id FROM unnest($1::text[], $2::text[]) AS s (ping_key, slug)
  JOIN project p ON p.ping_key = s.ping_key
  JOIN heartbeat h ON h.project = p.id AND h.slug = s.slug";

/// The revision of the ledger.
pub(super) type GapsMark = i64;

/// Our node as this transaction found it, its lease renewed.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnNode {
    pub(super) row: NodeRow,
    /// The number of this transaction.
    pub(super) batch: i64,
    /// The first id that it may give.
    pub(super) first_id: i64,
    /// The last id that it gave.
    pub(super) last_id: i64,
    slot: i64,
}

/// What a transaction knows as it begins.
pub(super) struct Begun {
    pub(super) node: OwnNode,
    pub(super) clock: UnixMicros,
    /// Nodes whose lease seems to be over.
    pub(super) suspects: Vec<NodeId>,
    pub(super) gaps_mark: GapsMark,
    /// The ledger, where it is another than was known.
    pub(super) gaps: Option<Vec<Gap>>,
    pub(super) markers: Vec<(HeartbeatId, Marker)>,
    pub(super) rows: rows::Begun,
}

/// Begins a transaction of the node that holds `lease`.
pub(super) fn begin(
    connection: &Connection,
    runtime: &Handle,
    lease: Lease,
    known: Option<GapsMark>,
    opening: &Opening<'_>,
) -> std::result::Result<Begun, Failure> {
    let read = wait(runtime, read(connection, lease, opening))?;
    let gaps = if known == Some(read.gaps_mark) {
        None
    } else {
        let rows = wait(runtime, connection.query(GAPS, &[]))?;
        Some(
            rows.iter()
                .map(gap)
                .collect::<Result<_>>()
                .map_err(Failure::never)?,
        )
    };
    decide(read, gaps, lease, opening).map_err(Failure::never)
}

/// One round trip.
struct Read {
    own: Vec<PostgresRow>,
    others: Vec<PostgresRow>,
    alive_until: Option<UnixMicros>,
    gaps_mark: GapsMark,
    markers: Vec<PostgresRow>,
    states: Vec<PostgresRow>,
    asked: HashSet<HeartbeatId>,
}

async fn read(
    connection: &Connection,
    lease: Lease,
    opening: &Opening<'_>,
) -> std::result::Result<Read, tokio_postgres::Error> {
    let mut asked: HashSet<HeartbeatId> = opening.heartbeats.iter().copied().collect();
    if !opening.slugs.is_empty() {
        asked.extend(by_slugs(connection, opening.slugs).await?);
    }
    let keys: Vec<Vec<u8>> = asked.iter().map(|id| key(*id)).collect();
    let own_id: &[u8] = lease.node.0.as_bytes();
    let states = if opening.leaves_held {
        FREE_STATES
    } else {
        STATES
    };
    // Sent at once, in this order, and answered in this order.
    let own_params: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&own_id];
    let state_params: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&keys];
    for statement in [OWN_NODE, OTHER_NODES, SERVICE, MARKERS, states] {
        connection.prepare(statement).await?;
    }
    let planned = if asked.is_empty() { "" } else { PLANNED_ONCE };
    let opening_words = [BEGIN, planned].concat();
    let (begun, own, others, service, markers, states) = tokio::join!(
        connection.say(&opening_words),
        connection.query(OWN_NODE, &own_params),
        connection.query(OTHER_NODES, &own_params),
        connection.query(SERVICE, &[]),
        connection.query(MARKERS, &[]),
        connection.query(states, &state_params),
    );
    begun?;
    let (own, others) = (own?, others?);
    let service = service?;
    let (alive, revision) = service.first().map_or(Ok((None, 0)), |row| {
        Ok::<_, tokio_postgres::Error>((row.try_get(0)?, row.try_get(1)?))
    })?;
    Ok(Read {
        own,
        others,
        alive_until: alive.map(UnixMicros),
        gaps_mark: revision,
        markers: markers?,
        states: states?,
        asked,
    })
}

async fn by_slugs(
    connection: &Connection,
    slugs: &[(&str, &str)],
) -> std::result::Result<Vec<HeartbeatId>, tokio_postgres::Error> {
    let (ping_keys, slugs): (Vec<&str>, Vec<&str>) = slugs
        .iter()
        .collect::<HashSet<_>>()
        .into_iter()
        .copied()
        .unzip();
    let found = connection.query(NAMED, &[&ping_keys, &slugs]).await?;
    // A row that cannot be read is met again when its signal's turn comes, and told then.
    Ok(found.iter().filter_map(|row| whose(row).ok()).collect())
}

/// What follows from what was read.
fn decide(
    read: Read,
    gaps: Option<Vec<Gap>>,
    lease: Lease,
    opening: &Opening<'_>,
) -> Result<Begun> {
    let own = read.own.first().ok_or(Fenced)?;
    let mut rows = vec![node(own)?];
    for other in &read.others {
        rows.push(node(other)?);
    }
    let clock = nodes::cluster_time(&rows, read.alive_until, UnixMicros(column(own, "clock")?));
    rows[0].renew(lease, opening.watermark, clock)?;
    let seconds = clock.0 / 1_000_000;
    let slot: i64 = column(own, "slot")?;
    let last_id: i64 = column(own, "last_id")?;
    let first_id = first_id(seconds, slot).max(last_id + 1);
    let last_batch: i64 = column(own, "last_batch")?;
    let is_lost = |row: &&NodeRow| !row.left && !row.is_live(clock);
    let found = read.states.into_iter().map(|row| Ok((whose(&row)?, row)));
    Ok(Begun {
        node: OwnNode {
            row: rows[0],
            batch: last_batch + 1,
            first_id,
            last_id,
            slot,
        },
        clock,
        suspects: rows[1..]
            .iter()
            .filter(is_lost)
            .map(|row| row.node)
            .collect(),
        gaps_mark: read.gaps_mark,
        gaps,
        markers: read.markers.iter().map(marker).collect::<Result<_>>()?,
        rows: rows::Begun {
            found: found.collect::<Result<_>>()?,
            asked: read.asked,
            leaves_held: opening.leaves_held,
            judged_to: nodes::asof(&rows, UnixMicros::MAX),
            renewed: Some(Renewed {
                clock,
                lease_until: rows[0].lease_until,
                generation: nodes::generation(&rows),
            }),
        },
    })
}

/// How many ids a node can give in a second, as a power of two.
const IDS_BITS: u32 = 21;

/// Ids grow with the time, so that a range of them is a stretch of time; and no two nodes give the same.
pub(super) fn first_id(seconds: i64, slot: i64) -> i64 {
    (seconds * SLOTS + slot) << IDS_BITS
}

impl OwnNode {
    /// The node once ids up to before `next` are given. Too many in one second would be another node's.
    pub(super) fn gave(mut self, next: i64) -> Result<Self> {
        if next <= self.first_id {
            return Ok(self);
        }
        let last = next - 1;
        let range = self.first_id >> IDS_BITS;
        if range % SLOTS != self.slot || last >> IDS_BITS != range {
            let text = "too many signals for one second".to_owned();
            return Err(StoreError::Unavailable(text));
        }
        self.last_id = last;
        Ok(self)
    }
}

fn column<T: for<'a> tokio_postgres::types::FromSql<'a>>(
    row: &PostgresRow,
    name: &str,
) -> Result<T> {
    row.try_get(name)
        .map_err(|error| broken("node", name, "?", error))
}

fn node(row: &PostgresRow) -> Result<NodeRow> {
    let id: Vec<u8> = column(row, "id")?;
    let id = Uuid::from_slice(&id).map_err(|error| broken("node", "id", "?", error))?;
    let epoch: i64 = column(row, "epoch")?;
    Ok(NodeRow {
        node: NodeId(id),
        epoch: u64::try_from(epoch).map_err(|error| broken("node", "epoch", id, error))?,
        lease_until: UnixMicros(column(row, "lease_until")?),
        watermark: UnixMicros(column(row, "watermark")?),
        left: column::<i64>(row, "gone")? != 0,
    })
}

fn gap(row: &PostgresRow) -> Result<Gap> {
    let read = |error| broken("gap", "id", "?", error);
    let kind: String = row.try_get(2).map_err(read)?;
    let id: i64 = row.try_get(3).map_err(read)?;
    Ok(Gap {
        from: UnixMicros(row.try_get(0).map_err(read)?),
        to: UnixMicros(row.try_get(1).map_err(read)?),
        kind: named(&kind).ok_or_else(|| broken("gap", "kind", id, "an unknown kind"))?,
    })
}

fn marker(row: &PostgresRow) -> Result<(HeartbeatId, Marker)> {
    let read = |error| broken("broken_heartbeat", "heartbeat", "?", error);
    let mended_at: Option<i64> = row.try_get(2).map_err(read)?;
    Ok((
        whose(row)?,
        Marker {
            since: UnixMicros(row.try_get(1).map_err(read)?),
            mended_at: mended_at.map(UnixMicros),
            told_at: UnixMicros(row.try_get(3).map_err(read)?),
        },
    ))
}
