//! What may be set on a heartbeat, for whoever writes it into files: the API's own reading of it, before anything
//! is sent.

use nightbeat_domain::Settings;
use nightbeat_store::control::heartbeats::Details;
pub use nightbeat_store::control::{is_slug, slugify};
use serde_json::{Map, Value, json};

use super::heartbeats::usual_settings;
use super::input;
use super::problem::Problem;
use super::shapes::{Channels, Keywords, NewHeartbeat, Schedule};
use super::text::{NAME_CHARS_MAX, line};
use crate::accounts::PROJECT_CHARS_MAX;

/// Why the API would not take some fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSettable {
    /// The field that is wrong, by its name in the API; the first of several.
    pub field: Option<String>,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// All that may be set on a heartbeat, as the API shows it after it was created with the `fields` of a `POST`:
/// what is not among them has its usual value, and all is written in the one way in which it is kept. An empty
/// `slug` is one that the server makes of the name. Whether a slug or an id is free and which channels there are
/// is not looked at.
pub fn settable(fields: Value) -> Result<Map<String, Value>, NotSettable> {
    let new: NewHeartbeat = input::object(fields).map_err(not_settable)?;
    new.id().map_err(not_settable)?;
    let NewHeartbeat(asked) = new;
    let details = asked.new_details().map_err(not_settable)?;
    let usual = usual_settings().map_err(not_settable)?;
    let settings = asked.settings(&usual).map_err(not_settable)?;
    Ok(shown(&details, &settings))
}

/// Whether a channel may be called so: one line, without white space around it.
pub fn channel_name(name: &str) -> Result<(), NotSettable> {
    named(name, NAME_CHARS_MAX)
}

/// Whether a project may be called so.
pub fn project_name(name: &str) -> Result<(), NotSettable> {
    named(name, PROJECT_CHARS_MAX)
}

fn named(name: &str, chars_max: usize) -> Result<(), NotSettable> {
    let kept = line("name", name, chars_max).map_err(not_settable)?;
    if kept == name {
        return Ok(());
    }
    Err(NotSettable {
        field: Some("name".to_owned()),
        problem: "has white space around it".to_owned(),
    })
}

fn shown(details: &Details, settings: &Settings) -> Map<String, Value> {
    let fields = json!({
        "name": details.name,
        "slug": details.slug,
        "description": details.description,
        "tags": details.tags,
        "schedule": Schedule(settings.schedule.clone()),
        "grace": settings.grace.as_secs(),
        "max_run_time": settings.max_run_time.map(|span| span.as_secs()),
        "failure_threshold": settings.failure_threshold,
        "recovery_threshold": settings.recovery_threshold,
        "warning_codes": settings.warning_codes,
        "manual_resume": settings.manual_resume,
        "remind_never_started": settings.remind_never_started,
        "repeat_after": settings.repeat_after.map(|span| span.as_secs()),
        "post_only": settings.post_only,
        "rules": settings.rules,
        "keywords": settings.keywords.as_deref().map(Keywords::from),
        "channels": Channels::from(&details.channels),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn not_settable(problem: Problem) -> NotSettable {
    let told = problem.told();
    NotSettable {
        field: told.field,
        problem: told.detail,
    }
}
