//! The client of a Healthchecks server's management API, as far as a move needs it: what checks there are, and
//! where their alerts go. It only reads.
//!
//! The server is a stranger's: certificates are verified, redirects are not followed, and every answer has a
//! limit in time and size.

use std::time::Duration;

use reqwest::header::{self, HeaderValue};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use crate::address::{base_url, origin};
use crate::client::{WAITS_MAX, pause, whole};
use crate::error::{ClientError, Problem};
use crate::http;

/// How long one request may take, from connecting to the last byte: all checks come in one answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest answer: 10,000 checks with long descriptions fit.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much of what it says to a request that it refuses is told.
const WORDS_CHARS_MAX: usize = 200;

/// The header that carries the key.
const KEY_HEADER: &str = "x-api-key";

/// The versions of the API, the newest first: an older server has only the last ones.
const VERSIONS: [&str; 3] = ["v3", "v2", "v1"];

/// Talks to one project of one server.
#[derive(Debug)]
pub struct Healthchecks {
    http: reqwest::Client,
    base: Url,
    key: HeaderValue,
    version: &'static str,
}

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Integration {
    /// Its id.
    pub id: String,
    /// Its name, often empty.
    #[serde(default)]
    pub name: String,
    /// `email`, `slack`, …
    #[serde(default)]
    pub kind: String,
}

#[derive(Deserialize)]
struct Checks {
    checks: Vec<Value>,
}

#[derive(Deserialize)]
struct Channels {
    channels: Vec<Integration>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

impl Healthchecks {
    /// A client for the server at `url`: its address, its ping URL's host, or its API's, with a key of the
    /// project.
    pub fn new(url: &str, key: &str) -> Result<Self, ClientError> {
        let base = base_url(url.trim_end_matches('/'))?;
        let base = without_api(&base);
        let mut key = HeaderValue::from_str(key.trim()).map_err(|_| ClientError::BadKey)?;
        key.set_sensitive(true);
        let http =
            http::client(&base).map_err(|error| ClientError::Setup(http::build_reason(&error)))?;
        Ok(Self {
            http,
            base,
            key,
            version: VERSIONS[0],
        })
    }

    /// All checks of the project, each as the server tells it. The first request: it finds out which version of
    /// the API the server has.
    pub async fn checks(&mut self) -> Result<Vec<Value>, ClientError> {
        let mut first = None;
        for version in VERSIONS {
            self.version = version;
            match self.get::<Checks>("checks/").await {
                Err(error @ ClientError::Refused(Problem { status: 404, .. })) => {
                    first.get_or_insert(error);
                }
                answer => return answer.map(|answer| answer.checks),
            }
        }
        Err(first.unwrap_or_else(|| self.strange("there is no API")))
    }

    /// All integrations of the project.
    pub async fn integrations(&self) -> Result<Vec<Integration>, ClientError> {
        let answer: Channels = self.get("channels/").await?;
        Ok(answer.channels)
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T, ClientError> {
        let mut waits = 0;
        let bytes = loop {
            let answer = self.get_once(path).await;
            match answer.as_ref().err().and_then(pause) {
                Some(wait) if waits < WAITS_MAX => tokio::time::sleep(wait).await,
                _ => break answer?,
            }
            waits += 1;
        };
        serde_json::from_slice(&bytes).map_err(|error| self.strange(&error.to_string()))
    }

    async fn get_once(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let url = self.base.join(&format!("api/{}/{path}", self.version));
        let url = url.map_err(|error| self.strange(&error.to_string()))?;
        let request = self
            .http
            .get(url)
            .timeout(REQUEST_TIMEOUT)
            .header(KEY_HEADER, &self.key)
            .header(header::ACCEPT, "application/json");
        let server = origin(&self.base);
        let (response, bytes) = whole(request, &server, ANSWER_BYTES_MAX).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(bytes);
        }
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        if status.is_redirection() {
            let to = header(header::LOCATION).unwrap_or_else(|| "nowhere".to_owned());
            return Err(ClientError::Redirected { server, to });
        }
        Err(ClientError::Refused(Problem {
            status: status.as_u16(),
            detail: said(status, &bytes, &server),
            field: None,
            retry_after: header(header::RETRY_AFTER).and_then(|text| text.parse().ok()),
        }))
    }

    fn strange(&self, reason: &str) -> ClientError {
        ClientError::Strange {
            server: origin(&self.base),
            reason: reason.to_owned(),
        }
    }
}

/// What a no says: in the server's words, where they are the API's.
fn said(status: StatusCode, bytes: &[u8], server: &str) -> String {
    let words = serde_json::from_slice::<ErrorBody>(bytes).map(|body| body.error);
    match words {
        Ok(words) => {
            let words: String = words.chars().take(WORDS_CHARS_MAX).collect();
            format!("{server} says: {words}")
        }
        Err(_no_json) => format!("{server} answered {status}"),
    }
}

/// The address of a server, where that of its API was given: with a slash at its end, to be joined.
fn without_api(url: &Url) -> Url {
    let mut base = url.clone();
    let path = url.path().trim_end_matches('/');
    let versions = VERSIONS.iter().map(|version| format!("/api/{version}"));
    let mut ends = versions.chain(["/api".to_owned()]);
    let cut = ends.find_map(|end| path.strip_suffix(&end));
    base.set_path(&format!("{}/", cut.unwrap_or(path)));
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_api_is_as_good_as_the_servers() {
        let base = |url: &str| Healthchecks::new(url, "key").unwrap().base.to_string();
        for url in [
            "https://hc.example.org",
            "https://hc.example.org/",
            "https://hc.example.org/api/v3/",
            "https://hc.example.org/api/v1",
            "https://hc.example.org/api/",
        ] {
            assert_eq!(base(url), "https://hc.example.org/", "{url}");
        }
        assert_eq!(base("http://h:8000/hc/api/v3"), "http://h:8000/hc/");
        assert!(Healthchecks::new("hc.example.org", "key").is_err());
        assert!(Healthchecks::new("https://h", "k\ney").is_err());
    }

    #[test]
    fn a_no_is_told_in_the_servers_words() {
        let status = StatusCode::UNAUTHORIZED;
        assert_eq!(
            said(status, br#"{"error": "wrong api key"}"#, "https://h"),
            "https://h says: wrong api key"
        );
        assert_eq!(
            said(status, b"<html>", "https://h"),
            "https://h answered 401 Unauthorized"
        );
    }

    #[test]
    fn a_key_is_not_shown_in_debug_output() {
        let client = Healthchecks::new("http://h", "secret-key").unwrap();
        assert!(!format!("{client:?}").contains("secret-key"));
    }
}
