//! People: what they set up, and what they do meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::{ChannelId, HeartbeatId, Schedule, Settings, State, UnixMicros};
use nightbeat_store::control::Routing;
use nightbeat_store::control::channels::Channel;
use nightbeat_store::control::heartbeats::{Details, New};
use nightbeat_store::control::maintenance::Window;
use nightbeat_store::control::projects::Project;
use nightbeat_store::people::Step;
use nightbeat_store::{StoreError, Watched};

use super::agenda::Event;
use super::link::Op;
use super::node::Happened;
use super::receivers::Receiver;
use super::{World, project_id};
use crate::faults::Fault;
use crate::model::Error;
use crate::scenario::{CALM, CHANNELS, HOUR, MINUTE, PROJECTS, SECOND, Spec};

/// How often someone in a project does something.
const ACTS_EVERY: i64 = 90 * MINUTE;

/// What a person does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Step(usize, Step),
    Window(usize, Window),
    Delete(usize),
    DropChannel(usize, ChannelId, usize),
}

impl World {
    /// Projects and channels.
    pub(super) fn furnish(&mut self) {
        for number in 0..PROJECTS {
            let project = Project {
                id: project_id(number),
                name: format!("Project {number}"),
                ping_key: format!("key{number}"),
                fallback_channel: None,
                created_at: UnixMicros(self.agenda.now),
            };
            let made = self.model.create_project(&project);
            assert!(made.is_ok(), "{made:?}");
        }
        for number in 0..CHANNELS {
            self.receivers.push(Receiver::new(&self.scenario, number));
            self.add_channel(number, 0);
        }
        // The first project's alerts that nobody takes go to its second channel too.
        let fallback = self.truth.channels[0].get(1).copied();
        let set = self
            .model
            .update_project(project_id(0), "Project 0", fallback);
        assert!(set.is_ok(), "{set:?}");
    }

    /// The `time`-th channel that leads to a receiver.
    fn add_channel(&mut self, receiver: usize, time: u128) {
        let id = ChannelId(uuid::Uuid::from_u128(
            0x8000 + receiver as u128 + (time << 16),
        ));
        let channel = Channel {
            id,
            name: format!("Channel {receiver}.{time}"),
            kind: self.receivers[receiver].kind().to_owned(),
            fields: BTreeMap::new(),
            created_at: UnixMicros(self.agenda.now),
            version: 1,
        };
        let made = self
            .model
            .insert_channel(project_id(receiver / 2), &channel);
        if made.is_ok() {
            self.channels.insert(id, receiver);
            self.truth.channels[receiver / 2].push(id);
        }
    }

    pub(super) fn insert_heartbeat(&mut self, id: HeartbeatId, spec: &Spec) {
        let now = self.axis(0);
        let details = Details {
            name: format!("Job {id}"),
            slug: format!("job-{id}"),
            description: String::new(),
            tags: Vec::new(),
            channels: Routing::All,
        };
        let state = State::new(&spec.settings, now);
        let new = New {
            id,
            details: &details,
            settings: &spec.settings,
            state: &state,
            created_at: now,
        };
        let made = self.model.insert_heartbeat(project_id(spec.project), &new);
        assert!(made.is_ok(), "{made:?}");
    }

    pub(super) fn begin_people(&mut self) {
        if self.scenario.faults.has(Fault::People) {
            for project in (0..PROJECTS).filter(|it| self.scenario.absent != Some(*it)) {
                self.agenda.after(HOUR, Event::Person(project));
            }
        }
    }

    /// Someone in a project does something.
    pub(super) fn person(&mut self, project: usize) {
        let now = self.agenda.now;
        if now > self.scenario.ends_at() - CALM - 2 * HOUR {
            return;
        }
        let wait = self.whims[project].pause(ACTS_EVERY) + SECOND;
        self.agenda.after(wait, Event::Person(project));
        let members: Vec<usize> = (0..self.jobs.len())
            .filter(|index| self.jobs[*index].spec.project == project && !self.jobs[*index].gone)
            .collect();
        let well = |node: &usize| {
            let node = &self.nodes[*node];
            node.run.is_some() && node.paused_until <= now
        };
        let Some(node) = (0..self.nodes.len()).find(well) else {
            return;
        };
        if members.is_empty() {
            return;
        }
        let whom = self.whims[project].pick(&members);
        let axis = self.axis(node);
        let act = match self.whims[project].within(0, 19) {
            0..=4 => Act::Step(whom, Step::Edit(self.edited(whom))),
            5 | 6 => Act::Step(whom, Step::Pause),
            7..=10 => Act::Step(
                self.paused_one(project, &members).unwrap_or(whom),
                Step::Resume,
            ),
            11 | 12 => Act::Step(
                self.open_one(project, &members).unwrap_or(whom),
                Step::Acknowledge,
            ),
            13..=15 => {
                let until = axis.0 + self.whims[project].span(MINUTE, 4 * HOUR);
                Act::Step(
                    self.open_one(project, &members).unwrap_or(whom),
                    Step::Snooze(UnixMicros(until)),
                )
            }
            16 | 17 => Act::Window(project, self.window(project, axis)),
            18 if members.len() > 3 => Act::Delete(whom),
            _ => match self.truth.channels[project].first().copied() {
                Some(channel) => Act::DropChannel(project, channel, self.channels[&channel]),
                None => return,
            },
        };
        self.outcome.acts += 1;
        self.push(node, Op::Act(act, axis));
    }

