//! What a client wants a check to be, as an edit of our own API.

use nightbeat_domain::{self as domain, HeartbeatId, ScheduleError, Settings};
use nightbeat_store::control::heartbeats::Heartbeat;
use nightbeat_store::control::{SLUG_CHARS_MAX, is_slug};

use super::body::Fields;
use super::error::Error;
use crate::api::text::NAME_CHARS_MAX;
use crate::api::{Change, Channels, HeartbeatEdit, Keywords, Schedule};

/// The longest text of a field that has no limit of its own: what is too long is refused behind it.
const TEXT_CHARS_MAX: usize = 20_000;
/// The longest interval and grace: ten years.
const SECONDS_MAX: u64 = Settings::SPAN_MAX.as_secs();
/// The schedule of a check that is made without one: every day.
const USUAL_SECONDS: u64 = 86_400;
/// A cron expression has so many fields; anything else is calendar events.
const CRON_FIELDS: usize = 5;

/// What a client wants a check to be. `None`: not said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Spec {
    /// Ids or names, separated by commas; `*` is all, and nothing is none.
    pub(super) channels: Option<String>,
    desc: Option<String>,
    pub(super) grace: Option<u64>,
    manual_resume: Option<bool>,
    post_only: Option<bool>,
    pub(super) name: Option<String>,
    schedule: Option<String>,
    pub(super) slug: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) timeout: Option<u64>,
    zone: Option<String>,
    words: Words,
    /// A check that has the same of all these is meant, where there is one.
    pub(super) unique: Vec<Unique>,
}

/// By what a check may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unique {
    Name,
    Slug,
    Tags,
    Timeout,
    Grace,
}

/// What is said about words. `None`: not said.
#[derive(Debug, Clone, Default, PartialEq)]
struct Words {
    start: Option<String>,
    success: Option<String>,
    failure: Option<String>,
    /// Words for mails as the first version had them: `success` and `failure`, looked for in subjects.
    subject: Option<String>,
    subject_fail: Option<String>,
    in_subject: Option<bool>,
    in_mail: Option<bool>,
    in_body: Option<bool>,
    otherwise_fail: Option<bool>,
}

impl Spec {
    /// Reads what a body says. What it does not know is passed over; of several errors, the first in the
    /// order of the names is told.
    pub(super) fn read(given: &Fields) -> Result<Self, Error> {
        let text = |name| given.text(name, TEXT_CHARS_MAX);
        let words = |name| given.text(name, domain::Keywords::CHARS_MAX);
        Ok(Self {
            channels: text("channels")?,
            desc: text("desc")?,
            words: Words {
                failure: words("failure_kw")?,
                in_mail: given.flag("filter_body")?,
                otherwise_fail: given.flag("filter_default_fail")?,
                in_body: given.flag("filter_http_body")?,
                in_subject: given.flag("filter_subject")?,
                start: words("start_kw")?,
                subject: words("subject")?,
                subject_fail: words("subject_fail")?,
                success: words("success_kw")?,
            },
            grace: given.number("grace", SECONDS_MAX)?,
            manual_resume: given.flag("manual_resume")?,
            post_only: methods(given)?,
            name: given
                .text("name", NAME_CHARS_MAX)?
                .map(|name| name.trim().to_owned()),
            schedule: text("schedule")?,
            slug: slug(given)?,
            tags: text("tags")?.map(|tags| split_tags(&tags)),
            timeout: given.number("timeout", SECONDS_MAX)?,
            zone: text("tz")?,
            unique: unique(given)?,
        })
    }

    /// Whether everything is said by which a check is to be found.
    pub(super) fn says_what_is_unique(&self) -> bool {
        let says = |field: &Unique| match field {
            Unique::Name => self.name.is_some(),
            Unique::Slug => self.slug.is_some(),
            Unique::Tags => self.tags.is_some(),
            Unique::Timeout => self.timeout.is_some(),
            Unique::Grace => self.grace.is_some(),
        };
        !self.unique.is_empty() && self.unique.iter().all(says)
    }

    /// Whether a check has the same of all that is to be unique.
    pub(super) fn is(&self, check: &Heartbeat) -> bool {
        let settings = &check.settings;
        self.unique.iter().all(|field| match field {
            Unique::Name => self.name.as_deref() == Some(shown_name(check)),
            Unique::Slug => self.slug.as_deref() == Some(check.details.slug.as_str()),
            Unique::Tags => self.tags.as_ref() == Some(&check.details.tags),
            Unique::Timeout => {
                let interval = settings.schedule.interval();
                self.timeout.is_some() && self.timeout == interval.map(domain::Interval::seconds)
            }
            Unique::Grace => self.grace == Some(settings.grace.as_secs()),
        })
    }

    /// The same as an edit of the check `old`, or of a new one with this id. `channels` and `slug` are those
    /// that it shall have, where that is said.
    pub(super) fn edit(
        &self,
        id: HeartbeatId,
        old: Option<&Heartbeat>,
        channels: Option<Channels>,
        slug: Option<String>,
    ) -> Result<HeartbeatEdit, Error> {
        let is_new = old.is_none();
        let settings = old.map(|old| &*old.settings);
        let name = match self.name.as_deref() {
            Some("") => Some(nameless(id)),
            None if is_new => Some(nameless(id)),
            name => name.map(str::to_owned),
        };
        Ok(HeartbeatEdit {
            name,
            slug,
            description: self.desc.clone(),
            tags: self.tags.clone(),
            schedule: self.new_schedule(settings)?.map(Schedule),
            grace: self.grace,
            manual_resume: self.manual_resume,
            // Healthchecks never reminds of a check that was not pinged yet, and its clients make many.
            remind_never_started: is_new.then_some(false),
            post_only: self.post_only,
            keywords: self
                .words
                .change(settings.and_then(|settings| settings.keywords.as_deref())),
            channels: channels.or(is_new.then(|| Channels::Only(Vec::new()))),
            ..HeartbeatEdit::default()
        })
    }

