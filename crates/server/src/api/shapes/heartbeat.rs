//! Heartbeats.

use std::time::Duration;

use nightbeat_domain::{HeartbeatId, IncidentId, LastRun, Settings};
use nightbeat_store::control::heartbeats::{self, Details, Unreadable};
use nightbeat_store::control::{Routing, SLUG_CHARS_MAX, is_slug};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::keywords::Keywords;
use super::routing::Channels;
use super::run::Outcome;
use super::schedule::Schedule;
use super::time::seconds;
use super::words::{Description, Name, Rule, Tag, WarningCode};
use super::{Change, Time, Viewer};
use crate::api::input::given;
use crate::api::problem::Problem;
use crate::api::text::{NAME_CHARS_MAX, line, lines};

/// The longest description.
pub const DESCRIPTION_CHARS_MAX: usize = 10_000;
/// The most tags of one heartbeat.
pub const TAGS_MAX: usize = 50;
/// The longest tag.
pub const TAG_CHARS_MAX: usize = 100;
/// The most channels that one heartbeat names; `"all"` has no limit.
const CHANNELS_MAX: usize = 100;

/// One monitored job.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Heartbeat {
    /// Its id; `null` for a read-only key, because who knows it may signal.
    #[schema(required)]
    id: Option<Uuid>,
    /// Its name.
    name: String,
    /// What stands for it in URLs; once in a project.
    slug: String,
    /// Anything worth knowing about it.
    description: String,
    /// Its tags.
    tags: Vec<String>,
    /// When a success is expected.
    schedule: Schedule,
    /// How long after *expected at* the success may come, in seconds.
    grace: u64,
    /// How long a run may last, in seconds; `null`: as long as the grace.
    #[schema(required)]
    max_run_time: Option<u64>,
    /// Misses or failures in a row before an incident opens.
    failure_threshold: u32,
    /// Successes in a row before it closes.
    recovery_threshold: u32,
    /// Exit codes that are warnings, not failures.
    warning_codes: Vec<u8>,
    /// Once paused, a signal does not resume it.
    manual_resume: bool,
    /// One reminder is sent when no signal ever came.
    remind_never_started: bool,
    /// While it is down, alert again this often, in seconds; `null`: never.
    #[schema(required)]
    repeat_after: Option<u64>,
    /// Only signals sent with POST count.
    post_only: bool,
    /// What must hold for a run to be ok, each a rule such as `files_total > 0`.
    rules: Vec<String>,
    /// Words in what it sends that say what a signal means; `null`: only the URL does.
    #[schema(required)]
    keywords: Option<Keywords>,
    /// Where its alerts go.
    channels: Channels,
    /// What it is now.
    status: Status,
    /// What the server cannot read of what it stored; `null` when all is well. Stand-ins are in its place,
    /// the status is `unverified` where nobody can watch the job, and an edit mends it.
    #[schema(required)]
    problem: Option<String>,
    /// Since when a run is on.
    #[schema(required)]
    running_since: Option<Time>,
    /// When the next success is expected.
    #[schema(required)]
    expected_at: Option<Time>,
    /// When an alert is due if nothing is heard until then.
    #[schema(required)]
    deadline: Option<Time>,
    /// When the last signal that counted came.
    #[schema(required)]
    last_signal_at: Option<Time>,
    /// When the last success came.
    #[schema(required)]
    last_success_at: Option<Time>,
    /// The last run that ended.
    #[schema(required)]
    last_run: Option<LastRunShape>,
    /// The incident that is open.
    #[schema(required)]
    incident_id: Option<Uuid>,
    /// The URL to signal; `null` for a read-only key.
    #[schema(required)]
    ping_url: Option<String>,
    /// The address to mail a signal to; `null` for a read-only key, and where no mail is taken.
    #[schema(required)]
    ping_email: Option<String>,
    /// When it was created.
    created_at: Time,
}

/// The last run that ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastRun)]
struct LastRunShape {
    /// When it started, where it said so.
    #[schema(required)]
    started_at: Option<Time>,
    /// When it ended.
    ended_at: Time,
    /// How long it took, in seconds.
    #[schema(required)]
    duration: Option<f64>,
    /// How it ended.
    outcome: Outcome,
}

