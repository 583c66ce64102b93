//! The person's own page: how pages look, the password, the sessions.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_store::control::accounts::{self, Theme};
use nightbeat_store::control::sessions::{self, Session};
use nightbeat_store::control::{PageRequest, audit};
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::log::Line;
use super::pages::{Frame, page, unavailable};
use super::time::{Reader, When};
use super::viewer::{Person, Target};
use crate::accounts::passwords;
use crate::reports;

/// How much of the log is shown.
const LOG_LINES_MAX: u32 = 50;

#[derive(Template)]
#[template(path = "profile.html")]
struct Profile<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    email: &'a str,
    confirmed: bool,
    theme: &'static str,
    time_zone: &'a str,
    has_password: bool,
    sessions: Vec<SessionLine>,
    log: Vec<Line>,
}

struct SessionLine {
    id: String,
    this_one: bool,
    user_agent: String,
    address: String,
    created: When,
    seen: When,
}

#[derive(Deserialize)]
pub(super) struct Appearance {
    theme: Theme,
    #[serde(default)]
    time_zone: String,
}

#[derive(Deserialize)]
pub(super) struct NewPassword {
    password: String,
}

/// A form that only has a button.
#[derive(Deserialize)]
pub(super) struct Nothing {}

pub(super) async fn show(State(web): State<Web>, person: Person) -> Response {
    tell(&web, &person, StatusCode::OK, None).await
}

async fn tell(web: &Web, person: &Person, status: StatusCode, problem: Option<&str>) -> Response {
    let (id, now) = (person.account.id, web.node.now());
    let reading = web.store.read(move |sql| {
        let log = audit::of_account(sql, id, &PageRequest::new(LOG_LINES_MAX, None))?;
        Ok((sessions::list(sql, id, now)?, log.items))
    });
    let (found, log) = match reading.await {
        Ok(found) => found,
        Err(error) => return unavailable(web, &error),
    };
    let this = person.viewer.session.id;
    let reader = web.reader(&person.viewer);
    let account = &person.account;
    let template = Profile {
        frame: web.frame_for(&person.viewer),
        problem,
        email: &account.email,
        confirmed: account.verified_at.is_some(),
        theme: account.theme.as_str(),
        time_zone: account.time_zone.as_deref().unwrap_or_default(),
        has_password: account.password_hash.is_some(),
        sessions: found
            .into_iter()
            .map(|session| line(session, this, &reader))
            .collect(),
        log: log
            .into_iter()
            .map(|entry| Line::new(entry, &reader))
            .collect(),
    };
    page(status, &template)
}

fn line(session: Session, this: uuid::Uuid, reader: &Reader) -> SessionLine {
    SessionLine {
        id: session.id.to_string(),
        this_one: session.id == this,
        user_agent: session.user_agent,
        address: session.address,
        created: reader.when(session.created_at),
        seen: reader.when(session.seen_at),
    }
}

pub(super) async fn set_appearance(
    State(web): State<Web>,
    person: Person,
    Posted(wish): Posted<Appearance>,
) -> Response {
    let zone = wish.time_zone.trim().to_owned();
    if !zone.is_empty() && jiff::tz::TimeZone::get(&zone).is_err() {
        let problem =
            format!("No time zone is called {zone:?}: write Europe/Berlin or America/New_York.");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return tell(&web, &person, status, Some(&problem)).await;
    }
    let (id, now) = (person.account.id, web.node.now());
    let changed = web.change(move |sql| {
        let zone = (!zone.is_empty()).then_some(zone.as_str());
        reports::follow_zone(sql, id, zone, now)?;
        accounts::set_appearance(sql, id, wish.theme, zone)
    });
    match changed.await {
        Ok(_) => web.go_to("/profile"),
        Err(error) => unavailable(&web, &error),
    }
}

/// A new password ends all other sessions: whoever knew the old one is out.
pub(super) async fn set_password(
    State(web): State<Web>,
    person: Person,
    Posted(wish): Posted<NewPassword>,
) -> Response {
    if let Some(ask) = web.must_be_confirmed(&person.viewer, "/profile") {
        return ask;
    }
    if let Some(problem) = passwords::problem(&wish.password) {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return tell(&web, &person, status, Some(problem)).await;
    }
    let hash = match web.passwords.hash(wish.password).await {
        Ok(hash) => hash,
        Err(error) => return web.no_password(&error),
    };
    let (id, this) = (person.account.id, person.viewer.session.id);
    let now = web.node.now();
    let entry = person.viewer.entry(None, "changed the password", "", now);
    let changed = web.change(move |sql| {
        accounts::set_password_hash(sql, id, Some(&hash))?;
        sessions::revoke_others(sql, id, this)?;
        audit::note(sql, &entry)
    });
    match changed.await {
        Ok(()) => web.go_to("/profile"),
        Err(error) => unavailable(&web, &error),
    }
}

pub(super) async fn end_session(
    State(web): State<Web>,
    person: Person,
    Target(session): Target,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    let id = person.account.id;
    let now = web.node.now();
    let entry = person.viewer.entry(None, "ended a session", "", now);
    let ended = web.change(move |sql| {
        let ended = sessions::revoke(sql, id, session)?;
        if ended {
            audit::note(sql, &entry)?;
        }
        Ok(ended)
    });
    match ended.await {
        Ok(true) => web.go_to("/profile"),
        Ok(false) => web.no_such_page(),
        Err(error) => unavailable(&web, &error),
    }
}

pub(super) async fn end_others(
    State(web): State<Web>,
    person: Person,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    let (id, this) = (person.account.id, person.viewer.session.id);
    let now = web.node.now();
    let entry = person
        .viewer
        .entry(None, "ended all other sessions", "", now);
    let ended = web.change(move |sql| {
        sessions::revoke_others(sql, id, this)?;
        audit::note(sql, &entry)
    });
    match ended.await {
        Ok(()) => web.go_to("/profile"),
        Err(error) => unavailable(&web, &error),
    }
}
