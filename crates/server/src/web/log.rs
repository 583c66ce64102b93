//! Who did what in a project.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_store::control::{PageRequest, audit};
use serde::Deserialize;

use super::Web;
use super::pages::{Frame, page, unavailable};
use super::time::{Reader, When};
use super::viewer::Member;

/// How many lines stand on one page.
const LINES_MAX: u32 = 100;

#[derive(Template)]
#[template(path = "log.html")]
struct LogPage {
    frame: Frame,
    project: String,
    project_id: String,
    log: Vec<Line>,
    next: Option<String>,
}

/// One entry.
pub(super) struct Line {
    pub(super) at: When,
    pub(super) who: String,
    pub(super) action: String,
    pub(super) about: String,
    pub(super) address: String,
}

impl Line {
    pub(super) fn new(entry: audit::Entry, reader: &Reader) -> Self {
        Self {
            at: reader.when(entry.at),
            who: entry.who,
            action: entry.action,
            about: entry.about,
            address: entry.address,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    cursor: Option<String>,
}

pub(super) async fn show(
    State(web): State<Web>,
    member: Member,
    Query(wanted): Query<Wanted>,
) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    let after = wanted.cursor.and_then(|cursor| cursor.parse().ok());
    let request = PageRequest::new(LINES_MAX, after);
    let id = member.project.id;
    let found = web
        .store
        .read(move |sql| audit::of_project(sql, id, &request));
    let reader = web.reader(&member.viewer);
    match found.await {
        Ok(found) => {
            let log = found
                .items
                .into_iter()
                .map(|entry| Line::new(entry, &reader));
            let template = LogPage {
                frame: web.settings_frame(&member),
                project: member.project.name.clone(),
                project_id: id.to_string(),
                log: log.collect(),
                next: found.next.map(|cursor| cursor.to_string()),
            };
            page(StatusCode::OK, &template)
        }
        Err(error) => unavailable(&web, &error),
    }
}
