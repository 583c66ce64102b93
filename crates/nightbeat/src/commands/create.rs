//! `nightbeat create`

use clap::Args;
use nightbeat_agent::Method;
use nightbeat_agent::api::Heartbeat;
use serde_json::json;

use super::settings::Settings;
use super::target;
use crate::connection::Connection;
use crate::exit::Failure;
use crate::render::{schedule, span};
use crate::session::{Session, block_on, hint, note};

const EXAMPLES: &str = "\
Examples:
  nightbeat create 'nightly backup' --every 1d --grace 90m
  nightbeat create report --cron '30 6 * * Mon-Fri' --tz Europe/Berlin --tag office
  nightbeat create restic --every 1d --max-run 3h --warning-code 3 --channel ops
  nightbeat create sync --calendar 'Mon..Fri 02:00' --tz Europe/Madrid
  nightbeat create cleanup >> cleanup.sh     (stdout is just the line to paste)

Give the expression and the zone of what starts the job. What an expression means and when it is
due says `nightbeat schedule explain '30 6 * * Mon-Fri'`.";

/// Make a heartbeat, and print the line to put at the end of the job
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Create {
    /// What people call the job
    name: String,
    #[command(flatten)]
    settings: Settings,
    /// Print the heartbeat as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Create {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let channels = target::channels(&client).await?;
            let mut fields = self.settings.fields(&channels, None, &session.view.zone)?;
            fields.insert("name".to_owned(), json!(self.name));
            let body = fields.into();
            let answer = client
                .send(Method::POST, &["heartbeats"], Some(&body))
                .await?;
            if self.json {
                return Ok(format!("{}\n", answer.text()));
            }
            let heartbeat: Heartbeat = answer.parse()?;
            tell(&heartbeat, channels.is_empty());
            Ok(heartbeat
                .ping_url
                .map_or_else(String::new, |url| curl_line(&url)))
        })
    }
}

fn tell(heartbeat: &Heartbeat, no_channels: bool) {
    note(&format!("created {}", summary(heartbeat)));
    warn_of_no_instant(heartbeat);
    if no_channels {
        hint(
            "nobody would be told yet; add a channel: \
             nightbeat channel add email --name me --set to=YOU@EXAMPLE.ORG",
        );
    }
    note("put this line at the end of the job:");
}

/// Name, schedule and grace: what somebody who made or changed a heartbeat should see at once.
pub(super) fn summary(heartbeat: &Heartbeat) -> String {
    let (schedule, grace) = (schedule(&heartbeat.schedule), span(heartbeat.grace));
    format!("`{}`: {schedule}, grace {grace}", heartbeat.slug)
}

/// A calendar event may lie in the past for good: such a heartbeat is silent for ever.
pub(super) fn warn_of_no_instant(heartbeat: &Heartbeat) {
    if heartbeat.expected_at.is_none() && heartbeat.status != "paused" {
        hint(
            "no instant of this schedule is still to come: nothing is expected, or reported missing",
        );
    }
}

/// The line to paste: fails loudly, never hangs, tries again.
fn curl_line(url: &str) -> String {
    format!("curl -fsS -m 10 --retry 5 {url} > /dev/null\n")
}
