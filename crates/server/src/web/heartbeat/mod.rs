//! One heartbeat: what is expected of it, how it went, and what to put into the job.

mod act;
mod charts;
mod edit;
pub(super) mod first;
mod form;
mod log;
mod snippets;

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::work::PastRun;
use nightbeat_domain::{HeartbeatId, IncidentId, ProjectId, Status};
use nightbeat_store::control::heartbeats::Heartbeat;
use nightbeat_store::control::incidents::{self, Incident};
use nightbeat_store::control::notes::{self, Note};
use nightbeat_store::control::runs::{self, Run};
use nightbeat_store::control::signals::{self, Signal};
use nightbeat_store::control::{PageRequest, days, overview};

pub(super) use act::{delete, pause, resume, test};
pub(super) use edit::{ask as edit, create, form as new, preview, save};

use super::Web;
use super::fields::Fields;
use super::frame::{Frame, Here, project_path};
use super::incidents::Told;
use super::pages::{not_done, page, unavailable};
use super::time::{Reader, When, span};
use super::viewer::Member;
use crate::api::inside::Refused;
use charts::{Chart, Year};
use log::{RunRow, SignalRow};
use snippets::Snippet;

/// How many runs the charts show.
const RUNS_SHOWN: u32 = 100;
/// How many of them stand in the table.
const RUN_ROWS: usize = 20;
/// How many signals stand on one page of the log.
const SIGNALS_SHOWN: u32 = 20;
/// How many incidents are listed.
const INCIDENTS_SHOWN: u32 = 10;

