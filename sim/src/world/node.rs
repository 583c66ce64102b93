//! A node: the real engine and the real intake, driven as the server's loop drives them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use nightbeat_domain::nodes::Lease;
use nightbeat_domain::{Gap, GapKind, HeartbeatId, UnixMicros};
use nightbeat_engine::{
    self as engine, Announced, Answer, Claimed, Command, Engine, Event as Input, Failed, Finished,
    Intake, Limits, Reading, Written,
};
use nightbeat_store::hot::{Done, Elapse, Record};
use nightbeat_store::outbox::ClaimedDelivery;
use nightbeat_store::{Arrival, Watched};

use super::World;
use super::agenda::{Event, Life, Try};
use super::link::{Carried, Link, Op};
use super::receivers::DIGEST_KIND;
use crate::mutants::Mutant;
use crate::scenario::{MS, SECOND, Scenario, Site};

/// What is read from `server/src/housekeeping.rs` and `server/src/node/life.rs`.
const SEARCH_EVERY: i64 = 60 * SECOND;
const SEARCH_BEHIND: Duration = Duration::from_secs(60);
const SEARCH_AT_ONCE: u32 = 10_000;
const DRAIN_TIME: i64 = 10 * SECOND;

/// One of several nodes that is to stop says so this long before it takes nothing more.
const LAME_FOR: i64 = 5 * SECOND;

/// A node that lost its lease, or did not get one, tries again after this.
const JOIN_AGAIN_AFTER: i64 = SECOND;

/// How long one of several nodes that is gone may still matter: its lease, and what notices that it is over.
const LOST_FOR: i64 = 12 * SECOND;
/// In a steady world the loop turns at fixed instants, this far apart: more than a second and what an axis
/// may be slewed in it, so that each turn tells the store that receiving works and asks it what to send,
/// whatever else there is to do.
const STEADY_TURN: i64 = 1_100 * MS;
/// The loops of several nodes turn this long after each other.
const STEADY_NODE: i64 = 300 * MS;
const SIGNALS_MAX: usize = 100_000;

/// A signal that stands later than this after it reached the machine was held up by us.
pub(crate) const HELD_UP: i64 = 3_300 * MS;

/// A signal with the try that it came by.
#[derive(Debug, Clone)]
pub(crate) struct Inbound {
    pub(crate) arrival: Arrival,
    pub(crate) tried: Try,
    /// When this request came in, whatever its stamp says.
    pub(crate) came: i64,
}

/// What happens to the loop from outside the engine.
#[derive(Debug)]
pub(crate) enum Happened {
    Recorded(u64, Result<Done, Trouble>),
    Elapsed(Vec<HeartbeatId>, Result<Done, Trouble>),
    Filed(Vec<Watched>),
    Begun(Vec<Watched>),
    Queued,
    Claimed(Result<Vec<ClaimedDelivery>, Trouble>),
    Sent(u64, Answer),
    Finished(Result<(), Vec<Finished>>),
}

/// Why the store did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Failed,
    Fenced,
}

/// A machine, and the process on it, if one runs.
pub(crate) struct Node {
    /// The true instant at which the machine started.
    boot_at: i64,
    /// How far its wall clock is ahead.
    pub(crate) ahead: i64,
    /// How much more it gets ahead, in parts of a million, since then.
    pub(crate) drift: (i64, i64),
    pub(crate) lives: u32,
    pub(crate) run: Option<Run>,
    /// Nothing runs before this.
    pub(crate) paused_until: i64,
    /// Nor can anything reach it.
    pub(crate) asleep: bool,
    /// Killed at this place, until then; and how long it is down.
    pub(crate) trap: Option<(Site, i64, i64)>,
    /// Stands still for this long after the next signal, until then.
    pub(crate) pause_trap: Option<(i64, i64, bool)>,
    /// How often it is killed again, and after which time.
    pub(crate) loops: (u32, i64),
    /// Since when it does not say that it is ready.
    pub(crate) unready_since: Option<i64>,
}

