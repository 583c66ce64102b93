//! Which server a client command talks to, and with which key: flag, else environment, else the file
//! that `nightbeat login` wrote.

use std::fs;
#[cfg(feature = "full")]
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
#[cfg(feature = "full")]
use nightbeat_agent::Client;
use serde::{Deserialize, Serialize};

use crate::exit::Failure;

/// The server of a person who said nothing: the one that `nightbeat serve` starts.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:8787";

#[cfg(feature = "full")]
/// The longest secret that is read from stdin, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

/// Where the server is, and who is asking.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The server [default: the one of `nightbeat login`, else the one on this machine]
    #[arg(
        long,
        env = "NIGHTBEAT_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) url: Option<String>,
    /// An API key. Other users of this machine can see it while the command runs: prefer the variable
    #[arg(
        long,
        env = "NIGHTBEAT_API_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub(crate) api_key: Option<String>,
}

/// What `nightbeat login` saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The server.
    pub(crate) url: String,
    /// The API key for that server.
    pub(crate) api_key: String,
}

impl Connection {
    #[cfg(feature = "full")]
    /// A client for the server.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let saved = saved_unless(given(self.url.as_ref()) && given(self.api_key.as_ref()))?;
        let (url, key) = self.resolve(saved)?;
        Ok(Client::new(&url, &key)?)
    }

    #[cfg(feature = "full")]
    fn url_or(&self, saved: Option<&Saved>) -> String {
        let chosen = self.url.as_ref().filter(|url| !url.is_empty());
        chosen
            .or(saved.map(|saved| &saved.url))
            .map_or_else(|| DEFAULT_URL.to_owned(), Clone::clone)
    }

    #[cfg(feature = "full")]
    fn resolve(&self, saved: Option<Saved>) -> Result<(String, String), Failure> {
        let url = self.url_or(saved.as_ref());
        if let Some(key) = self.api_key.as_ref().filter(|key| !key.is_empty()) {
            return Ok((url, key.clone()));
        }
        match saved {
            // A saved key is for its own server: naming another one must not send it there.
            Some(saved) if same_server(&saved.url, &url) => Ok((url, saved.api_key)),
            Some(saved) => Err(Failure::config(format!(
                "no API key for {url}: the saved one is for {}",
                saved.url
            ))
            .hint("set NIGHTBEAT_API_KEY, or run `nightbeat login --url …`")),
            None => Err(Failure::config("no API key")
                .hint("set NIGHTBEAT_API_KEY, or run `nightbeat login`")
                .hint(
                    "`nightbeat init --email YOU@EXAMPLE.ORG` on the server makes the first key",
                )),
        }
    }
}

/// What `nightbeat login` saved for this user, where there is such a file at all.
pub(crate) fn saved() -> Result<Option<Saved>, Failure> {
    match path() {
        Ok(path) => load(&path),
        // A service without HOME: nobody can have logged in.
        Err(_no_folder) => Ok(None),
    }
}

#[cfg(feature = "full")]
fn given(value: Option<&String>) -> bool {
    value.is_some_and(|text| !text.is_empty())
}

#[cfg(feature = "full")]
fn saved_unless(not_needed: bool) -> Result<Option<Saved>, Failure> {
    if not_needed {
        return Ok(None);
    }
    load(&path()?)
}

pub(crate) fn same_server(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// Where `nightbeat login` saves: `nightbeat/client.toml` in the platform's configuration folder.
pub(crate) fn path() -> Result<PathBuf, Failure> {
    let folder = dirs::config_dir().ok_or_else(|| {
        Failure::config("this user has no configuration folder")
            .hint("set HOME, or NIGHTBEAT_URL and NIGHTBEAT_API_KEY")
    })?;
    Ok(folder.join("nightbeat").join("client.toml"))
}

/// Reads the file; `None` where there is none.
pub(crate) fn load(path: &Path) -> Result<Option<Saved>, Failure> {
    let bad = |why: String| {
        Failure::config(format!("cannot read {}: {why}", path.display()))
            .hint("`nightbeat login` writes it anew")
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error.to_string())),
    };
    toml::from_str(&text)
        .map(Some)
        .map_err(|error| bad(error.message().to_owned()))
}

#[cfg(feature = "full")]
/// Writes the file so that only its owner can read it: under another name first, so that it is never
/// half written.
pub(crate) fn save(path: &Path, saved: &Saved) -> Result<(), Failure> {
    let bad = |why: String| Failure::config(format!("cannot write {}: {why}", path.display()));
    let text = toml::to_string(saved).map_err(|error| bad(error.to_string()))?;
    write_private(path, text.as_bytes()).map_err(|error| bad(error.to_string()))
}

#[cfg(feature = "full")]
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // The error that matters is the first one; the file holds a secret and should not stay.
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(feature = "full")]
/// A secret from stdin: its first line.
pub(crate) fn secret_from_stdin(what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(SECRET_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed(format!("cannot read {what} from stdin: {error}")))?;
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Failure::usage(format!(
            "stdin is empty; it should be {what}"
        ))),
    }
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn saved() -> Saved {
        Saved {
            url: "https://beats.example.org".to_owned(),
            api_key: "saved".to_owned(),
        }
    }

    fn connection(url: &str, key: &str) -> Connection {
        let some = |text: &str| Some(text.to_owned());
        Connection {
            url: some(url),
            api_key: some(key),
        }
    }

    #[test]
    fn what_is_given_goes_before_what_is_saved() {
        let pair = |url: &str, key: &str| (url.to_owned(), key.to_owned());
        assert_eq!(
            connection("http://h", "k").resolve(Some(saved())),
            Ok(pair("http://h", "k"))
        );
        assert_eq!(
            connection("", "k").resolve(Some(saved())),
            Ok(pair("https://beats.example.org", "k"))
        );
        assert_eq!(
            Connection::default().resolve(Some(saved())),
            Ok(pair("https://beats.example.org", "saved"))
        );
        assert_eq!(
            connection("", "k").resolve(None),
            Ok(pair(DEFAULT_URL, "k"))
        );
    }

    #[test]
    fn a_saved_key_is_not_sent_to_another_server() {
        let elsewhere = connection("https://evil.example", "").resolve(Some(saved()));
        assert_eq!(elsewhere.unwrap_err().exit, Exit::Config);
        let same = connection("https://beats.example.org/", "").resolve(Some(saved()));
        assert_eq!(same.unwrap().1, "saved");
    }

    #[test]
    fn no_key_at_all_is_a_matter_of_configuration() {
        let failure = Connection::default().resolve(None).unwrap_err();
        assert_eq!(failure.exit, Exit::Config);
        assert!(failure.hints[0].contains("NIGHTBEAT_API_KEY"));
    }

    #[test]
    fn what_is_saved_is_loaded_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/client.toml");
        assert_eq!(load(&path), Ok(None));
        save(&path, &saved()).unwrap();
        save(&path, &saved()).unwrap();
        assert_eq!(load(&path), Ok(Some(saved())));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.toml");
        fs::write(&path, "url = 3").unwrap();
        let failure = load(&path).unwrap_err();
        assert_eq!(failure.exit, Exit::Config);
        assert!(failure.message.contains("client.toml"));
    }
}
