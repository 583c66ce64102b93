//! One incident: why, since when, what people did and wrote.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::IncidentId;
use nightbeat_store::control::{incidents, overview};

use super::{Told, with_more};
use crate::web::Web;
use crate::web::frame::{Frame, Here, project_path};
use crate::web::heartbeat::page_path;
use crate::web::pages::{missing, page, unavailable};
use crate::web::viewer::{Member, Target};

#[derive(Template)]
#[template(path = "incident.html")]
struct Page {
    frame: Frame,
    /// The project's page, with the public URL's path.
    path: String,
    /// The heartbeat's page, where it is still there.
    heartbeat_path: Option<String>,
    version: String,
    may_change: bool,
    one: Told,
    /// Where its forms lead back to.
    from: &'static str,
}

pub(in crate::web) async fn show(
    State(web): State<Web>,
    member: Member,
    Target(id): Target,
) -> Response {
    let project = member.project.id;
    let reader = web.reader(&member.viewer);
    let now = reader.now();
    let reading = web.store.read(move |sql| {
        let Some(found) = incidents::get(sql, project, IncidentId(id))? else {
            return Ok(None);
        };
        // The page follows its heartbeat.
        let version = overview::heartbeat_version(sql, project, found.heartbeat, now)?;
        let found = with_more(sql, project, vec![found])?.pop();
        Ok(found.map(|found| (found, version)))
    });
    let (found, version) = match reading.await {
        Ok(Some(found)) => found,
        Ok(None) => return missing(&web, &member.viewer, "incident"),
        Err(error) => return unavailable(&web, &error),
    };
    let one = found.told(&reader);
    let frame = web.frame_at(&member, Here::Incidents);
    let below = |path: String| format!("{}{path}", frame.base);
    let template = Page {
        path: below(project_path(project)),
        heartbeat_path: one
            .slug
            .as_deref()
            .map(|slug| below(page_path(project, slug))),
        version: version.to_string(),
        may_change: member.may_change(),
        one,
        from: "incident",
        frame,
    };
    page(StatusCode::OK, &template)
}
