//! The form of a channel, made from what its kind's file says.

use std::collections::BTreeMap;

use nightbeat_notify::{FieldType, Kind};
use serde_json::{Map, Value, json};

use crate::web::fields::Fields;

/// Something to fill in.
pub(super) struct Input {
    pub(super) name: String,
    /// Its name as people say it: `User key`.
    pub(super) label: String,
    pub(super) help: String,
    pub(super) required: bool,
    /// It is never shown.
    pub(super) secret: bool,
    /// A secret is stored: left empty, it stays.
    pub(super) is_set: bool,
    pub(super) value: String,
    pub(super) default: String,
    pub(super) choices: Vec<String>,
    /// `text`, `url`, `area` or `choice`.
    pub(super) control: &'static str,
}

impl Input {
    /// Its name in the API's problems.
    pub(super) fn field(&self) -> String {
        format!("settings.{}", self.name)
    }
}

fn inputs(kind: &Kind, value: impl Fn(&str) -> Option<String>) -> Vec<Input> {
    let inputs = kind.fields.iter().map(|field| {
        let stored = value(&field.name).filter(|value| !value.is_empty());
        let is_set = field.secret && stored.is_some();
        let shown = stored.filter(|_| !field.secret);
        Input {
            label: label(&field.name),
            name: field.name.clone(),
            help: field.help.clone(),
            required: field.required && !is_set,
            secret: field.secret,
            is_set,
            value: shown.unwrap_or_default(),
            default: field.default.clone().unwrap_or_default(),
            choices: field.choices.clone(),
            control: match field.field_type {
                FieldType::Choice => "choice",
                FieldType::Headers | FieldType::Template => "area",
                FieldType::Url => "url",
                FieldType::Text | FieldType::UrlTemplate | FieldType::Emails => "text",
            },
        }
    });
    inputs.collect()
}

fn label(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut chars = words.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

/// Nothing is filled in.
pub(super) fn empty(kind: &Kind) -> Vec<Input> {
    inputs(kind, |_| None)
}

/// What is stored.
pub(super) fn stored(kind: &Kind, fields: &BTreeMap<String, String>) -> Vec<Input> {
    inputs(kind, |name| fields.get(name).cloned())
}

/// What was typed; secrets are to be typed again.
pub(super) fn typed(kind: &Kind, fields: &Fields) -> Vec<Input> {
    let mut inputs = inputs(kind, |name| Some(given(fields, name)));
    for input in &mut inputs {
        input.is_set = false;
        input.required = false;
    }
    inputs
}

fn given(fields: &Fields, name: &str) -> String {
    fields.text(&format!("set.{name}")).replace("\r\n", "\n")
}

/// A new channel as the API's JSON has it; what was left empty is left out.
pub(super) fn new_json(kind: &Kind, fields: &Fields) -> Value {
    let mut settings = Map::new();
    for field in &kind.fields {
        let value = given(fields, &field.name);
        if !value.is_empty() {
            settings.insert(field.name.clone(), json!(value));
        }
    }
    json!({ "name": fields.text("name"), "kind": kind.name, "settings": settings })
}

/// A change as the API's JSON has it: what was left empty is cleared, but a secret stays unless it is to go.
pub(super) fn change_json(kind: Option<&Kind>, fields: &Fields) -> Value {
    let mut settings = Map::new();
    for field in kind.iter().flat_map(|kind| &kind.fields) {
        let value = given(fields, &field.name);
        let goes = fields.ticked(&format!("clear.{}", field.name));
        let value = match value {
            value if !value.is_empty() => json!(value),
            _ if field.secret && !goes => continue,
            _ => Value::Null,
        };
        settings.insert(field.name.clone(), value);
    }
    json!({ "name": fields.text("name"), "settings": settings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightbeat_notify::Catalogue;

    #[test]
    fn a_secret_is_never_shown_and_stays_unless_it_is_to_go() {
        let catalogue = Catalogue::load(None).unwrap();
        let kind = catalogue.kind("ntfy").unwrap();
        let fields = BTreeMap::from([
            ("topic".to_owned(), "nightly".to_owned()),
            ("token".to_owned(), "tk_hidden".to_owned()),
        ]);
        let inputs = stored(kind, &fields);
        let token = inputs.iter().find(|input| input.name == "token").unwrap();
        assert!(token.is_set && token.value.is_empty());
        let topic = inputs.iter().find(|input| input.name == "topic").unwrap();
        assert_eq!(
            (topic.value.as_str(), topic.label.as_str()),
            ("nightly", "Topic")
        );

        let kept = change_json(Some(kind), &Fields::parse(b"name=a&set.topic=b&set.token="));
        assert_eq!(
            kept,
            json!({ "name": "a", "settings": { "server": null, "topic": "b" } })
        );
        let gone = change_json(
            Some(kind),
            &Fields::parse(b"name=a&set.topic=b&clear.token=on"),
        );
        assert_eq!(gone["settings"]["token"], Value::Null);
        assert!(gone["settings"].as_object().unwrap().contains_key("token"));
        let new = new_json(kind, &Fields::parse(b"name=a&set.topic=b"));
        assert_eq!(
            new,
            json!({ "name": "a", "kind": "ntfy", "settings": { "topic": "b" } })
        );
    }
}
