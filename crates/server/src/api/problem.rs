//! Errors as answers: problem details (RFC 9457).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use nightbeat_domain::SettingsError;
use nightbeat_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use super::inside::Refused;

/// When a client that could not be served should come again.
const RETRY_AFTER_SECONDS: u16 = 5;
/// The longest detail: what was sent is quoted in it, but not a megabyte of it.
const DETAIL_CHARS_MAX: usize = 400;

/// What is wrong (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, and what would be right.
    detail: String,
    /// The field or query parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
}

impl Problem {
    /// A problem with this status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: title(status),
            status: status.as_u16(),
            detail: cut(detail.into()),
            field: None,
        }
    }

    /// 422: a field that cannot be taken, and why.
    pub(crate) fn field(field: &str, problem: impl std::fmt::Display) -> Self {
        Self::about(StatusCode::UNPROCESSABLE_ENTITY, field, problem)
    }

    /// 400: a query parameter that is not understood, and why.
    pub(super) fn parameter(name: &str, problem: impl std::fmt::Display) -> Self {
        Self::about(StatusCode::BAD_REQUEST, name, problem)
    }

    /// 404: no such thing in this project.
    pub(crate) fn missing(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("there is no such {what} in this project"),
        )
    }

    /// The same about a field or query parameter.
    pub(super) fn with_field(self, field: &str) -> Self {
        Self {
            field: Some(field.to_owned()),
            detail: format!("{field}: {}", self.detail),
            ..self
        }
    }

    /// 409: it collides with something.
    pub(super) fn conflict(field: &str, problem: impl std::fmt::Display) -> Self {
        Self::about(StatusCode::CONFLICT, field, problem)
    }

    /// 401: who are you?
    pub(super) fn unknown_caller(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What is wrong, and what would be right.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The field that is wrong.
    pub(crate) fn about_field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    fn about(status: StatusCode, field: &str, problem: impl std::fmt::Display) -> Self {
        Self {
            field: Some(cut(field.to_owned())),
            ..Self::new(status, format!("{field}: {problem}"))
        }
    }
}

impl Problem {
    /// The same without HTTP around it. The field's name is not repeated in front of what is wrong with it.
    pub(super) fn told(self) -> Refused {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let prefix = self.field.as_ref().map(|field| format!("{field}: "));
        let detail = match prefix.and_then(|prefix| self.detail.strip_prefix(&prefix)) {
            Some(rest) => rest.to_owned(),
            None => self.detail,
        };
        Refused {
            status,
            field: self.field,
            detail,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let media_type = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, media_type);
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
            }
            _ => {}
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let unavailable = |detail| Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        match error {
            StoreError::Unavailable(_) | StoreError::Fenced(_) => {
                unavailable("it cannot be stored or read now; try again")
            }
            StoreError::Unknown(_) => {
                unavailable("it is not known whether it was stored; look before you try again")
            }
            StoreError::Conflict(what) => Self::new(StatusCode::CONFLICT, what),
            StoreError::Broken(_) => {
                tracing::error!(%error, "an API request failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "a stored row cannot be read; the server's log says which",
                )
            }
            StoreError::Fatal(_) => {
                tracing::error!(%error, "an API request failed");
                unavailable("the database cannot be used; the server's log says why")
            }
        }
    }
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        Self::field(error.field, error.problem)
    }
}

/// The answer to a path that is none of ours.
pub(super) async fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "there is nothing here; /api/v1/openapi.json describes what there is",
    )
}

/// The answer to a method that a path does not know.
pub(super) async fn method_not_allowed(method: Method) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{method} is not possible here; the header Allow says what is"),
    )
}

/// The status in the words of RFC 9110, which renamed two of them.
fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNPROCESSABLE_ENTITY => "Unprocessable Content",
        StatusCode::PAYLOAD_TOO_LARGE => "Content Too Large",
        status => status.canonical_reason().unwrap_or("Error"),
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_could_not_do_is_told_without_its_insides() {
        let text = || "disk I/O error in /var/lib/x.db".to_owned();
        for (error, status, retry) in [
            (StoreError::Unavailable(text()), 503, true),
            (StoreError::Unknown(text()), 503, true),
            (StoreError::Fatal(text()), 503, true),
            (StoreError::Broken(text()), 500, false),
        ] {
            let problem = Problem::from(error);
            assert!(!problem.detail.contains("x.db"), "{}", problem.detail);
            let response = problem.into_response();
            assert_eq!(response.status(), status);
            assert_eq!(response.headers().contains_key(RETRY_AFTER), retry);
        }
        let taken = Problem::from(StoreError::Conflict("the name is taken".to_owned()));
        assert_eq!(
            (taken.status, taken.detail.as_str()),
            (409, "the name is taken")
        );
    }

    #[test]
    fn a_detail_stays_short() {
        let problem = Problem::field(&"f".repeat(1_000), "\u{1F5C4}".repeat(1_000));
        assert_eq!(problem.detail.chars().count(), DETAIL_CHARS_MAX + 1);
        assert_eq!(problem.field.unwrap().chars().count(), DETAIL_CHARS_MAX + 1);
    }
}
