//! `nightbeat deliveries`

use clap::{Args, Subcommand};
use nightbeat_agent::api::Delivery;

use super::log::{shown, tell_more};
use crate::connection::Connection;
use crate::exit::Failure;
use crate::render::{Cell, Table, moment, status_paint, towards};
use crate::session::{Session, View, block_on, note};

/// See which alerts went where
#[derive(Debug, Subcommand)]
pub(crate) enum Deliveries {
    /// Show deliveries, newest first
    List(List),
}

/// Which deliveries to show.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those in this state: queued, sending, sent, failing, cancelled
    #[arg(long)]
    state: Option<String>,
    /// Only those about one heartbeat, by id or slug
    #[arg(long, value_name = "ID|SLUG")]
    heartbeat: Option<String>,
    /// Only those to one channel, by id or name
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// At most this many [default: 20; all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print the deliveries as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Deliveries {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let Self::List(list) = self;
        list.run(session)
    }
}

impl List {
    fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let filters = [
                ("state", &self.state),
                ("heartbeat", &self.heartbeat),
                ("channel", &self.channel),
            ];
            let query: Vec<(&str, &str)> = filters
                .iter()
                .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
                .collect();
            let limit = shown(self.limit, self.json);
            let list = client.list(&["deliveries"], &query, limit).await?;
            if self.json {
                return Ok(list.json() + "\n");
            }
            let all: Vec<Delivery> = list.parse()?;
            if all.is_empty() {
                note("no deliveries");
                return Ok(String::new());
            }
            tell_more(list.more);
            Ok(table(&all, &session.view))
        })
    }
}

fn table(deliveries: &[Delivery], view: &View) -> String {
    let mut table = Table::new(["CREATED", "EVENT", "CHANNEL", "STATE", "TRIES", "NOTE"]);
    for delivery in deliveries {
        table.row([
            moment(delivery.created_at, &view.zone).into(),
            Cell::painted(&delivery.event, status_paint(&delivery.event)),
            delivery
                .channel_name
                .as_deref()
                .unwrap_or("(deleted)")
                .into(),
            Cell::painted(&delivery.state, status_paint(&delivery.state)),
            delivery.attempt_count.to_string().into(),
            remark(delivery, view).into(),
        ]);
    }
    table.render(view.colour)
}

fn remark(delivery: &Delivery, view: &View) -> String {
    if matches!(delivery.state.as_str(), "sent" | "cancelled") {
        return String::new();
    }
    let next = delivery.next_try_at.map(|at| {
        if at > view.now {
            format!("next try {}", towards(view.now, at))
        } else {
            // For the next digest, or for what is before it.
            "waits its turn".to_owned()
        }
    });
    let parts: Vec<String> = next
        .into_iter()
        .chain(delivery.last_error.clone())
        .collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    #[test]
    fn a_failing_delivery_tells_why_and_when_it_is_tried_again() {
        let view = View {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            zone: TimeZone::UTC,
            colour: false,
        };
        let all: Vec<Delivery> = serde_json::from_value(json!([
            {"id": "d2", "event": "down", "channel_name": "ops", "state": "failing",
             "created_at": "2026-11-22T11:00:00Z", "next_try_at": "2026-11-22T12:15:00Z",
             "attempt_count": 7, "last_error": "503 Service Unavailable"},
            {"id": "d3", "event": "up", "channel_name": "phone", "state": "queued",
             "created_at": "2026-11-22T11:59:50Z", "next_try_at": "2026-11-22T11:59:50Z",
             "attempt_count": 0},
            {"id": "d1", "event": "up", "channel_name": "ops", "state": "sent",
             "created_at": "2026-11-22T10:00:00Z", "attempt_count": 1}
        ]))
        .unwrap();
        assert_eq!(
            table(&all, &view),
            "CREATED                  EVENT  CHANNEL  STATE    TRIES  NOTE\n\
             2026-11-22 11:00:00 UTC  down   ops      failing  7      \
             next try in 15 min; 503 Service Unavailable\n\
             2026-11-22 11:59:50 UTC  up     phone    queued   0      waits its turn\n\
             2026-11-22 10:00:00 UTC  up     ops      sent     1\n"
        );
    }
}
