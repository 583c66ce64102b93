//! `nightbeat incidents`

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use nightbeat_agent::Method;
use nightbeat_agent::api::Incident;
use serde_json::{Value, json};

use super::log::{shown, tell_more};
use super::target;
use super::values::{instant, span};
use crate::connection::Connection;
use crate::exit::Failure;
use crate::render::{incidents, moment};
use crate::session::{Session, View, block_on, note};

/// Show incidents, newest first; acknowledge or snooze one
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Incidents {
    #[command(subcommand)]
    step: Option<Step>,
    #[command(flatten)]
    list: Listing,
}

/// Which incidents to show.
#[derive(Debug, Args)]
struct Listing {
    /// Only open ones
    #[arg(long)]
    open: bool,
    /// Only those of one heartbeat, by id or slug
    #[arg(long, value_name = "ID|SLUG", conflicts_with = "open")]
    heartbeat: Option<String>,
    /// At most this many [default: 20; all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print the incidents as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What can be done with an incident.
#[derive(Debug, Subcommand)]
enum Step {
    /// Say that somebody has seen it: repeated alerts stop
    Ack {
        #[command(flatten)]
        which: Which,
    },
    /// Hold alerts about it back for a while
    #[command(override_usage = "nightbeat incidents snooze <ID> <--until <TIME>|--for <DURATION>>")]
    Snooze {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        end: End,
    },
}

/// When a snooze ends: one of the two, so that an error names both.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct End {
    /// Until then: 2026-11-22T03:00:00Z, or '2026-11-22 03:00' on this machine's clock
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// For so long: 2h
    #[arg(long = "for", value_name = "DURATION", value_parser = span)]
    length: Option<Duration>,
}

/// The incident that a step concerns.
#[derive(Debug, Args)]
struct Which {
    /// The incident's id, as `nightbeat incidents` shows it
    #[arg(value_name = "ID")]
    incident: String,
    /// Print the incident as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Incidents {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        match self.step {
            None => self.list.run(session),
            Some(Step::Ack { which }) => which.step("acknowledge", None, |incident| {
                format!("acknowledged: {}", incident.heartbeat_name)
            }),
            Some(Step::Snooze { which, end: given }) => {
                let until = end(given.until.as_deref(), given.length, &session.view)?;
                let body = json!({"until": until.to_string()});
                which.step("snooze", Some(&body), |incident| {
                    let until = moment(until, &session.view.zone);
                    format!("snoozed until {until}: {}", incident.heartbeat_name)
                })
            }
        }
    }
}

/// When a snooze ends.
fn end(until: Option<&str>, length: Option<Duration>, view: &View) -> Result<Timestamp, Failure> {
    match (until, length) {
        (Some(until), _) => {
            let until = instant(until, &view.zone).map_err(Failure::usage)?;
            if until > view.now {
                return Ok(until);
            }
            Err(Failure::usage("that time is over"))
        }
        (None, length) => view
            .now
            .checked_add(length.unwrap_or_default())
            .map_err(|_| Failure::usage("that is too long")),
    }
}

impl Listing {
    fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let limit = shown(self.limit, self.json);
            let list = if let Some(given) = &self.heartbeat {
                client
                    .list(&["heartbeats", given, "incidents"], &[], limit)
                    .await
                    .map_err(|error| target::named("heartbeat", given, error))?
            } else {
                let open = self.open.then_some(("open", "true"));
                let query: Vec<(&str, &str)> = open.into_iter().collect();
                client.list(&["incidents"], &query, limit).await?
            };
            if self.json {
                return Ok(list.json() + "\n");
            }
            let all: Vec<Incident> = list.parse()?;
            if all.is_empty() {
                note("no incidents");
                return Ok(String::new());
            }
            tell_more(list.more);
            Ok(incidents(&all, &session.view))
        })
    }
}

impl Which {
    fn step(
        self,
        step: &str,
        body: Option<&Value>,
        done: impl FnOnce(&Incident) -> String,
    ) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let answer = client
                .send(Method::POST, &["incidents", &self.incident, step], body)
                .await
                .map_err(|error| target::named("incident", &self.incident, error))?;
            if self.json {
                return Ok(format!("{}\n", answer.text()));
            }
            note(&done(&answer.parse()?));
            Ok(String::new())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn a_snooze_ends_in_the_future() {
        let view = View {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            zone: TimeZone::UTC,
            colour: false,
        };
        let text = |until, length| end(until, length, &view).map(|at| at.to_string());
        assert_eq!(
            text(None, Some(Duration::from_secs(7200))),
            Ok("2026-11-22T14:00:00Z".to_owned())
        );
        assert_eq!(
            text(Some("2026-11-22 13:00"), None),
            Ok("2026-11-22T13:00:00Z".to_owned())
        );
        assert_eq!(
            text(Some("2026-11-22 11:00"), None),
            Err(Failure::usage("that time is over"))
        );
        assert!(text(None, Some(Duration::MAX)).is_err());
    }
}