    /// The schedule that it shall have: an expression goes before an interval, and a time zone alone is
    /// another one for the expression that it has.
    fn new_schedule(&self, old: Option<&Settings>) -> Result<Option<domain::Schedule>, Error> {
        let old_zone = old
            .and_then(|old| old.schedule.zone())
            .map(domain::Zone::name);
        let zone = self.zone.as_deref();
        let wanted = zone.or(old_zone).unwrap_or("UTC");
        if let Some(text) = &self.schedule {
            return expression(text, wanted).map(Some);
        }
        if let Some(seconds) = self.timeout {
            check_zone(zone)?;
            return every(seconds).map(Some);
        }
        match old.map(|old| &old.schedule) {
            None => {
                check_zone(zone)?;
                every(USUAL_SECONDS).map(Some)
            }
            Some(domain::Schedule::Cron(cron)) if zone.is_some() => {
                expression(cron.expression(), wanted).map(Some)
            }
            Some(domain::Schedule::OnCalendar(events)) if zone.is_some() => {
                expression(events.expression(), wanted).map(Some)
            }
            Some(_) => check_zone(zone).map(|()| None),
        }
    }
}

impl Words {
    fn change(&self, old: Option<&domain::Keywords>) -> Change<Keywords> {
        if *self == Self::default() {
            return Change::Keep;
        }
        let mut new = old.cloned().unwrap_or_default();
        set(&mut new.success, self.subject.as_deref().map(split_words));
        set(
            &mut new.failure,
            self.subject_fail.as_deref().map(split_words),
        );
        if self.subject.is_some() || self.subject_fail.is_some() {
            new.in_mail_subject = !(new.success.is_empty() && new.failure.is_empty());
        }
        set(&mut new.start, self.start.as_deref().map(split_words));
        set(&mut new.success, self.success.as_deref().map(split_words));
        set(&mut new.failure, self.failure.as_deref().map(split_words));
        set(&mut new.in_mail_subject, self.in_subject);
        set(&mut new.in_mail_body, self.in_mail);
        set(&mut new.in_body, self.in_body);
        let otherwise = self.otherwise_fail.map(|fail| {
            if fail {
                domain::Otherwise::Fail
            } else {
                domain::Otherwise::Ignore
            }
        });
        set(&mut new.otherwise, otherwise);
        if new == domain::Keywords::default() {
            return Change::Clear;
        }
        Change::Set(Keywords::from(&new))
    }
}

/// The name of a check that was made without one: an alert must say which it is.
pub(super) fn nameless(id: HeartbeatId) -> String {
    const DIGITS: usize = 8;
    format!("unnamed {}", &id.0.simple().to_string()[..DIGITS])
}

/// The name that a client is shown: nothing, where it gave none.
pub(super) fn shown_name(check: &Heartbeat) -> &str {
    let name = check.details.name.as_str();
    if name == nameless(check.id) { "" } else { name }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn split_tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split_whitespace() {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

/// Words, separated by commas. White space around them stays: it comes back as it was sent.
fn split_words(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(str::to_owned).collect()
}

fn methods(given: &Fields) -> Result<Option<bool>, Error> {
    match given.text("methods", TEXT_CHARS_MAX)?.as_deref() {
        None => Ok(None),
        Some("") => Ok(Some(false)),
        Some("POST") => Ok(Some(true)),
        Some(_) => Err(Error::field("methods has unexpected value")),
    }
}

fn slug(given: &Fields) -> Result<Option<String>, Error> {
    let slug = given.text("slug", SLUG_CHARS_MAX)?;
    match slug {
        Some(slug) if !slug.is_empty() && !is_slug(&slug) => {
            Err(Error::field("slug does not match pattern"))
        }
        slug => Ok(slug),
    }
}

fn unique(given: &Fields) -> Result<Vec<Unique>, Error> {
    let names = given.names("unique")?.unwrap_or_default();
    let mut unique = Vec::new();
    for name in names {
        let field = match name {
            "name" => Unique::Name,
            "slug" => Unique::Slug,
            "tags" => Unique::Tags,
            "timeout" => Unique::Timeout,
            "grace" => Unique::Grace,
            _ => return Err(Error::field("an item in 'unique' has unexpected value")),
        };
        if !unique.contains(&field) {
            unique.push(field);
        }
    }
    Ok(unique)
}

fn every(seconds: u64) -> Result<domain::Schedule, Error> {
    domain::Schedule::every_seconds(seconds)
        .map_err(|error| Error::field(format_args!("timeout: {error}")))
}

/// One line of five words is a cron expression; everything else is calendar events.
fn expression(text: &str, zone: &str) -> Result<domain::Schedule, Error> {
    let is_cron = !text.trim().contains('\n') && text.split_whitespace().count() == CRON_FIELDS;
    let parsed = if is_cron {
        domain::Schedule::cron(text, zone)
    } else {
        domain::Schedule::on_calendar(text, zone)
    };
    parsed.map_err(|error| match error {
        ScheduleError::Zone(_) => no_zone(),
        _ => Error::field("schedule is not a valid cron or OnCalendar expression"),
    })
}

/// A time zone means nothing to an interval, but it must be one.
fn check_zone(zone: Option<&str>) -> Result<(), Error> {
    match zone.map(domain::Zone::named) {
        Some(Err(_)) => Err(no_zone()),
        _ => Ok(()),
    }
}

fn no_zone() -> Error {
    Error::field("tz is not a valid timezone")
}
