//! The sign-in: by password, or by showing an API key. The other ways stand beside it.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use http::header::{RETRY_AFTER, SET_COOKIE};
use nightbeat_store::control::accounts::{self, Account};
use nightbeat_store::control::keys;
use nightbeat_store::control::sessions::SessionOwner;
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::next;
use super::pages::{Notice, SignIn, page, unavailable};
use super::session::SignedIn;
use super::viewer::Visitor;
use crate::accounts::key_hash;
use crate::accounts::passwords::PasswordError;
use crate::accounts::second_step;

/// Where to go on.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Onward {
    #[serde(default)]
    pub(super) next: String,
}

/// What the form holds: an address and a password, or a key.
#[derive(Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    next: String,
}

/// Why somebody is not signed in.
enum Refused {
    /// What was shown is wrong, in words.
    Wrong(&'static str),
    /// Too many tries: wait so long.
    Wait(Duration),
    Response(Response),
}

pub(super) async fn form(
    State(web): State<Web>,
    visitor: Visitor,
    Query(onward): Query<Onward>,
) -> Response {
    if visitor.viewer.is_some() {
        return web.go_to(&onward.next);
    }
    if let Some(email) = visitor.at_proxy.clone() {
        return web.enter_by_proxy(&visitor, email, &onward.next).await;
    }
    ask(&web, &visitor, StatusCode::OK, "", &onward.next, None)
}

pub(super) async fn sign_in(
    State(web): State<Web>,
    visitor: Visitor,
    Posted(shown): Posted<Shown>,
) -> Response {
    let (email, onward) = (shown.email.clone(), shown.next.clone());
    let signed_in = if shown.key.trim().is_empty() {
        by_password(&web, &visitor, shown).await
    } else {
        by_key(&web, &visitor, &shown).await
    };
    match signed_in {
        Ok(response) | Err(Refused::Response(response)) => response,
        Err(Refused::Wrong(problem)) => {
            let status = StatusCode::UNAUTHORIZED;
            ask(&web, &visitor, status, &email, &onward, Some(problem))
        }
        Err(Refused::Wait(wait)) => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            let problem = too_many(wait);
            let page = ask(&web, &visitor, status, &email, &onward, Some(&problem));
            (retry_after(wait), page).into_response()
        }
    }
}

/// What somebody is told who has tried too often.
pub(super) fn too_many(wait: Duration) -> String {
    format!(
        "Too many tries. Wait {} s, and try again.",
        wait.as_secs() + 1
    )
}

/// The same for programs.
pub(super) fn retry_after(wait: Duration) -> [(http::HeaderName, String); 1] {
    [(RETRY_AFTER, (wait.as_secs() + 1).to_string())]
}

/// Ends the session.
pub(super) async fn sign_out(
    State(web): State<Web>,
    visitor: Visitor,
    Posted(onward): Posted<Onward>,
) -> Response {
    if let Err(error) = web.end_session(&visitor).await {
        return unavailable(&web, &error);
    }
    let cookie = web.cookies.end_session();
    let to = format!("{}{}", web.base, next::sign_in_path(&onward.next));
    ([(SET_COOKIE, cookie)], Redirect::to(&to)).into_response()
}

async fn by_password(web: &Web, visitor: &Visitor, shown: Shown) -> Result<Response, Refused> {
    let account = web
        .who_has_password(visitor, &shown.email, shown.password)
        .await?;
    Ok(web
        .let_in(visitor, account, "by password", &shown.next)
        .await)
}

async fn by_key(web: &Web, visitor: &Visitor, shown: &Shown) -> Result<Response, Refused> {
    let hash = key_hash(shown.key.trim());
    let found = web.store.read(move |sql| keys::find_by_hash(sql, &hash));
    let away = |error| Refused::Response(unavailable(web, &error));
    let Some(owner) = found.await.map_err(away)? else {
        return Err(Refused::Wrong(
            "This is not a key of a project on this server.",
        ));
    };
    let signed_in = SignedIn {
        who: String::new(),
        how: "by API key",
    };
    let owner = SessionOwner::Key(owner.id);
    let cookie = web.begin_session(visitor, owner, signed_in).await;
    let cookie = cookie.map_err(away)?;
    Ok(([(SET_COOKIE, cookie)], web.go_to(&shown.next)).into_response())
}

