//! Healthchecks: its checks keep their ids, so that the URLs which jobs have stay good behind a renamed host.

use std::collections::BTreeSet;

use nightbeat_agent::ClientError;
use nightbeat_agent::healthchecks::Integration;
use nightbeat_server::api::is_slug;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::routing::{Targets, channels};
use super::{Found, Row};
use crate::code::{Present, PresentHeartbeat, WantedHeartbeat};
use crate::exit::{Exit, Failure};
use crate::render::clean;

/// A cron expression has so many fields; anything else is calendar events.
const CRON_FIELDS: usize = 5;

/// A check, in the words of the API's third version; the first two have the same.
#[derive(Debug, Deserialize)]
struct Check {
    uuid: Uuid,
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    tags: String,
    #[serde(default)]
    desc: String,
    grace: u64,
    timeout: Option<u64>,
    schedule: Option<String>,
    #[serde(default)]
    tz: String,
    #[serde(default)]
    manual_resume: bool,
    #[serde(default)]
    methods: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    channels: String,
    #[serde(flatten)]
    words: Words,
}

/// What its words say.
#[derive(Debug, Deserialize)]
struct Words {
    #[serde(default)]
    start_kw: String,
    success_kw: Option<String>,
    failure_kw: Option<String>,
    /// Those of old servers, for the subjects of mails.
    #[serde(default)]
    subject: String,
    #[serde(default)]
    subject_fail: String,
    filter_subject: Option<bool>,
    #[serde(default)]
    filter_body: bool,
    #[serde(default)]
    filter_http_body: bool,
    #[serde(default)]
    filter_default_fail: bool,
}

/// An error of that server's, with what to do.
pub(crate) fn told(error: ClientError, url: &str) -> Failure {
    // A stranger's words play no tricks on a terminal.
    let message = clean(&error.to_string());
    match error {
        ClientError::Refused(problem) => match problem.status {
            401 | 403 => Failure::failed(message).hint(
                "--api-key is a read-write key of the project there: Settings, API Access; \
                 a read-only key does not do",
            ),
            404 => Failure::new(Exit::NotFound, message)
                .hint(format!("is {url} the address of a Healthchecks server?")),
            429 => {
                Failure::failed(message).hint("it limits how often it is asked: try again later")
            }
            _ => Failure::failed(message),
        },
        ClientError::BadKey => {
            Failure::config(message).hint("check --api-key and HEALTHCHECKS_API_KEY")
        }
        ClientError::BadUrl { .. } => {
            Failure::config(message).hint("write --url like this: https://healthchecks.io")
        }
        ClientError::Redirected { .. } => {
            Failure::failed(message).hint("set --url to the final address")
        }
        ClientError::Unreachable { .. } => {
            Failure::new(Exit::Unreachable, message).hint(format!("is {url} its address?"))
        }
        error => Failure::from(error),
    }
}

/// A read-only key is shown no ids: without them nothing can be taken over.
pub(crate) fn readable(checks: &[Value]) -> Result<(), Failure> {
    if checks.iter().all(|check| check.get("uuid").is_some()) {
        return Ok(());
    }
    Err(Failure::failed(
        "this key of Healthchecks' is read-only, and is not shown the ids in the ping URLs",
    )
    .hint("give the project's read-write key: Settings, API Access"))
}

/// All checks of a project.
pub(crate) fn read(checks: &[Value], integrations: &[Integration], present: &Present) -> Found {
    let mut found = Found::default();
    let mut slugs = BTreeSet::new();
    for value in checks {
        let row = match Check::deserialize(value) {
            Ok(check) => check.row(integrations, present, &mut slugs, &mut found.missing),
            Err(error) => {
                let name = value["name"].as_str().unwrap_or_default();
                Row::left(name, format!("it is not understood: {error}"))
            }
        };
        found.rows.push(row);
    }
    found
}

impl Check {
    fn row(
        self,
        integrations: &[Integration],
        present: &Present,
        slugs: &mut BTreeSet<String>,
        missing: &mut BTreeSet<(String, String)>,
    ) -> Row {
        let mut notes = Vec::new();
        let id = self.uuid.to_string();
        let name = match self.name.trim() {
            "" => format!("unnamed {}", &self.uuid.simple().to_string()[..8]),
            name => name.to_owned(),
        };
        let Some(schedule) = self.schedule() else {
            return Row::left(name, "it has neither a timeout nor a schedule");
        };
        let slug = self.free_slug(present, slugs, &mut notes);
        let targets = self.targets(integrations);
        let routed = channels(&targets, present, missing, &mut notes);
        let paused = self.status == "paused";
        if paused && present.by_id(&id).is_some_and(|here| !here.paused) {
            notes.push("paused there, and not here".to_owned());
        }
        let fields = json!({
            "name": name,
            "description": self.desc,
            "tags": self.tags.split_whitespace().collect::<Vec<_>>(),
            "schedule": schedule,
            "grace": self.grace,
            "manual_resume": self.manual_resume,
            "post_only": self.methods == "POST",
            "keywords": self.words.keywords(),
            "channels": routed,
        });
        let Value::Object(fields) = fields else {
            return Row::left(name, "it is not understood");
        };
        // Healthchecks never reminds of a check that was not pinged yet.
        let mut when_new = Map::from_iter([("remind_never_started".to_owned(), json!(false))]);
        if paused {
            when_new.insert("paused".to_owned(), json!(true));
        }
        let wanted = WantedHeartbeat {
            slug,
            id: Some(self.uuid),
            fields,
            when_new,
            ..WantedHeartbeat::default()
        };
        Row::new(wanted, notes)
    }

