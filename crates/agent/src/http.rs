//! The one place where an HTTP client of this machine's user is built.

use std::error::Error;
use std::time::Duration;

use reqwest::Url;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What this program calls itself.
const USER_AGENT: &str = concat!("nightbeat/", env!("CARGO_PKG_VERSION"));

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

/// The URL up to its host and port: what may be shown. What follows may be a secret.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
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

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_in_all_its_forms() {
        let loopback = |url: &str| is_loopback(&Url::parse(url).unwrap());
        assert!(loopback("http://127.0.0.1:8787"));
        assert!(loopback("http://127.8.8.8"));
        assert!(loopback("http://[::1]:8787"));
        assert!(loopback("http://localhost"));
        assert!(!loopback("http://localhost.example.org"));
        assert!(!loopback("http://10.0.0.1"));
    }

    #[test]
    fn an_origin_keeps_no_secret() {
        let url = Url::parse("https://user:pw@host:8443/beats/4c1e?rid=1").unwrap();
        assert_eq!(origin(&url), "https://host:8443");
    }
}
