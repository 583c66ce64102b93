//! Signing in by a link that is mailed, where a mail server is configured.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::UnixMicros;
use nightbeat_store::StoreError;
use nightbeat_store::control::accounts::{self, Account};
use nightbeat_store::control::{audit, keys};
use serde::Deserialize;
use uuid::Uuid;

use super::Web;
use super::forms::Posted;
use super::next;
use super::pages::{Frame, Notice, page, unavailable};
use super::sign_in::Onward;
use super::viewer::Visitor;
use crate::accounts::key_hash;
use crate::random;

/// How long a link works.
const LINK_TIME: Duration = Duration::from_secs(900);
/// What links are for; the account's id stands behind it.
const PURPOSE: &str = "sign-in of ";
/// What their secrets begin with.
const PREFIX: &str = "nb_l_";

/// Asks whether to go on. A program that looks at links in mails does not press buttons.
#[derive(Template)]
#[template(path = "sign_in_link.html")]
struct Opened<'a> {
    frame: Frame,
    secret: &'a str,
    email: &'a str,
    /// Somebody has shown before that the address is theirs.
    confirmed: bool,
    next: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    email: String,
    #[serde(default)]
    next: String,
}

/// Mails a link, and tells nobody whether there is such an account.
pub(super) async fn send(
    State(web): State<Web>,
    visitor: Visitor,
    Posted(wish): Posted<Wish>,
) -> Response {
    if !web.notifier.sends_mail() {
        return web.no_such_page();
    }
    let email = accounts::email_key(&wish.email);
    if let Err(wait) = web.take_mail(&visitor, &email) {
        return web.come_back(&visitor, wait);
    }
    // On its own task: how long it takes must not tell whether there is such an account.
    let (sender, onward) = (web.clone(), next::safe(&wish.next).to_owned());
    tokio::spawn(async move {
        if let Err(error) = sender.mail_link(&email, &onward).await {
            tracing::error!(%error, "a link to sign in could not be mailed");
        }
    });
    let notice = Notice {
        frame: web.frame_of(&visitor),
        title: "Look into your mail",
        text: "If there is an account with this address, a link is on its way to it. It works once, for 15 minutes.",
    };
    page(StatusCode::OK, &notice)
}

/// Why no link was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Mail(#[from] nightbeat_notify::SendError),
}

impl Web {
    /// Takes one of the mails that may be sent to this address; an error says how long to wait. None is given back,
    /// and they are counted apart from passwords: nobody's mailbox is filled, and nobody is locked out by mails.
    pub(super) fn take_mail(&self, visitor: &Visitor, email: &str) -> Result<(), Duration> {
        let whom = format!("mail to {email}");
        let taking = self.throttle.take(&whom, visitor.address, self.node.now());
        taking.map(drop)
    }

    async fn mail_link(&self, email: &str, onward: &str) -> Result<(), NotSent> {
        let secret = random::key(PREFIX);
        let (hash, now) = (key_hash(&secret), self.node.now());
        let asked = email.to_owned();
        let made = self.store.write(move |sql| {
            let Some(account) = accounts::by_email(sql, &asked)? else {
                return Ok(false);
            };
            let purpose = format!("{PURPOSE}{}", account.id);
            keys::insert_link(sql, &hash, &purpose, now, now + LINK_TIME)?;
            Ok(true)
        });
        if !made.await? {
            return Ok(());
        }
        let path = next::with_next(&format!("/sign-in/link/{secret}"), onward);
        let link = format!("{}{path}", self.public_url);
        let text = format!(
            "Open this link to sign in to Nightbeat at {}. It works once, for 15 minutes. If you did not ask for \
             it, ignore this mail: nobody else has it.",
            self.public_url
        );
        let title = "Your link to sign in to Nightbeat".to_owned();
        Ok(self.mail(email, title, text, &link).await?)
    }

    /// Whose link this is, while it works.
    async fn account_of_link(&self, secret: &str) -> Result<Option<Account>, StoreError> {
        let (hash, now) = (key_hash(secret), self.node.now());
        let reading = self.store.read(move |sql| {
            let Some(id) = keys::link_purpose(sql, &hash, now)?.and_then(account_in) else {
                return Ok(None);
            };
            accounts::get(sql, id)
        });
        reading.await
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the end of a chain")]
fn account_in(purpose: String) -> Option<Uuid> {
    purpose.strip_prefix(PURPOSE)?.parse().ok()
}

pub(super) async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Path(secret): Path<String>,
    Query(onward): Query<Onward>,
) -> Response {
    match web.account_of_link(&secret).await {
        Ok(Some(account)) => {
            let template = Opened {
                frame: web.frame_of(&visitor),
                secret: &secret,
                email: &account.email,
                confirmed: account.verified_at.is_some(),
                next: next::safe(&onward.next),
            };
            visitor.with_cookie(&web, page(StatusCode::OK, &template))
        }
        Ok(None) => gone(&web),
        Err(error) => unavailable(&web, &error),
    }
}

/// Signs whoever has read the mail in. Where the account's address was never confirmed, it is theirs from now on.
pub(super) async fn enter(
    State(web): State<Web>,
    visitor: Visitor,
    Path(secret): Path<String>,
    Posted(onward): Posted<Onward>,
) -> Response {
    let (hash, now) = (key_hash(&secret), web.node.now());
    let address = visitor.address_text();
    let taking = web.change(move |sql| {
        let Some(id) = keys::link_purpose(sql, &hash, now)?.and_then(account_in) else {
            return Ok(None);
        };
        if !keys::take_link(sql, &hash, &format!("{PURPOSE}{id}"), now)? {
            return Ok(None);
        }
        if let Some(found) = accounts::get(sql, id)?
            && found.verified_at.is_none()
        {
            accounts::hand_over(sql, id, now)?;
            audit::note(sql, &handed_over(found, &address, now))?;
        }
        accounts::get(sql, id)
    });
    match taking.await {
        Ok(Some(account)) => {
            let how = "by a link in a mail";
            web.let_in(&visitor, account, how, &onward.next).await
        }
        Ok(None) => gone(&web),
        Err(error) => unavailable(&web, &error),
    }
}

fn handed_over(account: Account, address: &str, now: UnixMicros) -> audit::Entry {
    audit::Entry {
        id: random::uuid(),
        at: now,
        project: None,
        account: Some(account.id),
        who: account.email,
        action: "confirmed the address".to_owned(),
        about: "by a link in a mail; what opened the account before does not any more".to_owned(),
        address: address.to_owned(),
    }
}

fn gone(web: &Web) -> Response {
    let notice = Notice {
        frame: web.frame(),
        title: "This link does not work",
        text: "It was used, or is older than 15 minutes, or is not whole. Ask for another one where you sign in.",
    };
    page(StatusCode::NOT_FOUND, &notice)
}
