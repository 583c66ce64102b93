//! Writes what is there as a file that says the same.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::present::{MASK, Present, PresentChannel, PresentHeartbeat};
use super::wanted::usual;

/// What of the secrets a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// None.
    LeftOut,
    /// The ids of heartbeats: who has them may signal. The API shows no other ones.
    Ids,
}

/// The fields of a heartbeat, as people read them. What is not among them comes after.
const ORDER: [&str; 14] = [
    "grace",
    "max_run_time",
    "tags",
    "channels",
    "rules",
    "warning_codes",
    "failure_threshold",
    "recovery_threshold",
    "repeat_after",
    "manual_resume",
    "remind_never_started",
    "post_only",
    "description",
    "keywords",
];

/// Fields that are durations.
const SPANS: [&str; 3] = ["grace", "max_run_time", "repeat_after"];

/// The project as a file: channels by their names, heartbeats by their slugs, windows that are not over at `now`
/// by their time. The same project is always the same file.
pub(crate) fn write(present: &Present, secrets: Secrets, now: Timestamp) -> String {
    let mut file = String::new();
    file += "[project]\n";
    line(&mut file, "name", &json!(present.name));
    if let Some(name) = &present.fallback {
        line(&mut file, "fallback_channel", &json!(name));
    }
    let mut channels: Vec<&PresentChannel> = present.channels.iter().collect();
    channels.sort_by(|a, b| a.name.cmp(&b.name));
    for channel in channels {
        write_channel(&mut file, channel, present);
    }
    let mut heartbeats: Vec<&PresentHeartbeat> = present.heartbeats.iter().collect();
    heartbeats.sort_by(|a, b| a.slug.cmp(&b.slug));
    for heartbeat in heartbeats {
        write_heartbeat(&mut file, heartbeat, secrets);
    }
    let mut windows: Vec<_> = present.windows.iter().collect();
    windows.sort_by(|a, b| (a.from, a.to, &a.note).cmp(&(b.from, b.to, &b.note)));
    for window in windows.iter().filter(|window| window.to > now) {
        // Times stand without quotes.
        let _ = writeln!(
            file,
            "\n[[maintenance]]\nfrom = {}\nto = {}",
            window.from, window.to
        );
        if !window.note.is_empty() {
            line(&mut file, "note", &json!(window.note));
        }
    }
    file
}

fn write_channel(file: &mut String, channel: &PresentChannel, present: &Present) {
    let _ = writeln!(file, "\n[channels.{}]", name(&channel.name));
    line(file, "kind", &json!(channel.kind));
    let usual = |setting: &str| {
        let field = present.field(&channel.kind, setting)?;
        field.default.as_ref()
    };
    let mut settings = String::new();
    for (setting, value) in &channel.settings {
        if value == MASK {
            let setting = name(setting);
            let _ = writeln!(settings, "# {setting} is a secret, and left alone");
        } else if usual(setting) != Some(value) {
            line(&mut settings, setting, &json!(value));
        }
    }
    if !settings.is_empty() {
        let _ = write!(
            file,
            "[channels.{}.settings]\n{settings}",
            name(&channel.name)
        );
    }
}

fn write_heartbeat(file: &mut String, heartbeat: &PresentHeartbeat, secrets: Secrets) {
    let _ = writeln!(file, "\n[heartbeats.{}]", name(&heartbeat.slug));
    if heartbeat.problem.is_some() {
        *file += "# The server cannot read all of it: what it cannot is written as usual here.\n";
    }
    if let Some(id) = heartbeat.id.as_ref().filter(|_| secrets == Secrets::Ids) {
        line(file, "id", &json!(id));
    }
    let fields = &heartbeat.fields;
    if let Some(name) = fields.get("name").filter(|name| **name != *heartbeat.slug) {
        line(file, "name", name);
    }
    write_schedule(file, fields.get("schedule").unwrap_or(&Value::Null));
    if heartbeat.paused {
        *file += "paused = true\n";
    }
    let others = usual().keys().map(String::as_str);
    let others = others.filter(|name| *name != "schedule" && !ORDER.contains(name));
    let (tables, lines): (Vec<&str>, Vec<&str>) = others
        .chain(ORDER)
        .partition(|name| fields.get(*name).is_some_and(Value::is_object));
    for field in lines {
        let value = fields.get(field).unwrap_or(&Value::Null);
        // The grace is said in any case: who reads the file should not have to know what is usual.
        if field == "grace" || value != usual().get(field).unwrap_or(&Value::Null) {
            line(file, field, &readable(field, value));
        }
    }
    for field in tables {
        if let Some(Value::Object(table)) = fields.get(field) {
            let slug = name(&heartbeat.slug);
            let _ = writeln!(file, "[heartbeats.{slug}.{}]", name(field));
            write_table(file, table);
        }
    }
}

