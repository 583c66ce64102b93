//! From file, environment and command line to one [`Config`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Key};
use super::values::public_url_of;
use super::{Config, Database};

/// What the names of our environment variables begin with.
pub(super) const PREFIX: &str = "NIGHTBEAT_";

/// Variables with our prefix that are not keys: read by the client commands, by `--config` and by test
/// builds.
const OTHER_VARIABLES: [&str; 11] = [
    "NIGHTBEAT_CONFIG",
    "NIGHTBEAT_URL",
    "NIGHTBEAT_API_KEY",
    "NIGHTBEAT_AGENT_CONFIG",
    "NIGHTBEAT_BASH_ENV",
    "NIGHTBEAT_HEARTBEAT",
    "NIGHTBEAT_RUN_ID",
    "NIGHTBEAT_SPOOL",
    "NIGHTBEAT_STEPS",
    "NIGHTBEAT_PING_KEY",
    "NIGHTBEAT_CLOCK_FILE",
];

/// A configuration file.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// Its name in messages.
    pub name: &'a str,
    /// What stands in it.
    pub text: &'a str,
}

/// What the command line says. Each is the text of the flag of that name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen`; several, separated by commas.
    pub listen: Option<String>,
    /// `--database`.
    pub database: Option<String>,
    /// `--roles`; several, separated by commas.
    pub roles: Option<String>,
    /// `--public-url`.
    pub public_url: Option<String>,
    /// `--ping-host`.
    pub ping_host: Option<String>,
    /// `--snitch-host`.
    pub snitch_host: Option<String>,
    /// `--smtp-listen`; several, separated by commas.
    pub smtp_listen: Option<String>,
    /// `--smtp-domain`; several, separated by commas.
    pub smtp_domain: Option<String>,
    /// `--report-to`.
    pub report_to: Option<String>,
    /// `--log-format`.
    pub log_format: Option<String>,
    /// `--log-level`.
    pub log_level: Option<String>,
}

impl Overrides {
    fn pairs(&self) -> [(&'static str, &'static str, Option<&str>); 11] {
        [
            ("--listen", "listen", self.listen.as_deref()),
            ("--database", "database", self.database.as_deref()),
            ("--roles", "roles", self.roles.as_deref()),
            ("--public-url", "public_url", self.public_url.as_deref()),
            ("--ping-host", "ping_host", self.ping_host.as_deref()),
            ("--snitch-host", "snitch_host", self.snitch_host.as_deref()),
            ("--smtp-listen", "smtp_listen", self.smtp_listen.as_deref()),
            ("--smtp-domain", "smtp_domain", self.smtp_domain.as_deref()),
            ("--report-to", "report_to", self.report_to.as_deref()),
            ("--log-format", "log.format", self.log_format.as_deref()),
            ("--log-level", "log.level", self.log_level.as_deref()),
        ]
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The file, at this line.
    File {
        /// The file's name.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// This environment variable.
    Environment(String),
    /// This flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A configuration and where its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values in force.
    pub config: Config,
    pub(super) origins: BTreeMap<&'static str, Origin>,
}

/// Everything that is wrong with a configuration, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong, where, and what would be right. Never empty.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// The configuration that this process was given: `--config`, else `NIGHTBEAT_CONFIG`, names the file.
pub fn from_process(file: Option<&Path>, overrides: &Overrides) -> Result<Loaded, ConfigError> {
    let variables = std::env::vars_os().map(|(name, value)| {
        let text = |raw: std::ffi::OsString| raw.to_string_lossy().into_owned();
        (text(name), text(value))
    });
    let variables: Vec<(String, String)> = variables.collect();
    let named = variables
        .iter()
        .find(|(name, value)| name == "NIGHTBEAT_CONFIG" && !value.is_empty());
    let Some(path) = file
        .map(Path::to_owned)
        .or(named.map(|(_, value)| PathBuf::from(value)))
    else {
        return load(None, &variables, overrides);
    };
    let name = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => load(
            Some(File {
                name: &name,
                text: &text,
            }),
            &variables,
            overrides,
        ),
        Err(error) => Err(ConfigError {
            problems: vec![format!("{name}: cannot be read: {error}")],
        }),
    }
}

/// The configuration that these sources say: `overrides` before `environment` before `file`.
pub fn load(
    file: Option<File<'_>>,
    environment: &[(String, String)],
    overrides: &Overrides,
) -> Result<Loaded, ConfigError> {
    let folder = default_folder(environment);
    let database = folder
        .as_ref()
        .map(|folder| Database::Sqlite(folder.join("nightbeat.db")));
    let mut loading = Loading {
        config: Config::with_database(
            database
                .clone()
                .unwrap_or(Database::Sqlite("nightbeat.db".into())),
        ),
        origins: BTreeMap::new(),
        problems: Vec::new(),
    };
    loading.config.data_folder = folder;
    if let Some(file) = file {
        loading.file(file);
    }
    loading.environment(environment);
    for (flag, key, value) in overrides.pairs() {
        if let (Some(text), Some(key)) = (value, Key::named(key)) {
            loading.set(key, text, Origin::Flag(flag));
        }
    }
    loading.finish(database.is_some())
}

/// Where our data is when nobody says: systemd's state directory, else the user's data directory.
fn default_folder(environment: &[(String, String)]) -> Option<PathBuf> {
    let variable = |name: &str| {
        let found = environment.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| value.starts_with('/'))
    };
    // systemd separates several state directories by colons.
    let state = variable("STATE_DIRECTORY")
        .and_then(|all| all.split(':').next())
        .map(PathBuf::from);
    state
        .or_else(|| variable("XDG_DATA_HOME").map(|data| Path::new(data).join("nightbeat")))
        .or_else(|| variable("HOME").map(|home| Path::new(home).join(".local/share/nightbeat")))
}