/// What a heartbeat is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum Status {
    /// No success and no failure yet.
    New,
    /// The last run was ok, and none is overdue.
    Up,
    /// The last run ended with a warning.
    Warning,
    /// A success was expected and has not come; the grace is running.
    Late,
    /// A job is missing, overran or failed.
    Down,
    /// Overdue, but the server could not receive all the time; or the server cannot judge it at all.
    Unverified,
    /// A person paused it.
    Paused,
}

/// What may be set on a heartbeat. Only what is named changes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeartbeatEdit {
    /// Its name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Name>, nullable = false)]
    pub(crate) name: Option<String>,
    /// What stands for it in URLs, once in a project. A new heartbeat gets it from its name.
    #[serde(default, deserialize_with = "given")]
    #[schema(pattern = "^[a-z0-9_-]{1,100}$", nullable = false)]
    pub(crate) slug: Option<String>,
    /// Anything worth knowing about it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Description>, nullable = false)]
    pub(crate) description: Option<String>,
    /// Its tags.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<Tag>>, max_items = 50, nullable = false)]
    pub(crate) tags: Option<Vec<String>>,
    /// When a success is expected; every day where it is not set.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) schedule: Option<Schedule>,
    /// How long after *expected at* the success may come, in seconds; an hour where it is not set.
    #[serde(default, deserialize_with = "given")]
    #[schema(minimum = 1, maximum = 315_360_000, nullable = false)]
    pub(crate) grace: Option<u64>,
    /// How long a run may last, in seconds; `null`: as long as the grace.
    #[serde(default)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 315_360_000)]
    pub(crate) max_run_time: Change<u64>,
    /// Misses or failures in a row before an incident opens.
    #[serde(default, deserialize_with = "given")]
    #[schema(minimum = 1, maximum = 1000, nullable = false)]
    pub(crate) failure_threshold: Option<u32>,
    /// Successes in a row before it closes.
    #[serde(default, deserialize_with = "given")]
    #[schema(minimum = 1, maximum = 1000, nullable = false)]
    pub(crate) recovery_threshold: Option<u32>,
    /// Exit codes that are warnings, not failures: 1 to 255.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<WarningCode>>, max_items = 255, nullable = false)]
    pub(crate) warning_codes: Option<Vec<u8>>,
    /// Once paused, a signal does not resume it.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) manual_resume: Option<bool>,
    /// Send one reminder when no signal ever came.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) remind_never_started: Option<bool>,
    /// While it is down, alert again this often, in seconds; `null`: never.
    #[serde(default)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 315_360_000)]
    pub(crate) repeat_after: Change<u64>,
    /// Count only signals sent with POST.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) post_only: Option<bool>,
    /// What must hold for a run to be ok, each a rule such as `files_total > 0`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<Rule>>, max_items = 50, nullable = false)]
    pub(crate) rules: Option<Vec<String>>,
    /// Words in what it sends that say what a signal means; `null`: only the URL does.
    #[serde(default)]
    #[schema(value_type = Option<Keywords>)]
    pub(crate) keywords: Change<Keywords>,
    /// Where its alerts go.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) channels: Option<Channels>,
    /// See [`OnlyNew::id`].
    #[serde(default, deserialize_with = "given")]
    #[schema(ignore)]
    pub(crate) id: Option<Uuid>,
    /// See [`OnlyNew::paused`].
    #[serde(default, deserialize_with = "given")]
    #[schema(ignore)]
    pub(crate) paused: Option<bool>,
}

/// What only a heartbeat that is to be may bring.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema matters")]
struct OnlyNew {
    /// Its id, where it had one elsewhere and its signal URL is to stay: a random UUID (version 4) that no
    /// heartbeat has.
    #[schema(value_type = Option<String>, format = Uuid, nullable = false,
        pattern = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-4[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$")]
    id: Option<Uuid>,
    /// It begins paused.
    #[schema(nullable = false)]
    paused: Option<bool>,
}

/// A heartbeat that is to be: what may be set on it, and its name must be.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::api) struct NewHeartbeat(pub(in crate::api) HeartbeatEdit);

impl PartialSchema for NewHeartbeat {
    fn schema() -> RefOr<Schema> {
        let mut schema = HeartbeatEdit::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            if let RefOr::T(Schema::Object(only_new)) = OnlyNew::schema() {
                object.properties.extend(only_new.properties);
            }
            object.required.push("name".to_owned());
            object.description = Some("A heartbeat that is to be.".to_owned());
        }
        schema
    }
}

