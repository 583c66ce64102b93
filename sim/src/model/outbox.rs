//! The outbox: deliveries are claimed for a while, sent by someone else, and finished.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::{
    AlertSnapshot, ChannelId, DeliveryId, HeartbeatId, IncidentId, ProjectId, UnixMicros,
};
use nightbeat_store::control::deliveries::DeliveryState;
use nightbeat_store::outbox::{
    CHANNELS_AT_ONCE, Claim, ClaimedDelivery, DeliveryEnding, FALLBACK_AFTER, FALLBACKS_AT_ONCE,
    FREED_ATTEMPTS_MAX, FinishedDelivery, OF_HEARTBEAT_MAX,
};

use super::{Change, Held, Model, Result};

/// What is said of a delivery whose channel was removed.
const CHANNEL_REMOVED: &str = "the channel was removed";

/// A delivery that is about to be queued.
#[derive(Debug, Clone)]
pub(super) struct NewDelivery {
    pub(super) id: DeliveryId,
    pub(super) project: ProjectId,
    pub(super) channel: ChannelId,
    pub(super) heartbeat: HeartbeatId,
    pub(super) incident: Option<IncidentId>,
    pub(super) event: &'static str,
    pub(super) digest: bool,
    pub(super) snapshot: Arc<AlertSnapshot>,
    pub(super) created_at: UnixMicros,
    pub(super) next_try_at: UnixMicros,
    /// 1: a copy for the fallback channel; 2: such a copy was made of it.
    pub(super) fallback: u8,
}

#[derive(Debug, Clone)]
pub(super) struct DeliveryRow {
    pub(super) new: NewDelivery,
    pub(super) state: DeliveryState,
    /// `None`: never again.
    pub(super) next_try_at: Option<UnixMicros>,
    pub(super) attempts: u32,
    pub(super) claim: i64,
    pub(super) last_error: Option<String>,
    pub(super) sent_at: Option<UnixMicros>,
    pub(super) fallback: u8,
    /// Attempts that came to an end, by their number.
    pub(super) ended: BTreeMap<u32, AttemptRow>,
}

#[derive(Debug, Clone)]
pub(super) struct AttemptRow {
    pub(super) at: UnixMicros,
    pub(super) took: Duration,
    pub(super) ok: bool,
    pub(super) detail: String,
}

impl DeliveryRow {
    fn waits(&self) -> bool {
        matches!(self.state, DeliveryState::Queued | DeliveryState::Sending)
    }
}

/// Deliveries, and where those that wait stand.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    rows: BTreeMap<i64, DeliveryRow>,
    ids: BTreeMap<DeliveryId, i64>,
    lanes: BTreeMap<ChannelId, Lane>,
    /// Those that wait and have no copy for the fallback channel, by age.
    unhelped: BTreeSet<(UnixMicros, i64)>,
    last_number: i64,
}

/// What waits for one channel.
#[derive(Debug, Default)]
struct Lane {
    waiting: BTreeMap<HeartbeatId, BTreeSet<i64>>,
    /// Of each heartbeat the oldest one only, by its next try.
    due: BTreeSet<(UnixMicros, i64)>,
}

impl Outbox {
    pub(super) fn rows(&self) -> impl Iterator<Item = (i64, &DeliveryRow)> {
        self.rows.iter().map(|(number, row)| (*number, row))
    }

    pub(super) fn waiting(&self) -> usize {
        let lanes = self.lanes.values().flat_map(|lane| lane.waiting.values());
        lanes.map(BTreeSet::len).sum()
    }

    /// Queues a delivery; its number, or `None` where there is one with its id.
    pub(super) fn add(&mut self, new: NewDelivery) -> Option<i64> {
        if self.ids.contains_key(&new.id) {
            return None;
        }
        self.last_number += 1;
        let number = self.last_number;
        self.ids.insert(new.id, number);
        let row = DeliveryRow {
            state: DeliveryState::Queued,
            next_try_at: Some(new.next_try_at),
            attempts: 0,
            claim: 0,
            last_error: None,
            sent_at: None,
            fallback: new.fallback,
            ended: BTreeMap::new(),
            new,
        };
        self.rows.insert(number, row);
        self.index(number);
        Some(number)
    }

