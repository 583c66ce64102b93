//! A kind of channel as data: what one TOML file says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::payload::Event;
use crate::template::{Template, texts_in};

/// One notification service: the fields a person fills in, and what is done with them.
///
/// Its JSON is what the API's catalogue shows: `name`, `title`, `help` and `fields`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kind {
    /// Its name, the file's name without `.toml`: `webhook`.
    pub name: String,
    /// What people call it: `Webhook`.
    pub title: String,
    /// One sentence about it.
    pub help: String,
    /// What a person fills in, in the order to ask for it.
    pub fields: Vec<Field>,
    /// The shortest time between two messages to one channel, in seconds; what comes in between waits
    /// and travels together. 0: every event at once, for programs.
    pub digest_seconds: u32,
    /// The longest text the service takes, in bytes of UTF-8.
    #[serde(skip)]
    pub(crate) text_bytes_max: Option<usize>,
    /// What the service takes from one sender, where it says so.
    #[serde(skip)]
    pub(crate) rate: Option<Rate>,
    /// How a message leaves.
    #[serde(skip)]
    pub(crate) transport: Transport,
}

/// Something a person fills in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name, as in `--set name=value`.
    pub name: String,
    /// What it takes.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// One sentence for the person who fills it in.
    pub help: String,
    /// It must be filled in.
    #[serde(default)]
    pub required: bool,
    /// It is stored, but never shown again.
    #[serde(default)]
    pub secret: bool,
    /// What stands when it is left empty.
    #[serde(default)]
    pub default: Option<String>,
    /// What a `choice` may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// What a [`Field`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// One line of text.
    Text,
    /// An `http://` or `https://` URL.
    Url,
    /// The same, with placeholders in its path or query.
    UrlTemplate,
    /// One of the field's choices.
    Choice,
    /// `Name: value`, one a line, with placeholders in the values.
    Headers,
    /// A text of several lines with placeholders.
    Template,
    /// E-mail addresses with commas between them.
    Emails,
}

/// How fast a service takes messages from one sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// On average, a minute.
    pub(crate) per_minute: u32,
    /// At once, after a quiet time.
    pub(crate) burst: u32,
}

/// How a message leaves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Transport {
    /// An HTTP request.
    Http(Box<HttpKind>),
    /// A mail; the template gives the addresses.
    Mail(Template),
}

/// The HTTP request of a kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HttpKind {
    /// What is sent for most events.
    pub(crate) request: Request,
    /// What differs for some.
    pub(crate) on: BTreeMap<Event, RequestChange>,
    /// Values that depend on the event, as `{{by_event.NAME}}`; the key `default` is for all others.
    pub(crate) by_event: BTreeMap<String, BTreeMap<String, Value>>,
    /// Which answers mean that it was delivered.
    pub(crate) success: Success,
}

/// `[request]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// A field of type `headers` that adds to or replaces them.
    #[serde(default)]
    pub(crate) headers_field: Option<String>,
    #[serde(default)]
    pub(crate) body: Option<Body>,
    /// A field of type `template` that replaces the body where it is filled in.
    #[serde(default)]
    pub(crate) body_field: Option<String>,
}

/// `[on.EVENT]`: what is different for one event.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestChange {
    #[serde(default)]
    pub(crate) method: Option<String>,
    #[serde(default)]
    pub(crate) url: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: Option<Body>,
}

/// `[request.body]`: one of `json`, `form` and `text`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Body {
    Json(Value),
    Form(BTreeMap<String, String>),
    Text(String),
}

/// `[success]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Success {
    /// The lowest and the highest status that is a success.
    #[serde(default = "Success::two_hundreds")]
    pub(crate) status: (u16, u16),
    /// What the answer must contain besides, for services that answer 200 to everything.
    #[serde(default)]
    pub(crate) contains: Option<String>,
}

impl Success {
    fn two_hundreds() -> (u16, u16) {
        (200, 299)
    }
}

impl Default for Success {
    fn default() -> Self {
        Self {
            status: Self::two_hundreds(),
            contains: None,
        }
    }
}

impl Kind {
    /// The field `name`.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl HttpKind {
    /// The request for `event`, with what differs for it put in.
    pub(crate) fn request_for(&self, event: Event) -> Request {
        let mut request = self.request.clone();
        if let Some(change) = self.on.get(&event).cloned() {
            request.method = change.method.unwrap_or(request.method);
            request.url = change.url.unwrap_or(request.url);
            request.headers.extend(change.headers);
            request.body = change.body.or(request.body);
        }
        request
    }

    /// All texts that may hold placeholders.
    pub(crate) fn texts(&self) -> Vec<&str> {
        let request = &self.request;
        let mut texts: Vec<&str> = vec![&request.method, &request.url];
        texts.extend(request.headers.values().map(String::as_str));
        texts.extend(request.body.iter().flat_map(Body::texts));
        for change in self.on.values() {
            texts.extend(change.method.as_deref());
            texts.extend(change.url.as_deref());
            texts.extend(change.headers.values().map(String::as_str));
            texts.extend(change.body.iter().flat_map(Body::texts));
        }
        texts
    }
}

impl Body {
    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Json(json) => texts_in(json),
            Self::Form(pairs) => pairs.values().map(String::as_str).collect(),
            Self::Text(text) => vec![text],
        }
    }
}
