//! `nightbeat import`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use nightbeat_agent::healthchecks::Healthchecks;

use super::apply::text_of;
use crate::code::Present;
use crate::connection::Connection;
use crate::exit::Failure;
use crate::import::{self, Found, Way};
use crate::session::{Session, block_on};

const EXAMPLES: &str = "\
Examples:
  nightbeat import healthchecks --url https://healthchecks.io --dry-run    (HEALTHCHECKS_API_KEY is set)
  nightbeat import uptime-kuma Uptime_Kuma_Backup.json
  nightbeat import cronitor cronitor.yaml --yes

A table says first what happens to each. A second run changes nothing.";

/// Take over jobs from another monitor
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Import {
    /// From a Healthchecks server, by its API: healthchecks.io, one of your own, or another Nightbeat
    Healthchecks(FromHealthchecks),
    /// From the JSON backup of Uptime Kuma: its push monitors
    UptimeKuma(FromFile),
    /// From Cronitor's YAML: its jobs and heartbeats
    Cronitor(FromFile),
}

/// A Healthchecks server.
#[derive(Debug, Args)]
pub(crate) struct FromHealthchecks {
    /// The server to import from
    #[arg(long, value_name = "URL")]
    url: String,
    /// A read-write API key of the project there. Other users of this machine can see it while the command runs:
    /// prefer the variable
    #[arg(
        long,
        env = "HEALTHCHECKS_API_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    api_key: String,
    #[command(flatten)]
    how: How,
    /// The Nightbeat server to import to [default: the one of `nightbeat login`, else the one on this machine]
    #[arg(
        long,
        env = "NIGHTBEAT_URL",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    to_url: Option<String>,
    /// An API key of the project there
    #[arg(
        long,
        env = "NIGHTBEAT_API_KEY",
        value_name = "KEY",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    to_api_key: Option<String>,
}

/// A file.
#[derive(Debug, Args)]
pub(crate) struct FromFile {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    connection: Connection,
}

/// How far to go.
#[derive(Debug, Args)]
struct How {
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl How {
    fn way(&self) -> Way {
        match (self.dry_run, self.yes) {
            (true, _) => Way::Look,
            (false, true) => Way::Go,
            (false, false) => Way::Ask,
        }
    }
}

impl Import {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        match self {
            Self::Healthchecks(from) => from.run(session),
            Self::UptimeKuma(from) => from.run(session, import::uptime_kuma::read),
            Self::Cronitor(from) => from.run(session, import::cronitor::read),
        }
    }
}

impl FromHealthchecks {
    fn run(self, session: &Session) -> Result<String, Failure> {
        let told = |error| import::healthchecks::told(error, &self.url);
        let mut source = Healthchecks::new(&self.url, &self.api_key).map_err(told)?;
        let to = Connection {
            url: self.to_url.clone(),
            api_key: self.to_api_key.clone(),
        };
        let client = to.client()?;
        block_on(async {
            let checks = source.checks().await.map_err(told)?;
            import::healthchecks::readable(&checks)?;
            let integrations = source.integrations().await.map_err(told)?;
            let present = Present::load(&client).await?;
            let found = import::healthchecks::read(&checks, &integrations, &present);
            import::run(found, &present, &client, session, self.how.way()).await
        })
    }
}

impl FromFile {
    fn run(
        self,
        session: &Session,
        read: fn(&str, &Present) -> Result<Found, String>,
    ) -> Result<String, Failure> {
        let text = text_of(&self.file)?;
        let client = self.connection.client()?;
        block_on(async {
            let present = Present::load(&client).await?;
            let found = read(&text, &present).map_err(|problem| {
                Failure::config(format!("{}: {problem}", self.file.display()))
            })?;
            import::run(found, &present, &client, session, self.how.way()).await
        })
    }
}
