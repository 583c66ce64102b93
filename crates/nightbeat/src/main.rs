//! The command line: arguments, logging, exit codes. What happens behind it stands in `nightbeat-agent`
//! (beside the job) and `nightbeat-server`.

mod cli;
mod commands;
mod connection;
mod exit;
mod logging;
mod render;
mod session;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::exit::{Exit, Failure};
use crate::session::Session;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = commands::run(cli.command, &Session::of_process()).and_then(|text| print(&text));
    match outcome {
        Ok(()) => Exit::Ok.into(),
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
