//! Accepting an invitation: with an account, or by creating one.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use nightbeat_domain::{ProjectId, UnixMicros};
use nightbeat_store::control::accounts::{self, Account, Role};
use nightbeat_store::control::invitations::{self, Invitation};
use nightbeat_store::control::sessions::SessionOwner;
use nightbeat_store::control::{audit, projects};
use nightbeat_store::sql::Sql;
use nightbeat_store::{Result as Stored, StoreError};
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::members::is_proof_of_address;
use super::next;
use super::pages::{Frame, Notice, page, unavailable};
use super::profile::Nothing;
use super::session::SignedIn;
use super::sign_in::{retry_after, too_many};
use super::viewer::{Person, Viewer, Visitor};
use crate::accounts::members::Acting;
use crate::accounts::{email_problem, key_hash, new_account, passwords};
use crate::config::SignUp;
use crate::random;

#[derive(Template)]
#[template(path = "invitation.html")]
struct Asked<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    secret: &'a str,
    project: &'a str,
    role: &'static str,
    invited_by: &'a str,
    /// The only address that may accept.
    for_email: Option<&'a str>,
    /// Who is signed in.
    account: Option<&'a str>,
    /// The one who is signed in may accept.
    fits: bool,
    /// Who has no account may create one.
    may_sign_up: bool,
    sign_in: String,
}

#[derive(Deserialize)]
pub(super) struct NewAccount {
    #[serde(default)]
    email: String,
    password: String,
}

/// An open invitation, and the name of its project.
type Found = (Invitation, String);

pub(super) async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Path(secret): Path<String>,
) -> Response {
    match find(&web, &secret).await {
        Ok(found) => ask(&web, &visitor, &secret, &found, StatusCode::OK, None),
        Err(response) => response,
    }
}

async fn find(web: &Web, secret: &str) -> Result<Found, Response> {
    let (hash, now) = (key_hash(secret), web.node.now());
    let found = web.store.read(move |sql| open(sql, &hash, now));
    match found.await {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(gone(web)),
        Err(error) => Err(unavailable(web, &error)),
    }
}

fn open(sql: &mut dyn Sql, hash: &[u8; 32], now: UnixMicros) -> Stored<Option<Found>> {
    let Some(invitation) = invitations::by_hash(sql, hash, now)? else {
        return Ok(None);
    };
    let project = projects::get(sql, invitation.project)?;
    Ok(project.map(|project| (invitation, project.name)))
}

fn ask(
    web: &Web,
    visitor: &Visitor,
    secret: &str,
    (invitation, project): &Found,
    status: StatusCode,
    problem: Option<&str>,
) -> Response {
    let account = visitor
        .viewer
        .as_ref()
        .and_then(|viewer| viewer.account.as_ref());
    let path = format!("/invitations/{secret}");
    let template = Asked {
        frame: web.frame_of(visitor),
        problem,
        secret,
        project,
        role: invitation.role.as_str(),
        invited_by: &invitation.invited_by,
        for_email: invitation.email.as_deref(),
        account: account.map(|account| account.email.as_str()),
        fits: account.is_some_and(|account| is_for(invitation, account)),
        may_sign_up: web.sign_up != SignUp::Closed,
        sign_in: next::sign_in_path(&path),
    };
    visitor.with_cookie(web, page(status, &template))
}

fn is_for(invitation: &Invitation, account: &Account) -> bool {
    let email = invitation.email.as_deref();
    email.is_none_or(|email| email == account.email)
}

/// With the account that is signed in.
pub(super) async fn accept(
    State(web): State<Web>,
    person: Person,
    visitor: Visitor,
    Path(secret): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    let found = match find(&web, &secret).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    if !is_for(&found.0, &person.account) {
        let status = StatusCode::FORBIDDEN;
        return ask(&web, &visitor, &secret, &found, status, None);
    }
    let (hash, now) = (key_hash(&secret), web.node.now());
    let Person { viewer, account } = person;
    let has_read_mail = is_proof_of_address(&secret);
    let joined = web.change(move |sql| {
        let joined = join(sql, &hash, &account, &viewer, now)?;
        if joined.is_some() && has_read_mail && account.verified_at.is_none() {
            accounts::set_email(sql, account.id, &account.email, now)?;
        }
        Ok(joined)
    });
    match joined.await {
        Ok(Some(project)) => web.go_to(&format!("/projects/{project}/settings/members")),
        Ok(None) => gone(&web),
        Err(error) => web.refused(&error),
    }
}

