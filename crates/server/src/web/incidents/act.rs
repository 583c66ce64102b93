//! What people do about an incident.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use nightbeat_store::control::is_slug;
use serde_json::json;
use uuid::Uuid;

use crate::api::inside::Refused;
use crate::web::Web;
use crate::web::fields::Fields;
use crate::web::forms::Posted;
use crate::web::frame::project_path;
use crate::web::heartbeat::page_path;
use crate::web::pages::{go, not_done, only_looking};
use crate::web::viewer::Member;

/// The longest snooze that a form offers, in hours: a month.
const SNOOZE_HOURS_MAX: u64 = 720;

type Which = Path<(String, String)>;

pub(in crate::web) async fn acknowledge(
    State(web): State<Web>,
    member: Member,
    Path((_, incident)): Which,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let inside = member.inside(&web);
    let result = inside.acknowledge(&incident, fields.text("note")).await;
    let result = result.map_err(about_note);
    back(&web, &member, &incident, &fields, result)
}

pub(in crate::web) async fn snooze(
    State(web): State<Web>,
    member: Member,
    Path((_, incident)): Which,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let hours: u64 = fields.text("hours").parse().unwrap_or(1);
    let hours = hours.clamp(1, SNOOZE_HOURS_MAX);
    let until = web.node.now() + Duration::from_secs(hours * 3_600);
    let json = json!({ "until": until.to_string() });
    let inside = member.inside(&web);
    let result = inside.snooze(&incident, json).await;
    back(&web, &member, &incident, &fields, result)
}

pub(in crate::web) async fn note(
    State(web): State<Web>,
    member: Member,
    Path((_, incident)): Which,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let inside = member.inside(&web);
    let result = inside.note(&incident, fields.text("note")).await;
    let result = result.map_err(about_note);
    back(&web, &member, &incident, &fields, result)
}

/// What is wrong with a note says so: the API names its field beside it.
fn about_note(refused: Refused) -> Refused {
    if refused.field.is_none() {
        return refused;
    }
    Refused {
        detail: format!("The note {}.", refused.detail),
        ..refused
    }
}

/// To the page that the form stood on: the incident's, its heartbeat's, or the list of incidents.
fn back(
    web: &Web,
    member: &Member,
    incident: &str,
    fields: &Fields,
    result: Result<(), Refused>,
) -> Response {
    if let Err(refused) = result {
        return not_done(web, &member.viewer, &refused);
    }
    let (project, slug) = (member.project.id, fields.text("slug"));
    if is_slug(slug) {
        return go(web, &page_path(project, slug));
    }
    let path = project_path(project);
    match Uuid::try_parse(incident) {
        Ok(id) if fields.text("from") == "incident" => go(web, &format!("{path}/incidents/{id}")),
        _ => go(web, &format!("{path}/incidents")),
    }
}
