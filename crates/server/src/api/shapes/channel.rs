//! Channels and their kinds.

use std::collections::BTreeMap;

use nightbeat_notify::{Catalogue, FieldType, Kind};
use nightbeat_store::control::channels;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Time;
use super::words::Name;
use crate::api::caller::Caller;
use crate::api::input::given;

/// What stands for a secret that is set. Sent back, it keeps the secret.
pub(in crate::api) const MASK: &str = "•••";

/// Where alerts go.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Channel {
    /// Its id.
    id: Uuid,
    /// Its name, once in a project.
    name: String,
    /// Its kind in the catalogue.
    kind: String,
    /// The values of the kind's fields; secrets are shown as `•••`. To a read-only key that is every value but
    /// choices: who knows a topic or a URL can often read along.
    settings: BTreeMap<String, String>,
    /// When it was created.
    created_at: Time,
    /// How it fares.
    health: Health,
}

/// A page of channels.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ChannelList {
    /// The items.
    items: Vec<Channel>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// The same in Healthchecks' words, for its clients: some of them leave out the slash that makes the
    /// difference.
    channels: Vec<ChannelName>,
}

/// A channel, in Healthchecks' words.
#[derive(Debug, Serialize, ToSchema)]
struct ChannelName {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// Its kind in the catalogue.
    kind: String,
}

impl ChannelList {
    /// These channels, and where the next page begins.
    pub(in crate::api) fn new(items: Vec<Channel>, next_cursor: Option<String>) -> Self {
        let names = items.iter().map(|channel| ChannelName {
            id: channel.id,
            name: channel.name.clone(),
            kind: channel.kind.clone(),
        });
        Self {
            channels: names.collect(),
            items,
            next_cursor,
        }
    }
}

/// How a channel fares.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// When an alert last got through.
    #[schema(required)]
    last_sent_at: Option<Time>,
    /// What went wrong with the newest alert that has not got through.
    #[schema(required)]
    last_error: Option<String>,
    /// How many alerts failed for good and are not dismissed.
    failing: u64,
}

/// A channel that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewChannel {
    /// Its name, once in a project.
    #[schema(value_type = Name)]
    pub(in crate::api) name: String,
    /// Its kind: one of `GET /channel-kinds`.
    pub(in crate::api) kind: String,
    /// The values of the kind's fields.
    #[serde(default)]
    pub(in crate::api) settings: BTreeMap<String, String>,
}

/// What may change about a channel. Only what is named changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ChannelEdit {
    /// Its name, once in a project.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Name>, nullable = false)]
    pub(in crate::api) name: Option<String>,
    /// Values of the kind's fields; only those that are named change, and `null` clears one.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(in crate::api) settings: Option<BTreeMap<String, Option<String>>>,
}

/// A channel that might be, or what might change about one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ChannelPreview {
    /// The id or name of the channel that might change; left out for a new one.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(in crate::api) channel: Option<String>,
    /// Its kind: one of `GET /channel-kinds`.
    pub(in crate::api) kind: String,
    /// As in a `POST` of a new channel, or in a `PATCH` of one that is there.
    #[serde(default)]
    pub(in crate::api) settings: BTreeMap<String, Option<String>>,
}

/// What would change about a channel.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ChannelChanges {
    /// The names of the settings that would be other than they are, also of secret ones.
    pub(in crate::api) changes: Vec<String>,
}

/// What a channel's receiver said to a test.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct TestResult {
    /// It was accepted.
    pub(in crate::api) ok: bool,
    /// What the receiver answered, or what went wrong.
    pub(in crate::api) detail: String,
    /// How long it took.
    pub(in crate::api) duration_ms: u64,
}

/// A kind of channel.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ChannelKind {
    /// Its name: `webhook`.
    name: String,
    /// What people call it: `Webhook`.
    title: String,
    /// One sentence about it.
    help: String,
    /// What is to be filled in, in the order to ask for it.
    fields: Vec<Field>,
    /// The shortest time between two messages, in seconds; what comes in between travels together. 0:
    /// every event at once.
    digest_seconds: u32,
}

/// Something to fill in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChannelField)]
struct Field {
    /// Its name in `settings`.
    name: String,
    /// What it takes.
    #[serde(rename = "type")]
    takes: Takes,
    /// One sentence for the person who fills it in.
    help: String,
    /// It must be filled in.
    required: bool,
    /// It is stored, but never shown again.
    secret: bool,
    /// What stands when it is left empty.
    #[schema(required)]
    default: Option<String>,
    /// What a `choice` may be; empty for the others.
    choices: Vec<String>,
}

/// What a field takes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChannelFieldType)]
#[serde(rename_all = "snake_case")]
enum Takes {
    /// One line of text.
    Text,
    /// A URL.
    Url,
    /// A URL with placeholders in its path or query.
    UrlTemplate,
    /// One of the field's choices.
    Choice,
    /// `Name: value`, one a line.
    Headers,
    /// A text of several lines with placeholders.
    Template,
    /// E-mail addresses with commas between them.
    Emails,
}

impl Channel {
    /// Its id.
    pub(in crate::api) fn id(&self) -> Uuid {
        self.id
    }

    /// Its shape, as this caller may see it. No key sees a secret again.
    pub(in crate::api) fn of(
        found: channels::Channel,
        health: channels::Health,
        catalogue: &Catalogue,
        caller: Caller,
    ) -> Self {
        let kind = catalogue.kind(&found.kind);
        Self {
            settings: masked(kind, found.fields, caller.secrets),
            id: found.id.0,
            name: found.name,
            kind: found.kind,
            created_at: found.created_at.into(),
            health: Health {
                last_sent_at: health.last_sent_at.map(Time::from),
                last_error: health.last_error,
                failing: health.failing,
            },
        }
    }
}

/// The settings without their secrets; choices alone for who may not see `secrets` elsewhere. Of a kind that is
/// not in the catalogue any more, all may be secret.
fn masked(
    kind: Option<&Kind>,
    mut settings: BTreeMap<String, String>,
    secrets: bool,
) -> BTreeMap<String, String> {
    let is_shown = |field: &nightbeat_notify::Field| {
        !field.secret && (secrets || field.field_type == FieldType::Choice)
    };
    for (name, value) in &mut settings {
        let field = kind.and_then(|kind| kind.fields.iter().find(|field| field.name == *name));
        if !field.is_some_and(is_shown) {
            MASK.clone_into(value);
        }
    }
    settings
}

impl From<&Kind> for ChannelKind {
    fn from(kind: &Kind) -> Self {
        Self {
            name: kind.name.clone(),
            title: kind.title.clone(),
            help: kind.help.clone(),
            fields: kind.fields.iter().map(Field::from).collect(),
            digest_seconds: kind.digest_seconds,
        }
    }
}

impl From<&nightbeat_notify::Field> for Field {
    fn from(field: &nightbeat_notify::Field) -> Self {
        Self {
            name: field.name.clone(),
            takes: field.field_type.into(),
            help: field.help.clone(),
            required: field.required,
            secret: field.secret,
            default: field.default.clone(),
            choices: field.choices.clone(),
        }
    }
}

impl From<FieldType> for Takes {
    fn from(takes: FieldType) -> Self {
        match takes {
            FieldType::Text => Self::Text,
            FieldType::Url => Self::Url,
            FieldType::UrlTemplate => Self::UrlTemplate,
            FieldType::Choice => Self::Choice,
            FieldType::Headers => Self::Headers,
            FieldType::Template => Self::Template,
            FieldType::Emails => Self::Emails,
        }
    }
}
