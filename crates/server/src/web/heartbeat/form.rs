//! What stands in the form of a heartbeat, and the API's JSON that it means.

use std::time::Duration;

use nightbeat_calendar::Schedule;
use nightbeat_store::control::Routing;
use nightbeat_store::control::heartbeats::Heartbeat;
use serde_json::{Map, Value, json};

use crate::web::fields::Fields;

/// The units that a form offers, in seconds.
pub(super) const UNITS: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 3_600), ("days", 86_400)];

/// A length of time, as it is typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) number: String,
    pub(super) unit: String,
}

/// The contents of the form, as they were typed.
#[expect(clippy::struct_excessive_bools, reason = "each is a box to tick")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) description: String,
    pub(super) tags: String,
    /// `every`, `cron` or `calendar`.
    pub(super) kind: String,
    pub(super) every: Span,
    pub(super) cron: String,
    pub(super) calendar: String,
    pub(super) timezone: String,
    pub(super) grace: Span,
    pub(super) max_run_time: Span,
    pub(super) failure_threshold: String,
    pub(super) recovery_threshold: String,
    pub(super) repeat_after: Span,
    pub(super) warning_codes: String,
    pub(super) manual_resume: bool,
    pub(super) remind_never_started: bool,
    pub(super) post_only: bool,
    pub(super) rules: String,
    /// All channels, or those that are ticked.
    pub(super) all_channels: bool,
    pub(super) channels: Vec<String>,
}

impl Span {
    /// A number and its unit.
    pub(super) fn new((number, unit): &(&str, &str)) -> Self {
        Self {
            number: (*number).to_owned(),
            unit: (*unit).to_owned(),
        }
    }

    fn of(span: Duration) -> Self {
        let seconds = span.as_secs();
        let fits = |(_, unit): &&(&str, u64)| seconds > 0 && seconds.is_multiple_of(*unit);
        let (unit, length) = UNITS.iter().rev().find(fits).unwrap_or(&UNITS[0]);
        Self {
            number: (seconds / length).to_string(),
            unit: (*unit).to_owned(),
        }
    }

    fn typed(fields: &Fields, name: &str) -> Self {
        Self {
            number: fields.text(name).to_owned(),
            unit: fields.text(&format!("{name}_unit")).to_owned(),
        }
    }

    /// Seconds; what is no number stays text, so that the API says what is wrong with it.
    fn json(&self) -> Value {
        if self.number.is_empty() {
            return Value::Null;
        }
        let unit = UNITS.iter().find(|(name, _)| *name == self.unit);
        let unit = unit.map_or(1, |(_, seconds)| *seconds);
        match self.number.parse::<u64>() {
            Ok(number) => json!(number.saturating_mul(unit)),
            Err(_) => json!(self.number),
        }
    }
}

