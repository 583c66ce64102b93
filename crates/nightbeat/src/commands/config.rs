//! `nightbeat config`

use clap::{Args, Subcommand};

use super::configured::{Configured, problems};
use crate::exit::Failure;
use crate::session::note;

/// Show or check the server's configuration
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print every key, its value and where it came from; secrets are masked
    Show(Show),
    /// Look for mistakes; exit code 5 when there are any
    Check(Check),
}

/// The configuration in force.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configured: Configured,
}

/// A look for mistakes.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    configured: Configured,
}

impl Config {
    pub(super) fn run(self) -> Result<String, Failure> {
        match self {
            Self::Show(show) => show.run(),
            Self::Check(check) => check.run(),
        }
    }
}

impl Show {
    fn run(self) -> Result<String, Failure> {
        let loaded = self.configured.load()?;
        if !self.json {
            return Ok(loaded.show());
        }
        super::json_line(&loaded.values())
    }
}

impl Check {
    fn run(self) -> Result<String, Failure> {
        let found = self.configured.load()?.check();
        if !found.is_empty() {
            return Err(problems(&found));
        }
        note("the configuration is good");
        Ok(String::new())
    }
}