    fn schedule(&self) -> Option<Value> {
        let Some(text) = &self.schedule else {
            return self.timeout.map(|seconds| json!({"every": seconds}));
        };
        let text = text.trim();
        let is_cron = !text.contains('\n') && text.split_whitespace().count() == CRON_FIELDS;
        let kind = if is_cron { "cron" } else { "calendar" };
        let zone = if self.tz.is_empty() { "UTC" } else { &self.tz };
        Some(json!({kind: text, "timezone": zone}))
    }

    /// Its slug, where nobody else has it: several checks may share one there.
    fn free_slug(
        &self,
        present: &Present,
        slugs: &mut BTreeSet<String>,
        notes: &mut Vec<String>,
    ) -> Option<String> {
        let slug = self.slug.as_str();
        if slug.is_empty() {
            return None;
        }
        let id = self.uuid.to_string();
        let another = |it: &PresentHeartbeat| it.id.as_ref() != Some(&id);
        if !is_slug(slug) {
            notes.push(format!("its slug {} is none here", clean(slug)));
        } else if present.by_slug(slug).is_some_and(another) || slugs.contains(slug) {
            notes.push(format!("the slug {slug} is another's: it gets its own"));
        } else {
            slugs.insert(slug.to_owned());
            return Some(slug.to_owned());
        }
        None
    }

    fn targets(&self, integrations: &[Integration]) -> Targets {
        let ids = self.channels.split(',').filter(|id| !id.is_empty());
        let named = ids.map(|id| {
            let known = integrations.iter().find(|it| it.id == id);
            known.map_or_else(
                || (String::new(), "unknown".to_owned()),
                |it| (it.name.trim().to_owned(), it.kind.clone()),
            )
        });
        Targets(named.collect())
    }
}

impl Words {
    fn keywords(&self) -> Value {
        let old = self.success_kw.is_none() && self.failure_kw.is_none();
        let success = self.success_kw.as_deref().unwrap_or(&self.subject);
        let failure = self.failure_kw.as_deref().unwrap_or(&self.subject_fail);
        let in_subject = self
            .filter_subject
            .unwrap_or(old && !(success.is_empty() && failure.is_empty()));
        let places = [
            (self.filter_http_body, "body"),
            (in_subject, "mail_subject"),
            (self.filter_body, "mail_body"),
        ];
        let places: Vec<&str> = places
            .iter()
            .filter_map(|(looked_at, place)| looked_at.then_some(*place))
            .collect();
        let nothing = self.start_kw.is_empty() && success.is_empty() && failure.is_empty();
        if nothing && places.is_empty() && !self.filter_default_fail {
            return Value::Null;
        }
        json!({
            "start": words(&self.start_kw),
            "success": words(success),
            "failure": words(failure),
            "in": places,
            "otherwise": if self.filter_default_fail { "fail" } else { "ignore" },
        })
    }
}

fn words(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: Value) -> Check {
        let mut all =
            json!({"uuid": "4c1e8c5e-3f0f-4f6a-9c5e-0d6f8f6f1a2b", "grace": 60, "timeout": 3600});
        if let (Value::Object(all), Value::Object(fields)) = (&mut all, fields) {
            all.extend(fields);
        }
        Check::deserialize(all).unwrap()
    }

    #[test]
    fn every_kind_of_schedule_has_its_form() {
        let schedule = |fields| check(fields).schedule();
        assert_eq!(schedule(json!({})), Some(json!({"every": 3600})));
        assert_eq!(
            schedule(json!({"timeout": null, "schedule": "0 3 * * *", "tz": "Europe/Riga"})),
            Some(json!({"cron": "0 3 * * *", "timezone": "Europe/Riga"}))
        );
        assert_eq!(
            schedule(json!({"timeout": null, "schedule": "Mon 12:00\ndaily"})),
            Some(json!({"calendar": "Mon 12:00\ndaily", "timezone": "UTC"}))
        );
        assert_eq!(schedule(json!({"timeout": null})), None);
    }

    #[test]
    fn words_are_taken_with_their_places() {
        let keywords = |fields| check(fields).words.keywords();
        assert_eq!(keywords(json!({})), Value::Null);
        assert_eq!(
            keywords(
                json!({"success_kw": "done, ok", "failure_kw": "", "filter_http_body": true,
                "filter_subject": false, "filter_default_fail": true, "subject": "", "subject_fail": ""})
            ),
            json!({"start": [], "success": ["done", " ok"], "failure": [], "in": ["body"], "otherwise": "fail"})
        );
        // An old server knows words for subjects alone.
        assert_eq!(
            keywords(json!({"subject": "OK", "subject_fail": "ERROR"})),
            json!({"start": [], "success": ["OK"], "failure": ["ERROR"], "in": ["mail_subject"],
                "otherwise": "ignore"})
        );
    }

    #[test]
    fn a_key_that_is_shown_no_ids_is_not_enough() {
        assert!(readable(&[json!({"uuid": "x"})]).is_ok());
        let failure = readable(&[json!({"unique_key": "x"})]).unwrap_err();
        assert!(failure.hints[0].contains("read-write key"));
    }
}