/// A running process.
pub(crate) struct Run {
    pub(crate) engine: Engine<Inbound>,
    pub(crate) intake: Intake<Inbound>,
    pub(crate) lease: Option<Lease>,
    happened: VecDeque<Happened>,
    pub(crate) link: Link,
    /// What is claimed and not finished: its claim, whose it is, and which of its alerts.
    kept: HashMap<i64, (i64, HeartbeatId, u32)>,
    answers: HashMap<u64, Vec<Try>>,
    /// Whose signals a transaction carries.
    targets: HashMap<u64, Vec<HeartbeatId>>,
    to_answer: Vec<(u64, bool)>,
    /// Signals with their stamps that are not answered yet.
    pub(crate) pending: BTreeMap<Try, i64>,
    turn_at: i64,
    /// The list of heartbeats is read.
    begun: bool,
    /// It stops, at that instant at the latest; and how long it is down then.
    draining: Option<(i64, i64)>,
    /// It takes nothing more.
    closed: bool,
    commands: Vec<Command<Inbound>>,
}

impl Node {
    pub(crate) fn new(scenario: &Scenario, number: usize) -> Self {
        let mut random = scenario.random("node", number as u64);
        Self {
            boot_at: scenario.begins_at() - random.within(0, 1_000_000) * SECOND,
            ahead: 0,
            drift: (0, scenario.begins_at()),
            lives: 0,
            run: None,
            paused_until: 0,
            asleep: false,
            trap: None,
            pause_trap: None,
            loops: (0, 0),
            unready_since: None,
        }
    }

    pub(crate) fn reading(&self, now: i64, wall_only: bool) -> Reading {
        let (parts, since) = self.drift;
        let wall = now + self.ahead + (now - since) / 1_000_000 * parts;
        Reading {
            boot_micros: if wall_only { wall } else { now - self.boot_at },
            wall_micros: wall,
        }
    }

    /// What is gained so far by drifting becomes part of how far it is ahead.
    pub(crate) fn settle_drift(&mut self, now: i64) {
        let (parts, since) = self.drift;
        self.ahead += (now - since) / 1_000_000 * parts;
        self.drift.1 = now;
    }
}

impl World {
    pub(crate) fn reading(&self, node: usize) -> Reading {
        self.nodes[node].reading(self.agenda.now, self.broken(Mutant::WallClock))
    }

    /// The instant on a node's axis; where no process runs, the one at which its axis would start.
    pub(crate) fn axis(&mut self, node: usize) -> UnixMicros {
        let reading = self.reading(node);
        if let Some(run) = &mut self.nodes[node].run {
            return run.intake.now(reading);
        }
        if self.scenario.nodes > 1 {
            return self.cluster_time();
        }
        let floor = self.model.alive_until().unwrap_or(UnixMicros::MIN);
        UnixMicros(reading.wall_micros).max(floor)
    }

    pub(crate) fn life(&self, node: usize) -> Life {
        Life {
            node,
            number: self.nodes[node].lives,
        }
    }

    pub(crate) fn lives(&self, life: Life) -> bool {
        let node = &self.nodes[life.node];
        node.lives == life.number && node.run.is_some()
    }

