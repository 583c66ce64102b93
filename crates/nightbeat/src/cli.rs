//! What was typed: the top of the command line.

use clap::Parser;

use crate::commands::Command;

const EXAMPLES: &str = "\
Examples:
  nightbeat serve                                      start the server
  nightbeat init --email you@example.org               make the first project and its keys
  nightbeat login                                      save the server's URL and an API key
  nightbeat create 'nightly backup' --every 1d         make a heartbeat and print the line to paste
  nightbeat list                                       see how all jobs are
  nightbeat ping nightly-backup                        signal from a script

Environment:
  NIGHTBEAT_URL        the server that client commands talk to
  NIGHTBEAT_API_KEY    the API key they use
  NIGHTBEAT_PING_KEY   the key with which `ping` can address a heartbeat by its slug
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY
                       honoured by client commands, except towards this machine itself
  NO_COLOR             no colours

Exit codes:
  0 done   1 the request failed or the server said no   2 the command line is wrong
  3 not found   4 the server cannot be reached   5 the configuration is missing or wrong";

/// Tells people when a backup, a cron job or any scheduled task did not run.
///
/// The job signals when it is done; silence raises the alarm.
#[derive(Debug, Parser)]
#[command(
    name = "nightbeat",
    version,
    after_help = EXAMPLES,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_has_a_help_text() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let built_in = matches!(argument.get_id().as_str(), "help" | "version");
                assert!(
                    built_in || argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
