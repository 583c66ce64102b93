//! A check-in: what it says, and what it wants its heartbeat to be. Pure.

use http::StatusCode;
use nightbeat_domain::{self as domain, Metric, SignalKind};
use nightbeat_store::control::{SLUG_CHARS_MAX, is_slug, slugify};
use serde::Deserialize;

use crate::api::{Change, HeartbeatEdit, Problem, Schedule};
use crate::ingest::SignalQuery;
use crate::ingest::dialect::run_of;
use crate::ingest::url::{SignalUrl, UrlTarget};

/// What a monitor has of which its configuration says nothing, as at Sentry.
const MARGIN_MINUTES: u64 = 1;
const RUNTIME_MINUTES: u64 = 30;
const MINUTE_SECONDS: u64 = 60;

/// A check-in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CheckIn {
    /// What the run is called; `None`: it is the only one.
    pub(super) id: Option<String>,
    /// Its heartbeat's slug.
    pub(super) slug: String,
    kind: SignalKind,
    /// Seconds that the run took, where it says so.
    duration: Option<f64>,
    config: Option<Config>,
}

/// The JSON of a check-in.
#[derive(Debug, Default, Deserialize)]
struct Raw {
    check_in_id: Option<String>,
    monitor_slug: Option<String>,
    status: Option<String>,
    duration: Option<f64>,
    monitor_config: Option<Config>,
}

/// What a monitor is to be.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Config {
    schedule: ConfigSchedule,
    checkin_margin: Option<u64>,
    max_runtime: Option<u64>,
    timezone: Option<String>,
    failure_issue_threshold: Option<u32>,
    recovery_threshold: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ConfigSchedule {
    Crontab { value: String },
    Interval { value: u64, unit: String },
}

impl CheckIn {
    /// What a URL says. Its status may stand in a body, so it is a success until that is known.
    pub(super) fn of_query(slug: &str, query: &str) -> Result<Self, Problem> {
        let mut check_in = Self {
            id: None,
            slug: checked_slug(slug)?,
            kind: SignalKind::Success,
            duration: None,
            config: None,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "status" => check_in.kind = kind(&value)?,
                "check_in_id" => check_in.id = run_name(&value),
                "duration" => check_in.duration = value.parse().ok(),
                _ => {}
            }
        }
        Ok(check_in)
    }

    /// What the item of an envelope says.
    pub(super) fn of_item(json: &[u8]) -> Result<Self, Problem> {
        let raw: Raw = parsed(json)?;
        let slug = raw.monitor_slug.as_deref().unwrap_or_default();
        let mut check_in = Self::of_query(slug, "")?;
        if raw.status.is_none() {
            return Err(refused("a check-in has a status"));
        }
        check_in.add(raw)?;
        Ok(check_in)
    }

    /// What the body of a URL adds.
    pub(super) fn add_json(&mut self, json: &[u8]) -> Result<(), Problem> {
        self.add(parsed(json)?)
    }

    fn add(&mut self, raw: Raw) -> Result<(), Problem> {
        if let Some(status) = &raw.status {
            self.kind = kind(status)?;
        }
        if let Some(id) = &raw.check_in_id {
            self.id = run_name(id);
        }
        self.duration = raw.duration.or(self.duration);
        self.config = raw.monitor_config;
        Ok(())
    }

    /// What its heartbeat is to become; `None`: what it is.
    pub(super) fn edit(&self) -> Result<Option<HeartbeatEdit>, Problem> {
        let Some(config) = &self.config else {
            return Ok(None);
        };
        let schedule = match &config.schedule {
            ConfigSchedule::Crontab { value } => {
                let zone = config.timezone.as_deref().unwrap_or("UTC");
                domain::Schedule::cron(value, zone)
            }
            ConfigSchedule::Interval { value, unit } => {
                let seconds = value.checked_mul(unit_seconds(unit)?);
                let seconds = seconds.ok_or_else(|| refused("the interval is too long"))?;
                domain::Schedule::every_seconds(seconds)
            }
        };
        let schedule = schedule.map_err(|error| refused(&error.to_string()))?;
        let seconds = |minutes: Option<u64>, usual: u64| {
            minutes
                .unwrap_or(usual)
                .max(1)
                .saturating_mul(MINUTE_SECONDS)
        };
        Ok(Some(HeartbeatEdit {
            schedule: Some(Schedule(schedule)),
            grace: Some(seconds(config.checkin_margin, MARGIN_MINUTES)),
            max_run_time: Change::Set(seconds(config.max_runtime, RUNTIME_MINUTES)),
            failure_threshold: config.failure_issue_threshold,
            recovery_threshold: config.recovery_threshold,
            ..HeartbeatEdit::default()
        }))
    }

    /// The same as a signal, in the project with this ping key.
    pub(super) fn signal(self, ping_key: &str) -> SignalUrl {
        let took = self.duration.and_then(|took| Metric::new("duration", took));
        SignalUrl {
            target: UrlTarget::Slug {
                ping_key: ping_key.to_owned(),
                slug: self.slug,
            },
            kind: self.kind,
            exit_code: None,
            query: SignalQuery {
                rid: self.id.as_deref().map(run_of),
                metrics: took.into_iter().collect(),
                ..SignalQuery::default()
            },
        }
    }
}

fn kind(status: &str) -> Result<SignalKind, Problem> {
    match status {
        "in_progress" => Ok(SignalKind::Start),
        "ok" => Ok(SignalKind::Success),
        "error" => Ok(SignalKind::Fail),
        _ => Err(refused("the status is in_progress, ok or error")),
    }
}

