//! Receivers of alerts, well and unwell.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use nightbeat_domain::{ChannelId, DeliveryId, HeartbeatId};
use nightbeat_engine::{Answer, Claimed, Send};

use super::World;
use super::agenda::{Event, Life};
use super::node::Happened;
use crate::random::Random;
use crate::scenario::{MINUTE, MS, Mood, SECOND, Scenario, Site};

/// A send takes no longer than this.
const SEND_TIMEOUT: i64 = 40 * SECOND;

/// The kind of the channels that get digests; the others get every event.
pub(super) const DIGEST_KIND: &str = "email";
const EVENT_KIND: &str = "webhook";

/// A receiver: where a channel leads.
#[derive(Debug)]
pub(crate) struct Receiver {
    lane: String,
    /// In a steady world, of its own.
    random: Random,
    digest_every: Duration,
    /// It behaves so until then.
    pub(crate) mood: (i64, Option<Mood>),
    /// The newest alert that it took of each heartbeat, by channel.
    newest: HashMap<(ChannelId, HeartbeatId), u32>,
    /// The ids of the messages that it took: one that comes again it takes without a look, as receivers do
    /// that know an idempotency key.
    known: HashSet<(ChannelId, DeliveryId)>,
}

impl Receiver {
    pub(crate) fn new(scenario: &Scenario, number: usize) -> Self {
        // The first two projects' first channels lead to the same host, which is then slow for both.
        let same = number == 2 && scenario.steady_without.is_none();
        let lane = if same { 0 } else { number };
        Self {
            random: scenario.random("receiver", number as u64),
            lane: format!("host {lane}"),
            digest_every: Duration::from_secs(if number % 2 == 1 { 30 } else { 0 }),
            mood: (0, None),
            newest: HashMap::new(),
            known: HashSet::new(),
        }
    }

    /// The kind of the channels that lead here.
    pub(super) fn kind(&self) -> &'static str {
        if self.digest_every.is_zero() {
            EVENT_KIND
        } else {
            DIGEST_KIND
        }
    }
}

impl World {
    pub(super) fn receiver_of(&self, channel: ChannelId) -> (String, Duration) {
        let number = self.channels.get(&channel).copied().unwrap_or(0);
        let receiver = &self.receivers[number];
        (receiver.lane.clone(), receiver.digest_every)
    }

    /// A node sends a message.
    pub(super) fn send_out(&mut self, node: usize, send: Send) {
        let life = self.life(node);
        let first = send.deliveries.first().map(|it| it.channel);
        let number = first.and_then(|id| self.channels.get(&id).copied());
        let latency = self.random_of(number.unwrap_or(0)).span(MS, 200 * MS);
        self.agenda.after(latency, Event::Deliver(life, send));
    }

    fn random_of(&mut self, receiver: usize) -> &mut Random {
        if self.is_steady() {
            &mut self.receivers[receiver].random
        } else {
            &mut self.random
        }
    }

    /// A message reaches its receiver.
    pub(super) fn deliver(&mut self, life: Life, send: &Send) {
        if !self.lives(life) {
            return;
        }
        let Some(first) = send.deliveries.first() else {
            return;
        };
        let now = self.agenda.now;
        let number = self.channels.get(&first.channel).copied().unwrap_or(0);
        let (until, mood) = self.receivers[number].mood;
        let mood = mood.filter(|_| now < until);
        let random = self.random_of(number);
        let (takes, span, answer) = match mood {
            None => (true, random.span(5 * MS, 500 * MS), taken(true, None)),
            Some(Mood::Slow) => {
                let span = random.span(SECOND, SEND_TIMEOUT - SECOND);
                (true, span, taken(true, None))
            }
            Some(Mood::Fails) => (false, 20 * MS, taken(false, None)),
            Some(Mood::TooMany) => {
                let wait = random.span(SECOND, 20 * MINUTE);
                (
                    false,
                    20 * MS,
                    taken(false, Some(Duration::from_micros(wait as u64))),
                )
            }
            Some(Mood::Hangs) => (false, SEND_TIMEOUT, taken(false, None)),
            Some(Mood::LosesAnswers) => (true, SEND_TIMEOUT, taken(false, None)),
        };
        if takes {
            if self.receivers[number]
                .known
                .insert((first.channel, send.id))
            {
                self.accept(life.node, number, send);
            } else {
                self.outcome.duplicates += send.deliveries.len() as u64;
            }
            if self.scenario.springs(number / 2) && self.trapped(life.node, Site::Sent) {
                return;
            }
        } else {
            self.outcome.failed_sends += 1;
        }
        self.agenda.after(
            span,
            Event::Result(life, Box::new(Happened::Sent(send.message, answer))),
        );
    }

    fn accept(&mut self, node: usize, number: usize, send: &Send) {
        // A message tells each heartbeat by its last alert; what it repeats before that is told in order.
        let mut told: BTreeMap<HeartbeatId, u32> = BTreeMap::new();
        for delivery in &send.deliveries {
            let Some((heartbeat, sequence)) = self.kept(node, delivery.number) else {
                continue;
            };
            self.accept_one(number, delivery, heartbeat, sequence);
            let before = told.insert(heartbeat, sequence);
            if let Some(before) = before.filter(|before| *before > sequence) {
                let text = format!("alert {sequence} stands after alert {before} in one message");
                let beat = self.numbers.get(&heartbeat).copied();
                self.violate("I8 order", beat, text);
            }
        }
        let Some(channel) = send.deliveries.first().map(|it| it.channel) else {
            return;
        };
        for (heartbeat, sequence) in told {
            let newest = self.receivers[number]
                .newest
                .entry((channel, heartbeat))
                .or_insert(0);
            if sequence < *newest {
                let text =
                    format!("alert {sequence} reached channel {channel} after alert {newest}");
                let beat = self.numbers.get(&heartbeat).copied();
                self.violate("I8 order", beat, text);
            } else {
                *newest = sequence;
            }
        }
    }

    fn accept_one(
        &mut self,
        number: usize,
        delivery: &Claimed,
        heartbeat: HeartbeatId,
        sequence: u32,
    ) {
        let beat = self.numbers.get(&heartbeat).copied();
        let at = self.agenda.now;
        self.truth.fact(at, beat, || {
            format!(
                "receiver {number} takes alert {sequence}, delivery {}",
                delivery.number
            )
        });
        self.agenda
            .note(delivery.number as u64 ^ u64::from(sequence) << 40);
        if let Some(beat) = beat {
            self.tell_beat(beat, number + 1, || format!("alert {sequence}"));
        }
        if self.truth.accepted(delivery.number) {
            self.outcome.duplicates += 1;
        }
    }

    /// The newest alert of a heartbeat that a channel's receiver took.
    pub(crate) fn newest_taken(&self, channel: ChannelId, heartbeat: HeartbeatId) -> Option<u32> {
        let number = self.channels.get(&channel)?;
        self.receivers[*number]
            .newest
            .get(&(channel, heartbeat))
            .copied()
    }
}

fn taken(taken: bool, retry_after: Option<Duration>) -> Answer {
    Answer {
        taken,
        detail: String::new(),
        retry_after,
    }
}
