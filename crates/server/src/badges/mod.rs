//! Badges: whether jobs are well, as a picture or as JSON, for a page that others see.
//!
//! ```text
//! /badges/PROJECT/SIGNATURE/STATES/all.FORMAT
//! /badges/PROJECT/SIGNATURE/STATES/tag/TAG.FORMAT
//! /badges/PROJECT/SIGNATURE/STATES/heartbeat/SLUG.FORMAT
//! ```
//!
//! `STATES` is 2 (up, down) or 3 (and late), `FORMAT` is `svg`, `json` or `shields` (shields.io's endpoint).
//! The signature is made of what the badge is about and of a secret of the project: nobody guesses one, one
//! badge leads to no other, and with another secret all of them are gone.

mod link;
mod svg;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use nightbeat_domain::{ProjectId, Status, UnixMicros};
use nightbeat_store::control::heartbeats::{self, BySlug, Filter, Heartbeat};
use nightbeat_store::control::{PageRequest, projects};
use nightbeat_store::sql::Sql;
use serde_json::json;
use uuid::Uuid;

use crate::api::{ApiState, Problem, Refusal, rate};
pub(crate) use link::{About, Format, Links, States};

/// The routes.
pub(crate) fn router(api: ApiState) -> Router {
    let router = Router::new()
        .route("/badges/{project}/{signature}/{*about}", get(show))
        .with_state(api.clone());
    rate::measured(router, api)
}

/// How those are that a badge is about.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Tally {
    label: String,
    total: u64,
    late: u64,
    down: u64,
}

impl Tally {
    fn add(&mut self, heartbeat: &Heartbeat, now: UnixMicros) {
        self.total += 1;
        match heartbeat.status(now) {
            Status::Down | Status::Unverified => self.down += 1,
            Status::Late => self.late += 1,
            Status::New | Status::Up | Status::Warning | Status::Paused => {}
        }
    }

    fn state(&self, states: States) -> &'static str {
        if self.down > 0 {
            "down"
        } else if self.late > 0 && states == States::Three {
            "late"
        } else {
            "up"
        }
    }
}

async fn show(
    State(api): State<ApiState>,
    Path((project, signature, about)): Path<(String, String, String)>,
    head: Parts,
) -> Result<Response, Problem> {
    rate::of_address(&head.extensions)?;
    let project = Uuid::try_parse(&project).map_err(|_| missing())?;
    let wanted = link::parse(&about).ok_or_else(missing)?;
    let now = api.now();
    let about = wanted.about;
    let tally = api
        .read(move |sql| tally(sql, ProjectId(project), &signature, &about, now))
        .await?;
    Ok(answer(&tally, wanted.states, wanted.format))
}

fn tally(
    sql: &mut dyn Sql,
    project: ProjectId,
    signature: &str,
    about: &About<String>,
    now: UnixMicros,
) -> Result<Tally, Refusal> {
    let secret = projects::badge_key(sql, project)?.ok_or_else(missing)?;
    let mut tally = Tally::default();
    let mut filter = Filter::default();
    match about {
        About::Heartbeat(slug) => {
            let BySlug::One(found) = heartbeats::by_slug(sql, project, slug)? else {
                return Err(missing().into());
            };
            // The id is signed, not the slug: another heartbeat of this slug is another badge.
            link::check(&secret, &About::Heartbeat(found.id), signature).ok_or_else(missing)?;
            tally.label.clone_from(&found.details.name);
            tally.add(&found, now);
            return Ok(tally);
        }
        About::Tag(tag) => {
            link::check(&secret, &About::Tag(tag.clone()), signature).ok_or_else(missing)?;
            tally.label.clone_from(tag);
            filter.tags.push(tag.clone());
        }
        About::All => {
            link::check(&secret, &About::All, signature).ok_or_else(missing)?;
            tally.label = projects::get(sql, project)?.ok_or_else(missing)?.name;
        }
    }
    let mut after = None;
    loop {
        let page = PageRequest::new(PageRequest::ITEMS_MAX, after);
        let found = heartbeats::list(sql, project, &filter, now, &page)?;
        for heartbeat in &found.items {
            tally.add(heartbeat, now);
        }
        after = found.next;
        if after.is_none() {
            return Ok(tally);
        }
    }
}

fn answer(tally: &Tally, states: States, format: Format) -> Response {
    let state = tally.state(states);
    let mut response = match format {
        Format::Svg => {
            let picture = svg::picture(&tally.label, state);
            ([(CONTENT_TYPE, "image/svg+xml; charset=utf-8")], picture).into_response()
        }
        Format::Json => Json(json!({
            "status": state, "total": tally.total, "grace": tally.late, "down": tally.down,
        }))
        .into_response(),
        Format::Shields => {
            let color = match state {
                "down" => "critical",
                "late" => "important",
                _ => "success",
            };
            Json(json!({
                "schemaVersion": 1, "label": tally.label, "message": state, "color": color,
            }))
            .into_response()
        }
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (CACHE_CONTROL, "no-cache, max-age=0"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn missing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such badge")
}
