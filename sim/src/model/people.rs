//! What people and administrators do: projects, channels, heartbeats, steps, maintenance.

use std::sync::Arc;

use nightbeat_domain::control;
use nightbeat_domain::{ChannelId, Effects, HeartbeatId, ProjectId, UnixMicros};
use nightbeat_store::Watched;
use nightbeat_store::control::Routing;
use nightbeat_store::control::channels::Channel;
use nightbeat_store::control::heartbeats::{Details, New};
use nightbeat_store::control::maintenance::Window;
use nightbeat_store::control::projects::Project;
use nightbeat_store::people::{Step, Taken};
use uuid::Uuid;

use super::tables::{ChannelRow, HeartbeatRow, Hot};
use super::undo::Undo;
use super::{Model, Result, taken};

impl Model {
    /// Adds a project.
    pub fn create_project(&mut self, project: &Project) -> Result<()> {
        self.transaction(None, UnixMicros::MIN, |model| {
            let mut others = model.projects.values();
            if others.any(|it| it.id == project.id || it.ping_key == project.ping_key) {
                return Err(taken("another project has this ping key"));
            }
            model.projects.insert(project.id, project.clone());
            Ok(())
        })
    }

    /// Changes a project's name and fallback channel; whether there is such a project.
    pub fn update_project(
        &mut self,
        id: ProjectId,
        name: &str,
        fallback: Option<ChannelId>,
    ) -> Result<bool> {
        self.transaction(None, UnixMicros::MIN, |model| {
            if let Some(channel) = fallback {
                model.know_channels(id, &Routing::Only(vec![channel]))?;
            }
            let Some(project) = model.projects.get_mut(&id) else {
                return Ok(false);
            };
            name.clone_into(&mut project.name);
            project.fallback_channel = fallback;
            Ok(true)
        })
    }

    /// Adds a channel.
    pub fn insert_channel(&mut self, project: ProjectId, channel: &Channel) -> Result<()> {
        self.transaction(None, UnixMicros::MIN, |model| {
            let same = |(id, row): (&ChannelId, &ChannelRow)| {
                *id == channel.id || (row.project == project && row.channel.name == channel.name)
            };
            if !model.projects.contains_key(&project) || model.channels.iter().any(same) {
                return Err(taken("there is a channel of this name already"));
            }
            let mut channel = channel.clone();
            channel.version = 1;
            model
                .channels
                .insert(channel.id, ChannelRow { project, channel });
            Ok(())
        })
    }

    /// Removes a channel; alerts that wait for it are cancelled. Whether the project had it.
    pub fn delete_channel(&mut self, project: ProjectId, id: ChannelId) -> Result<bool> {
        self.transaction(None, UnixMicros::MIN, |model| {
            let found = model.channels.get(&id);
            if found.is_none_or(|row| row.project != project) {
                return Ok(false);
            }
            model.channels.remove(&id);
            if let Some(project) = model.projects.get_mut(&project) {
                project.fallback_channel = project.fallback_channel.filter(|it| *it != id);
            }
            model.cancel_deliveries(id);
            Ok(true)
        })
    }

    /// Adds a heartbeat.
    pub fn insert_heartbeat(&mut self, project: ProjectId, new: &New<'_>) -> Result<()> {
        self.transaction(None, UnixMicros::MIN, |model| {
            model.know_channels(project, &new.details.channels)?;
            if !model.projects.contains_key(&project) || model.heartbeats.contains_key(&new.id) {
                return Err(taken("there is a heartbeat with this id"));
            }
            let details = new.details;
            let row = HeartbeatRow {
                project,
                name: details.name.clone(),
                slug: details.slug.clone(),
                tags: details.tags.clone(),
                routing: details.channels.clone(),
                created_at: new.created_at,
                hot: Hot {
                    settings: Arc::new(new.settings.clone()),
                    state: new.state.clone(),
                    newest_signal: None,
                    newest_run: None,
                },
            };
            model.put_in(new.id, row);
            Ok(())
        })
    }

    /// Replaces a heartbeat's name, slug, tags and routing; whether the project has it.
    pub fn update_heartbeat(
        &mut self,
        project: ProjectId,
        id: HeartbeatId,
        details: &Details,
    ) -> Result<bool> {
        self.transaction(None, UnixMicros::MIN, |model| {
            model.know_channels(project, &details.channels)?;
            if !model.has(project, id) {
                return Ok(false);
            }
            let Some(mut row) = model.take_out(id) else {
                return Ok(false);
            };
            row.name.clone_from(&details.name);
            row.slug.clone_from(&details.slug);
            row.tags.clone_from(&details.tags);
            row.routing.clone_from(&details.channels);
            model.put_in(id, row);
            Ok(true)
        })
    }

