//! The settings of a heartbeat as flags, shared by `create` and `edit`: only what is given is sent.

use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use nightbeat_agent::api::Channel;
use serde_json::{Map, Value, json};

use super::target;
use super::values::{OptionalSpan, optional_span, span, zone_name};
use crate::exit::Failure;

/// The settings of a heartbeat.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Settings {
    /// A success is expected this long after the last one: 30m, 1d, 2w
    #[arg(long, value_name = "DURATION", value_parser = span, conflicts_with_all = ["cron", "calendar"])]
    every: Option<Duration>,
    /// A success is expected whenever this cron expression says: '0 3 * * *'
    #[arg(long, value_name = "EXPR", conflicts_with = "calendar")]
    cron: Option<String>,
    /// A success is expected whenever this systemd calendar expression says: 'Mon..Fri 03:00'
    #[arg(long, value_name = "EXPR")]
    calendar: Option<String>,
    /// The time zone of --cron or --calendar [default: the heartbeat's own, else this machine's]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// How long after that the success may come: 90m
    #[arg(long, value_name = "DURATION", value_parser = span)]
    grace: Option<Duration>,
    /// The name in URLs and commands: lower-case letters, digits, - and _
    #[arg(long)]
    slug: Option<String>,
    /// Free text
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A tag; repeat for several. An empty one ('') means none
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// How long a run may last after its start; `none`: as long as the grace
    #[arg(long, value_name = "DURATION", value_parser = optional_span)]
    max_run: Option<OptionalSpan>,
    /// A channel to alert, by name or id; repeat for several. `all` or `none` stand alone
    #[arg(long = "channel", value_name = "CHANNEL")]
    channels: Vec<String>,
    /// Misses or failures in a row before it is down
    #[arg(long, value_name = "N")]
    failure_threshold: Option<u32>,
    /// Successes in a row before it is up again
    #[arg(long, value_name = "N")]
    recovery_threshold: Option<u32>,
    /// An exit code that is a warning, not a failure; repeat for several. 0 means none
    #[arg(long = "warning-code", value_name = "N")]
    warning_codes: Vec<u8>,
    /// Once paused, a signal does not resume it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    manual_resume: Option<bool>,
    /// While it is down, alert again this often; `none`: never
    #[arg(long, value_name = "DURATION", value_parser = optional_span)]
    repeat_after: Option<OptionalSpan>,
    /// Count only signals sent with POST
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    post_only: Option<bool>,
    /// What must hold for a run to be ok: '`files_total` > 0'; repeat for several. An empty one ('') means none
    #[arg(long = "rule", value_name = "RULE")]
    rules: Vec<String>,
}

impl Settings {
    /// Channels are named, so their ids are needed.
    pub(super) fn names_channels(&self) -> bool {
        !matches!(
            self.channels.as_slice(),
            [] | [_] if self.channels.iter().all(|name| name == "all" || name == "none")
        )
    }

    /// What is not said of the schedule is to stay as it is: the zone beside a new expression, or the
    /// expression beside a new zone.
    pub(super) fn leaves_some_schedule(&self) -> bool {
        let expression = self.cron.is_some() || self.calendar.is_some();
        self.every.is_none() && expression != self.tz.is_some()
    }

    /// The JSON fields of what was given. `channels` are the project's; `present` is the schedule that the
    /// heartbeat has, where it [leaves some of it](Self::leaves_some_schedule); `zone` is this machine's.
    pub(super) fn fields(
        &self,
        channels: &[Channel],
        present: Option<&Value>,
        zone: &TimeZone,
    ) -> Result<Map<String, Value>, Failure> {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            fields.extend(value.map(|value| (name.to_owned(), value)));
        };
        let seconds = |span: OptionalSpan| json!(span.seconds());
        set("schedule", self.schedule(present, zone)?);
        set("grace", self.grace.map(|span| json!(span.as_secs())));
        set("slug", self.slug.as_ref().map(|slug| json!(slug)));
        set(
            "description",
            self.description.as_ref().map(|text| json!(text)),
        );
        set("tags", given_list(&self.tags));
        set("max_run_time", self.max_run.map(seconds));
        set("channels", self.channel_list(channels)?);
        set("failure_threshold", self.failure_threshold.map(Value::from));
        set(
            "recovery_threshold",
            self.recovery_threshold.map(Value::from),
        );
        set("warning_codes", self.warning_code_list());
        set("manual_resume", self.manual_resume.map(Value::from));
        set("repeat_after", self.repeat_after.map(seconds));
        set("post_only", self.post_only.map(Value::from));
        set("rules", given_list(&self.rules));
        Ok(fields)
    }

    fn schedule(&self, present: Option<&Value>, zone: &TimeZone) -> Result<Option<Value>, Failure> {
        if let Some(every) = self.every {
            self.refuse_tz()?;
            return Ok(Some(json!({"every": every.as_secs()})));
        }
        let (kind, expression) = match (&self.cron, &self.calendar) {
            (Some(cron), _) => ("cron", cron),
            (None, Some(calendar)) => ("calendar", calendar),
            (None, None) => return self.moved(present),
        };
        let kept = present.and_then(|schedule| schedule["timezone"].as_str());
        let zone = zone_name(self.tz.as_deref().or(kept), zone)?;
        Ok(Some(json!({kind: expression, "timezone": zone})))
    }

    /// The present schedule in another zone, where one is given.
    fn moved(&self, present: Option<&Value>) -> Result<Option<Value>, Failure> {
        match (&self.tz, present) {
            (Some(zone), Some(present)) if present["timezone"].is_string() => {
                let mut schedule = present.clone();
                schedule["timezone"] = json!(zone);
                Ok(Some(schedule))
            }
            _ => self.refuse_tz().map(|()| None),
        }
    }

    fn refuse_tz(&self) -> Result<(), Failure> {
        match self.tz {
            None => Ok(()),
            Some(_) => Err(Failure::usage("--tz needs --cron or --calendar")
                .hint("an interval is the same in every time zone")),
        }
    }

    fn warning_code_list(&self) -> Option<Value> {
        let given: Vec<&u8> = self
            .warning_codes
            .iter()
            .filter(|code| **code != 0)
            .collect();
        (!self.warning_codes.is_empty()).then(|| json!(given))
    }

    fn channel_list(&self, channels: &[Channel]) -> Result<Option<Value>, Failure> {
        match self.channels.as_slice() {
            [] => Ok(None),
            [only] if only == "all" => Ok(Some(json!("all"))),
            [only] if only == "none" => Ok(Some(json!([]))),
            several => target::channel_ids(channels, several).map(|ids| Some(json!(ids))),
        }
    }
}

