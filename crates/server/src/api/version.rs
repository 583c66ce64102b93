//! `ETag` and `If-Match`: nobody overwrites an edit that they have not seen.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::header::{HeaderValue, IF_MATCH};
use http::request::Parts;

use super::problem::Problem;

/// What `If-Match` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// Any version: there is no such header, or it is `*`.
    Any,
    /// One of these entity tags.
    One(Vec<String>),
}

/// The entity tag of a version.
pub(super) fn etag(version: i64) -> HeaderValue {
    // Digits and quotes are always a header's value.
    HeaderValue::from_str(&tag(version)).unwrap_or(HeaderValue::from_static("\"0\""))
}

fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

impl IfMatch {
    /// This version only.
    pub(super) fn version(version: i64) -> Self {
        Self::One(vec![tag(version)])
    }

    /// 412 unless this version is one that was asked for.
    pub(super) fn check(&self, version: i64) -> Result<(), Problem> {
        match self {
            Self::Any => Ok(()),
            Self::One(tags) if tags.contains(&tag(version)) => Ok(()),
            Self::One(_) => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                format!(
                    "it has changed since you read it: its ETag is {}; nothing was done",
                    tag(version)
                ),
            )),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut tags = Vec::new();
        for value in parts.headers.get_all(IF_MATCH) {
            // Ours are plain ASCII: what is not cannot match.
            let list = value.to_str().unwrap_or_default();
            tags.extend(list.split(',').map(|tag| tag.trim().to_owned()));
        }
        Ok(match tags.as_slice() {
            [] => Self::Any,
            [any] if any == "*" => Self::Any,
            _ => Self::One(tags),
        })
    }
}
