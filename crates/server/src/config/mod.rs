//! What an operator can set, and where each value came from.
//!
//! A value is taken from the command line, else from the environment (`NIGHTBEAT_LISTEN`,
//! `NIGHTBEAT_OUTGOING_ALLOW`), else from the TOML file, else it has its default. [`load`] is a pure
//! function of these sources; [`from_process`] reads them. Every key stands in `keys::KEYS`, once.

mod check;
mod keys;
mod load;
mod show;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use nightbeat_notify::{IpNet, SmtpTls};

pub use load::{ConfigError, File, Loaded, Origin, Overrides, from_process, load};
pub use values::{
    Database, Listen, MailDomain, PostgresUrl, PublicUrl, Roles, Secret, SignUp, TrustedProxies,
    neighbourhood,
};

/// The configuration in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where to listen; at least one.
    pub listen: Vec<Listen>,
    /// The database.
    pub database: Database,
    /// What this server does, of several on one database.
    pub roles: Roles,
    /// Where a server on PostgreSQL keeps which node it is.
    pub data_folder: Option<PathBuf>,
    /// The address under which people and jobs reach this server.
    pub public_url: PublicUrl,
    /// The host whose every path may be a signal (`https://ping.example.org/UUID`).
    pub ping_host: Option<String>,
    /// The host whose paths are those of Dead Man's Snitch (`https://snitch.example.org/UUID?s=0`).
    pub snitch_host: Option<String>,
    /// Signals by mail.
    pub mail_in: MailIn,
    /// Who may say which client they forward for.
    pub trusted_proxies: TrustedProxies,
    /// Who may create an account by themselves.
    pub sign_up: SignUp,
    /// The header in which a trusted proxy names the e-mail address of who is signed in at it.
    pub sign_in_header: Option<http::HeaderName>,
    /// The OpenID Connect provider that people sign in at.
    pub oidc: Oidc,
    /// The signal URL, on another instance, of this server's own heartbeat.
    pub report_to: Option<Secret>,
    /// Who may read the metrics, besides programs on this machine.
    pub metrics_allow: Vec<IpNet>,
    /// What is logged, and how.
    pub log: Log,
    /// Requests to other servers.
    pub outgoing: Outgoing,
    /// The mail server that alerts are sent through.
    pub smtp: Smtp,
    /// Kinds of channels.
    pub channels: Channels,
    /// Bounds on what strangers can use up.
    pub limits: Limits,
    /// How long what is kept.
    pub retention: Retention,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Text for people or JSON for machines.
    pub format: LogFormat,
    /// A level, or a filter such as `info,nightbeat_server::http=debug`.
    pub level: String,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Requests to other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Private networks that channels may reach all the same.
    pub allow: Vec<IpNet>,
    /// The HTTP proxy to send through; the environment's proxy variables are not read.
    pub proxy: Option<Secret>,
    /// How long one attempt may take in all.
    pub timeout: Duration,
}

/// Signals by mail: where this server listens for them, and for which domains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailIn {
    /// Where to listen; nowhere: no mail is taken.
    pub listen: Vec<Listen>,
    /// The domains whose mail is taken; none: the host of the public URL.
    pub domains: Vec<MailDomain>,
    /// The certificates for STARTTLS, as PEM.
    pub certificate: Option<PathBuf>,
    /// The private key that goes with them, as PEM.
    pub key: Option<PathBuf>,
}

/// The mail server that alerts are sent through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Its name; no mail is sent where it is not set.
    pub host: Option<String>,
    /// Its port; the usual one of the encryption where it is not set.
    pub port: Option<u16>,
    /// How the connection is encrypted. Never guessed from the port.
    pub tls: Option<SmtpTls>,
    /// Whom to sign in as.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    /// The sender of the mails.
    pub from: Option<String>,
}

impl Smtp {
    /// The password, read from its file where it stands in one (without the newline at its end).
    pub fn password(&self) -> std::io::Result<Option<Secret>> {
        secret_or_file(self.password.as_ref(), self.password_file.as_ref())
    }
}

/// The OpenID Connect provider that people sign in at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    /// Its URL, as it names itself; there is none where it is not set.
    pub issuer: Option<String>,
    /// What this server is called there.
    pub client_id: Option<String>,
    /// The secret that goes with it.
    pub client_secret: Option<Secret>,
    /// A file that holds the secret.
    pub client_secret_file: Option<PathBuf>,
    /// What people call the provider.
    pub name: Option<String>,
}

impl Oidc {
    /// The secret, read from its file where it stands in one (without the newline at its end).
    pub fn client_secret(&self) -> std::io::Result<Option<Secret>> {
        secret_or_file(
            self.client_secret.as_ref(),
            self.client_secret_file.as_ref(),
        )
    }
}

fn secret_or_file(
    secret: Option<&Secret>,
    file: Option<&PathBuf>,
) -> std::io::Result<Option<Secret>> {
    let Some(path) = file else {
        return Ok(secret.cloned());
    };
    let text = std::fs::read_to_string(path)?;
    Ok(Some(Secret(text.trim_end_matches(['\r', '\n']).to_owned())))
}

/// Kinds of channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// A folder with more kinds, one TOML file each.
    pub folder: Option<PathBuf>,
}

