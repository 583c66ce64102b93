//! `nightbeat list`

use clap::Args;
use nightbeat_agent::api::Heartbeat;
use nightbeat_agent::duration;

use crate::connection::Connection;
use crate::exit::Failure;
use crate::render::{Cell, Table, ago, schedule, status_paint, towards};
use crate::session::{Session, View, block_on, hint, note};

/// Show all heartbeats and how they are
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those with this tag; repeat for those with all of several
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only those with this status: new, up, warning, late, down, unverified, paused
    #[arg(long)]
    status: Option<String>,
    /// Only those with this text in name, slug or description
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// At most this many [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print the heartbeats as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl List {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let limit = self.limit.map(|limit| limit as usize);
            let list = client.list(&["heartbeats"], &self.query(), limit).await?;
            if self.json {
                return Ok(list.json() + "\n");
            }
            let heartbeats: Vec<Heartbeat> = list.parse()?;
            if heartbeats.is_empty() {
                note("no heartbeats");
                hint("make one: nightbeat create 'nightly backup' --every 1d");
                return Ok(String::new());
            }
            Ok(table(&heartbeats, &session.view))
        })
    }

    fn query(&self) -> Vec<(&str, &str)> {
        let tags = self.tags.iter().map(|tag| ("tag", tag.as_str()));
        let status = self.status.iter().map(|status| ("status", status.as_str()));
        let search = self.search.iter().map(|text| ("q", text.as_str()));
        tags.chain(status).chain(search).collect()
    }
}

fn table(heartbeats: &[Heartbeat], view: &View) -> String {
    let mut table = Table::new([
        "NAME",
        "STATUS",
        "SCHEDULE",
        "LAST SIGNAL",
        "EXPECTED",
        "SLUG",
    ]);
    for heartbeat in heartbeats {
        table.row([
            heartbeat.name.as_str().into(),
            Cell::painted(&status(heartbeat, view), status_paint(&heartbeat.status)),
            schedule(&heartbeat.schedule).into(),
            heartbeat
                .last_signal_at
                .map_or_else(|| "never".to_owned(), |at| ago(view.now, at))
                .into(),
            heartbeat
                .expected_at
                .map_or_else(|| "-".to_owned(), |at| towards(view.now, at))
                .into(),
            heartbeat.slug.as_str().into(),
        ]);
    }
    table.render(view.colour)
}

fn status(heartbeat: &Heartbeat, view: &View) -> String {
    match heartbeat.running_since {
        Some(since) => {
            let length = view.now.duration_since(since).unsigned_abs();
            format!("{}, running {}", heartbeat.status, duration::rough(length))
        }
        None => heartbeat.status.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    #[test]
    fn a_list_is_readable_without_colour() {
        let view = View {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            zone: TimeZone::UTC,
            colour: false,
        };
        let heartbeats: Vec<Heartbeat> = serde_json::from_value(json!([
            {"id": "1", "name": "nightly backup", "slug": "nightly-backup", "status": "up",
             "schedule": {"every": 86400}, "last_signal_at": "2026-11-22T11:57:00Z",
             "expected_at": "2026-11-23T11:57:00Z", "running_since": "2026-11-22T11:57:00Z"},
            {"id": "2", "name": "report", "slug": "report", "status": "new",
             "schedule": {"cron": "0 6 * * *", "timezone": "UTC"}}
        ]))
        .unwrap();
        assert_eq!(
            table(&heartbeats, &view),
            "NAME            STATUS             SCHEDULE              LAST SIGNAL  EXPECTED  SLUG\n\
             nightly backup  up, running 3 min  every 1 d             3 min ago    in 24 h   nightly-backup\n\
             report          new                cron 0 6 * * * (UTC)  never        -         report\n"
        );
    }
}