/// A run's name; one of zeros means the run that is on.
fn run_name(text: &str) -> Option<String> {
    let says_something = text.bytes().any(|byte| byte != b'0' && byte != b'-');
    says_something.then(|| text.to_owned())
}

/// A slug; what its characters cannot be is made one as a name is, as Sentry does.
fn checked_slug(text: &str) -> Result<String, Problem> {
    if is_slug(text) {
        return Ok(text.to_owned());
    }
    if text.is_empty() || text.len() > SLUG_CHARS_MAX {
        return Err(refused("a monitor has a slug of 1 to 100 characters"));
    }
    Ok(slugify(text))
}

fn unit_seconds(unit: &str) -> Result<u64, Problem> {
    const DAY_SECONDS: u64 = 86_400;
    match unit {
        "minute" => Ok(MINUTE_SECONDS),
        "hour" => Ok(3_600),
        "day" => Ok(DAY_SECONDS),
        "week" => Ok(7 * DAY_SECONDS),
        // As long as the longest of them: a month of 30 days would be overdue on the 31st.
        "month" => Ok(31 * DAY_SECONDS),
        "year" => Ok(366 * DAY_SECONDS),
        _ => Err(refused(
            "the unit is minute, hour, day, week, month or year",
        )),
    }
}

fn parsed(json: &[u8]) -> Result<Raw, Problem> {
    serde_json::from_slice(json)
        .map_err(|error| refused(&format!("a check-in cannot be read: {error}")))
}

fn refused(text: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(json: &serde_json::Value) -> Result<CheckIn, Problem> {
        CheckIn::of_item(json.to_string().as_bytes())
    }

    #[test]
    fn a_check_in_is_a_signal() {
        for (status, kind) in [
            ("in_progress", SignalKind::Start),
            ("ok", SignalKind::Success),
            ("error", SignalKind::Fail),
        ] {
            let json = json!({"check_in_id": "83a7c03ed0a04e1b97e2e3b18d38f244", "monitor_slug": "nightly",
                "status": status, "duration": 1.5, "release": "1.0", "contexts": {}});
            let signal = item(&json).unwrap().signal("key");
            assert_eq!(signal.kind, kind);
            let target = UrlTarget::Slug {
                ping_key: "key".to_owned(),
                slug: "nightly".to_owned(),
            };
            assert_eq!(signal.target, target);
            let rid = signal.query.rid.unwrap().0.simple().to_string();
            assert_eq!(rid, "83a7c03ed0a04e1b97e2e3b18d38f244");
            assert_eq!(
                signal.query.metrics,
                [Metric::new("duration", 1.5).unwrap()]
            );
        }
    }

    #[test]
    fn the_same_stands_in_a_url() {
        let id = "83a7c03e-d0a0-4e1b-97e2-e3b18d38f244";
        let query = format!("environment=prod&status=error&check_in_id={id}");
        let check_in = CheckIn::of_query("nightly", &query).unwrap();
        assert_eq!(check_in.kind, SignalKind::Fail);
        assert_eq!(check_in.id.as_deref(), Some(id));
        let query = "status=ok&check_in_id=00000000-0000-0000-0000-000000000000";
        assert_eq!(CheckIn::of_query("nightly", query).unwrap().id, None);
        assert_eq!(CheckIn::of_query("My job!", "").unwrap().slug, "my-job");
        assert!(CheckIn::of_query("", "").is_err());
        assert!(CheckIn::of_query("nightly", "status=done").is_err());
    }

    #[test]
    fn a_configuration_is_an_edit() {
        let with = |config| {
            let json = json!({"monitor_slug": "nightly", "status": "ok", "monitor_config": config});
            item(&json).unwrap().edit()
        };
        let edit = with(
            json!({"schedule": {"type": "crontab", "value": "30 3 * * *"},
            "timezone": "Europe/Vienna", "checkin_margin": 5, "max_runtime": 60,
            "failure_issue_threshold": 2, "recovery_threshold": 3, "owner": "user:1"}),
        );
        let edit = edit.unwrap().unwrap();
        let cron = domain::Schedule::cron("30 3 * * *", "Europe/Vienna").unwrap();
        assert_eq!(edit.schedule, Some(Schedule(cron)));
        assert_eq!(
            (edit.grace, edit.max_run_time),
            (Some(300), Change::Set(3_600))
        );
        assert_eq!(
            (edit.failure_threshold, edit.recovery_threshold),
            (Some(2), Some(3))
        );

        let edit = with(json!({"schedule": {"type": "interval", "value": 2, "unit": "hour"}}));
        let edit = edit.unwrap().unwrap();
        let every = domain::Schedule::every_seconds(7_200).unwrap();
        assert_eq!(edit.schedule, Some(Schedule(every)));
        assert_eq!(
            (edit.grace, edit.max_run_time),
            (Some(60), Change::Set(1_800))
        );

        for schedule in [
            json!({"type": "crontab", "value": "whenever"}),
            json!({"type": "interval", "value": 2, "unit": "moon"}),
            json!({"type": "interval", "value": u64::MAX, "unit": "year"}),
            json!({"type": "interval", "value": 0, "unit": "day"}),
        ] {
            assert!(with(json!({"schedule": schedule})).is_err(), "{schedule}");
        }
    }

    #[test]
    fn what_is_no_check_in_is_refused() {
        for json in [
            json!(null),
            json!({}),
            json!({"status": "ok"}),
            json!({"monitor_slug": "nightly"}),
            json!({"monitor_slug": "nightly", "status": "late"}),
            json!({"monitor_slug": 5, "status": "ok"}),
            json!({"monitor_slug": "nightly", "status": "ok", "monitor_config": {}}),
        ] {
            assert!(item(&json).is_err(), "{json}");
        }
    }
}
