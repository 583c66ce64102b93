//! What may be shown of a server's address, and which addresses are this machine.

use url::Url;

use crate::ClientError;

/// What this program calls itself.
pub(crate) const USER_AGENT: &str = concat!("nightbeat/", env!("CARGO_PKG_VERSION"));

/// The URL up to its host and port: what may be shown. What follows may be a secret.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Checks the URL of a server. Query and fragment have no meaning there and are dropped.
pub(crate) fn base_url(text: &str) -> Result<Url, ClientError> {
    let bad = |reason: &str| ClientError::BadUrl {
        url: text.to_owned(),
        reason: reason.to_owned(),
    };
    let mut url = Url::parse(text.trim()).map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("it must begin with http:// or https://"));
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Whether it is this very machine, of which no proxy is asked: its loopback is another one.
pub(crate) fn is_loopback(url: &Url) -> bool {
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
