//! What a signal is answered.

use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue,
    RETRY_AFTER,
};
use http::{Response, StatusCode};
use nightbeat_store::Recorded;

use super::url::UrlProblem;
use crate::node::Answer;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, OPTIONS");
const PING_BODY_LIMIT: HeaderName = HeaderName::from_static("ping-body-limit");

/// When a client that was led to the wrong server should come again, in seconds.
const ELSEWHERE_SECONDS: u32 = 5;

/// Makes answers; holds what is the same in all of them.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    body_limit: HeaderValue,
}

impl Answers {
    /// Answers that tell clients how much of a body is kept.
    pub(super) fn new(body_bytes: usize) -> Self {
        Self {
            body_limit: HeaderValue::from(body_bytes),
        }
    }

    /// The answer of the node, and its name in the metrics.
    pub(super) fn of(&self, answer: Answer) -> (Response<Body>, &'static str) {
        let recorded = match answer {
            Answer::Stored(recorded) => recorded,
            Answer::Refused {
                retry_after_seconds,
            } => {
                let text = "cannot be stored now, try again\n";
                return (
                    self.later(StatusCode::SERVICE_UNAVAILABLE, text, retry_after_seconds),
                    "refused",
                );
            }
            Answer::NotHere => {
                let text = "this server takes no signals: `signals` is not among its roles\n";
                let later = self.later(StatusCode::SERVICE_UNAVAILABLE, text, ELSEWHERE_SECONDS);
                return (later, "refused");
            }
            Answer::TooFast {
                retry_after_seconds,
            } => {
                let text = "too many signals, try again\n";
                return (
                    self.later(StatusCode::TOO_MANY_REQUESTS, text, retry_after_seconds),
                    "too_fast",
                );
            }
        };
        match recorded {
            Recorded::Counted => (self.text(StatusCode::OK, "OK"), "counted"),
            Recorded::Ignored(_) => (self.text(StatusCode::OK, "OK"), "ignored"),
            Recorded::Duplicate => (self.text(StatusCode::OK, "OK"), "duplicate"),
            Recorded::Created => (self.text(StatusCode::CREATED, "Created"), "created"),
            Recorded::Unknown => (self.text(StatusCode::NOT_FOUND, "not found"), "unknown"),
            Recorded::Ambiguous => (
                self.text(StatusCode::CONFLICT, "ambiguous slug"),
                "ambiguous",
            ),
            Recorded::Broken => (
                self.text(StatusCode::INTERNAL_SERVER_ERROR, "cannot be stored"),
                "broken",
            ),
        }
    }

    /// The answer to a URL that is no signal.
    pub(super) fn problem(&self, problem: &UrlProblem) -> (Response<Body>, &'static str) {
        match problem {
            UrlProblem::NotFound => (self.text(StatusCode::NOT_FOUND, "not found"), "unknown"),
            UrlProblem::Format => (
                self.text(StatusCode::BAD_REQUEST, "invalid url format"),
                "invalid",
            ),
            UrlProblem::Rid => (
                self.text(StatusCode::BAD_REQUEST, "invalid uuid format"),
                "invalid",
            ),
            UrlProblem::Parameter { .. } => (
                self.text(StatusCode::BAD_REQUEST, problem.to_string()),
                "invalid",
            ),
        }
    }

    /// The answer to a browser that asks whether it may signal from another site.
    pub(super) fn options(&self) -> Response<Body> {
        let mut response = self.text(StatusCode::NO_CONTENT, Body::empty());
        let headers = response.headers_mut();
        headers.remove(CONTENT_TYPE);
        headers.insert(ALLOW, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        response
    }

    /// The answer to another method.
    pub(super) fn method(&self) -> Response<Body> {
        let mut response = self.text(StatusCode::METHOD_NOT_ALLOWED, "use GET, HEAD, POST or PUT");
        response.headers_mut().insert(ALLOW, METHODS);
        response
    }

    fn later(&self, status: StatusCode, text: &'static str, seconds: u32) -> Response<Body> {
        let mut response = self.text(status, text);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
        response
    }

    fn text(&self, status: StatusCode, text: impl Into<Body>) -> Response<Body> {
        let mut response = Response::new(text.into());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(PING_BODY_LIMIT, self.body_limit.clone());
        response
    }
}

/// The same answer as Uptime Kuma's clients know it: JSON that says `ok`, or what is wrong.
pub(super) fn for_uptime_kuma(response: Response<Body>, outcome: &str) -> Response<Body> {
    let is_ok = response.status().is_success();
    let message = match outcome {
        "unknown" => "Monitor not found or not active.",
        "refused" | "too_fast" => "It cannot be stored now, try again.",
        _ => "This is not a push URL that can be understood.",
    };
    let json = if is_ok {
        serde_json::json!({"ok": true})
    } else {
        serde_json::json!({"ok": false, "msg": message})
    };
    let (mut head, _) = response.into_parts();
    let media_type = HeaderValue::from_static("application/json");
    head.headers.insert(CONTENT_TYPE, media_type);
    Response::from_parts(head, Body::from(json.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use nightbeat_domain::IgnoredBecause;

    async fn seen((response, _): (Response<Body>, &str)) -> (u16, String, Option<String>) {
        let headers = response.headers();
        assert_eq!(headers["ping-body-limit"], "100000");
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
        let retry = headers
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap(), retry)
    }

    #[tokio::test]
    async fn what_the_node_says_is_answered_as_the_wire_wants() {
        let answers = Answers::new(100_000);
        for (answer, status, text, retry) in [
            (Answer::Stored(Recorded::Counted), 200, "OK", None),
            (
                Answer::Stored(Recorded::Ignored(IgnoredBecause::Paused)),
                200,
                "OK",
                None,
            ),
            (Answer::Stored(Recorded::Duplicate), 200, "OK", None),
            (Answer::Stored(Recorded::Created), 201, "Created", None),
            (Answer::Stored(Recorded::Unknown), 404, "not found", None),
            (
                Answer::Stored(Recorded::Ambiguous),
                409,
                "ambiguous slug",
                None,
            ),
            (
                Answer::Stored(Recorded::Broken),
                500,
                "cannot be stored",
                None,
            ),
            (
                Answer::Refused {
                    retry_after_seconds: 5,
                },
                503,
                "cannot be stored now, try again\n",
                Some("5"),
            ),
            (
                Answer::NotHere,
                503,
                "this server takes no signals: `signals` is not among its roles\n",
                Some("5"),
            ),
            (
                Answer::TooFast {
                    retry_after_seconds: 1,
                },
                429,
                "too many signals, try again\n",
                Some("1"),
            ),
        ] {
            let expected = (status, text.to_owned(), retry.map(str::to_owned));
            assert_eq!(seen(answers.of(answer)).await, expected, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_wrong_url_is_answered_as_the_wire_wants() {
        let answers = Answers::new(100_000);
        let parameter = UrlProblem::Parameter {
            parameter: "at",
            problem: "write so".into(),
        };
        for (problem, status, text) in [
            (UrlProblem::NotFound, 404, "not found"),
            (UrlProblem::Format, 400, "invalid url format"),
            (UrlProblem::Rid, 400, "invalid uuid format"),
            (parameter, 400, "invalid at: write so"),
        ] {
            let expected = (status, text.to_owned(), None);
            assert_eq!(
                seen(answers.problem(&problem)).await,
                expected,
                "{problem:?}"
            );
        }
    }
}
