//! Signing up, where it is open to everybody.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use nightbeat_store::StoreError;
use nightbeat_store::control::accounts;
use nightbeat_store::control::sessions::SessionOwner;
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::pages::{Frame, Notice, page, unavailable};
use super::session::SignedIn;
use super::sign_in::{retry_after, too_many};
use super::viewer::Visitor;
use crate::accounts::{email_problem, new_account, passwords};
use crate::config::SignUp;

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUpForm<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    email: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    email: String,
    password: String,
}

pub(super) async fn form(State(web): State<Web>, visitor: Visitor) -> Response {
    if web.sign_up != SignUp::Open {
        return closed(&web);
    }
    ask(&web, &visitor, StatusCode::OK, "", None)
}

pub(super) async fn sign_up(
    State(web): State<Web>,
    visitor: Visitor,
    Posted(wish): Posted<Wish>,
) -> Response {
    if web.sign_up != SignUp::Open {
        return closed(&web);
    }
    let email = accounts::email_key(&wish.email);
    let refuse = |status, problem: &str| ask(&web, &visitor, status, &email, Some(problem));
    let problem = email_problem(&email).or_else(|| passwords::problem(&wish.password));
    if let Some(problem) = problem {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, problem);
    }
    let now = web.node.now();
    // Never given back: nobody fills the table of accounts, or learns whose addresses are in it, quickly.
    if let Err(wait) = web.throttle.take(&email, visitor.address, now) {
        let page = refuse(StatusCode::TOO_MANY_REQUESTS, &too_many(wait));
        return (retry_after(wait), page).into_response();
    }
    let hash = match web.passwords.hash(wish.password).await {
        Ok(hash) => hash,
        Err(error) => return web.no_password(&error),
    };
    let account = new_account(&email, Some(hash), now);
    let id = account.id;
    let created = web.change(move |sql| accounts::create(sql, &account));
    match created.await {
        Ok(()) => {}
        Err(StoreError::Conflict(_)) => {
            let problem = "There is an account with this address: sign in.";
            return refuse(StatusCode::CONFLICT, problem);
        }
        Err(error) => return unavailable(&web, &error),
    }
    let signed_in = SignedIn {
        who: email.clone(),
        how: "by signing up",
    };
    let owner = SessionOwner::Account(id);
    match web.begin_session(&visitor, owner, signed_in).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], web.go_to("/projects/new")).into_response(),
        Err(error) => unavailable(&web, &error),
    }
}

fn ask(
    web: &Web,
    visitor: &Visitor,
    status: StatusCode,
    email: &str,
    problem: Option<&str>,
) -> Response {
    let template = SignUpForm {
        frame: web.frame_of(visitor),
        problem,
        email,
    };
    visitor.with_cookie(web, page(status, &template))
}

fn closed(web: &Web) -> Response {
    let notice = Notice {
        frame: web.frame(),
        title: "Sign-up is closed",
        text: "Accounts on this server are made by its operator, or by an invitation to a project. Ask one of its \
               people.",
    };
    page(StatusCode::NOT_FOUND, &notice)
}
