//! Reports by mail: which ones a person wants, one right now, and none any more.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use nightbeat_store::control::accounts;
use nightbeat_store::control::audit;
use nightbeat_store::control::reports::{self, Report, Rhythm};
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::pages::{Frame, Notice, page, unavailable};
use super::profile::Nothing;
use super::sign_in::{retry_after, too_many};
use super::time::When;
use super::viewer::Person;
use crate::reports::{USUAL_HOUR, new_secret, wish};

/// The page's path.
const PATH: &str = "/profile/reports";

/// Nobody gets mails because somebody else has typed their address.
const NOT_CONFIRMED: &str = "Your address was never confirmed: reports go to addresses that were.";

fn is_confirmed(person: &Person) -> bool {
    person.account.verified_at.is_some()
}

#[derive(Template)]
#[template(path = "reports.html")]
struct Reports<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    /// What was done.
    done: Option<&'a str>,
    /// There is a mail server.
    possible: bool,
    /// The address is known to be the person's own.
    confirmed: bool,
    email: &'a str,
    /// `none`, `daily`, `weekly` or `monthly`.
    rhythm: &'static str,
    hour: u8,
    /// By which zone's clocks; `None`: the profile names none, and it is UTC.
    zone: Option<&'a str>,
    next: Option<When>,
    last: Option<When>,
    /// Why the last one did not arrive.
    failure: Option<&'a str>,
}

impl Reports<'_> {
    /// Each hour of the day, and how it is shown.
    fn hours() -> impl Iterator<Item = (u8, String)> {
        (0..24).map(|hour| (hour, format!("{hour:02}:00")))
    }
}

/// Asks whether to end reports. A program that looks at links in mails does not press buttons.
#[derive(Template)]
#[template(path = "reports_end.html")]
struct End<'a> {
    frame: Frame,
    secret: &'a str,
    email: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    rhythm: String,
    #[serde(default)]
    hour: String,
}

impl Choice {
    /// What was chosen; an error says what is wrong.
    fn read(&self) -> Result<(Option<Rhythm>, u8), &'static str> {
        let rhythm = match self.rhythm.as_str() {
            "none" => None,
            "daily" => Some(Rhythm::Daily),
            "weekly" => Some(Rhythm::Weekly),
            "monthly" => Some(Rhythm::Monthly),
            _ => return Err("Reports come never, each day, each week or each month: choose one."),
        };
        let hour = self.hour.parse().ok().filter(|hour| *hour < 24);
        let hour = hour.ok_or("The hour is a number from 0 to 23.")?;
        Ok((rhythm, hour))
    }
}

pub(super) async fn show(State(web): State<Web>, person: Person) -> Response {
    tell(&web, &person, StatusCode::OK, Ok(None)).await
}

/// The page, with what was done, or with what is wrong.
async fn tell(
    web: &Web,
    person: &Person,
    status: StatusCode,
    said: Result<Option<&str>, &str>,
) -> Response {
    let id = person.account.id;
    let known = match web.store.read(move |sql| reports::get(sql, id)).await {
        Ok(known) => known,
        Err(error) => return unavailable(web, &error),
    };
    let reader = web.reader(&person.viewer);
    let of = |at: fn(&Report) -> Option<_>| known.as_ref().and_then(at).map(|at| reader.when(at));
    let rhythm = known.as_ref().and_then(|report| report.rhythm);
    let template = Reports {
        frame: web.frame_for(&person.viewer),
        problem: said.err(),
        done: said.ok().flatten(),
        possible: web.reports.can_be_sent(),
        confirmed: is_confirmed(person),
        email: &person.account.email,
        rhythm: rhythm.map_or("none", Rhythm::as_str),
        hour: known.as_ref().map_or(USUAL_HOUR, |report| report.hour),
        zone: person.account.time_zone.as_deref(),
        next: of(|report| report.next_at),
        last: of(|report| report.sent_at),
        failure: known.as_ref().and_then(|report| report.problem.as_deref()),
    };
    page(status, &template)
}

