//! The kinds of values that a configuration holds, each refused where it is not one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use nightbeat_notify::IpNet;

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.starts_with('/') {
                return Ok(Self::Unix(PathBuf::from(path)));
            }
            return Err(format!(
                "`{text}` needs an absolute path: `unix:/run/nightbeat.sock`"
            ));
        }
        if let Some(port) = text
            .strip_prefix("localhost:")
            .and_then(|port| port.parse().ok())
        {
            return Ok(Self::Tcp(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)));
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!(
                "`{text}` is not an address: write `127.0.0.1:8787`, `0.0.0.0:8787`, `[::]:8787` \
                 or `unix:/path`"
            )
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file.
    Sqlite(PathBuf),
}

impl FromStr for Database {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err(format!(
                "`{text}` is not a database: write `sqlite:/path/to/file.db`"
            )),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// Who may say which client they forward for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Proxies by their address.
    pub networks: Vec<IpNet>,
    /// Whoever comes over a Unix socket (written `unix`).
    pub unix: bool,
}

/// The address under which people and jobs reach this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    prefix_at: usize,
}

impl PublicUrl {
    /// The URL without a slash at its end: put a path behind it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its path without a slash at its end: `/beats`, mostly empty.
    pub fn prefix(&self) -> &str {
        &self.text[self.prefix_at..]
    }

    /// Whether cookies may ask for an encrypted connection.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches('/');
        let refuse = |why: &str| {
            Err(format!(
                "`{text}` {why}: write `https://beats.example.org` or `https://example.org/beats`"
            ))
        };
        let Ok(uri) = text.parse::<http::Uri>() else {
            return refuse("is not a URL");
        };
        let Some(host) = uri.authority() else {
            return refuse("names no host");
        };
        let Some(scheme @ ("http" | "https")) = uri.scheme_str() else {
            return refuse("is not http or https");
        };
        if uri.query().is_some() || text.contains('#') || host.as_str().contains('@') {
            return refuse("holds more than scheme, host, port and path");
        }
        // `HTTPS://` is a scheme too; everything behind here looks for the lower-case one.
        let text = format!("{scheme}{}", &text[scheme.len()..]);
        let host_at = scheme.len() + "://".len();
        let prefix_at = text[host_at..]
            .find('/')
            .map_or(text.len(), |at| at + host_at);
        Ok(Self { text, prefix_at })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The address people reach a server at that listens on `listen`, where nobody said.
pub(super) fn public_url_of(listen: &[Listen]) -> PublicUrl {
    let tcp = listen.iter().find_map(|listen| match listen {
        Listen::Tcp(address) => Some(*address),
        Listen::Unix(_) => None,
    });
    let text = match tcp {
        Some(address) if address.ip().is_unspecified() => {
            format!("http://localhost:{}", address.port())
        }
        Some(address) => format!("http://{address}"),
        None => "http://localhost".to_owned(),
    };
    PublicUrl {
        prefix_at: text.len(),
        text,
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(•••)")
    }
}

/// The group of addresses that one person is likely to have: an IPv4 address, or an IPv6 /64.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_may_have_a_path() {
        let url: PublicUrl = "https://host.example:8443/beats/".parse().unwrap();
        assert_eq!(url.as_str(), "https://host.example:8443/beats");
        assert_eq!(url.prefix(), "/beats");
        assert!(url.is_https());
        let shouted: PublicUrl = "HTTPS://host.example/Beats".parse().unwrap();
        assert_eq!(shouted.as_str(), "https://host.example/Beats");
        assert_eq!(shouted.prefix(), "/Beats");
        assert!(shouted.is_https());
        let plain: PublicUrl = "http://127.0.0.1:8787".parse().unwrap();
        assert_eq!(plain.prefix(), "");
        assert!(!plain.is_https());
    }

    #[test]
    fn what_is_not_a_public_url_is_refused() {
        for text in [
            "",
            "host",
            "ftp://host",
            "https://",
            "https://a@host",
            "https://host/?a=1",
            "https://host/#a",
            "/beats",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_listen_address_is_tcp_or_a_unix_socket() {
        assert_eq!(
            "localhost:80".parse::<Listen>().unwrap().to_string(),
            "127.0.0.1:80"
        );
        assert_eq!(
            "[::1]:80".parse::<Listen>().unwrap().to_string(),
            "[::1]:80"
        );
        assert_eq!(
            "unix:/run/x".parse::<Listen>().unwrap(),
            Listen::Unix("/run/x".into())
        );
        for text in [
            "",
            "8787",
            "host:8787",
            "unix:x",
            "127.0.0.1",
            "127.0.0.1:99999",
        ] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn neighbours_share_an_ipv6_network() {
        let a = neighbourhood("2001:db8:1:2::1".parse().unwrap());
        assert_eq!(a, neighbourhood("2001:db8:1:2:ffff::9".parse().unwrap()));
        assert_ne!(a, neighbourhood("2001:db8:1:3::1".parse().unwrap()));
        assert_eq!(
            neighbourhood("::ffff:10.0.0.1".parse().unwrap()),
            "10.0.0.1".parse::<IpAddr>().unwrap()
        );
    }
}