struct Loading {
    config: Config,
    origins: BTreeMap<&'static str, Origin>,
    problems: Vec<String>,
}

impl Loading {
    fn set(&mut self, key: &'static Key, text: &str, origin: Origin) {
        match (key.set)(&mut self.config, text) {
            Ok(()) => {
                self.origins.insert(key.name, origin);
            }
            Err(problem) => self
                .problems
                .push(format!("{origin}: {}: {problem}", key.name)),
        }
    }

    fn file(&mut self, file: File<'_>) {
        match DeTable::parse(file.text) {
            Ok(table) => self.table(file, "", table.get_ref()),
            Err(error) => {
                let line = line_of(file.text, error.span().map_or(0, |span| span.start));
                self.problems
                    .push(format!("{}:{line}: {}", file.name, error.message()));
            }
        }
    }

    fn table(&mut self, file: File<'_>, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = match path {
                "" => key.get_ref().to_string(),
                path => format!("{path}.{}", key.get_ref()),
            };
            let line = line_of(file.text, key.span().start);
            let origin = Origin::File {
                name: file.name.to_owned(),
                line,
            };
            match (Key::named(&name), value.get_ref()) {
                (Some(key), value) => match text_of(value, key.list) {
                    Ok(text) => self.set(key, &text, origin),
                    Err(problem) => self.problems.push(format!("{origin}: {name}: {problem}")),
                },
                (None, DeValue::Table(inner)) if is_table(&name) => self.table(file, &name, inner),
                (None, _) if is_table(&name) => {
                    self.problems
                        .push(format!("{origin}: `{name}` is a table: write `[{name}]`"));
                }
                (None, DeValue::Table(inner)) if !inner.is_empty() => {
                    self.table(file, &name, inner);
                }
                (None, _) => {
                    let known = nearest(&name, known_names());
                    self.problems.push(format!(
                        "{origin}: unknown key `{name}`: did you mean `{known}`?"
                    ));
                }
            }
        }
    }

    fn environment(&mut self, environment: &[(String, String)]) {
        for (name, value) in environment {
            if !name.starts_with(PREFIX)
                || OTHER_VARIABLES.contains(&name.as_str())
                || is_service(name)
            {
                continue;
            }
            // An empty variable is how compose files and unit files say "not set".
            match KEYS.iter().find(|key| key.variable() == *name) {
                Some(_) if value.is_empty() => {}
                Some(key) => self.set(key, value, Origin::Environment(name.clone())),
                None => {
                    let known = KEYS.iter().map(Key::variable);
                    let known = nearest(name, known.chain(OTHER_VARIABLES.map(str::to_owned)));
                    self.problems
                        .push(format!("{name}: unknown variable: did you mean `{known}`?"));
                }
            }
        }
    }

    fn finish(mut self, database_known: bool) -> Result<Loaded, ConfigError> {
        if !database_known && !self.origins.contains_key("database") {
            self.problems.push(
                "database: neither STATE_DIRECTORY, XDG_DATA_HOME nor HOME is set: say where it shall \
                 be, as `--database sqlite:/path/to/nightbeat.db`"
                    .to_owned(),
            );
        }
        if !self.origins.contains_key("public_url") {
            self.config.public_url = public_url_of(&self.config.listen);
        }
        self.problems
            .extend(super::check::contradictions(&self.config));
        if self.problems.is_empty() {
            Ok(Loaded {
                config: self.config,
                origins: self.origins,
            })
        } else {
            Err(ConfigError {
                problems: self.problems,
            })
        }
    }
}

/// Every key and every table.
fn known_names() -> impl Iterator<Item = String> {
    let tables = KEYS.iter().filter_map(|key| key.name.split_once('.'));
    let keys = KEYS.iter().map(|key| key.name.to_owned());
    keys.chain(tables.map(|(table, _)| table.to_owned()))
}

fn is_table(name: &str) -> bool {
    let inside = |key: &Key| {
        key.name
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    KEYS.iter().any(inside)
}

/// Kubernetes and old Docker links set such variables for a service that is named `nightbeat`.
fn is_service(variable: &str) -> bool {
    ["NIGHTBEAT_SERVICE_", "NIGHTBEAT_PORT_"]
        .iter()
        .any(|start| variable.starts_with(start))
        || variable == "NIGHTBEAT_PORT"
}

fn text_of(value: &DeValue<'_>, list: bool) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Array(items) if list => {
            let text = |item: &Spanned<DeValue<'_>>| text_of(item.get_ref(), false);
            Ok(items
                .iter()
                .map(text)
                .collect::<Result<Vec<_>, _>>()?
                .join(","))
        }
        DeValue::Array(_) => Err("this key takes one value, not a list".to_owned()),
        DeValue::Table(_) => Err("this key takes a value, not a table".to_owned()),
        _ => Err("write the value as text in quotes or as a whole number".to_owned()),
    }
}

fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    known
        .min_by_key(|known| strsim::damerau_levenshtein(name, known))
        .unwrap_or_default()
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text
        .as_bytes()
        .iter()
        .take(at)
        .filter(|byte| **byte == b'\n')
        .count()
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
