//! One signal: what it says, where it goes, and how often it is tried.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::ClientError;
use crate::address::base_url;

mod attempt;
mod send;

pub use attempt::{Courier, Receipt, Refusal};
pub use send::send;

/// How long a nonce may be, in characters.
pub const NONCE_CHARS_MAX: usize = 64;

/// A signal that is sent this long after it happened says when that was. Before, the server's own clock is
/// the better one.
const LATE_AFTER: Duration = Duration::from_secs(5);

/// Where a signal goes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// To this URL of a heartbeat, without a suffix.
    Url(Url),
    /// To the heartbeat with this slug, whose id the API is asked for first.
    Slug {
        /// The server to ask.
        server: Url,
        /// The key to ask with.
        api_key: String,
        /// The slug.
        slug: String,
    },
}

impl Address {
    /// A heartbeat on the server at `server`: `path` is its id, or ping key and slug.
    pub fn on_server(server: &str, path: &[&str]) -> Result<Self, ClientError> {
        Ok(Self::Url(heartbeat_url(&base_url(server)?, path)))
    }

    /// The heartbeat with this slug in the project of `api_key`.
    pub fn by_slug(server: &str, api_key: &str, slug: &str) -> Result<Self, ClientError> {
        if api_key.chars().any(char::is_control) {
            return Err(ClientError::BadKey);
        }
        Ok(Self::Slug {
            server: base_url(server)?,
            api_key: api_key.to_owned(),
            slug: slug.to_owned(),
        })
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

    /// Scheme, host and port of the server: what may be shown.
    pub fn origin(&self) -> String {
        match self {
            Self::Url(url) | Self::Slug { server: url, .. } => crate::address::origin(url),
        }
    }
}

impl std::fmt::Debug for Address {
    /// Without the path, which is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({})", self.origin())
    }
}

/// What the signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// What it says.
    pub kind: Kind,
    /// The run it belongs to.
    pub rid: Option<Uuid>,
    /// When it happened.
    pub at: Timestamp,
    /// The server is told the time also when the signal arrives at once.
    #[serde(default)]
    pub always_timed: bool,
    /// The same for every try, so that the signal is recorded once.
    pub nonce: String,
    /// Numbers that the job reports.
    pub metrics: Vec<(String, f64)>,
    /// The job's output, or nothing. The spool keeps it beside the rest.
    #[serde(skip)]
    pub body: Vec<u8>,
}

impl Signal {
    /// A signal of something that happened at `at`, with nothing else.
    pub fn new(kind: Kind, at: Timestamp, nonce: String) -> Self {
        Self {
            kind,
            rid: None,
            at,
            always_timed: false,
            nonce,
            metrics: Vec::new(),
            body: Vec::new(),
        }
    }
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
        Self::WAITS.map(|wait| spread(wait, random)).to_vec()
    }
}

/// A wait, longer or shorter by up to a fifth.
pub(crate) fn spread(wait: Duration, random: u8) -> Duration {
    wait.mul_f64(0.8 + 0.4 * f64::from(random) / f64::from(u8::MAX))
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

impl PingError {
    /// Whether it may go better later: the signal is worth keeping.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable { .. })
    }
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

/// `heartbeat` with what `signal` says in its path and query, when it is sent at `now`.
fn signal_url(heartbeat: &Url, signal: &Signal, now: Timestamp) -> Url {
    let mut url = heartbeat.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(signal.kind.suffix());
    }
    let mut query = url.query_pairs_mut();
    query.append_pair("nonce", &signal.nonce);
    if let Some(rid) = signal.rid {
        query.append_pair("rid", &rid.to_string());
    }
    let age = now.duration_since(signal.at).unsigned_abs();
    if signal.always_timed || age > LATE_AFTER {
        query.append_pair("at", &signal.at.to_string());
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

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn signal(kind: Kind) -> Signal {
        Signal::new(kind, at("2026-11-22T02:00:00Z"), "n1".to_owned())
    }

    #[test]
    fn a_signal_is_said_in_path_and_query() {
        let base = Url::parse("https://host/beats/").unwrap();
        let heartbeat = heartbeat_url(&base, &["4c1e"]);
        let url = |signal: &Signal| {
            signal_url(&heartbeat, signal, at("2026-11-22T02:00:04Z")).to_string()
        };
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
            always_timed: true,
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
    fn a_signal_that_is_late_says_when_it_happened() {
        let heartbeat = Url::parse("http://h/x").unwrap();
        let late = signal_url(
            &heartbeat,
            &signal(Kind::Success),
            at("2026-11-22T02:00:06Z"),
        );
        assert_eq!(late.query(), Some("nonce=n1&at=2026-11-22T02%3A00%3A00Z"));
    }

    #[test]
    fn a_given_url_keeps_its_query_and_loses_its_last_slash() {
        let heartbeat = Url::parse("http://h/api/heartbeat/key/slug/?create=1").unwrap();
        let failed = signal(Kind::Fail);
        assert_eq!(
            signal_url(&heartbeat, &failed, failed.at).to_string(),
            "http://h/api/heartbeat/key/slug/fail?create=1&nonce=n1"
        );
    }

    #[test]
    fn waits_are_spread_by_a_fifth_at_most() {
        let total = |random| Patience::spread(random).iter().sum::<Duration>();
        assert_eq!(total(0).as_secs(), 24);
        assert_eq!(total(255).as_secs(), 36);
    }

    #[test]
    fn an_address_shows_no_secret() {
        let address = Address::whole("https://host/api/heartbeat/4c1e").unwrap();
        assert_eq!(format!("{address:?}"), "Address(https://host)");
    }
}
