//! A project's heartbeats for Prometheus: under the names that Healthchecks' users have in their alerts and
//! dashboards, and richer ones.
//!
//! ```text
//! /projects/PROJECT/metrics        with a key as Authorization: Bearer KEY, or X-Api-Key: KEY
//! /projects/PROJECT/metrics/KEY    for a scraper that cannot send headers
//! ```
//!
//! A read-only key is enough, and nothing secret is told.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use nightbeat_domain::{ProjectId, Status, UnixMicros, Work};
use nightbeat_store::control::heartbeats::{self, Filter, Heartbeat};
use nightbeat_store::control::{PageRequest, keys, runs};
use nightbeat_store::sql::Sql;
use uuid::Uuid;

use super::healthchecks::unique_key;
use crate::accounts::key_hash;
use crate::api::{ApiState, Problem, Refusal, key_of, may_be_key, note_use, rate};

/// The most heartbeats that one answer tells of.
const HEARTBEATS_MAX: usize = 10_000;
/// The version of the text format that is written.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes.
pub(crate) fn router(api: ApiState) -> Router {
    let router = Router::new()
        .route("/projects/{project}/metrics", get(by_header))
        .route("/projects/{project}/metrics/", get(by_header))
        .route("/projects/{project}/metrics/{key}", get(by_path))
        .with_state(api.clone());
    rate::measured(router, api)
}

async fn by_header(
    State(api): State<ApiState>,
    Path(project): Path<String>,
    head: Parts,
) -> Result<Response, Problem> {
    let key = key_of(&head.headers).unwrap_or_default();
    show(&api, &head, &project, key).await
}

async fn by_path(
    State(api): State<ApiState>,
    Path((project, key)): Path<(String, String)>,
    head: Parts,
) -> Result<Response, Problem> {
    show(&api, &head, &project, &key).await
}

async fn show(api: &ApiState, head: &Parts, project: &str, key: &str) -> Result<Response, Problem> {
    if !may_be_key(key) {
        rate::of_address(&head.extensions)?;
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "send a key: Authorization: Bearer KEY, or X-Api-Key: KEY",
        ));
    }
    let hash = key_hash(key);
    let owner = api
        .read(move |sql| Ok(keys::find_by_hash(sql, &hash)?))
        .await?;
    match &owner {
        Some(owner) => rate::of_key(&head.extensions, owner)?,
        None => rate::of_address(&head.extensions)?,
    }
    let asked = Uuid::try_parse(project).map(ProjectId);
    // Who has no key of this project is not told whether it exists.
    let owner = owner
        .filter(|owner| asked == Ok(owner.project))
        .ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, "this is no key of this project"))?;
    note_use(api, owner, api.now()).await;
    let now = api.now();
    let found = api.read(move |sql| look(sql, owner.project, now)).await?;
    if found.len() > HEARTBEATS_MAX {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("this project has more than {HEARTBEATS_MAX} heartbeats"),
        ));
    }
    let text = exposition(&found, now);
    let headers = [(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")];
    Ok((headers, text).into_response())
}

/// A heartbeat, and what its last run said of its work.
struct Seen {
    heartbeat: Heartbeat,
    work: Option<Work>,
}

fn look(sql: &mut dyn Sql, project: ProjectId, now: UnixMicros) -> Result<Vec<Seen>, Refusal> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest::new(PageRequest::ITEMS_MAX, after);
        let found = heartbeats::list(sql, project, &Filter::default(), now, &page)?;
        for heartbeat in found.items {
            let newest = PageRequest::new(1, None);
            let runs = runs::list(sql, project, heartbeat.id, &newest)?;
            let run = runs.and_then(|mut runs| runs.items.pop());
            let work = run.and_then(|run| run.work);
            all.push(Seen { heartbeat, work });
        }
        after = found.next;
        if after.is_none() || all.len() > HEARTBEATS_MAX {
            return Ok(all);
        }
    }
}

/// Whether something holds of a heartbeat with this status.
type Holds = fn(Status, &Heartbeat) -> bool;

/// All of it in Prometheus' text format.
fn exposition(seen: &[Seen], now: UnixMicros) -> String {
    let mut out = String::new();
    let gauges: [(&str, &str, Holds); 4] = [
        (
            "hc_check_up",
            "Whether the check is not down: 1 or 0",
            |status, _| status != Status::Down && status != Status::Unverified,
        ),
        (
            "hc_check_started",
            "Whether a run is on: 1 or 0",
            |_, heartbeat| heartbeat.state.running_since().is_some(),
        ),
        (
            "hc_check_grace",
            "Whether it is late and its grace is running: 1 or 0",
            |status, _| status == Status::Late,
        ),
        (
            "hc_check_paused",
            "Whether a person paused it: 1 or 0",
            |status, _| status == Status::Paused,
        ),
    ];
    for (name, help, holds) in gauges {
        head(&mut out, name, help);
        for Seen { heartbeat, .. } in seen {
            let (tags, key) = (heartbeat.details.tags.join(" "), unique_key(heartbeat.id));
            let labels = [
                ("name", heartbeat.details.name.as_str()),
                ("tags", tags.as_str()),
                ("unique_key", key.as_str()),
            ];
            let value = u8::from(holds(heartbeat.status(now), heartbeat));
            line(&mut out, name, &labels, f64::from(value));
        }
    }
    tags(&mut out, seen, now);
    totals(&mut out, seen, now);
    richer(&mut out, seen, now);
    work(&mut out, seen);
    out
}

