//! The outbox: deliveries are claimed for a while, sent by someone else, and finished. Portable SQL.
//!
//! A claim is a lease: a row in state `sending` comes up again at its `next_try_at`, and whoever claims it
//! then makes the older claim void by raising `claim`.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use nightbeat_domain::{AlertSnapshot, ChannelId, DeliveryId, UnixMicros};

use crate::codec::json;
use crate::sql::{Row, Sql, Value};
use crate::{Result, StoreError};

/// An alert that nobody has taken for this long goes to the project's fallback channel too.
pub const FALLBACK_AFTER: Duration = Duration::from_secs(120);

/// How many alerts get a copy for the fallback channel in one transaction.
pub const FALLBACKS_AT_ONCE: u32 = 500;

/// How many alerts of one heartbeat go to a channel in one digest.
pub const OF_HEARTBEAT_MAX: u32 = 100;

/// How many channels are looked after in one claim.
pub const CHANNELS_AT_ONCE: usize = 200;

/// How long alerts wait for a channel whose row cannot be read.
const BROKEN_CHANNEL_PAUSE: Duration = Duration::from_secs(60);

/// A wish to claim deliveries that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The instant.
    pub now: UnixMicros,
    /// Until when the claim holds.
    pub lease_until: UnixMicros,
    /// At most this many of each channel.
    pub per_channel: u32,
    /// None of these channels.
    pub skip: Vec<ChannelId>,
    /// Kinds of channels that get digests. One message there may tell several alerts of one heartbeat.
    pub digest_kinds: Vec<String>,
}

/// A claimed delivery with all that is needed to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDelivery {
    /// Its number.
    pub number: i64,
    /// Which claim of it this is.
    pub claim: i64,
    /// Its id.
    pub id: DeliveryId,
    /// Where it goes.
    pub channel: ChannelId,
    /// The channel's kind.
    pub kind: String,
    /// The channel's fields.
    pub fields: BTreeMap<String, String>,
    /// It may travel with others of its kind.
    pub digest: bool,
    /// What it tells.
    pub snapshot: AlertSnapshot,
    /// How many attempts there were, this one included.
    pub attempts: u32,
    /// When it was decided.
    pub created_at: UnixMicros,
}

/// What became of a claimed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedDelivery {
    /// Its number.
    pub number: i64,
    /// The claim under which it was sent: an older one changes nothing.
    pub claim: i64,
    /// When the attempt began.
    pub began_at: UnixMicros,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub ending: DeliveryEnding,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEnding {
    /// The receiver took it.
    Sent {
        /// What it answered.
        detail: String,
    },
    /// It did not.
    Failed {
        /// What went wrong.
        detail: String,
        /// When to try again; `None`: never, it stays visible as failing.
        next_try_at: Option<UnixMicros>,
    },
    /// There was no attempt.
    Released {
        /// When to look again.
        next_try_at: UnixMicros,
    },
}

/// A message that was under way this often when its server died may be what kills it: it waits out its
/// lease.
pub const FREED_ATTEMPTS_MAX: u32 = 3;

/// A server begins: nobody else sends, so what was under way when the last one died is free at once.
pub(crate) fn free_leases(sql: &mut dyn Sql) -> Result<()> {
    sql.execute(
        "UPDATE delivery SET state = 'queued', next_try_at = created_at
          WHERE state = 'sending' AND attempts <= $1",
        &[FREED_ATTEMPTS_MAX.into()],
    )?;
    Ok(())
}

/// Claims what is due. Of one heartbeat and channel only the oldest delivery is claimed: *up* never overtakes
/// *down*. Where digests are sent, those that follow it go with it, in their order: one message tells them
/// all, and a heartbeat that goes up and down faster than digests are sent does not fall behind.
pub(crate) fn claim(sql: &mut dyn Sql, wish: &Claim) -> Result<Vec<ClaimedDelivery>> {
    help_by_fallback(sql, wish.now)?;
    let mut claimed = Vec::new();
    let mut served = 0;
    for channel in channels_waiting(sql, wish.now)? {
        if wish.skip.contains(&channel) {
            continue;
        }
        let of_channel = claim_of_channel(sql, wish, channel)?;
        // A channel that only waits takes nobody's place.
        served += usize::from(!of_channel.is_empty());
        claimed.extend(of_channel);
        if served == CHANNELS_AT_ONCE {
            break;
        }
    }
    Ok(claimed)
}

