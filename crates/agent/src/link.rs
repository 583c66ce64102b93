//! The way of a signal to its server: one blocking request at a time, without an async runtime, so that
//! what runs beside a job stays small.

use std::io::Read;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error, Proxy, http};
use url::Url;

use crate::address::{USER_AGENT, is_loopback};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of an answer is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// The header that carries an API key.
const KEY_HEADER: &str = "X-Api-Key";

/// A connection to one server, which is kept from one request to the next.
#[derive(Debug)]
pub(crate) struct Link {
    agent: Agent,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The status in words: `503 Service Unavailable`.
    pub(crate) status_text: String,
    /// After how long it wants to be asked again.
    pub(crate) retry_after: Option<Duration>,
    /// Where it sends us.
    pub(crate) location: Option<String>,
    /// How many bytes of a body it keeps.
    pub(crate) body_limit: Option<usize>,
    /// What it said, cut to what is read.
    pub(crate) text: String,
}

impl Link {
    /// A way to the server of `url`.
    ///
    /// It uses `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` of the environment, as curl would: it
    /// runs on the machine of the person who set them. Redirects are not followed: they turn POST into GET
    /// and carry keys to strangers.
    pub(crate) fn new(url: &Url) -> Result<Self, String> {
        let mut config = Agent::config_builder()
            .user_agent(USER_AGENT)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .proxy(proxy(url)?);
        if url.scheme() == "https" {
            config = config.tls_config(TlsConfig::builder().root_certs(roots()).build());
        }
        Ok(Self {
            agent: config.build().new_agent(),
        })
    }

    /// Sends a signal. `Err` says in a few words, and without the URL, why no answer came.
    pub(crate) fn post(&self, url: &Url, body: &[u8], limit: Duration) -> Result<Answer, String> {
        let request = self.agent.post(url.as_str());
        let request = request.header("Content-Type", "text/plain; charset=utf-8");
        let request = request.config().timeout_global(Some(limit)).build();
        request
            .send(body)
            .map_err(|error| reason(&error))
            .and_then(answer)
    }

    /// Asks the API.
    pub(crate) fn get(&self, url: &Url, key: &str, limit: Duration) -> Result<Answer, String> {
        let request = self.agent.get(url.as_str());
        let request = request
            .header(KEY_HEADER, key)
            .header("Accept", "application/json");
        let request = request.config().timeout_global(Some(limit)).build();
        request
            .call()
            .map_err(|error| reason(&error))
            .and_then(answer)
    }
}

fn answer(response: http::Response<ureq::Body>) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    let header = |name| head.headers.get(name)?.to_str().ok();
    let mut text = Vec::new();
    body.into_reader()
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(|error| error.to_string())?;
    Ok(Answer {
        status: head.status.as_u16(),
        status_text: head.status.to_string(),
        retry_after: header("Retry-After")
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs),
        location: header("Location").map(str::to_owned),
        body_limit: header("Ping-Body-Limit").and_then(|text| text.parse().ok()),
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}

/// The proxy that curl would take for this URL.
fn proxy(url: &Url) -> Result<Option<Proxy>, String> {
    let excepted = || {
        let uri: Option<http::Uri> = url.as_str().parse().ok();
        let any = Proxy::try_from_env();
        any.zip(uri).is_some_and(|(any, uri)| any.is_no_proxy(&uri))
    };
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let names = match url.scheme() {
        "https" => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let Some(value) = names.iter().find_map(set) else {
        return Ok(None);
    };
    if is_loopback(url) || excepted() {
        return Ok(None);
    }
    // Its URL may hold a password, so it is not repeated.
    let refused = |_: Error| "the proxy of the environment is not a usable URL".to_owned();
    Proxy::new(&value).map(Some).map_err(refused)
}

/// This machine's certificates, as `SSL_CERT_FILE` and `SSL_CERT_DIR` say; where there are none (an empty
/// container), those of Mozilla's list in this binary.
fn roots() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return RootCerts::WebPki;
    }
    let certificates = found.iter();
    certificates
        .map(|one| Certificate::from_der(one.as_ref()).to_owned())
        .collect::<Vec<_>>()
        .into()
}

/// Why a request got no answer, in a few words and without its URL.
fn reason(error: &Error) -> String {
    match error {
        Error::Timeout(_) => NO_ANSWER.to_owned(),
        Error::HostNotFound => "its name is not known".to_owned(),
        Error::Io(cause) if cause.kind() == std::io::ErrorKind::TimedOut => NO_ANSWER.to_owned(),
        Error::Io(cause) => {
            let mut deepest: &dyn std::error::Error = cause;
            while let Some(deeper) = deepest.source() {
                deepest = deeper;
            }
            deepest.to_string()
        }
        Error::BadUri(_) => "its URL cannot be used".to_owned(),
        other => other.to_string(),
    }
}

/// What is said of a try that ran out of time.
pub(crate) const NO_ANSWER: &str = "no answer in time";
