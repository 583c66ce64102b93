//! The incidents of a project, and the page of each.

mod act;
mod one;
mod told;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::{IncidentId, ProjectId};
use nightbeat_store::control::incidents::{self, Filter, Incident};
use nightbeat_store::control::notes::{self, Note};
use nightbeat_store::control::{Cursor, PageRequest, heartbeats, overview};
use nightbeat_store::sql::Sql;

pub(super) use act::{acknowledge, note, snooze};
pub(super) use one::show as show_one;
pub(super) use told::Told;

use super::Web;
use super::fields::Fields;
use super::frame::{Frame, Here, project_path};
use super::pages::{page, unavailable};
use super::time::Reader;
use super::viewer::Member;

/// The most open ones; there is one a heartbeat at most.
const OPEN_SHOWN: u32 = 200;
/// How many closed ones stand on a page.
const CLOSED_SHOWN: u32 = 50;

#[derive(Template)]
#[template(path = "incidents.html")]
struct Incidents {
    frame: Frame,
    path: String,
    version: String,
    may_change: bool,
    open: Vec<Told>,
    closed: Vec<Told>,
    older: Option<String>,
}

pub(super) async fn show(
    State(web): State<Web>,
    member: Member,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let from: Option<Cursor> = fields.text("from").parse().ok();
    let project = member.project.id;
    let reader = web.reader(&member.viewer);
    let now = reader.now();
    let reading = web.store.read(move |sql| {
        let mut list = |open, limit, after| {
            let filter = Filter {
                heartbeat: None,
                open: Some(open),
            };
            let page = incidents::list(sql, project, &filter, &PageRequest::new(limit, after))?;
            let items = with_more(sql, project, page.items)?;
            Ok::<_, nightbeat_store::StoreError>((items, page.next))
        };
        let (open, _) = list(true, OPEN_SHOWN, None)?;
        let (closed, older) = list(false, CLOSED_SHOWN, from)?;
        Ok((open, closed, older, overview::version(sql, project, now)?))
    });
    let (open, closed, older, version) = match reading.await {
        Ok(read) => read,
        Err(error) => return unavailable(&web, &error),
    };
    let told = |found: Vec<Found>| {
        let told = found.into_iter().map(|found| found.told(&reader));
        told.collect::<Vec<Told>>()
    };
    let frame = web.frame_at(&member, Here::Incidents);
    let path = format!("{}{}", frame.base, project_path(project));
    let incidents = Incidents {
        version: version.to_string(),
        may_change: member.may_change(),
        open: told(open),
        closed: told(closed),
        older: older.map(|cursor| format!("{path}/incidents?from={cursor}")),
        frame,
        path,
    };
    page(StatusCode::OK, &incidents)
}

/// An incident with what stands elsewhere.
struct Found {
    incident: Incident,
    /// Of its heartbeat, where that is still there.
    slug: Option<String>,
    notes: Vec<Note>,
}

impl Found {
    fn told(self, reader: &Reader) -> Told {
        Told {
            slug: self.slug,
            ..Told::of(self.incident, self.notes, reader)
        }
    }
}

fn with_more(
    sql: &mut dyn Sql,
    project: ProjectId,
    found: Vec<Incident>,
) -> nightbeat_store::Result<Vec<Found>> {
    let ids: Vec<IncidentId> = found.iter().map(|one| one.id).collect();
    let mut notes = notes::of(sql, &ids)?;
    let all = found.into_iter().map(|incident| {
        let heartbeat = heartbeats::get(sql, project, incident.heartbeat)?;
        Ok(Found {
            slug: heartbeat.map(|known| known.details.slug),
            notes: notes.remove(&incident.id).unwrap_or_default(),
            incident,
        })
    });
    all.collect()
}
