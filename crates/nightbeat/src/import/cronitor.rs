//! Cronitor's YAML: its jobs and heartbeats wait for signals, its checks and sites probe.

use nightbeat_server::api::{is_slug, slugify};
use serde_json::{Map, Value, json};

use super::routing::{Targets, channels};
use super::{Found, Row, Slugs};
use crate::code::{Present, WantedHeartbeat};
use crate::render::clean;

/// Cronitor's grace for a job of which nothing is said.
const JOB_GRACE_SECONDS: u64 = 60;
/// The shortest grace here where there is none there, and never longer than the interval.
const GRACE_SECONDS_MIN: u64 = 60;
/// Cronitor lets a job run for any time; one that runs into the next day hangs.
const RUN_SECONDS_MAX: u64 = 86_400;

/// What may stand at the top, and is nothing to take over.
const SETTINGS: [&str; 6] = [
    "api_key",
    "api_version",
    "environment",
    "async",
    "webhook_url",
    "version",
];

/// What is said of a monitor and is known here: all else is told.
const KNOWN: [&str; 17] = [
    "assertions",
    "failure_tolerance",
    "grace_seconds",
    "group",
    "key",
    "name",
    "note",
    "notify",
    "paused",
    "platform",
    "realert_interval",
    "schedule",
    "schedule_tolerance",
    "schedules",
    "tags",
    "timezone",
    "type",
];

/// A monitor.
struct Monitor<'v> {
    key: String,
    kind: &'v str,
    said: &'v Map<String, Value>,
}

/// All monitors of a file.
pub(crate) fn read(text: &str, present: &Present) -> Result<Found, String> {
    let file: Value =
        serde_saphyr::from_str(text).map_err(|error| format!("this is not YAML: {error}"))?;
    let Value::Object(file) = &file else {
        return Err("there are no jobs in it: this is none of Cronitor's files".to_owned());
    };
    let mut found = Found::default();
    let mut slugs = Slugs::default();
    for (name, monitors) in file {
        let kind = name.strip_suffix('s').unwrap_or(name);
        for (key, said) in each(monitors) {
            let row = match (name.as_str(), said) {
                ("checks" | "sites", _) => probe(&key, kind),
                ("jobs" | "heartbeats" | "events" | "monitors", Value::Object(said)) => {
                    let kind = said.get("type").and_then(Value::as_str).unwrap_or(kind);
                    let monitor = Monitor { key, kind, said };
                    monitor.row(present, &mut slugs, &mut found)
                }
                ("jobs" | "heartbeats" | "events" | "monitors", Value::Null) => {
                    Row::left(key, "nothing is said about it")
                }
                (other, _) if SETTINGS.contains(&other) => continue,
                (other, _) => Row::left(key, format!("`{}` is not known", clean(other))),
            };
            found.rows.push(row);
        }
    }
    Ok(found)
}

/// The monitors of one kind, by their keys; a list is as good as a table.
fn each(monitors: &Value) -> Vec<(String, &Value)> {
    match monitors {
        Value::Object(by_key) => by_key
            .iter()
            .map(|(key, said)| (key.clone(), said))
            .collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| (text(&item["key"]).unwrap_or_default(), item))
            .collect(),
        Value::Null => Vec::new(),
        one => vec![(String::new(), one)],
    }
}

fn probe(name: &str, kind: &str) -> Row {
    Row::other(
        name,
        format!("it probes ({kind}): Nightbeat waits for signals"),
    )
}

/// A text; a number may stand where one is meant.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
        Some(one) => text(one).into_iter().collect(),
        None => Vec::new(),
    }
}

