//! `nightbeat schedule`: what schedules mean. Needs no server and no configuration.

mod next;

use clap::Subcommand;

use crate::exit::Failure;
use crate::session::Session;

/// Find out when a schedule is due; needs no server
#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    Next(next::Next),
}

impl Schedule {
    pub(super) fn run(self, _session: &Session) -> Result<String, Failure> {
        match self {
            Self::Next(next) => next.run(),
        }
    }
}
