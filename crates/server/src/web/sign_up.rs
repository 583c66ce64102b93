//! Signing up, where it is open to everybody: an address is asked for, a link is mailed to it, and whoever opens the
//! link chooses the password of the new account. Nothing is made before: whoever only types an address has none of
//! what belongs to it, and cannot lie in wait for the one whose it is.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use nightbeat_store::StoreError;
use nightbeat_store::control::sessions::SessionOwner;
use nightbeat_store::control::{accounts, keys};
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::pages::{Frame, Notice, page, unavailable};
use super::session::SignedIn;
use super::sign_in::{retry_after, too_many};
use super::sign_in_link::NotSent;
use super::viewer::Visitor;
use crate::accounts::{email_problem, key_hash, passwords, verified_account};
use crate::config::SignUp;
use crate::random;

/// How long a link works.
const LINK_TIME: Duration = Duration::from_secs(3_600);
/// What links are for; the address stands behind it.
const PURPOSE: &str = "sign-up of ";
/// What their secrets begin with.
const PREFIX: &str = "nb_u_";

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUpForm<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    email: &'a str,
}

/// What the link opens. A program that looks at links in mails fills in no form.
#[derive(Template)]
#[template(path = "sign_up_link.html")]
struct Opened<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    secret: &'a str,
    email: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    email: String,
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    password: String,
}

impl Web {
    /// Whether anybody may have an account for an address that they prove to be theirs.
    pub(super) fn may_sign_up(&self) -> bool {
        self.sign_up == SignUp::Open && self.notifier.sends_mail()
    }
}

pub(super) async fn form(State(web): State<Web>, visitor: Visitor) -> Response {
    if !web.may_sign_up() {
        return closed(&web);
    }
    ask(&web, &visitor, StatusCode::OK, "", None)
}

/// Mails a link. The page says the same whether there is an account with this address or not; the mail tells its
/// owner.
pub(super) async fn send(
    State(web): State<Web>,
    visitor: Visitor,
    Posted(wish): Posted<Wish>,
) -> Response {
    if !web.may_sign_up() {
        return closed(&web);
    }
    let email = accounts::email_key(&wish.email);
    let refuse = |status, problem: &str| ask(&web, &visitor, status, &email, Some(problem));
    if let Some(problem) = email_problem(&email) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, problem);
    }
    if let Err(wait) = web.take_mail(&visitor, &email) {
        let page = refuse(StatusCode::TOO_MANY_REQUESTS, &too_many(wait));
        return (retry_after(wait), page).into_response();
    }
    // On its own task: how long it takes must not tell whether there is such an account.
    let sender = web.clone();
    tokio::spawn(async move {
        if let Err(error) = sender.mail_sign_up(&email).await {
            tracing::error!(%error, "a link to sign up could not be mailed");
        }
    });
    let notice = Notice {
        frame: web.frame_of(&visitor),
        title: "Look into your mail",
        text: "A link is on its way to this address. It works once, for an hour, and leads to where you choose your \
               password.",
    };
    page(StatusCode::OK, &notice)
}

impl Web {
    async fn mail_sign_up(&self, email: &str) -> Result<(), NotSent> {
        let secret = random::key(PREFIX);
        let (hash, now) = (key_hash(&secret), self.node.now());
        let asked = email.to_owned();
        let made = self.store.write(move |sql| {
            if accounts::by_email(sql, &asked)?.is_some() {
                return Ok(false);
            }
            let purpose = format!("{PURPOSE}{asked}");
            keys::insert_link(sql, &hash, &purpose, now, now + LINK_TIME)?;
            Ok(true)
        });
        let here = &self.public_url;
        let (title, text, path) = if made.await? {
            let text = format!(
                "Open this link to confirm your address and choose a password for your account on Nightbeat at {here}. \
                 It works once, for an hour. If you did not ask for it, ignore this mail: no account is made."
            );
            let title = "Your account on Nightbeat";
            (title, text, format!("/sign-up/{secret}"))
        } else {
            let text = format!(
                "Somebody, perhaps you, wanted an account on Nightbeat at {here} with your address. You have one: sign \
                 in to it, also without your password, by a link in a mail. If it was not you, ignore this mail: nothing \
                 has changed."
            );
            let title = "You have an account on Nightbeat";
            (title, text, "/sign-in".to_owned())
        };
        let link = format!("{here}{path}");
        Ok(self.mail(email, title.to_owned(), text, &link).await?)
    }

