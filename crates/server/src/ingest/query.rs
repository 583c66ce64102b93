//! What the query of a signal URL adds.
//!
//! A number that cannot be read is left out and the signal counts: a script whose `wc` printed nothing
//! did run. Where a wrong value would make us believe something false (whose run it is, when it
//! happened, what is created), the signal is refused.

use std::borrow::Cow;
use std::time::Duration;

use nightbeat_domain::{
    Metric, RunId, Schedule, ScheduleError, Settings, SettingsError, UnixMicros,
};
use nightbeat_store::Arrival;

use super::text::{decoded, pairs};
use super::url::{UrlProblem, uuid};
use crate::span;

/// How many metrics of one signal are kept.
pub const METRICS_MAX: usize = 64;
/// The schedule of a heartbeat that `create=1` makes without saying one.
const CREATED_EVERY_SECONDS: u64 = 86_400;

/// What the query of a signal URL adds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SignalQuery {
    /// The run it belongs to.
    pub rid: Option<RunId>,
    /// When it really happened.
    pub claimed_at: Option<UnixMicros>,
    /// The client's mark of this one signal.
    pub nonce: Option<String>,
    /// Numbers that the job reports; at most [`METRICS_MAX`].
    pub metrics: Vec<Metric>,
    /// The settings of the heartbeat to create where it does not exist (`create=1`, by slug only).
    pub create: Option<Box<Settings>>,
}

impl SignalQuery {
    /// Reads a query. `by_slug`: the URL names a slug, so `create` means something.
    pub(super) fn parse(query: &str, by_slug: bool) -> Result<Self, UrlProblem> {
        let mut found = Self::default();
        if query.is_empty() {
            return Ok(found);
        }
        let mut created = Created::default();
        for (name, value) in pairs(query) {
            let name = decoded(name, true);
            let value = decoded(value, true);
            match name.as_ref() {
                "rid" => found.rid = Some(RunId(uuid(&value).ok_or(UrlProblem::Rid)?)),
                "at" => found.claimed_at = Some(instant(&value)?),
                "nonce" => found.nonce = Some(nonce(value)?),
                "metric" => found.metric(value.split_once(':')),
                "create" => created.wanted = value == "1",
                "every" => created.every = Some(value),
                "cron" => created.cron = Some(value),
                "tz" => created.zone = Some(value),
                "grace" => created.grace = Some(value),
                other => found.metric(other.strip_prefix("m.").map(|name| (name, value.as_ref()))),
            }
        }
        if by_slug && created.wanted {
            found.create = Some(Box::new(created.settings()?));
        }
        Ok(found)
    }

    /// Takes a metric in, where it is one and there is room for it.
    pub(super) fn metric(&mut self, pair: Option<(&str, &str)>) {
        let read =
            |(name, value): (&str, &str)| Metric::new(name.trim(), value.trim().parse().ok()?);
        if self.metrics.len() < METRICS_MAX {
            self.metrics.extend(pair.and_then(read));
        }
    }
}

/// What `create=1` and its companions say.
#[derive(Default)]
struct Created<'a> {
    wanted: bool,
    every: Option<Cow<'a, str>>,
    cron: Option<Cow<'a, str>>,
    zone: Option<Cow<'a, str>>,
    grace: Option<Cow<'a, str>>,
}

impl Created<'_> {
    fn settings(self) -> Result<Settings, UrlProblem> {
        let mut settings = Settings::new(self.schedule()?);
        if let Some(grace) = &self.grace {
            settings.grace = length("grace", grace)?;
        }
        settings
            .checked()
            .map_err(|SettingsError { field, problem }| refused(field, problem))
    }

    fn schedule(&self) -> Result<Schedule, UrlProblem> {
        match (&self.every, &self.cron, &self.zone) {
            (Some(_), Some(_), _) => Err(refused("every", "give either it or `cron`, not both")),
            (_, None, Some(_)) => Err(refused("tz", "it goes with `cron`")),
            (None, Some(cron), zone) => {
                let zone = zone.as_deref().unwrap_or("UTC");
                Schedule::cron(cron, zone).map_err(|error| {
                    let zone_is_wrong = matches!(error, ScheduleError::Zone(_));
                    let parameter = if zone_is_wrong { "tz" } else { "cron" };
                    refused(parameter, error.to_string())
                })
            }
            (every, None, None) => {
                let every = every
                    .as_deref()
                    .map(|every| length("every", every))
                    .transpose()?;
                let seconds = every.map_or(CREATED_EVERY_SECONDS, |every| every.as_secs());
                Schedule::every_seconds(seconds)
                    .map_err(|error| refused("every", error.to_string()))
            }
        }
    }
}

fn length(parameter: &'static str, text: &str) -> Result<Duration, UrlProblem> {
    let problem = "write a length of time such as `1d`, `90m` or `3600`";
    span::parse(text).ok_or_else(|| refused(parameter, problem))
}

fn instant(text: &str) -> Result<UnixMicros, UrlProblem> {
    // `+01:00` that was not encoded arrives as ` 01:00`.
    let parsed = text
        .parse::<jiff::Timestamp>()
        .or_else(|_| text.replace(' ', "+").parse());
    let problem = "write RFC 3339, as `2026-11-22T02:00:00Z`";
    parsed
        .map(UnixMicros::from)
        .map_err(|_| refused("at", problem))
}

fn nonce(text: Cow<'_, str>) -> Result<String, UrlProblem> {
    if text.is_empty() || text.chars().count() > Arrival::NONCE_CHARS_MAX {
        return Err(refused("nonce", "write 1 to 64 characters"));
    }
    Ok(text.into_owned())
}

fn refused(parameter: &'static str, problem: impl Into<Cow<'static, str>>) -> UrlProblem {
    UrlProblem::Parameter {
        parameter,
        problem: problem.into(),
    }
}