    /// The last delivery that was queued was not.
    pub(super) fn take_back(&mut self, number: i64) {
        self.unindex(number);
        if let Some(row) = self.rows.remove(&number) {
            self.ids.remove(&row.new.id);
        }
        self.last_number = number - 1;
    }

    /// Changes a delivery, and keeps the indexes true.
    fn change(&mut self, number: i64, change: impl FnOnce(&mut DeliveryRow)) {
        self.unindex(number);
        if let Some(row) = self.rows.get_mut(&number) {
            change(row);
        }
        self.index(number);
    }

    fn index(&mut self, number: i64) {
        let Some(row) = self.rows.get(&number).filter(|row| row.waits()) else {
            return;
        };
        if row.fallback == 0 {
            self.unhelped.insert((row.new.created_at, number));
        }
        let (channel, heartbeat) = (row.new.channel, row.new.heartbeat);
        let lane = self.lanes.entry(channel).or_default();
        let waiting = lane.waiting.entry(heartbeat).or_default();
        let head = waiting.first().copied();
        waiting.insert(number);
        if head.is_none_or(|head| number < head) {
            if let Some(number) = head {
                lane.due.remove(&due_key(&self.rows, number));
            }
            lane.due.insert(due_key(&self.rows, number));
        }
    }

    fn unindex(&mut self, number: i64) {
        let Some(row) = self.rows.get(&number).filter(|row| row.waits()) else {
            return;
        };
        self.unhelped.remove(&(row.new.created_at, number));
        let (channel, heartbeat) = (row.new.channel, row.new.heartbeat);
        let Some(lane) = self.lanes.get_mut(&channel) else {
            return;
        };
        if let Some(waiting) = lane.waiting.get_mut(&heartbeat) {
            waiting.remove(&number);
            if lane.due.remove(&due_key(&self.rows, number)) {
                let next = waiting.first();
                lane.due.extend(next.map(|next| due_key(&self.rows, *next)));
            }
            if waiting.is_empty() {
                lane.waiting.remove(&heartbeat);
            }
        }
        if lane.waiting.is_empty() {
            self.lanes.remove(&channel);
        }
    }

    /// The numbers of what is due for a channel: of each heartbeat the oldest.
    fn due(&self, channel: ChannelId, now: UnixMicros, at_most: u32) -> Vec<i64> {
        let Some(lane) = self.lanes.get(&channel) else {
            return Vec::new();
        };
        let due = lane.due.range(..=(now, i64::MAX));
        due.take(at_most as usize)
            .map(|(_, number)| *number)
            .collect()
    }

    /// The same, and behind each what goes in one message with it: those of its heartbeat that follow without
    /// a break, are due and travel like it. A heartbeat that does not fit any more waits as a whole.
    fn due_with_following(&self, channel: ChannelId, now: UnixMicros, at_most: u32) -> Vec<i64> {
        let of_heartbeat = OF_HEARTBEAT_MAX.min(at_most) as usize;
        let mut due = Vec::new();
        for first in self.due(channel, now, at_most) {
            let new = &self.rows[&first].new;
            let waiting = self.lanes[&channel].waiting[&new.heartbeat].range(first..);
            let goes_with = |number: &&i64| {
                let row = &self.rows[*number];
                due_key(&self.rows, **number).0 <= now && row.new.digest == new.digest
            };
            let run = waiting.take_while(goes_with).take(of_heartbeat);
            let run: Vec<i64> = run.copied().collect();
            if due.len() + run.len() > at_most as usize {
                break;
            }
            due.extend(run);
        }
        due
    }

    /// The same without any order between the deliveries of one heartbeat.
    fn due_unordered(&self, channel: ChannelId, now: UnixMicros, at_most: u32) -> Vec<i64> {
        let lanes = self.lanes.get(&channel).into_iter();
        let waiting = lanes.flat_map(|lane| lane.waiting.values().flatten());
        let mut due: Vec<(UnixMicros, i64)> = waiting
            .map(|number| due_key(&self.rows, *number))
            .filter(|(at, _)| *at <= now)
            .collect();
        due.sort_unstable_by_key(|(at, number)| (*at, std::cmp::Reverse(*number)));
        due.truncate(at_most as usize);
        due.into_iter().map(|(_, number)| number).collect()
    }

