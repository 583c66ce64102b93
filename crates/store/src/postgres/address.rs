//! Where a PostgreSQL database is, and how it is spoken to: from its URL.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::{Result, StoreError};

/// How long one host may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection on which nothing is said for this long is asked whether it still stands: without that, a
/// primary that lost its power would be waited for until the kernel gives up, a quarter of an hour later.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// How often it is asked again.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How many questions may stay without an answer.
const KEEPALIVE_RETRIES: u32 = 3;
/// How long what was sent may stay without the other kernel's word that it came.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
/// What the driver takes where the URL says nothing.
const DRIVER_KEEPALIVE_IDLE: Duration = Duration::from_secs(7_200);

/// A database's URL, taken apart.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
}

/// Whether the connection is encrypted, and whom it believes to be the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    /// Not encrypted.
    Off,
    /// Encrypted.
    On {
        /// Whose signature makes a certificate good.
        roots: Roots,
        /// Whether the certificate must be made out to the host's name (`verify-full`).
        check_name: bool,
    },
}

/// Who may sign the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// Whom this machine believes.
    Machine,
    /// The certificates in this PEM file.
    File(PathBuf),
}

impl Address {
    /// Takes `postgres://user:password@host:port,host:port/database?option=value` apart. An error never
    /// repeats the URL: there is a password in it.
    pub(super) fn parse(url: &str) -> Result<Self> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(unusable("it must begin with postgres://"));
        }
        let (url, ssl) = take_ssl(url)?;
        let config: Result<Config> = url
            .parse()
            .map_err(|error: tokio_postgres::Error| unusable(&super::error::text(&error)));
        let mut config = config?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(unusable("it names no host"));
        }
        let tls = ssl.decide(&config)?;
        config.ssl_mode(match (&tls, ssl.mode.as_deref()) {
            (Tls::Off, _) => SslMode::Disable,
            (Tls::On { .. }, Some("prefer")) => SslMode::Prefer,
            (Tls::On { .. }, _) => SslMode::Require,
        });
        settle(&mut config);
        Ok(Self { config, tls })
    }

    /// How many hosts may have to be tried.
    pub(super) fn hosts(&self) -> u32 {
        let hosts = self.config.get_hosts().len();
        u32::try_from(hosts.max(self.config.get_hostaddrs().len())).unwrap_or(u32::MAX)
    }

    /// The same for each host alone.
    pub(super) fn each(&self) -> Vec<Config> {
        let hosts = 0..self.hosts() as usize;
        hosts.map(|number| only(&self.config, number)).collect()
    }
}

/// What a URL with this one of its hosts would say. The driver cannot take a host away.
fn only(all: &Config, number: usize) -> Config {
    let mut one = Config::new();
    match all.get_hosts().get(number) {
        Some(Host::Tcp(name)) => {
            one.host(name);
        }
        Some(Host::Unix(path)) => {
            one.host_path(path);
        }
        None => {}
    }
    if let Some(address) = all.get_hostaddrs().get(number) {
        one.hostaddr(*address);
    }
    // One port is for all hosts.
    let ports = all.get_ports();
    if let Some(port) = ports.get(number).or_else(|| ports.first()) {
        one.port(*port);
    }
    if let Some(user) = all.get_user() {
        one.user(user);
    }
    if let Some(password) = all.get_password() {
        one.password(password);
    }
    if let Some(database) = all.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = all.get_options() {
        one.options(options);
    }
    one.ssl_mode(all.get_ssl_mode());
    one.ssl_negotiation(all.get_ssl_negotiation());
    one.channel_binding(all.get_channel_binding());
    one.load_balance_hosts(all.get_load_balance_hosts());
    if let Some(name) = all.get_application_name() {
        one.application_name(name);
    }
    if let Some(timeout) = all.get_connect_timeout() {
        one.connect_timeout(*timeout);
    }
    if let Some(timeout) = all.get_tcp_user_timeout() {
        one.tcp_user_timeout(*timeout);
    }
    one.keepalives(all.get_keepalives());
    one.keepalives_idle(all.get_keepalives_idle());
    if let Some(interval) = all.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = all.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.target_session_attrs(all.get_target_session_attrs());
    one
}