    /// Takes a person's step; `None` when the project has no such heartbeat.
    pub fn take_step(
        &mut self,
        project: ProjectId,
        heartbeat: HeartbeatId,
        step: &Step,
        now: UnixMicros,
    ) -> Result<Option<Taken>> {
        self.transaction(None, UnixMicros::MIN, |model| {
            let found = model.heartbeats.get_mut(&heartbeat);
            let Some(row) = found.filter(|row| row.project == project) else {
                return Ok(None);
            };
            let before = Undo::Hot(heartbeat, Box::new(row.hot.clone()));
            model.undo.push(before);
            let (effects, effective) = step_on(heartbeat, &mut row.hot, step, now);
            let wake_at = row.hot.state.wake_at;
            if *step == Step::Acknowledge && model.mutant.shares_acknowledgements() {
                model.acknowledge_others(project);
            }
            let deliveries = model.store_effects(heartbeat, &effects, false)?;
            Ok(Some(Taken {
                watched: Watched { heartbeat, wake_at },
                deliveries,
                effective,
            }))
        })
    }

    /// A mutant: acknowledges what is open in all other projects.
    fn acknowledge_others(&mut self, project: ProjectId) {
        let rows = self.heartbeats.iter_mut();
        for (id, row) in rows.filter(|(_, row)| row.project != project) {
            let before = Undo::Hot(*id, Box::new(row.hot.clone()));
            self.undo.push(before);
            let settings = Arc::clone(&row.hot.settings);
            control::acknowledge(&settings, &mut row.hot.state);
        }
    }

    /// Removes a heartbeat. Its open incident is closed; its incidents, and alerts that are on their way,
    /// stay. Whether the project had it.
    pub fn delete_heartbeat(
        &mut self,
        project: ProjectId,
        id: HeartbeatId,
        now: UnixMicros,
    ) -> Result<bool> {
        self.transaction(None, UnixMicros::MIN, |model| {
            if !model.has(project, id) {
                return Ok(false);
            }
            if model.removed.contains_key(&id) {
                return Err(taken("a heartbeat of this id was removed before"));
            }
            let Some(row) = model.take_out(id) else {
                return Ok(false);
            };
            let heads = (row.hot.newest_signal, row.hot.newest_run);
            model.removed.insert(id, heads);
            for incident in model.incidents.values_mut() {
                if incident.heartbeat == id && incident.closed_at.is_none() {
                    incident.closed_at = Some(now);
                }
            }
            Ok(true)
        })
    }

    /// Adds a maintenance window.
    pub fn insert_window(&mut self, project: ProjectId, window: &Window) -> Result<()> {
        self.transaction(None, UnixMicros::MIN, |model| {
            let mut windows = model.windows.values().flat_map(|windows| windows.values());
            let same = windows.any(|known| known.id == window.id);
            if same || !model.projects.contains_key(&project) {
                return Err(taken("there is a window with this id"));
            }
            let windows = model.windows.entry(project).or_default();
            windows.insert((window.to, window.id), window.clone());
            Ok(())
        })
    }

    /// Removes a maintenance window; whether the project had it.
    pub fn delete_window(&mut self, project: ProjectId, id: Uuid) -> Result<bool> {
        self.transaction(None, UnixMicros::MIN, |model| {
            let windows = model.windows.entry(project).or_default();
            let before = windows.len();
            windows.retain(|_, window| window.id != id);
            Ok(windows.len() < before)
        })
    }

    fn has(&self, project: ProjectId, id: HeartbeatId) -> bool {
        let row = self.heartbeats.get(&id);
        row.is_some_and(|row| row.project == project)
    }

    fn know_channels(&self, project: ProjectId, routing: &Routing) -> Result<()> {
        let Routing::Only(wanted) = routing else {
            return Ok(());
        };
        let known = |id: &ChannelId| {
            let row = self.channels.get(id);
            row.is_some_and(|row| row.project == project)
        };
        if wanted.iter().all(known) {
            return Ok(());
        }
        Err(taken("a channel is not in this project"))
    }

    pub(super) fn put_in(&mut self, id: HeartbeatId, row: HeartbeatRow) {
        let slug = (row.project, row.slug.clone());
        self.slugs.entry(slug).or_default().insert(id);
        self.heartbeats.insert(id, row);
    }

    pub(super) fn take_out(&mut self, id: HeartbeatId) -> Option<HeartbeatRow> {
        let row = self.heartbeats.remove(&id)?;
        let slug = (row.project, row.slug.clone());
        if let Some(named) = self.slugs.get_mut(&slug) {
            named.remove(&id);
            if named.is_empty() {
                self.slugs.remove(&slug);
            }
        }
        Some(row)
    }
}

/// What the domain decides on a step, and whether it had something to act on.
fn step_on(heartbeat: HeartbeatId, hot: &mut Hot, step: &Step, now: UnixMicros) -> (Effects, bool) {
    let old = Arc::clone(&hot.settings);
    let state = &mut hot.state;
    match step {
        Step::Edit(new) if *new == *old => (Effects::default(), false),
        Step::Edit(new) => {
            hot.settings = Arc::new(new.clone());
            (control::edit(heartbeat, &old, new, state, now), true)
        }
        Step::Pause => (control::pause(heartbeat, &old, state, now), true),
        Step::Resume => (control::resume(heartbeat, &old, state, now), true),
        Step::Acknowledge => (Effects::default(), control::acknowledge(&old, state)),
        Step::Snooze(until) => (Effects::default(), control::snooze(&old, state, *until)),
    }
}