impl Monitor<'_> {
    fn text(&self, name: &str) -> Option<String> {
        text(self.said.get(name)?).filter(|text| !text.is_empty())
    }

    fn number(&self, name: &str) -> Option<u64> {
        match self.said.get(name)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn row(self, present: &Present, slugs: &mut Slugs, found: &mut Found) -> Row {
        let name = self.text("name").unwrap_or_else(|| self.key.clone());
        if !matches!(self.kind, "job" | "heartbeat" | "event" | "monitor") {
            return probe(&name, self.kind);
        }
        let mut notes = Vec::new();
        let schedule = match self.schedule(&mut notes) {
            Ok(schedule) => schedule,
            Err(why) => return Row::left(name, why),
        };
        let wanted = if is_slug(&self.key) {
            self.key.clone()
        } else {
            slugify(&self.key)
        };
        let (slug, _) = slugs.give(&wanted);
        if slug != self.key {
            let key = clean(&self.key);
            notes.push(format!(
                "its telemetry URL ends with {slug} here, not {key}"
            ));
        }
        let routed = match self.targets() {
            Some(targets) => channels(&targets, present, &mut found.missing, &mut notes),
            None => json!("all"),
        };
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        set("name", json!(name));
        set("grace", json!(self.grace(&schedule)));
        set("tags", json!(self.tags()));
        set("description", json!(self.text("note").unwrap_or_default()));
        set("channels", routed);
        set("repeat_after", self.repeat_after(&mut notes));
        set("failure_threshold", json!(self.threshold(&mut notes)));
        let (longest, rules) = self.assertions(&mut notes);
        let longest = longest.unwrap_or_else(|| interval(&schedule).unwrap_or(RUN_SECONDS_MAX));
        set("max_run_time", json!(longest));
        set("rules", json!(rules));
        set("schedule", schedule);
        self.tell_rest(&mut notes);
        let mut when_new = Map::new();
        if self.said.get("paused") == Some(&json!(true)) {
            when_new.insert("paused".to_owned(), json!(true));
        }
        let wanted = WantedHeartbeat {
            slug: Some(slug),
            fields,
            when_new,
            ..WantedHeartbeat::default()
        };
        Row::new(wanted, notes)
    }

    fn schedule(&self, notes: &mut Vec<String>) -> Result<Value, String> {
        let several = texts(self.said.get("schedules"));
        let said = match self.text("schedule") {
            Some(one) => vec![one],
            None => several,
        };
        let zone = self.text("timezone");
        let schedule = match said.as_slice() {
            [] => return Err("it has no schedule: its silence means nothing".to_owned()),
            [one] => one_schedule(one, zone.as_deref())?,
            several => times(several, zone.as_deref())
                .ok_or("it has several schedules, and a heartbeat has one")?,
        };
        if zone.is_none() && schedule.get("timezone").is_some() {
            notes.push("no time zone is said: UTC".to_owned());
        }
        Ok(schedule)
    }

    fn grace(&self, schedule: &Value) -> u64 {
        let usual = match self.kind {
            "job" => JOB_GRACE_SECONDS,
            _ => 0,
        };
        let grace = self.number("grace_seconds").unwrap_or(usual);
        let least = interval(schedule).map_or(GRACE_SECONDS_MIN, |it| GRACE_SECONDS_MIN.min(it));
        grace.max(least)
    }

    fn tags(&self) -> Vec<String> {
        let mut tags = texts(self.said.get("tags"));
        tags.extend(self.text("group"));
        tags
    }

    /// Of two tolerances the smaller one counts: too loud is better than too quiet.
    fn threshold(&self, notes: &mut Vec<String>) -> u64 {
        let failures = self.number("failure_tolerance").unwrap_or(0);
        let misses = self.number("schedule_tolerance").unwrap_or(0);
        if failures != misses {
            notes.push(format!(
                "tolerates {failures} failures and {misses} misses there: here the smaller of both"
            ));
        }
        failures.min(misses) + 1
    }

    fn repeat_after(&self, notes: &mut Vec<String>) -> Value {
        let Some(text) = self.text("realert_interval") else {
            return Value::Null;
        };
        let spoken = text.strip_prefix("every ").unwrap_or(&text);
        if let Some(seconds) = seconds(spoken) {
            return json!(seconds);
        }
        notes.push(format!("realert_interval {} is not taken", clean(&text)));
        Value::Null
    }

    /// How long a run may last, and rules for the rest.
    fn assertions(&self, notes: &mut Vec<String>) -> (Option<u64>, Vec<String>) {
        let mut longest = None;
        let mut rules = Vec::new();
        for assertion in texts(self.said.get("assertions")) {
            match read_assertion(&assertion) {
                Some(Assertion::Longest(seconds)) => longest = Some(seconds),
                Some(Assertion::Rule(rule)) => rules.push(rule),
                None => notes.push(format!("not taken: {}", clean(&assertion))),
            }
        }
        (longest, rules)
    }

    /// Lists of people are there what channels are here. `None`: the usual one, which is all channels here.
    fn targets(&self) -> Option<Targets> {
        let notify = match self.said.get("notify") {
            Some(Value::Object(notify)) => notify.get("alerts"),
            other => other,
        };
        let names = texts(notify);
        if notify.is_none() || names == ["default"] {
            return None;
        }
        let targets = names.into_iter().map(|name| {
            let kind = name.split_once(':').map_or("list", |(kind, _)| kind);
            let kind = kind.to_owned();
            (name, kind)
        });
        Some(Targets(targets.collect()))
    }

    fn tell_rest(&self, notes: &mut Vec<String>) {
        let events = self
            .said
            .get("notify")
            .and_then(|notify| notify.get("events"));
        if events.is_some() {
            notes.push("not taken: notify.events".to_owned());
        }
        for name in self.said.keys() {
            if !KNOWN.contains(&name.as_str()) {
                notes.push(format!("not taken: {}", clean(name)));
            }
        }
    }
}

/// The interval of a schedule that is one.
fn interval(schedule: &Value) -> Option<u64> {
    schedule["every"].as_u64()
}

