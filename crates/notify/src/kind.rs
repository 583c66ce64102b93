//! A kind of channel as data: what one TOML file says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::payload::{self, Event};
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

/// The TOML file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KindFile {
    title: String,
    help: String,
    #[serde(default = "KindFile::digest_seconds")]
    digest_seconds: u32,
    text_bytes_max: Option<usize>,
    rate_per_minute: Option<u32>,
    rate_burst: Option<u32>,
    #[serde(default)]
    fields: Vec<Field>,
    request: Option<Request>,
    #[serde(default)]
    on: BTreeMap<Event, RequestChange>,
    #[serde(default)]
    by_event: BTreeMap<String, BTreeMap<String, Value>>,
    #[serde(default)]
    success: Success,
    mail: Option<Mail>,
}

/// `[mail]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mail {
    to: String,
}

impl KindFile {
    /// Services are for people unless they say otherwise.
    fn digest_seconds() -> u32 {
        30
    }
}

/// The shortest useful [`Kind::text_bytes_max`]: room for a sentence and a link.
const TEXT_BYTES_MAX_LEAST: usize = 200;

impl Kind {
    /// Reads the file of the kind `name`. The error says what to change in it.
    pub(crate) fn read(name: &str, toml: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(plain) {
            return Err("a kind's name has only a-z, 0-9, - and _".to_owned());
        }
        let file: KindFile = toml::from_str(toml).map_err(|error| error.to_string())?;
        let rate = match (file.rate_per_minute, file.rate_burst) {
            (None, None) => None,
            (Some(per_minute @ 1..), burst) => Some(Rate {
                per_minute,
                burst: burst.unwrap_or(1).max(1),
            }),
            _ => return Err("rate_per_minute must be at least 1; rate_burst needs it".to_owned()),
        };
        if file
            .text_bytes_max
            .is_some_and(|max| max < TEXT_BYTES_MAX_LEAST)
        {
            return Err(format!(
                "text_bytes_max must be at least {TEXT_BYTES_MAX_LEAST}"
            ));
        }
        let transport = match (file.request, file.mail) {
            (Some(request), None) => Transport::Http(Box::new(HttpKind {
                request,
                on: file.on,
                by_event: file.by_event,
                success: file.success,
            })),
            (None, Some(mail)) => Transport::Mail(Template::parse(&mail.to)?),
            _ => return Err("it needs either [request] or [mail]".to_owned()),
        };
        let kind = Self {
            name: name.to_owned(),
            title: file.title,
            help: file.help,
            fields: file.fields,
            digest_seconds: file.digest_seconds,
            text_bytes_max: file.text_bytes_max,
            rate,
            transport,
        };
        kind.check_fields()?;
        kind.check_templates()?;
        Ok(kind)
    }

    /// The field `name`.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    fn check_fields(&self) -> Result<(), String> {
        for (index, field) in self.fields.iter().enumerate() {
            let name = &field.name;
            if self.fields[..index].iter().any(|other| other.name == *name) {
                return Err(format!("the field {name:?} stands there twice"));
            }
            if (field.field_type == FieldType::Choice) == field.choices.is_empty() {
                return Err(format!(
                    "the field {name:?}: a choice has choices, nothing else has"
                ));
            }
            let default = field.default.as_ref();
            if field.field_type == FieldType::Choice
                && default.is_some_and(|default| !field.choices.contains(default))
            {
                return Err(format!(
                    "the field {name:?}: its default is not one of its choices"
                ));
            }
        }
        let Transport::Http(http) = &self.transport else {
            return Ok(());
        };
        let refers = |to: &Option<String>, wanted: FieldType| match to {
            None => Ok(()),
            Some(name) => match self.field(name) {
                Some(field) if field.field_type == wanted => Ok(()),
                _ => Err(format!(
                    "there is no field {name:?} of the type that [request] needs"
                )),
            },
        };
        refers(&http.request.headers_field, FieldType::Headers)?;
        refers(&http.request.body_field, FieldType::Template)
    }

    /// Every placeholder must name something, so that a typing error shows when the file is read, and
    /// not in an alert.
    fn check_templates(&self) -> Result<(), String> {
        match &self.transport {
            Transport::Mail(to) => self.check_paths(to, &BTreeMap::new()),
            Transport::Http(http) => {
                for text in http.texts() {
                    self.check_paths(&Template::parse(text)?, &http.by_event)?;
                }
                for (name, words) in &http.by_event {
                    let missing = Event::ALL
                        .iter()
                        .find(|event| !words.contains_key(event.as_str()));
                    if let Some(event) = missing.filter(|_| !words.contains_key("default")) {
                        return Err(format!(
                            "[by_event.{name}] has no {:?} and no default",
                            event.as_str()
                        ));
                    }
                    let known = |word: &&String| {
                        *word == "default" || Event::ALL.iter().any(|event| event.as_str() == *word)
                    };
                    if let Some(word) = words.keys().find(|word| !known(word)) {
                        return Err(format!("[by_event.{name}]: {word:?} is no event"));
                    }
                }
                Ok(())
            }
        }
    }

    fn check_paths(
        &self,
        template: &Template,
        by_event: &BTreeMap<String, BTreeMap<String, Value>>,
    ) -> Result<(), String> {
        for path in template.paths() {
            let known = match path.split_once('.') {
                Some(("field", name)) => self.field(name).is_some(),
                Some(("by_event", name)) => by_event.contains_key(name),
                _ => payload::is_path(path),
            };
            if !known {
                return Err(format!("{{{{{path}}}}} is unknown"));
            }
        }
        Ok(())
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
    fn texts(&self) -> Vec<&str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "title = \"T\"\nhelp = \"H\"\n";

    fn problem(rest: &str) -> String {
        Kind::read("x", &format!("{HEAD}{rest}")).unwrap_err()
    }

    #[test]
    fn a_file_with_a_mistake_says_what_it_is() {
        let request = "[request]\nmethod = \"POST\"\nurl = \"https://h.example/\"\n";
        for (rest, hint) in [
            ("", "either [request] or [mail]"),
            ("colour = 1", "unknown field `colour`"),
            ("rate_burst = 2", "rate_burst needs it"),
            ("text_bytes_max = 3", "at least 200"),
            (
                &format!("{request}body.text = \"{{{{tittle}}}}\""),
                "{{tittle}} is unknown",
            ),
            (
                &format!("{request}body.text = \"{{{{field.token}}}}\""),
                "{{field.token}} is unknown",
            ),
            (
                &format!("{request}body.xml = \"a\""),
                "unknown variant `xml`",
            ),
            (
                &format!("{request}body_field = \"body\""),
                "no field \"body\"",
            ),
            (
                &format!("{request}[by_event.p]\ndown = 1"),
                "no \"warning\" and no default",
            ),
            (
                &format!("{request}[by_event.p]\ndefault = 1\ndwon = 1"),
                "\"dwon\" is no event",
            ),
            (&format!("{request}[on.gone]\n"), "unknown variant `gone`"),
            (
                "[[fields]]\nname = \"a\"\ntype = \"choice\"\nhelp = \"h\"\n[mail]\nto = \"\"",
                "a choice has choices",
            ),
        ] {
            let problem = problem(rest);
            assert!(problem.contains(hint), "{rest}: {problem}");
        }
    }
}
