//! Uptime Kuma's backup in JSON: its push monitors wait for signals, all others probe.

use std::collections::BTreeMap;

use nightbeat_server::api::slugify;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::routing::{Targets, channels};
use super::{Found, NewUrl, Row, Slugs};
use crate::code::{Present, WantedHeartbeat};

/// The shortest grace where there were no retries: a job that signals exactly as often as it should would be late
/// by its own running time. Never longer than the interval.
const GRACE_SECONDS_MIN: u64 = 60;

/// A monitor. Numbers may stand as texts, and switches as numbers: it depends on the version.
#[derive(Debug, Deserialize)]
struct Monitor {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    interval: Value,
    #[serde(default, rename = "retryInterval")]
    retry_interval: Value,
    #[serde(default)]
    maxretries: Value,
    #[serde(default, rename = "resendInterval")]
    resend_interval: Value,
    #[serde(default)]
    active: Value,
    #[serde(default, rename = "upsideDown")]
    upside_down: Value,
    #[serde(default, rename = "pushToken")]
    push_token: Option<String>,
    #[serde(default)]
    parent: Value,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default, rename = "notificationIDList")]
    notifications: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Tag {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: Option<String>,
}

/// Where its alerts go, by id: name and kind.
type Notifications = BTreeMap<String, (String, String)>;

/// All monitors of a backup.
pub(crate) fn read(text: &str, present: &Present) -> Result<Found, String> {
    let backup: Value =
        serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))?;
    let monitors = list(&backup, "monitorList").ok_or(
        "there is no monitorList in it: this is no backup of Uptime Kuma (Settings, Backup, Export)",
    )?;
    let notifications = notifications(&backup);
    let groups: BTreeMap<String, String> = monitors
        .iter()
        .filter(|monitor| monitor["type"] == "group")
        .filter_map(|group| Some((key(&group["id"])?, group["name"].as_str()?.to_owned())))
        .collect();
    let mut found = Found {
        new_url: Some(NewUrl::Push),
        ..Found::default()
    };
    let mut slugs = Slugs::default();
    for value in monitors {
        let row = match Monitor::deserialize(value) {
            Ok(monitor) => {
                let sources = (&notifications, &groups);
                monitor.row(sources, present, &mut slugs, &mut found)
            }
            Err(error) => {
                let name = value["name"].as_str().unwrap_or_default();
                Row::left(name, format!("it is not understood: {error}"))
            }
        };
        found.rows.push(row);
    }
    Ok(found)
}

/// A list in the backup. Old versions wrote an object by id; other tools write the list alone.
fn list<'v>(backup: &'v Value, name: &str) -> Option<Vec<&'v Value>> {
    match (backup, backup.get(name)) {
        (Value::Array(items), _) | (_, Some(Value::Array(items))) => Some(items.iter().collect()),
        (_, Some(Value::Object(by_id))) => {
            let mut items: Vec<&Value> = by_id.values().collect();
            items.sort_by_key(|item| item["id"].as_u64());
            Some(items)
        }
        _ => None,
    }
}

fn notifications(backup: &Value) -> Notifications {
    let all = match backup.get("notificationList") {
        Some(_) => list(backup, "notificationList").unwrap_or_default(),
        None => Vec::new(),
    };
    let named = all.into_iter().filter_map(|notification| {
        let name = notification["name"].as_str()?.to_owned();
        // What it needs stands as JSON in a text.
        let config = notification["config"].as_str().unwrap_or("{}");
        let config: Value = serde_json::from_str(config).unwrap_or_default();
        let kind = config["type"].as_str().or(notification["type"].as_str());
        let kind = kind.unwrap_or("unknown").to_owned();
        Some((key(&notification["id"])?, (name, kind)))
    });
    named.collect()
}