impl ToSchema for NewHeartbeat {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewHeartbeat".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        HeartbeatEdit::schemas(schemas);
    }
}

impl NewHeartbeat {
    /// The id that it brings along. Who knows it may signal, so it must be one that nobody can guess.
    pub(in crate::api) fn id(&self) -> Result<Option<HeartbeatId>, Problem> {
        match self.0.id {
            Some(id) if id.get_version_num() != 4 => Err(Problem::field(
                "id",
                "is not a random UUID (version 4): who knows it may signal, so nobody may guess it",
            )),
            id => Ok(id.map(HeartbeatId)),
        }
    }

    /// It begins paused.
    pub(in crate::api) fn is_paused(&self) -> bool {
        self.0.paused == Some(true)
    }
}

impl HeartbeatEdit {
    /// Refuses what only a heartbeat that is to be may bring.
    pub(in crate::api) fn is_no_beginning(&self) -> Result<(), Problem> {
        if self.id.is_some() {
            return Err(Problem::field(
                "id",
                "does not change; only a new heartbeat brings one along",
            ));
        }
        if self.paused.is_some() {
            return Err(Problem::field(
                "paused",
                "is said with …/pause and …/resume; only a new heartbeat begins with it",
            ));
        }
        Ok(())
    }

    /// Whether this can be an edit of a heartbeat of which so much cannot be read. Nobody may get a schedule
    /// that they have not named.
    pub(crate) fn mends(&self, unreadable: &Unreadable) -> Result<(), Problem> {
        if unreadable.settings && self.schedule.is_none() {
            return Err(Problem::field(
                "schedule",
                "the stored settings cannot be read; name the schedule, and whatever else is not as usual",
            ));
        }
        Ok(())
    }

    /// The settings `old` with these changes.
    pub(crate) fn settings(&self, old: &Settings) -> Result<Settings, Problem> {
        let mut new = old.clone();
        let span = Duration::from_secs;
        set(&mut new.schedule, self.schedule.clone().map(|it| it.0));
        set(&mut new.grace, self.grace.map(span));
        new.max_run_time = self.max_run_time.map(span).of(new.max_run_time);
        set(&mut new.failure_threshold, self.failure_threshold);
        set(&mut new.recovery_threshold, self.recovery_threshold);
        set(
            &mut new.warning_codes,
            self.warning_codes.as_deref().map(once),
        );
        set(&mut new.manual_resume, self.manual_resume);
        set(&mut new.remind_never_started, self.remind_never_started);
        new.repeat_after = self.repeat_after.map(span).of(new.repeat_after);
        set(&mut new.post_only, self.post_only);
        set(&mut new.rules, self.rules.clone());
        let keywords = self.keywords.clone().map(|it| Box::new((&it).into()));
        new.keywords = keywords.of(new.keywords);
        Ok(new.checked()?)
    }

    /// The details `old` with these changes. Whether its slug is free and its channels are known is not
    /// looked at here.
    pub(crate) fn details(&self, old: &Details) -> Result<Details, Problem> {
        let mut new = old.clone();
        if let Some(name) = &self.name {
            new.name = line("name", name, NAME_CHARS_MAX)?;
        }
        if let Some(slug) = &self.slug {
            new.slug = checked_slug(slug)?;
        }
        if let Some(text) = &self.description {
            new.description = lines("description", text, DESCRIPTION_CHARS_MAX)?;
        }
        if let Some(tags) = &self.tags {
            new.tags = checked_tags(tags)?;
        }
        if let Some(channels) = &self.channels {
            new.channels = checked_channels(channels)?;
        }
        Ok(new)
    }