    fn paused_one(&mut self, project: usize, of: &[usize]) -> Option<usize> {
        let paused: Vec<usize> = of
            .iter()
            .copied()
            .filter(|index| self.truth.beats[*index].paused)
            .collect();
        (!paused.is_empty()).then(|| self.whims[project].pick(&paused))
    }

    fn open_one(&mut self, project: usize, of: &[usize]) -> Option<usize> {
        let open: Vec<usize> = of
            .iter()
            .copied()
            .filter(|index| self.truth.beats[*index].open.is_some())
            .collect();
        (!open.is_empty()).then(|| self.whims[project].pick(&open))
    }

    fn window(&mut self, project: usize, axis: UnixMicros) -> Window {
        let random = &mut self.whims[project];
        let from = axis.0 + random.span(SECOND, 3 * HOUR);
        Window {
            id: random.uuid(),
            from: UnixMicros(from),
            to: UnixMicros(from + random.span(MINUTE, 5 * HOUR)),
            note: String::new(),
            created_at: axis,
        }
    }

    /// New settings for a heartbeat.
    fn edited(&mut self, heartbeat: usize) -> Settings {
        let mut settings = Settings::clone(&self.truth.beats[heartbeat].settings);
        let grace = settings.grace.as_secs() as i64;
        let random = &mut self.whims[self.jobs[heartbeat].spec.project];
        match random.within(0, 3) {
            0 => {
                let grace = random.span(1, 4 * grace.max(60));
                settings.grace = Duration::from_secs(grace as u64);
            }
            1 => {
                let limit = random.span(5, 4 * grace.max(60));
                settings.max_run_time = Some(Duration::from_secs(limit as u64));
            }
            2 => settings.failure_threshold = random.within(1, 3) as u32,
            _ => {
                if let Some(interval) = settings.schedule.interval() {
                    let seconds = interval.seconds() as i64;
                    let seconds = random.span((seconds / 3).max(30), seconds * 3);
                    if let Ok(schedule) = Schedule::every_seconds(seconds as u64) {
                        settings.schedule = schedule;
                    }
                }
            }
        }
        settings
    }

    /// What a person does is stored; what the node is told.
    pub(super) fn perform_act(
        &mut self,
        node: usize,
        act: Act,
        now: UnixMicros,
    ) -> Option<Happened> {
        let at = self.agenda.now;
        let about = match &act {
            Act::Step(heartbeat, _) | Act::Delete(heartbeat) => Some(*heartbeat),
            Act::Window(..) | Act::DropChannel(..) => None,
        };
        self.truth
            .fact(at, about, || format!("a person: {act:?} at {}", now.0));
        match act {
            Act::Step(heartbeat, step) => self.step(node, heartbeat, &step, now),
            Act::Window(project, window) => {
                let done = self.model.insert_window(project_id(project), &window);
                if took(&done.map(|()| true)) {
                    self.truth.windows[project].push((window.from.0, window.to.0, at));
                }
                None
            }
            Act::Delete(heartbeat) => {
                let id = self.jobs[heartbeat].id;
                let project = project_id(self.jobs[heartbeat].spec.project);
                let done = self.model.delete_heartbeat(project, id, now);
                self.absorb(node, &[], None);
                if took(&done) {
                    self.jobs[heartbeat].gone = true;
                    self.truth.beats[heartbeat].gone = true;
                }
                None
            }
            Act::DropChannel(project, channel, receiver) => {
                let done = self.model.delete_channel(project_id(project), channel);
                if took(&done) {
                    self.truth.channels[project].retain(|id| *id != channel);
                }
                self.absorb(node, &[], None);
                let time = u128::from(self.whims[project].next() >> 40);
                self.add_channel(receiver, time);
                None
            }
        }
    }

    fn step(
        &mut self,
        node: usize,
        heartbeat: usize,
        step: &Step,
        now: UnixMicros,
    ) -> Option<Happened> {
        let id = self.jobs[heartbeat].id;
        let project = project_id(self.jobs[heartbeat].spec.project);
        let done = self.model.take_step(project, id, step, now);
        let took = match &done {
            Ok(taken) => taken.is_some(),
            Err(Error::Store(StoreError::Unknown(_))) => true,
            Err(_) => false,
        };
        if took {
            self.truth.beats[heartbeat].stepped(step, now.0);
            if let Step::Edit(settings) = step {
                self.jobs[heartbeat].spec.settings = Arc::new(settings.clone());
            }
        }
        self.absorb(node, &[], Some(now));
        let taken = match done {
            Ok(taken) => taken?,
            // Where the answer was lost, the node is told what the step would lead to: it may be stored.
            Err(Error::Store(StoreError::Unknown(_))) => {
                let wake_at = self.model.state(id)?.wake_at;
                let watched = Watched {
                    heartbeat: id,
                    wake_at,
                };
                return Some(Happened::Filed(vec![watched]));
            }
            Err(_) => return None,
        };
        if taken.deliveries > 0 {
            let life = self.life(node);
            self.agenda.after(
                SECOND / 1_000,
                Event::Result(life, Box::new(Happened::Queued)),
            );
        }
        Some(Happened::Filed(vec![taken.watched]))
    }
}

/// Whether it was stored.
fn took(done: &crate::model::Result<bool>) -> bool {
    match done {
        Ok(effective) => *effective,
        Err(Error::Store(StoreError::Unknown(_))) => true,
        Err(_) => false,
    }
}