/// `0 2 * * *`, `every 10 minutes`, `at 14:30`.
fn one_schedule(text: &str, zone: Option<&str>) -> Result<Value, String> {
    if let Some(every) = text.strip_prefix("every ") {
        let every = seconds(every);
        return every
            .map(|every| json!({"every": every}))
            .ok_or_else(|| format!("its schedule {} is not understood", clean(text)));
    }
    if text.starts_with("at ") {
        return times(&[text.to_owned()], zone)
            .ok_or_else(|| format!("its schedule {} is not understood", clean(text)));
    }
    Ok(json!({"cron": text, "timezone": zone.unwrap_or("UTC")}))
}

/// Times of the day, as calendar events.
fn times(several: &[String], zone: Option<&str>) -> Option<Value> {
    let mut events = Vec::new();
    for text in several {
        let (hour, minute) = text.strip_prefix("at ")?.trim().split_once(':')?;
        let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
        if hour > 23 || minute > 59 {
            return None;
        }
        events.push(format!("*-*-* {hour:02}:{minute:02}:00"));
    }
    Some(json!({"calendar": events.join("\n"), "timezone": zone.unwrap_or("UTC")}))
}

/// `10 minutes`, `hour`, `15min`, `1.5 s`: whole seconds, and at least one.
fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = match number {
        "" => 1.0,
        number => number.parse().ok()?,
    };
    let length = match unit.trim() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    };
    let seconds = number * length;
    (number.is_finite() && seconds >= 1.0).then_some(seconds as u64)
}

#[derive(Debug, PartialEq, Eq)]
enum Assertion {
    /// A run lasts no longer, in seconds.
    Longest(u64),
    /// A rule of ours.
    Rule(String),
}

/// `metric.duration < 15min`, `metric.count > 0`; `None`: nothing of the kind.
fn read_assertion(text: &str) -> Option<Assertion> {
    let (metric, rest) = text.trim().strip_prefix("metric.")?.split_once(' ')?;
    let (sign, amount) = rest.trim().split_once(' ')?;
    let sign = match sign {
        "=" => "==",
        sign @ ("<" | "<=" | ">" | ">=" | "!=") => sign,
        _ => return None,
    };
    let amount = amount.trim();
    if metric == "duration" {
        let seconds = seconds(amount)?;
        return match sign {
            "<" | "<=" => Some(Assertion::Longest(seconds)),
            sign => Some(Assertion::Rule(format!("duration {sign} {seconds}s"))),
        };
    }
    let _is_number: f64 = amount.parse().ok()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let known = metric.chars().all(fits).then_some(metric)?;
    Some(Assertion::Rule(format!(
        "metric(\"{known}\") {sign} {amount}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_in_all_their_forms() {
        let one = |text| one_schedule(text, Some("Europe/Riga"));
        assert_eq!(one("every 10 minutes"), Ok(json!({"every": 600})));
        assert_eq!(one("every hour"), Ok(json!({"every": 3600})));
        assert_eq!(
            one("0 2 * * *"),
            Ok(json!({"cron": "0 2 * * *", "timezone": "Europe/Riga"}))
        );
        assert_eq!(
            one("at 14:30"),
            Ok(json!({"calendar": "*-*-* 14:30:00", "timezone": "Europe/Riga"}))
        );
        assert!(one("every blue moon").is_err());
        assert!(one("at 25:00").is_err());
        let both = ["at 8:05".to_owned(), "at 20:00".to_owned()];
        assert_eq!(
            times(&both, None),
            Some(json!({"calendar": "*-*-* 08:05:00\n*-*-* 20:00:00", "timezone": "UTC"}))
        );
    }

    #[test]
    fn assertions_become_limits_and_rules() {
        let rule = |text: &str| Some(Assertion::Rule(text.to_owned()));
        assert_eq!(
            read_assertion("metric.duration < 15min"),
            Some(Assertion::Longest(900))
        );
        assert_eq!(
            read_assertion("metric.duration > 30 seconds"),
            rule("duration > 30s")
        );
        assert_eq!(
            read_assertion("metric.count > 0"),
            rule("metric(\"count\") > 0")
        );
        assert_eq!(
            read_assertion("metric.error_count = 0"),
            rule("metric(\"error_count\") == 0")
        );
        assert_eq!(read_assertion("response.code = 200"), None);
        assert_eq!(read_assertion("metric.count > many"), None);
    }

    #[test]
    fn durations_are_read_as_people_speak() {
        for (text, wanted) in [
            ("10 minutes", Some(600)),
            ("15min", Some(900)),
            ("8 hours", Some(28_800)),
            ("1.5 m", Some(90)),
            ("day", Some(86_400)),
            ("0 s", None),
            ("fortnight", None),
        ] {
            assert_eq!(seconds(text), wanted, "{text}");
        }
    }
}