fn write_table(file: &mut String, table: &Map<String, Value>) {
    for (field, value) in table {
        // An empty list of words says nothing.
        if *value != json!([]) || field == "in" {
            line(file, field, value);
        }
    }
}

fn write_schedule(file: &mut String, schedule: &Value) {
    match schedule["every"].as_u64() {
        Some(seconds) => line(file, "every", &json!(span(seconds))),
        None => {
            for field in ["cron", "calendar", "timezone"] {
                if let Some(value) = schedule.get(field) {
                    line(file, field, value);
                }
            }
        }
    }
}

/// A value as a person would write it.
fn readable(field: &str, value: &Value) -> Value {
    match value.as_u64().filter(|_| SPANS.contains(&field)) {
        Some(seconds) => json!(span(seconds)),
        None => value.clone(),
    }
}

/// A duration as it is read: `90m`, `1d`, `1h5s`.
fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    /// Up to this many of one unit stay in that unit: `90m`, not `1h30m`.
    const ONE_UNIT_MAX: u64 = 100;
    let one = UNITS.iter().find(|(length, name)| {
        let few = *name == "d" || seconds / length < ONE_UNIT_MAX;
        seconds >= *length && seconds.is_multiple_of(*length) && few
    });
    if let Some((length, name)) = one {
        return format!("{}{name}", seconds / length);
    }
    let mut rest = seconds;
    let mut text = String::new();
    for (length, name) in UNITS {
        if rest >= length {
            let _ = write!(text, "{}{name}", rest / length);
            rest %= length;
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

fn line(file: &mut String, field: &str, value: &Value) {
    let _ = writeln!(file, "{} = {}", name(field), toml(value));
}

/// A name, in quotes where it needs them.
fn name(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.chars().all(bare) {
        return text.to_owned();
    }
    quoted(text)
}

/// A JSON value as TOML. There is no null: what may be empty is left out before.
fn toml(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\n') => lines(text),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| match item {
                    Value::String(text) => quoted(text),
                    item => toml(item),
                })
                .collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(table) => {
            let entries = table.iter();
            let entries: Vec<String> = entries
                .map(|(field, value)| format!("{} = {}", name(field), toml(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    text.chars().for_each(|c| escape(c, &mut quoted));
    quoted + "\""
}

/// A text of several lines.
fn lines(text: &str) -> String {
    let mut quoted = String::from("\"\"\"\n");
    for c in text.chars() {
        match c {
            '\n' => quoted.push('\n'),
            c => escape(c, &mut quoted),
        }
    }
    quoted + "\"\"\""
}

fn escape(c: char, text: &mut String) {
    match c {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\t' => text.push_str("\\t"),
        '\r' => text.push_str("\\r"),
        c if c.is_control() => {
            let _ = write!(text, "\\u{:04X}", u32::from(c));
        }
        c => text.push(c),
    }
}

#[cfg(test)]
mod tests {
    use nightbeat_agent::duration;

    use super::*;

    #[test]
    fn every_text_is_read_as_it_was_written() {
        for text in [
            "",
            "a",
            "it's \"so\"",
            "back\\slash",
            "two\nlines",
            "\n\n\"\"\"\n",
            "tab\there\r\n",
            "日本 \u{85}\u{7f}",
            "ends with quote\n\"",
            "\\\n\\n",
        ] {
            let file = format!("{} = {}", name(text), toml(&json!(text)));
            let read: toml::Table = toml::from_str(&file).unwrap();
            assert_eq!(read[text].as_str(), Some(text), "{file}");
            let list = format!("x = {}", toml(&json!([text, {"a": text}])));
            let read: toml::Table = toml::from_str(&list).unwrap();
            assert_eq!(read["x"][0].as_str(), Some(text), "{list}");
            assert_eq!(read["x"][1]["a"].as_str(), Some(text), "{list}");
        }
    }

    #[test]
    fn every_duration_is_read_as_it_was_written() {
        for (seconds, text) in [
            (1, "1s"),
            (90, "90s"),
            (100, "1m40s"),
            (3_600, "1h"),
            (5_400, "90m"),
            (86_400, "1d"),
            (90_061, "1d1h1m1s"),
            (31_536_000, "365d"),
        ] {
            assert_eq!(span(seconds), text);
            assert_eq!(duration::parse(text).unwrap().as_secs(), seconds);
        }
    }
}
