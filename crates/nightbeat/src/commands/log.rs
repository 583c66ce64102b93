//! `nightbeat log`

use clap::Args;
use nightbeat_agent::api::Signal;

use super::target;
use crate::connection::Connection;
use crate::exit::Failure;
use crate::render::{bodies, signals};
use crate::session::{Session, block_on, hint, note};

/// How many signals a person sees who does not say.
pub(super) const SHOWN_DEFAULT: u32 = 20;

/// Show a heartbeat's signals, newest first
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// The heartbeat, by id or slug
    #[arg(value_name = "ID|SLUG")]
    heartbeat: String,
    /// At most this many [default: 20; all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Show all that came with each signal, not just the last line
    #[arg(long, conflicts_with = "json")]
    bodies: bool,
    /// Print the signals as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Log {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let limit = shown(self.limit, self.json);
            let list = client
                .list(&["heartbeats", &self.heartbeat, "signals"], &[], limit)
                .await
                .map_err(|error| target::named("heartbeat", &self.heartbeat, error))?;
            if self.json {
                return Ok(list.json() + "\n");
            }
            let all: Vec<Signal> = list.parse()?;
            if all.is_empty() {
                note("no signals yet");
                return Ok(String::new());
            }
            tell_more(list.more);
            if self.bodies {
                return Ok(bodies(&all, &session.view));
            }
            Ok(signals(&all, &session.view))
        })
    }
}

/// How many items of a long list are asked for: people get a screenful, programs get all.
pub(super) fn shown(limit: Option<u32>, json: bool) -> Option<usize> {
    match (limit, json) {
        (Some(limit), _) => Some(limit as usize),
        (None, true) => None,
        (None, false) => Some(SHOWN_DEFAULT as usize),
    }
}

/// Says that a list is not at its end.
pub(super) fn tell_more(more: bool) {
    if more {
        hint("there are more; --limit N shows them");
    }
}
