//! The tries themselves.

use std::time::Duration;

use reqwest::{StatusCode, Url, header};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Address, Patience, PingError, Sent, Signal, heartbeat_url, signal_url};
use crate::api::Heartbeat;
use crate::{Client, ClientError, http};

/// How much of a refusal's text is shown, in bytes.
const REFUSAL_BYTES_MAX: usize = 200;

/// What is said of a try that ran out of time.
const NO_ANSWER: &str = "no answer in time";

/// Sends `signal` until it is recorded, refused, or `patience` is at its end.
///
/// What may go better next time is tried again: no connection, no answer, any 5xx, 429. `Retry-After`
/// (in seconds) lengthens a wait. `retrying` is told before each wait what went wrong.
pub async fn send(
    address: &Address,
    signal: &Signal,
    patience: &Patience,
    mut retrying: impl FnMut(&PingError, Duration),
) -> Result<Sent, PingError> {
    let end = Instant::now() + patience.total;
    let mut waits = patience.waits.iter();
    let mut route = None;
    let mut tries = 0;
    loop {
        tries += 1;
        let try_end = end.min(Instant::now() + patience.one_try);
        let failure = match one_try(&mut route, address, signal, try_end).await {
            Ok(()) => return Ok(Sent { tries }),
            Err(No::Final(error)) => return Err(error),
            Err(No::Later(failure)) => failure,
        };
        let wait = waits
            .next()
            .map(|wait| failure.retry_after.map_or(*wait, |asked| asked.max(*wait)))
            .filter(|wait| Instant::now() + *wait < end);
        let error = failure.error(tries);
        let Some(wait) = wait else {
            return Err(error);
        };
        retrying(&error, wait);
        sleep(wait).await;
    }
}

/// The way to a heartbeat, kept from one try to the next.
struct Route {
    http: reqwest::Client,
    url: Url,
}

/// A try that did not succeed.
enum No {
    /// It would not go better next time.
    Final(PingError),
    /// It may go better next time.
    Later(Failure),
}

/// A try that may go better next time.
struct Failure {
    server: String,
    answered: bool,
    reason: String,
    retry_after: Option<Duration>,
}

impl Failure {
    fn unanswered(server: String, reason: String) -> No {
        No::Later(Self {
            server,
            answered: false,
            reason,
            retry_after: None,
        })
    }

    fn error(self, tries: usize) -> PingError {
        let Self { server, reason, .. } = self;
        let tries = match tries {
            1 => "once".to_owned(),
            more => format!("{more} times"),
        };
        if self.answered {
            return PingError::Busy {
                server,
                tries,
                answer: reason,
            };
        }
        PingError::Unreachable {
            server,
            tries,
            reason,
        }
    }
}

async fn one_try(
    route: &mut Option<Route>,
    address: &Address,
    signal: &Signal,
    end: Instant,
) -> Result<(), No> {
    let found = match route.take() {
        Some(found) => found,
        None => find_route(address, signal, end).await?,
    };
    let outcome = post(&found, signal, end).await;
    *route = Some(found);
    outcome
}

async fn find_route(address: &Address, signal: &Signal, end: Instant) -> Result<Route, No> {
    let heartbeat = match address {
        Address::Url(url) => url.clone(),
        Address::Slug { client, slug } => match timeout_at(end, look_up(client, slug)).await {
            Ok(found) => found?,
            Err(_elapsed) => {
                let server = http::origin(client.base());
                return Err(Failure::unanswered(server, NO_ANSWER.to_owned()));
            }
        },
    };
    let url = signal_url(&heartbeat, signal);
    let http = http::client(&url)
        .map_err(|error| No::Final(PingError::Setup(http::build_reason(&error))))?;
    Ok(Route { http, url })
}

/// The URL of the heartbeat with this slug, on the server that was asked: it has just answered.
async fn look_up(client: &Client, slug: &str) -> Result<Url, No> {
    let answer = client.get(&["heartbeats", slug]).await;
    match answer.and_then(|answer| answer.parse::<Heartbeat>()) {
        Ok(heartbeat) => match heartbeat.id {
            Some(id) => Ok(heartbeat_url(client.base(), &[&id])),
            None => Err(No::Final(PingError::Hidden)),
        },
        Err(ClientError::Unreachable { server, reason }) => {
            Err(Failure::unanswered(server, reason))
        }
        Err(ClientError::Refused(problem)) if may_pass(problem.status) => Err(No::Later(Failure {
            server: http::origin(client.base()),
            answered: true,
            retry_after: problem.retry_after.map(Duration::from_secs),
            reason: problem.to_string(),
        })),
        Err(error) => Err(No::Final(error.into())),
    }
}

/// A status that may be another one next time.
fn may_pass(status: u16) -> bool {
    status >= 500 || status == StatusCode::TOO_MANY_REQUESTS.as_u16()
}

async fn post(route: &Route, signal: &Signal, end: Instant) -> Result<(), No> {
    // POST, so that no cache answers and a heartbeat that counts only POST counts it.
    let request = route
        .http
        .post(route.url.clone())
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(signal.body.clone());
    let reason = match timeout_at(end, request.send()).await {
        Ok(Ok(response)) => return judge(response, end).await,
        Ok(Err(error)) => http::reason(&error),
        Err(_elapsed) => NO_ANSWER.to_owned(),
    };
    Err(Failure::unanswered(http::origin(&route.url), reason))
}

async fn judge(response: reqwest::Response, end: Instant) -> Result<(), No> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let server = http::origin(response.url());
    if status == StatusCode::NOT_FOUND {
        return Err(No::Final(PingError::NotFound { server }));
    }
    let header = |name| response.headers().get(name)?.to_str().ok();
    if status.is_redirection() {
        // Only the host: what follows may be a secret.
        let to = header(header::LOCATION).and_then(|to| Url::parse(to).ok());
        let to = to.map_or_else(|| "another path".to_owned(), |to| http::origin(&to));
        let answer = format!("{status}, it redirects to {to}");
        return Err(No::Final(PingError::Refused { server, answer }));
    }
    let retry_after = header(header::RETRY_AFTER).and_then(|text| text.parse().ok());
    let answer = format!("{status}{}", explanation(response, end).await);
    if may_pass(status.as_u16()) {
        return Err(No::Later(Failure {
            server,
            answered: true,
            reason: answer,
            retry_after: retry_after.map(Duration::from_secs),
        }));
    }
    Err(No::Final(PingError::Refused { server, answer }))
}

/// The first line of a refusal, in brackets; nothing where there is none in time.
async fn explanation(mut response: reqwest::Response, end: Instant) -> String {
    let Ok(Ok(Some(chunk))) = timeout_at(end, response.chunk()).await else {
        return String::new();
    };
    let text = String::from_utf8_lossy(&chunk[..chunk.len().min(REFUSAL_BYTES_MAX)]);
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() || line.contains(['<', '{']) || line.chars().any(char::is_control) {
        return String::new();
    }
    format!(" ({line})")
}
