//! Flips: when a check went down, and when it came back.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use nightbeat_domain::{Claim, ProjectId, UnixMicros};
use nightbeat_store::control::PageRequest;
use nightbeat_store::control::incidents::{self, Filter, Incident};
use nightbeat_store::sql::Sql;
use serde_json::{Value, json};

use super::caller::Caller;
use super::error::Error;
use super::lookup::{Which, find};
use super::time;
use crate::api::{ApiState, Refusal};

/// The latest time that may be asked for, in seconds since 1970: in the year 2286.
const TIMESTAMP_MAX: i64 = 10_000_000_000;
/// How far back `seconds` reaches: a year.
const SECONDS_MAX: i64 = 31_536_000;
/// The most incidents that are looked at, each two flips.
const INCIDENTS_MAX: usize = 10_000;

/// Which flips.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    seconds: Option<i64>,
    start: Option<i64>,
    end: Option<i64>,
}

impl Wanted {
    fn read(query: &str) -> Result<Self, Error> {
        let mut wanted = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (place, max) = match name.as_ref() {
                "seconds" => (&mut wanted.seconds, SECONDS_MAX),
                "start" => (&mut wanted.start, TIMESTAMP_MAX),
                "end" => (&mut wanted.end, TIMESTAMP_MAX),
                _ => continue,
            };
            if value.is_empty() {
                continue;
            }
            let number: i64 = value.parse().map_err(|_| Error::QUERY)?;
            if !(0..=max).contains(&number) {
                return Err(Error::QUERY);
            }
            *place = Some(number);
        }
        if wanted.seconds.is_some() && (wanted.start.is_some() || wanted.end.is_some()) {
            return Err(Error::QUERY);
        }
        Ok(wanted)
    }

    /// From when, and before when.
    fn bounds(self, now: UnixMicros) -> (UnixMicros, UnixMicros) {
        let micros = |seconds: i64| UnixMicros(seconds * 1_000_000);
        let back = |seconds: i64| now - Duration::from_secs(seconds.unsigned_abs());
        let from = self.seconds.map(back).or(self.start.map(micros));
        (
            from.unwrap_or(UnixMicros::MIN),
            self.end.map_or(UnixMicros::MAX, micros),
        )
    }
}

/// The flips of a check, the newest first.
pub(super) async fn list(
    api: &ApiState,
    caller: Caller,
    which: Which,
    query: &str,
) -> Result<Response, Error> {
    let (from, before) = Wanted::read(query)?.bounds(api.now());
    let found = api
        .read(move |sql| flips(sql, caller.project, &which, from))
        .await?;
    let flips: Vec<Value> = found
        .iter()
        .filter(|(at, _)| (from..before).contains(at))
        .map(|(at, up)| json!({"timestamp": time::seconds(*at), "up": i32::from(*up)}))
        .collect();
    Ok(Json(json!({"flips": flips})).into_response())
}

fn flips(
    sql: &mut dyn Sql,
    project: ProjectId,
    which: &Which,
    from: UnixMicros,
) -> Result<Vec<(UnixMicros, bool)>, Refusal> {
    let filter = Filter {
        heartbeat: Some(find(sql, project, which)?.id),
        open: None,
    };
    let mut flips = Vec::new();
    let (mut after, mut looked_at) = (None, 0);
    loop {
        let page = PageRequest::new(PageRequest::ITEMS_MAX, after);
        let found = incidents::list(sql, project, &filter, &page)?;
        looked_at += found.items.len();
        let is_past = found.items.last().is_some_and(|it| it.opened_at < from);
        flips.extend(found.items.iter().flat_map(of_incident));
        after = found.next;
        if after.is_none() || is_past || looked_at >= INCIDENTS_MAX {
            return Ok(flips);
        }
    }
}

/// The end of an incident, where it has ended, and its beginning. A warning is no flip: the check stayed up.
fn of_incident(incident: &Incident) -> Vec<(UnixMicros, bool)> {
    let mut flips = Vec::new();
    if incident.claim == Claim::Warning {
        return flips;
    }
    // One that a person paused was not heard of again.
    let is_back = incident
        .closing
        .as_deref()
        .is_some_and(|closing| closing != "paused");
    if let Some(closed_at) = incident.closed_at.filter(|_| is_back) {
        flips.push((closed_at, true));
    }
    flips.push((incident.opened_at, false));
    flips
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_asks_for_a_stretch_of_time() {
        let now = UnixMicros(5_000_000_000);
        let bounds = |query| Wanted::read(query).map(|wanted| wanted.bounds(now));
        let all = (UnixMicros::MIN, UnixMicros::MAX);
        assert_eq!(bounds(""), Ok(all));
        assert_eq!(bounds("other=x&start="), Ok(all));
        let last = (UnixMicros(4_000_000_000), UnixMicros::MAX);
        assert_eq!(bounds("seconds=1000"), Ok(last));
        let between = (UnixMicros(7_000_000), UnixMicros(9_000_000));
        assert_eq!(bounds("start=7&end=9"), Ok(between));
        for query in [
            "seconds=x",
            "seconds=-1",
            "seconds=31536001",
            "start=1.5",
            "end=10000000001",
            "seconds=1&end=9",
            "start=99999999999999999999",
            "end=%00",
        ] {
            assert_eq!(bounds(query), Err(Error::QUERY), "{query}");
        }
    }
}
