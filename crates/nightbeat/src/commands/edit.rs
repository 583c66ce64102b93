//! `nightbeat edit`

use clap::Args;
use nightbeat_agent::Method;
use nightbeat_agent::api::Heartbeat;
use serde_json::json;

use super::create::{summary, warn_of_no_instant};
use super::settings::Settings;
use super::target;
use crate::connection::Connection;
use crate::exit::Failure;
use crate::session::{Session, block_on, note};

const EXAMPLES: &str = "\
Examples:
  nightbeat edit nightly-backup --grace 2h
  nightbeat edit report --cron '0 7 * * Mon-Fri'             (its time zone stays)
  nightbeat edit report --tz Europe/Madrid                   (its cron expression stays)
  nightbeat edit nightly-backup --tag prod --tag db          (replaces all tags)
  nightbeat edit nightly-backup --max-run none --manual-resume=false";

/// Change a heartbeat; only what is given changes
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Edit {
    /// The heartbeat, by id or slug
    #[arg(value_name = "ID|SLUG")]
    heartbeat: String,
    /// What people call the job
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Print the heartbeat as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Edit {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let channels = if self.settings.names_channels() {
                target::channels(&client).await?
            } else {
                Vec::new()
            };
            let present = if self.settings.leaves_some_schedule() {
                Some(target::heartbeat(&client, &self.heartbeat).await?.schedule)
            } else {
                None
            };
            let zone = &session.view.zone;
            let mut fields = self.settings.fields(&channels, present.as_ref(), zone)?;
            fields.extend(
                self.name
                    .iter()
                    .map(|name| ("name".to_owned(), json!(name))),
            );
            if fields.is_empty() {
                return Err(Failure::usage("nothing to change")
                    .hint("say what, for example --grace 2h; `nightbeat edit --help` lists all"));
            }
            let body = fields.into();
            let answer = client
                .send(Method::PATCH, &["heartbeats", &self.heartbeat], Some(&body))
                .await
                .map_err(|error| target::named("heartbeat", &self.heartbeat, error))?;
            if self.json {
                return Ok(format!("{}\n", answer.text()));
            }
            let heartbeat: Heartbeat = answer.parse()?;
            note(&format!("changed {}", summary(&heartbeat)));
            warn_of_no_instant(&heartbeat);
            Ok(String::new())
        })
    }
}