/// What the URL leaves open.
fn settle(config: &mut Config) {
    config.keepalives(true);
    if config.get_keepalives_idle() == DRIVER_KEEPALIVE_IDLE {
        config.keepalives_idle(KEEPALIVE_IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(KEEPALIVE_INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(KEEPALIVE_RETRIES);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(TCP_USER_TIMEOUT);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("nightbeat");
    }
    // Of several hosts, the one that is the primary now.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
}

/// What the URL says of TLS; the driver does not know all of it.
#[derive(Debug, Default)]
struct Ssl {
    mode: Option<String>,
    root: Option<String>,
}

/// The URL without `sslmode` and `sslrootcert`, and these.
fn take_ssl(url: &str) -> Result<(String, Ssl)> {
    let mut ssl = Ssl::default();
    let Some((address, options)) = url.split_once('?') else {
        return Ok((url.to_owned(), ssl));
    };
    let mut rest = Vec::new();
    for option in options.split('&') {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let decoded = || {
            let value = percent_encoding::percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| unusable(&format!("{name} is not UTF-8")));
            value.map(|value| Some(value.into_owned()))
        };
        match name {
            "sslmode" => ssl.mode = decoded()?,
            "sslrootcert" => ssl.root = decoded()?,
            _ => rest.push(option),
        }
    }
    let rest = rest.join("&");
    let joint = if rest.is_empty() { "" } else { "?" };
    Ok((format!("{address}{joint}{rest}"), ssl))
}

impl Ssl {
    /// Stricter than libpq: where TLS is asked for, the server has to prove who it is.
    fn decide(&self, config: &Config) -> Result<Tls> {
        let roots = match self.root.as_deref() {
            None | Some("system" | "") => Roots::Machine,
            Some(path) => Roots::File(PathBuf::from(path)),
        };
        let on = |check_name| Tls::On { roots, check_name };
        if config.get_hosts().iter().all(is_socket) && config.get_hostaddrs().is_empty() {
            return Ok(Tls::Off);
        }
        match self.mode.as_deref() {
            Some("disable") => Ok(Tls::Off),
            None if self.root.is_none() && config.get_hosts().iter().all(is_here) => Ok(Tls::Off),
            None | Some("prefer" | "require" | "verify-full") => Ok(on(true)),
            Some("verify-ca") => Ok(on(false)),
            Some(other) => Err(unusable(&format!(
                "sslmode={other} is not known; use verify-full, verify-ca, require, prefer or disable"
            ))),
        }
    }
}

fn is_socket(host: &Host) -> bool {
    matches!(host, Host::Unix(_))
}

/// Whether what is said to this host stays on this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
    }
}

fn unusable(why: &str) -> StoreError {
    StoreError::Fatal(format!("the URL of the PostgreSQL database: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(url: &str) -> Tls {
        Address::parse(url).unwrap().tls
    }

    fn full(roots: Roots) -> Tls {
        let check_name = true;
        Tls::On { roots, check_name }
    }

    #[test]
    fn another_machine_has_to_prove_who_it_is_unless_the_url_says_otherwise() {
        let file = Roots::File(PathBuf::from("/etc/own ca.pem"));
        for (url, expected) in [
            ("postgres://u@db/n", full(Roots::Machine)),
            ("postgres://u@db/n?sslmode=require", full(Roots::Machine)),
            ("postgres://u@db/n?sslmode=disable", Tls::Off),
            ("postgres://u@localhost/n", Tls::Off),
            ("postgres://u@127.0.0.1,[::1]:6000/n", Tls::Off),
            ("postgres://u@localhost,db/n", full(Roots::Machine)),
            (
                "postgres://u@localhost/n?sslmode=verify-full",
                full(Roots::Machine),
            ),
            (
                "postgres://u@db/n?sslrootcert=/etc/own%20ca.pem&connect_timeout=3",
                full(file),
            ),
            ("postgres:///n?host=/run/postgresql&user=u", Tls::Off),
            (
                "postgres://u@%2Frun%2Fpostgresql/n?sslmode=verify-full",
                Tls::Off,
            ),
        ] {
            assert_eq!(tls(url), expected, "{url}");
        }
        let ca = tls("postgresql://u@db/n?sslmode=verify-ca");
        let expected = Tls::On {
            roots: Roots::Machine,
            check_name: false,
        };
        assert_eq!(ca, expected);
    }

    #[test]
    fn what_the_url_leaves_open_is_settled_and_what_it_says_stays() {
        let url = "postgres://u@a:1,b:2/n?connect_timeout=3&keepalives_idle=9";
        let address = Address::parse(url).unwrap();
        let config = &address.config;
        assert_eq!(address.hosts(), 2);
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(9));
        assert_eq!(config.get_keepalives_interval(), Some(KEEPALIVE_INTERVAL));
        assert_eq!(config.get_tcp_user_timeout(), Some(&TCP_USER_TIMEOUT));
        assert_eq!(config.get_application_name(), Some("nightbeat"));
        let attributes = config.get_target_session_attrs();
        assert_eq!(attributes, TargetSessionAttrs::ReadWrite);
    }

    #[test]
    fn each_host_alone_is_spoken_to_as_the_url_says() {
        let one =
            "keepalives_idle=9&options=-cwork_mem%3D1MB&connect_timeout=3&channel_binding=disable";
        let both = format!("postgres://u:secret@a:1,b:2/n?{one}");
        let each = Address::parse(&both).unwrap().each();
        let hosts = ["a:1", "b:2"].map(|host| format!("postgres://u:secret@{host}/n?{one}"));
        let alone = hosts.map(|url| Address::parse(&url).unwrap().config);
        assert_eq!(each, alone);
        let each = Address::parse("postgres://u@a,b/n").unwrap().each();
        assert_eq!(each.len(), 2);
    }

    #[test]
    fn an_error_never_repeats_the_password() {
        for url in [
            "mysql://u:hunter2@db/n",
            "postgres://u:hunter2@db/n?sslmode=maybe",
            "postgres://u:hunter2@db/n?sslcert=hunter2.pem",
            "postgres://u:hunter2@db:port/n",
            "postgres:///n?password=hunter2",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(matches!(error, StoreError::Fatal(_)), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