fn is_up(heartbeat: &Heartbeat, now: UnixMicros) -> bool {
    !matches!(heartbeat.status(now), Status::Down | Status::Unverified)
}

fn tags(out: &mut String, seen: &[Seen], now: UnixMicros) {
    let mut up: BTreeMap<&str, bool> = BTreeMap::new();
    for Seen { heartbeat, .. } in seen {
        for tag in &heartbeat.details.tags {
            *up.entry(tag).or_insert(true) &= is_up(heartbeat, now);
        }
    }
    let name = "hc_tag_up";
    head(out, name, "Whether no check with this tag is down: 1 or 0");
    for (tag, up) in up {
        line(out, name, &[("tag", tag)], f64::from(u8::from(up)));
    }
}

fn totals(out: &mut String, seen: &[Seen], now: UnixMicros) {
    let down = seen.iter().filter(|it| !is_up(&it.heartbeat, now)).count();
    for (name, help, count) in [
        ("hc_checks_total", "How many checks there are", seen.len()),
        ("hc_checks_down_total", "How many of them are down", down),
    ] {
        head(out, name, help);
        line(out, name, &[], count as f64);
    }
}

/// What Healthchecks does not tell: `None` leaves a heartbeat out.
type Value = fn(&Heartbeat, UnixMicros) -> Option<f64>;

fn richer(out: &mut String, seen: &[Seen], now: UnixMicros) {
    let values: [(&str, &str, Value); 4] = [
        (
            "nightbeat_heartbeat_last_success_age_seconds",
            "How long ago the last success was",
            |heartbeat, now| Some(now.since(heartbeat.state.last_success_at?).as_secs_f64()),
        ),
        (
            "nightbeat_heartbeat_last_run_seconds",
            "How long the last run took, where it told of its start",
            |heartbeat, _| {
                let run = heartbeat.state.last_run?;
                Some(run.ended_at.since(run.started_at?).as_secs_f64())
            },
        ),
        (
            "nightbeat_heartbeat_incident_open",
            "Whether an incident is open, also a warning: 1 or 0",
            |heartbeat, _| Some(f64::from(u8::from(heartbeat.state.incident.is_some()))),
        ),
        (
            "nightbeat_heartbeat_signals_total",
            "How many signals were recorded",
            |heartbeat, _| Some(heartbeat.state.signals as f64),
        ),
    ];
    for (name, help, value) in values {
        head(out, name, help);
        for Seen { heartbeat, .. } in seen {
            if let Some(value) = value(heartbeat, now) {
                line(out, name, &named(heartbeat), value);
            }
        }
    }
    let name = "nightbeat_heartbeat_status";
    head(out, name, "1 for the status that it has");
    for Seen { heartbeat, .. } in seen {
        let [slug, name_of] = named(heartbeat);
        let labels = [slug, name_of, ("status", heartbeat.status(now).as_str())];
        line(out, name, &labels, 1.0);
    }
}

/// What the last run said that it did.
fn work(out: &mut String, seen: &[Seen]) {
    let name = "nightbeat_heartbeat_evidence";
    head(
        out,
        name,
        "What the output of the last run says that it did",
    );
    for Seen { heartbeat, work } in seen {
        let reading = work.as_ref().and_then(|work| work.reading.as_deref());
        let evidence = reading.map(|reading| reading.evidence.as_slice());
        let mut facts: BTreeMap<&str, u64> = BTreeMap::new();
        for one in evidence.unwrap_or_default() {
            for (fact, value) in [
                ("files_total", one.files_total),
                ("files_changed", one.files_changed),
                ("bytes_total", one.bytes_total),
                ("bytes_added", one.bytes_added),
                ("deletes", one.deletes),
                ("errors", one.errors),
                ("warnings", one.warnings),
            ] {
                if let Some(value) = value {
                    let sum = facts.entry(fact).or_insert(0);
                    *sum = sum.saturating_add(value);
                }
            }
        }
        let [slug, name_of] = named(heartbeat);
        for (fact, value) in facts {
            line(out, name, &[slug, name_of, ("fact", fact)], value as f64);
        }
    }
    let name = "nightbeat_heartbeat_metric";
    head(out, name, "A number that the last run reported itself");
    for Seen { heartbeat, work } in seen {
        let [slug, name_of] = named(heartbeat);
        let metrics = work.as_ref().map_or(&[][..], |work| &work.metrics);
        // A name that comes twice would make the whole answer unreadable.
        let metrics: BTreeMap<&str, f64> = metrics
            .iter()
            .map(|metric| (metric.name.as_str(), metric.value))
            .collect();
        for (metric, value) in metrics {
            line(out, name, &[slug, name_of, ("metric", metric)], value);
        }
    }
}

/// What a heartbeat is called.
fn named(heartbeat: &Heartbeat) -> [(&'static str, &str); 2] {
    [
        ("heartbeat", heartbeat.details.slug.as_str()),
        ("name", heartbeat.details.name.as_str()),
    ]
}

fn head(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    out.push_str(name);
    for (index, (label, text)) in labels.iter().enumerate() {
        out.push(if index == 0 { '{' } else { ',' });
        let _ = write!(out, "{label}=\"");
        for letter in text.chars() {
            match letter {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                letter => out.push(letter),
            }
        }
        out.push('"');
    }
    if !labels.is_empty() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut out = String::new();
        line(&mut out, "m", &[("a", "x\"y\\z\n")], 0.25);
        line(&mut out, "n", &[], 3.0);
        assert_eq!(out, "m{a=\"x\\\"y\\\\z\\n\"} 0.25\nn 3\n");
    }
}
