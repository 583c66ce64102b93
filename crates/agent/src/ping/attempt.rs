//! One try.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::{Address, PingError, Signal, heartbeat_url, signal_url};
use crate::address::origin;
use crate::link::{Answer, Link};
use crate::{ClientError, Problem, clock};

/// How much of a refusal's text is shown, in characters.
const REFUSAL_CHARS_MAX: usize = 200;

/// Brings signals to one heartbeat. The connection and what the API told are kept from one try to the next.
#[derive(Debug)]
pub struct Courier {
    address: Address,
    link: Option<Link>,
    heartbeat: Option<Url>,
}

/// A signal that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// How many bytes of a body the server keeps, where it says so.
    pub body_limit: Option<usize>,
}

/// A try that did not succeed.
#[derive(Debug)]
pub enum Refusal {
    /// It would not go better next time.
    Final(PingError),
    /// It may go better next time.
    Later(Failure),
}

/// A try that may go better next time.
#[derive(Debug)]
pub struct Failure {
    server: String,
    answered: bool,
    reason: String,
    /// After how long the server wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl Failure {
    fn unanswered(server: String, reason: String) -> Refusal {
        Refusal::Later(Self {
            server,
            answered: false,
            reason,
            retry_after: None,
        })
    }

    /// What to say after so many tries.
    pub fn error(self, tries: usize) -> PingError {
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

impl Courier {
    /// One that goes to `address`. Nothing is connected yet.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            link: None,
            heartbeat: None,
        }
    }

    /// Where it goes.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Tries once, for at most `limit` (twice that where the API must be asked for the heartbeat first).
    pub fn try_once(&mut self, signal: &Signal, limit: Duration) -> Result<Receipt, Refusal> {
        let server = match &self.address {
            Address::Url(url) | Address::Slug { server: url, .. } => url,
        };
        let link = match self.link.take() {
            Some(link) => link,
            None => Link::new(server).map_err(|reason| Refusal::Final(PingError::Setup(reason)))?,
        };
        let link = self.link.insert(link);
        let heartbeat = match self.heartbeat.take() {
            Some(url) => url,
            None => locate(link, &self.address, limit)?,
        };
        let heartbeat = self.heartbeat.insert(heartbeat);
        let url = signal_url(heartbeat, signal, clock::wall());
        let answer = link
            .post(&url, &signal.body, limit)
            .map_err(|reason| Failure::unanswered(origin(&url), reason))?;
        judge(&url, answer)
    }
}

/// The URL of the heartbeat.
fn locate(link: &Link, address: &Address, limit: Duration) -> Result<Url, Refusal> {
    let (server, api_key, slug) = match address {
        Address::Url(url) => return Ok(url.clone()),
        Address::Slug {
            server,
            api_key,
            slug,
        } => (server, api_key, slug),
    };
    let mut url = server.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments
            .pop_if_empty()
            .extend(["api", "v1", "heartbeats", slug]);
    }
    let answer = link
        .get(&url, api_key, limit)
        .map_err(|reason| Failure::unanswered(origin(server), reason))?;
    match found(server, &answer)? {
        Some(id) => Ok(heartbeat_url(server, &[&id])),
        None => Err(Refusal::Final(PingError::Hidden)),
    }
}

/// What the API says of the heartbeat: its id, where this key may see it.
fn found(server: &Url, answer: &Answer) -> Result<Option<String>, Refusal> {
    #[derive(Deserialize)]
    struct Found {
        id: Option<String>,
    }
    #[derive(Deserialize, Default)]
    struct Said {
        detail: Option<String>,
    }
    let server = origin(server);
    if may_pass(answer.status) {
        return Err(later(server, answer));
    }
    if answer.status == 200 {
        let found = serde_json::from_str::<Found>(&answer.text);
        return found.map(|found| found.id).map_err(|error| {
            let reason = error.to_string();
            Refusal::Final(ClientError::NotUnderstood { server, reason }.into())
        });
    }
    let said: Said = serde_json::from_str(&answer.text).unwrap_or_default();
    let detail = said.detail;
    let detail = detail.unwrap_or_else(|| format!("the server answered {}", answer.status_text));
    let problem = Problem {
        status: answer.status,
        detail,
        ..Problem::default()
    };
    Err(Refusal::Final(ClientError::Refused(problem).into()))
}

/// A status that may be another one next time.
fn may_pass(status: u16) -> bool {
    status >= 500 || status == 429
}

fn later(server: String, answer: &Answer) -> Refusal {
    Refusal::Later(Failure {
        server,
        answered: true,
        reason: format!("{}{}", answer.status_text, explanation(answer)),
        retry_after: answer.retry_after,
    })
}

fn judge(url: &Url, answer: Answer) -> Result<Receipt, Refusal> {
    let server = origin(url);
    let refused = |answer| {
        let server = server.clone();
        Err(Refusal::Final(PingError::Refused { server, answer }))
    };
    match answer.status {
        200..=299 => Ok(Receipt {
            body_limit: answer.body_limit,
        }),
        404 => Err(Refusal::Final(PingError::NotFound { server })),
        300..=399 => {
            // Only the host: what follows may be a secret.
            let to = answer.location.and_then(|to| Url::parse(&to).ok());
            let to = to.map_or_else(|| "another path".to_owned(), |to| origin(&to));
            refused(format!("{}, it redirects to {to}", answer.status_text))
        }
        status if may_pass(status) => Err(later(server, &answer)),
        _ => refused(format!("{}{}", answer.status_text, explanation(&answer))),
    }
}

/// The first line of a refusal, in brackets; nothing where it is not for people.
fn explanation(answer: &Answer) -> String {
    let line = answer.text.lines().next().unwrap_or_default().trim();
    if line.is_empty() || line.contains(['<', '{']) || line.chars().any(char::is_control) {
        return String::new();
    }
    let line: String = line.chars().take(REFUSAL_CHARS_MAX).collect();
    format!(" ({line})")
}
