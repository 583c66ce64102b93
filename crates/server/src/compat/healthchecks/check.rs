//! A check, as clients see it.

use nightbeat_domain::{
    ChannelId, Interval, Keywords, Otherwise, Phase, ProjectId, Status, UnixMicros,
};
use nightbeat_store::control::heartbeats::Heartbeat;
use nightbeat_store::control::{PageRequest, Routing, channels, projects};
use nightbeat_store::sql::Sql;
use serde_json::{Map, Value, json};

use super::Version;
use super::caller::Caller;
use super::lookup::unique_key;
use super::spec::shown_name;
use super::time;
use crate::api::{ApiState, Refusal};
use crate::badges::{About, Format, Links, States};

/// Who looks at checks, and from where.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    version: Version,
    read_only: bool,
    now: UnixMicros,
    public_url: std::sync::Arc<str>,
}

impl Viewer {
    /// The caller, now.
    pub(super) fn new(api: &ApiState, version: Version, caller: Caller) -> Self {
        Self {
            version,
            read_only: caller.read_only,
            now: api.now(),
            public_url: api.public_url.clone(),
        }
    }

    /// The instant of this look.
    pub(super) fn now(&self) -> UnixMicros {
        self.now
    }

    /// What of the project is told with each check, where the viewer may see it.
    pub(super) fn beside(&self, sql: &mut dyn Sql, project: ProjectId) -> Result<Beside, Refusal> {
        if self.read_only {
            return Ok(Beside::default());
        }
        let channels = all_channels(sql, project)?;
        Ok(Beside {
            channels: channels.iter().map(|channel| channel.id).collect(),
            badge_key: projects::badge_key(sql, project)?,
        })
    }

    /// A check.
    pub(super) fn check(&self, found: &Heartbeat, beside: &Beside) -> Value {
        let (details, settings, state) = (&found.details, &found.settings, &found.state);
        let run = state.last_run;
        let expected = state
            .expected_at
            .filter(|_| matches!(state.phase, Phase::Up | Phase::Warning));
        let mut check = json!({
            "name": shown_name(found),
            "slug": details.slug,
            "tags": details.tags.join(" "),
            "desc": details.description,
            "grace": settings.grace.as_secs(),
            "n_pings": state.signals,
            "status": self.status(found),
            "started": state.running_since().is_some(),
            "last_ping": run.map(|run| time::seconds(run.ended_at)),
            "next_ping": expected.map(time::seconds),
            "manual_resume": settings.manual_resume,
            "methods": if settings.post_only { "POST" } else { "" },
        });
        let Value::Object(fields) = &mut check else {
            return check;
        };
        words(fields, settings.keywords.as_deref());
        if let Some((ended_at, started_at)) =
            run.and_then(|run| Some((run.ended_at, run.started_at?)))
        {
            let seconds = ended_at.since(started_at).as_secs();
            fields.insert("last_duration".to_owned(), seconds.into());
        }
        match settings.schedule.zone() {
            None => {
                let seconds = settings.schedule.interval().map(Interval::seconds);
                fields.insert("timeout".to_owned(), seconds.into());
            }
            Some(zone) => {
                fields.insert("schedule".to_owned(), expression(&settings.schedule).into());
                fields.insert("tz".to_owned(), zone.name().into());
            }
        }
        self.identify(fields, found, beside);
        check
    }

    /// What names the check: its secret id and its URLs, or only its unique key.
    fn identify(&self, fields: &mut Map<String, Value>, found: &Heartbeat, beside: &Beside) {
        let mut say = |name: &str, text: String| fields.insert(name.to_owned(), text.into());
        if self.read_only {
            say("unique_key", unique_key(found.id));
            return;
        }
        let (id, base) = (found.id, &self.public_url);
        let url = format!("{base}/api/{}/checks/{id}", self.version.as_str());
        say("uuid", id.to_string());
        say("ping_url", format!("{base}/ping/{id}"));
        say("pause_url", format!("{url}/pause"));
        say("resume_url", format!("{url}/resume"));
        say("update_url", url);
        let routed = |id: &&ChannelId| match &found.details.channels {
            Routing::All => true,
            Routing::Only(ids) => ids.contains(id),
        };
        let mut ids: Vec<String> = beside
            .channels
            .iter()
            .filter(routed)
            .map(ToString::to_string)
            .collect();
        ids.sort_unstable();
        say("channels", ids.join(","));
        let badge = beside.badge_key.as_deref().map(|secret| {
            let links = Links {
                public_url: base,
                project: found.project,
                secret,
            };
            let about = About::Heartbeat(id);
            links.link(&about, &found.details.slug, States::Two, Format::Svg)
        });
        fields.insert("badge_url".to_owned(), badge.into());
    }

    /// Healthchecks knows no warning and nothing that it cannot verify. A job that may have failed is told
    /// as down: silence would be worse.
    fn status(&self, found: &Heartbeat) -> &'static str {
        if self.version == Version::V1 && found.state.running_since().is_some() {
            return "started";
        }
        match found.status(self.now) {
            Status::New => "new",
            Status::Up | Status::Warning => "up",
            Status::Late => "grace",
            Status::Down | Status::Unverified => "down",
            Status::Paused => "paused",
        }
    }
}

/// What of a project is told with each of its checks.
#[derive(Debug, Default)]
pub(super) struct Beside {
    channels: Vec<ChannelId>,
    /// Signs the links of badges; `None`: nobody asked for them yet.
    badge_key: Option<String>,
}

fn words(fields: &mut Map<String, Value>, keywords: Option<&Keywords>) {
    let none = Keywords::default();
    let keywords = keywords.unwrap_or(&none);
    let mail = |words: &[String]| {
        if keywords.in_mail_subject {
            words.join(",")
        } else {
            String::new()
        }
    };
    for (name, text) in [
        ("subject", mail(&keywords.success)),
        ("subject_fail", mail(&keywords.failure)),
        ("start_kw", keywords.start.join(",")),
        ("success_kw", keywords.success.join(",")),
        ("failure_kw", keywords.failure.join(",")),
    ] {
        fields.insert(name.to_owned(), text.into());
    }
    for (name, flag) in [
        ("filter_subject", keywords.in_mail_subject),
        ("filter_body", keywords.in_mail_body),
        ("filter_http_body", keywords.in_body),
        ("filter_default_fail", keywords.otherwise == Otherwise::Fail),
    ] {
        fields.insert(name.to_owned(), flag.into());
    }
}

fn expression(schedule: &nightbeat_domain::Schedule) -> &str {
    use nightbeat_domain::Schedule;
    match schedule {
        Schedule::Cron(cron) => cron.expression(),
        Schedule::OnCalendar(events) => events.expression(),
        // An interval has none, and no zone.
        _ => "",
    }
}

/// The most channels that are looked at.
const CHANNELS_MAX: usize = 10_000;

/// The project's channels, the oldest first.
pub(super) fn all_channels(
    sql: &mut dyn Sql,
    project: ProjectId,
) -> Result<Vec<channels::Channel>, Refusal> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest::new(PageRequest::ITEMS_MAX, after);
        let found = channels::list(sql, project, &page)?;
        all.extend(found.items);
        after = found.next;
        if after.is_none() || all.len() >= CHANNELS_MAX {
            return Ok(all);
        }
    }
}
