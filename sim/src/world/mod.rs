//! The world: everything that happens around the engine, from one seed.

mod agenda;
mod jobs;
mod link;
mod node;
mod people;
mod receivers;
mod troubles;

use std::collections::HashMap;

use nightbeat_domain::{ChannelId, HeartbeatId, ProjectId, UnixMicros};

use crate::leases::Leases;
use crate::model::Model;
use crate::mutants::Mutant;
use crate::outcome::{Outcome, Violation};
use crate::random::Random;
use crate::scenario::{DAY, HOUR, MINUTE, PROJECTS, Planned, SECOND, Scenario, Spec, plan};
use crate::truth::Truth;

use agenda::Agenda;
pub(crate) use agenda::Event;
use jobs::{Job, Message};
pub(crate) use link::{Carried, Weather};
use node::Node;
use receivers::Receiver;
pub(crate) use troubles::node_id;

/// How many violations are kept: the first ones say most.
const VIOLATIONS_MAX: usize = 20;

/// How much history the model keeps.
const KEPT: i64 = 12 * DAY;

pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) agenda: Agenda,
    pub(crate) model: Model,
    pub(crate) nodes: Vec<Node>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) messages: Vec<Message>,
    pub(crate) receivers: Vec<Receiver>,
    pub(crate) channels: HashMap<ChannelId, usize>,
    pub(crate) numbers: HashMap<HeartbeatId, usize>,
    pub(crate) truth: Truth,
    pub(crate) leases: Leases,
    pub(crate) outcome: Outcome,
    planned: Vec<(usize, Planned)>,
    /// How far the clock of a database that several nodes share is ahead.
    database_ahead: i64,
    /// Of all that is not decided by another stream.
    pub(crate) random: Random,
    /// The watermark of the transaction of signals that is being done: what is due later is judged later.
    pub(crate) recorded_to: i64,
    /// Of each project's people.
    pub(crate) whims: Vec<Random>,
    /// Of the network, until then: the share of requests that are lost.
    network: (i64, f64),
}

