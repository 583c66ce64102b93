//! Sentry's crons: check-ins of its SDKs, of `sentry-cli monitors run`, and by URL.
//!
//! ```text
//! /api/NUMBER/cron/SLUG/KEY/?status=in_progress|ok|error&check_in_id=     and the same as JSON by POST
//! /api/NUMBER/envelope/                                                  items of the type check_in
//! ```
//!
//! The DSN is `https://PING-KEY@HOST/1`: its key is the ping key, and its number means nothing. What a
//! `monitor_config` says, the heartbeat becomes; it is made where there is none. Bodies are JSON and may be
//! compressed, so all of it comes in by the router, not by the hot path.

mod check_in;
mod envelope;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::header::{AUTHORIZATION, CONTENT_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use nightbeat_domain::HeartbeatId;
use nightbeat_store::control::heartbeats::{self, BySlug, Details};
use nightbeat_store::control::projects;
use serde_json::json;

use crate::api::heartbeats::{edit, insert, usual_settings};
use crate::api::{ApiState, Problem};
use crate::http::Client;
use crate::ingest::Ingest;
use crate::random;
use check_in::CheckIn;

/// The largest body as it arrives, and unpacked.
const BODY_BYTES_MAX: usize = 1_000_000;
/// The most check-ins of one envelope: SDKs send one.
const CHECK_INS_MAX: usize = 100;

/// What the handlers work with.
#[derive(Debug, Clone)]
pub(crate) struct Sentry {
    api: ApiState,
    ingest: Ingest,
}

/// The routes.
pub(crate) fn router(api: ApiState, ingest: Ingest) -> Router {
    Router::new()
        .route("/api/{project}/cron/{slug}/{key}", get(by_url).post(by_url))
        .route(
            "/api/{project}/cron/{slug}/{key}/",
            get(by_url).post(by_url),
        )
        .route("/api/{project}/envelope", post(by_envelope))
        .route("/api/{project}/envelope/", post(by_envelope))
        .with_state(Sentry { api, ingest })
}

async fn by_url(
    State(sentry): State<Sentry>,
    Path((project, slug, key)): Path<(String, String, String)>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, Problem> {
    is_number(&project)?;
    let (head, body) = request.into_parts();
    let bytes = whole(&head, body).await?;
    let mut check_in = CheckIn::of_query(&slug, head.uri.query().unwrap_or_default())?;
    if head.method == Method::POST && !bytes.is_empty() {
        check_in.add_json(&bytes)?;
    }
    let id = check_in.id.clone();
    let answer = sentry.take_in(&key, check_in, &head, client).await?;
    if !answer.status().is_success() {
        return Ok(answer);
    }
    Ok((StatusCode::ACCEPTED, Json(json!({"id": id}))).into_response())
}

async fn by_envelope(
    State(sentry): State<Sentry>,
    Path(project): Path<String>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, Problem> {
    is_number(&project)?;
    let (head, body) = request.into_parts();
    let bytes = whole(&head, body).await?;
    let envelope = envelope::read(&bytes)?;
    let key = key_of(&head.headers, head.uri.query().unwrap_or_default())
        .or_else(|| envelope.key.clone())
        .ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "the DSN's key is missing"))?;
    let check_ins: Vec<&[u8]> = envelope.items_of("check_in").collect();
    if check_ins.len() > CHECK_INS_MAX {
        let text = format!("an envelope has at most {CHECK_INS_MAX} check-ins");
        return Err(Problem::new(StatusCode::BAD_REQUEST, text));
    }
    for item in check_ins {
        let check_in = CheckIn::of_item(item)?;
        let answer = sentry.take_in(&key, check_in, &head, client).await?;
        if !answer.status().is_success() {
            return Ok(answer);
        }
    }
    // Other items, errors and traces of the same SDK, are no business of ours.
    Ok(Json(json!({"id": envelope.event_id})).into_response())
}

impl Sentry {
    /// Makes the heartbeat what the check-in says it is, and records the signal.
    async fn take_in(
        &self,
        key: &str,
        check_in: CheckIn,
        head: &Parts,
        client: Client,
    ) -> Result<Response, Problem> {
        if !crate::ingest::url::is_ping_key(key) {
            return Err(missing());
        }
        self.upsert(key, &check_in).await?;
        let method = if head.method == Method::POST {
            "POST"
        } else {
            "GET"
        };
        let url = check_in.signal(key);
        Ok(self
            .ingest
            .record(url, method, &head.headers, client.address)
            .await)
    }

    async fn upsert(&self, key: &str, check_in: &CheckIn) -> Result<(), Problem> {
        let Some(wanted) = check_in.edit()? else {
            return Ok(());
        };
        let slug = check_in.slug.clone();
        let key = key.to_owned();
        let now = self.api.now();
        let id = HeartbeatId(random::uuid());
        self.api
            .write(move |sql, told| {
                let project = projects::by_ping_key(sql, &key)?.ok_or_else(missing)?.id;
                match heartbeats::by_slug(sql, project, &slug)? {
                    BySlug::One(old) => {
                        let settings = wanted.settings(&old.settings)?;
                        edit(sql, told, &old, &old.details, settings, now)
                    }
                    BySlug::None => {
                        let details = Details {
                            name: slug.clone(),
                            slug: slug.clone(),
                            ..Details::default()
                        };
                        let settings = wanted.settings(&usual_settings()?)?;
                        insert(sql, told, project, id, details, &settings, now)
                    }
                    // Whom it means is said by the signal that follows: nobody.
                    BySlug::Several => Ok(()),
                }
            })
            .await
    }
}

/// All of a body, unpacked.
async fn whole(head: &Parts, body: axum::body::Body) -> Result<Vec<u8>, Problem> {
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
    let bytes =
        bytes.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the request broke off"))?;
    let encoding = head.headers.get(CONTENT_ENCODING);
    let encoding = encoding.map_or("identity", |value| value.to_str().unwrap_or("?"));
    envelope::unpacked(encoding, &bytes, BODY_BYTES_MAX)
}

/// The key of the DSN, from where SDKs put it: a header, or the query.
fn key_of(headers: &HeaderMap, query: &str) -> Option<String> {
    for name in ["x-sentry-auth", AUTHORIZATION.as_str()] {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        let fields = value.and_then(|value| value.strip_prefix("Sentry "));
        let key = fields
            .into_iter()
            .flat_map(|fields| fields.split(','))
            .find_map(|field| field.trim().strip_prefix("sentry_key="));
        if let Some(key) = key {
            return Some(key.trim().to_owned());
        }
    }
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(name, _)| name == "sentry_key")
        .map(|(_, key)| key.into_owned())
}

fn is_number(project: &str) -> Result<(), Problem> {
    if !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(missing())
}

fn missing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not found")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_key_stands_in_a_header_or_in_the_query() {
        let headers = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            headers
        };
        for (name, value) in [
            ("x-sentry-auth", "Sentry sentry_key=k3y,sentry_version=7"),
            ("x-sentry-auth", "Sentry sentry_version=7, sentry_key=k3y"),
            ("authorization", "Sentry sentry_version=7,sentry_key=k3y"),
        ] {
            assert_eq!(
                key_of(&headers(name, value), "").as_deref(),
                Some("k3y"),
                "{value}"
            );
        }
        let other = headers("authorization", "Bearer sentry_key=no");
        assert_eq!(key_of(&other, ""), None);
        let query = "sentry_version=7&sentry_key=k3y";
        assert_eq!(key_of(&other, query).as_deref(), Some("k3y"));
    }
}
