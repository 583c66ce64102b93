//! Logs: to stderr, as text for people or JSON for machines.

use std::io::IsTerminal;

use nightbeat_server::config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

/// What the commands beside the server log.
const QUIET: &str = "warn";

/// Starts the server's log.
pub(crate) fn start(log: &Log) -> Result<(), Failure> {
    start_as(&log.level, log.format)
}

/// Starts the log of a command that works on the database: warnings and errors only.
pub(crate) fn start_quietly() -> Result<(), Failure> {
    start_as(QUIET, LogFormat::Text)
}

fn start_as(level: &str, format: LogFormat) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        Failure::config(format!("log.level: `{level}` is not a filter: {error}"))
            .hint("use error, warn, info, debug or trace")
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => {
            let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let colour = std::io::stderr().is_terminal() && !no_colour;
            builder.with_ansi(colour).try_init()
        }
    };
    started.map_err(|error| Failure::failed(format!("cannot start the log: {error}")))
}
