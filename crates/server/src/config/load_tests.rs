//! What sources make which configuration.

use super::*;
use crate::config::LogFormat;
use std::time::Duration;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let home = ("HOME", "/home/ana");
    let pairs = pairs.iter().copied().chain([home]);
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn of(text: &str, pairs: &[(&str, &str)], overrides: &Overrides) -> Result<Loaded, ConfigError> {
    load(
        Some(File {
            name: "nb.toml",
            text,
        }),
        &env(pairs),
        overrides,
    )
}

fn problems(text: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    of(text, pairs, &Overrides::default()).unwrap_err().problems
}

fn origin(loaded: &Loaded, key: &str) -> String {
    let shown = loaded.values().into_iter().find(|shown| shown.key == key);
    shown.unwrap().origin
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let loaded = load(None, &env(&[]), &Overrides::default()).unwrap();
    let folder = "/home/ana/.local/share/nightbeat";
    let database = Database::Sqlite(format!("{folder}/nightbeat.db").into());
    let expected = Config {
        data_folder: Some(folder.into()),
        ..Config::with_database(database)
    };
    assert_eq!(loaded.config, expected);
    assert_eq!(loaded.config.public_url.as_str(), "http://127.0.0.1:8787");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let text = "listen = \"127.0.0.1:1\"\npublic_url = \"http://one\"\nping_host = \"one\"\n";
    let pairs = [
        ("NIGHTBEAT_LISTEN", "127.0.0.1:2"),
        ("NIGHTBEAT_PUBLIC_URL", "http://two"),
    ];
    let overrides = Overrides {
        listen: Some("127.0.0.1:3".into()),
        ..Overrides::default()
    };
    let loaded = of(text, &pairs, &overrides).unwrap();
    assert_eq!(loaded.config.listen, ["127.0.0.1:3".parse().unwrap()]);
    assert_eq!(loaded.config.public_url.as_str(), "http://two");
    assert_eq!(loaded.config.ping_host.as_deref(), Some("one"));
    assert_eq!(origin(&loaded, "listen"), "--listen");
    assert_eq!(origin(&loaded, "public_url"), "NIGHTBEAT_PUBLIC_URL");
    assert_eq!(origin(&loaded, "ping_host"), "nb.toml:3");
    assert_eq!(origin(&loaded, "log.level"), "default");
}

#[test]
fn nested_keys_are_tables_in_the_file_and_underscores_in_the_environment() {
    let text = "[outgoing]\nallow = [\"10.0.0.0/8\", \"fd00::/8\"]\ntimeout = \"20s\"\n\
                [limits]\nbody_bytes = \"50kB\"\nheader_timeout = 5\n[log]\nformat = \"json\"";
    let pairs = [("NIGHTBEAT_OUTGOING_ALLOW", "127.0.0.0/8,10.0.0.0/8")];
    let loaded = of(text, &pairs, &Overrides::default()).unwrap();
    let allow = ["127.0.0.0/8", "10.0.0.0/8"].map(|text| text.parse().unwrap());
    assert_eq!(loaded.config.outgoing.allow, allow);
    assert_eq!(loaded.config.outgoing.timeout, Duration::from_secs(20));
    assert_eq!(loaded.config.limits.body_bytes, 50_000);
    assert_eq!(loaded.config.limits.header_timeout, Duration::from_secs(5));
    assert_eq!(loaded.config.log.format, LogFormat::Json);
    assert_eq!(origin(&loaded, "limits.body_bytes"), "nb.toml:5");
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    for key in KEYS {
        let value = match key.name {
            "listen" | "smtp_listen" => "127.0.0.1:9",
            "limits.mail_bytes" => "70000",
            "database" => "sqlite:/x.db",
            "roles" => "signals,web",
            "public_url" | "report_to" | "outgoing.proxy" | "oidc.issuer" => {
                "https://host.example/path"
            }
            "trusted_proxies" | "outgoing.allow" | "metrics.allow" => "10.0.0.0/8",
            "log.format" => "json",
            "sign_up" => "open",
            "smtp.tls" => "implicit",
            _ => "7000",
        };
        let value = match key.name {
            name if name.ends_with("_timeout") || name.ends_with(".timeout") => "7",
            "retention.run_summary_years" => "7",
            _ => value,
        };
        let mut loading = Loading {
            config: Config::with_database(Database::Sqlite("x".into())),
            origins: BTreeMap::new(),
            problems: Vec::new(),
        };
        loading.environment(&[(key.variable(), value.to_owned())]);
        assert_eq!(loading.problems, [""; 0], "{}", key.name);
        assert!(loading.origins.contains_key(key.name), "{}", key.name);
    }
}