    /// A process starts.
    pub(crate) fn start_node(&mut self, node: usize) {
        if self.nodes[node].run.is_some() {
            return;
        }
        let reading = self.reading(node);
        let Some((alive_until, lease)) = self.open(node) else {
            self.agenda.after(JOIN_AGAIN_AFTER, Event::Start(node));
            return;
        };
        self.nodes[node].lives += 1;
        self.nodes[node].unready_since = None;
        let mut intake = match (lease, alive_until) {
            (Some(_), Some(clock)) => Intake::joined(reading, reading, clock, SIGNALS_MAX),
            _ => Intake::new(reading, alive_until, SIGNALS_MAX),
        };
        let now = intake.now(reading);
        let mut run = Run {
            engine: Engine::new(Limits::default(), now),
            intake,
            lease,
            happened: VecDeque::new(),
            link: Link::default(),
            kept: HashMap::new(),
            answers: HashMap::new(),
            targets: HashMap::new(),
            to_answer: Vec::new(),
            pending: BTreeMap::new(),
            turn_at: i64::MAX,
            begun: false,
            draining: None,
            closed: false,
            commands: Vec::new(),
        };
        if lease.is_none()
            && let Some(from) = alive_until
            && !self.broken(Mutant::NoStoppedGap)
        {
            let gap = Gap {
                from,
                to: now.max(from + Duration::from_micros(1)),
                kind: GapKind::Stopped,
            };
            run.engine.step(now, Input::Gap(gap), &mut run.commands);
        }
        self.nodes[node].run = Some(run);
        let at = self.agenda.now;
        self.truth.fact(at, None, || {
            format!("node {node} starts, axis {now}, alive until {alive_until:?}")
        });
        self.truth.begins(now.0);
        self.truth.node_up(at, node, true);
        self.truth.running(at, node, now.0);
        self.push(node, Op::WatchList);
        let life = self.life(node);
        self.agenda.after(SEARCH_EVERY, Event::Search(life));
        let (left, every) = self.nodes[node].loops;
        if left > 0 {
            self.nodes[node].loops.0 = left - 1;
            self.agenda.after(every, Event::KillAgain(life));
        }
    }

    /// Opens the store, or joins the other nodes on it: until when receiving worked, or the database's time,
    /// and the lease. Nothing where the database cannot be reached.
    fn open(&mut self, node: usize) -> Option<(Option<UnixMicros>, Option<Lease>)> {
        if self.scenario.nodes == 1 {
            return Some((self.model.open_alone(), None));
        }
        let weather = self.truth.weather[node];
        if self.agenda.now < weather.fails.0 && self.strikes(node, weather.fails.1) {
            return None;
        }
        let now = self.cluster_time();
        let joined = self.model.join(super::node_id(node), now);
        // It may have joined even where it was not told so.
        self.absorb(node, &[], None);
        let lease = joined.ok()?;
        self.check_joined(node, lease, now);
        Some((Some(now), Some(lease)))
    }

    /// The process is gone, from one instant to the next.
    pub(crate) fn kill(&mut self, node: usize, down: i64) {
        self.leave_behind(node);
        let Some(run) = self.nodes[node].run.take() else {
            return;
        };
        let now = self.agenda.now;
        self.truth.fact(now, None, || {
            format!("node {node} is killed, down for {}", super::spell(down))
        });
        self.node_gone(node);
        self.outcome.crashes += 1;
        let held = run.lease.map(|lease| lease.node);
        self.model.crash(held);
        self.reset(run.pending);
        self.nodes[node].asleep = false;
        self.nodes[node].paused_until = 0;
        self.agenda.after(down, Event::Start(node));
    }

    fn node_gone(&mut self, node: usize) {
        let now = self.agenda.now;
        self.truth.node_up(now, node, false);
        if self.scenario.nodes > 1 {
            self.truth.worsen(now, now + LOST_FOR);
        }
    }

    /// Clients whose signals were on their way see their connections reset.
    fn reset(&mut self, pending: BTreeMap<Try, i64>) {
        for (tried, stamp) in pending {
            if !self.messages[tried.message].stored {
                self.lose(tried, stamp);
            }
            self.agenda.after(MS, Event::Hear(tried, false));
        }
    }

    /// Whether a node is to be killed at this place; then it is.
    pub(crate) fn trapped(&mut self, node: usize, site: Site) -> bool {
        match self.nodes[node].trap {
            Some((at, until, down)) if at == site => {
                self.nodes[node].trap = None;
                if self.agenda.now > until {
                    return false;
                }
                self.truth
                    .fact(self.agenda.now, None, || format!("a trap: {site:?}"));
                self.kill(node, down);
                true
            }
            _ => false,
        }
    }

