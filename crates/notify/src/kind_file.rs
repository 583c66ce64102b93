//! Reading a kind's TOML file, and finding the mistakes in it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::kind::{
    Field, FieldType, HttpKind, Kind, Rate, Request, RequestChange, Success, Transport,
};
use crate::payload::{self, Event};
use crate::template::Template;

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