/// Lives a scenario.
pub(crate) fn live(scenario: &Scenario) -> Outcome {
    let mut world = World::new(scenario);
    world.begin();
    let end = scenario.ends_at().min(
        scenario
            .cut
            .map_or(i64::MAX, |cut| scenario.begins_at() + cut),
    );
    while let Some(event) = world.agenda.next(end) {
        world.happen(event);
        if world.outcome.violations.len() >= VIOLATIONS_MAX {
            break;
        }
    }
    world.finish()
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let begins_at = scenario.begins_at();
        Self {
            agenda: Agenda::new(begins_at),
            model: Model::new(),
            nodes: (0..scenario.nodes)
                .map(|n| Node::new(scenario, n))
                .collect(),
            jobs: Vec::new(),
            messages: Vec::new(),
            receivers: Vec::new(),
            channels: HashMap::new(),
            numbers: HashMap::new(),
            truth: Truth::new(scenario, begins_at),
            leases: Leases::new(scenario.nodes),
            outcome: Outcome::new(scenario),
            planned: plan(scenario),
            database_ahead: 0,
            random: scenario.random("world", 0),
            recorded_to: i64::MAX,
            whims: (0..PROJECTS as u64)
                .map(|n| scenario.random("whim", n))
                .collect(),
            network: (0, 0.0),
            scenario: scenario.clone(),
        }
    }

    fn begin(&mut self) {
        self.set_mutant();
        self.furnish();
        for number in 0..self.scenario.heartbeats {
            let wanted = &self.scenario.only;
            let spec = Spec::of(&self.scenario, number);
            let exists = self.scenario.absent != Some(spec.project);
            if exists && (wanted.is_empty() || wanted.contains(&number)) {
                self.add_heartbeat(number, spec);
            }
        }
        for node in 0..self.scenario.nodes {
            self.agenda.after(0, Event::Start(node));
        }
        for index in 0..self.planned.len() {
            let at = self.planned[index].1.at;
            self.agenda.at(at, Event::Trouble(index));
        }
        self.begin_people();
        self.agenda.after(DAY, Event::Forget);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Turn(life) => self.turn_event(life),
            Event::Store(life) => self.store_event(life),
            Event::Result(life, happened) => self.result_event(life, *happened),
            Event::Search(life) => self.search_event(life),
            Event::Start(node) => self.start_node(node),
            Event::Close(life) => self.close(life),
            Event::KillAgain(life) => {
                if self.lives(life) {
                    self.kill(life.node, SECOND);
                }
            }
            Event::Job(heartbeat) => self.job_event(heartbeat),
            Event::Say(heartbeat, kind, rid) => self.say(heartbeat, kind, rid),
            Event::Aim(heartbeat) => self.aim(heartbeat),
            Event::Send(message) => self.send(message),
            Event::Arrive(tried, node, since) => self.arrive(tried, node, since),
            Event::Body(tried, life, announced, since) => {
                self.body(tried, life, announced, since);
            }
            Event::Hear(tried, good) => self.hear(tried, good),
            Event::Timeout(tried) => self.hear(tried, false),
            Event::Deliver(life, send) => self.deliver(life, &send),
            Event::Trouble(index) => self.trouble(index),
            Event::NetworkWell => self.network = (0, 0.0),
            Event::Person(project) => self.person(project),
            Event::Audit(heartbeat) => self.audit(heartbeat),
            Event::Forget => self.forget(),
        }
    }

    /// Whether this is broken on purpose.
    pub(crate) fn broken(&self, mutant: Mutant) -> bool {
        cfg!(feature = "mutants") && self.scenario.mutant == Some(mutant)
    }

    /// Whether what happens to a heartbeat may decide when bad luck strikes.
    pub(crate) fn springs(&self, beat: usize) -> bool {
        self.scenario.springs(self.jobs[beat].spec.project)
    }

    /// Whether what all share takes the same time, whatever is done.
    pub(crate) fn is_steady(&self) -> bool {
        self.scenario.steady_without.is_some()
    }

    /// Whether bad luck of this share strikes a node now. In a steady world it hangs on the instant alone.
    pub(crate) fn strikes(&mut self, node: usize, share: f64) -> bool {
        if self.is_steady() {
            let instant = self.agenda.now as u64 ^ (node as u64) << 60;
            return self.scenario.random("strike", instant).chance(share);
        }
        self.random.chance(share)
    }

    pub(crate) fn violate(
        &mut self,
        invariant: &'static str,
        heartbeat: Option<usize>,
        text: String,
    ) {
        if self.scenario.trace {
            self.truth.fact(self.agenda.now, heartbeat, || {
                format!("VIOLATION {invariant}: {text}")
            });
        }
        let facts = self.truth.neighbourhood(heartbeat);
        self.outcome.violations.push(Violation {
            invariant,
            at: self.agenda.now,
            heartbeat,
            number: heartbeat.map(|beat| self.truth.beats[beat].number),
            text,
            facts,
        });
    }

    fn forget(&mut self) {
        let before = UnixMicros(self.agenda.now - KEPT);
        self.model.forget_before(before);
        self.agenda.after(DAY, Event::Forget);
    }

    fn finish(mut self) -> Outcome {
        if self.outcome.violations.is_empty() && self.scenario.cut.is_none() {
            self.check_end();
        }
        self.tell_states();
        self.outcome.hash = self.agenda.hash;
        self.outcome.check_days = self.jobs.len() as f64 * f64::from(self.scenario.days);
        self.truth.figures(self.agenda.now, &mut self.outcome);
        self.outcome
    }
}

/// The `number`-th project's id.
pub(crate) fn project_id(number: usize) -> ProjectId {
    ProjectId(uuid::Uuid::from_u128(0x7000 + number as u128))
}

/// How long until a span in seconds is over, said for people.
pub(crate) fn spell(micros: i64) -> String {
    match micros.abs() {
        ..SECOND => format!("{:.1} ms", micros as f64 / 1e3),
        SECOND..MINUTE => format!("{:.3} s", micros as f64 / 1e6),
        MINUTE..HOUR => format!("{:.1} min", micros as f64 / 6e7),
        _ => format!("{:.2} h", micros as f64 / 3.6e9),
    }
}