    /// The loop is to turn at `at`, or earlier.
    pub(crate) fn wake(&mut self, node: usize, at: i64) {
        let life = self.life(node);
        let at = self.turn_from(node, at);
        let Some(run) = &mut self.nodes[node].run else {
            return;
        };
        if run.begun && at < run.turn_at {
            run.turn_at = at;
            self.agenda.at(at, Event::Turn(life));
        }
    }

    /// The first instant from `at` on at which a loop may turn.
    fn turn_from(&self, node: usize, at: i64) -> i64 {
        if self.is_steady() {
            at + (node as i64 * STEADY_NODE - at).rem_euclid(STEADY_TURN)
        } else {
            at
        }
    }

    pub(crate) fn result_event(&mut self, life: Life, happened: Happened) {
        if !self.lives(life) {
            return;
        }
        let resumes = self.nodes[life.node].paused_until;
        let Some(run) = &mut self.nodes[life.node].run else {
            return;
        };
        if let Happened::Begun(watched) = happened {
            let reading = self.nodes[life.node].reading(self.agenda.now, false);
            let Some(run) = &mut self.nodes[life.node].run else {
                return;
            };
            let now = run.intake.now(reading);
            run.engine
                .step(now, Input::Filed(entries(watched)), &mut run.commands);
            run.begun = true;
        } else {
            run.happened.push_back(happened);
        }
        let soon = if self.is_steady() { 0 } else { 20 };
        let at = (self.agenda.now + soon).max(resumes);
        self.wake(life.node, at);
    }

    pub(crate) fn turn_event(&mut self, life: Life) {
        if !self.lives(life) {
            return;
        }
        let resumes = self.turn_from(life.node, self.nodes[life.node].paused_until);
        let node = &mut self.nodes[life.node];
        let Some(run) = &mut node.run else { return };
        if run.turn_at != self.agenda.now {
            return;
        }
        if node.paused_until > self.agenda.now {
            run.turn_at = resumes;
            let at = run.turn_at;
            self.agenda.at(at, Event::Turn(life));
            return;
        }
        run.turn_at = i64::MAX;
        self.turn(life.node);
    }

    /// One turn of the loop, as in the server.
    fn turn(&mut self, node: usize) {
        let reading = self.reading(node);
        while let Some(happened) = self.nodes[node]
            .run
            .as_mut()
            .and_then(|run| run.happened.pop_front())
        {
            self.take_in(node, reading, happened);
            if self.nodes[node].run.is_none() {
                return;
            }
        }
        let stamped_late = self.broken(Mutant::StampedLate);
        let no_watermark = self.broken(Mutant::NoWatermark);
        let ack_first = self.broken(Mutant::AckFirst);
        if self.is_steady() {
            // An axis that is slewed back holds still at the latest instant that anyone has asked for:
            // somebody always asks right before.
            let _ = self.axis(node);
        }
        let Some(run) = self.nodes[node].run.as_mut() else {
            return;
        };
        if let Some((asked, clock)) = run.link.renewed.take() {
            run.intake.renewed(asked, reading, clock);
        }
        let mut taken = run.intake.take(reading, |_, _| None);
        let now = taken.now;
        if stamped_late {
            for inbound in &mut taken.signals {
                inbound.arrival.signal.received_at = now;
            }
        }
        let commands = &mut run.commands;
        if let Some(gap) = taken.jump {
            run.engine.step(now, Input::Gap(gap), commands);
        }
        if taken.refused {
            run.engine.step(now, Input::Refused, commands);
        }
        let mut early = Vec::new();
        for inbound in taken.signals {
            if ack_first {
                early.push(inbound.tried);
            }
            let bytes = inbound.arrival.body.as_ref().map_or(0, Vec::len);
            let arrival = inbound;
            run.engine
                .step(now, Input::Received { arrival, bytes }, commands);
        }
        let watermark = if no_watermark { now } else { taken.watermark };
        run.engine.step(now, Input::Tick { watermark }, commands);
        run.engine.work(now, commands);
        let commands = std::mem::take(commands);
        self.execute(node, now, commands);
        for tried in early {
            self.answer(node, tried, true);
        }
        let Some(run) = self.nodes[node].run.as_mut() else {
            return;
        };
        for (batch, durable) in std::mem::take(&mut run.to_answer) {
            self.answer_batch(node, batch, durable);
        }
        self.end_turn(node, now);
    }