    /// A server begins and nobody else sends: what was under way when the last one died is free at once,
    /// but for a message that was under way so often that it may be what kills its server.
    pub(super) fn free_leases(&mut self) {
        let waiting = self.lanes.values().flat_map(|lane| lane.waiting.values());
        let waiting: Vec<i64> = waiting.flatten().copied().collect();
        for number in waiting {
            let row = &self.rows[&number];
            if row.state == DeliveryState::Sending && row.attempts <= FREED_ATTEMPTS_MAX {
                self.change(number, |row| {
                    row.state = DeliveryState::Queued;
                    row.next_try_at = Some(row.new.created_at);
                });
            }
        }
    }

    /// The channel was removed: nobody waits for these any more.
    fn cancel(&mut self, channel: ChannelId) -> Vec<i64> {
        let lanes = self.lanes.get(&channel).into_iter();
        let waiting = lanes.flat_map(|lane| lane.waiting.values().flatten());
        let waiting: Vec<i64> = waiting.copied().collect();
        for number in &waiting {
            self.change(*number, |row| {
                row.state = DeliveryState::Cancelled;
                row.next_try_at = None;
                row.last_error = Some(CHANNEL_REMOVED.to_owned());
            });
        }
        waiting
    }

    pub(super) fn forget_before(&mut self, at: UnixMicros) {
        let ids = &mut self.ids;
        self.rows.retain(|_, row| {
            let kept = row.waits() || row.new.created_at >= at;
            if !kept {
                ids.remove(&row.new.id);
            }
            kept
        });
    }
}

/// Where a waiting delivery stands in the order of its channel.
fn due_key(rows: &BTreeMap<i64, DeliveryRow>, number: i64) -> (UnixMicros, i64) {
    let next = rows.get(&number).and_then(|row| row.next_try_at);
    (next.unwrap_or(UnixMicros::MAX), number)
}

impl Model {
    /// Claims deliveries that are due. Of one heartbeat and channel only the oldest; where digests are sent,
    /// those that follow it go with it.
    pub fn claim(&mut self, held: Option<Held>, wish: &Claim) -> Result<Vec<ClaimedDelivery>> {
        self.transaction(held, UnixMicros::MIN, |model| {
            model.help_by_fallback(wish.now);
            let mut claimed = Vec::new();
            let mut served = 0;
            let channels: Vec<ChannelId> = model.outbox.lanes.keys().copied().collect();
            for channel in channels {
                if wish.skip.contains(&channel) {
                    continue;
                }
                let before = claimed.len();
                model.claim_of_channel(wish, channel, &mut claimed);
                // A channel that only waits takes nobody's place.
                served += usize::from(claimed.len() > before);
                if served == CHANNELS_AT_ONCE {
                    break;
                }
            }
            Ok(claimed)
        })
    }

    fn claim_of_channel(
        &mut self,
        wish: &Claim,
        channel: ChannelId,
        claimed: &mut Vec<ClaimedDelivery>,
    ) {
        let kind = self.channels.get(&channel).map(|row| &row.channel.kind);
        let (outbox, now, at_most) = (&self.outbox, wish.now, wish.per_channel);
        let due = if self.mutant.lets_up_overtake() {
            outbox.due_unordered(channel, now, at_most)
        } else if self.mutant.claims_what_is_taken() {
            outbox.due(channel, wish.lease_until, at_most)
        } else if kind.is_some_and(|kind| wish.digest_kinds.contains(kind)) {
            outbox.due_with_following(channel, now, at_most)
        } else {
            outbox.due(channel, now, at_most)
        };
        if due.is_empty() {
            return;
        }
        let Some(row) = self.channels.get(&channel) else {
            self.cancel_deliveries(channel);
            return;
        };
        for number in due {
            self.outbox.change(number, |row| {
                row.state = DeliveryState::Sending;
                row.next_try_at = Some(wish.lease_until);
                row.claim += 1;
                row.attempts += 1;
            });
            let Some(delivery) = self.outbox.rows.get(&number) else {
                continue;
            };
            claimed.push(ClaimedDelivery {
                number,
                claim: delivery.claim,
                id: delivery.new.id,
                channel,
                kind: row.channel.kind.clone(),
                fields: row.channel.fields.clone(),
                digest: delivery.new.digest,
                snapshot: AlertSnapshot::clone(&delivery.new.snapshot),
                attempts: delivery.attempts,
                created_at: delivery.new.created_at,
            });
        }
    }

