//! One step for several heartbeats. The list asks; a page of its own names them and sends the form, so that the
//! list needs no token.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::IncidentId;

use super::super::Web;
use super::super::fields::Fields;
use super::super::forms::Posted;
use super::super::frame::{Frame, Here, project_path};
use super::super::heartbeat::find;
use super::super::pages::{go, missing, not_done, only_looking, page, refused};
use super::super::viewer::Member;
use crate::api::inside::{Inside, Refused};

/// The most heartbeats of one step: those of one page.
const HEARTBEATS_MAX: usize = nightbeat_store::control::overview::HEARTBEATS_MAX as usize;

/// A step, and what it does.
const STEPS: [(&str, &str, &str); 3] = [
    (
        "pause",
        "Pause",
        "Nothing is expected of them until they are resumed; open incidents close without a word.",
    ),
    (
        "resume",
        "Resume",
        "Something is expected of them again, as if they had just been made. Those that are not paused stay as \
         they are.",
    ),
    (
        "acknowledge",
        "Acknowledge",
        "Their open incidents count as seen: no more repeats. Those without one stay as they are.",
    ),
];

/// Asks whether it is meant.
#[derive(Template)]
#[template(path = "bulk.html")]
struct Ask {
    frame: Frame,
    path: String,
    name: &'static str,
    title: &'static str,
    effect: &'static str,
    slugs: Vec<String>,
}

fn step(fields: &Fields) -> Option<(&'static str, &'static str, &'static str)> {
    let name = fields.text("do");
    STEPS.into_iter().find(|(known, ..)| *known == name)
}

pub(in crate::web) async fn ask(
    State(web): State<Web>,
    member: Member,
    RawQuery(query): RawQuery,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let Some((name, title, effect)) = step(&fields) else {
        return missing(&web, &member.viewer, "step");
    };
    let slugs: Vec<String> = fields
        .all("h")
        .map(str::to_owned)
        .take(HEARTBEATS_MAX)
        .collect();
    if slugs.is_empty() {
        let text = "Go back, tick the boxes in front of those that you mean, and choose again.";
        return refused(
            &web,
            StatusCode::UNPROCESSABLE_ENTITY,
            "No heartbeat is picked",
            text,
        );
    }
    let frame = web.frame_at(&member, Here::Heartbeats);
    let ask = Ask {
        path: format!("{}{}", frame.base, project_path(member.project.id)),
        frame,
        name,
        title,
        effect,
        slugs,
    };
    page(StatusCode::OK, &ask)
}

pub(in crate::web) async fn change(
    State(web): State<Web>,
    member: Member,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let Some((name, ..)) = step(&fields) else {
        return missing(&web, &member.viewer, "step");
    };
    let inside = member.inside(&web);
    for slug in fields.all("h").take(HEARTBEATS_MAX) {
        let done = match name {
            "pause" => inside.pause(slug).await,
            "resume" => inside.resume(slug).await,
            _ => acknowledge(&web, &member, &inside, slug).await,
        };
        if let Err(mut refused) = done {
            refused.detail = format!(
                "{slug}: {} Those before it in the list are done, those after it are not.",
                refused.detail
            );
            return not_done(&web, &member.viewer, &refused);
        }
    }
    go(&web, &project_path(member.project.id))
}

/// Acknowledges the incident that is open, if one is.
async fn acknowledge(
    web: &Web,
    member: &Member,
    inside: &Inside,
    slug: &str,
) -> Result<(), Refused> {
    let heartbeat = find(web, member.project.id, slug).await?;
    match &heartbeat.state.incident {
        Some(incident) => {
            let id = IncidentId::derive(heartbeat.id, incident.number);
            inside.acknowledge(&id.to_string(), "").await
        }
        None => Ok(()),
    }
}
