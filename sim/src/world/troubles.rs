//! Planned bad luck, as it begins.

use nightbeat_domain::nodes::NodeId;

use super::World;
use super::agenda::Event;
use crate::scenario::{Mood, SECOND, Trouble};

pub(crate) fn node_id(node: usize) -> NodeId {
    NodeId(uuid::Uuid::from_u128(0x9000 + node as u128))
}

impl World {
    pub(super) fn trouble(&mut self, index: usize) {
        let (number, planned) = self.planned[index];
        self.outcome.troubles += 1;
        let nodes = if planned.all {
            0..self.nodes.len()
        } else {
            planned.node..planned.node + 1
        };
        for node in nodes {
            self.trouble_at(node, number, planned.trouble);
        }
    }

    fn trouble_at(&mut self, node: usize, number: usize, trouble: Trouble) {
        let now = self.agenda.now;
        self.truth.fact(now, None, || {
            format!("trouble {number}: {trouble:?} at node {node}")
        });
        match trouble {
            Trouble::Kill { down } => self.kill(node, down),
            Trouble::Restart { down } => {
                self.truth.worsen(now, now + 10 * SECOND);
                self.drain(node, down);
            }
            Trouble::KillAt { site, within, down } => {
                self.nodes[node].trap = Some((site, now + within, down));
            }
            Trouble::CrashLoop { times, every } => {
                self.nodes[node].loops = (times, every);
                self.truth
                    .worsen(now, now + i64::from(times) * (every + 10 * SECOND));
                self.kill(node, SECOND);
            }
            Trouble::Pause { span } => self.pause(node, span, false),
            Trouble::PauseAfterSignal {
                within,
                span,
                aimed,
            } => {
                self.nodes[node].pause_trap = Some((now + within, span, aimed));
            }
            Trouble::Suspend { span } => self.pause(node, span, true),
            Trouble::StoreFails { span, share } => {
                self.truth.worsen(now, now + span + SECOND);
                self.truth.weather[node].fails = (now + span, share);
            }
            Trouble::StoreMute { span, share } => {
                self.truth.worsen(now, now + span + SECOND);
                self.truth.weather[node].mute = (now + span, share);
            }
            Trouble::StoreMuteAtStart { within } => {
                self.truth.weather[node].mute_at_start = now + within;
            }
            // The one queue to the store is shared, so its length is: in a steady world it is never long.
            Trouble::StoreSlow { .. } if self.is_steady() => {}
            Trouble::StoreSlow { span, delay } => {
                // What is queued may take a while after it.
                self.truth.worsen(now, now + span + 6 * delay);
                self.truth.weather[node].slow = (now + span, delay);
            }
            Trouble::Receiver {
                channel,
                span,
                mood,
            } => self.upset(channel, span, mood),
            Trouble::ClockStep { by } => {
                self.truth.stepped(now);
                self.nodes[node].settle_drift(now);
                self.nodes[node].ahead += by;
            }
            Trouble::DatabaseClock { by } => {
                self.truth.stepped(now);
                self.database_ahead += by;
            }
            Trouble::ClockDrift { parts } => {
                self.nodes[node].settle_drift(now);
                self.nodes[node].drift.0 = parts;
            }
            Trouble::Network { span, share } => {
                self.network = (now + span, share);
                self.agenda.after(span, Event::NetworkWell);
            }
        }
    }

    fn upset(&mut self, channel: usize, span: i64, mood: Mood) {
        self.receivers[channel].mood = (self.agenda.now + span, Some(mood));
    }

    /// A node stands still; `asleep`: its machine too.
    pub(super) fn pause(&mut self, node: usize, span: i64, asleep: bool) {
        let until = self.agenda.now + span;
        if self.nodes[node].run.is_none() || self.nodes[node].paused_until >= until {
            return;
        }
        self.outcome.pauses += 1;
        let now = self.agenda.now;
        self.truth.fact(now, None, || {
            format!("node {node} stands still for {}", super::spell(span))
        });
        self.nodes[node].paused_until = until;
        self.nodes[node].asleep = asleep;
        // It does not say either that it is ready.
        self.nodes[node].unready_since.get_or_insert(now);
        self.truth.worsen(now, until);
    }

    /// Whether the network loses something between a job and us.
    pub(super) fn network_loses(&mut self, heartbeat: usize) -> bool {
        let (until, share) = self.network;
        self.agenda.now < until && self.jobs[heartbeat].random.chance(share)
    }
}
