//! The one-time setup link: it creates the first account and project.

use std::sync::{Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};

use super::Web;
use super::pages::{Created, Notice, SetupForm, page, unavailable};
use super::session::is_cross_site;
use crate::accounts::{self, Init, InitError, key_hash};
use crate::ingest::form_field;
use crate::random;

/// The setup link of a server without projects. It lives in memory: each start prints a new one, and
/// none is left once a project exists.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    /// The hash of the secret in the link, until it was used. A std mutex: never held across an await.
    open: Mutex<Option<[u8; 32]>>,
}

impl Setup {
    /// A setup with no link.
    pub(crate) fn closed() -> Self {
        Self::default()
    }

    /// Opens it by a new link; the link's path.
    pub(crate) fn open(&self) -> String {
        let secret = random::key("nb_s_");
        self.give_back(&secret);
        format!("/setup/{secret}")
    }

    fn opens(&self, secret: &str) -> bool {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) == Some(key_hash(secret))
    }

    /// Uses the link up; whether it was still there. Two forms at once: one of them gets it.
    fn take(&self, secret: &str) -> bool {
        let hash = key_hash(secret);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = *open == Some(hash);
        if taken {
            *open = None;
        }
        taken
    }

    fn give_back(&self, secret: &str) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(key_hash(secret));
    }
}

pub(super) async fn form(State(web): State<Web>, Path(secret): Path<String>) -> Response {
    if web.setup.opens(&secret) {
        ask(&web, StatusCode::OK, "", "", None)
    } else {
        used(&web)
    }
}

pub(super) async fn create(
    State(web): State<Web>,
    Path(secret): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if is_cross_site(&headers) || !web.setup.take(&secret) {
        return used(&web);
    }
    let field = |name| form_field(&body, name).unwrap_or_default();
    let (email, project) = (field("email"), field("project"));
    let init = Init {
        email: email.clone(),
        password: Some(field("password")),
        project: project.clone(),
    };
    let now = web.node.now();
    // On its own task: a browser that goes away in the middle must not leave a link that is used up and no
    // project.
    let creating = {
        let web = web.clone();
        tokio::spawn(async move {
            let created = accounts::create(&web.store, init, true, now).await;
            if created.is_err() {
                web.setup.give_back(&secret);
            }
            created
        })
    };
    let created = match creating.await {
        Ok(created) => created,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    };
    match created {
        Ok(keys) => {
            let cookie = web.sessions.begin(key_hash(&keys.read_only_key), now);
            let created = Created {
                frame: web.frame(),
                keys: &keys,
                public_url: &web.public_url,
            };
            ([(SET_COOKIE, cookie)], page(StatusCode::CREATED, &created)).into_response()
        }
        Err(InitError::Refused(problem)) => ask(
            &web,
            StatusCode::UNPROCESSABLE_ENTITY,
            &email,
            &project,
            Some(problem.to_owned()),
        ),
        Err(InitError::Store(error)) => unavailable(&web, &error),
        Err(InitError::Password(error)) => {
            tracing::error!(%error, "a password could not be hashed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn ask(
    web: &Web,
    status: StatusCode,
    email: &str,
    project: &str,
    problem: Option<String>,
) -> Response {
    let form = SetupForm {
        frame: web.frame(),
        problem,
        email,
        project,
        database: &web.database,
    };
    page(status, &form)
}

fn used(web: &Web) -> Response {
    let notice = Notice {
        frame: web.frame(),
        title: "This link does not work",
        text: "It was used, or it is not whole, or the server has been started since: a setup link works \
               once. While the server has no project, each start prints a new one; nightbeat init \
               creates projects at any time.",
    };
    page(StatusCode::NOT_FOUND, &notice)
}