    fn end_turn(&mut self, node: usize, now: UnixMicros) {
        let at = self.agenda.now;
        self.truth.running(at, node, now.0);
        self.say_ready(node, at);
        let steady = self.is_steady();
        let Some(run) = self.nodes[node].run.as_mut() else {
            return;
        };
        // What is under way may be anybody's: where nobody may hold it up, it takes all its time.
        if let Some((until, down)) = run.draining
            && ((run.closed && run.engine.is_drained() && !steady) || at >= until)
        {
            self.stop(node, down);
            return;
        }
        let tick = run.engine.next_tick(now).since(now);
        let tick = if steady { 1 } else { tick.as_micros() as i64 };
        self.wake(node, at + tick);
    }

    /// The node says whether it is ready; while it stands still, it says nothing.
    fn say_ready(&mut self, node: usize, now: i64) {
        let machine = &mut self.nodes[node];
        let reading = machine.reading(now, false);
        let ready = machine
            .run
            .as_ref()
            .is_some_and(|run| run.draining.is_none() && run.intake.is_ready(reading));
        machine.unready_since = if ready {
            None
        } else {
            machine.unready_since.or(Some(now))
        };
    }

    /// The process ends in order.
    fn stop(&mut self, node: usize, down: i64) {
        let Some(run) = self.nodes[node].run.take() else {
            return;
        };
        let now = self.agenda.now;
        self.truth.fact(now, None, || {
            format!("node {node} stops, down for {}", super::spell(down))
        });
        self.node_gone(node);
        if let Some(lease) = run.lease {
            let now = self.cluster_time();
            let held = crate::model::Held { lease, now };
            // One that is fenced already has nothing to leave.
            let left = self.model.leave(held, &[]);
            self.absorb(node, &[], None);
            if left.is_ok() {
                self.check_left(node, held);
            }
        }
        self.reset(run.pending);
        self.agenda.after(down, Event::Start(node));
    }

    /// Someone asks the process to stop.
    pub(crate) fn drain(&mut self, node: usize, down: i64) {
        let now = self.agenda.now;
        if let Some(run) = &mut self.nodes[node].run
            && run.draining.is_none()
        {
            if self.scenario.nodes > 1 {
                // The others take over while it still takes what comes.
                run.draining = Some((now + LAME_FOR + DRAIN_TIME, down));
                let life = self.life(node);
                self.agenda.after(LAME_FOR, Event::Close(life));
                self.say_ready(node, now);
                return;
            }
            run.draining = Some((now + DRAIN_TIME, down));
            let life = self.life(node);
            self.close(life);
        }
    }

    /// A process that is to stop takes nothing more.
    pub(crate) fn close(&mut self, life: Life) {
        if !self.lives(life) {
            return;
        }
        let resumes = self.nodes[life.node].paused_until;
        if resumes > self.agenda.now {
            self.agenda.at(resumes, Event::Close(life));
            return;
        }
        if let Some(run) = &mut self.nodes[life.node].run {
            run.intake.close();
            run.engine.stop();
            run.closed = true;
        }
        self.wake(life.node, self.agenda.now + 20);
    }

