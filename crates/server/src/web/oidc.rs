//! Signing in at an OpenID Connect provider.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use nightbeat_store::StoreError;
use nightbeat_store::control::accounts::{self, Account};
use nightbeat_store::control::{identities, passkeys as ceremonies};
use nightbeat_store::sql::Sql;
use serde::{Deserialize, Serialize};

use super::Web;
use super::next;
use super::pages::{Notice, page, unavailable};
use super::sign_in::Onward;
use super::viewer::Visitor;
use crate::accounts::oidc::{Identity, OidcError, Remembered};
use crate::accounts::{email_problem, key_hash, verified_account};
use crate::config::SignUp;

/// How long somebody may take at the provider.
const CEREMONY_TIME: Duration = Duration::from_secs(900);

/// What is remembered while somebody is at the provider.
#[derive(Serialize, Deserialize)]
struct Away {
    remembered: Remembered,
    next: String,
    /// The browser that went: nobody else comes back in its place.
    browser: String,
}

/// What the provider sends back.
#[derive(Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    error: String,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Oidc(#[from] OidcError),
    #[error("nothing was begun in this browser, or too long ago")]
    NotBegun,
    #[error("the provider says: {0}")]
    Said(String),
    #[error("there is no account for this person")]
    NoAccount,
    #[error("whether the account with this address is theirs is not known")]
    NeverConfirmed,
}

/// Leads to the provider.
pub(super) async fn begin(
    State(web): State<Web>,
    visitor: Visitor,
    Query(onward): Query<Onward>,
) -> Response {
    let Some(provider) = web.provider.clone() else {
        return web.no_such_page();
    };
    let now = web.node.now();
    if let Err(wait) = web.throttle.take_of_address(visitor.address, now) {
        return web.come_back(&visitor, wait);
    }
    let begun = match provider.begin(now).await {
        Ok(begun) => begun,
        Err(error) => return failed(&web, &visitor, &error.into()),
    };
    let away = Away {
        remembered: begun.remembered,
        next: next::safe(&onward.next).to_owned(),
        browser: visitor.csrf.clone(),
    };
    let Ok(away) = serde_json::to_string(&away) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let hash = key_hash(&begun.state);
    let remembering =
        web.change(move |sql| ceremonies::begin_ceremony(sql, &hash, &away, now + CEREMONY_TIME));
    match remembering.await {
        Ok(()) => visitor.with_cookie(&web, Redirect::to(&begun.url).into_response()),
        Err(error) => unavailable(&web, &error),
    }
}

/// The provider has sent somebody back.
pub(super) async fn back(
    State(web): State<Web>,
    visitor: Visitor,
    Query(back): Query<Back>,
) -> Response {
    match who(&web, &visitor, back).await {
        // Whether a second step is asked for is the provider's business.
        Ok((account, next)) => {
            let how = "at the OpenID Connect provider";
            web.enter(&visitor, account, how, &next).await
        }
        Err(refused) => failed(&web, &visitor, &refused),
    }
}

async fn who(web: &Web, visitor: &Visitor, back: Back) -> Result<(Account, String), Refused> {
    let provider = web.provider.clone().ok_or(Refused::NotBegun)?;
    let (hash, now) = (key_hash(&back.state), web.node.now());
    let taking = web.change(move |sql| ceremonies::take_ceremony(sql, &hash, now));
    let away = taking.await?.ok_or(Refused::NotBegun)?;
    let away: Away = serde_json::from_str(&away).map_err(|_| Refused::NotBegun)?;
    if key_hash(&away.browser) != key_hash(&visitor.csrf) {
        return Err(Refused::NotBegun);
    }
    if !back.error.is_empty() {
        return Err(Refused::Said(back.error));
    }
    let identity = provider.finish(back.code, away.remembered, now).await?;
    let open = web.sign_up == SignUp::Open;
    let finding = web.change(move |sql| account_of(sql, &identity, open, now));
    match finding.await? {
        Found::Account(account) => Ok((account, away.next)),
        Found::NeverConfirmed => Err(Refused::NeverConfirmed),
        Found::None => Err(Refused::NoAccount),
    }
}

/// Which account somebody has.
enum Found {
    Account(Account),
    /// Somebody has made one with their address, and never shown that it is theirs: it may be somebody else, who
    /// would be in the same account from then on.
    NeverConfirmed,
    None,
}

/// The account that this person had the last time; else the one with their verified address, where whoever made it
/// has shown that the address is theirs; else, where everybody may have one, a new one.
fn account_of(
    sql: &mut dyn Sql,
    identity: &Identity,
    open: bool,
    now: nightbeat_domain::UnixMicros,
) -> nightbeat_store::Result<Found> {
    if let Some(id) = identities::account(sql, &identity.issuer, &identity.subject)? {
        return Ok(accounts::get(sql, id)?.map_or(Found::None, Found::Account));
    }
    let email = identity.email.as_deref().map(accounts::email_key);
    let Some(email) = email.filter(|email| email_problem(email).is_none()) else {
        return Ok(Found::None);
    };
    let account = match accounts::by_email(sql, &email)? {
        Some(account) if account.verified_at.is_none() => return Ok(Found::NeverConfirmed),
        Some(account) => account,
        None if open => {
            let account = verified_account(&email, None, now);
            accounts::create(sql, &account)?;
            account
        }
        None => return Ok(Found::None),
    };
    identities::insert(sql, &identity.issuer, &identity.subject, account.id, now)?;
    Ok(Found::Account(account))
}

impl Web {
    /// The answer where somebody else says who a person is, and the account with their address may be another's.
    pub(super) fn never_confirmed(&self, visitor: &Visitor) -> Response {
        let text = if self.notifier.sends_mail() {
            "There is an account with your address, but nobody has shown yet that the address is theirs, so it may be \
             another's. If you made it, sign in to it as before and confirm the address on your profile. If you did \
             not, or cannot: let a link be mailed to you where you sign in (without a password). It makes the account \
             yours, and ends what opened it before."
        } else {
            "There is an account with your address, but nobody has shown yet that the address is theirs, so it may be \
             another's. This server sends no mail that could show it. Its operator can make the account yours: \
             nightbeat init with your address gives it a new password, and ends what opened it before."
        };
        let notice = Notice {
            frame: self.frame_of(visitor),
            title: "This account is not confirmed",
            text,
        };
        page(StatusCode::FORBIDDEN, &notice)
    }
}

fn failed(web: &Web, visitor: &Visitor, refused: &Refused) -> Response {
    if let Refused::Store(error) = refused {
        return unavailable(web, error);
    }
    tracing::warn!(error = %refused, address = visitor.address_text(), "no sign-in at the provider");
    if matches!(refused, Refused::NeverConfirmed) {
        return web.never_confirmed(visitor);
    }
    let (status, text) = match refused {
        Refused::NoAccount => (
            StatusCode::FORBIDDEN,
            "The provider says who you are, but there is no account for you here. Ask the operator for one (nightbeat \
             init), or for an invitation. The provider must also say that your e-mail address is verified.",
        ),
        Refused::Oidc(OidcError::Provider(_) | OidcError::Configuration(_)) => (
            StatusCode::BAD_GATEWAY,
            "The provider does not answer as it should. The server's log says more; another way to sign in may work.",
        ),
        _ => (
            StatusCode::UNAUTHORIZED,
            "It took too long, was broken off, or began in another browser. Go back to the sign-in, and try again.",
        ),
    };
    let notice = Notice {
        frame: web.frame_of(visitor),
        title: "You are not signed in",
        text,
    };
    page(status, &notice)
}