/// The list that was given, if any was; an empty text stands for none.
fn given_list(typed: &[String]) -> Option<Value> {
    let given: Vec<&String> = typed.iter().filter(|text| !text.is_empty()).collect();
    (!typed.is_empty()).then(|| json!(given))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        settings: Settings,
    }

    fn fields(typed: &[&str]) -> Result<Value, Failure> {
        fields_beside(None, typed)
    }

    fn fields_beside(present: Option<&Value>, typed: &[&str]) -> Result<Value, Failure> {
        let all = ["x"].iter().chain(typed);
        let channels: Vec<Channel> =
            serde_json::from_str(r#"[{"id":"c1","name":"ops","kind":"email"}]"#).unwrap();
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let settings = Typed::try_parse_from(all).unwrap().settings;
        let fields = settings.fields(&channels, present, &berlin);
        fields.map(Value::Object)
    }

    #[test]
    fn only_what_is_given_is_sent() {
        assert_eq!(fields(&[]), Ok(json!({})));
        assert_eq!(
            fields(&[
                "--grace",
                "90m",
                "--max-run",
                "none",
                "--tag",
                "a",
                "--tag",
                "b"
            ]),
            Ok(json!({"grace": 5400, "max_run_time": null, "tags": ["a", "b"]}))
        );
    }

    #[test]
    fn each_kind_of_schedule_is_sent_in_its_form() {
        assert_eq!(
            fields(&["--every", "1d"]),
            Ok(json!({"schedule": {"every": 86400}}))
        );
        assert_eq!(
            fields(&["--cron", "0 3 * * *"]),
            Ok(json!({"schedule": {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}}))
        );
        assert_eq!(
            fields(&["--calendar", "daily", "--tz", "UTC"]),
            Ok(json!({"schedule": {"calendar": "daily", "timezone": "UTC"}}))
        );
        assert!(fields(&["--tz", "UTC"]).is_err());
        assert!(fields(&["--every", "1d", "--tz", "UTC"]).is_err());
        assert!(Typed::try_parse_from(["x", "--every", "1d", "--cron", "* * * * *"]).is_err());
    }

    #[test]
    fn an_edit_keeps_the_part_of_the_schedule_of_which_nothing_is_said() {
        let present = json!({"cron": "0 3 * * *", "timezone": "Europe/Madrid"});
        let edited = |typed: &[&str]| fields_beside(Some(&present), typed);
        assert_eq!(
            edited(&["--calendar", "04:00"]),
            Ok(json!({"schedule": {"calendar": "04:00", "timezone": "Europe/Madrid"}}))
        );
        assert_eq!(
            edited(&["--tz", "UTC"]),
            Ok(json!({"schedule": {"cron": "0 3 * * *", "timezone": "UTC"}}))
        );
        assert_eq!(
            edited(&["--cron", "0 4 * * *", "--tz", "UTC"]),
            Ok(json!({"schedule": {"cron": "0 4 * * *", "timezone": "UTC"}}))
        );
        assert_eq!(edited(&["--grace", "1m"]), Ok(json!({"grace": 60})));
        let interval = json!({"every": 3600});
        assert_eq!(
            fields_beside(Some(&interval), &["--cron", "0 4 * * *"]),
            Ok(json!({"schedule": {"cron": "0 4 * * *", "timezone": "Europe/Berlin"}}))
        );
        assert!(fields_beside(Some(&interval), &["--tz", "UTC"]).is_err());
    }

    #[test]
    fn lists_can_be_emptied_and_switches_switched_off() {
        assert_eq!(
            fields(&["--tag", "", "--warning-code", "0", "--channel", "none"]),
            Ok(json!({"tags": [], "warning_codes": [], "channels": []}))
        );
        assert_eq!(
            fields(&["--manual-resume", "--post-only=false"]),
            Ok(json!({"manual_resume": true, "post_only": false}))
        );
    }

    #[test]
    fn channels_are_sent_by_id() {
        assert_eq!(
            fields(&["--channel", "ops"]),
            Ok(json!({"channels": ["c1"]}))
        );
        assert_eq!(
            fields(&["--channel", "all"]),
            Ok(json!({"channels": "all"}))
        );
        assert!(fields(&["--channel", "pager"]).is_err());
    }

    #[test]
    fn channels_are_asked_for_only_where_they_are_named() {
        let names = |typed: &[&str]| {
            let all = ["x"].iter().chain(typed);
            Typed::try_parse_from(all)
                .unwrap()
                .settings
                .names_channels()
        };
        assert!(!names(&[]));
        assert!(!names(&["--channel", "all"]));
        assert!(names(&["--channel", "ops"]));
        assert!(names(&["--channel", "all", "--channel", "none"]));
    }
}
