//! The account itself: its address, and its end.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use nightbeat_domain::UnixMicros;
use nightbeat_store::control::accounts::{self, OwnedAlone};
use nightbeat_store::control::{audit, keys};
use nightbeat_store::sql::Sql;
use nightbeat_store::{Result as Stored, StoreError};
use serde::Deserialize;
use uuid::Uuid;

use super::Web;
use super::forms::Posted;
use super::frame::project_path;
use super::pages::{Frame, Notice, page, unavailable};
use super::profile::Nothing;
use super::sign_in_link::NotSent;
use super::viewer::{Person, Viewer, Visitor};
use crate::accounts::{email_problem, key_hash};
use crate::random;

/// How long a link works that confirms an address.
const LINK_TIME: Duration = Duration::from_secs(3_600);
/// What its secret begins with.
const PREFIX: &str = "nb_a_";
/// Where all of this stands.
const PATH: &str = "/profile/account";

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    email: &'a str,
    confirmed: bool,
    /// What was typed for another address.
    typed: &'a str,
    /// Links can be mailed.
    mails: bool,
    /// What keeps the account from being deleted.
    kept_by: Vec<Kept>,
}

/// A project that would have no owner.
struct Kept {
    path: String,
    name: String,
    has_others: bool,
}

/// Asks whether to go on. A program that looks at links in mails does not press buttons.
#[derive(Template)]
#[template(path = "account_address.html")]
struct Opened<'a> {
    frame: Frame,
    secret: &'a str,
    email: &'a str,
    /// The address until then.
    old: &'a str,
    is_new: bool,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    email: String,
}

/// What a person types to say that they mean it: their address.
#[derive(Deserialize)]
pub(super) struct Sure {
    #[serde(default)]
    sure: String,
}

pub(super) async fn show(State(web): State<Web>, person: Person) -> Response {
    tell(&web, &person, StatusCode::OK, "", None).await
}

async fn tell(
    web: &Web,
    person: &Person,
    status: StatusCode,
    typed: &str,
    problem: Option<&str>,
) -> Response {
    let id = person.account.id;
    let reading = web.store.read(move |sql| accounts::owned_alone(sql, id));
    let owned = match reading.await {
        Ok(owned) => owned,
        Err(error) => return unavailable(web, &error),
    };
    let kept = |owned: OwnedAlone| Kept {
        path: project_path(owned.project),
        name: owned.name,
        has_others: owned.others > 0,
    };
    let template = AccountPage {
        frame: web.frame_for(&person.viewer),
        problem,
        email: &person.account.email,
        confirmed: person.account.verified_at.is_some(),
        typed,
        mails: web.notifier.sends_mail(),
        kept_by: owned.into_iter().map(kept).collect(),
    };
    page(status, &template)
}

/// Mails a link to an address: the account has it once the link was opened. To the address that it has already,
/// where nobody has shown so far that this is theirs.
pub(super) async fn ask_address(
    State(web): State<Web>,
    person: Person,
    visitor: Visitor,
    Posted(wish): Posted<Wish>,
) -> Response {
    if !web.notifier.sends_mail() {
        return web.no_such_page();
    }
    if let Some(ask) = web.must_be_confirmed(&person.viewer, PATH) {
        return ask;
    }
    let email = accounts::email_key(&wish.email);
    let has_it = email == person.account.email && person.account.verified_at.is_some();
    let problem = if visitor.at_proxy.is_some() && email != person.account.email {
        Some(
            "A proxy signs you in by this address: change it there, and sign in here with the new one.",
        )
    } else if has_it {
        Some("This is your address already.")
    } else {
        email_problem(&email)
    };
    if problem.is_some() {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return tell(&web, &person, status, &email, problem).await;
    }
    if let Err(wait) = web.take_mail(&visitor, &email) {
        return web.come_back(&visitor, wait);
    }
    // On its own task: how long it takes must not tell whether another account has this address.
    let (sender, id) = (web.clone(), person.account.id);
    tokio::spawn(async move {
        if let Err(error) = sender.mail_address(id, &email).await {
            tracing::error!(%error, "a link to confirm an address could not be mailed");
        }
    });
    let notice = Notice {
        frame: web.frame_for(&person.viewer),
        title: "Look into your mail",
        text: "A link is on its way to this address. Open it within an hour, in a browser in which you are signed in \
               here. Nothing changes until then.",
    };
    page(StatusCode::OK, &notice)
}