impl Form {
    /// What a new heartbeat begins with.
    pub(super) fn new() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            kind: "every".to_owned(),
            every: Span::of(day),
            cron: "30 3 * * *".to_owned(),
            calendar: "*-*-* 03:30".to_owned(),
            timezone: "UTC".to_owned(),
            grace: Span::of(Duration::from_secs(3_600)),
            max_run_time: Span {
                number: String::new(),
                unit: "min".to_owned(),
            },
            repeat_after: Span {
                number: String::new(),
                unit: "h".to_owned(),
            },
            failure_threshold: "1".to_owned(),
            recovery_threshold: "1".to_owned(),
            remind_never_started: true,
            all_channels: true,
            ..Self::default()
        }
    }

    /// What a heartbeat has.
    pub(super) fn of(heartbeat: &Heartbeat) -> Self {
        let (details, settings) = (&heartbeat.details, &heartbeat.settings);
        let mut form = Self {
            name: details.name.clone(),
            slug: details.slug.clone(),
            description: details.description.clone(),
            tags: details.tags.join(", "),
            grace: Span::of(settings.grace),
            failure_threshold: settings.failure_threshold.to_string(),
            recovery_threshold: settings.recovery_threshold.to_string(),
            warning_codes: joined(settings.warning_codes.iter()),
            manual_resume: settings.manual_resume,
            remind_never_started: settings.remind_never_started,
            post_only: settings.post_only,
            rules: settings.rules.join("\n"),
            all_channels: details.channels == Routing::All,
            ..Self::new()
        };
        if let Routing::Only(channels) = &details.channels {
            form.channels = channels.iter().map(ToString::to_string).collect();
        }
        if let Some(longest) = settings.max_run_time {
            form.max_run_time = Span::of(longest);
        }
        if let Some(repeat) = settings.repeat_after {
            form.repeat_after = Span::of(repeat);
        }
        match &settings.schedule {
            Schedule::Every(interval) => form.every = Span::of(interval.duration()),
            Schedule::Cron(cron) => {
                "cron".clone_into(&mut form.kind);
                cron.expression().clone_into(&mut form.cron);
                cron.zone().name().clone_into(&mut form.timezone);
            }
            Schedule::OnCalendar(events) => {
                "calendar".clone_into(&mut form.kind);
                events.expression().clone_into(&mut form.calendar);
                events.zone().name().clone_into(&mut form.timezone);
            }
            _ => {}
        }
        form
    }

    /// What was typed.
    pub(super) fn typed(fields: &Fields) -> Self {
        let text = |name| fields.text(name).to_owned();
        Self {
            name: text("name"),
            slug: text("slug"),
            description: text("description").replace("\r\n", "\n"),
            tags: text("tags"),
            kind: text("kind"),
            every: Span::typed(fields, "every"),
            cron: text("cron"),
            calendar: text("calendar").replace("\r\n", "\n"),
            timezone: text("timezone"),
            grace: Span::typed(fields, "grace"),
            max_run_time: Span::typed(fields, "max_run_time"),
            failure_threshold: text("failure_threshold"),
            recovery_threshold: text("recovery_threshold"),
            repeat_after: Span::typed(fields, "repeat_after"),
            warning_codes: text("warning_codes"),
            manual_resume: fields.ticked("manual_resume"),
            remind_never_started: fields.ticked("remind_never_started"),
            post_only: fields.ticked("post_only"),
            rules: text("rules").replace("\r\n", "\n"),
            all_channels: fields.text("channels") != "some",
            channels: fields.all("channel").map(str::to_owned).collect(),
        }
    }

    /// The schedule as the API's JSON has it.
    pub(super) fn schedule(&self) -> Value {
        let zone = if self.timezone.is_empty() {
            "UTC"
        } else {
            &self.timezone
        };
        match self.kind.as_str() {
            "cron" => json!({ "cron": self.cron, "timezone": zone }),
            "calendar" => json!({ "calendar": self.calendar, "timezone": zone }),
            _ => json!({ "every": self.every.json() }),
        }
    }

    /// The rules, one a line.
    pub(super) fn rules(&self) -> Vec<String> {
        let lines = self.rules.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// All of it as the API's JSON has it.
    pub(super) fn json(&self) -> Value {
        let mut object = Map::new();
        let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
        set("name", json!(self.name));
        if !self.slug.is_empty() {
            set("slug", json!(self.slug));
        }
        set("description", json!(self.description));
        let tags: Vec<&str> = parts(&self.tags).collect();
        set("tags", json!(tags));
        set("schedule", self.schedule());
        if self.grace.number.is_empty() {
            set("grace", json!(""));
        } else {
            set("grace", self.grace.json());
        }
        set("max_run_time", self.max_run_time.json());
        set("failure_threshold", number(&self.failure_threshold));
        set("recovery_threshold", number(&self.recovery_threshold));
        set("repeat_after", self.repeat_after.json());
        let codes: Vec<Value> = parts(&self.warning_codes).map(number).collect();
        set("warning_codes", json!(codes));
        set("manual_resume", json!(self.manual_resume));
        set("remind_never_started", json!(self.remind_never_started));
        set("post_only", json!(self.post_only));
        set("rules", json!(self.rules()));
        let channels = if self.all_channels {
            json!("all")
        } else {
            json!(self.channels)
        };
        set("channels", channels);
        Value::Object(object)
    }
}

/// A whole number; else the text, so that the API says what is wrong with it.
fn number(text: &str) -> Value {
    text.parse::<u64>()
        .map_or_else(|_| json!(text), |number| json!(number))
}

/// What stands between commas.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

fn joined(items: impl Iterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_form_means_what_a_heartbeat_usually_is() {
        let json = Form {
            name: "nightly".to_owned(),
            ..Form::new()
        }
        .json();
        assert_eq!(json["schedule"], json!({ "every": 86_400 }));
        assert_eq!(
            (&json["grace"], &json["max_run_time"]),
            (&json!(3_600), &Value::Null)
        );
        assert_eq!(
            (&json["tags"], &json["channels"]),
            (&json!([]), &json!("all"))
        );
        assert!(json.get("slug").is_none());
    }

    #[test]
    fn what_is_typed_is_read_and_what_is_no_number_is_left_to_the_api() {
        let fields = Fields::parse(
            b"name=+db+&kind=cron&cron=0+2+*+*+*&timezone=Europe%2FMadrid&grace=ten&grace_unit=min&tags=a,+b,,\
              &warning_codes=3,24&max_run_time=2&max_run_time_unit=h&rules=files_total+%3E+0%0D%0A%0D%0A\
              &channels=some&channel=x&post_only=on",
        );
        let json = Form::typed(&fields).json();
        assert_eq!(json["name"], "db");
        assert_eq!(
            json["schedule"],
            json!({ "cron": "0 2 * * *", "timezone": "Europe/Madrid" })
        );
        assert_eq!(json["grace"], "ten");
        assert_eq!(json["max_run_time"], 7_200);
        assert_eq!(
            (&json["tags"], &json["warning_codes"]),
            (&json!(["a", "b"]), &json!([3, 24]))
        );
        assert_eq!(
            (&json["rules"], &json["channels"]),
            (&json!(["files_total > 0"]), &json!(["x"]))
        );
        assert_eq!(
            (&json["post_only"], &json["manual_resume"]),
            (&json!(true), &json!(false))
        );
    }

    #[test]
    fn a_length_is_shown_in_its_largest_unit() {
        for (seconds, number, unit) in [
            (90, "90", "s"),
            (5_400, "90", "min"),
            (7_200, "2", "h"),
            (172_800, "2", "days"),
        ] {
            let span = Span::of(Duration::from_secs(seconds));
            assert_eq!((span.number.as_str(), span.unit.as_str()), (number, unit));
            assert_eq!(span.json(), seconds);
        }
    }
}
