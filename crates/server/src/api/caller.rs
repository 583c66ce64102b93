//! Who calls: a key, its project, and what it may do there.

use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use nightbeat_domain::{ProjectId, UnixMicros};
use nightbeat_store::control::keys::{self, KeyOwner, Scope};

use super::actor::{Actor, Who};
use super::problem::Problem;
use super::rate;
use super::state::ApiState;
use crate::accounts::key_hash;
use crate::http::Client;

/// The header for clients whose `Authorization` belongs to a proxy.
const KEY_HEADER: &str = "x-api-key";
/// Its question needs a body, but it changes nothing.
const LOOKING_POST: &str = "/schedules/preview";
/// No key is longer.
const KEY_BYTES_MAX: usize = 200;
/// How long a request waits until the use of its key is noted.
const NOTE_TIME: Duration = Duration::from_secs(1);

/// Whose key a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    /// The key's project: everything else does not exist.
    pub(super) project: ProjectId,
    /// Whether it may see secrets: signal URLs, heartbeat ids, the ping key.
    pub(super) secrets: bool,
    /// Who acts, for the log; `None`: a page that only looks.
    pub(super) actor: Option<Actor>,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Every route of ours stands behind `know`; one that does not, answers nobody.
        let caller = parts.extensions.get().copied();
        caller.ok_or_else(|| Problem::unknown_caller("this needs a key"))
    }
}

/// Lets a request through whose key may do what it asks.
pub(super) async fn know(
    State(api): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(key) = key_of(request.headers()) else {
        rate::of_address(request.extensions())?;
        return Err(Problem::unknown_caller(
            "send a key: Authorization: Bearer KEY, or X-Api-Key: KEY",
        ));
    };
    let hash = key_hash(key);
    let found = api.read(move |sql| Ok(keys::find_by_hash(sql, &hash)?));
    let Some(owner) = found.await? else {
        rate::of_address(request.extensions())?;
        return Err(Problem::unknown_caller(
            "this key is not known; was it deleted?",
        ));
    };
    rate::of_key(request.extensions(), &owner)?;
    let looks = matches!(*request.method(), Method::GET | Method::HEAD)
        || request.uri().path() == LOOKING_POST;
    if owner.scope == Scope::ReadOnly && !looks {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "this key is read-only; a read-write key may change things",
        ));
    }
    note_use(&api, owner, api.now()).await;
    let client = request.extensions().get::<Client>().copied();
    request.extensions_mut().insert(Caller {
        project: owner.project,
        secrets: owner.scope == Scope::ReadWrite,
        actor: Some(Actor {
            project: owner.project,
            who: Who::Key(owner.id),
            address: client.and_then(|client| client.address),
        }),
    });
    Ok(next.run(request).await)
}

/// The key that a request sends.
pub(crate) fn key_of(headers: &HeaderMap) -> Option<&str> {
    let text = |name| Some(headers.get(name)?.to_str().unwrap_or_default().trim());
    let key = match text(KEY_HEADER) {
        Some(key) => key,
        None => bearer(text(AUTHORIZATION.as_str())?)?,
    };
    may_be_key(key).then_some(key)
}

/// Whether a text is worth looking up.
pub(crate) fn may_be_key(text: &str) -> bool {
    (1..=KEY_BYTES_MAX).contains(&text.len())
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Notes that a key was used, at most once a minute. It must not keep a reader waiting while nothing can
/// be written, and a use that is not noted harms nobody.
pub(crate) async fn note_use(api: &ApiState, owner: KeyOwner, now: UnixMicros) {
    if !owner.needs_touch(now) {
        return;
    }
    let noting = api
        .store
        .write(move |sql| keys::touch(sql, owner.project, owner.id, now));
    match tokio::time::timeout(NOTE_TIME, noting).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the use of an API key is not noted"),
        Err(_) => tracing::warn!("the use of an API key is noted later: the store is slow"),
    }
}
