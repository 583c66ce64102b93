//! Forms: whoever posts one was shown it by us.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use super::Web;
use super::pages::{Notice, page};
use super::viewer::Visitor;
use crate::accounts::key_hash;
use crate::ingest::form_field;

/// The field of each form that carries what only our own pages know.
const TOKEN_FIELD: &str = "csrf";
/// The header that carries it where a script sends something else than a form.
const TOKEN_HEADER: &str = "x-csrf-token";
/// The largest form.
const FORM_BYTES_MAX: usize = 200_000;

/// What a form holds, once it is sure that our own page sent it. Take it as the last argument of a handler;
/// a repeated field is a `Vec`, fields that `T` does not name are left out, and a `Vec` of pairs of text holds all.
#[derive(Debug)]
pub(super) struct Posted<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Web> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, web).await?;
        let body = whole(web, body).await?;
        if is_cross_site(&parts.headers) || !carries_token(&parts.headers, &body, &visitor.csrf) {
            return Err(stale(web));
        }
        serde_html_form::from_bytes(&body)
            .map(Self)
            .map_err(|error| unreadable(web, &error.to_string()))
    }
}

/// The body, which the connection has read already.
async fn whole(web: &Web, body: Body) -> Result<Bytes, Response> {
    let body = body.collect().await;
    let body = body.map_err(|error| unreadable(web, &error.to_string()))?;
    let bytes = body.to_bytes();
    if bytes.len() > FORM_BYTES_MAX {
        return Err(unreadable(web, "it is larger than 200 kB"));
    }
    Ok(bytes)
}

/// Hashes are compared, so that the time it takes tells nothing.
fn carries_token(headers: &HeaderMap, body: &Bytes, csrf: &str) -> bool {
    let in_header = headers.get(TOKEN_HEADER);
    let in_header = in_header.and_then(|token| token.to_str().ok());
    let token = match in_header {
        Some(token) => token.to_owned(),
        None => form_field(body, TOKEN_FIELD).unwrap_or_default(),
    };
    key_hash(&token) == key_hash(csrf)
}

/// Whether another origin's page sent this form: a stranger's, or a neighbour's on a subdomain beside ours,
/// which `SameSite` cookies do not keep out.
fn is_cross_site(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site" || site == "same-site")
}

fn stale(web: &Web) -> Response {
    let notice = Notice {
        frame: web.frame(),
        title: "This form is not valid any more",
        text: "It was opened before you signed in or out, or in a browser that keeps no cookies, or another site \
               sent it: nothing was changed. Go back, load the page anew, and send it again.",
    };
    page(StatusCode::FORBIDDEN, &notice)
}

fn unreadable(web: &Web, problem: &str) -> Response {
    let text =
        format!("Nothing was changed: {problem}. Go back, load the page anew, and send it again.");
    let notice = Notice {
        frame: web.frame(),
        title: "This form cannot be read",
        text: &text,
    };
    page(StatusCode::BAD_REQUEST, &notice)
}
