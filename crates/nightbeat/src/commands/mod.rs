//! The commands: one file each, and one table of them.

#[cfg(feature = "full")]
mod apply;
#[cfg(feature = "full")]
mod channel;
#[cfg(feature = "full")]
mod config;
#[cfg(feature = "full")]
mod configured;
#[cfg(feature = "full")]
mod create;
#[cfg(feature = "full")]
mod db;
#[cfg(feature = "full")]
mod db_copy;
#[cfg(feature = "full")]
mod delete;
#[cfg(feature = "full")]
mod deliveries;
#[cfg(feature = "full")]
mod edit;
#[cfg(feature = "full")]
mod evidence;
#[cfg(feature = "full")]
mod export;
mod flush;
#[cfg(feature = "full")]
mod import;
#[cfg(feature = "full")]
mod incidents;
#[cfg(feature = "full")]
mod init;
#[cfg(feature = "full")]
mod list;
#[cfg(feature = "full")]
mod log;
#[cfg(feature = "full")]
mod login;
#[cfg(feature = "full")]
mod pause;
mod ping;
#[cfg(feature = "full")]
mod resume;
mod run;
#[cfg(feature = "full")]
mod runs;
#[cfg(feature = "full")]
mod schedule;
#[cfg(feature = "full")]
mod serve;
#[cfg(feature = "full")]
mod settings;
#[cfg(feature = "full")]
mod show;
#[cfg(feature = "full")]
mod table;
#[cfg(feature = "full")]
mod target;
mod values;

use clap::Subcommand;

use crate::exit::Failure;

/// What `nightbeat` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<run::Run>),
    Ping(ping::Ping),
    Flush(flush::Flush),
    #[cfg(feature = "full")]
    #[command(flatten)]
    Full(table::Full),
}

/// What a command leaves behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Data, for stdout. All else it has said on stderr.
    Data(String),
    /// The exit code of the job that it ran.
    Code(u8),
}

/// Runs a command.
pub(crate) fn run(command: Command) -> Result<Done, Failure> {
    match command {
        Command::Run(run) => Ok(Done::Code(run.run())),
        Command::Ping(ping) => ping.run().map(Done::Data),
        Command::Flush(flush) => flush.run().map(Done::Data),
        #[cfg(feature = "full")]
        Command::Full(command) => command.run().map(Done::Data),
    }
}

#[cfg(feature = "full")]
/// A value of our own as one line of JSON.
fn json_line(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map(|json| json + "\n")
        .map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))
}