#[test]
fn variables_of_keys_are_all_different() {
    let mut names: Vec<String> = KEYS.iter().map(Key::variable).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), KEYS.len());
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    for (text, expected) in [
        (
            "listne = 1",
            "nb.toml:1: unknown key `listne`: did you mean `listen`?",
        ),
        (
            "\n[outgoing]\n\nalow = []",
            "nb.toml:4: unknown key `outgoing.alow`: did you mean `outgoing.allow`?",
        ),
        (
            "[outgoin]\nallow = []",
            "nb.toml:2: unknown key `outgoin.allow`: did you mean `outgoing.allow`?",
        ),
        (
            "[retentoin]",
            "nb.toml:1: unknown key `retentoin`: did you mean `retention`?",
        ),
        ("smtp = 3", "nb.toml:1: `smtp` is a table: write `[smtp]`"),
        (
            "listen = true",
            "nb.toml:1: listen: write the value as text in quotes or as a whole number",
        ),
        (
            "database = [\"a\"]",
            "nb.toml:1: database: this key takes one value, not a list",
        ),
        (
            "[listen]\na = 1",
            "nb.toml:1: listen: this key takes a value, not a table",
        ),
    ] {
        assert_eq!(problems(text, &[]), [expected], "{text}");
    }
    assert_eq!(
        problems("", &[("NIGHTBEAT_LISTN", "x")]),
        ["NIGHTBEAT_LISTN: unknown variable: did you mean `NIGHTBEAT_LISTEN`?"]
    );
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_its_line() {
    let found = problems("listen = \"127.0.0.1:1\"\npublic_url = \n", &[]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("nb.toml:2: "), "{}", found[0]);
}

#[test]
fn every_problem_is_told_at_once() {
    let found = problems(
        "listen = \"x\"\n[limits]\nconnections = 0\n",
        &[("NIGHTBEAT_LOG_FORMAT", "xml")],
    );
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.contains(
        &"NIGHTBEAT_LOG_FORMAT: log.format: `xml` is neither `text` nor `json`".to_owned()
    ));
}

#[test]
fn variables_of_the_client_and_of_kubernetes_are_no_concern_of_the_server() {
    let pairs = [
        ("NIGHTBEAT_URL", "http://x"),
        ("NIGHTBEAT_API_KEY", "k"),
        ("NIGHTBEAT_SERVICE_HOST", "10.0.0.1"),
        ("NIGHTBEAT_PORT", "tcp://10.0.0.1:8787"),
        ("NIGHTBEAT_PORT_8787_TCP_ADDR", "10.0.0.1"),
        ("NIGHTBEAT_REPORT_TO", ""),
        ("OTHER", "x"),
    ];
    let loaded = of("", &pairs, &Overrides::default()).unwrap();
    assert_eq!(loaded.config.report_to, None);
}

