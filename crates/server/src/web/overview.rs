//! The projects that someone may see.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::Status;
use nightbeat_store::control::heartbeats::Filter;
use nightbeat_store::control::overview;

use super::Web;
use super::frame::{Frame, project_path};
use super::marks;
use super::pages::{go, page, unavailable};
use super::viewer::Viewer;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    projects: Vec<Row>,
}

struct Row {
    path: String,
    name: String,
    role: &'static str,
    worst: &'static str,
    summary: String,
    total: u64,
}

pub(super) async fn show(State(web): State<Web>, viewer: Viewer) -> Response {
    let known = match viewer.projects(&web).await {
        Ok(known) => known,
        Err(error) => return unavailable(&web, &error),
    };
    if let [(only, _)] = known.as_slice() {
        return go(&web, &project_path(only.id));
    }
    let now = web.node.now();
    let ids: Vec<_> = known.iter().map(|(project, _)| project.id).collect();
    let reading = web.store.read(move |sql| {
        let counts = ids
            .iter()
            .map(|id| overview::counts(sql, *id, &Filter::default(), now));
        counts.collect::<nightbeat_store::Result<Vec<HashMap<Status, u64>>>>()
    });
    let counts = match reading.await {
        Ok(counts) => counts,
        Err(error) => return unavailable(&web, &error),
    };
    let mut all: HashMap<Status, u64> = HashMap::new();
    for (status, count) in counts.iter().flatten() {
        *all.entry(*status).or_default() += count;
    }
    let frame = Frame {
        icon: web.icon(marks::worst(&all)),
        ..web.frame_for(&viewer)
    };
    let rows = known
        .into_iter()
        .zip(&counts)
        .map(|((project, role), counts)| Row {
            path: format!("{}{}", frame.base, project_path(project.id)),
            name: project.name,
            role: role.as_str(),
            worst: marks::worst(counts).map_or("new", Status::as_str),
            summary: marks::summary(counts),
            total: counts.values().sum(),
        });
    let overview = Overview {
        projects: rows.collect(),
        frame,
    };
    page(StatusCode::OK, &overview)
}
