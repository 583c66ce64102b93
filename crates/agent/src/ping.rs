//! Sends one signal, and tries again until it is answered or the time is over.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{StatusCode, Url, header};
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::http;

/// How long a nonce may be, in characters.
pub const NONCE_CHARS_MAX: usize = 64;

/// How much of a refusal's text is shown, in bytes.
const REFUSAL_BYTES_MAX: usize = 200;

/// What the signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The job is done.
    Success,
    /// The job began.
    Start,
    /// The job failed.
    Fail,
    /// The job says something; it changes nothing.
    Log,
    /// The job ended with this code.
    ExitCode(u8),
}

impl Kind {
    fn suffix(self) -> Option<String> {
        match self {
            Self::Success => None,
            Self::Start => Some("start".to_owned()),
            Self::Fail => Some("fail".to_owned()),
            Self::Log => Some("log".to_owned()),
            Self::ExitCode(code) => Some(code.to_string()),
        }
    }
}

/// One signal.
#[derive(Debug, Clone)]
pub struct Signal {
    /// What it says.
    pub kind: Kind,
    /// The run it belongs to.
    pub rid: Option<Uuid>,
    /// When it really happened.
    pub at: Option<Timestamp>,
    /// The same for every try, so that the signal is recorded once.
    pub nonce: String,
    /// Numbers that the job reports.
    pub metrics: Vec<(String, f64)>,
    /// The job's output, or nothing.
    pub body: Vec<u8>,
}

/// How long and how often a signal is tried.
#[derive(Debug, Clone)]
pub struct Patience {
    /// The waits between tries; there is one try more than waits.
    pub waits: Vec<Duration>,
    /// How long one try may take.
    pub one_try: Duration,
    /// How long all of it may take.
    pub total: Duration,
}

impl Patience {
    /// Five tries over about 30 s, within 60 s.
    pub const WAITS: [Duration; 4] = [
        Duration::from_secs(1),
        Duration::from_secs(3),
        Duration::from_secs(8),
        Duration::from_secs(18),
    ];

    /// The waits, all longer or shorter by up to a fifth, as `random` says: thousands of jobs that
    /// start on the same minute must not come back on the same second.
    pub fn spread(random: u8) -> Vec<Duration> {
        let factor = 0.8 + 0.4 * f64::from(random) / f64::from(u8::MAX);
        Self::WAITS.map(|wait| wait.mul_f64(factor)).to_vec()
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            waits: Self::WAITS.to_vec(),
            one_try: Duration::from_secs(10),
            total: Duration::from_secs(60),
        }
    }
}

/// A signal that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// How many tries it took.
    pub tries: usize,
}

/// Why a signal was not recorded, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    /// The HTTP client cannot be built.
    #[error("cannot prepare a connection: {0}")]
    Setup(String),
    /// There is no such heartbeat.
    #[error("no heartbeat has this address on {server}")]
    NotFound {
        /// Scheme, host and port.
        server: String,
    },
    /// The server said no, and would say it again.
    #[error("{server} refused the signal: {answer}")]
    Refused {
        /// Scheme, host and port.
        server: String,
        /// Status and text.
        answer: String,
    },
    /// Every try was answered with *not now*.
    #[error("{server} did not take the signal, tried {tries}: {answer}")]
    Busy {
        /// Scheme, host and port.
        server: String,
        /// `once`, `5 times`.
        tries: String,
        /// The last answer.
        answer: String,
    },
    /// No try was answered.
    #[error("cannot reach {server}, tried {tries}: {reason}")]
    Unreachable {
        /// Scheme, host and port.
        server: String,
        /// `once`, `5 times`.
        tries: String,
        /// Why the last try failed.
        reason: String,
    },
}

/// The URL of a signal to a heartbeat, on the server at `base`: `path` is its id, or ping key and slug.
pub fn heartbeat_url(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    // Err is for URLs without a path such as `mailto:`; a server's URL is http or https.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments
            .pop_if_empty()
            .extend(["api", "heartbeat"])
            .extend(path);
    }
    url
}

/// `heartbeat` with what `signal` says in its path and query.
pub fn signal_url(heartbeat: &Url, signal: &Signal) -> Url {
    let mut url = heartbeat.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(signal.kind.suffix());
    }
    let mut query = url.query_pairs_mut();
    query.append_pair("nonce", &signal.nonce);
    if let Some(rid) = signal.rid {
        query.append_pair("rid", &rid.to_string());
    }
    if let Some(at) = signal.at {
        query.append_pair("at", &at.to_string());
    }
    for (name, value) in &signal.metrics {
        query.append_pair(&format!("m.{name}"), &value.to_string());
    }
    drop(query);
    url
}

/// Sends `signal` to `heartbeat` until it is recorded, refused, or `patience` is at its end.
///
/// What may go better next time is tried again: no connection, no answer, any 5xx, 429. `Retry-After`
/// (in seconds) lengthens a wait. `retrying` is told before each wait what went wrong.
pub async fn send(
    heartbeat: &Url,
    signal: &Signal,
    patience: &Patience,
    mut retrying: impl FnMut(&PingError, Duration),
) -> Result<Sent, PingError> {
    let url = signal_url(heartbeat, signal);
    let http = http::client(&url).map_err(|error| PingError::Setup(http::build_reason(&error)))?;
    let end = Instant::now() + patience.total;
    let mut waits = patience.waits.iter();
    let mut tries = 0;
    loop {
        tries += 1;
        let try_end = end.min(Instant::now() + patience.one_try);
        let failure = match one_try(&http, &url, signal, try_end).await {
            Try::Recorded => return Ok(Sent { tries }),
            Try::No(error) => return Err(error),
            Try::Later(failure) => failure,
        };
        let error = failure.error(http::origin(&url), tries);
        let Some(wait) = waits.next() else {
            return Err(error);
        };
        let wait = failure.retry_after.map_or(*wait, |asked| asked.max(*wait));
        if Instant::now() + wait >= end {
            return Err(error);
        }
        retrying(&error, wait);
        sleep(wait).await;
    }
}

