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
    /// A PostgreSQL database, which several nodes may share.
    Postgres(PostgresUrl),
}

impl FromStr for Database {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if POSTGRES.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self::Postgres(PostgresUrl(text.to_owned())));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err(format!(
                "`{}` is not a database: write `sqlite:/path/to/file.db` or \
                 `postgres://user@host/database`",
                without_password(text)
            )),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// What the URL of a PostgreSQL database begins with.
const POSTGRES: [&str; 2] = ["postgres://", "postgresql://"];

/// What is shown in place of a password.
const MASK: &str = "•••";

/// The URL of a PostgreSQL database. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// The URL as it was given, with its password: for the driver alone.
    pub fn with_password(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

/// A URL with masks in place of what may be a password: between the first `:` and the last `@` behind the
/// scheme, and in options. One that is written wrongly is masked rather too much.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (address, options) = match rest.rfind('@').map_or(rest.find('?'), |at| {
        rest[at..].find('?').map(|found| at + found)
    }) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let address = match address.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{MASK}@{host}"),
            None => format!("{user}@{host}"),
        },
        None => address.to_owned(),
    };
    let whole = format!("{address}{options}");
    let parts = whole.split_inclusive(['?', '&']).map(|option| {
        let (name, _) = option.split_once('=').unwrap_or((option, ""));
        if !name.to_ascii_lowercase().contains("pass") || !option.contains('=') {
            return option.to_owned();
        }
        let end = if option.ends_with('&') { "&" } else { "" };
        format!("{name}={MASK}{end}")
    });
    let parts: String = parts.collect();
    format!("{scheme}://{parts}")
}

/// What a server does. One alone does everything; of several, each may do a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of roles")]
pub struct Roles {
    /// Takes signals.
    pub signals: bool,
    /// Watches deadlines.
    pub watch: bool,
    /// Sends alerts.
    pub deliver: bool,
    /// Serves the API and the pages.
    pub web: bool,
}

impl Roles {
    /// Everything.
    pub const ALL: Self = Self {
        signals: true,
        watch: true,
        deliver: true,
        web: true,
    };

    /// Each with its name.
    fn named(self) -> [(&'static str, bool); 4] {
        [
            ("signals", self.signals),
            ("watch", self.watch),
            ("deliver", self.deliver),
            ("web", self.web),
        ]
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roles = Self {
            signals: false,
            watch: false,
            deliver: false,
            web: false,
        };
        let names = text.split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            match name {
                "signals" => roles.signals = true,
                "watch" => roles.watch = true,
                "deliver" => roles.deliver = true,
                "web" => roles.web = true,
                _ => {
                    return Err(format!(
                        "`{name}` is not a role: name some of signals, watch, deliver, web"
                    ));
                }
            }
        }
        if roles.named().iter().all(|(_, has)| !has) {
            return Err("name at least one of signals, watch, deliver, web".to_owned());
        }
        Ok(roles)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.named().into_iter().filter(|(_, has)| *has);
        let names: Vec<&str> = names.map(|(name, _)| name).collect();
        f.write_str(&names.join(","))
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

/// Who may create an account by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignUp {
    /// Nobody: the operator does, with `nightbeat init`.
    Closed,
    /// Whoever was invited to a project.
    Invitation,
    /// Everybody.
    Open,
}

impl FromStr for SignUp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "closed" => Ok(Self::Closed),
            "invitation" => Ok(Self::Invitation),
            "open" => Ok(Self::Open),
            _ => Err(format!("`{text}` is not `closed`, `invitation` or `open`")),
        }
    }
}

impl fmt::Display for SignUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Invitation => "invitation",
            Self::Open => "open",
        })
    }
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

    /// Its host, without the port: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        let authority = self.text[..self.prefix_at].rsplit('/').next();
        let authority = authority.unwrap_or_default();
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        }
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

/// The part of a mail address behind its `@`: a domain, or an address in brackets. In lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailDomain(String);

impl MailDomain {
    /// The longest domain (RFC 5321, 4.5.3.1.2).
    const CHARS_MAX: usize = 255;

    /// Whether `domain`, as somebody wrote it, is this one. A dot at its end does not matter.
    pub fn is(&self, domain: &str) -> bool {
        domain.parse::<Self>().as_ref() == Ok(self)
    }
}

