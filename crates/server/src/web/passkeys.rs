//! Passkeys: making one, removing one, and signing in with one.
//!
//! The question to the browser stands in a page, and the answer comes back in a form: a small script carries it from
//! one to the other.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use nightbeat_store::control::accounts::{self, Account};
use nightbeat_store::control::audit;
use nightbeat_store::control::passkeys::{self as stored, PASSKEYS_MAX, Passkey};
use nightbeat_store::{Result as Stored, StoreError};
use serde::Deserialize;

use super::forms::Posted;
use super::next;
use super::pages::{Frame, Notice, page, unavailable};
use super::profile::Nothing;
use super::sign_in::Onward;
use super::time::{Reader, When};
use super::viewer::{Person, Target, Visitor};
use super::{Web, assets};
use crate::accounts::key_hash;
use crate::accounts::passkeys::{Asked, PasskeyError, Passkeys};
use crate::random;

/// How long a browser has for its answer.
const CEREMONY_TIME: Duration = Duration::from_secs(300);
/// The longest name of a passkey.
const NAME_CHARS_MAX: usize = 100;
/// The page's path.
const PATH: &str = "/profile/passkeys";

#[derive(Template)]
#[template(path = "passkeys.html")]
struct Page<'a> {
    frame: Frame,
    script: String,
    problem: Option<&'a str>,
    /// Browsers have passkeys for this server's address.
    possible: bool,
    passkeys: Vec<Line>,
    /// The question for a new one, and the secret that names it; empty: the person must confirm who they are first.
    options: String,
    ticket: String,
}

struct Line {
    id: String,
    name: String,
    created: When,
    used: Option<When>,
}

#[derive(Template)]
#[template(path = "sign_in_passkey.html")]
struct SignIn<'a> {
    frame: Frame,
    script: String,
    options: &'a str,
    ticket: &'a str,
    next: &'a str,
}

#[derive(Deserialize)]
pub(super) struct NewPasskey {
    ticket: String,
    #[serde(default)]
    credential: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
pub(super) struct Answer {
    ticket: String,
    #[serde(default)]
    credential: String,
    #[serde(default)]
    next: String,
}

/// Why an answer signs nobody in.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    #[error("nothing was asked, or too long ago")]
    NotAsked,
    #[error("this passkey is not known")]
    Unknown,
}

pub(super) async fn show(State(web): State<Web>, person: Person) -> Response {
    tell(&web, &person, StatusCode::OK, None).await
}

async fn tell(web: &Web, person: &Person, status: StatusCode, problem: Option<&str>) -> Response {
    let id = person.account.id;
    let known = match web.store.read(move |sql| stored::list(sql, id)).await {
        Ok(known) => known,
        Err(error) => return unavailable(web, &error),
    };
    let may_ask = person.viewer.is_confirmed(web.node.now());
    let asked = match web.passkeys.as_deref().filter(|_| may_ask) {
        Some(passkeys) => {
            web.ask_for_passkey(passkeys.ask_for_new(&person.account, &known))
                .await
        }
        None => Ok((String::new(), String::new())),
    };
    let (options, ticket) = match asked {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let reader = web.reader(&person.viewer);
    let template = Page {
        frame: web.frame_for(&person.viewer),
        script: web.passkeys_script(),
        problem,
        possible: web.passkeys.is_some(),
        passkeys: known.into_iter().map(|one| line(one, &reader)).collect(),
        options,
        ticket,
    };
    page(status, &template)
}

fn line(passkey: Passkey, reader: &Reader) -> Line {
    Line {
        id: passkey.id.to_string(),
        name: passkey.name,
        created: reader.when(passkey.created_at),
        used: passkey.used_at.map(|at| reader.when(at)),
    }
}

impl Web {
    /// The path of the script that carries questions and answers.
    fn passkeys_script(&self) -> String {
        format!("{}{}", self.base, assets::PASSKEYS.path())
    }

    /// Remembers a question; its options, and the secret that names it.
    async fn ask_for_passkey(
        &self,
        asked: Result<Asked, PasskeyError>,
    ) -> Result<(String, String), Response> {
        let asked = asked.map_err(|error| {
            tracing::error!(%error, "no passkey can be asked for");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        })?;
        let ticket = random::key("");
        let (hash, until) = (key_hash(&ticket), self.node.now() + CEREMONY_TIME);
        let state = asked.state;
        let remembering = self.change(move |sql| stored::begin_ceremony(sql, &hash, &state, until));
        let remembered = remembering.await;
        remembered.map_err(|error| unavailable(self, &error))?;
        Ok((asked.options, ticket))
    }

    /// What was remembered of a question; it is answered once.
    async fn asked(&self, ticket: &str) -> Stored<Option<String>> {
        let (hash, now) = (key_hash(ticket), self.node.now());
        self.change(move |sql| stored::take_ceremony(sql, &hash, now))
            .await
    }
}

/// Leads to the page, with the question in it, once the person has confirmed who they are.
pub(super) async fn begin(
    State(web): State<Web>,
    person: Person,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    let ask = web.must_be_confirmed(&person.viewer, PATH);
    ask.unwrap_or_else(|| web.go_to(PATH))
}

pub(super) async fn create(
    State(web): State<Web>,
    person: Person,
    Posted(wish): Posted<NewPasskey>,
) -> Response {
    if let Some(ask) = web.must_be_confirmed(&person.viewer, PATH) {
        return ask;
    }
    let name = wish.name.trim();
    let name = if name.is_empty() { "passkey" } else { name };
    if name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
        let problem = Some("A passkey's name has at most 100 characters, in one line.");
        return tell(&web, &person, StatusCode::UNPROCESSABLE_ENTITY, problem).await;
    }
    let made = match made(&web, &wish).await {
        Ok(made) => made,
        Err(Refused::Store(error)) => return unavailable(&web, &error),
        Err(refused) => {
            tracing::warn!(error = %refused, "a new passkey was not taken");
            let problem =
                Some("Your browser's answer was not accepted, or came too late. Try again.");
            return tell(&web, &person, StatusCode::UNPROCESSABLE_ENTITY, problem).await;
        }
    };
    let (id, now) = (person.account.id, web.node.now());
    let passkey = Passkey {
        id: random::uuid(),
        account: id,
        credential: made.credential,
        name: name.to_owned(),
        json: made.json,
        created_at: now,
        used_at: None,
    };
    let entry = person.viewer.entry(None, "made a passkey", name, now);
    let stored = web.change(move |sql| {
        if stored::list(sql, id)?.len() as i64 >= PASSKEYS_MAX {
            let problem = "You have fifty passkeys: remove some first.";
            return Err(StoreError::Conflict(problem.to_owned()));
        }
        stored::insert(sql, &passkey)?;
        audit::note(sql, &entry)
    });
    match stored.await {
        Ok(()) => web.go_to(PATH),
        Err(error) => web.refused(&error),
    }
}