    /// The details of a new heartbeat with these settings; its slug is empty where none was given.
    pub(in crate::api) fn new_details(&self) -> Result<Details, Problem> {
        if self.name.is_none() {
            return Err(Problem::field("name", "is missing"));
        }
        self.details(&Details::default())
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn once<T: Clone + PartialEq>(items: &[T]) -> Vec<T> {
    let mut known: Vec<T> = Vec::new();
    for item in items {
        if !known.contains(item) {
            known.push(item.clone());
        }
    }
    known
}

fn checked_slug(slug: &str) -> Result<String, Problem> {
    if is_slug(slug) {
        return Ok(slug.to_owned());
    }
    Err(Problem::field(
        "slug",
        format!("{slug:?} is not a slug: 1 to {SLUG_CHARS_MAX} of a-z, 0-9, - and _"),
    ))
}

fn checked_tags(tags: &[String]) -> Result<Vec<String>, Problem> {
    if tags.len() > TAGS_MAX {
        let problem = format!("has more than {TAGS_MAX} tags");
        return Err(Problem::field("tags", problem));
    }
    let tags: Result<Vec<String>, Problem> = tags
        .iter()
        .map(|tag| line("tags", tag, TAG_CHARS_MAX))
        .collect();
    Ok(once(&tags?))
}

fn checked_channels(channels: &Channels) -> Result<Routing, Problem> {
    let routing = Routing::from(channels);
    match &routing {
        Routing::Only(ids) if ids.len() > CHANNELS_MAX => {
            let problem = format!("names more than {CHANNELS_MAX} channels");
            Err(Problem::field("channels", problem))
        }
        _ => Ok(routing),
    }
}

impl Heartbeat {
    /// What stands for it in URLs.
    pub(super) fn slug(&self) -> &str {
        &self.slug
    }

    /// What `viewer` sees of it.
    pub(in crate::api) fn of(found: &heartbeats::Heartbeat, viewer: &Viewer) -> Self {
        let heartbeats::Heartbeat {
            id,
            details,
            settings,
            state,
            ..
        } = found;
        let time = |at: Option<_>| at.map(Time::from);
        let incident = state.incident.as_ref();
        Self {
            id: viewer.heartbeat_id(*id),
            name: details.name.clone(),
            slug: details.slug.clone(),
            description: details.description.clone(),
            tags: details.tags.clone(),
            schedule: Schedule(settings.schedule.clone()),
            grace: settings.grace.as_secs(),
            max_run_time: settings.max_run_time.map(|span| span.as_secs()),
            failure_threshold: settings.failure_threshold,
            recovery_threshold: settings.recovery_threshold,
            warning_codes: settings.warning_codes.clone(),
            manual_resume: settings.manual_resume,
            remind_never_started: settings.remind_never_started,
            repeat_after: settings.repeat_after.map(|span| span.as_secs()),
            post_only: settings.post_only,
            rules: settings.rules.clone(),
            keywords: settings.keywords.as_deref().map(Keywords::from),
            channels: Channels::from(&details.channels),
            status: found.status(viewer.now).into(),
            problem: problem(&found.unreadable),
            running_since: time(state.running_since()),
            expected_at: time(state.expected_at),
            deadline: time(
                state
                    .deadline(settings)
                    .filter(|_| !found.unreadable.is_unwatched()),
            ),
            last_signal_at: time(state.last_signal_at),
            last_success_at: time(state.last_success_at),
            last_run: state.last_run.map(LastRunShape::from),
            incident_id: incident.map(|it| IncidentId::derive(*id, it.number).0),
            ping_url: viewer.ping_url(*id),
            ping_email: viewer.ping_email(*id),
            created_at: found.created_at.into(),
        }
    }
}

fn problem(unreadable: &Unreadable) -> Option<String> {
    (!unreadable.is_nothing()).then(|| unreadable.problems.join("; "))
}

impl From<LastRun> for LastRunShape {
    fn from(run: LastRun) -> Self {
        Self {
            started_at: run.started_at.map(Time::from),
            ended_at: run.ended_at.into(),
            duration: seconds(run.started_at, run.ended_at),
            outcome: run.outcome.into(),
        }
    }
}

macro_rules! same_names {
    ($($name:ident),+) => {
        impl From<nightbeat_domain::Status> for Status {
            fn from(status: nightbeat_domain::Status) -> Self {
                match status { $(nightbeat_domain::Status::$name => Self::$name),+ }
            }
        }

        impl From<Status> for nightbeat_domain::Status {
            fn from(status: Status) -> Self {
                match status { $(Status::$name => Self::$name),+ }
            }
        }
    };
}

same_names!(New, Up, Warning, Late, Down, Unverified, Paused);