#[test]
fn the_database_is_in_the_state_directory_else_in_the_data_directory() {
    for (pairs, path) in [
        (
            vec![
                ("STATE_DIRECTORY", "/var/lib/nightbeat:/var/lib/b"),
                ("HOME", "/h"),
            ],
            "/var/lib/nightbeat/nightbeat.db",
        ),
        (
            vec![("XDG_DATA_HOME", "/data"), ("HOME", "/h")],
            "/data/nightbeat/nightbeat.db",
        ),
        (
            vec![("XDG_DATA_HOME", "relative"), ("HOME", "/h")],
            "/h/.local/share/nightbeat/nightbeat.db",
        ),
    ] {
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect();
        let loaded = load(None, &pairs, &Overrides::default()).unwrap();
        assert_eq!(loaded.config.database, Database::Sqlite(path.into()));
    }
    let error = load(None, &[], &Overrides::default()).unwrap_err();
    assert!(
        error.to_string().starts_with("database: neither"),
        "{error}"
    );
    let overrides = Overrides {
        database: Some("sqlite:/x.db".into()),
        ..Overrides::default()
    };
    assert!(load(None, &[], &overrides).is_ok());
}

#[test]
fn values_that_cannot_be_meant_together_are_refused() {
    for (text, start) in [
        (
            "roles = [\"signals\"]",
            "roles: a server on SQLite is alone",
        ),
        ("[smtp]\nhost = \"mail\"\nfrom = \"a@b\"", "smtp.tls: "),
        ("[smtp]\nhost = \"mail\"\ntls = \"none\"", "smtp.from: "),
        (
            "[smtp]\nusername = \"a\"\npassword = \"b\"\npassword_file = \"/c\"",
            "smtp.password: ",
        ),
        ("[smtp]\nusername = \"a\"", "smtp.username: "),
        (
            "[limits]\nbody_hard_bytes = \"2kB\"",
            "limits.body_hard_bytes: ",
        ),
        ("listen = []", "listen: "),
    ] {
        let found = problems(text, &[]);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(start), "{text}: {}", found[0]);
    }
}

#[test]
fn values_out_of_bounds_are_refused() {
    for text in [
        "[limits]\nconnections = -1",
        "[limits]\nconnections = 0x10",
        "[limits]\nconnections = 1.5",
        "[limits]\nbody_bytes = \"999\"",
        "[limits]\nbody_bytes = \"99999999999999999999MB\"",
        "[limits]\nheader_timeout = \"0s\"",
        "[limits]\nsignals_per_second_per_heartbeat = \"on\"",
        "[outgoing]\ntimeout = \"1 minute\"",
        "[smtp]\nport = 70000",
        "ping_host = \"https://ping.example\"",
        "report_to = \"ping.example\"",
        "trusted_proxies = [\"localhost\"]",
    ] {
        assert_eq!(problems(text, &[]).len(), 1, "{text}");
    }
}

#[test]
fn secrets_are_masked_and_the_rest_reads_back_as_toml() {
    let text = "report_to = \"https://h/api/heartbeat/secret-1\"\nlisten = [\"127.0.0.1:1\", \"unix:/run/nb\"]\n\
                [smtp]\nusername = \"a\"\npassword = \"secret-2\"\n[outgoing]\nproxy = \"http://u:secret-3@p\"";
    let loaded = of(text, &[], &Overrides::default()).unwrap();
    let shown = loaded.show();
    assert!(!shown.contains("secret-"), "{shown}");
    assert!(!format!("{loaded:?}").contains("secret-"));
    assert!(
        shown.contains("listen = [\"127.0.0.1:1\", \"unix:/run/nb\"]"),
        "{shown}"
    );
    let masked = ["report_to", "smtp.password", "outgoing.proxy"];
    let plain = shown
        .lines()
        .filter(|line| !masked.iter().any(|key| line.starts_with(key)));
    let again = plain
        .filter(|line| !line.starts_with("smtp.username"))
        .collect::<Vec<_>>()
        .join("\n");
    let again = of(&again, &[], &Overrides::default()).unwrap().config;
    assert_eq!(again.listen, loaded.config.listen);
    assert_eq!(again.limits, loaded.config.limits);
    assert_eq!(again.retention, loaded.config.retention);
}

