//! Sends one signal, and tries again until it is answered or the time is over.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use uuid::Uuid;

use crate::client::base_url;
use crate::{Client, ClientError};

mod send;

pub use send::send;

/// How long a nonce may be, in characters.
pub const NONCE_CHARS_MAX: usize = 64;

/// Where a signal goes.
#[derive(Debug, Clone)]
pub enum Address {
    /// To this URL of a heartbeat, without a suffix.
    Url(Url),
    /// To the heartbeat with this slug, whose id the API is asked for first.
    Slug {
        /// Whom to ask.
        client: Client,
        /// The slug.
        slug: String,
    },
}

impl Address {
    /// A heartbeat on the server at `server`: `path` is its id, or ping key and slug.
    pub fn on_server(server: &str, path: &[&str]) -> Result<Self, ClientError> {
        Ok(Self::Url(heartbeat_url(&base_url(server)?, path)))
    }

    /// The whole URL of a heartbeat. Its query is kept.
    pub fn whole(url: &str) -> Result<Self, ClientError> {
        Url::parse(url)
            .map(Self::Url)
            .map_err(|error| ClientError::BadUrl {
                url: "the heartbeat's URL".to_owned(),
                reason: error.to_string(),
            })
    }
}

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
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// The API did not tell the heartbeat's address.
    #[error(transparent)]
    Lookup(#[from] ClientError),
    /// The API does not show it to this key.
    #[error("this API key is read-only and is not shown where to signal")]
    Hidden,
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

fn heartbeat_url(base: &Url, path: &[&str]) -> Url {
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
fn signal_url(heartbeat: &Url, signal: &Signal) -> Url {
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
