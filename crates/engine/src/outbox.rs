//! Which delivery is sent when: fair between receivers, in order for each heartbeat, again after failures.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use nightbeat_domain::{ChannelId, DeliveryId, UnixMicros};

use crate::retry::next_try;

/// How many sends to one receiver are under way at once.
pub const LANE_CONCURRENCY: usize = 2;
/// After this many failures in a row, a receiver is only probed.
pub const LANE_FAILURES_MAX: u32 = 5;
/// How often a receiver that keeps failing is probed.
pub const LANE_PROBE_EVERY: Duration = Duration::from_secs(30);
/// How long a claim holds. Much longer than one attempt may take.
pub const LEASE: Duration = Duration::from_secs(120);
/// A send only begins while its claim holds for at least this long: longer than an attempt may take.
pub const LEASE_LEFT_MIN: Duration = Duration::from_secs(45);
/// How often the store is asked for deliveries that are due.
pub const POLL_EVERY: Duration = Duration::from_secs(1);
/// How many deliveries of one channel are claimed at once; also the most in one digest.
pub const CLAIM_PER_CHANNEL: u32 = 500;

/// A delivery that is ours to send for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its number in the store.
    pub number: i64,
    /// Which claim of it this is: only the last claimer may finish it.
    pub claim: i64,
    /// Its id.
    pub id: DeliveryId,
    /// Where it goes.
    pub channel: ChannelId,
    /// The receiver behind the channel: what is slow or broken together.
    pub lane: String,
    /// Zero for a machine's channel, which gets every event. For people: after one message, what comes
    /// within this time waits and becomes one digest.
    pub digest_every: Duration,
    /// It may travel with others of its kind at once.
    pub digest: bool,
    /// How many attempts there were, this one included.
    pub attempts: u32,
    /// When it was decided.
    pub created_at: UnixMicros,
    /// Until when it is ours.
    pub lease_until: UnixMicros,
}

/// What became of a claimed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its number in the store.
    pub number: i64,
    /// The claim under which it was sent.
    pub claim: i64,
    /// When the attempt began.
    pub began_at: UnixMicros,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub ending: Ending,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The receiver took it.
    Sent {
        /// What it answered.
        detail: String,
    },
    /// It did not; tried again then, or never where there is no time.
    Failed {
        /// What went wrong.
        detail: String,
        /// When to try again.
        next_try_at: Option<UnixMicros>,
    },
    /// There was no attempt: it goes back to the queue until then.
    Released {
        /// When to look again.
        next_try_at: UnixMicros,
    },
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it took the message.
    pub taken: bool,
    /// What it said, or what went wrong.
    pub detail: String,
    /// The pause it asks for.
    pub retry_after: Option<Duration>,
}

/// One message under way: one delivery, or several in a digest.
type Message = Vec<Claimed>;

#[derive(Debug, Default)]
struct Lane {
    in_flight: usize,
    failures: u32,
    /// Only probed, and not before this.
    closed_until: Option<UnixMicros>,
    /// Ready messages by channel; the channel whose turn it is stands first.
    ready: VecDeque<(ChannelId, VecDeque<Message>)>,
}

#[derive(Debug, Default)]
struct Channel {
    lane: String,
    /// Messages ready or in flight.
    open: usize,
    /// The number of its last message that was begun.
    tried: u64,
    /// For people: what comes before this waits, and becomes one digest.
    quiet_until: Option<UnixMicros>,
}

/// A message to send now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// The number of the message: say it with what became of it.
    pub message: u64,
    /// By which its receiver can tell a repetition: the same deliveries, the same id.
    pub id: DeliveryId,
    /// What is in it: one delivery, or several in a digest.
    pub deliveries: Vec<Claimed>,
}

/// The sending side of the outbox. The store keeps the rows; this decides on their order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    // In order: what is sent first must not depend on chance.
    lanes: BTreeMap<String, Lane>,
    channels: BTreeMap<ChannelId, Channel>,
    in_flight: HashMap<u64, (Message, UnixMicros)>,
    messages: u64,
    finished: Vec<Finished>,
    /// No more messages are begun.
    pub(crate) stopping: bool,
}

impl Outbox {
    /// Channels of which nothing more is to be claimed now.
    pub(crate) fn skip(&self, now: UnixMicros) -> Vec<ChannelId> {
        let busy = self.channels.iter().filter(|(_, channel)| {
            let closed = self
                .lanes
                .get(&channel.lane)
                .is_some_and(|lane| lane.closed_until.is_some_and(|until| until > now));
            channel.open > 0 || closed || channel.quiet_until.is_some_and(|until| until > now)
        });
        busy.map(|(id, _)| *id).collect()
    }