/// The channels with deliveries whose time has come, by a skip scan: two steps in an index for each.
fn channels_waiting(sql: &mut dyn Sql, now: UnixMicros) -> Result<Vec<ChannelId>> {
    let rows = sql.query(
        "WITH RECURSIVE waiting (channel) AS (
             SELECT (SELECT d.channel FROM delivery d WHERE d.state IN ('queued', 'sending')
                      ORDER BY d.channel LIMIT 1)
             UNION ALL
             SELECT (SELECT d.channel FROM delivery d
                      WHERE d.state IN ('queued', 'sending') AND d.channel > waiting.channel
                      ORDER BY d.channel LIMIT 1)
               FROM waiting WHERE waiting.channel IS NOT NULL)
         SELECT channel FROM waiting
          WHERE channel IS NOT NULL
            AND (SELECT min(d.next_try_at) FROM delivery d
                  WHERE d.state IN ('queued', 'sending') AND d.channel = waiting.channel) <= $1",
        &[now.into()],
    )?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Of each heartbeat the oldest delivery to a channel, where its time has come.
const FIRST: &str = "
SELECT d.number, d.id, d.digest, d.snapshot, d.attempts, d.created_at, d.claim
  FROM delivery d
 WHERE d.state IN ('queued', 'sending') AND d.channel = $1 AND d.next_try_at <= $2
   AND NOT EXISTS (SELECT 1 FROM delivery earlier
                    WHERE earlier.state IN ('queued', 'sending') AND earlier.channel = d.channel
                      AND earlier.heartbeat = d.heartbeat AND earlier.number < d.number)
 ORDER BY d.next_try_at, d.number LIMIT $3";

/// What waits for a channel after a delivery of the same heartbeat.
const FOLLOWING: &str = "
SELECT d.number, d.id, d.digest, d.snapshot, d.attempts, d.created_at, d.claim, d.next_try_at
  FROM delivery d JOIN delivery first ON first.number = $1
 WHERE d.state IN ('queued', 'sending') AND d.channel = first.channel AND d.heartbeat = first.heartbeat
   AND d.number > first.number
 ORDER BY d.number LIMIT $2";

fn claim_of_channel(
    sql: &mut dyn Sql,
    wish: &Claim,
    channel: ChannelId,
) -> Result<Vec<ClaimedDelivery>> {
    let first = sql.query(
        FIRST,
        &[channel.into(), wish.now.into(), wish.per_channel.into()],
    )?;
    if first.is_empty() {
        return Ok(Vec::new());
    }
    let row = sql.first(
        "SELECT kind, fields FROM channel WHERE id = $1",
        &[channel.into()],
    )?;
    let Some(row) = row else {
        cancel_of_channel(sql, channel)?;
        return Ok(Vec::new());
    };
    let kind: String = row.get(0)?;
    let fields: String = row.get(1)?;
    let fields: BTreeMap<String, String> = match serde_json::from_str(&fields) {
        Ok(fields) => fields,
        Err(error) => {
            put_off(sql, wish.now, channel, &error.to_string())?;
            return Ok(Vec::new());
        }
    };
    let rows = if wish.digest_kinds.contains(&kind) {
        with_following(sql, wish, first)?
    } else {
        first
    };
    let mut claimed = Vec::with_capacity(rows.len());
    let mut taken = HashSet::new();
    for row in &rows {
        let Some(delivery) = read(row, channel, &kind, &fields, sql)? else {
            continue;
        };
        let heartbeat = delivery.snapshot.heartbeat.id;
        if taken.contains(&heartbeat) {
            continue;
        }
        let ours = sql.execute(
            // Counted before it is sent: one that crashes its sender is not tried for ever. Another node may
            // have claimed it since it was found.
            "UPDATE delivery SET state = 'sending', next_try_at = $2, claim = $3, attempts = attempts + 1
              WHERE number = $1 AND claim = $4 AND state IN ('queued', 'sending') AND next_try_at <= $5",
            &[
                delivery.number.into(),
                wish.lease_until.into(),
                delivery.claim.into(),
                (delivery.claim - 1).into(),
                wish.now.into(),
            ],
        )?;
        if ours == 1 {
            claimed.push(delivery);
        } else {
            // What follows it must not overtake it.
            taken.insert(heartbeat);
        }
    }
    Ok(claimed)
}

