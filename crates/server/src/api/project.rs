//! `/project`: the one that the key belongs to.

use axum::Json;
use axum::extract::State;
use nightbeat_domain::{ChannelId, ProjectId};
use nightbeat_store::control::{channels, projects};
use nightbeat_store::sql::Sql;

use super::caller::Caller;
use super::input;
use super::problem::Problem;
use super::shapes::{Project, ProjectEdit, Viewer};
use super::state::{ApiState, Refusal};
use super::text::line;
use crate::accounts::PROJECT_CHARS_MAX;

/// Show the key's project
#[utoipa::path(get, path = "/project", tag = "project", responses((status = 200, body = Project)))]
pub(super) async fn show_project(
    State(api): State<ApiState>,
    caller: Caller,
) -> Result<Json<Project>, Problem> {
    let viewer = Viewer::new(&api, caller);
    let found = api.read(move |sql| own(sql, caller.project)).await?;
    Ok(Json(Project::of(found, &viewer)))
}

/// Change the key's project
///
/// Only what is named changes.
#[utoipa::path(patch, path = "/project", tag = "project", request_body = ProjectEdit,
    responses((status = 200, body = Project)))]
pub(super) async fn change_project(
    State(api): State<ApiState>,
    caller: Caller,
    input::Json(asked): input::Json<ProjectEdit>,
) -> Result<Json<Project>, Problem> {
    let viewer = Viewer::new(&api, caller);
    let name = asked.name.as_deref();
    let name = name
        .map(|name| line("name", name, PROJECT_CHARS_MAX))
        .transpose()?;
    let project = caller.project;
    let changed = api
        .write_by(caller.actor, move |sql, told| {
            let old = own(sql, project)?;
            let mut new = old.clone();
            if let Some(name) = &name {
                new.name.clone_from(name);
            }
            let fallback = asked.fallback_channel.map(ChannelId);
            new.fallback_channel = fallback.of(new.fallback_channel);
            fallback_is_known(sql, &new)?;
            projects::update(sql, project, &new.name, new.fallback_channel)?;
            if new != old {
                told.did("changed the settings", &*new.name);
            }
            Ok(new)
        })
        .await?;
    Ok(Json(Project::of(changed, &viewer)))
}

fn own(sql: &mut dyn Sql, project: ProjectId) -> Result<projects::Project, Refusal> {
    let found = projects::get(sql, project)?;
    Ok(found.ok_or_else(|| Problem::missing("project"))?)
}

fn fallback_is_known(sql: &mut dyn Sql, project: &projects::Project) -> Result<(), Refusal> {
    let Some(channel) = project.fallback_channel else {
        return Ok(());
    };
    if channels::get(sql, project.id, channel)?.is_some() {
        return Ok(());
    }
    let problem = format!("there is no channel {channel} in this project");
    Err(Problem::field("fallback_channel", problem).into())
}
