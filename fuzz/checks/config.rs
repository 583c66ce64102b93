//! What holds for every configuration. The input is a TOML file in which a line `$ NAME=VALUE` is an
//! environment variable and a line `--FLAG VALUE` a flag.

use nightbeat_server::config::{
    Config, ConfigError, Database, File, Loaded, Overrides, Secret, load,
};

/// Fails where a configuration is read or shown wrongly.
pub(crate) fn check(input: &str) {
    let sources = Sources::of(input);
    let found = sources.load();
    match (found, sources.load()) {
        (Ok(loaded), Ok(again)) => {
            assert_eq!(
                loaded.config, again.config,
                "read twice, it says two things"
            );
            within_bounds(&loaded.config);
            shown_is_the_same(&loaded);
        }
        (Err(error), Err(again)) => {
            assert_eq!(error, again, "read twice, it says two things");
            assert!(!error.problems.is_empty());
            assert!(error.problems.iter().all(|problem| !problem.is_empty()));
        }
        (one, other) => panic!("read twice: {one:?}, then {other:?}"),
    }
}

#[derive(Default)]
struct Sources {
    text: String,
    environment: Vec<(String, String)>,
    overrides: Overrides,
}

impl Sources {
    fn of(input: &str) -> Self {
        let mut sources = Self::default();
        for line in input.split_inclusive('\n') {
            let content = line.strip_suffix('\n').unwrap_or(line);
            if let Some((name, value)) = content
                .strip_prefix("$ ")
                .and_then(|pair| pair.split_once('='))
            {
                let pair = (name.to_owned(), value.to_owned());
                sources.environment.push(pair);
            } else if let Some((flag, value)) = content.split_once(' ')
                && let Some(place) = sources.flag(flag)
            {
                *place = Some(value.to_owned());
            } else {
                sources.text.push_str(line);
            }
        }
        sources
    }

    fn flag(&mut self, flag: &str) -> Option<&mut Option<String>> {
        let overrides = &mut self.overrides;
        match flag {
            "--listen" => Some(&mut overrides.listen),
            "--database" => Some(&mut overrides.database),
            "--roles" => Some(&mut overrides.roles),
            "--public-url" => Some(&mut overrides.public_url),
            "--ping-host" => Some(&mut overrides.ping_host),
            "--snitch-host" => Some(&mut overrides.snitch_host),
            "--smtp-listen" => Some(&mut overrides.smtp_listen),
            "--smtp-domain" => Some(&mut overrides.smtp_domain),
            "--report-to" => Some(&mut overrides.report_to),
            "--log-format" => Some(&mut overrides.log_format),
            "--log-level" => Some(&mut overrides.log_level),
            _ => None,
        }
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        let file = File {
            name: "nightbeat.toml",
            text: &self.text,
        };
        load(Some(file), &self.environment, &self.overrides)
    }
}

/// The bounds of docs/configuration.md, and what other code takes for granted.
fn within_bounds(config: &Config) {
    assert!(!config.listen.is_empty());
    if let Database::Sqlite(path) = &config.database {
        assert!(!path.as_os_str().is_empty());
    }
    public_url_is_whole(config);
    assert!((1..=40).contains(&config.outgoing.timeout.as_secs()));
    let limits = &config.limits;
    for length in [limits.header_timeout, limits.body_timeout] {
        assert!((1..=600).contains(&length.as_secs()));
    }
    assert!((Config::BODY_BYTES_MIN..=Config::BODY_BYTES_MAX).contains(&limits.body_bytes));
    assert!(limits.body_hard_bytes >= limits.body_bytes as u64);
    assert!(
        limits.connections > 0 && limits.connections_per_address > 0 && limits.inbox_signals > 0
    );
    assert_ne!(limits.signals_per_second_per_heartbeat, Some(0));
    assert!((Config::MAIL_BYTES_MIN..=Config::MAIL_BYTES_MAX).contains(&limits.mail_bytes));
    assert!(limits.mail_connections > 0 && limits.mail_connections_per_address > 0);
    assert_ne!(limits.mails_per_minute_per_address, Some(0));
    assert!((1..=3_600).contains(&limits.mail_timeout.as_secs()));
    let mail_in = &config.mail_in;
    assert_eq!(mail_in.certificate.is_some(), mail_in.key.is_some());
    assert!(mail_in.listen.is_empty() || !config.mail_domains().is_empty());
    assert_ne!(limits.api_requests_per_minute, Some(0));
    let smtp = &config.smtp;
    assert!(smtp.host.is_none() || (smtp.tls.is_some() && smtp.from.is_some()));
    assert_ne!(smtp.port, Some(0));
}

/// Scheme, host, path, and nothing else; the path is what signals are looked for below.
fn public_url_is_whole(config: &Config) {
    let url = &config.public_url;
    let prefix = url.prefix();
    assert!(
        prefix.is_empty() || (prefix.starts_with('/') && !prefix.ends_with('/')),
        "{url}"
    );
    let origin = url.as_str().strip_suffix(prefix).unwrap_or_default();
    let (scheme, host) = origin.split_once("://").unwrap_or_default();
    let encrypted = scheme.eq_ignore_ascii_case("https");
    assert!(encrypted || scheme.eq_ignore_ascii_case("http"), "{url}");
    assert!(!host.is_empty() && !host.contains('/'), "{url}");
    assert_eq!(url.is_https(), encrypted, "{url}");
}

/// What `config show` prints is a file that says the same, once the masked secrets are put back.
fn shown_is_the_same(loaded: &Loaded) {
    let config = &loaded.config;
    let mut text = loaded.show();
    for (key, secret) in [
        ("report_to", &config.report_to),
        ("smtp.password", &config.smtp.password),
        ("outgoing.proxy", &config.outgoing.proxy),
    ] {
        if let Some(Secret(secret)) = secret {
            let masked = format!("\n{key} = \"•••\"");
            assert_eq!(text.matches(&masked).count(), 1, "{key} is masked:\n{text}");
            let value = toml::Value::String(secret.clone());
            text = text.replace(&masked, &format!("\n{key} = {value}"));
        }
    }
    let file = File {
        name: "shown.toml",
        text: &text,
    };
    let again = load(Some(file), &[], &Overrides::default());
    match again {
        Ok(again) => assert_eq!(again.config, *config, "shown as\n{text}"),
        Err(error) => panic!("{error}\nshown as\n{text}"),
    }
}
