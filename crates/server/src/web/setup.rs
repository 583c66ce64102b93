//! The one-time setup link: it creates the first account and project.

use std::sync::{Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use nightbeat_store::control::accounts::email_key;
use nightbeat_store::control::sessions::SessionOwner;
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::pages::{Created, Notice, SetupForm, page, unavailable};
use super::session::SignedIn;
use super::viewer::Visitor;
use crate::accounts::{self, Init, InitError, Initialised, key_hash};
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

/// What the form holds.
#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    project: String,
}

pub(super) async fn form(
    State(web): State<Web>,
    visitor: Visitor,
    Path(secret): Path<String>,
) -> Response {
    if web.setup.opens(&secret) {
        ask(&web, &visitor, StatusCode::OK, ("", ""), None)
    } else {
        used(&web)
    }
}

pub(super) async fn create(
    State(web): State<Web>,
    visitor: Visitor,
    Path(secret): Path<String>,
    Posted(wish): Posted<Wish>,
) -> Response {
    if !web.setup.take(&secret) {
        return used(&web);
    }
    let (email, project) = (wish.email.clone(), wish.project.clone());
    let init = Init {
        email: wish.email,
        password: Some(wish.password),
        project: wish.project,
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
        Ok(keys) => welcome(&web, &visitor, (&email, project.trim()), &keys).await,
        Err(InitError::Refused(problem)) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            ask(&web, &visitor, status, (&email, &project), Some(problem))
        }
        Err(InitError::Store(error)) => unavailable(&web, &error),
        Err(InitError::Password(error)) => web.no_password(&error),
    }
}

/// Shows the keys, and signs the person in.
async fn welcome(
    web: &Web,
    visitor: &Visitor,
    (email, project): (&str, &str),
    keys: &Initialised,
) -> Response {
    let signed_in = SignedIn {
        who: email_key(email),
        how: "by setting the server up",
    };
    let owner = SessionOwner::Account(keys.account);
    let created = Created {
        frame: web.frame(),
        project,
        keys,
        public_url: &web.public_url,
    };
    let page = page(StatusCode::CREATED, &created);
    match web.begin_session(visitor, owner, signed_in).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], page).into_response(),
        Err(error) => {
            // The keys are shown this once: they come before the sign-in.
            tracing::error!(%error, "nobody was signed in after the setup");
            page
        }
    }
}

fn ask(
    web: &Web,
    visitor: &Visitor,
    status: StatusCode,
    (email, project): (&str, &str),
    problem: Option<&str>,
) -> Response {
    let form = SetupForm {
        frame: web.frame_of(visitor),
        problem,
        email,
        project,
        database: &web.database,
    };
    visitor.with_cookie(web, page(status, &form))
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
