//! Sessions: a browser that has shown an API key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use nightbeat_domain::UnixMicros;
use nightbeat_store::control::keys::{self, KeyOwner};

use super::Web;
use super::pages::{SignIn, page, unavailable};
use crate::accounts::key_hash;
use crate::config::PublicUrl;
use crate::ingest::form_field;
use crate::random;

/// How long a session lasts.
const SESSION_TIME: Duration = Duration::from_secs(14 * 86_400);
/// How many sessions are kept; the one that ends first makes room.
const SESSIONS_MAX: usize = 10_000;

/// The sessions. They live in memory: after a restart people show their key again.
#[derive(Debug)]
pub(super) struct Sessions {
    cookie: &'static str,
    attributes: String,
    /// By the hash of the cookie's secret: which key was shown, and until when it counts. A std mutex:
    /// never held across an await.
    known: Mutex<HashMap<[u8; 32], Session>>,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    key_hash: [u8; 32],
    ends_at: UnixMicros,
}

impl Sessions {
    /// No sessions yet. The cookie is as strict as the public URL allows.
    pub(super) fn new(public_url: &PublicUrl) -> Self {
        let secure = if public_url.is_https() {
            "; Secure"
        } else {
            ""
        };
        let host_only = public_url.is_https() && public_url.prefix().is_empty();
        Self {
            cookie: if host_only {
                "__Host-nightbeat"
            } else {
                "nightbeat"
            },
            attributes: format!(
                "; Path={}/; HttpOnly; SameSite=Lax{secure}",
                public_url.prefix()
            ),
            known: Mutex::default(),
        }
    }

    /// Begins a session for whoever has shown the key with this hash; the `Set-Cookie` for it.
    pub(super) fn begin(&self, key_hash: [u8; 32], now: UnixMicros) -> String {
        let secret = random::key("");
        let session = Session {
            key_hash,
            ends_at: now + SESSION_TIME,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SESSIONS_MAX {
            let first = known
                .iter()
                .min_by_key(|(_, session)| session.ends_at)
                .map(|(hash, _)| *hash);
            first.and_then(|hash| known.remove(&hash));
        }
        known.insert(self::key_hash(&secret), session);
        let seconds = SESSION_TIME.as_secs();
        format!(
            "{}={secret}{}; Max-Age={seconds}",
            self.cookie, self.attributes
        )
    }

    /// The hash of the key that this browser has shown.
    fn find(&self, headers: &HeaderMap, now: UnixMicros) -> Option<[u8; 32]> {
        let hash = key_hash(self.secret(headers)?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let session = *known.get(&hash)?;
        if session.ends_at <= now {
            known.remove(&hash);
            return None;
        }
        Some(session.key_hash)
    }

    /// Ends this browser's session; the `Set-Cookie` that removes the cookie.
    fn end(&self, headers: &HeaderMap) -> String {
        if let Some(secret) = self.secret(headers) {
            self.known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&key_hash(secret));
        }
        format!("{}={}; Max-Age=0", self.cookie, self.attributes)
    }

    fn secret<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let lines = headers
            .get_all(COOKIE)
            .into_iter()
            .filter_map(|line| line.to_str().ok());
        let mut cookies = lines
            .flat_map(|line| line.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='));
        cookies
            .find(|(name, _)| *name == self.cookie)
            .map(|(_, value)| value)
    }
}

impl Web {
    /// Whose pages this browser may see. The key is looked up each time: one that was deleted opens nothing.
    pub(super) async fn viewer(
        &self,
        headers: &HeaderMap,
    ) -> nightbeat_store::Result<Option<KeyOwner>> {
        match self.sessions.find(headers, self.node.now()) {
            Some(hash) => {
                self.store
                    .read(move |sql| keys::find_by_hash(sql, &hash))
                    .await
            }
            None => Ok(None),
        }
    }
}

/// Takes a key from the form and begins a session.
pub(super) async fn sign_in(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    let key = form_field(&body, "key").unwrap_or_default();
    let hash = key_hash(key.trim());
    match web
        .store
        .read(move |sql| keys::find_by_hash(sql, &hash))
        .await
    {
        Err(error) => unavailable(&web, &error),
        Ok(Some(_)) if !is_cross_site(&headers) => {
            let cookie = web.sessions.begin(hash, web.node.now());
            (
                [(SET_COOKIE, cookie)],
                Redirect::to(&format!("{}/", web.base)),
            )
                .into_response()
        }
        Ok(_) => {
            let problem = Some("This is not a key of a project on this server.");
            page(
                StatusCode::UNAUTHORIZED,
                &SignIn {
                    frame: web.frame(),
                    problem,
                },
            )
        }
    }
}

/// Ends the session.
pub(super) async fn sign_out(State(web): State<Web>, headers: HeaderMap) -> Response {
    if is_cross_site(&headers) {
        // Not from one of our pages: nobody is signed out by a stranger's.
        return Redirect::to(&format!("{}/", web.base)).into_response();
    }
    let cookie = web.sessions.end(&headers);
    (
        [(SET_COOKIE, cookie)],
        Redirect::to(&format!("{}/", web.base)),
    )
        .into_response()
}

/// Whether another origin's page sent this form: a stranger's, or a neighbour's on a subdomain beside ours,
/// which `SameSite` cookies do not keep out.
pub(super) fn is_cross_site(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site" || site == "same-site")
}
