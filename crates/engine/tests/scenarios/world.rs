//! A store of deliveries and a world of receivers, in told time: what the server and the store do for the
//! engine's outbox.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use nightbeat_domain::{ChannelId, DeliveryId, UnixMicros};
use nightbeat_engine::{
    Answer, CLAIM_PER_CHANNEL, Claimed, Command, Ending, Engine, Event, Failed, Finished, LEASE,
    Limits, Send,
};
use uuid::Uuid;

use crate::cast::MICROSECOND;

/// How many alerts of one heartbeat go to a channel in one digest.
const OF_HEARTBEAT_MAX: usize = 100;

/// How a delivery stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Queued,
    Sending,
    Sent,
    Failing,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) number: i64,
    pub(crate) channel: u32,
    pub(crate) heartbeat: u32,
    pub(crate) digest: bool,
    pub(crate) created_at: UnixMicros,
    pub(crate) state: State,
    pub(crate) next_try_at: UnixMicros,
    pub(crate) claim: i64,
    pub(crate) attempts: u32,
}

/// A channel, and the receiver behind it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) lane: &'static str,
    pub(crate) digest_every: Duration,
}

/// One message that a receiver was given.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: DeliveryId,
    pub(crate) channel: u32,
    pub(crate) rows: Vec<i64>,
    pub(crate) began_at: UnixMicros,
    pub(crate) ended_at: UnixMicros,
    pub(crate) taken: bool,
}

/// How a receiver answers a message: after how long, and whether it takes it.
pub(crate) type Receiver = Box<dyn FnMut(u32, UnixMicros) -> (Duration, bool)>;

/// How the store answers: after how long, whether it does what it is asked, and whether it says so.
pub(crate) type Storing = Box<dyn FnMut(UnixMicros) -> (Duration, bool, bool)>;

type Happened = (Reverse<UnixMicros>, Reverse<u64>);

