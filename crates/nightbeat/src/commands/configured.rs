//! The configuration of the server, for the commands that run on its machine.

use std::path::PathBuf;

use clap::Args;
use nightbeat_server::config::{self, ConfigError, Loaded, Overrides};

use crate::exit::{Exit, Failure};

/// Where the server's configuration comes from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct Configured {
    /// The configuration file, in TOML [default: what `NIGHTBEAT_CONFIG` says, else none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database
    #[arg(
        long,
        value_name = "URL",
        help = "The database: sqlite:PATH or postgres://USER@HOST/NAME [default: sqlite, in the user's \
                data directory]"
    )]
    database: Option<String>,
}

impl Configured {
    /// The configuration in force.
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        self.load_with(Overrides::default())
    }

    /// The same, with further flags.
    pub(super) fn load_with(&self, flags: Overrides) -> Result<Loaded, Failure> {
        let overrides = Overrides {
            database: self.database.clone(),
            ..flags
        };
        config::from_process(self.config.as_deref(), &overrides).map_err(|error| refused(&error))
    }
}

fn refused(error: &ConfigError) -> Failure {
    problems(&error.problems)
}

/// Everything that is wrong with a configuration, as one failure.
pub(super) fn problems(problems: &[String]) -> Failure {
    Failure::new(Exit::Config, problems.join("\nerror: "))
        .hint("`nightbeat config show` prints every key, its value and where it came from")
}

/// A failure of the server's own code, with all its causes.
pub(super) fn broken(error: &anyhow::Error) -> Failure {
    Failure::failed(format!("{error:#}"))
}