/// The page.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each shows or hides a part of the page"
)]
#[derive(Template)]
#[template(path = "heartbeat.html")]
struct Page {
    frame: Frame,
    /// The heartbeat's page, with the public URL's path.
    path: String,
    project_path: String,
    version: String,
    may_change: bool,
    /// A test signal was sent just now.
    tested: bool,
    name: String,
    slug: String,
    description: String,
    tags: Vec<String>,
    status: &'static str,
    is_paused: bool,
    running: Option<When>,
    problem: Option<String>,
    schedule: String,
    expected: Option<When>,
    deadline: Option<When>,
    last_signal: Option<When>,
    last_success: Option<When>,
    is_unheard: bool,
    open: Option<Told>,
    facts: Vec<(&'static str, String)>,
    rules: Vec<String>,
    year: Year,
    charts: Vec<Chart>,
    chart_width: f64,
    chart_height: f64,
    incidents: Vec<Told>,
    runs: Vec<RunRow>,
    log: Vec<SignalRow>,
    older: Option<String>,
    url: Option<String>,
    snippets: Vec<Snippet>,
}

/// What one look at the database gives.
struct Seen {
    runs: Vec<Run>,
    days: std::collections::BTreeMap<i64, days::Day>,
    incidents: Vec<Incident>,
    notes: HashMap<IncidentId, Vec<Note>>,
    signals: Vec<Signal>,
    older: Option<String>,
    version: u64,
}

/// The project's heartbeat with this slug, or id.
pub(super) async fn find(web: &Web, project: ProjectId, which: &str) -> Result<Heartbeat, Refused> {
    web.api.inside(project).heartbeat(which).await
}

/// The page of a heartbeat, below the public URL's path.
pub(super) fn page_path(project: ProjectId, slug: &str) -> String {
    format!("{}/heartbeats/{slug}", project_path(project))
}

pub(super) async fn show(
    State(web): State<Web>,
    member: Member,
    Path((_, which)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let heartbeat = match find(&web, member.project.id, &which).await {
        Ok(found) => found,
        Err(refused) => return not_done(&web, &member.viewer, &refused),
    };
    let reader = Reader::new(web.node.now(), member.viewer.time_zone.as_deref());
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    match look(&web, member.project.id, heartbeat.id, &asked, &reader).await {
        Ok(seen) => page(
            StatusCode::OK,
            &shown(&web, &member, &heartbeat, seen, &asked, &reader),
        ),
        Err(error) => unavailable(&web, &error),
    }
}

async fn look(
    web: &Web,
    project: ProjectId,
    heartbeat: HeartbeatId,
    asked: &Fields,
    reader: &Reader,
) -> nightbeat_store::Result<Seen> {
    let now = reader.now();
    let from = asked.text("from").parse().ok();
    let log = PageRequest::new(SIGNALS_SHOWN, from);
    let reading = web.store.read(move |sql| {
        let runs = runs::list(sql, project, heartbeat, &PageRequest::new(RUNS_SHOWN, None))?;
        let signals = signals::list(sql, project, heartbeat, &log)?;
        let (signals, older) = signals.map_or((Vec::new(), None), |page| (page.items, page.next));
        let filter = incidents::Filter {
            heartbeat: Some(heartbeat),
            open: None,
        };
        let incidents = PageRequest::new(INCIDENTS_SHOWN, None);
        let incidents = incidents::list(sql, project, &filter, &incidents)?;
        let ids: Vec<IncidentId> = incidents.items.iter().map(|one| one.id).collect();
        let first = now.0.div_euclid(86_400_000_000) - charts::DAYS + 1;
        Ok(Seen {
            runs: runs.map_or(Vec::new(), |page| page.items),
            days: days::list(sql, project, heartbeat, first)?,
            notes: notes::of(sql, &ids)?,
            incidents: incidents.items,
            signals,
            older: older.map(|cursor| cursor.to_string()),
            version: overview::heartbeat_version(sql, project, heartbeat, now)?,
        })
    });
    reading.await
}

fn shown(
    web: &Web,
    member: &Member,
    heartbeat: &Heartbeat,
    seen: Seen,
    asked: &Fields,
    reader: &Reader,
) -> Page {
    let Heartbeat {
        id,
        details,
        settings,
        state,
        unreadable,
        ..
    } = heartbeat;
    let when = |at: Option<_>| at.map(|at| reader.when(at));
    let status = heartbeat.status(reader.now());
    let frame = Frame {
        icon: web.icon(Some(status)),
        ..web.frame_at(member, Here::Heartbeats)
    };
    let may_change = member.may_change();
    let url = may_change.then(|| format!("{}/api/heartbeat/{id}", web.public_url));
    let past: Vec<PastRun> = seen.runs.iter().rev().map(log::past).collect();
    let path = format!(
        "{}{}",
        frame.base,
        page_path(member.project.id, &details.slug)
    );
    let mut notes = seen.notes;
    let incidents: Vec<Told> = seen
        .incidents
        .into_iter()
        .map(|one| {
            let notes = notes.remove(&one.id).unwrap_or_default();
            Told::of(one, notes, reader)
        })
        .collect();
    Page {
        project_path: format!("{}{}", frame.base, project_path(member.project.id)),
        version: seen.version.to_string(),
        may_change,
        tested: asked.ticked("tested"),
        name: details.name.clone(),
        slug: details.slug.clone(),
        description: details.description.clone(),
        tags: details.tags.clone(),
        status: status.as_str(),
        is_paused: status == Status::Paused,
        running: when(state.running_since()),
        problem: (!unreadable.is_nothing()).then(|| unreadable.problems.join("; ")),
        schedule: settings.schedule.explain(),
        expected: when(state.expected_at),
        deadline: when(
            state
                .deadline(settings)
                .filter(|_| !unreadable.is_unwatched()),
        ),
        last_signal: when(state.last_signal_at),
        last_success: when(state.last_success_at),
        is_unheard: state.signals == 0,
        open: incidents.iter().find(|told| told.is_open).cloned(),
        facts: facts(heartbeat),
        rules: settings.rules.clone(),
        year: Year::of(&seen.days, reader.now()),
        charts: charts::charts(settings, &past),
        chart_width: charts::WIDTH,
        chart_height: charts::HEIGHT,
        incidents,
        runs: seen
            .runs
            .iter()
            .take(RUN_ROWS)
            .map(|run| RunRow::of(run, reader))
            .collect(),
        log: seen
            .signals
            .into_iter()
            .map(|signal| SignalRow::of(signal, reader))
            .collect(),
        older: seen.older.map(|cursor| format!("{path}?from={cursor}#log")),
        snippets: if may_change {
            let mail_domain = web.api.mail_domain.as_deref();
            snippets::for_heartbeat(&web.public_url, &id.to_string(), mail_domain)
        } else {
            Vec::new()
        },
        url,
        frame,
        path,
    }
}

/// What is set on it, besides its schedule; what is as usual is left out.
fn facts(heartbeat: &Heartbeat) -> Vec<(&'static str, String)> {
    let settings = &heartbeat.settings;
    let mut facts = vec![("Grace", span(settings.grace))];
    if let Some(longest) = settings.max_run_time {
        facts.push(("Longest run", span(longest)));
    }
    for (name, threshold) in [
        ("Alert after", settings.failure_threshold),
        ("Fine again after", settings.recovery_threshold),
    ] {
        if threshold > 1 {
            facts.push((name, format!("{threshold} in a row")));
        }
    }
    if let Some(repeat) = settings.repeat_after {
        facts.push(("Alert again every", span(repeat)));
    }
    if !settings.warning_codes.is_empty() {
        let codes: Vec<String> = settings.warning_codes.iter().map(u8::to_string).collect();
        facts.push(("Warning codes", codes.join(", ")));
    }
    if settings.post_only {
        facts.push(("Counts", "only POST".to_owned()));
    }
    if settings.manual_resume {
        facts.push(("Once paused", "resumed by hand only".to_owned()));
    }
    facts
}
