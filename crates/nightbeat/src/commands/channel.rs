//! `nightbeat channel`

use clap::{Args, Subcommand};
use nightbeat_agent::{ClientError, Method, api};
use serde_json::{Map, Value, json};

use super::delete::agree;
use super::target;
use super::values::pair;
use crate::connection::Connection;
use crate::exit::Failure;
use crate::render::{Cell, Paint, Table, ago, clean};
use crate::session::{Session, View, block_on, hint, note};

const EXAMPLES: &str = "\
Examples:
  nightbeat channel add email --name me --set to=you@example.org
  nightbeat channel add ntfy --name phone --set topic=a-hard-to-guess-topic
  nightbeat channel add webhook --name hook --set url=https://example.org/hook \\
      --set headers='Authorization: Bearer abc'
  nightbeat channel test hook";

/// Add, list, test and delete channels: where alerts go
#[derive(Debug, Subcommand)]
pub(crate) enum Channel {
    /// Add a channel
    #[command(after_help = EXAMPLES)]
    Add(Add),
    /// Show all channels and how they fare
    List(List),
    /// Send a test message through a channel, and show what its receiver answers
    Test(Test),
    /// Delete a channel
    Delete(Delete),
}

/// A new channel.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The kind: webhook, ntfy, email
    kind: String,
    /// What people call it
    #[arg(long)]
    name: String,
    /// A setting of this kind; repeat for several. The same name again adds a line to its value
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    settings: Vec<(String, String)>,
    /// Print the channel as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// All channels.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print the channels as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// A test of a channel.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The channel, by name or id
    name: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// The end of a channel.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The channel, by name or id
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Channel {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        match self {
            Self::Add(add) => add.run(),
            Self::List(list) => list.run(session),
            Self::Test(test) => test.run(),
            Self::Delete(delete) => delete.run(session),
        }
    }
}

impl Add {
    fn run(self) -> Result<String, Failure> {
        let client = self.connection.client()?;
        let body = json!({
            "name": self.name,
            "kind": self.kind,
            "settings": merged(&self.settings),
        });
        block_on(async {
            let answer = client
                .send(Method::POST, &["channels"], Some(&body))
                .await?;
            if self.json {
                return Ok(format!("{}\n", answer.text()));
            }
            let channel: api::Channel = answer.parse()?;
            note(&format!("added channel `{}`", clean(&channel.name)));
            hint(&format!(
                "see whether it works: nightbeat channel test '{}'",
                clean(&channel.name)
            ));
            Ok(String::new())
        })
    }
}

/// Settings as one object; a name that is given again adds a line.
fn merged(pairs: &[(String, String)]) -> Map<String, Value> {
    let mut settings = Map::new();
    for (name, value) in pairs {
        match settings.get_mut(name) {
            Some(Value::String(lines)) => {
                lines.push('\n');
                lines.push_str(value);
            }
            _ => {
                settings.insert(name.clone(), json!(value));
            }
        }
    }
    settings
}

impl List {
    fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let list = client.list(&["channels"], &[], None).await?;
            if self.json {
                return Ok(list.json() + "\n");
            }
            let channels: Vec<api::Channel> = list.parse()?;
            if channels.is_empty() {
                note("no channels: nobody would be told");
                hint("add one: nightbeat channel add email --name me --set to=YOU@EXAMPLE.ORG");
                return Ok(String::new());
            }
            Ok(table(&channels, &session.view))
        })
    }
}

fn table(channels: &[api::Channel], view: &View) -> String {
    let mut table = Table::new(["NAME", "KIND", "LAST SENT", "HEALTH"]);
    for channel in channels {
        let health = &channel.health;
        let sent = health.last_sent_at.map(|at| ago(view.now, at));
        let (words, paint) = match (health.failing, &health.last_error) {
            (0, _) if sent.is_some() => ("ok".to_owned(), Some(Paint::Green)),
            (0, None) => ("not used yet".to_owned(), Some(Paint::Dim)),
            (0, Some(error)) => (error.clone(), Some(Paint::Yellow)),
            (failing, error) => {
                let why = error.as_deref().unwrap_or("unknown error");
                (format!("{failing} failing: {why}"), Some(Paint::Red))
            }
        };
        table.row([
            channel.name.as_str().into(),
            channel.kind.as_str().into(),
            sent.as_deref().unwrap_or("never").into(),
            Cell::painted(&words, paint),
        ]);
    }
    table.render(view.colour)
}

impl Test {
    fn run(self) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let answer = client
                .send(Method::POST, &["channels", &self.name, "test"], None)
                .await
                .map_err(|error| target::named("channel", &self.name, error))?;
            let result: api::TestResult = answer.parse()?;
            let detail = clean(&result.detail);
            let text = if self.json {
                format!("{}\n", answer.text())
            } else {
                String::new()
            };
            if result.ok {
                note(&format!("sent in {} ms: {detail}", result.duration_ms));
                return Ok(text);
            }
            // The answer is data, wanted on stdout also when it is a no.
            crate::print(&text)?;
            Err(Failure::failed(format!(
                "the test did not go through, after {} ms: {detail}",
                result.duration_ms
            )))
        })
    }
}

impl Delete {
    fn run(self, session: &Session) -> Result<String, Failure> {
        let client = self.connection.client()?;
        block_on(async {
            let channel = target::channel(&client, &self.name).await?;
            let what = format!("channel `{}`", clean(&channel.name));
            agree(session, self.yes, &what)?;
            let deleted = client
                .send(Method::DELETE, &["channels", &channel.id], None)
                .await;
            deleted.map_err(still_named)?;
            note(&format!("deleted {what}"));
            Ok(String::new())
        })
    }
}

/// The API refuses to delete a channel that heartbeats name, with 409.
fn still_named(error: ClientError) -> Failure {
    let named = matches!(&error, ClientError::Refused(problem) if problem.status == 409);
    let failure = Failure::from(error);
    if named {
        return failure.hint("nightbeat edit HEARTBEAT --channel all, or --channel with others");
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn a_setting_given_again_adds_a_line() {
        let pairs = [
            ("headers", "A: 1"),
            ("url", "http://h"),
            ("headers", "B: 2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            Value::Object(merged(&pairs)),
            json!({"headers": "A: 1\nB: 2", "url": "http://h"})
        );
    }

    #[test]
    fn a_failing_channel_tells_why() {
        let view = View {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            zone: TimeZone::UTC,
            colour: false,
        };
        let channels: Vec<api::Channel> = serde_json::from_value(json!([
            {"id": "1", "name": "hook", "kind": "webhook",
             "health": {"last_sent_at": "2026-11-22T11:00:00Z", "last_error": "timed out", "failing": 2}},
            {"id": "2", "name": "me", "kind": "email", "health": {"last_sent_at": "2026-11-22T11:00:00Z"}},
            {"id": "3", "name": "new", "kind": "ntfy"}
        ]))
        .unwrap();
        assert_eq!(
            table(&channels, &view),
            "NAME  KIND     LAST SENT   HEALTH\n\
             hook  webhook  60 min ago  2 failing: timed out\n\
             me    email    60 min ago  ok\n\
             new   ntfy     never       not used yet\n"
        );
    }
}