impl FromStr for MailDomain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            Err(format!(
                "`{text}` is not a domain: write `beats.example.org`, without `@`"
            ))
        };
        if text.len() > Self::CHARS_MAX {
            return refuse();
        }
        let lower = text.to_ascii_lowercase();
        let inner = lower.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let address = inner.map_or(lower.as_str(), |it| it.trim_start_matches("ipv6:"));
        match (address.parse::<IpAddr>(), inner) {
            (Ok(IpAddr::V4(v4)), _) => return Ok(Self(format!("[{v4}]"))),
            (Ok(IpAddr::V6(v6)), _) => return Ok(Self(format!("[ipv6:{v6}]"))),
            (Err(_), Some(_)) => return refuse(),
            (Err(_), None) => {}
        }
        let domain = lower.strip_suffix('.').unwrap_or(&lower);
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || !c.is_ascii();
        let is_label = |label: &str| !label.is_empty() && label.chars().all(fits);
        if domain.split('.').all(is_label) {
            return Ok(Self(domain.to_owned()));
        }
        refuse()
    }
}

impl fmt::Display for MailDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
    fn a_public_url_has_a_host() {
        for (url, host) in [
            ("https://beats.example.org", "beats.example.org"),
            ("http://localhost:8787/beats", "localhost"),
            ("http://127.0.0.1:8787", "127.0.0.1"),
            ("http://[::1]:8787/a/b", "[::1]"),
            ("http://[2001:db8::1]", "[2001:db8::1]"),
        ] {
            let url: PublicUrl = url.parse().unwrap();
            assert_eq!(url.host(), host, "{url}");
        }
    }

    #[test]
    fn a_mail_domain_is_a_name_or_an_address_in_brackets() {
        for (text, written, same) in [
            (
                "Beats.Example.org",
                "beats.example.org",
                "beats.example.ORG.",
            ),
            ("localhost", "localhost", "LOCALHOST"),
            ("bücher.example", "bücher.example", "bücher.Example"),
            ("127.0.0.1", "[127.0.0.1]", "[127.0.0.1]"),
            ("[::1]", "[ipv6:::1]", "[IPv6:::1]"),
            ("2001:DB8::1", "[ipv6:2001:db8::1]", "[IPv6:2001:db8:0::1]"),
        ] {
            let domain: MailDomain = text.parse().unwrap();
            assert_eq!(domain.to_string(), written);
            assert_eq!(written.parse().as_ref(), Ok(&domain));
            assert!(domain.is(same), "{text} {same}");
            assert!(!domain.is("example.org") && !domain.is(""));
        }
        for text in [
            "",
            ".",
            "a..b",
            "a@b",
            "[a]",
            "[127.0.0.1",
            "a b",
            "a,b",
            &"a".repeat(256),
        ] {
            assert!(text.parse::<MailDomain>().is_err(), "{text}");
        }
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
    fn the_password_of_a_database_is_never_shown() {
        for (url, shown) in [
            ("postgres://u:secret@h/n", "postgres://u:•••@h/n"),
            (
                "postgresql://u:se:cr@et@a:1,b:2/n?sslmode=disable",
                "postgresql://u:•••@a:1,b:2/n?sslmode=disable",
            ),
            ("postgres://u@h/n", "postgres://u@h/n"),
            (
                "postgres:///n?host=/run/x&user=u",
                "postgres:///n?host=/run/x&user=u",
            ),
            (
                "postgres://h/n?password=secret&user=u&sslpassword=secret",
                "postgres://h/n?password=•••&user=u&sslpassword=•••",
            ),
            (
                "postgres://h/n?password=secret&user=a@b",
                "postgres://h/n?password=•••&user=a@b",
            ),
            // A mark that should have been escaped.
            ("postgres://u:sec?ret@h/n?a=b", "postgres://u:•••@h/n?a=b"),
        ] {
            let database: Database = url.parse().unwrap();
            assert_eq!(database.to_string(), shown);
            assert!(!format!("{database:?}").contains("sec"), "{database:?}");
            let Database::Postgres(url_again) = database else {
                panic!("{url}");
            };
            assert_eq!(url_again.with_password(), url);
        }
        let mistyped = "postgre://u:secret@h/n".parse::<Database>().unwrap_err();
        assert!(!mistyped.contains("secret"), "{mistyped}");
    }

    #[test]
    fn roles_are_named_and_there_is_at_least_one() {
        let some: Roles = "deliver, signals".parse().unwrap();
        assert_eq!(some.to_string(), "signals,deliver");
        assert_eq!("signals,watch,deliver,web".parse(), Ok(Roles::ALL));
        for text in ["", ",", "all", "signals,judge"] {
            assert!(text.parse::<Roles>().is_err(), "{text}");
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