/// Behind each heartbeat's oldest delivery what can go in one message with it: those that follow it without a
/// break, are due and travel like it. A heartbeat that does not fit any more waits as a whole: a message that
/// is sent again must not tell less of it than it did, or it would say what is over.
fn with_following(sql: &mut dyn Sql, wish: &Claim, first: Vec<Row>) -> Result<Vec<Row>> {
    let places = wish.per_channel as usize;
    let following_max = OF_HEARTBEAT_MAX.min(wish.per_channel).saturating_sub(1);
    let mut rows = Vec::with_capacity(first.len());
    for first in first {
        let (number, digest): (i64, bool) = (first.get(0)?, first.get(2)?);
        let mut run = vec![first];
        for row in sql.query(FOLLOWING, &[number.into(), following_max.into()])? {
            let next_try_at: UnixMicros = row.get(7)?;
            if next_try_at > wish.now || row.get::<bool>(2)? != digest {
                break;
            }
            run.push(row);
        }
        if rows.len() + run.len() > places {
            break;
        }
        rows.append(&mut run);
    }
    Ok(rows)
}

/// A due row. One that cannot be read is set aside as failing, so that it holds up no other.
fn read(
    row: &Row,
    channel: ChannelId,
    kind: &str,
    fields: &BTreeMap<String, String>,
    sql: &mut dyn Sql,
) -> Result<Option<ClaimedDelivery>> {
    let number: i64 = row.get(0)?;
    let snapshot: String = row.get(3)?;
    let snapshot = match serde_json::from_str(&snapshot) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            tracing::error!(number, %error, "a delivery cannot be read and is set aside");
            sql.execute(
                "UPDATE delivery SET state = 'failing', next_try_at = NULL, last_error = $2 WHERE number = $1",
                &[number.into(), format!("cannot be read: {error}").into()],
            )?;
            return Ok(None);
        }
    };
    let claim: i64 = row.get(6)?;
    let attempts: u32 = row.get(4)?;
    Ok(Some(ClaimedDelivery {
        number,
        claim: claim + 1,
        id: row.get(1)?,
        channel,
        kind: kind.to_owned(),
        fields: fields.clone(),
        digest: row.get(2)?,
        snapshot,
        attempts: attempts + 1,
        created_at: row.get(5)?,
    }))
}

/// The channel cannot be read. It holds up no other, and the fallback channel helps with its alerts.
fn put_off(sql: &mut dyn Sql, now: UnixMicros, channel: ChannelId, error: &str) -> Result<()> {
    tracing::error!(%channel, error, "a channel cannot be read: its alerts wait");
    sql.execute(
        "UPDATE delivery SET next_try_at = $2, last_error = $3
          WHERE state IN ('queued', 'sending') AND channel = $1 AND next_try_at <= $4",
        &[
            channel.into(),
            (now + BROKEN_CHANNEL_PAUSE).into(),
            format!("the channel cannot be read: {error}").into(),
            now.into(),
        ],
    )?;
    Ok(())
}

/// The channel was removed: nobody waits for these any more.
fn cancel_of_channel(sql: &mut dyn Sql, channel: ChannelId) -> Result<()> {
    sql.execute(
        "UPDATE delivery SET state = 'cancelled', next_try_at = NULL, last_error = 'the channel was removed'
          WHERE state IN ('queued', 'sending') AND channel = $1",
        &[channel.into()],
    )?;
    Ok(())
}

/// Stores what became of deliveries.
pub(crate) fn finish(sql: &mut dyn Sql, finished: &[FinishedDelivery]) -> Result<()> {
    for delivery in finished {
        finish_one(sql, delivery)?;
    }
    Ok(())
}

fn finish_one(sql: &mut dyn Sql, delivery: &FinishedDelivery) -> Result<()> {
    let ours: [Value; 2] = [delivery.number.into(), delivery.claim.into()];
    let changed = match &delivery.ending {
        DeliveryEnding::Sent { .. } => {
            let sent_at = delivery.began_at + delivery.took;
            sql.execute(
                "UPDATE delivery SET state = 'sent', sent_at = $3, next_try_at = NULL, last_error = NULL
                  WHERE number = $1 AND claim = $2 AND state = 'sending'",
                &[ours[0].clone(), ours[1].clone(), sent_at.into()],
            )?
        }
        DeliveryEnding::Failed {
            detail,
            next_try_at,
        } => {
            let state = if next_try_at.is_some() {
                "queued"
            } else {
                "failing"
            };
            sql.execute(
                "UPDATE delivery SET state = $3, next_try_at = $4, last_error = $5
                  WHERE number = $1 AND claim = $2 AND state = 'sending'",
                &[
                    ours[0].clone(),
                    ours[1].clone(),
                    state.into(),
                    (*next_try_at).into(),
                    detail.as_str().into(),
                ],
            )?
        }
        DeliveryEnding::Released { next_try_at } => sql.execute(
            "UPDATE delivery SET state = 'queued', next_try_at = $3, attempts = attempts - 1
              WHERE number = $1 AND claim = $2 AND state = 'sending'",
            &[ours[0].clone(), ours[1].clone(), (*next_try_at).into()],
        )?,
    };
    if changed == 1 {
        note_attempt(sql, delivery)?;
    }
    Ok(())
}

