//! `nightbeat login`

use clap::Args;
use nightbeat_agent::Client;
use nightbeat_agent::api::Project;

use crate::connection::{self, DEFAULT_URL, Saved};
use crate::exit::Failure;
use crate::session::{Session, block_on, note};

const EXAMPLES: &str = "\
Examples:
  nightbeat login                                                  asks for both
  nightbeat login --url https://beats.example.org --api-key-stdin < key.txt";

/// Save the server's URL and an API key for later commands
///
/// The key is tried out first. Both are saved in a file that only you can read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Login {
    /// The server [default: the one on this machine]
    #[arg(
        long,
        env = "NIGHTBEAT_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    url: Option<String>,
    /// Read the API key from stdin: its first line
    #[arg(long)]
    api_key_stdin: bool,
}

impl Login {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let saved = Saved {
            url: self.server(session)?,
            api_key: self.key(session)?,
        };
        let client = Client::new(&saved.url, &saved.api_key)?;
        let project: Project = block_on(async { Ok(client.get(&["project"]).await?.parse()?) })?;
        let path = connection::path()?;
        connection::save(&path, &saved)?;
        note(&format!(
            "project `{}` on {}: saved in {}",
            project.name,
            saved.url,
            path.display()
        ));
        Ok(String::new())
    }

    fn server(&self, session: &Session) -> Result<String, Failure> {
        if let Some(url) = self.url.as_ref().filter(|url| !url.is_empty()) {
            return Ok(url.clone());
        }
        if self.api_key_stdin || !session.interactive {
            return Ok(DEFAULT_URL.to_owned());
        }
        let typed = session.ask(&format!("Server [{DEFAULT_URL}]: "))?;
        Ok(if typed.is_empty() {
            DEFAULT_URL.to_owned()
        } else {
            typed
        })
    }

    fn key(&self, session: &Session) -> Result<String, Failure> {
        if self.api_key_stdin {
            return connection::secret_from_stdin("the API key");
        }
        if !session.interactive {
            return Err(Failure::usage("nobody can be asked for the API key here")
                .hint("give it on stdin: nightbeat login --api-key-stdin < FILE"));
        }
        let key = session.ask_secret("API key: ")?;
        if key.is_empty() {
            return Err(Failure::usage("no API key was given"));
        }
        Ok(key)
    }
}
