//! The command line: arguments, logging, exit codes. What happens behind it stands in `nightbeat-agent`
//! (beside the job) and `nightbeat-server`.

mod beside;
mod cli;
#[cfg(feature = "full")]
mod code;
mod commands;
mod connection;
mod exit;
#[cfg(feature = "full")]
mod import;
#[cfg(feature = "full")]
mod logging;
#[cfg(feature = "full")]
mod render;
#[cfg(feature = "full")]
mod session;
mod tell;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::commands::Done;
use crate::exit::{Exit, Failure};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if nightbeat_agent::run::hidden(&arguments) {
        return Exit::Ok.into();
    }
    let cli = Cli::parse();
    let outcome = commands::run(cli.command).and_then(|done| match done {
        Done::Data(text) => print(&text).map(|()| Exit::Ok.into()),
        Done::Code(code) => Ok(code.into()),
    });
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            failure.exit.into()
        }
    }
}

/// Writes a command's data to stdout, all at once.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // `nightbeat list | head -1` has read what it wanted.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => {
            outcome.map_err(|error| Failure::failed(format!("cannot write to stdout: {error}")))
        }
    }
}
