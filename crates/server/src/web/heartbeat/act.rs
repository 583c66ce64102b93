//! What a person does with a heartbeat at the press of a button.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::{Signal, SignalKind, UnixMicros};
use nightbeat_store::{Arrival, Target};

use super::page_path;
use crate::api::inside::Refused;
use crate::http::Client;
use crate::node::Answer;
use crate::web::Web;
use crate::web::fields::Fields;
use crate::web::forms::Posted;
use crate::web::frame::project_path;
use crate::web::pages::{go, not_done, only_looking, refused};
use crate::web::viewer::Member;

/// What a test signal says for itself.
const TEST_AGENT: &str = "Nightbeat: a test from the heartbeat's page";
const TEST_BODY: &str = "A test from the heartbeat's page. It changes nothing.";

type Which = Path<(String, String)>;

/// After a step: back to the heartbeat, or what was wrong.
fn done(web: &Web, member: &Member, slug: &str, result: Result<(), Refused>) -> Response {
    match result {
        Ok(()) => go(web, &page_path(member.project.id, slug)),
        Err(refused) => not_done(web, &member.viewer, &refused),
    }
}

pub(in crate::web) async fn pause(
    State(web): State<Web>,
    member: Member,
    Path((_, slug)): Which,
    _form: Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let result = member.inside(&web).pause(&slug).await;
    done(&web, &member, &slug, result)
}

pub(in crate::web) async fn resume(
    State(web): State<Web>,
    member: Member,
    Path((_, slug)): Which,
    _form: Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let result = member.inside(&web).resume(&slug).await;
    done(&web, &member, &slug, result)
}

pub(in crate::web) async fn delete(
    State(web): State<Web>,
    member: Member,
    Path((_, slug)): Which,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    if fields.text("sure") != slug {
        let text = "Type its slug to say that you mean it. Nothing was deleted.";
        return refused(&web, StatusCode::UNPROCESSABLE_ENTITY, "Not deleted", text);
    }
    match member.inside(&web).delete_heartbeat(&slug).await {
        Ok(()) => go(&web, &project_path(member.project.id)),
        Err(refused) => not_done(&web, &member.viewer, &refused),
    }
}

/// Sends a signal that is recorded like any other and changes nothing: one can watch it arrive.
pub(in crate::web) async fn test(
    State(web): State<Web>,
    member: Member,
    Path((_, slug)): Which,
    Extension(client): Extension<Client>,
    _form: Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let heartbeat = match super::find(&web, member.project.id, &slug).await {
        Ok(found) => found,
        Err(refused) => return not_done(&web, &member.viewer, &refused),
    };
    let arrival = Arrival {
        target: Target::Id(heartbeat.id),
        // The node says when it came.
        signal: Signal::new(SignalKind::Log, UnixMicros::MIN),
        nonce: None,
        method: "POST",
        source: client
            .address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        user_agent: TEST_AGENT.to_owned(),
        body: Some(TEST_BODY.as_bytes().to_vec()),
        body_bytes: TEST_BODY.len() as u64,
        mail: None,
    };
    match web.node.signal(arrival).await {
        Answer::Stored(_) => {
            let path = page_path(member.project.id, &slug);
            go(&web, &format!("{path}?tested=1#log"))
        }
        Answer::Refused { .. } | Answer::TooFast { .. } => refused(
            &web,
            StatusCode::SERVICE_UNAVAILABLE,
            "Not recorded",
            "Signals cannot be stored at the moment: a job's own would be refused, too, and tried again. \
             The server's log says why.",
        ),
        Answer::NotHere => refused(
            &web,
            StatusCode::SERVICE_UNAVAILABLE,
            "Not recorded",
            "This server shows pages only; signals go to others. Use the line for curl instead.",
        ),
    }
}