impl Web {
    async fn mail_address(&self, account: Uuid, email: &str) -> Result<(), NotSent> {
        let secret = random::key(PREFIX);
        let (hash, now) = (key_hash(&secret), self.node.now());
        let asked = email.to_owned();
        let made = self.store.write(move |sql| {
            let other = accounts::by_email(sql, &asked)?;
            if other.is_some_and(|other| other.id != account) {
                return Ok(false);
            }
            keys::insert_link(sql, &hash, &purpose(account, &asked), now, now + LINK_TIME)?;
            Ok(true)
        });
        let here = &self.public_url;
        let (title, text, path) = if made.await? {
            let text = format!(
                "Open this link to use this address for your account on Nightbeat at {here}, in a browser in which you \
                 are signed in. It works once, for an hour. If you did not ask for it, ignore this mail."
            );
            let path = format!("/profile/address/{secret}");
            ("Your address on Nightbeat", text, path)
        } else {
            let text = format!(
                "Somebody, perhaps you, wanted to use your address for another account on Nightbeat at {here}. You have \
                 one with this address already: nothing has changed. To free the address, sign in to that one and give \
                 it another, or delete it."
            );
            let title = "You have an account on Nightbeat";
            (title, text, "/sign-in".to_owned())
        };
        let link = format!("{here}{path}");
        Ok(self.mail(email, title.to_owned(), text, &link).await?)
    }

    /// Tells somebody something about their account, on its own task: it is done, whatever becomes of the mail.
    fn note_by_mail(&self, to: String, title: &'static str, text: String) {
        if !self.notifier.sends_mail() {
            return;
        }
        let sender = self.clone();
        tokio::spawn(async move {
            let link = sender.public_url.to_string();
            let sent = sender.mail(&to, title.to_owned(), text, &link).await;
            if let Err(error) = sent {
                tracing::error!(%error, "a note about an account could not be mailed");
            }
        });
    }
}

/// What a link is for: this account takes this address.
fn purpose(account: Uuid, email: &str) -> String {
    format!("{}{email}", beginning(account))
}

fn beginning(account: Uuid) -> String {
    format!("address of {account}: ")
}

/// The address that this link gives to the account, while it works.
fn address_in(
    sql: &mut dyn Sql,
    hash: &[u8; 32],
    account: Uuid,
    now: UnixMicros,
) -> Stored<Option<String>> {
    let purpose = keys::link_purpose(sql, hash, now)?;
    let email =
        purpose.and_then(|purpose| Some(purpose.strip_prefix(&beginning(account))?.to_owned()));
    Ok(email)
}

/// Only for the account that asked: whoever else opens the link, because its address was mistyped, gets nothing by it.
pub(super) async fn ask_use(
    State(web): State<Web>,
    person: Person,
    Path(secret): Path<String>,
) -> Response {
    let (hash, id, now) = (key_hash(&secret), person.account.id, web.node.now());
    let reading = web.store.read(move |sql| address_in(sql, &hash, id, now));
    match reading.await {
        Ok(Some(email)) => {
            let template = Opened {
                frame: web.frame_for(&person.viewer),
                secret: &secret,
                email: &email,
                old: &person.account.email,
                is_new: email != person.account.email,
            };
            page(StatusCode::OK, &template)
        }
        Ok(None) => gone(&web, &person.viewer),
        Err(error) => unavailable(&web, &error),
    }
}

