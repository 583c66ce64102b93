//! `nightbeat init`

use clap::Args;
use nightbeat_server::admin::{self, Init as Wanted, InitError, Initialised};
use serde::Serialize;

use super::configured::{Configured, broken};
use crate::connection::secret_from_stdin;
use crate::exit::Failure;
use crate::logging;
use crate::session::{Session, hint, note};

const EXAMPLES: &str = "\
Examples:
  nightbeat init --email you@example.org
  nightbeat init --email you@example.org --password-stdin --json < password.txt
  export NIGHTBEAT_API_KEY=$(nightbeat init --email you@example.org --json | jq -r .api_key)";

/// Make an account, its project and the project's keys
///
/// Works on the database itself, with or without a running server. The keys are shown this once.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Init {
    /// The account's e-mail address
    #[arg(long)]
    email: String,
    /// Read the account's password from stdin: its first line
    #[arg(long)]
    password_stdin: bool,
    /// The project's name
    #[arg(long, value_name = "NAME", default_value = "default")]
    project: String,
    /// Print the ids and keys as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configured: Configured,
}

impl Init {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let config = self.configured.load()?.config;
        let wanted = Wanted {
            password: self.password(session)?,
            email: self.email,
            project: self.project,
        };
        logging::start_quietly()?;
        let what = format!("project `{}` of {}", wanted.project, wanted.email);
        let made = admin::init(&config.database, wanted).map_err(|error| refused(&error))?;
        note(&format!("made {what} in {}", config.database));
        hint("keep the keys: they are not shown again; `nightbeat login` saves the API key");
        text(&made, self.json)
    }

    /// The password; none means that this account does not sign in by password.
    fn password(&self, session: &Session) -> Result<Option<String>, Failure> {
        if self.password_stdin {
            return secret_from_stdin("the password").map(Some);
        }
        if !session.interactive {
            return Ok(None);
        }
        let password = session.ask_secret("Password (empty: no sign-in by password): ")?;
        if password.is_empty() {
            return Ok(None);
        }
        if session.ask_secret("Again: ")? == password {
            return Ok(Some(password));
        }
        Err(Failure::usage("the two passwords differ"))
    }
}

/// What was asked for is not possible, or it did not work.
fn refused(error: &anyhow::Error) -> Failure {
    match error.downcast_ref::<InitError>() {
        Some(InitError::Refused(why)) => Failure::usage(*why),
        _ => broken(error),
    }
}

/// What is printed, under its names in the API.
#[derive(Serialize)]
struct Printed<'a> {
    project_id: String,
    api_key: &'a str,
    read_only_key: &'a str,
    ping_key: &'a str,
}

fn text(made: &Initialised, as_json: bool) -> Result<String, Failure> {
    let printed = Printed {
        project_id: made.project_id.to_string(),
        api_key: &made.api_key,
        read_only_key: &made.read_only_key,
        ping_key: &made.ping_key,
    };
    if as_json {
        return super::json_line(&printed);
    }
    let Printed {
        project_id,
        api_key,
        read_only_key,
        ping_key,
    } = printed;
    Ok(format!(
        "project_id: {project_id}\napi_key: {api_key}\nread_only_key: {read_only_key}\nping_key: {ping_key}\n"
    ))
}