    /// Stores what became of deliveries. A claim that is not the last one changes nothing.
    pub fn finish(&mut self, held: Option<Held>, finished: &[FinishedDelivery]) -> Result<()> {
        self.transaction(held, UnixMicros::MIN, |model| {
            for delivery in finished {
                model.finish_one(delivery);
            }
            Ok(())
        })
    }

    fn finish_one(&mut self, finished: &FinishedDelivery) {
        let row = self.outbox.rows.get(&finished.number);
        let ours = row
            .is_some_and(|row| row.claim == finished.claim && row.state == DeliveryState::Sending);
        if !ours {
            return;
        }
        self.outbox.change(finished.number, |row| {
            let (ok, detail) = match &finished.ending {
                DeliveryEnding::Sent { detail } => {
                    row.state = DeliveryState::Sent;
                    row.sent_at = Some(finished.began_at + finished.took);
                    row.next_try_at = None;
                    row.last_error = None;
                    (true, detail)
                }
                DeliveryEnding::Failed {
                    detail,
                    next_try_at,
                } => {
                    row.state = match next_try_at {
                        Some(_) => DeliveryState::Queued,
                        None => DeliveryState::Failing,
                    };
                    row.next_try_at = *next_try_at;
                    row.last_error = Some(detail.clone());
                    (false, detail)
                }
                DeliveryEnding::Released { next_try_at } => {
                    row.state = DeliveryState::Queued;
                    row.next_try_at = Some(*next_try_at);
                    row.attempts -= 1;
                    return;
                }
            };
            let attempt = AttemptRow {
                at: finished.began_at,
                took: finished.took,
                ok,
                detail: detail.clone(),
            };
            row.ended.entry(row.attempts).or_insert(attempt);
        });
    }

    /// Copies what nobody has taken for two minutes to the project's fallback channel.
    fn help_by_fallback(&mut self, now: UnixMicros) {
        let old = (now - FALLBACK_AFTER, i64::MAX);
        let old = self.outbox.unhelped.range(..=old);
        let old: Vec<i64> = old
            .take(FALLBACKS_AT_ONCE as usize)
            .map(|(_, number)| *number)
            .collect();
        for number in old {
            self.outbox.change(number, |row| row.fallback = 2);
            let row = &self.outbox.rows[&number];
            let project = self.projects.get(&row.new.project);
            let fallback = project.and_then(|project| project.fallback_channel);
            let Some(channel) = fallback.filter(|fallback| *fallback != row.new.channel) else {
                continue;
            };
            let sequence = row.new.snapshot.alert.sequence;
            let copy = NewDelivery {
                id: DeliveryId::derive(row.new.snapshot.heartbeat.id, sequence, channel),
                channel,
                created_at: now,
                next_try_at: now,
                fallback: 1,
                ..row.new.clone()
            };
            let (id, snapshot) = (copy.id, Arc::clone(&copy.snapshot));
            // None is made where that channel has the same alert already.
            if let Some(number) = self.outbox.add(copy) {
                self.changes.push(Change::Queued {
                    number,
                    id,
                    channel,
                    fallback: true,
                    snapshot,
                });
            }
        }
    }

    pub(super) fn cancel_deliveries(&mut self, channel: ChannelId) {
        for number in self.outbox.cancel(channel) {
            self.changes.push(Change::Cancelled { number });
        }
    }
}
