//! `nightbeat show`

use std::collections::HashMap;

use clap::Args;
use nightbeat_agent::Client;
use nightbeat_agent::api::{Heartbeat, Incident};

use super::target;
use crate::connection::Connection;
use crate::exit::Failure;
use crate::render::card;
use crate::session::{Session, block_on};

/// Show one heartbeat: its status, its settings, its URL
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The heartbeat, by id or slug
    #[arg(value_name = "ID|SLUG")]
    heartbeat: String,
    /// Print the heartbeat as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Show {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let answer = client
                .get(&["heartbeats", &self.heartbeat])
                .await
                .map_err(|error| target::named("heartbeat", &self.heartbeat, error))?;
            if self.json {
                return Ok(format!("{}\n", answer.text()));
            }
            let heartbeat: Heartbeat = answer.parse()?;
            let incident = incident(&client, &heartbeat).await?;
            let names = channel_names(&client, &heartbeat).await?;
            Ok(card(&heartbeat, incident.as_ref(), &names, &session.view))
        })
    }
}

async fn incident(client: &Client, heartbeat: &Heartbeat) -> Result<Option<Incident>, Failure> {
    match &heartbeat.incident_id {
        Some(id) => Ok(Some(client.get(&["incidents", id]).await?.parse()?)),
        None => Ok(None),
    }
}

/// The channels' names by id, where the heartbeat lists any.
async fn channel_names(
    client: &Client,
    heartbeat: &Heartbeat,
) -> Result<HashMap<String, String>, Failure> {
    if !heartbeat.channels.is_array() {
        return Ok(HashMap::new());
    }
    let channels = target::channels(client).await?;
    Ok(channels
        .into_iter()
        .map(|channel| (channel.id, channel.name))
        .collect())
}
