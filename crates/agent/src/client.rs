//! The client of `/api/v1`, as `docs/api.md` describes it.

use std::time::Duration;

use reqwest::header::{self, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::address::{base_url, origin};
use crate::error::{ClientError, Problem};
use crate::http;

/// How long one request may take, from connecting to the last byte of the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest answer that is read: a page of [`PAGE_ITEMS`] signals with full, escaped bodies fits.
const ANSWER_BYTES_MAX: usize = 128 * 1024 * 1024;

/// How many items are asked for at once.
const PAGE_ITEMS: usize = 100;

/// How often a request is sent again that came too soon: a key has so many a minute.
pub(crate) const WAITS_MAX: u32 = 10;
/// A server that wants a longer pause is not waited for: the person is told.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The header that carries the key. Not `Authorization`, which a reverse proxy may want for itself.
const KEY_HEADER: &str = "x-api-key";

/// Talks to one server with one key.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: HeaderValue,
}

/// The JSON of one answer, as the server sent it.
#[derive(Debug, Clone)]
pub struct Answer {
    server: String,
    text: String,
}

impl Answer {
    /// The JSON text, unchanged; empty for 204.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The answer as a `T`. Fields that `T` does not know are ignored: the server may be newer.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_str(&self.text).map_err(|error| not_understood(&self.server, &error))
    }
}

/// The items of a list, each as the server sent it.
#[derive(Debug, Clone)]
pub struct List {
    server: String,
    items: Vec<Box<RawValue>>,
    /// There are more than were asked for.
    pub more: bool,
}

impl List {
    /// `{"items": [...]}` with each item unchanged.
    pub fn json(&self) -> String {
        let items: Vec<&str> = self.items.iter().map(|item| item.get()).collect();
        format!("{{\"items\":[{}]}}", items.join(","))
    }

    /// The items as `T`s.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<Vec<T>, ClientError> {
        self.items
            .iter()
            .map(|item| serde_json::from_str(item.get()))
            .collect::<Result<_, _>>()
            .map_err(|error| not_understood(&self.server, &error))
    }
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    #[serde(default)]
    next_cursor: Option<String>,
}

#[derive(Deserialize, Default)]
struct ProblemBody {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    field: Option<String>,
}

impl Client {
    /// A client for the server at `url` (which may have a path prefix) with an API key.
    pub fn new(url: &str, key: &str) -> Result<Self, ClientError> {
        let base = base_url(url)?;
        let mut key = HeaderValue::from_str(key.trim()).map_err(|_| ClientError::BadKey)?;
        key.set_sensitive(true);
        let http =
            http::client(&base).map_err(|error| ClientError::Setup(http::build_reason(&error)))?;
        Ok(Self { http, base, key })
    }

    /// The URL of the server.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// `GET /api/v1/…`; each element of `path` is one segment.
    pub async fn get(&self, path: &[&str]) -> Result<Answer, ClientError> {
        self.send(Method::GET, path, None).await
    }

    /// Any request under `/api/v1`, with a JSON body where there is one.
    pub async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        self.request(method, self.api_url(path)?, body).await
    }

    /// A list from its first item on, following its cursors: all of it, or its first `limit` items.
    pub async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        limit: Option<usize>,
    ) -> Result<List, ClientError> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut list = List {
            server: origin(&self.base),
            items: Vec::new(),
            more: false,
        };
        let mut cursor: Option<String> = None;
        loop {
            let wanted = PAGE_ITEMS.min(limit - list.items.len());
            let mut url = self.api_url(path)?;
            url.query_pairs_mut()
                .extend_pairs(query)
                .append_pair("limit", &wanted.to_string())
                .extend_pairs(cursor.iter().map(|cursor| ("cursor", cursor)));
            let page: Page = self.request(Method::GET, url, None).await?.parse()?;
            list.items.extend(page.items);
            list.more = page.next_cursor.is_some() || list.items.len() > limit;
            list.items.truncate(limit);
            if page.next_cursor.is_none() || list.items.len() >= limit {
                return Ok(list);
            }
            if page.next_cursor == cursor {
                return Err(ClientError::NotUnderstood {
                    server: list.server,
                    reason: "a list's next page is the same page".to_owned(),
                });
            }
            cursor = page.next_cursor;
        }
    }

    fn api_url(&self, path: &[&str]) -> Result<Url, ClientError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| ClientError::BadUrl {
                url: self.base.to_string(),
                reason: "it has no path".to_owned(),
            })?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path);
        Ok(url)
    }

    /// Sends a request; again, where the server says that too many came at once. Such a one was not carried out.
    async fn request(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        let mut waits = 0;
        loop {
            let answer = self.request_once(method.clone(), url.clone(), body).await;
            let Some(wait) = answer.as_ref().err().and_then(pause) else {
                return answer;
            };
            if waits == WAITS_MAX {
                return answer;
            }
            waits += 1;
            tokio::time::sleep(wait).await;
        }
    }

    async fn request_once(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        let server = origin(&url);
        let mut request = self
            .http
            .request(method, url)
            .timeout(REQUEST_TIMEOUT)
            .header(KEY_HEADER, &self.key)
            .header(header::ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.json(body);
        }
        let (response, bytes) = whole(request, &server, ANSWER_BYTES_MAX).await?;
        judge(server, &response, bytes)
    }
}

/// How long to wait before a request is sent again that came too soon; `None`: it was answered.
pub(crate) fn pause(error: &ClientError) -> Option<Duration> {
    let ClientError::Refused(problem) = error else {
        return None;
    };
    let too_many = problem.status == StatusCode::TOO_MANY_REQUESTS.as_u16();
    let wait = Duration::from_secs(problem.retry_after.filter(|_| too_many)?);
    (wait <= WAIT_MAX).then_some(wait)
}

