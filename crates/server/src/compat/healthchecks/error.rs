//! Errors, in the words of Healthchecks where it has words for them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use serde_json::json;

use crate::api::Problem;

/// When a client that could not be served should come again.
const RETRY_AFTER_SECONDS: u16 = 5;

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Error {
    status: StatusCode,
    text: std::borrow::Cow<'static, str>,
}

impl Error {
    /// No such thing in the key's project.
    pub(super) const NOT_FOUND: Self = Self::fixed(StatusCode::NOT_FOUND, "not found");
    /// A method that the path does not know.
    pub(super) const METHOD: Self =
        Self::fixed(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    /// No key, or what cannot be one.
    pub(super) const NO_KEY: Self = Self::fixed(StatusCode::UNAUTHORIZED, "missing api key");
    /// An unknown key, or a read-only one where something is changed.
    pub(super) const WRONG_KEY: Self = Self::fixed(StatusCode::UNAUTHORIZED, "wrong api key");
    /// A body that is no JSON.
    pub(super) const NO_JSON: Self =
        Self::fixed(StatusCode::BAD_REQUEST, "could not parse request body");
    /// A query that is not understood.
    pub(super) const QUERY: Self =
        Self::fixed(StatusCode::BAD_REQUEST, "the query is not understood");

    const fn fixed(status: StatusCode, text: &'static str) -> Self {
        Self {
            status,
            text: std::borrow::Cow::Borrowed(text),
        }
    }

    /// A field that cannot be taken: `timeout is too small`.
    pub(super) fn field(what: impl std::fmt::Display) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text: format!("json validation error: {what}").into(),
        }
    }

    /// Another request that cannot be done.
    pub(super) fn bad(text: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text: text.into(),
        }
    }
}

/// A transaction is refused by a problem of our own API.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::new(error.status, error.text)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let status = match problem.status() {
            // Healthchecks knows no other word for what cannot be taken.
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        let text = match problem.about_field() {
            Some(_) => format!("json validation error: {}", problem.detail()).into(),
            None if status == StatusCode::NOT_FOUND => Self::NOT_FOUND.text,
            None => problem.detail().to_owned().into(),
        };
        // A slug that is taken.
        let status = match status {
            StatusCode::CONFLICT if problem.about_field().is_some() => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self { status, text }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({"error": self.text}))).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}