    fn take_in(&mut self, node: usize, reading: Reading, happened: Happened) {
        let claimed = match &happened {
            Happened::Claimed(Ok(rows)) => rows.as_slice(),
            _ => &[],
        };
        let beats = claimed
            .iter()
            .map(|row| self.numbers.get(&row.snapshot.heartbeat.id));
        let mut beats = beats.map(|beat| beat.is_none_or(|beat| self.springs(*beat)));
        if beats.any(|springs| springs) && self.trapped(node, Site::Claimed) {
            return;
        }
        let fenced = matches!(
            &happened,
            Happened::Recorded(_, Err(Trouble::Fenced))
                | Happened::Elapsed(_, Err(Trouble::Fenced))
                | Happened::Claimed(Err(Trouble::Fenced))
        );
        let lost_wheel = self.broken(Mutant::LostWheel);
        let forgets_targets = self.broken(Mutant::UnknownForgotten);
        let Some(run) = self.nodes[node].run.as_mut() else {
            return;
        };
        let now = run.intake.now(reading);
        let written = |done: Done| Written {
            watched: if lost_wheel && done.recorded.is_empty() && now.0 % 3 == 0 {
                Vec::new()
            } else {
                entries(done.watched)
            },
            deliveries: done.deliveries > 0,
        };
        if let Happened::Recorded(batch, result) = &happened {
            // It may be committed all the same, with looks that are earlier than the wheel knows.
            let targets = run.targets.remove(batch).unwrap_or_default();
            if result.is_err() && !forgets_targets {
                let looks = targets
                    .into_iter()
                    .map(|heartbeat| (heartbeat, now))
                    .collect();
                run.engine.step(now, Input::Filed(looks), &mut run.commands);
            }
        }
        let input = match happened {
            Happened::Recorded(batch, result) => Input::Recorded {
                batch,
                result: result.map(written).map_err(|_| Failed),
            },
            Happened::Elapsed(heartbeats, result) => Input::Elapsed {
                heartbeats,
                result: result.map(written).map_err(|_| Failed),
            },
            Happened::Filed(watched) | Happened::Begun(watched) => Input::Filed(entries(watched)),
            Happened::Queued => Input::Queued,
            Happened::Claimed(result) => Input::Claimed(match result {
                Ok(rows) => Ok(self.keep(node, rows, now)),
                Err(_) => Err(Failed),
            }),
            Happened::Sent(message, answer) => Input::Sent { message, answer },
            Happened::Finished(result) => Input::Finished(result),
        };
        let Some(run) = self.nodes[node].run.as_mut() else {
            return;
        };
        run.engine.step(now, input, &mut run.commands);
        let commands = std::mem::take(&mut run.commands);
        self.execute(node, now, commands);
        if fenced {
            self.fenced(node);
        }
    }

    /// A node that lost its lease refuses all that it holds, drops what it had claimed, and joins again with
    /// an empty inbox. The process goes on.
    fn fenced(&mut self, node: usize) {
        let now = self.agenda.now;
        self.truth
            .fact(now, None, || format!("node {node} finds itself fenced"));
        self.leave_behind(node);
        let Some(run) = self.nodes[node].run.take() else {
            return;
        };
        self.node_gone(node);
        self.model.crash(run.lease.map(|lease| lease.node));
        self.reset(run.pending);
        let (again, down) = match run.draining {
            Some((_, down)) => (down, down),
            None => (MS, 0),
        };
        self.agenda.after(again.max(down), Event::Start(node));
    }

    /// Keeps what is needed of claimed deliveries.
    fn keep(&mut self, node: usize, rows: Vec<ClaimedDelivery>, now: UnixMicros) -> Vec<Claimed> {
        let mut claimed = Vec::with_capacity(rows.len());
        for row in rows {
            let (lane, digest_every) = self.receiver_of(row.channel);
            let Some(run) = self.nodes[node].run.as_mut() else {
                break;
            };
            let snapshot = &row.snapshot;
            let kept = (row.claim, snapshot.heartbeat.id, snapshot.alert.sequence);
            run.kept.insert(row.number, kept);
            claimed.push(Claimed {
                number: row.number,
                claim: row.claim,
                id: row.id,
                channel: row.channel,
                lane,
                digest_every,
                digest: row.digest,
                attempts: row.attempts,
                created_at: row.created_at,
                lease_until: now + engine::LEASE,
            });
        }
        claimed
    }