#[test]
fn mail_is_for_the_host_of_the_public_url_unless_domains_are_named() {
    let of_flags = |listen: &str, domain: Option<&str>, url: &str| {
        let flags = Overrides {
            smtp_listen: Some(listen.to_owned()),
            smtp_domain: domain.map(str::to_owned),
            public_url: Some(url.to_owned()),
            ..Overrides::default()
        };
        of("", &[], &flags).map(|loaded| loaded.config)
    };
    let domains = |config: &Config| -> Vec<String> {
        config
            .mail_domains()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let url = "https://beats.example.org:8443/x";
    let config = of_flags("0.0.0.0:25,[::]:25", None, url).unwrap();
    assert_eq!(config.mail_in.listen.len(), 2);
    assert_eq!(domains(&config), ["beats.example.org"]);
    let config = of_flags("127.0.0.1:2525", Some("A.example, b.example"), url).unwrap();
    assert_eq!(domains(&config), ["a.example", "b.example"]);
    assert_eq!(config.shown_mail_domain().unwrap().to_string(), "a.example");
    let config = of_flags("127.0.0.1:2525", None, "http://[::1]:8787").unwrap();
    assert_eq!(domains(&config), ["[ipv6:::1]"]);
    let silent = of("", &[], &Overrides::default()).unwrap().config;
    assert_eq!(silent.shown_mail_domain(), None);
    for (text, problem) in [
        (
            "smtp_certificate = \"/x\"",
            "smtp_certificate: it and smtp_key",
        ),
        ("smtp_key = \"/x\"", "smtp_certificate: it and smtp_key"),
        (
            "smtp_domain = [\"a@b\"]",
            "nb.toml:1: smtp_domain: `a@b` is not a domain",
        ),
        (
            "smtp_listen = \"25\"",
            "nb.toml:1: smtp_listen: `25` is not an address",
        ),
    ] {
        let problems = of(text, &[], &Overrides::default()).unwrap_err().problems;
        assert!(problems[0].starts_with(problem), "{problems:?}");
    }
    let missing = "smtp_certificate = \"/missing/c\"\nsmtp_key = \"/missing/k\"";
    let problems = of(missing, &[], &Overrides::default()).unwrap().check();
    assert!(
        problems[0].starts_with("smtp_certificate: cannot read /missing/c"),
        "{problems:?}"
    );
}

/// The handbook, which must name every key with its default.
const HANDBOOK: &str = include_str!("../../../../docs/configuration.md");

#[test]
fn the_handbook_names_every_key_with_its_default() {
    let defaults = load(None, &env(&[]), &Overrides::default()).unwrap();
    for shown in defaults.values() {
        let default = match (shown.key, shown.value) {
            ("database" | "public_url" | "data_folder", _) => "see below".to_owned(),
            (_, None) => "not set".to_owned(),
            (_, Some(value)) => format!("`{value}`"),
        };
        let row = format!("| `{}` | {default} | ", shown.key);
        assert!(HANDBOOK.contains(&row), "{row}");
    }
    let rows = HANDBOOK.lines().filter(|line| line.starts_with("| `"));
    assert_eq!(rows.count(), KEYS.len(), "a key that does not exist");
}

#[test]
fn the_example_of_the_handbook_is_right() {
    let (_, rest) = HANDBOOK.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let loaded = of(example, &[], &Overrides::default()).unwrap();
    assert_eq!(loaded.config.listen.len(), 2);
    assert!(loaded.config.trusted_proxies.unix);
}

#[test]
fn a_database_in_postgresql_is_shown_without_its_password() {
    let text =
        "database = \"postgres://nb:secret-7@db.example.org/nightbeat\"\nroles = [\"web\"]\n";
    let loaded = of(text, &[], &Overrides::default()).unwrap();
    assert_eq!(loaded.config.roles, "web".parse().unwrap());
    let shown = loaded.show();
    assert!(shown.contains("database = \"postgres://nb:•••@db.example.org/nightbeat\""));
    assert!(shown.contains("roles = [\"web\"]"), "{shown}");
    assert!(!format!("{shown}{loaded:?}").contains("secret-7"));
}