    /// Takes over what was claimed.
    pub(crate) fn claimed(&mut self, claimed: Vec<Claimed>, now: UnixMicros) {
        let mut by_channel: Vec<(ChannelId, Vec<Claimed>)> = Vec::new();
        for delivery in claimed {
            match by_channel
                .iter_mut()
                .find(|(id, _)| *id == delivery.channel)
            {
                Some((_, list)) => list.push(delivery),
                None => by_channel.push((delivery.channel, vec![delivery])),
            }
        }
        for (id, deliveries) in by_channel {
            self.arrange(id, deliveries, now);
        }
    }

    /// Puts one channel's deliveries into messages.
    fn arrange(&mut self, id: ChannelId, deliveries: Vec<Claimed>, now: UnixMicros) {
        let Some(first) = deliveries.first() else {
            return;
        };
        let lane = first.lane.clone();
        let digest_every = first.digest_every;
        let channel = self.channels.entry(id).or_default();
        channel.lane.clone_from(&lane);
        let quiet_until = channel.quiet_until.unwrap_or(UnixMicros::MIN);
        let (together, single): (Vec<_>, Vec<_>) =
            deliveries.into_iter().partition(|delivery| delivery.digest);
        let mut messages = VecDeque::new();
        let mut held_back = Vec::new();
        if !together.is_empty() {
            messages.push_back(together);
        }
        if digest_every.is_zero() {
            messages.extend(single.into_iter().map(|delivery| vec![delivery]));
        } else {
            let waited = single.iter().any(|it| it.created_at < quiet_until);
            let message;
            (message, held_back) = if waited {
                // They have waited for the end of a quiet time: all in one message.
                (single, Vec::new())
            } else {
                channel.quiet_until = Some(now + digest_every);
                begin_burst(single)
            };
            if !message.is_empty() {
                messages.push_back(message);
            }
        }
        channel.open += messages.len();
        let lane = self.lanes.entry(lane).or_default();
        lane.ready.push_back((id, messages));
        for delivery in held_back {
            self.release(&delivery, now, now + digest_every);
        }
    }

    /// Begins what may begin.
    pub(crate) fn dispatch(&mut self, now: UnixMicros) -> Vec<Send> {
        let names: Vec<String> = self.lanes.keys().cloned().collect();
        let mut sends = Vec::new();
        for name in names {
            while let Some(message) = self.next_message(&name, now) {
                self.messages += 1;
                let first = message.first().map(|delivery| delivery.channel);
                if let Some(channel) = first.and_then(|id| self.channels.get_mut(&id)) {
                    channel.tried = self.messages;
                }
                let ids = message.iter().map(|delivery| delivery.id);
                if let Some(id) = DeliveryId::of_message(ids) {
                    sends.push(Send {
                        message: self.messages,
                        id,
                        deliveries: message.clone(),
                    });
                }
                self.in_flight.insert(self.messages, (message, now));
            }
        }
        self.lanes
            .retain(|_, lane| lane.in_flight > 0 || !lane.ready.is_empty() || lane.failures > 0);
        self.channels.retain(|_, channel| {
            channel.open > 0
                // For a while after a quiet time, what waited for its end is still to be claimed.
                || channel.quiet_until.is_some_and(|until| until + LEASE > now)
                || self.lanes.contains_key(&channel.lane)
        });
        sends
    }

    fn next_message(&mut self, name: &str, now: UnixMicros) -> Option<Message> {
        loop {
            let lane = self.lanes.get_mut(name)?;
            let failing = lane.failures >= LANE_FAILURES_MAX;
            let limit = if failing { 1 } else { LANE_CONCURRENCY };
            if lane.in_flight >= limit || lane.closed_until.is_some_and(|until| until > now) {
                return None;
            }
            // A receiver that fails may fail one of its channels only: each is probed in turn, or that
            // one would keep it closed for all others.
            let tried = |index: &usize| {
                let id = lane.ready.get(*index).map(|(id, _)| id);
                id.and_then(|id| self.channels.get(id))
                    .map_or(0, |channel| channel.tried)
            };
            let turn = if failing {
                (0..lane.ready.len()).min_by_key(tried)?
            } else {
                0
            };
            let (id, mut messages) = lane.ready.remove(turn)?;
            let message = messages.pop_front();
            if !messages.is_empty() {
                lane.ready.push_back((id, messages));
            }
            let Some(message) = message else { continue };
            let fresh = message
                .iter()
                .all(|delivery| delivery.lease_until.since(now) >= LEASE_LEFT_MIN);
            if fresh {
                lane.in_flight += 1;
                return Some(message);
            }
            self.give_back(message, now, now);
        }
    }