    /// The address for which this link makes an account, while it works.
    async fn sign_up_of(&self, secret: &str) -> Result<Option<String>, StoreError> {
        let (hash, now) = (key_hash(secret), self.node.now());
        let reading = self
            .store
            .read(move |sql| keys::link_purpose(sql, &hash, now));
        let purpose = reading.await?;
        Ok(purpose.and_then(|purpose| Some(purpose.strip_prefix(PURPOSE)?.to_owned())))
    }
}

pub(super) async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Path(secret): Path<String>,
) -> Response {
    if !web.may_sign_up() {
        return closed(&web);
    }
    match web.sign_up_of(&secret).await {
        Ok(Some(email)) => choose(&web, &visitor, StatusCode::OK, &secret, &email, None),
        Ok(None) => gone(&web),
        Err(error) => unavailable(&web, &error),
    }
}

/// Makes the account of whoever has read the mail, and signs them in.
pub(super) async fn sign_up(
    State(web): State<Web>,
    visitor: Visitor,
    Path(secret): Path<String>,
    Posted(chosen): Posted<Chosen>,
) -> Response {
    if !web.may_sign_up() {
        return closed(&web);
    }
    let email = match web.sign_up_of(&secret).await {
        Ok(Some(email)) => email,
        Ok(None) => return gone(&web),
        Err(error) => return unavailable(&web, &error),
    };
    if let Some(problem) = passwords::problem(&chosen.password) {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return choose(&web, &visitor, status, &secret, &email, Some(problem));
    }
    let password_hash = match web.passwords.hash(chosen.password).await {
        Ok(hash) => hash,
        Err(error) => return web.no_password(&error),
    };
    let now = web.node.now();
    let account = verified_account(&email, Some(password_hash), now);
    let (hash, id, purpose) = (key_hash(&secret), account.id, format!("{PURPOSE}{email}"));
    let created = web.change(move |sql| {
        let is_ours = keys::take_link(sql, &hash, &purpose, now)?;
        if is_ours {
            accounts::create(sql, &account)?;
        }
        Ok(is_ours)
    });
    match created.await {
        Ok(true) => {}
        Ok(false) => return gone(&web),
        // Made meanwhile, through another link. Whoever reads here reads the mails, too.
        Err(StoreError::Conflict(_)) => return has_one(&web),
        Err(error) => return unavailable(&web, &error),
    }
    let signed_in = SignedIn {
        who: email,
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

fn choose(
    web: &Web,
    visitor: &Visitor,
    status: StatusCode,
    secret: &str,
    email: &str,
    problem: Option<&str>,
) -> Response {
    let template = Opened {
        frame: web.frame_of(visitor),
        problem,
        secret,
        email,
    };
    visitor.with_cookie(web, page(status, &template))
}

fn closed(web: &Web) -> Response {
    let (title, text) = if web.sign_up == SignUp::Open {
        (
            "Sign-up needs mail",
            "Everybody may have an account on this server, once a mail has shown that their address is theirs; but it \
             is not set up to send any. Its operator can change that (smtp in the configuration), or make you an \
             account.",
        )
    } else {
        (
            "Sign-up is closed",
            "Accounts on this server are made by its operator, or by an invitation to a project. Ask one of its \
             people.",
        )
    };
    let notice = Notice {
        frame: web.frame(),
        title,
        text,
    };
    page(StatusCode::NOT_FOUND, &notice)
}

fn has_one(web: &Web) -> Response {
    let notice = Notice {
        frame: web.frame(),
        title: "You have an account already",
        text: "It was made a moment ago, perhaps through another mail. Sign in to it.",
    };
    page(StatusCode::CONFLICT, &notice)
}

fn gone(web: &Web) -> Response {
    let notice = Notice {
        frame: web.frame(),
        title: "This link does not work",
        text: "It was used, or is older than an hour, or is not whole. Sign up again for another one.",
    };
    page(StatusCode::NOT_FOUND, &notice)
}
