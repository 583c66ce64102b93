//! Answers that say more than their JSON.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, ETAG, HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS};
use serde::Serialize;

use super::version::etag;

/// 200 and the version of what is answered.
pub(super) struct Tagged<T> {
    /// Its version.
    pub(super) version: i64,
    /// What is answered.
    pub(super) body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(ETAG, etag(self.version))], Json(self.body)).into_response()
    }
}

/// 201, and where it is from now on.
pub(super) struct Created<T> {
    /// Its URL.
    pub(super) location: String,
    /// What was created.
    pub(super) body: T,
}

impl<T: IntoResponse> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, self.body).into_response();
        // Our own URLs are plain ASCII; one that is not goes without the header.
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

/// Nobody on the way keeps an answer, or takes it for something else.
pub(super) async fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
