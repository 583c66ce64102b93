//! Reads what is wanted from a TOML file: all of it is looked at before anything is said.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use nightbeat_agent::duration;
use nightbeat_server::api::{channel_name, project_name};
use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};
use uuid::Uuid;

use super::source::{Entry, Problems, Section};
use super::wanted::{
    Named, Setting, Wanted, WantedChannel, WantedHeartbeat, WantedProject, WantedWindow, settable,
    usual,
};
use crate::exit::Failure;

/// The largest file that holds a secret, in bytes: a channel's setting is not longer.
const SECRET_BYTES_MAX: usize = 16_384;

/// What a file may hold.
const TABLES: [&str; 4] = ["project", "channels", "heartbeats", "maintenance"];
/// What a heartbeat may hold besides the fields of the API.
const SCHEDULE: [&str; 4] = ["every", "cron", "calendar", "timezone"];
/// Fields that are durations.
const SPANS: [&str; 3] = ["grace", "max_run_time", "repeat_after"];

/// What to do with a secret that cannot be had here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// It is a mistake.
    Refused,
    /// It is left alone: nothing is to be changed now.
    Passed,
}

/// What a file says.
#[derive(Debug)]
pub(crate) struct File {
    /// What is wanted.
    pub(crate) wanted: Wanted,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
}

struct Reader<'p, 'f> {
    problems: &'p mut Problems<'f>,
    folder: &'p Path,
    unknown: Unknown,
    notes: Vec<String>,
}

impl File {
    /// Reads a file. Files of secrets are looked for from `folder` on.
    pub(crate) fn read(
        text: &str,
        folder: &Path,
        unknown: Unknown,
        problems: &mut Problems<'_>,
    ) -> Result<Self, Failure> {
        let document = match DeTable::parse(text) {
            Ok(document) => document,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                problems.add(at, format!("this is not TOML: {}", error.message()));
                problems.finish()?;
                return Err(Failure::config("this is not TOML"));
            }
        };
        let mut reader = Reader {
            problems,
            folder,
            unknown,
            notes: Vec::new(),
        };
        let wanted = reader.wanted(&Section::new(document.get_ref(), 0));
        let notes = reader.notes;
        Ok(Self { wanted, notes })
    }
}

impl Reader<'_, '_> {
    fn wanted(&mut self, top: &Section<'_>) -> Wanted {
        top.know(&TABLES, self.problems);
        let project = top.section("project", self.problems);
        let channels = top.section("channels", self.problems);
        let heartbeats = top.section("heartbeats", self.problems);
        Wanted {
            project: project.map(|it| self.project(&it)).unwrap_or_default(),
            channels: channels.map(|all| {
                let all = all.iter();
                all.filter_map(|(name, entry)| self.channel(name, entry))
                    .collect()
            }),
            heartbeats: heartbeats.map(|all| {
                let all = all.iter();
                all.filter_map(|(slug, entry)| self.heartbeat(slug, entry))
                    .collect()
            }),
            windows: top.get("maintenance").map(|entry| self.windows(entry)),
        }
    }

    fn project(&mut self, section: &Section<'_>) -> WantedProject {
        section.know(&["name", "fallback_channel"], self.problems);
        let fallback = section.text("fallback_channel", self.problems);
        let name = section.text("name", self.problems);
        if let Some(Err(error)) = name.as_deref().map(project_name) {
            let problem = format!("name: {}", error.problem);
            self.problems.add(section.at("name"), problem);
        }
        WantedProject {
            name,
            fallback: fallback.map(|name| (name, section.at("fallback_channel"))),
        }
    }

    fn channel(&mut self, name: &str, entry: Entry<'_>) -> Option<WantedChannel> {
        let section = entry.section(&format!("channels.{name}"), self.problems)?;
        section.know(&["kind", "settings"], self.problems);
        if let Err(error) = channel_name(name) {
            let problem = format!("the name of this channel {}", error.problem);
            self.problems.add(section.at, problem);
        }
        let kind = section.text("kind", self.problems);
        if kind.is_none() && section.get("kind").is_none() {
            let problem = format!("channel {name} has no kind, such as \"email\" or \"webhook\"");
            self.problems.add(section.at, problem);
        }
        let settings = section.section("settings", self.problems);
        let settings = settings.iter().flat_map(Section::iter);
        let settings: BTreeMap<String, Setting> = settings
            .filter_map(|(name, entry)| Some((name.to_owned(), self.setting(name, entry)?)))
            .collect();
        Some(WantedChannel {
            name: name.to_owned(),
            kind: kind?,
            settings,
            at: section.at,
        })
    }