async fn made(web: &Web, wish: &NewPasskey) -> Result<crate::accounts::passkeys::Made, Refused> {
    let passkeys = web.passkeys.as_deref().ok_or(Refused::NotAsked)?;
    let state = web.asked(&wish.ticket).await?.ok_or(Refused::NotAsked)?;
    Ok(passkeys.take_new(&wish.credential, &state)?)
}

pub(super) async fn remove(
    State(web): State<Web>,
    person: Person,
    Target(passkey): Target,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(ask) = web.must_be_confirmed(&person.viewer, PATH) {
        return ask;
    }
    let (id, now) = (person.account.id, web.node.now());
    let entry = person.viewer.entry(None, "removed a passkey", "", now);
    let removed = web.change(move |sql| {
        let removed = stored::remove(sql, id, passkey)?;
        if removed {
            audit::note(sql, &entry)?;
        }
        Ok(removed)
    });
    match removed.await {
        Ok(true) => web.go_to(PATH),
        Ok(false) => web.no_such_page(),
        Err(error) => unavailable(&web, &error),
    }
}

/// Asks for any passkey of this server.
pub(super) async fn ask(
    State(web): State<Web>,
    visitor: Visitor,
    Posted(onward): Posted<Onward>,
) -> Response {
    let Some(passkeys) = web.passkeys.clone() else {
        return web.no_such_page();
    };
    // Each question is a row: nobody fills the table quickly.
    let taken = web
        .throttle
        .take_of_address(visitor.address, web.node.now());
    if let Err(wait) = taken {
        return web.come_back(&visitor, wait);
    }
    let (options, ticket) = match web.ask_for_passkey(passkeys.ask()).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let template = SignIn {
        frame: web.frame_of(&visitor),
        script: web.passkeys_script(),
        options: &options,
        ticket: &ticket,
        next: next::safe(&onward.next),
    };
    visitor.with_cookie(&web, page(StatusCode::OK, &template))
}

pub(super) async fn enter(
    State(web): State<Web>,
    visitor: Visitor,
    Posted(answer): Posted<Answer>,
) -> Response {
    match who(&web, &answer).await {
        // A passkey is something one has and something one knows or is: no second step is asked for.
        Ok(account) => {
            web.enter(&visitor, account, "by passkey", &answer.next)
                .await
        }
        Err(Refused::Store(error)) => unavailable(&web, &error),
        Err(refused) => {
            tracing::warn!(error = %refused, address = visitor.address_text(), "a passkey was refused");
            let notice = Notice {
                frame: web.frame_of(&visitor),
                title: "This passkey does not fit",
                text: "It is not known here, or your browser's answer came too late. Go back to the sign-in, and try \
                       again.",
            };
            page(StatusCode::UNAUTHORIZED, &notice)
        }
    }
}

async fn who(web: &Web, answer: &Answer) -> Result<Account, Refused> {
    let passkeys = web.passkeys.clone().ok_or(Refused::NotAsked)?;
    let state = web.asked(&answer.ticket).await?.ok_or(Refused::NotAsked)?;
    let credential = Passkeys::credential_of(&answer.credential)?;
    let finding = web
        .store
        .read(move |sql| stored::by_credential(sql, &credential));
    let known = finding.await?.ok_or(Refused::Unknown)?;
    let json = passkeys.check(&answer.credential, &state, &known)?;
    let now = web.node.now();
    let noting = web.change(move |sql| {
        stored::used(sql, known.id, &json, now)?;
        accounts::get(sql, known.account)
    });
    noting.await?.ok_or(Refused::Unknown)
}
