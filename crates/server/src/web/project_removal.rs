//! The end of a project.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::ProjectId;
use nightbeat_store::StoreError;
use nightbeat_store::control::{audit, heartbeats, projects};
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::pages::{Frame, page, unavailable};
use super::viewer::Member;

/// How many heartbeats are removed in one transaction: short, so that no signal of another project waits for it.
const HEARTBEATS_AT_ONCE: u32 = 200;

#[derive(Template)]
#[template(path = "project_removal.html")]
struct Ask<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    project: &'a str,
    project_id: String,
    heartbeats: u64,
}

/// What an owner types to say that they mean it: the project's name.
#[derive(Deserialize)]
pub(super) struct Sure {
    #[serde(default)]
    sure: String,
}

pub(super) async fn ask(State(web): State<Web>, member: Member) -> Response {
    if !member.is_owner() {
        return member.may_not(&web, "Only an owner may.");
    }
    tell(&web, &member, StatusCode::OK, None).await
}

async fn tell(web: &Web, member: &Member, status: StatusCode, problem: Option<&str>) -> Response {
    let id = member.project.id;
    let counting = web.store.read(move |sql| heartbeats::count(sql, id));
    let heartbeats = match counting.await {
        Ok(count) => count,
        Err(error) => return unavailable(web, &error),
    };
    let template = Ask {
        frame: web.settings_frame(member),
        problem,
        project: &member.project.name,
        project_id: id.to_string(),
        heartbeats,
    };
    page(status, &template)
}

/// Removes the project with all that is in it.
pub(super) async fn delete(
    State(web): State<Web>,
    member: Member,
    Posted(sure): Posted<Sure>,
) -> Response {
    if !member.is_owner() {
        return member.may_not(&web, "Only an owner may.");
    }
    let id = member.project.id;
    let path = format!("/projects/{id}/settings/delete");
    if let Some(ask) = web.must_be_confirmed(&member.viewer, &path) {
        return ask;
    }
    // As it is seen: a page shows several spaces as one.
    let words = member.project.name.split_whitespace();
    if !sure.sure.split_whitespace().eq(words) {
        let problem = "Type the project's name to say that you mean it. Nothing was deleted.";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return tell(&web, &member, status, Some(problem)).await;
    }
    let name = &*member.project.name;
    let now = web.node.now();
    // Of the account: what is told of the project goes with it.
    let entry = member.viewer.entry(None, "deleted the project", name, now);
    let removed = web.change(move |sql| {
        let removed = projects::remove(sql, id)?;
        if removed {
            audit::note(sql, &entry)?;
        }
        Ok(removed)
    });
    match removed.await {
        Ok(true) => {}
        Ok(false) => return web.no_such_page(),
        Err(error) => return unavailable(&web, &error),
    }
    // On its own task: the browser may go away meanwhile.
    let removing = tokio::spawn(remove_heartbeats(web.clone(), id));
    if let Err(failed) = removing.await {
        std::panic::resume_unwind(failed.into_panic());
    }
    web.go_to("/")
}

/// Ends the signal URLs of a project that was removed. Where that is cut off, the sweep goes on with it.
async fn remove_heartbeats(web: Web, id: ProjectId) {
    let mut at_once = HEARTBEATS_AT_ONCE;
    loop {
        let removing = web
            .store
            .write(move |sql| projects::remove_heartbeats(sql, id, at_once));
        match removing.await {
            Ok(0) => return,
            Ok(_) => {}
            // Signals came for one of them at each try: fewer are met alone more easily.
            Err(StoreError::Unavailable(_)) if at_once > 1 => at_once = (at_once / 10).max(1),
            Err(error) => {
                tracing::warn!(%error, "the heartbeats of a removed project go later");
                return;
            }
        }
    }
}