enum Try {
    Recorded,
    No(PingError),
    Later(Failure),
}

/// A try that may go better next time.
struct Failure {
    answered: bool,
    reason: String,
    retry_after: Option<Duration>,
}

impl Failure {
    fn unanswered(reason: String) -> Try {
        Try::Later(Self {
            answered: false,
            reason,
            retry_after: None,
        })
    }

    fn error(&self, server: String, tries: usize) -> PingError {
        let tries = match tries {
            1 => "once".to_owned(),
            more => format!("{more} times"),
        };
        if self.answered {
            return PingError::Busy {
                server,
                tries,
                answer: self.reason.clone(),
            };
        }
        PingError::Unreachable {
            server,
            tries,
            reason: self.reason.clone(),
        }
    }
}

async fn one_try(http: &reqwest::Client, url: &Url, signal: &Signal, end: Instant) -> Try {
    // POST, so that no cache answers and a heartbeat that counts only POST counts it.
    let request = http
        .post(url.clone())
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(signal.body.clone());
    match timeout_at(end, request.send()).await {
        Err(_elapsed) => Failure::unanswered("no answer in time".to_owned()),
        Ok(Err(error)) => Failure::unanswered(http::reason(&error)),
        Ok(Ok(response)) => judge(response, end).await,
    }
}

async fn judge(response: reqwest::Response, end: Instant) -> Try {
    let status = response.status();
    if status.is_success() {
        return Try::Recorded;
    }
    let server = http::origin(response.url());
    let header = |name| response.headers().get(name)?.to_str().ok();
    if status == StatusCode::NOT_FOUND {
        return Try::No(PingError::NotFound { server });
    }
    if status.is_redirection() {
        let to = header(header::LOCATION).unwrap_or("nowhere");
        let to = Url::parse(to).map_or("another path".to_owned(), |to| http::origin(&to));
        let answer = format!("{status}, it redirects to {to}");
        return Try::No(PingError::Refused { server, answer });
    }
    let retry_after = header(header::RETRY_AFTER)
        .and_then(|text| text.parse().ok())
        .map(Duration::from_secs);
    let later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    let answer = format!("{status}{}", explanation(response, end).await);
    if later {
        return Try::Later(Failure {
            answered: true,
            reason: answer,
            retry_after,
        });
    }
    Try::No(PingError::Refused { server, answer })
}

/// The first line of a refusal, in brackets; nothing where there is none in time.
async fn explanation(mut response: reqwest::Response, end: Instant) -> String {
    let Ok(Ok(Some(chunk))) = timeout_at(end, response.chunk()).await else {
        return String::new();
    };
    let text = String::from_utf8_lossy(&chunk[..chunk.len().min(REFUSAL_BYTES_MAX)]).into_owned();
    let line: String = text.lines().next().unwrap_or_default().trim().to_owned();
    if line.is_empty() || line.contains(['<', '{']) || line.chars().any(char::is_control) {
        return String::new();
    }
    format!(" ({line})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(kind: Kind) -> Signal {
        Signal {
            kind,
            rid: None,
            at: None,
            nonce: "n1".to_owned(),
            metrics: Vec::new(),
            body: Vec::new(),
        }
    }

    #[test]
    fn a_signal_is_said_in_path_and_query() {
        let base = Url::parse("https://host/beats/").unwrap();
        let heartbeat = heartbeat_url(&base, &["4c1e"]);
        let url = |signal: &Signal| signal_url(&heartbeat, signal).to_string();
        let stem = "https://host/beats/api/heartbeat/4c1e";
        assert_eq!(url(&signal(Kind::Success)), format!("{stem}?nonce=n1"));
        assert_eq!(url(&signal(Kind::Start)), format!("{stem}/start?nonce=n1"));
        assert_eq!(url(&signal(Kind::Fail)), format!("{stem}/fail?nonce=n1"));
        assert_eq!(url(&signal(Kind::Log)), format!("{stem}/log?nonce=n1"));
        assert_eq!(
            url(&signal(Kind::ExitCode(3))),
            format!("{stem}/3?nonce=n1")
        );
        let full = Signal {
            rid: Some(Uuid::from_u128(7)),
            at: Some("2026-11-22T02:00:00Z".parse().unwrap()),
            nonce: "a b&c".to_owned(),
            metrics: vec![("rows".to_owned(), 12.0), ("ratio".to_owned(), 0.5)],
            ..signal(Kind::Success)
        };
        assert_eq!(
            url(&full),
            format!(
                "{stem}?nonce=a+b%26c&rid=00000000-0000-0000-0000-000000000007\
                 &at=2026-11-22T02%3A00%3A00Z&m.rows=12&m.ratio=0.5"
            )
        );
    }

    #[test]
    fn a_given_url_keeps_its_query_and_loses_its_last_slash() {
        let heartbeat = Url::parse("http://h/api/heartbeat/key/slug/?create=1").unwrap();
        assert_eq!(
            signal_url(&heartbeat, &signal(Kind::Fail)).to_string(),
            "http://h/api/heartbeat/key/slug/fail?create=1&nonce=n1"
        );
    }

    #[test]
    fn waits_are_spread_by_a_fifth_at_most() {
        let total = |random| Patience::spread(random).iter().sum::<Duration>();
        assert_eq!(total(0).as_secs(), 24);
        assert_eq!(total(255).as_secs(), 36);
    }
}