impl Web {
    /// The account with this address and password. Unknown addresses take as long as known ones, and are told
    /// the same.
    async fn who_has_password(
        &self,
        visitor: &Visitor,
        email: &str,
        password: String,
    ) -> Result<Account, Refused> {
        let email = accounts::email_key(email);
        let taken = self
            .throttle
            .take(&email, visitor.address, self.node.now())
            .map_err(Refused::Wait)?;
        let asked = email.clone();
        let found = self.store.read(move |sql| accounts::by_email(sql, &asked));
        let found = found
            .await
            .map_err(|error| Refused::Response(unavailable(self, &error)))?;
        let hash = found
            .as_ref()
            .and_then(|account| account.password_hash.clone());
        let fits = self.passwords.fits(password, hash).await;
        let fits = fits.map_err(|error| Refused::Response(self.no_password(&error)))?;
        let Some(account) = found.filter(|_| fits) else {
            let address = visitor.address_text();
            tracing::warn!(address, "a sign-in with a wrong password");
            let problem = "There is no account with this address and password.";
            return Err(Refused::Wrong(problem));
        };
        self.throttle.give_back(taken);
        Ok(account)
    }

    /// The answer to who has tried too often, where there is no form to show it in.
    pub(super) fn come_back(&self, visitor: &Visitor, wait: Duration) -> Response {
        let text = too_many(wait);
        let notice = Notice {
            frame: self.frame_of(visitor),
            title: "Not now",
            text: &text,
        };
        let page = page(StatusCode::TOO_MANY_REQUESTS, &notice);
        (retry_after(wait), page).into_response()
    }

    /// The answer where passwords cannot be worked on.
    pub(super) fn no_password(&self, error: &PasswordError) -> Response {
        tracing::error!(%error, "a password could not be checked");
        let notice = Notice {
            frame: self.frame(),
            title: "Not now",
            text: "Too many people sign in at once, or guess passwords. Try again in a moment.",
        };
        let page = page(StatusCode::SERVICE_UNAVAILABLE, &notice);
        ([(RETRY_AFTER, "5")], page).into_response()
    }

    /// Signs a person in who has shown the first thing; where the account asks for a second one, asks for it.
    pub(super) async fn let_in(
        &self,
        visitor: &Visitor,
        account: Account,
        how: &'static str,
        next: &str,
    ) -> Response {
        let id = account.id;
        let asking = self
            .store
            .read(move |sql| second_step::is_asked_for(sql, id))
            .await;
        match asking {
            Ok(false) => self.enter(visitor, account, how, next).await,
            Ok(true) => self.ask_for_code(visitor, account, how, next).await,
            Err(error) => unavailable(self, &error),
        }
    }

    /// Signs a person in who has shown everything.
    pub(super) async fn enter(
        &self,
        visitor: &Visitor,
        account: Account,
        how: &'static str,
        next: &str,
    ) -> Response {
        let signed_in = SignedIn {
            who: account.email,
            how,
        };
        let owner = SessionOwner::Account(account.id);
        match self.begin_session(visitor, owner, signed_in).await {
            Ok(cookie) => ([(SET_COOKIE, cookie)], self.go_to(next)).into_response(),
            Err(error) => unavailable(self, &error),
        }
    }

    /// To a page of ours.
    pub(super) fn go_to(&self, path: &str) -> Response {
        Redirect::to(&format!("{}{}", self.base, next::safe(path))).into_response()
    }
}

fn ask(
    web: &Web,
    visitor: &Visitor,
    status: StatusCode,
    email: &str,
    next: &str,
    problem: Option<&str>,
) -> Response {
    let template = SignIn {
        frame: web.frame_of(visitor),
        problem,
        email,
        next: next::safe(next),
        open: web.may_sign_up(),
        provider: web.provider.as_ref().map(|provider| provider.name.as_str()),
        passkeys: web.passkeys.is_some(),
        mails: web.notifier.sends_mail(),
    };
    visitor.with_cookie(web, page(status, &template))
}
