//! Every key of the configuration, once: its name, how it is read, how it is shown.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use nightbeat_notify::{IpNet, SmtpTls};

use super::{Config, LogFormat, Secret, TrustedProxies};
use crate::span;

/// One key.
pub(super) struct Key {
    /// Its name in the file, with dots for tables: `outgoing.allow`.
    pub(super) name: &'static str,
    /// Its value is masked wherever it is shown.
    pub(super) secret: bool,
    /// It holds a list: an array in the file, separated by commas elsewhere.
    pub(super) list: bool,
    /// Takes a value from its text; the error says what would be right.
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
    /// The value as text; `None` where it is not set.
    pub(super) get: fn(&Config) -> Option<String>,
}

impl Key {
    /// The key with this name.
    pub(super) fn named(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The name of its environment variable: `NIGHTBEAT_OUTGOING_ALLOW`.
    pub(super) fn variable(&self) -> String {
        format!(
            "{}{}",
            super::load::PREFIX,
            self.name.replace('.', "_").to_uppercase()
        )
    }
}

macro_rules! key {
    ($name:literal, $set:expr, $get:expr $(, $flag:ident)*) => {
        Key { name: $name, set: $set, get: $get, $($flag: true,)* ..PLAIN }
    };
}

const PLAIN: Key = Key {
    name: "",
    secret: false,
    list: false,
    set: |_, _| Ok(()),
    get: |_| None,
};

/// All keys, in the order in which they are shown.
pub(super) const KEYS: &[Key] = &[
    key!(
        "listen",
        |c, t| list(t).map(|v| c.listen = v),
        |c| joined(&c.listen),
        list
    ),
    key!("database", |c, t| t.parse().map(|v| c.database = v), |c| {
        Some(c.database.to_string())
    }),
    key!(
        "roles",
        |c, t| t.parse().map(|v| c.roles = v),
        |c| Some(c.roles.to_string()),
        list
    ),
    key!(
        "data_folder",
        |c, t| text(t).map(|v| c.data_folder = Some(v.into())),
        |c| c.data_folder.as_ref().map(|p| p.display().to_string())
    ),
    key!(
        "public_url",
        |c, t| t.parse().map(|v| c.public_url = v),
        |c| Some(c.public_url.to_string())
    ),
    key!(
        "ping_host",
        |c, t| host(t).map(|v| c.ping_host = Some(v)),
        |c| c.ping_host.clone()
    ),
    key!(
        "snitch_host",
        |c, t| host(t).map(|v| c.snitch_host = Some(v)),
        |c| c.snitch_host.clone()
    ),
    key!(
        "smtp_listen",
        |c, t| list(t).map(|v| c.mail_in.listen = v),
        |c| joined(&c.mail_in.listen),
        list
    ),
    key!(
        "smtp_domain",
        |c, t| list(t).map(|v| c.mail_in.domains = v),
        |c| joined(&c.mail_in.domains),
        list
    ),
    key!(
        "smtp_certificate",
        |c, t| text(t).map(|v| c.mail_in.certificate = Some(v.into())),
        |c| path(c.mail_in.certificate.as_ref())
    ),
    key!(
        "smtp_key",
        |c, t| text(t).map(|v| c.mail_in.key = Some(v.into())),
        |c| path(c.mail_in.key.as_ref())
    ),
    key!(
        "trusted_proxies",
        |c, t| proxies(t).map(|v| c.trusted_proxies = v),
        |c| shown_proxies(&c.trusted_proxies),
        list
    ),
    key!("sign_up", |c, t| t.parse().map(|v| c.sign_up = v), |c| {
        Some(c.sign_up.to_string())
    }),
    key!(
        "sign_in_header",
        |c, t| header(t).map(|v| c.sign_in_header = Some(v)),
        |c| c.sign_in_header.as_ref().map(ToString::to_string)
    ),
    key!(
        "oidc.issuer",
        |c, t| url(t).map(|v| c.oidc.issuer = Some(v.0)),
        |c| c.oidc.issuer.clone()
    ),
    key!(
        "oidc.client_id",
        |c, t| text(t).map(|v| c.oidc.client_id = Some(v)),
        |c| c.oidc.client_id.clone()
    ),
    key!(
        "oidc.client_secret",
        |c, t| text(t).map(|v| c.oidc.client_secret = Some(Secret(v))),
        |c| shown(c.oidc.client_secret.as_ref()),
        secret
    ),
    key!(
        "oidc.client_secret_file",
        |c, t| text(t).map(|v| c.oidc.client_secret_file = Some(v.into())),
        |c| c
            .oidc
            .client_secret_file
            .as_ref()
            .map(|p| p.display().to_string())
    ),
    key!(
        "oidc.name",
        |c, t| text(t).map(|v| c.oidc.name = Some(v)),
        |c| c.oidc.name.clone()
    ),
    key!(
        "report_to",
        |c, t| url(t).map(|v| c.report_to = Some(v)),
        |c| shown(c.report_to.as_ref()),
        secret
    ),
    key!(
        "metrics.allow",
        |c, t| list(t).map(|v| c.metrics_allow = v),
        |c| joined(&c.metrics_allow),
        list
    ),
    key!(
        "log.format",
        |c, t| log_format(t).map(|v| c.log.format = v),
        |c| Some(log_format_name(c.log.format).to_owned())
    ),
    key!("log.level", |c, t| text(t).map(|v| c.log.level = v), |c| {
        Some(c.log.level.clone())
    }),
    key!(
        "outgoing.allow",
        |c, t| list(t).map(|v| c.outgoing.allow = v),
        |c| joined(&c.outgoing.allow),
        list
    ),
    key!(
        "outgoing.proxy",
        |c, t| url(t).map(|v| c.outgoing.proxy = Some(v)),
        |c| shown(c.outgoing.proxy.as_ref()),
        secret
    ),
    key!(
        // An attempt must end well within the lease of what it sends (engine::LEASE_LEFT_MIN).
        "outgoing.timeout",
        |c, t| length(t, 1, 40).map(|v| c.outgoing.timeout = v),
        |c| Some(span::format(c.outgoing.timeout))
    ),
    key!(
        "smtp.host",
        |c, t| host(t).map(|v| c.smtp.host = Some(v)),
        |c| c.smtp.host.clone()
    ),
    key!(
        "smtp.port",
        |c, t| number(t, 1, 65_535).map(|v| c.smtp.port = Some(v)),
        |c| c.smtp.port.map(|port| port.to_string())
    ),
    key!(
        "smtp.tls",
        |c, t| tls(t).map(|v| c.smtp.tls = Some(v)),
        |c| c.smtp.tls.map(|tls| tls_name(tls).to_owned())
    ),
    key!(
        "smtp.username",
        |c, t| text(t).map(|v| c.smtp.username = Some(v)),
        |c| c.smtp.username.clone()
    ),
    key!(
        "smtp.password",
        |c, t| text(t).map(|v| c.smtp.password = Some(Secret(v))),
        |c| shown(c.smtp.password.as_ref()),
        secret
    ),
    key!(
        "smtp.password_file",
        |c, t| text(t).map(|v| c.smtp.password_file = Some(v.into())),
        |c| c
            .smtp
            .password_file
            .as_ref()
            .map(|p| p.display().to_string())
    ),
    key!(
        "smtp.from",
        |c, t| text(t).map(|v| c.smtp.from = Some(v)),
        |c| c.smtp.from.clone()
    ),
    key!(
        "channels.folder",
        |c, t| text(t).map(|v| c.channels.folder = Some(v.into())),
        |c| c.channels.folder.as_ref().map(|p| p.display().to_string())
    ),
    key!(
        "limits.connections",
        |c, t| number(t, 1, 1_000_000).map(|v| c.limits.connections = v),
        |c| Some(c.limits.connections.to_string())
    ),
    key!(
        "limits.connections_per_address",
        |c, t| number(t, 1, 1_000_000).map(|v| c.limits.connections_per_address = v),
        |c| Some(c.limits.connections_per_address.to_string())
    ),
    key!(
        "limits.header_timeout",
        |c, t| length(t, 1, 600).map(|v| c.limits.header_timeout = v),
        |c| Some(span::format(c.limits.header_timeout))
    ),
    key!(
        "limits.body_timeout",
        |c, t| length(t, 1, 600).map(|v| c.limits.body_timeout = v),
        |c| Some(span::format(c.limits.body_timeout))
    ),
    key!(
        "limits.body_bytes",
        |c, t| bytes(t, Config::BODY_BYTES_MIN, Config::BODY_BYTES_MAX)
            .map(|v| c.limits.body_bytes = v),
        |c| Some(c.limits.body_bytes.to_string())
    ),
    key!(
        "limits.body_hard_bytes",
        |c, t| bytes(t, Config::BODY_BYTES_MIN, 10_000_000_000)
            .map(|v| c.limits.body_hard_bytes = v as u64),
        |c| Some(c.limits.body_hard_bytes.to_string())
    ),
    key!(
        "limits.inbox_signals",
        |c, t| number(t, 1, 10_000_000).map(|v| c.limits.inbox_signals = v),
        |c| Some(c.limits.inbox_signals.to_string())
    ),
    key!(
        "limits.signals_per_second_per_heartbeat",
        |c, t| number_or_off(t).map(|v| c.limits.signals_per_second_per_heartbeat = v),
        |c| Some(shown_or_off(c.limits.signals_per_second_per_heartbeat))
    ),
    key!(
        // RFC 5321, 4.5.3.1.7 wants 64 KiB at the least.
        "limits.mail_bytes",
        |c, t| bytes(t, Config::MAIL_BYTES_MIN, Config::MAIL_BYTES_MAX)
            .map(|v| c.limits.mail_bytes = v),
        |c| Some(c.limits.mail_bytes.to_string())
    ),
    key!(
        "limits.mail_connections",
        |c, t| number(t, 1, 1_000_000).map(|v| c.limits.mail_connections = v),
        |c| Some(c.limits.mail_connections.to_string())
    ),
    key!(
        "limits.mail_connections_per_address",
        |c, t| number(t, 1, 1_000_000).map(|v| c.limits.mail_connections_per_address = v),
        |c| Some(c.limits.mail_connections_per_address.to_string())
    ),
    key!(
        "limits.mails_per_minute_per_address",
        |c, t| number_or_off(t).map(|v| c.limits.mails_per_minute_per_address = v),
        |c| Some(shown_or_off(c.limits.mails_per_minute_per_address))
    ),
    key!(
        "limits.mail_timeout",
        |c, t| length(t, 1, 3_600).map(|v| c.limits.mail_timeout = v),
        |c| Some(span::format(c.limits.mail_timeout))
    ),
    key!(
        "limits.api_requests_per_minute",
        |c, t| number_or_off(t).map(|v| c.limits.api_requests_per_minute = v),
        |c| Some(shown_or_off(c.limits.api_requests_per_minute))
    ),
    key!(
        "retention.signals",
        |c, t| number(t, 1, 1_000_000).map(|v| c.retention.signals = v),
        |c| Some(c.retention.signals.to_string())
    ),
    key!(
        "retention.signal_incident_days",
        |c, t| number(t, 0, 36_500).map(|v| c.retention.signal_incident_days = v),
        |c| Some(c.retention.signal_incident_days.to_string())
    ),
    key!(
        "retention.runs_days",
        |c, t| number(t, 1, 36_500).map(|v| c.retention.runs_days = v),
        |c| Some(c.retention.runs_days.to_string())
    ),
    key!(
        "retention.runs",
        |c, t| number(t, 1, 10_000_000).map(|v| c.retention.runs = v),
        |c| Some(c.retention.runs.to_string())
    ),
    key!(
        "retention.run_summary_years",
        |c, t| number(t, 0, 100).map(|v| c.retention.run_summary_years = v),
        |c| Some(c.retention.run_summary_years.to_string())
    ),
    key!(
        "retention.delivery_days",
        |c, t| number(t, 2, 36_500).map(|v| c.retention.delivery_days = v),
        |c| Some(c.retention.delivery_days.to_string())
    ),
];

#[expect(clippy::unnecessary_wraps, reason = "like the other readers of values")]
fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn list<T: FromStr<Err: ToString>>(text: &str) -> Result<Vec<T>, String> {
    let parse = |item: &str| item.parse().map_err(|problem: T::Err| problem.to_string());
    items(text).map(parse).collect()
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn joined<T: ToString>(values: &[T]) -> Option<String> {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

fn shown(secret: Option<&Secret>) -> Option<String> {
    secret.map(|secret| secret.0.clone())
}

fn number<T: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Result<T, String> {
    let value = text.replace('_', "").parse::<u64>().ok();
    value
        .filter(|value| (least..=most).contains(value))
        .and_then(|value| T::try_from(value).ok())
        .ok_or_else(|| format!("`{text}` is not a whole number from {least} to {most}"))
}

fn bytes(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let (digits, unit) = match text {
        _ if text.ends_with("kB") => (&text[..text.len() - 2], 1_000),
        _ if text.ends_with("MB") => (&text[..text.len() - 2], 1_000_000),
        _ => (text, 1),
    };
    let value = digits.trim_end().replace('_', "").parse::<usize>().ok();
    value
        .and_then(|value| value.checked_mul(unit))
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| {
            format!("`{text}` is not a size from {least} to {most} bytes: write `100kB` or `16MB`")
        })
}

fn length(text: &str, least: u64, most: u64) -> Result<Duration, String> {
    span::parse(text)
        .filter(|span| (least..=most).contains(&span.as_secs()))
        .ok_or_else(|| {
            let [least, most] = [least, most].map(|s| span::format(Duration::from_secs(s)));
            format!("`{text}` is not a length of time from {least} to {most}: write `10s` or `2m`")
        })
}

fn number_or_off(text: &str) -> Result<Option<u32>, String> {
    if text == "off" {
        return Ok(None);
    }
    number(text, 1, 1_000_000)
        .map(Some)
        .map_err(|problem| format!("{problem}, nor `off`"))
}

fn shown_or_off(limit: Option<u32>) -> String {
    limit.map_or("off".to_owned(), |limit| limit.to_string())
}

fn path(path: Option<&PathBuf>) -> Option<String> {
    path.map(|path| path.display().to_string())
}

fn host(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if text.is_empty() || !text.chars().all(plain) {
        return Err(format!(
            "`{text}` is not a host name: write it without scheme and path"
        ));
    }
    Ok(text.to_ascii_lowercase())
}

fn header(text: &str) -> Result<http::HeaderName, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not the name of a header: write `Remote-Email`"))
}

fn url(text: &str) -> Result<Secret, String> {
    let scheme = text.starts_with("http://") || text.starts_with("https://");
    let host = text
        .parse::<http::Uri>()
        .is_ok_and(|uri| uri.host().is_some());
    if !scheme || !host {
        // The text may hold a secret: it is not repeated.
        return Err("this is not an http or https URL".to_owned());
    }
    Ok(Secret(text.to_owned()))
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("`{text}` is neither `text` nor `json`")),
    }
}

fn log_format_name(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}

fn tls(text: &str) -> Result<SmtpTls, String> {
    match text {
        "implicit" => Ok(SmtpTls::Implicit),
        "starttls" => Ok(SmtpTls::Starttls),
        "none" => Ok(SmtpTls::None),
        _ => Err(format!("`{text}` is not `implicit`, `starttls` or `none`")),
    }
}

fn tls_name(tls: SmtpTls) -> &'static str {
    match tls {
        SmtpTls::Implicit => "implicit",
        SmtpTls::Starttls => "starttls",
        SmtpTls::None => "none",
    }
}

fn proxies(text: &str) -> Result<TrustedProxies, String> {
    let mut trusted = TrustedProxies::default();
    for item in items(text) {
        if item == "unix" {
            trusted.unix = true;
        } else {
            trusted.networks.extend(list::<IpNet>(item)?);
        }
    }
    Ok(trusted)
}

fn shown_proxies(trusted: &TrustedProxies) -> Option<String> {
    let unix = trusted.unix.then(|| "unix".to_owned());
    let networks = trusted.networks.iter().map(ToString::to_string);
    joined(&unix.into_iter().chain(networks).collect::<Vec<_>>())
}