/// Uses the invitation up. Whoever may do more already keeps that.
fn join(
    sql: &mut dyn Sql,
    hash: &[u8; 32],
    account: &Account,
    viewer: &Viewer,
    now: UnixMicros,
) -> Stored<Option<ProjectId>> {
    let Some(project) = use_up(sql, hash, account, now)? else {
        return Ok(None);
    };
    let entry = viewer.entry(Some(project), "joined", "by invitation", now);
    audit::note(sql, &entry)?;
    Ok(Some(project))
}

fn use_up(
    sql: &mut dyn Sql,
    hash: &[u8; 32],
    account: &Account,
    now: UnixMicros,
) -> Stored<Option<ProjectId>> {
    let invitation = invitations::by_hash(sql, hash, now)?;
    let Some(invitation) = invitation.filter(|invitation| is_for(invitation, account)) else {
        return Ok(None);
    };
    let project = invitation.project;
    Acting::has_room(project, sql)?;
    invitations::delete(sql, project, invitation.id)?;
    let has = accounts::role(sql, project, account.id)?;
    if has.is_none_or(|role| rank(role) < rank(invitation.role)) {
        accounts::set_member(sql, project, account.id, invitation.role)?;
    }
    Ok(Some(project))
}

/// More may do more.
fn rank(role: Role) -> u8 {
    match role {
        Role::ReadOnly => 0,
        Role::Member => 1,
        Role::Manager => 2,
        Role::Owner => 3,
    }
}

/// With a new account, where the operator lets those who are invited create one.
pub(super) async fn sign_up(
    State(web): State<Web>,
    visitor: Visitor,
    Path(secret): Path<String>,
    Posted(wish): Posted<NewAccount>,
) -> Response {
    if web.sign_up == SignUp::Closed {
        return web.no_such_page();
    }
    let found = match find(&web, &secret).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let ask = |status, problem: &str| ask(&web, &visitor, &secret, &found, status, Some(problem));
    let email = found.0.email.clone();
    let email = email.unwrap_or_else(|| accounts::email_key(&wish.email));
    let problem = email_problem(&email).or_else(|| passwords::problem(&wish.password));
    if let Some(problem) = problem {
        return ask(StatusCode::UNPROCESSABLE_ENTITY, problem);
    }
    let now = web.node.now();
    // Whoever has a link for anybody may ask with it whether this one or that one has an account: not often.
    let who = format!("sign-up by {secret}");
    if let Err(wait) = web.throttle.take(&who, visitor.address, now) {
        let page = ask(StatusCode::TOO_MANY_REQUESTS, &too_many(wait));
        return (retry_after(wait), page).into_response();
    }
    let password_hash = match web.passwords.hash(wish.password).await {
        Ok(hash) => hash,
        Err(error) => return web.no_password(&error),
    };
    let account = Account {
        verified_at: is_proof_of_address(&secret).then_some(now),
        ..new_account(&email, Some(password_hash), now)
    };
    let (hash, id, project) = (key_hash(&secret), account.id, found.0.project);
    let entry = audit::Entry {
        id: random::uuid(),
        at: now,
        project: Some(project),
        account: Some(id),
        who: email.clone(),
        action: "joined".to_owned(),
        about: "by invitation, with a new account".to_owned(),
        address: visitor.address_text(),
    };
    let created = web.change(move |sql| {
        if accounts::by_email(sql, &account.email)?.is_some() {
            return Ok(false);
        }
        accounts::create(sql, &account)?;
        let joined = use_up(sql, &hash, &account, now)?;
        if joined.is_none() {
            // An error, so that no account stays behind.
            return Err(StoreError::Conflict(USED_MEANWHILE.to_owned()));
        }
        audit::note(sql, &entry)?;
        Ok(true)
    });
    match created.await {
        Ok(true) => {}
        Ok(false) => {
            let problem = "There is an account with this address: sign in.";
            return ask(StatusCode::CONFLICT, problem);
        }
        Err(error) => return web.refused(&error),
    }
    let signed_in = SignedIn {
        who: email,
        how: "by signing up",
    };
    let owner = SessionOwner::Account(id);
    match web.begin_session(&visitor, owner, signed_in).await {
        Ok(cookie) => {
            let to = web.go_to(&format!("/projects/{project}/settings/members"));
            ([(SET_COOKIE, cookie)], to).into_response()
        }
        Err(error) => unavailable(&web, &error),
    }
}

const USED_MEANWHILE: &str = "This invitation was used in this very moment. Ask for another one.";

fn gone(web: &Web) -> Response {
    let notice = Notice {
        frame: web.frame(),
        title: "This invitation does not work",
        text: "It was used, taken back, or is older than seven days, or the link is not whole. Ask for another one.",
    };
    page(StatusCode::NOT_FOUND, &notice)
}
