//! The HTTP client of the API. Signals go another way: see `link`.

use std::error::Error;
use std::time::Duration;

use reqwest::Url;

use crate::address::{USER_AGENT, is_loopback};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An HTTP client for `url`.
///
/// It uses `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the environment, as curl would: it runs on the
/// machine of the person who set them. A loopback address is never asked of a proxy, whose own loopback
/// is another one. Redirects are not followed: they turn POST into GET and carry keys to strangers.
pub(crate) fn client(url: &Url) -> Result<reqwest::Client, reqwest::Error> {
    // Err means that the process has chosen its provider already, which is all we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        // Nothing will be verified, so a machine without any certificates is good enough.
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

/// Why a request got no answer, in a few words and without its URL.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Why a client could not be built.
pub(crate) fn build_reason(error: &reqwest::Error) -> String {
    let reason = reason(error);
    if reason.contains("certificate") || reason.contains("CA ") {
        return format!("{reason} (install ca-certificates, or set SSL_CERT_FILE)");
    }
    reason
}