    /// A text; or a table that says where it is to be had.
    fn setting(&mut self, name: &str, entry: Entry<'_>) -> Option<Setting> {
        let setting = |value, hidden| {
            Some(Setting {
                value,
                hidden,
                at: entry.at,
            })
        };
        match entry.value {
            DeValue::String(text) => setting(Some(text.clone().into_owned()), false),
            DeValue::Table(_) => {
                let section = entry.section(name, self.problems)?;
                section.know(&["env", "file"], self.problems);
                match self.elsewhere(&section)? {
                    Ok(value) => setting(Some(value), true),
                    Err(why) if self.unknown == Unknown::Passed => {
                        let place = self.problems.place(entry.at);
                        self.notes
                            .push(format!("{place}: {why}, so `{name}` is not compared"));
                        setting(None, true)
                    }
                    Err(why) => {
                        self.problems.add(entry.at, format!("{name}: {why}"));
                        None
                    }
                }
            }
            _ => {
                let problem = format!(
                    "{name} is to be a text in quotes, {{ env = \"VARIABLE\" }} or {{ file = \"PATH\" }}"
                );
                self.problems.add(entry.at, problem);
                None
            }
        }
    }

    /// A value from the environment or from a file of its own; or why there is none.
    fn elsewhere(&mut self, section: &Section<'_>) -> Option<Result<String, String>> {
        let variable = section.text("env", self.problems);
        let file = section.text("file", self.problems);
        match (variable, file) {
            (Some(name), None) => Some(match std::env::var(&name) {
                Ok(value) if !value.is_empty() => Ok(value),
                _ => Err(format!("the variable {name} is not set")),
            }),
            (None, Some(path)) => Some(secret_in(&self.folder.join(&path))),
            _ => {
                let problem =
                    "say where the value is: { env = \"VARIABLE\" } or { file = \"PATH\" }";
                self.problems.add(section.at, problem);
                None
            }
        }
    }

    fn heartbeat(&mut self, slug: &str, entry: Entry<'_>) -> Option<WantedHeartbeat> {
        let section = entry.section(&format!("heartbeats.{slug}"), self.problems)?;
        let known: Vec<&str> = ["id", "name", "paused"]
            .into_iter()
            .chain(SCHEDULE)
            .chain(usual().keys().map(String::as_str))
            .filter(|name| *name != "schedule")
            .collect();
        section.know(&known, self.problems);
        let id = section.text("id", self.problems);
        let paused = self.flag(&section, "paused");
        let channels = self.channels(&section);
        let fields = self.fields(slug, &section, id.as_deref());
        let mut all = match settable(fields) {
            Ok(all) => all,
            Err(error) => {
                self.refused(slug, &section, error.field.as_deref(), &error.problem);
                return None;
            }
        };
        all.insert("channels".to_owned(), channels?);
        Some(WantedHeartbeat {
            slug: Some(slug.to_owned()),
            id: id.and_then(|id| Uuid::try_parse(&id).ok()),
            paused: paused?,
            fields: all,
            when_new: Map::new(),
            at: section.at,
        })
    }