fn note_attempt(sql: &mut dyn Sql, delivery: &FinishedDelivery) -> Result<()> {
    let (ok, detail) = match &delivery.ending {
        DeliveryEnding::Sent { detail } => (true, detail),
        DeliveryEnding::Failed { detail, .. } => (false, detail),
        DeliveryEnding::Released { .. } => return Ok(()),
    };
    let took = i64::try_from(delivery.took.as_micros()).unwrap_or(i64::MAX);
    sql.execute(
        "INSERT INTO attempt (delivery, number, at, duration, ok, detail)
         SELECT number, attempts, $2, $3, $4, $5 FROM delivery WHERE number = $1
             ON CONFLICT DO NOTHING",
        &[
            delivery.number.into(),
            delivery.began_at.into(),
            took.into(),
            ok.into(),
            detail.as_str().into(),
        ],
    )?;
    Ok(())
}

/// Copies what nobody has taken for two minutes to the project's fallback channel.
fn help_by_fallback(sql: &mut dyn Sql, now: UnixMicros) -> Result<()> {
    let rows = sql.query(
        "SELECT d.number, d.channel, d.snapshot, d.created_at, p.fallback_channel
           FROM delivery d JOIN project p ON p.id = d.project
          WHERE d.state IN ('queued', 'sending') AND d.fallback = 0 AND d.created_at <= $1
          ORDER BY d.created_at, d.number LIMIT $2",
        &[(now - FALLBACK_AFTER).into(), FALLBACKS_AT_ONCE.into()],
    )?;
    for row in rows {
        let number: i64 = row.get(0)?;
        let channel: ChannelId = row.get(1)?;
        let fallback: Option<ChannelId> = row.get(4)?;
        let ours = sql.execute(
            "UPDATE delivery SET fallback = 2 WHERE number = $1 AND fallback = 0",
            &[number.into()],
        )?;
        if let Some(fallback) = fallback.filter(|fallback| ours == 1 && *fallback != channel) {
            copy_to(sql, number, &row.get::<String>(2)?, fallback, now)?;
        }
    }
    Ok(())
}

/// A copy of a delivery for another channel. None is made where that channel has the same alert already.
fn copy_to(
    sql: &mut dyn Sql,
    number: i64,
    snapshot: &str,
    channel: ChannelId,
    now: UnixMicros,
) -> Result<()> {
    let alert: AlertSnapshot = match serde_json::from_str(snapshot) {
        Ok(alert) => alert,
        Err(error) => {
            // Whoever claims it sets it aside; until then it must hold up no other.
            tracing::error!(number, %error, "a delivery cannot be read: no copy for the fallback channel");
            return Ok(());
        }
    };
    let id = DeliveryId::derive(alert.heartbeat.id, alert.alert.sequence, channel);
    sql.execute(
        "INSERT INTO delivery (id, project, channel, heartbeat, incident, event, digest, snapshot, state,
                               created_at, next_try_at, attempts, claim, fallback)
         SELECT $2, project, $3, heartbeat, incident, event, digest, $5, 'queued', $4, $4, 0, 0, 1
           FROM delivery WHERE number = $1
             ON CONFLICT DO NOTHING",
        &[
            number.into(),
            id.into(),
            channel.into(),
            now.into(),
            json(&alert)?.into(),
        ],
    )?;
    Ok(())
}

/// How many deliveries are in each state that is not an end, and how many failed for good.
pub(crate) fn counts(sql: &mut dyn Sql) -> Result<Vec<(String, u64)>> {
    let rows = sql.query(
        "SELECT state, count(*) FROM delivery WHERE state IN ('queued', 'sending') GROUP BY state
         UNION ALL
         SELECT 'failing', count(*) FROM delivery WHERE state = 'failing' AND dismissed_at IS NULL",
        &[],
    )?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect::<std::result::Result<_, StoreError>>()
}
