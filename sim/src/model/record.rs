//! What a decision causes besides the state itself: runs, incidents, deliveries.

use std::sync::Arc;

use nightbeat_domain::{
    Alert, AlertKind, AlertSnapshot, ChannelId, DeliveryId, Effects, HeartbeatFacts, HeartbeatId,
    IncidentChange, ProjectId, State, UnixMicros,
};
use nightbeat_store::control::Routing;
use nightbeat_store::{DIGEST_COLLECTS, NewHeartbeat, event, last_lines};

use super::hot::Txn;
use super::outbox::NewDelivery;
use super::tables::{HeartbeatRow, Hot, IncidentRow, RunRow};
use super::undo::Undo;
use super::{Change, Model, Result, taken};

impl Model {
    /// Stores what a decision on the hot path caused.
    pub(super) fn carry_out(
        &mut self,
        txn: &mut Txn,
        heartbeat: HeartbeatId,
        effects: &Effects,
    ) -> Result<()> {
        if let Some(run) = &effects.run
            && let Some(row) = self.heartbeats.get_mut(&heartbeat)
        {
            let number = self.runs.push(RunRow {
                previous: row.hot.newest_run,
                run: run.clone(),
            });
            row.hot.newest_run = Some(number);
            self.undo.push(Undo::RunAdded);
        }
        txn.done.false_raises += effects.false_raises;
        txn.done.deliveries += self.store_effects(heartbeat, effects, true)?;
        Ok(())
    }

    /// Stores incidents and queues deliveries; how many deliveries. `by_job`: the last output belongs to it.
    pub(super) fn store_effects(
        &mut self,
        heartbeat: HeartbeatId,
        effects: &Effects,
        by_job: bool,
    ) -> Result<u32> {
        let Some(row) = self.heartbeats.get(&heartbeat) else {
            return Ok(0);
        };
        if effects.incidents.is_empty() && effects.alerts.is_empty() {
            return Ok(0);
        }
        let (facts, routing) = (self.facts(heartbeat, row), row.routing.clone());
        let newest = row.hot.newest_signal.filter(|_| by_job);
        let newest = newest.and_then(|number| self.signals.get(number));
        let body = newest.and_then(|row| row.arrival.body.as_deref());
        let output_tail = body.and_then(last_lines);
        let snapshots: Vec<Arc<AlertSnapshot>> = effects
            .alerts
            .iter()
            .map(|alert| {
                Arc::new(AlertSnapshot {
                    alert: alert.clone(),
                    heartbeat: facts.clone(),
                    output_tail: output_tail.clone(),
                })
            })
            .collect();
        for change in &effects.incidents {
            let (IncidentChange::Opened { id, .. }
            | IncidentChange::Confirmed { id }
            | IncidentChange::Closed { id, .. }) = change;
            let about = |it: &&Arc<AlertSnapshot>| {
                let incident = it.alert.incident.as_ref();
                incident.is_some_and(|incident| incident.id == *id)
            };
            let alert = snapshots.iter().find(about).cloned();
            self.store_incident(&facts, *change, alert)?;
        }
        let mut queued = 0;
        for snapshot in &snapshots {
            for channel in self.channels_for(facts.project_id, &routing, snapshot.alert.kind) {
                self.queue(snapshot, channel)?;
                queued += 1;
            }
        }
        Ok(queued)
    }

    fn facts(&self, heartbeat: HeartbeatId, row: &HeartbeatRow) -> HeartbeatFacts {
        let project = self.projects.get(&row.project);
        HeartbeatFacts {
            id: heartbeat,
            project_id: row.project,
            project_name: project
                .map(|project| project.name.clone())
                .unwrap_or_default(),
            name: row.name.clone(),
            slug: row.slug.clone(),
            tags: row.tags.clone(),
            schedule: row.hot.settings.schedule.clone(),
        }
    }

