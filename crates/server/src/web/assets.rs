//! Files that never change while the server runs.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");

/// Where the style sheet is; its name holds its hash, so browsers may keep it for ever.
pub(super) const STYLE_ROUTE: &str = "/assets/{file}";

static STYLE_FILE: LazyLock<String> = LazyLock::new(|| {
    let hash: [u8; 32] = Sha256::digest(STYLE.as_bytes()).into();
    let short = hash
        .iter()
        .take(8)
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("style.{short:016x}.css")
});

/// The path of the style sheet, below the public URL's own.
pub(super) fn style_path() -> String {
    format!("/assets/{}", *STYLE_FILE)
}

pub(super) async fn style(Path(file): Path<String>) -> Response {
    if file != *STYLE_FILE {
        return StatusCode::NOT_FOUND.into_response();
    }
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, STYLE).into_response()
}

/// Nothing here is for search engines; a signal URL least of all.
pub(super) async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /\n"
}
