//! The second step of a sign-in.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use nightbeat_store::StoreError;
use nightbeat_store::control::accounts::{self, Account};
use nightbeat_store::control::keys;
use serde::Deserialize;
use uuid::Uuid;

use super::Web;
use super::forms::Posted;
use super::next;
use super::pages::{Frame, page, unavailable};
use super::sign_in::{retry_after, too_many};
use super::viewer::Visitor;
use crate::accounts::{key_hash, second_step};
use crate::random;

/// How long the first step counts.
const TICKET_TIME: Duration = Duration::from_secs(600);
/// What tickets are for; the account's id stands behind it.
const PURPOSE: &str = "second step of ";

#[derive(Template)]
#[template(path = "sign_in_code.html")]
struct Asked<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    /// Says that the first step was taken.
    ticket: &'a str,
    next: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Answer {
    ticket: String,
    code: String,
    #[serde(default)]
    next: String,
}

/// What became of a code.
enum Outcome {
    Right(Account),
    Wrong,
    /// The first step was too long ago.
    TooLate,
}

impl Web {
    /// Asks for a code of somebody who has taken the first step.
    pub(super) async fn ask_for_code(
        &self,
        visitor: &Visitor,
        account: Account,
        how: &'static str,
        next: &str,
    ) -> Response {
        tracing::debug!(how, "the first step was taken");
        let ticket = random::key("");
        let (hash, now) = (key_hash(&ticket), self.node.now());
        let purpose = format!("{PURPOSE}{}", account.id);
        let noted =
            self.change(move |sql| keys::insert_link(sql, &hash, &purpose, now, now + TICKET_TIME));
        match noted.await {
            Ok(()) => ask(self, visitor, StatusCode::OK, &ticket, next, None),
            Err(error) => unavailable(self, &error),
        }
    }
}

pub(super) async fn check(
    State(web): State<Web>,
    visitor: Visitor,
    Posted(answer): Posted<Answer>,
) -> Response {
    let (hash, now) = (key_hash(&answer.ticket), web.node.now());
    let purpose = web
        .store
        .read(move |sql| keys::link_purpose(sql, &hash, now))
        .await;
    let account = match purpose {
        Ok(purpose) => purpose.and_then(|purpose| purpose.strip_prefix(PURPOSE)?.parse().ok()),
        Err(error) => return unavailable(&web, &error),
    };
    let Some(account) = account else {
        return too_late(&web, &answer.next);
    };
    // Six digits can be guessed: they are counted as passwords are, but apart from them.
    let who = format!("second step of {account}");
    let taken = match web.throttle.take(&who, visitor.address, now) {
        Ok(taken) => taken,
        Err(wait) => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            let problem = too_many(wait);
            let page = ask(
                &web,
                &visitor,
                status,
                &answer.ticket,
                &answer.next,
                Some(&problem),
            );
            return (retry_after(wait), page).into_response();
        }
    };
    let code = answer.code.clone();
    let outcome = judged(&web, hash, account, code).await;
    match outcome {
        Ok(Outcome::Right(account)) => {
            web.throttle.give_back(taken);
            let how = "in two steps";
            web.enter(&visitor, account, how, &answer.next).await
        }
        Ok(Outcome::TooLate) => too_late(&web, &answer.next),
        Ok(Outcome::Wrong) => {
            let problem = "This is not the code of this moment, or it was used already. Wait for the next one.";
            let status = StatusCode::UNAUTHORIZED;
            ask(
                &web,
                &visitor,
                status,
                &answer.ticket,
                &answer.next,
                Some(problem),
            )
        }
        Err(error) => unavailable(&web, &error),
    }
}

/// Takes the code, and with it the ticket: all of it, or nothing.
async fn judged(
    web: &Web,
    hash: [u8; 32],
    account: Uuid,
    code: String,
) -> Result<Outcome, StoreError> {
    let now = web.node.now();
    let purpose = format!("{PURPOSE}{account}");
    let judging = web.change(move |sql| {
        if !second_step::take(sql, account, &code, now)? {
            return Ok(Outcome::Wrong);
        }
        if !keys::take_link(sql, &hash, &purpose, now)? {
            return Ok(Outcome::TooLate);
        }
        let found = accounts::get(sql, account)?;
        Ok(found.map_or(Outcome::TooLate, Outcome::Right))
    });
    judging.await
}

fn too_late(web: &Web, next: &str) -> Response {
    web.go_to(&next::sign_in_path(next))
}

fn ask(
    web: &Web,
    visitor: &Visitor,
    status: StatusCode,
    ticket: &str,
    next: &str,
    problem: Option<&str>,
) -> Response {
    let template = Asked {
        frame: web.frame_of(visitor),
        problem,
        ticket,
        next: next::safe(next),
    };
    visitor.with_cookie(web, page(status, &template))
}