/// Bounds on what strangers can use up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all.
    pub connections: usize,
    /// Open connections of one address (IPv6: of one /64). Loopback and trusted proxies are exempt.
    pub connections_per_address: usize,
    /// How long a request's header may take, and how long an idle connection is kept.
    pub header_timeout: Duration,
    /// How long a signal's body may take; then the signal counts with what came.
    pub body_timeout: Duration,
    /// How much of a signal's body is kept.
    pub body_bytes: usize,
    /// How much of a signal's body is read at all.
    pub body_hard_bytes: u64,
    /// Signals that may wait to be stored; more are refused with 503.
    pub inbox_signals: usize,
    /// How many signals a second one heartbeat may send; more are refused with 429.
    pub signals_per_second_per_heartbeat: Option<u32>,
    /// The largest mail that is taken, in bytes.
    pub mail_bytes: usize,
    /// Open connections that bring mail, in all.
    pub mail_connections: usize,
    /// The same of one address (IPv6: of one /64). Loopback and trusted proxies are exempt.
    pub mail_connections_per_address: usize,
    /// How many mails a minute one address may send (IPv6: one /64), with the same exemptions.
    pub mails_per_minute_per_address: Option<u32>,
    /// How long whoever brings mail may be silent.
    pub mail_timeout: Duration,
    /// How many requests a minute each key may send to the APIs, and each address without a known key; more are
    /// refused with 429.
    pub api_requests_per_minute: Option<u32>,
}

/// How long what is kept. Incidents are kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The newest signals kept for each heartbeat.
    pub signals: u32,
    /// Days for which the signals around an incident are kept.
    pub signal_incident_days: u32,
    /// Days for which a run is kept.
    pub runs_days: u32,
    /// The newest runs kept for each heartbeat.
    pub runs: u32,
    /// Years for which daily summaries of runs are kept.
    pub run_summary_years: u32,
    /// Days for which a finished delivery and its attempts are kept.
    pub delivery_days: u32,
}

impl Config {
    /// The smallest body limit: head, note and something of the tail must fit.
    pub const BODY_BYTES_MIN: usize = 1_000;
    /// The largest body limit: a hundred waiting signals must fit a small machine.
    pub const BODY_BYTES_MAX: usize = 10_000_000;

    /// The smallest bound on the size of a mail.
    pub const MAIL_BYTES_MIN: usize = 65_536;
    /// The largest bound on the size of a mail: all of it is in memory while it comes.
    pub const MAIL_BYTES_MAX: usize = 100_000_000;

    /// The domains whose mail is taken; the first one stands in the addresses that people are shown.
    pub fn mail_domains(&self) -> Vec<MailDomain> {
        if !self.mail_in.domains.is_empty() {
            return self.mail_in.domains.clone();
        }
        self.public_url.host().parse().into_iter().collect()
    }

    /// The domain in the addresses that people are shown; `None`: mail is not taken. One of several servers
    /// that takes none itself may show them, too, where it is told the domain.
    pub fn shown_mail_domain(&self) -> Option<MailDomain> {
        let is_taken = !self.mail_in.listen.is_empty() || !self.mail_in.domains.is_empty();
        let mut domains = self.mail_domains().into_iter();
        domains.next().filter(|_| is_taken)
    }

    /// The defaults, with the database at `database`.
    pub fn with_database(database: Database) -> Self {
        let listen = vec![Listen::Tcp(([127, 0, 0, 1], 8787).into())];
        Self {
            public_url: values::public_url_of(&listen),
            listen,
            database,
            roles: Roles::ALL,
            data_folder: None,
            ping_host: None,
            snitch_host: None,
            mail_in: MailIn::default(),
            trusted_proxies: TrustedProxies::default(),
            sign_up: SignUp::Closed,
            sign_in_header: None,
            oidc: Oidc {
                issuer: None,
                client_id: None,
                client_secret: None,
                client_secret_file: None,
                name: None,
            },
            report_to: None,
            metrics_allow: Vec::new(),
            log: Log {
                format: LogFormat::Text,
                level: "info".to_owned(),
            },
            outgoing: Outgoing {
                allow: Vec::new(),
                proxy: None,
                timeout: Duration::from_secs(15),
            },
            smtp: Smtp {
                host: None,
                port: None,
                tls: None,
                username: None,
                password: None,
                password_file: None,
                from: None,
            },
            channels: Channels { folder: None },
            limits: Limits {
                connections: 8_192,
                connections_per_address: 256,
                header_timeout: Duration::from_secs(10),
                body_timeout: Duration::from_secs(10),
                body_bytes: 100_000,
                body_hard_bytes: 16_000_000,
                inbox_signals: 100_000,
                signals_per_second_per_heartbeat: None,
                mail_bytes: 10_000_000,
                mail_connections: 1_000,
                mail_connections_per_address: 50,
                mails_per_minute_per_address: Some(1_000),
                mail_timeout: Duration::from_secs(300),
                api_requests_per_minute: Some(600),
            },
            retention: Retention {
                signals: 1_000,
                signal_incident_days: 90,
                runs_days: 365,
                runs: 10_000,
                run_summary_years: 5,
                delivery_days: 90,
            },
        }
    }
}