    /// What a claimed delivery tells: whose it is, and which of its alerts.
    pub(crate) fn kept(&self, node: usize, number: i64) -> Option<(HeartbeatId, u32)> {
        let run = self.nodes[node].run.as_ref()?;
        run.kept
            .get(&number)
            .map(|(_, heartbeat, sequence)| (*heartbeat, *sequence))
    }

    fn execute(&mut self, node: usize, now: UnixMicros, commands: Vec<Command<Inbound>>) {
        for command in commands {
            if self.nodes[node].run.is_none() {
                return;
            }
            self.execute_one(node, now, command);
        }
    }

    fn execute_one(&mut self, node: usize, now: UnixMicros, command: Command<Inbound>) {
        match command {
            Command::Record {
                batch,
                mut arrivals,
                watermark,
                gaps,
            } => {
                arrivals.sort_by_key(|inbound| inbound.arrival.signal.received_at);
                let (arrivals, tries): (Vec<_>, Vec<_>) = arrivals
                    .into_iter()
                    .map(|it| {
                        let carried = Carried {
                            tried: it.tried,
                            stamp: it.arrival.signal.received_at.0,
                            came: it.came,
                        };
                        (it.arrival, carried)
                    })
                    .unzip();
                if let Some(run) = &mut self.nodes[node].run {
                    let waiting = tries.iter().map(|carried| carried.tried).collect();
                    run.answers.insert(batch, waiting);
                }
                let targets = arrivals.iter().filter_map(|arrival| match arrival.target {
                    nightbeat_store::Target::Id(id) => Some(id),
                    nightbeat_store::Target::Slug { .. } => None,
                });
                let targets = targets.collect();
                if let Some(run) = &mut self.nodes[node].run {
                    run.targets.insert(batch, targets);
                }
                let record = Record {
                    arrivals,
                    watermark,
                    gaps,
                    now: watermark,
                };
                self.push(node, Op::Record(batch, record, tries));
            }
            Command::Answer { batch, durable } => {
                if let Some(run) = &mut self.nodes[node].run {
                    run.to_answer.push((batch, durable));
                }
            }
            Command::Refuse(inbound) => self.answer(node, inbound.tried, false),
            Command::Elapse {
                heartbeats,
                asof,
                gaps,
            } => {
                let elapse = Elapse {
                    heartbeats,
                    asof,
                    gaps,
                    now: asof,
                };
                self.push(node, Op::Elapse(elapse));
            }
            Command::Claim { skip } => {
                let wish = nightbeat_store::outbox::Claim {
                    now,
                    lease_until: now + engine::LEASE,
                    per_channel: engine::CLAIM_PER_CHANNEL,
                    skip,
                    digest_kinds: vec![DIGEST_KIND.to_owned()],
                };
                self.push(node, Op::Claim(wish));
            }
            Command::Send(send) => self.send_out(node, send),
            Command::Finish(finished) => {
                if let Some(run) = &mut self.nodes[node].run {
                    for delivery in &finished {
                        let ours = run.kept.get(&delivery.number);
                        if ours.is_some_and(|(claim, ..)| *claim == delivery.claim) {
                            run.kept.remove(&delivery.number);
                        }
                    }
                }
                self.push(node, Op::Finish(finished));
            }
        }
    }

    fn answer_batch(&mut self, node: usize, batch: u64, durable: bool) {
        let Some(run) = self.nodes[node].run.as_mut() else {
            return;
        };
        let tries = run.answers.remove(&batch).unwrap_or_default();
        for tried in tries {
            self.answer(node, tried, durable);
        }
    }

