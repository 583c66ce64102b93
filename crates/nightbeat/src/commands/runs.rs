//! `nightbeat runs`

use clap::Args;
use nightbeat_agent::api::Run;

use super::log::{shown, tell_more};
use super::target;
use crate::connection::Connection;
use crate::exit::Failure;
use crate::render::runs;
use crate::session::{Session, block_on, note};

/// Show a heartbeat's runs and what each did, newest first
#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// The heartbeat, by id or slug
    #[arg(value_name = "ID|SLUG")]
    heartbeat: String,
    /// At most this many [default: 20; all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print the runs as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Runs {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let limit = shown(self.limit, self.json);
            let list = client
                .list(&["heartbeats", &self.heartbeat, "runs"], &[], limit)
                .await
                .map_err(|error| target::named("heartbeat", &self.heartbeat, error))?;
            if self.json {
                return Ok(list.json() + "\n");
            }
            let all: Vec<Run> = list.parse()?;
            if all.is_empty() {
                note("no run has ended yet");
                return Ok(String::new());
            }
            tell_more(list.more);
            Ok(runs(&all, &session.view))
        })
    }
}