/// Sends a request, and reads its whole answer: at most so many bytes.
pub(crate) async fn whole(
    request: reqwest::RequestBuilder,
    server: &str,
    bytes_max: usize,
) -> Result<(reqwest::Response, Vec<u8>), ClientError> {
    let unreachable = |error: reqwest::Error| ClientError::Unreachable {
        server: server.to_owned(),
        reason: http::reason(&error),
    };
    let mut response = request.send().await.map_err(unreachable)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > bytes_max {
            return Err(ClientError::NotUnderstood {
                server: server.to_owned(),
                reason: format!("the answer is longer than {bytes_max} bytes"),
            });
        }
    }
    Ok((response, bytes))
}

/// Sorts an answer into success and the kinds of no.
fn judge(
    server: String,
    response: &reqwest::Response,
    bytes: Vec<u8>,
) -> Result<Answer, ClientError> {
    let header = |name| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let status = response.status();
    if status.is_redirection() {
        return Err(ClientError::Redirected {
            server,
            to: header(header::LOCATION).unwrap_or_else(|| "nowhere".to_owned()),
        });
    }
    if !status.is_success() {
        let retry_after = header(header::RETRY_AFTER).and_then(|text| text.parse().ok());
        return Err(match problem(status, &bytes, retry_after) {
            Some(problem) => ClientError::Refused(problem),
            None => ClientError::NotUnderstood {
                server,
                reason: format!("it answers {status} without a reason"),
            },
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Answer { server, text }),
        Err(error) => Err(not_understood(&server, &error)),
    }
}

/// What an answer that is no success says. `None`: there is no such API at all, for its *not found* gives
/// a reason. Other answers without one come from something in between, and their status is all there is.
fn problem(status: StatusCode, bytes: &[u8], retry_after: Option<u64>) -> Option<Problem> {
    let body: ProblemBody = serde_json::from_slice(bytes).unwrap_or_default();
    let said = body.detail.or(body.title);
    if said.is_none() && status == StatusCode::NOT_FOUND {
        return None;
    }
    Some(Problem {
        status: status.as_u16(),
        detail: said.unwrap_or_else(|| format!("the server answered {status}")),
        field: body.field,
        retry_after,
    })
}

fn not_understood(server: &str, error: &dyn std::error::Error) -> ClientError {
    ClientError::NotUnderstood {
        server: server.to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Client {
        Client::new(url, "key").unwrap()
    }

    #[test]
    fn a_path_prefix_is_kept_and_segments_are_escaped() {
        let url = |base: &str, path: &[&str]| client(base).api_url(path).unwrap().to_string();
        assert_eq!(
            url("http://h", &["heartbeats"]),
            "http://h/api/v1/heartbeats"
        );
        assert_eq!(
            url("http://h/beats/", &["heartbeats", "a/b?c"]),
            "http://h/beats/api/v1/heartbeats/a%2Fb%3Fc"
        );
        assert_eq!(
            url("http://h/beats?x=1#y", &["keys"]),
            "http://h/beats/api/v1/keys"
        );
    }

    #[test]
    fn urls_and_keys_that_cannot_work_are_refused_at_once() {
        let error = Client::new("ftp://h", "key").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`ftp://h` is not the URL of a server: it must begin with http:// or https://"
        );
        assert!(Client::new("127.0.0.1:8787", "key").is_err());
        assert!(matches!(
            Client::new("http://h", "k\ney"),
            Err(ClientError::BadKey)
        ));
    }

    #[test]
    fn a_key_is_not_shown_in_debug_output() {
        let client = Client::new("http://h", "secret-key").unwrap();
        assert!(!format!("{client:?}").contains("secret-key"));
    }

    #[test]
    fn only_who_came_too_soon_comes_again_and_not_after_long() {
        let wait = |status, retry_after| {
            let body = br#"{"detail":"600 requests a minute may come with this key"}"#;
            let problem = problem(status, body, retry_after).unwrap();
            pause(&ClientError::Refused(problem))
        };
        let soon = Some(Duration::from_secs(2));
        assert_eq!(wait(StatusCode::TOO_MANY_REQUESTS, Some(2)), soon);
        assert_eq!(wait(StatusCode::TOO_MANY_REQUESTS, Some(61)), None);
        assert_eq!(wait(StatusCode::TOO_MANY_REQUESTS, None), None);
        // It may have been carried out.
        assert_eq!(wait(StatusCode::SERVICE_UNAVAILABLE, Some(2)), None);
    }

    #[test]
    fn a_problem_names_its_field_once() {
        let body =
            br#"{"status":422,"detail":"grace: 0 seconds is outside","field":"grace","new":1}"#;
        let first = problem(StatusCode::UNPROCESSABLE_ENTITY, body, None).unwrap();
        assert_eq!(first.to_string(), "grace: 0 seconds is outside");
        let body = br#"{"detail":"is taken","field":"slug"}"#;
        let second = problem(StatusCode::CONFLICT, body, None).unwrap();
        assert_eq!(second.to_string(), "slug: is taken");
        let third = problem(StatusCode::BAD_GATEWAY, b"<html>", Some(7)).unwrap();
        assert_eq!(third.to_string(), "the server answered 502 Bad Gateway");
        assert_eq!(third.retry_after, Some(7));
        assert_eq!(problem(StatusCode::NOT_FOUND, b"not found", None), None);
    }
}