    /// What is said, as the API takes it.
    fn fields(
        &mut self,
        slug: &str,
        section: &Section<'_>,
        id: Option<&str>,
    ) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut set = |name: &str, value| drop(fields.insert(name.to_owned(), value));
        set("slug", json!(slug));
        set("name", json!(slug));
        if let Some(id) = id {
            set("id", json!(id));
        }
        for (name, entry) in section.iter() {
            match name {
                "id" | "paused" | "channels" => {}
                name if SCHEDULE.contains(&name) => {}
                name if SPANS.contains(&name) => {
                    if let Some(seconds) = self.seconds(name, entry) {
                        set(name, seconds);
                    }
                }
                name if name == "name" || usual().contains_key(name) => set(name, entry.json()),
                _unknown => {}
            }
        }
        if let Some(schedule) = self.schedule(section) {
            set("schedule", schedule);
        }
        fields
    }

    fn schedule(&mut self, section: &Section<'_>) -> Option<Value> {
        let mut schedule = Map::new();
        for name in SCHEDULE {
            let Some(entry) = section.get(name) else {
                continue;
            };
            let value = match (name, entry.value) {
                ("every", _) => self.seconds(name, entry)?,
                // Several events may be a list, too.
                ("calendar", DeValue::Array(events)) => {
                    let events: Option<Vec<&str>> = events
                        .iter()
                        .map(|event| event.get_ref().as_str())
                        .collect();
                    match events {
                        Some(events) => json!(events.join("\n")),
                        None => entry.json(),
                    }
                }
                _ => entry.json(),
            };
            schedule.insert(name.to_owned(), value);
        }
        (!schedule.is_empty()).then_some(Value::Object(schedule))
    }

    /// A duration as seconds: `"90m"`, or a number of seconds.
    fn seconds(&mut self, name: &str, entry: Entry<'_>) -> Option<Value> {
        let DeValue::String(text) = entry.value else {
            return Some(entry.json());
        };
        match duration::parse(text) {
            Ok(span) => Some(json!(span.as_secs())),
            Err(error) => {
                self.problems.add(entry.at, format!("{name}: {error}"));
                None
            }
        }
    }

    /// `"all"`, or the names of some.
    fn channels(&mut self, section: &Section<'_>) -> Option<Value> {
        let Some(entry) = section.get("channels") else {
            return Some(json!("all"));
        };
        let names = match entry.value {
            DeValue::String(text) if text == "all" => return Some(json!("all")),
            DeValue::Array(names) => names
                .iter()
                .map(|name| name.get_ref().as_str().map(str::to_owned))
                .collect::<Option<Vec<String>>>(),
            _ => None,
        };
        if names.is_none() {
            let problem = "channels is to be \"all\", or a list of names: [\"ops\"]";
            self.problems.add(entry.at, problem);
        }
        names.map(Named::list)
    }

    /// `true` or `false`, where it is said.
    #[expect(
        clippy::option_option,
        reason = "wrong, not said, and said are three things"
    )]
    fn flag(&mut self, section: &Section<'_>, name: &str) -> Option<Option<bool>> {
        let Some(entry) = section.get(name) else {
            return Some(None);
        };
        let flag = entry.value.as_bool();
        if flag.is_none() {
            self.problems
                .add(entry.at, format!("{name} is to be true or false"));
        }
        flag.map(Some)
    }

    /// The API would refuse a field: it is told where that stands.
    fn refused(&mut self, slug: &str, section: &Section<'_>, field: Option<&str>, problem: &str) {
        let name = field.and_then(|field| field.split(['.', '[']).next());
        let at = match name {
            Some("schedule") => {
                let said = SCHEDULE.iter().filter_map(|name| section.get(name));
                said.map(|entry| entry.at).min().unwrap_or(section.at)
            }
            Some("slug") => {
                let problem = format!("heartbeats.{slug}: {problem}");
                return self.problems.add(section.at, problem);
            }
            Some(name) => section.at(name),
            None => section.at,
        };
        let problem = match field {
            Some(field) => format!("{field}: {problem}"),
            None => problem.to_owned(),
        };
        self.problems.add(at, problem);
    }

    fn windows(&mut self, entry: Entry<'_>) -> Vec<WantedWindow> {
        let DeValue::Array(items) = entry.value else {
            let problem = "maintenance is to be a list of tables: [[maintenance]]";
            self.problems.add(entry.at, problem);
            return Vec::new();
        };
        let windows = items.iter().filter_map(|item| {
            let at = item.span().start;
            let entry = Entry {
                value: item.get_ref(),
                at,
            };
            let section = entry.section("maintenance", self.problems)?;
            section.know(&["from", "to", "note"], self.problems);
            let note = section.text("note", self.problems).unwrap_or_default();
            let (from, to) = (self.time(&section, "from"), self.time(&section, "to"));
            let window = WantedWindow {
                from: from?,
                to: to?,
                note,
                at,
            };
            if window.to <= window.from {
                self.problems
                    .add(section.at("to"), "to: is not later than `from`");
            }
            Some(window)
        });
        windows.collect()
    }

    /// A time with its offset, in quotes or without.
    fn time(&mut self, section: &Section<'_>, name: &str) -> Option<Timestamp> {
        let value = section.get(name).map(|entry| entry.json());
        let text = value.as_ref().and_then(Value::as_str);
        let time = text.and_then(|text| text.parse().ok());
        if time.is_none() {
            let problem =
                format!("{name} is to be a time with its offset, such as 2026-11-22T03:00:00Z");
            self.problems.add(section.at(name), problem);
        }
        time
    }
}

/// The text of a file that holds nothing but a secret; the line break at its end is none of it.
fn secret_in(path: &Path) -> Result<String, String> {
    let bad = |why: String| format!("cannot read {}: {why}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    if text.len() > SECRET_BYTES_MAX {
        return Err(bad(format!("it is longer than {SECRET_BYTES_MAX} bytes")));
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(bad("it is empty".to_owned()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