pub(crate) struct World {
    pub(crate) engine: Engine<()>,
    pub(crate) now: UnixMicros,
    pub(crate) rows: Vec<Row>,
    pub(crate) places: BTreeMap<u32, Place>,
    pub(crate) messages: Vec<Message>,
    pub(crate) receiver: Receiver,
    pub(crate) storing: Storing,
    pub(crate) turns: u64,
    /// What is neither sent nor given up, by channel.
    open: BTreeMap<u32, BTreeSet<usize>>,
    under_way: BTreeMap<&'static str, usize>,
    heap: BinaryHeap<Happened>,
    events: BTreeMap<u64, (Event<()>, Option<&'static str>)>,
    number: u64,
}

fn channel_id(channel: u32) -> ChannelId {
    ChannelId(Uuid::from_u128(channel.into()))
}

pub(crate) fn delivery_id(number: i64) -> DeliveryId {
    DeliveryId(Uuid::from_u128(number as u128))
}

impl World {
    pub(crate) fn new(now: UnixMicros, places: &[(u32, &'static str, u64)]) -> Self {
        let place = |(channel, lane, digest): &(u32, &'static str, u64)| {
            let digest_every = Duration::from_secs(*digest);
            (*channel, Place { lane, digest_every })
        };
        Self {
            engine: Engine::new(Limits::default(), now),
            now,
            rows: Vec::new(),
            places: places.iter().map(place).collect(),
            messages: Vec::new(),
            receiver: Box::new(|_, _| (Duration::from_millis(100), true)),
            storing: Box::new(|_| (Duration::from_millis(4), true, true)),
            turns: 0,
            open: BTreeMap::new(),
            under_way: BTreeMap::new(),
            heap: BinaryHeap::new(),
            events: BTreeMap::new(),
            number: 0,
        }
    }

    /// Queues a delivery now.
    pub(crate) fn queue(&mut self, channel: u32, heartbeat: u32, digest: bool) -> i64 {
        let number = self.rows.len() as i64 + 1;
        self.rows.push(Row {
            number,
            channel,
            heartbeat,
            digest,
            created_at: self.now,
            state: State::Queued,
            next_try_at: self.now,
            claim: 0,
            attempts: 0,
        });
        let open = self.open.entry(channel).or_default();
        open.insert(number as usize - 1);
        self.soon(Duration::ZERO, Event::Queued, None);
        number
    }

    pub(crate) fn row(&self, number: i64) -> &Row {
        &self.rows[number as usize - 1]
    }

    /// The messages that `channel` was given.
    pub(crate) fn given(&self, channel: u32) -> Vec<&Message> {
        let messages = self.messages.iter();
        messages.filter(|it| it.channel == channel).collect()
    }

    /// Lets the world go on until `until`.
    pub(crate) fn run_until(&mut self, until: UnixMicros) {
        loop {
            let tick = self.engine.next_tick(self.now);
            let next = self.heap.peek().map_or(tick, |(at, _)| at.0.min(tick));
            if next > until {
                self.now = until;
                return;
            }
            self.now = next.max(self.now);
            while self.heap.peek().is_some_and(|(at, _)| at.0 <= self.now) {
                let Some((_, Reverse(number))) = self.heap.pop() else {
                    break;
                };
                if let Some((event, lane)) = self.events.remove(&number) {
                    if let Some(lane) = lane {
                        *self.under_way.entry(lane).or_default() -= 1;
                    }
                    self.step(event);
                }
            }
            self.turn();
        }
    }

    pub(crate) fn turn(&mut self) {
        self.turns += 1;
        let watermark = self.now - MICROSECOND;
        self.step(Event::Tick { watermark });
        let mut commands = Vec::new();
        self.engine.work(self.now, &mut commands);
        self.carry_out(commands);
    }

    fn step(&mut self, event: Event<()>) {
        let mut commands = Vec::new();
        self.engine.step(self.now, event, &mut commands);
        self.carry_out(commands);
    }

    fn carry_out(&mut self, commands: Vec<Command<()>>) {
        for command in commands {
            match command {
                Command::Record { batch, .. } => {
                    let (after, _, told) = (self.storing)(self.now);
                    let result = told.then(Default::default).ok_or(Failed);
                    self.soon(after, Event::Recorded { batch, result }, None);
                }
                Command::Claim { skip } => self.claim(&skip),
                Command::Finish(finished) => self.finish(finished),
                Command::Send(send) => self.send(&send),
                _ => {}
            }
        }
    }

    fn claim(&mut self, skip: &[ChannelId]) {
        let (after, done, told) = (self.storing)(self.now);
        let mut claimed = Vec::new();
        for (channel, place) in &self.places {
            if !done || skip.contains(&channel_id(*channel)) {
                continue;
            }
            let mut first = self.first_and_due(*channel);
            first.sort_by_key(|index| (self.rows[*index].next_try_at, *index));
            first.truncate(CLAIM_PER_CHANNEL as usize);
            let due = if place.digest_every.is_zero() {
                first
            } else {
                self.with_following(*channel, first)
            };
            for index in due {
                let row = &mut self.rows[index];
                row.state = State::Sending;
                row.next_try_at = self.now + LEASE;
                row.claim += 1;
                row.attempts += 1;
                claimed.push(Claimed {
                    number: row.number,
                    claim: row.claim,
                    id: delivery_id(row.number),
                    channel: channel_id(*channel),
                    lane: place.lane.to_owned(),
                    digest_every: place.digest_every,
                    digest: row.digest,
                    attempts: row.attempts,
                    created_at: row.created_at,
                    lease_until: self.now + LEASE,
                });
            }
        }
        let result = told.then_some(claimed).ok_or(Failed);
        self.soon(after, Event::Claimed(result), None);
    }

    /// Of each heartbeat only the oldest, where its time has come.
    fn first_and_due(&self, channel: u32) -> Vec<usize> {
        let mut heartbeats = BTreeSet::new();
        let open = self.open.get(&channel).into_iter().flatten();
        let first = open.filter(|index| heartbeats.insert(self.rows[**index].heartbeat));
        first
            .filter(|index| self.rows[**index].next_try_at <= self.now)
            .copied()
            .collect()
    }

    /// Behind each what follows it without a break, where that is due and travels like it.
    fn with_following(&self, channel: u32, first: Vec<usize>) -> Vec<usize> {
        let mut due = Vec::new();
        for first in first {
            let head = &self.rows[first];
            let waiting = self.open[&channel].range(first..);
            let waiting = waiting.filter(|index| self.rows[**index].heartbeat == head.heartbeat);
            let goes_with = |index: &&usize| {
                let row = &self.rows[**index];
                row.next_try_at <= self.now && row.digest == head.digest
            };
            let run: Vec<usize> = waiting
                .take_while(goes_with)
                .take(OF_HEARTBEAT_MAX)
                .copied()
                .collect();
            if due.len() + run.len() > CLAIM_PER_CHANNEL as usize {
                break;
            }
            due.extend(run);
        }
        due
    }

    fn finish(&mut self, finished: Vec<Finished>) {
        let (after, done, told) = (self.storing)(self.now);
        for delivery in finished.iter().filter(|_| done) {
            let row = &mut self.rows[delivery.number as usize - 1];
            if row.claim != delivery.claim || row.state != State::Sending {
                continue;
            }
            if !matches!(
                delivery.ending,
                Ending::Released { .. }
                    | Ending::Failed {
                        next_try_at: Some(_),
                        ..
                    }
            ) && let Some(open) = self.open.get_mut(&row.channel)
            {
                open.remove(&(delivery.number as usize - 1));
            }
            match &delivery.ending {
                Ending::Sent { .. } => row.state = State::Sent,
                Ending::Failed {
                    next_try_at: Some(at),
                    ..
                } => (row.state, row.next_try_at) = (State::Queued, *at),
                Ending::Failed { .. } => row.state = State::Failing,
                Ending::Released { next_try_at } => {
                    (row.state, row.next_try_at) = (State::Queued, *next_try_at);
                    row.attempts -= 1;
                }
            }
        }
        let result = if told { Ok(()) } else { Err(finished) };
        self.soon(after, Event::Finished(result), None);
    }

    fn send(&mut self, send: &Send) {
        let number = send.deliveries[0].number;
        let channel = self.row(number).channel;
        let lane = self.places[&channel].lane;
        let under_way = self.under_way.entry(lane).or_default();
        *under_way += 1;
        assert!(*under_way <= 2, "{under_way} sends to {lane} at once");
        let (took, taken) = (self.receiver)(channel, self.now);
        self.messages.push(Message {
            id: send.id,
            channel,
            rows: send.deliveries.iter().map(|it| it.number).collect(),
            began_at: self.now,
            ended_at: self.now + took,
            taken,
        });
        let answer = Answer {
            taken,
            detail: String::new(),
            retry_after: None,
        };
        let message = send.message;
        self.soon(took, Event::Sent { message, answer }, Some(lane));
    }

    fn soon(&mut self, after: Duration, event: Event<()>, lane: Option<&'static str>) {
        self.number += 1;
        self.heap
            .push((Reverse(self.now + after), Reverse(self.number)));
        self.events.insert(self.number, (event, lane));
    }
}
