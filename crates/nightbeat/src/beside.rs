//! Where the signals of this machine go: flags, else environment, else the machine's own file, else what
//! `nightbeat login` saved.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use nightbeat_agent::ping::Address;
use nightbeat_agent::spool::{Owner, Spool};
use serde::Deserialize;
use uuid::Uuid;

use crate::connection::{Connection, DEFAULT_URL, same_server, saved};
use crate::exit::Failure;
use crate::tell::note;

/// The file of a machine's jobs. Only root can read it, so only root's jobs use it.
const FILE: &str = "/etc/nightbeat/agent.toml";

/// A value that begins like this stands in a file.
const IN_FILE: &str = "file:";

/// The longest id or key that is read from a file, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

/// Where signals go, and where they wait.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Signals")]
pub(crate) struct Beside {
    /// The project's key for signals by slug; `file:PATH` reads it from there
    #[arg(
        long,
        env = "NIGHTBEAT_PING_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    ping_key: Option<String>,
    /// Where signals wait for a server that is away [default: root's is /var/spool/nightbeat/spool]
    #[arg(long, env = "NIGHTBEAT_SPOOL", value_name = "FOLDER")]
    spool: Option<PathBuf>,
    /// Keep nothing on disk, whatever --spool says: what cannot be sent is lost
    // No conflict for clap: a variable of the machine must not keep a job from running.
    #[arg(long)]
    no_spool: bool,
    /// Settings of this machine's jobs, in TOML [default: /etc/nightbeat/agent.toml, where it can be read]
    #[arg(long, env = "NIGHTBEAT_AGENT_CONFIG", value_name = "FILE")]
    agent_config: Option<PathBuf>,
}

/// What the file may say. All of it can be said by flags and variables too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    url: Option<String>,
    api_key: Option<String>,
    ping_key: Option<String>,
    spool: Option<PathBuf>,
}

impl Beside {
    /// Where signals wait.
    pub(crate) fn spool(&self) -> Result<Option<Spool>, Failure> {
        if self.no_spool {
            return Ok(None);
        }
        self.any_spool().map(Some)
    }

    /// The spool, also where this call keeps nothing.
    pub(crate) fn any_spool(&self) -> Result<Spool, Failure> {
        let folder = self
            .spool
            .clone()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = if let Some(folder) = folder {
            folder
        } else {
            let settings = self.settings()?;
            let default = || Owner::of_process().folder("spool");
            settings.spool.unwrap_or_else(default)
        };
        Ok(Spool::new(folder))
    }

    /// The address of a heartbeat that is given by its id, its slug, its URL, or a file that holds one.
    pub(crate) fn address(
        &self,
        connection: &Connection,
        heartbeat: &str,
    ) -> Result<Address, Failure> {
        let given = secret("the heartbeat", heartbeat)?;
        if given.starts_with("http://") || given.starts_with("https://") {
            return Ok(Address::whole(&given)?);
        }
        let settings = self.settings()?;
        if let Ok(id) = Uuid::try_parse(&given) {
            let server = server_url(connection, &settings)?;
            return Ok(Address::on_server(&server, &[&id.to_string()])?);
        }
        let ping_key = filled(self.ping_key.as_ref()).or(filled(settings.ping_key.as_ref()));
        if let Some(key) = ping_key {
            let key = secret("the ping key", key)?;
            let server = server_url(connection, &settings)?;
            return Ok(Address::on_server(&server, &[&key, &given])?);
        }
        let (server, key) = api(connection, &settings).map_err(|failure| {
            failure.hint("a slug needs a key: NIGHTBEAT_PING_KEY is enough, an id needs none")
        })?;
        Ok(Address::by_slug(&server, &key, &given)?)
    }

    fn settings(&self) -> Result<Settings, Failure> {
        match &self.agent_config {
            Some(file) => read(file).map(Option::unwrap_or_default),
            None => match read(Path::new(FILE)) {
                Ok(settings) => Ok(settings.unwrap_or_default()),
                Err(failure) => Err(failure),
            },
        }
    }
}

/// The server, as the flags, the file or the login say.
fn server_url(connection: &Connection, settings: &Settings) -> Result<String, Failure> {
    if let Some(url) = filled(connection.url.as_ref()).or(filled(settings.url.as_ref())) {
        return Ok(url.to_owned());
    }
    let saved = saved()?;
    Ok(saved.map_or_else(|| DEFAULT_URL.to_owned(), |saved| saved.url))
}

/// The server and an API key for it.
fn api(connection: &Connection, settings: &Settings) -> Result<(String, String), Failure> {
    let key = filled(connection.api_key.as_ref()).or(filled(settings.api_key.as_ref()));
    if let Some(key) = key {
        let key = secret("the API key", key)?;
        return Ok((server_url(connection, settings)?, key));
    }
    let url = server_url(connection, settings)?;
    // A saved key is for its own server: naming another one must not send it there.
    match saved()? {
        Some(saved) if same_server(&saved.url, &url) => Ok((url, saved.api_key)),
        _ => Err(Failure::config(format!("no key for {url}"))),
    }
}

fn filled(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// `file:PATH` is what the first line there says; everything else is itself.
fn secret(what: &str, text: &str) -> Result<String, Failure> {
    let Some(path) = text.strip_prefix(IN_FILE) else {
        return Ok(text.to_owned());
    };
    let bad = |why: String| Failure::config(format!("cannot read {what} from {path}: {why}"));
    let mut found = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(SECRET_BYTES_MAX).read_to_string(&mut found))
        .map_err(|error| bad(error.to_string()))?;
    match found.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(bad("it is empty".to_owned())),
    }
}

/// The machine's file; `None` where there is none, or it is not for us.
fn read(file: &Path) -> Result<Option<Settings>, Failure> {
    let bad = |why: String| Failure::config(format!("cannot read {}: {why}", file.display()));
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            let kind = error.kind();
            return match kind {
                ErrorKind::NotFound | ErrorKind::PermissionDenied if file == Path::new(FILE) => {
                    Ok(None)
                }
                _ => Err(bad(error.to_string())),
            };
        }
    };
    let settings: Settings =
        toml::from_str(&text).map_err(|error| bad(error.message().to_owned()))?;
    let keys = [&settings.api_key, &settings.ping_key];
    let holds_key = keys
        .into_iter()
        .flatten()
        .any(|key| !key.starts_with(IN_FILE));
    let mode = fs::metadata(file).map_or(0, |found| found.permissions().mode());
    if holds_key && mode & 0o077 != 0 {
        let path = file.display();
        note(&format!(
            "warning: others can read the keys in {path}: chmod 600 it"
        ));
    }
    Ok(Some(settings))
}
