//! A project's name, and where its alerts go when its channels do not take them.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::ChannelId;
use nightbeat_store::control::{PageRequest, audit, channels, projects};
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::frame::Here;
use super::pages::{Frame, page, unavailable};
use super::viewer::Member;
use crate::accounts::project_name_problem;

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    project: &'a str,
    project_id: String,
    name: &'a str,
    channels: Vec<Choice>,
    may_manage: bool,
    is_owner: bool,
}

struct Choice {
    id: String,
    name: String,
    chosen: bool,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    name: String,
    #[serde(default)]
    fallback_channel: String,
}

pub(super) async fn show(State(web): State<Web>, member: Member) -> Response {
    let name = member.project.name.clone();
    tell(&web, &member, StatusCode::OK, &name, None).await
}

pub(super) async fn change(
    State(web): State<Web>,
    member: Member,
    Posted(wish): Posted<Wish>,
) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    let name = wish.name.trim().to_owned();
    if let Some(problem) = project_name_problem(&name) {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return tell(&web, &member, status, &name, Some(problem)).await;
    }
    let fallback = match wish.fallback_channel.as_str() {
        "" => None,
        text => match text.parse() {
            Ok(id) => Some(ChannelId(id)),
            Err(_) => return web.no_such_page(),
        },
    };
    let (id, now) = (member.project.id, web.node.now());
    let entry = member
        .viewer
        .entry(Some(id), "changed the settings", &*name, now);
    let changed = web.change(move |sql| {
        projects::update(sql, id, &name, fallback)?;
        audit::note(sql, &entry)
    });
    match changed.await {
        Ok(()) => web.go_to(&format!("/projects/{id}/settings")),
        Err(error) => web.refused(&error),
    }
}

impl Web {
    /// The frame of the pages on which a project is managed.
    pub(super) fn settings_frame(&self, member: &Member) -> Frame {
        self.frame_at(member, Here::Settings)
    }
}

async fn tell(
    web: &Web,
    member: &Member,
    status: StatusCode,
    name: &str,
    problem: Option<&str>,
) -> Response {
    let id = member.project.id;
    let request = PageRequest::new(PageRequest::ITEMS_MAX, None);
    let found = web
        .store
        .read(move |sql| channels::list(sql, id, &request))
        .await;
    let found = match found {
        Ok(found) => found.items,
        Err(error) => return unavailable(web, &error),
    };
    let fallback = member.project.fallback_channel;
    let template = Settings {
        frame: web.settings_frame(member),
        problem,
        project: &member.project.name,
        project_id: id.to_string(),
        name,
        channels: found
            .into_iter()
            .map(|channel| Choice {
                id: channel.id.to_string(),
                chosen: fallback == Some(channel.id),
                name: channel.name,
            })
            .collect(),
        may_manage: member.may_manage(),
        is_owner: member.is_owner(),
    };
    page(status, &template)
}