    /// A message came to its end.
    pub(crate) fn sent(&mut self, message: u64, answer: &Answer, now: UnixMicros) {
        let Some((deliveries, began_at)) = self.in_flight.remove(&message) else {
            return;
        };
        let Some(first) = deliveries.first() else {
            return;
        };
        let (id, name, digest_every) = (first.channel, first.lane.clone(), first.digest_every);
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.open = channel.open.saturating_sub(1);
            // After a failure the next attempt must not wait for a quiet time.
            channel.quiet_until =
                (answer.taken && !digest_every.is_zero()).then(|| now + digest_every);
        }
        let next_tries: Vec<_> = deliveries
            .iter()
            .map(|it| next_try(it.id, it.created_at, it.attempts, answer.retry_after, now))
            .collect();
        // What failed together is tried again together.
        let again_at = next_tries.iter().flatten().min().copied();
        for (delivery, next_try) in deliveries.iter().zip(next_tries) {
            let ending = if answer.taken {
                Ending::Sent {
                    detail: answer.detail.clone(),
                }
            } else {
                Ending::Failed {
                    detail: answer.detail.clone(),
                    next_try_at: next_try.and(again_at),
                }
            };
            self.finished.push(Finished {
                number: delivery.number,
                claim: delivery.claim,
                began_at,
                took: now.since(began_at),
                ending,
            });
        }
        self.note_result(&name, answer.taken, now);
    }

    /// Opens or closes a lane by what its receiver did.
    fn note_result(&mut self, name: &str, taken: bool, now: UnixMicros) {
        let Some(lane) = self.lanes.get_mut(name) else {
            return;
        };
        lane.in_flight = lane.in_flight.saturating_sub(1);
        if taken {
            lane.failures = 0;
            lane.closed_until = None;
            return;
        }
        lane.failures += 1;
        if lane.failures < LANE_FAILURES_MAX {
            return;
        }
        let until = now + LANE_PROBE_EVERY;
        lane.closed_until = Some(until);
        let waiting = std::mem::take(&mut lane.ready);
        for message in waiting.into_iter().flat_map(|(_, messages)| messages) {
            self.give_back(message, now, until);
        }
    }

    /// Gives back all that is not begun.
    pub(crate) fn give_back_all(&mut self, now: UnixMicros) {
        let lanes = self.lanes.values_mut();
        let waiting: Vec<_> = lanes
            .flat_map(|lane| std::mem::take(&mut lane.ready))
            .collect();
        for message in waiting.into_iter().flat_map(|(_, messages)| messages) {
            self.give_back(message, now, now);
        }
    }

    fn give_back(&mut self, message: Message, now: UnixMicros, next_try_at: UnixMicros) {
        if let Some(channel) = message
            .first()
            .and_then(|delivery| self.channels.get_mut(&delivery.channel))
        {
            channel.open = channel.open.saturating_sub(1);
        }
        for delivery in message {
            self.release(&delivery, now, next_try_at);
        }
    }

    fn release(&mut self, delivery: &Claimed, now: UnixMicros, next_try_at: UnixMicros) {
        self.finished.push(Finished {
            number: delivery.number,
            claim: delivery.claim,
            began_at: now,
            took: Duration::ZERO,
            ending: Ending::Released { next_try_at },
        });
    }

    /// Takes out what came to its end since the last call.
    pub(crate) fn take_finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }

    /// Puts back what could not be stored, to be stored later.
    pub(crate) fn put_back(&mut self, mut finished: Vec<Finished>) {
        finished.append(&mut self.finished);
        self.finished = finished;
    }

    /// Whether something came to its end that is not stored.
    pub(crate) fn has_finished(&self) -> bool {
        !self.finished.is_empty()
    }

    /// How many messages are under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

/// The first message of a burst, and what came with it: that makes the next digest.
///
/// What was tried goes again as it went, so that a receiver that had taken it knows it by its id; of one
/// heartbeat it is older than what is fresh. Otherwise the first goes alone.
fn begin_burst(deliveries: Message) -> (Message, Message) {
    let (tried, mut fresh): (Vec<_>, Vec<_>) =
        deliveries.into_iter().partition(|it| it.attempts > 1);
    if !tried.is_empty() {
        return (tried, fresh);
    }
    let rest = fresh.split_off(fresh.len().min(1));
    (fresh, rest)
}