pub(super) async fn choose(
    State(web): State<Web>,
    person: Person,
    Posted(choice): Posted<Choice>,
) -> Response {
    let (rhythm, hour) = match choice.read() {
        Ok(read) => read,
        Err(problem) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return tell(&web, &person, status, Err(problem)).await;
        }
    };
    if rhythm.is_some() && !is_confirmed(&person) {
        let status = StatusCode::FORBIDDEN;
        return tell(&web, &person, status, Err(NOT_CONFIRMED)).await;
    }
    let (id, now) = (person.account.id, web.node.now());
    let zone = person.account.time_zone.as_deref();
    let wish = wish(rhythm, hour, zone, now, &new_secret());
    let about = rhythm.map_or("none".to_owned(), |rhythm| {
        format!("{}, at {hour:02}:00", rhythm.as_str())
    });
    let entry = person
        .viewer
        .entry(None, "chose reports by mail", about, now);
    let changed = web.change(move |sql| {
        reports::choose(sql, id, &wish)?;
        audit::note(sql, &entry)
    });
    match changed.await {
        Ok(()) => web.go_to(PATH),
        Err(error) => unavailable(&web, &error),
    }
}

/// A report right now; it takes no other's place.
pub(super) async fn send_now(
    State(web): State<Web>,
    person: Person,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if !web.reports.can_be_sent() {
        return web.no_such_page();
    }
    if !is_confirmed(&person) {
        let status = StatusCode::FORBIDDEN;
        return tell(&web, &person, status, Err(NOT_CONFIRMED)).await;
    }
    let email = &person.account.email;
    // Never given back, and apart from passwords: nobody's mailbox is filled, and nobody is locked out by mails.
    let who = format!("report to {email}");
    if let Err(wait) = web.throttle.take(&who, None, web.node.now()) {
        let problem = too_many(wait);
        let status = StatusCode::TOO_MANY_REQUESTS;
        let page = tell(&web, &person, status, Err(&problem)).await;
        return (retry_after(wait), page).into_response();
    }
    // On its own task: also when the browser goes away meanwhile, it comes to its end.
    let (sender, account) = (web.reports.clone(), person.account.clone());
    let sent = tokio::spawn(async move { sender.send_now(&account).await }).await;
    match sent {
        Ok(Ok(())) => {
            let done = format!("A report is on its way to {email}.");
            tell(&web, &person, StatusCode::OK, Ok(Some(&done))).await
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "a report that was asked for could not be sent");
            let problem = format!("No report was sent: {error}");
            tell(&web, &person, StatusCode::BAD_GATEWAY, Err(&problem)).await
        }
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// The page behind the link in a report.
pub(super) async fn ask_to_end(State(web): State<Web>, Path(secret): Path<String>) -> Response {
    let asked = secret.clone();
    let looking = web.store.read(move |sql| {
        let Some(report) = reports::by_secret(sql, &asked)? else {
            return Ok(None);
        };
        accounts::get(sql, report.account)
    });
    match looking.await {
        Ok(Some(account)) => {
            let template = End {
                frame: web.frame(),
                secret: &secret,
                email: &account.email,
            };
            page(StatusCode::OK, &template)
        }
        Ok(None) => gone(&web),
        Err(error) => unavailable(&web, &error),
    }
}

/// Ends reports: the button of the page, or one click in a mail program (RFC 8058), whose server knows nothing
/// but this link. The secret in it is all that is needed, and it is good for nothing else: no session, no token.
pub(super) async fn end(State(web): State<Web>, Path(secret): Path<String>) -> Response {
    match web.change(move |sql| reports::end(sql, &secret)).await {
        Ok(true) => {
            let notice = Notice {
                frame: web.frame(),
                title: "No more reports",
                text: "You get no more of them. Alerts come as before. If you change your mind: Profile, Reports by \
                       mail.",
            };
            page(StatusCode::OK, &notice)
        }
        Ok(false) => gone(&web),
        Err(error) => unavailable(&web, &error),
    }
}

fn gone(web: &Web) -> Response {
    let notice = Notice {
        frame: web.frame(),
        title: "This link does not work",
        text: "It is not whole, or the account that it belonged to is gone, and with it its reports.",
    };
    page(StatusCode::NOT_FOUND, &notice)
}