    /// A signal is answered.
    fn answer(&mut self, node: usize, tried: Try, durable: bool) {
        let Some(run) = self.nodes[node].run.as_mut() else {
            return;
        };
        let Some(stamp) = run.pending.remove(&tried) else {
            return;
        };
        let message = &self.messages[tried.message];
        let heartbeat = message.heartbeat;
        if durable {
            self.outcome.acknowledged += 1;
            // One to a heartbeat that was deleted is answered 404.
            if !message.stored && !self.jobs[heartbeat].gone {
                self.truth
                    .owed
                    .push((tried.message, heartbeat, self.agenda.now));
            }
        } else if !message.stored {
            self.outcome.refused += 1;
            self.lose(tried, stamp);
        }
        let at = self.agenda.now;
        self.truth.fact(at, Some(heartbeat), || {
            format!(
                "answer to try {} of signal {}: {}",
                tried.number,
                tried.message,
                if durable { "200" } else { "503" }
            )
        });
        let latency = self.jobs[heartbeat].random.span(100, 100 * MS);
        if !self.network_loses(heartbeat) {
            self.agenda.after(latency, Event::Hear(tried, durable));
        }
    }

    /// A request has come in: it is stamped and queued.
    pub(crate) fn put(
        &mut self,
        node: usize,
        tried: Try,
        announced: Option<Announced>,
        since: i64,
    ) {
        let reading = self.reading(node);
        let arrival = self.arrival(tried);
        let heartbeat = self.messages[tried.message].heartbeat;
        let Some(run) = self.nodes[node].run.as_mut() else {
            return;
        };
        let now = run.intake.now(reading);
        let stamp = run.intake.stamp(now, announced);
        let room = run.intake.may_take(reading);
        let held_up = self.agenda.now - since;
        // Of several nodes, one that was lost meanwhile refuses what reached it long ago.
        let reached = if self.scenario.nodes > 1 && held_up > HELD_UP {
            stamp.0 - held_up
        } else {
            stamp.0
        };
        let mut inbound = Inbound {
            arrival,
            tried,
            came: reached,
        };
        inbound.arrival.signal.received_at = stamp;
        if room {
            run.intake.push(inbound);
        }
        if let Some(announced) = announced {
            run.intake.withdraw(announced);
        }
        run.pending.insert(tried, reached);
        let at = self.agenda.now;
        self.truth.fact(at, Some(heartbeat), || {
            format!(
                "signal {} try {} comes in, stamped {}",
                tried.message, tried.number, stamp.0
            )
        });
        if held_up > HELD_UP {
            self.lose(tried, stamp.0 - held_up);
        }
        if !room {
            self.answer(node, tried, false);
            return;
        }
        if self.springs(heartbeat) && self.trapped(node, Site::Received) {
            return;
        }
        self.wake(node, at + 20);
        if let Some((until, span, aimed)) = self.nodes[node].pause_trap
            && self.springs(heartbeat)
        {
            let deadline = self.truth.beats[heartbeat].deadline();
            let passes = deadline.is_some_and(|it| stamp.0 <= it && it < stamp.0 + span);
            if at > until || passes || !aimed {
                self.nodes[node].pause_trap = None;
            }
            if at <= until && (passes || !aimed) {
                self.pause(node, span, false);
            }
        }
    }

    pub(crate) fn search_event(&mut self, life: Life) {
        if !self.lives(life) {
            return;
        }
        let wait = self.nodes[life.node].paused_until - self.agenda.now;
        self.agenda
            .after(SEARCH_EVERY + wait.max(0), Event::Search(life));
        if wait > 0 || self.broken(Mutant::LostWheel) {
            return;
        }
        let before = self.axis(life.node) - SEARCH_BEHIND;
        self.push(life.node, Op::Overdue(before, SEARCH_AT_ONCE));
    }
}

fn entries(watched: Vec<Watched>) -> Vec<(HeartbeatId, UnixMicros)> {
    watched
        .into_iter()
        .filter_map(|watched| Some((watched.heartbeat, watched.wake_at?)))
        .collect()
}
