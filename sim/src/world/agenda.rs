//! What happens when: the one order of all events.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use nightbeat_domain::SignalKind;
use nightbeat_engine::Send;
use uuid::Uuid;

use super::node::Happened;

/// A life of a node: what is meant for an earlier one does not reach the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) node: usize,
    pub(crate) number: u32,
}

/// One try to send a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Try {
    pub(crate) message: usize,
    pub(crate) number: u16,
}

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A node's loop turns.
    Turn(Life),
    /// The store does what stands first in a node's queue.
    Store(Life),
    /// A result reaches a node's loop.
    Result(Life, Box<Happened>),
    /// A node searches for what it has lost.
    Search(Life),
    /// A node that is to stop takes nothing more.
    Close(Life),
    /// A node is killed again.
    KillAgain(Life),
    /// A node begins.
    Start(usize),
    /// A job begins a run.
    Job(usize),
    /// A job signals.
    Say(usize, SignalKind, Option<Uuid>),
    /// A job is about to signal right at its deadline.
    Aim(usize),
    /// A client sends.
    Send(usize),
    /// A request reaches a node. The instant at which it first reached the machine.
    Arrive(Try, usize, i64),
    /// A request that was announced is all there.
    Body(Try, Life, nightbeat_engine::Announced, i64),
    /// A client hears an answer; whether it is a good one.
    Hear(Try, bool),
    /// A client gives a try up.
    Timeout(Try),
    /// A message reaches its receiver.
    Deliver(Life, Send),
    /// A planned trouble begins.
    Trouble(usize),
    /// The network is well again.
    NetworkWell,
    /// A person does something in a project.
    Person(usize),
    /// The reference looks at a heartbeat.
    Audit(usize),
    /// Old facts are forgotten.
    Forget,
}

struct Entry {
    at: i64,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The earliest is the greatest: the heap gives out the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// What comes within a stretch of this length is sorted together, in microseconds: a small heap is faster.
const STRETCH: i64 = 60_000_000;

/// All that is to come.
pub(crate) struct Agenda {
    pub(crate) now: i64,
    /// What comes in this stretch or an earlier one.
    stretch: i64,
    heap: BinaryHeap<Entry>,
    /// What comes in later stretches.
    later: BTreeMap<i64, Vec<Entry>>,
    numbers: u64,
    /// Of all that has happened, in order.
    pub(crate) hash: u64,
}

impl Agenda {
    pub(crate) fn new(now: i64) -> Self {
        Self {
            now,
            stretch: now.div_euclid(STRETCH),
            heap: BinaryHeap::new(),
            later: BTreeMap::new(),
            numbers: 0,
            hash: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// `event` happens at `at`, or now where that is over.
    pub(crate) fn at(&mut self, at: i64, event: Event) {
        self.numbers += 1;
        let entry = Entry {
            at: at.max(self.now),
            number: self.numbers,
            event,
        };
        let stretch = entry.at.div_euclid(STRETCH);
        if stretch <= self.stretch {
            self.heap.push(entry);
        } else {
            self.later.entry(stretch).or_default().push(entry);
        }
    }

    /// `event` happens after `span`.
    pub(crate) fn after(&mut self, span: i64, event: Event) {
        self.at(self.now.saturating_add(span), event);
    }

    /// The next event before `end`; time goes on to it.
    pub(crate) fn next(&mut self, end: i64) -> Option<Event> {
        if self.heap.is_empty() {
            let (stretch, entries) = self.later.pop_first()?;
            self.stretch = stretch;
            self.heap = BinaryHeap::from(entries);
        }
        if self.heap.peek()?.at > end {
            self.now = end;
            return None;
        }
        let entry = self.heap.pop()?;
        self.now = entry.at;
        self.note(entry.at as u64 ^ entry.number.rotate_left(32));
        Some(entry.event)
    }

    /// Takes a fact into the trace's hash (FNV-1a over words).
    pub(crate) fn note(&mut self, fact: u64) {
        self.hash = (self.hash ^ fact)
            .wrapping_mul(0x0100_0000_01b3)
            .rotate_left(5);
    }
}
