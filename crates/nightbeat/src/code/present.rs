//! What is there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use nightbeat_agent::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::wanted::{Named, usual};
use crate::exit::Failure;

/// What stands for a value that is not shown, in the answers of the API.
pub(super) const MASK: &str = "•••";

/// A project, as far as it can be set by the API.
#[derive(Debug)]
pub(crate) struct Present {
    /// Its name.
    pub(crate) name: String,
    /// The server shows its secrets to the key: it may change things.
    pub(crate) writable: bool,
    /// The name of its fallback channel.
    pub(super) fallback: Option<String>,
    pub(super) channels: Vec<PresentChannel>,
    pub(crate) heartbeats: Vec<PresentHeartbeat>,
    pub(super) windows: Vec<PresentWindow>,
    /// The kinds of channels, and their fields.
    kinds: BTreeMap<String, Vec<Field>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PresentChannel {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: String,
    #[serde(default)]
    pub(super) settings: BTreeMap<String, String>,
}

/// A heartbeat that is there.
#[derive(Debug, Clone)]
pub(crate) struct PresentHeartbeat {
    /// `None` for a read-only key.
    pub(crate) id: Option<String>,
    pub(crate) slug: String,
    pub(crate) paused: bool,
    /// What the server cannot read of it.
    pub(super) problem: Option<String>,
    /// All that may be set on it; `channels` are names.
    pub(super) fields: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PresentWindow {
    pub(super) id: String,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    #[serde(default)]
    pub(super) note: String,
}

#[derive(Debug, Deserialize)]
struct Kinds {
    items: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    name: String,
    #[serde(default)]
    fields: Vec<Field>,
}

/// A setting of a kind of channel.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Field {
    pub(super) name: String,
    #[serde(default)]
    pub(super) secret: bool,
    #[serde(default)]
    pub(super) default: Option<String>,
}

/// What the server says about a project.
struct Answers {
    project: Project,
    kinds: Kinds,
    channels: Vec<PresentChannel>,
    heartbeats: Vec<Map<String, Value>>,
    windows: Vec<PresentWindow>,
}

#[derive(Deserialize)]
struct Project {
    name: String,
    #[serde(default)]
    ping_key: Option<String>,
    #[serde(default)]
    fallback_channel: Option<String>,
}

impl Present {
    /// Looks at the project of the client's key.
    pub(crate) async fn load(client: &Client) -> Result<Self, Failure> {
        Ok(Self::new(Answers {
            project: client.get(&["project"]).await?.parse()?,
            kinds: client.get(&["channel-kinds"]).await?.parse()?,
            channels: client.list(&["channels"], &[], None).await?.parse()?,
            heartbeats: client.list(&["heartbeats"], &[], None).await?.parse()?,
            windows: client.list(&["maintenance"], &[], None).await?.parse()?,
        }))
    }

    fn new(answers: Answers) -> Self {
        let by_id: BTreeMap<&str, &str> = answers
            .channels
            .iter()
            .map(|channel| (channel.id.as_str(), channel.name.as_str()))
            .collect();
        let named = |id: &str| (*by_id.get(id).unwrap_or(&id)).to_owned();
        let kinds = answers.kinds.items.into_iter();
        let heartbeats = answers.heartbeats.into_iter();
        Self {
            name: answers.project.name,
            writable: answers.project.ping_key.is_some(),
            fallback: answers.project.fallback_channel.as_deref().map(named),
            heartbeats: heartbeats
                .map(|fields| PresentHeartbeat::new(fields, named))
                .collect(),
            windows: answers.windows,
            kinds: kinds.map(|kind| (kind.name, kind.fields)).collect(),
            channels: answers.channels,
        }
    }

    /// A project without windows whose channels and heartbeats are answered like this.
    #[cfg(test)]
    pub(super) fn from_answers(project: Value) -> Self {
        Self::new(Answers {
            channels: serde_json::from_value(project["channels"].clone()).unwrap(),
            heartbeats: serde_json::from_value(project["heartbeats"].clone()).unwrap(),
            project: serde_json::from_value(project).unwrap(),
            kinds: Kinds { items: Vec::new() },
            windows: Vec::new(),
        })
    }

    /// The id of each channel, by its name.
    pub(crate) fn channel_ids(&self) -> BTreeMap<String, String> {
        let channels = self.channels.iter();
        channels
            .map(|channel| (channel.name.clone(), channel.id.clone()))
            .collect()
    }

    /// Whether there is such a kind of channel.
    pub(crate) fn knows_kind(&self, kind: &str) -> bool {
        self.kinds.contains_key(kind)
    }

    /// The setting of a kind, where the server knows it.
    pub(super) fn field(&self, kind: &str, name: &str) -> Option<&Field> {
        let fields = self.kinds.get(kind)?;
        fields.iter().find(|field| field.name == name)
    }

    /// Whether a channel's setting is a secret. Of a kind that is not known any more, all may be.
    pub(super) fn is_secret(&self, kind: &str, name: &str) -> bool {
        self.field(kind, name).is_none_or(|field| field.secret)
    }

    pub(super) fn channel(&self, name: &str) -> Option<&PresentChannel> {
        self.channels.iter().find(|channel| channel.name == name)
    }

    /// The heartbeat with this id.
    pub(crate) fn by_id(&self, id: &str) -> Option<&PresentHeartbeat> {
        let mut all = self.heartbeats.iter();
        all.find(|it| it.id.as_deref() == Some(id))
    }

    /// The heartbeat with this slug.
    pub(crate) fn by_slug(&self, slug: &str) -> Option<&PresentHeartbeat> {
        self.heartbeats.iter().find(|it| it.slug == slug)
    }
}

impl PresentHeartbeat {
    fn new(mut all: Map<String, Value>, named: impl Fn(&str) -> String) -> Self {
        if let Some(Value::Array(ids)) = all.get("channels") {
            let ids = ids.iter().filter_map(Value::as_str);
            let list = Named::list(ids.map(named));
            all.insert("channels".to_owned(), list);
        }
        let text = |name: &str| all.get(name).and_then(Value::as_str).map(str::to_owned);
        let settable = |name: &str| name == "name" || usual().contains_key(name);
        Self {
            id: text("id"),
            slug: text("slug").unwrap_or_default(),
            paused: all.get("status") == Some(&json!("paused")),
            problem: text("problem"),
            fields: all.into_iter().filter(|(name, _)| settable(name)).collect(),
        }
    }
}
