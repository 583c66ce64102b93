//! Asking for the password again before a dangerous step.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use nightbeat_store::control::{audit, sessions};
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::next;
use super::pages::{Frame, page, unavailable};
use super::sign_in::{Onward, retry_after, too_many};
use super::viewer::{Person, Viewer};

/// Asks for the password, or to sign in again.
#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    /// Where to go on.
    next: &'a str,
    has_password: bool,
}

#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

impl Web {
    /// The answer to a person who has not proved within ten minutes who they are: they are asked, and then come
    /// to the page `next`, where they do again what they wanted to do.
    pub(super) fn must_be_confirmed(&self, viewer: &Viewer, next: &str) -> Option<Response> {
        if viewer.is_confirmed(self.node.now()) {
            return None;
        }
        let to = format!("{}{}", self.base, next::with_next("/confirm", next));
        Some(Redirect::to(&to).into_response())
    }
}

pub(super) async fn form(
    State(web): State<Web>,
    person: Person,
    Query(onward): Query<Onward>,
) -> Response {
    ask(&web, &person, StatusCode::OK, &onward.next, None)
}

pub(super) async fn confirm(
    State(web): State<Web>,
    person: Person,
    Posted(answer): Posted<Answer>,
) -> Response {
    let now = web.node.now();
    let taken = match web.throttle.take(&person.account.email, None, now) {
        Ok(taken) => taken,
        Err(wait) => {
            let problem = too_many(wait);
            let status = StatusCode::TOO_MANY_REQUESTS;
            let page = ask(&web, &person, status, &answer.next, Some(&problem));
            return (retry_after(wait), page).into_response();
        }
    };
    let hash = person.account.password_hash.clone();
    match web.passwords.fits(answer.password, hash).await {
        Err(error) => return web.no_password(&error),
        Ok(false) => {
            let problem = Some("This is not your password.");
            return ask(
                &web,
                &person,
                StatusCode::UNAUTHORIZED,
                &answer.next,
                problem,
            );
        }
        Ok(true) => web.throttle.give_back(taken),
    }
    let session = person.viewer.session.id;
    let entry = person
        .viewer
        .entry(None, "confirmed who they are", "by password", now);
    let noted = web.change(move |sql| {
        sessions::confirm(sql, session, now)?;
        audit::note(sql, &entry)
    });
    match noted.await {
        Ok(()) => web.go_to(&answer.next),
        Err(error) => unavailable(&web, &error),
    }
}

fn ask(
    web: &Web,
    person: &Person,
    status: StatusCode,
    next: &str,
    problem: Option<&str>,
) -> Response {
    let template = Confirm {
        frame: web.frame_for(&person.viewer),
        problem,
        next: next::safe(next),
        has_password: person.account.password_hash.is_some(),
    };
    page(status, &template)
}