pub(super) async fn use_address(
    State(web): State<Web>,
    person: Person,
    Path(secret): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    let (hash, id, now) = (key_hash(&secret), person.account.id, web.node.now());
    let old = person.account.email.clone();
    let viewer = person.viewer.clone();
    let before = old.clone();
    let changed = web.change(move |sql| {
        let Some(email) = address_in(sql, &hash, id, now)? else {
            return Ok(None);
        };
        accounts::set_email(sql, id, &email, now)?;
        // Also this one, and those that were mailed to the old address and still sign in.
        keys::revoke_links_of(sql, id)?;
        let (action, about) = if email == before {
            ("confirmed the address", String::new())
        } else {
            let about = format!("{before}, now {email}");
            ("changed the e-mail address", about)
        };
        audit::note(sql, &viewer.entry(None, action, about, now))?;
        Ok(Some(email))
    });
    match changed.await {
        Ok(Some(email)) if email != old => {
            let text = format!(
                "Your account on Nightbeat at {} has another address from now on: {email}. If it was not you who \
                 changed it, ask the operator of this server at once.",
                web.public_url
            );
            web.note_by_mail(old, "Your account on Nightbeat has another address", text);
            web.go_to(PATH)
        }
        Ok(Some(_)) => web.go_to(PATH),
        Ok(None) => gone(&web, &person.viewer),
        Err(error) => web.refused(&error),
    }
}

fn gone(web: &Web, viewer: &Viewer) -> Response {
    let notice = Notice {
        frame: web.frame_for(viewer),
        title: "This link does not work",
        text: "It was used, is older than an hour, or is not whole; or another account asked for it than the one that \
               you are signed in with. Ask for another one on your profile.",
    };
    page(StatusCode::NOT_FOUND, &notice)
}

/// Deletes the account, unless a project would have no owner.
pub(super) async fn delete(
    State(web): State<Web>,
    person: Person,
    Posted(sure): Posted<Sure>,
) -> Response {
    if let Some(ask) = web.must_be_confirmed(&person.viewer, PATH) {
        return ask;
    }
    if accounts::email_key(&sure.sure) != person.account.email {
        let problem = "Type your address to say that you mean it. Nothing was deleted.";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return tell(&web, &person, status, "", Some(problem)).await;
    }
    let now = web.node.now();
    let Person { viewer, account } = person;
    let id = account.id;
    let deleted = web.change(move |sql| leave_everything(sql, id, &viewer, now));
    match deleted.await {
        Ok(()) => {}
        Err(error) => return web.refused(&error),
    }
    let text = format!(
        "Your account on Nightbeat at {} was deleted, as you asked. If it was not you who did it, ask the operator of \
         this server at once.",
        web.public_url
    );
    web.note_by_mail(account.email, "Your account on Nightbeat was deleted", text);
    let notice = Notice {
        frame: web.frame(),
        title: "Your account is deleted",
        text: "You are signed out everywhere. The projects that you were in stay as they are.",
    };
    let cookie = web.cookies.end_session();
    ([(SET_COOKIE, cookie)], page(StatusCode::OK, &notice)).into_response()
}

fn leave_everything(
    sql: &mut dyn Sql,
    account: Uuid,
    viewer: &Viewer,
    now: UnixMicros,
) -> Stored<()> {
    if let Some(owned) = accounts::owned_alone(sql, account)?.first() {
        let name = &owned.name;
        let text = if owned.others > 0 {
            format!(
                "You are the only owner of {name}, which has other members: give it to one of them, or delete it, first."
            )
        } else {
            format!("{name} is yours alone: delete it, or give it away, first.")
        };
        return Err(StoreError::Conflict(text));
    }
    for (project, _) in accounts::projects_of(sql, account)? {
        let entry = viewer.entry(Some(project), "left", "by deleting the account", now);
        audit::note(sql, &entry)?;
    }
    let entry = viewer.entry(None, "deleted the account", "", now);
    audit::note(sql, &entry)?;
    accounts::delete(sql, account)?;
    Ok(())
}
