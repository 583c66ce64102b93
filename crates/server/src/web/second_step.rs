//! Setting the second step up, and removing it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_store::control::{audit, second_step as stored};
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::pages::{Frame, page, unavailable};
use super::profile::Nothing;
use super::viewer::Person;
use crate::accounts::second_step::{self, ForApp};

/// The page's path.
const PATH: &str = "/profile/second-step";

#[derive(Template)]
#[template(path = "second_step.html")]
struct SecondStep<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    /// Codes are asked for.
    on: bool,
    codes_left: u64,
    /// What the app needs to know, while it is set up.
    for_app: Option<ForApp>,
    /// Recovery codes that were just made: shown this once.
    codes: &'a [String],
}

#[derive(Deserialize)]
pub(super) struct FirstCode {
    code: String,
}

pub(super) async fn show(State(web): State<Web>, person: Person) -> Response {
    tell(&web, &person, StatusCode::OK, None, &[]).await
}

async fn tell(
    web: &Web,
    person: &Person,
    status: StatusCode,
    problem: Option<&str>,
    codes: &[String],
) -> Response {
    let id = person.account.id;
    let reading = web
        .store
        .read(move |sql| Ok((stored::get(sql, id)?, stored::recovery_codes(sql, id)?)));
    let (totp, codes_left) = match reading.await {
        Ok(found) => found,
        Err(error) => return unavailable(web, &error),
    };
    let on = totp
        .as_ref()
        .is_some_and(|totp| totp.confirmed_at.is_some());
    // Once it is confirmed, nobody sees the secret any more.
    let setting_up = totp.filter(|_| !on && person.viewer.is_confirmed(web.node.now()));
    let template = SecondStep {
        frame: web.frame_for(&person.viewer),
        problem,
        on,
        codes_left,
        for_app: setting_up
            .and_then(|totp| second_step::for_app(&totp.secret, &person.account.email)),
        codes,
    };
    page(status, &template)
}

pub(super) async fn begin(
    State(web): State<Web>,
    person: Person,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(ask) = web.must_be_confirmed(&person.viewer, PATH) {
        return ask;
    }
    let (id, secret) = (person.account.id, second_step::new_secret());
    let begun = web.change(move |sql| stored::begin(sql, id, &secret));
    match begun.await {
        Ok(_) => web.go_to(PATH),
        Err(error) => unavailable(&web, &error),
    }
}

/// The app's first code.
pub(super) async fn confirm(
    State(web): State<Web>,
    person: Person,
    Posted(typed): Posted<FirstCode>,
) -> Response {
    if let Some(ask) = web.must_be_confirmed(&person.viewer, PATH) {
        return ask;
    }
    let (id, now) = (person.account.id, web.node.now());
    let entry = person.viewer.entry(None, "set the second step up", "", now);
    let confirmed = web.change(move |sql| {
        let codes = second_step::confirm(sql, id, &typed.code, now)?;
        if codes.is_some() {
            audit::note(sql, &entry)?;
        }
        Ok(codes)
    });
    match confirmed.await {
        Ok(Some(codes)) => tell(&web, &person, StatusCode::CREATED, None, &codes).await,
        Ok(None) => {
            let problem =
                "This is not the code of this moment: are the clocks of both devices right?";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            tell(&web, &person, status, Some(problem), &[]).await
        }
        Err(error) => unavailable(&web, &error),
    }
}

pub(super) async fn new_codes(
    State(web): State<Web>,
    person: Person,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(ask) = web.must_be_confirmed(&person.viewer, PATH) {
        return ask;
    }
    let (id, now) = (person.account.id, web.node.now());
    let entry = person
        .viewer
        .entry(None, "made new recovery codes", "", now);
    let made = web.change(move |sql| {
        if !second_step::is_asked_for(sql, id)? {
            return Ok(None);
        }
        audit::note(sql, &entry)?;
        second_step::new_recovery_codes(sql, id).map(Some)
    });
    match made.await {
        Ok(Some(codes)) => tell(&web, &person, StatusCode::CREATED, None, &codes).await,
        Ok(None) => web.go_to(PATH),
        Err(error) => unavailable(&web, &error),
    }
}

pub(super) async fn remove(
    State(web): State<Web>,
    person: Person,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(ask) = web.must_be_confirmed(&person.viewer, PATH) {
        return ask;
    }
    let (id, now) = (person.account.id, web.node.now());
    let entry = person
        .viewer
        .entry(None, "removed the second step", "", now);
    let removed = web.change(move |sql| {
        if stored::remove(sql, id)? {
            audit::note(sql, &entry)?;
        }
        Ok(())
    });
    match removed.await {
        Ok(()) => web.go_to(PATH),
        Err(error) => unavailable(&web, &error),
    }
}