    fn store_incident(
        &mut self,
        facts: &HeartbeatFacts,
        change: IncidentChange,
        alert: Option<Arc<AlertSnapshot>>,
    ) -> Result<()> {
        match change {
            IncidentChange::Opened {
                id,
                number,
                cause,
                claim,
                at,
            } => {
                if self.incidents.contains_key(&id) {
                    return Err(taken("there is an incident with this id"));
                }
                self.undo.push(Undo::Incident(id, None));
                let row = IncidentRow {
                    project: facts.project_id,
                    heartbeat: facts.id,
                    heartbeat_name: facts.name.clone(),
                    number,
                    cause,
                    claim,
                    opened_at: at,
                    closed_at: None,
                    closing: None,
                    alert,
                };
                self.incidents.insert(id, row);
            }
            IncidentChange::Confirmed { id } => {
                if let Some(row) = self.incidents.get_mut(&id) {
                    let before = Undo::Incident(id, Some(Box::new(row.clone())));
                    self.undo.push(before);
                    row.claim = nightbeat_domain::Claim::Down;
                    // Held back by a snooze, there is no new alert: the one that opened it stays.
                    row.alert = alert.or(row.alert.take());
                }
            }
            IncidentChange::Closed { id, at, closing } => {
                if let Some(row) = self.incidents.get_mut(&id) {
                    let before = Undo::Incident(id, Some(Box::new(row.clone())));
                    self.undo.push(before);
                    row.closed_at = Some(at);
                    row.closing = Some(closing.as_str());
                }
            }
        }
        let heartbeat = facts.id;
        self.changes.push(Change::Incident { heartbeat, change });
        Ok(())
    }

    /// The channels that an alert of this kind goes to.
    fn channels_for(
        &self,
        project: ProjectId,
        routing: &Routing,
        kind: AlertKind,
    ) -> Vec<ChannelId> {
        let fits = |kind_of: &str| kind != AlertKind::NeverStarted || kind_of == "email";
        let channels = self.channels.iter();
        let all: Vec<ChannelId> = channels
            .filter(|(_, row)| row.project == project && fits(&row.channel.kind))
            .map(|(id, _)| *id)
            .collect();
        let Routing::Only(chosen) = routing else {
            return all;
        };
        let left: Vec<ChannelId> = all
            .iter()
            .copied()
            .filter(|id| chosen.contains(id))
            .collect();
        // Every channel that was chosen has been removed since: better all that are left than nobody.
        if left.is_empty() && !chosen.is_empty() {
            return all;
        }
        left
    }

    fn queue(&mut self, snapshot: &Arc<AlertSnapshot>, channel: ChannelId) -> Result<()> {
        let alert: &Alert = &snapshot.alert;
        let next_try_at = if alert.digest {
            alert.at + DIGEST_COLLECTS
        } else {
            alert.at
        };
        let heartbeat = snapshot.heartbeat.id;
        let new = NewDelivery {
            id: DeliveryId::derive(heartbeat, alert.sequence, channel),
            project: snapshot.heartbeat.project_id,
            channel,
            heartbeat,
            incident: alert.incident.as_ref().map(|incident| incident.id),
            event: event(alert),
            digest: alert.digest,
            snapshot: Arc::clone(snapshot),
            created_at: alert.at,
            next_try_at,
            fallback: 0,
        };
        if self.mutant.splits_transitions() {
            self.mutant.hold_back(new);
            return Ok(());
        }
        self.add_delivery(new)
    }

    pub(super) fn add_delivery(&mut self, new: NewDelivery) -> Result<()> {
        let (id, channel, fallback) = (new.id, new.channel, new.fallback == 1);
        let snapshot = Arc::clone(&new.snapshot);
        let Some(number) = self.outbox.add(new) else {
            return Err(taken("there is a delivery with this id"));
        };
        self.undo.push(Undo::DeliveryAdded(number));
        self.changes.push(Change::Queued {
            number,
            id,
            channel,
            fallback,
            snapshot,
        });
        Ok(())
    }

    /// Creates the heartbeat that a signal with `?create=1` names.
    pub(super) fn create_from_signal(
        &mut self,
        project: ProjectId,
        slug: &str,
        new: &NewHeartbeat,
        at: UnixMicros,
    ) -> Result<()> {
        if self.heartbeats.contains_key(&new.id) {
            return Err(taken("there is a heartbeat with this id"));
        }
        let row = HeartbeatRow {
            project,
            name: slug.to_owned(),
            slug: slug.to_owned(),
            tags: Vec::new(),
            routing: Routing::All,
            created_at: at,
            hot: Hot {
                settings: Arc::new(new.settings.clone()),
                state: State::new(&new.settings, at),
                newest_signal: None,
                newest_run: None,
            },
        };
        self.put_in(new.id, row);
        self.undo.push(Undo::HeartbeatAdded(new.id));
        self.changes.push(Change::Created(new.id));
        Ok(())
    }
}
