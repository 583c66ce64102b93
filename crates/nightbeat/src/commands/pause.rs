//! `nightbeat pause`, and what it shares with `resume`.

use clap::Args;
use nightbeat_agent::Method;
use nightbeat_agent::api::Heartbeat;

use super::target;
use crate::connection::Connection;
use crate::exit::Failure;
use crate::session::{block_on, note};

/// Expect nothing of a heartbeat until it is resumed, or signals again
#[derive(Debug, Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    which: Which,
}

/// The heartbeat that a step concerns.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The heartbeat, by id or slug
    #[arg(value_name = "ID|SLUG")]
    heartbeat: String,
    /// Print the heartbeat as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Pause {
    pub(super) fn run(self) -> Result<String, Failure> {
        self.which.step("pause", "paused")
    }
}

impl Which {
    /// `POST /heartbeats/{id}/{step}`.
    pub(super) fn step(self, step: &str, done: &str) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let answer = client
                .send(Method::POST, &["heartbeats", &self.heartbeat, step], None)
                .await
                .map_err(|error| target::named("heartbeat", &self.heartbeat, error))?;
            if self.json {
                return Ok(format!("{}\n", answer.text()));
            }
            let heartbeat: Heartbeat = answer.parse()?;
            note(&format!("{done} `{}`", heartbeat.slug));
            Ok(String::new())
        })
    }
}