/// An id, which may be a number or a text.
fn key(id: &Value) -> Option<String> {
    match id {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn is_on(value: &Value) -> bool {
    *value == json!(true) || number(value).is_some_and(|number| number > 0)
}

impl Monitor {
    fn row(
        self,
        (notifications, groups): (&Notifications, &BTreeMap<String, String>),
        present: &Present,
        slugs: &mut Slugs,
        found: &mut Found,
    ) -> Row {
        match self.kind.as_str() {
            "push" => {}
            "group" => return Row::other(self.name, "a group: a tag of what is in it"),
            kind => {
                let why = format!("it probes ({kind}): Nightbeat waits for signals");
                return Row::other(self.name, why);
            }
        }
        if is_on(&self.upside_down) {
            let why = "it is upside down: a push means trouble, which cannot be said here";
            return Row::left(self.name, why);
        }
        let Some(interval) = number(&self.interval) else {
            return Row::left(self.name, "it has no interval");
        };
        let mut notes = Vec::new();
        let grace = self.grace(interval, &mut notes);
        let (slug, own) = slugs.give(&slugify(&self.name));
        if !own {
            notes.push("another has the same name".to_owned());
        }
        let id = self.id(&mut notes);
        let targets = self.targets(notifications);
        let routed = channels(&targets, present, &mut found.missing, &mut notes);
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        set("name", json!(self.name));
        set("schedule", json!({"every": interval}));
        set("grace", json!(grace));
        set("tags", json!(self.all_tags(groups)));
        set("channels", routed);
        set(
            "description",
            json!(self.description.as_deref().unwrap_or_default()),
        );
        let resend = number(&self.resend_interval).filter(|times| *times > 0);
        set(
            "repeat_after",
            json!(resend.map(|times| times.saturating_mul(interval))),
        );
        let mut when_new = Map::new();
        if !(self.active.is_null() || is_on(&self.active)) {
            when_new.insert("paused".to_owned(), json!(true));
        }
        let wanted = WantedHeartbeat {
            slug: Some(slug),
            id,
            fields,
            when_new,
            ..WantedHeartbeat::default()
        };
        Row::new(wanted, notes)
    }

    /// After the interval it tries so many times more, each after so long, before it is down.
    fn grace(&self, interval: u64, notes: &mut Vec<String>) -> u64 {
        let retries = number(&self.maxretries).unwrap_or(0);
        let every = number(&self.retry_interval).filter(|seconds| *seconds > 0);
        let grace = retries.saturating_mul(every.unwrap_or(interval));
        let least = GRACE_SECONDS_MIN.min(interval);
        if grace < least {
            notes.push("hardly a retry there: the shortest grace".to_owned());
        }
        grace.max(least)
    }

    /// Its token, where that could be the id of a heartbeat: then its URL stays.
    fn id(&self, notes: &mut Vec<String>) -> Option<Uuid> {
        let token = self.push_token.as_deref().unwrap_or_default();
        let id = Uuid::try_parse(token).ok();
        let id = id.filter(|id| id.get_version_num() == 4);
        if id.is_none() {
            notes.push("new push URL".to_owned());
        }
        id
    }

    fn all_tags(&self, groups: &BTreeMap<String, String>) -> Vec<String> {
        let tags = self.tags.iter().map(|tag| match tag.value.as_deref() {
            None | Some("") => tag.name.clone(),
            Some(value) => format!("{}:{value}", tag.name),
        });
        let group = key(&self.parent).and_then(|id| groups.get(&id).cloned());
        let all = tags.chain(group);
        all.filter(|tag| !tag.trim().is_empty()).collect()
    }

    fn targets(&self, notifications: &Notifications) -> Targets {
        let chosen = self.notifications.iter().flatten();
        let chosen = chosen.filter(|(_, on)| is_on(on));
        let named = chosen.map(|(id, _)| {
            let known = notifications.get(id).cloned();
            known.unwrap_or_else(|| (String::new(), format!("notification {id}")))
        });
        Targets(named.collect())
    }
}
