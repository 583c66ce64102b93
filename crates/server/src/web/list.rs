//! The list of heartbeats, to look at.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::{ProjectId, Status, UnixMicros};
use nightbeat_store::control::heartbeats::{self, Filter, Heartbeat};
use nightbeat_store::control::{Page, PageRequest, projects};
use serde::Deserialize;

use super::Web;
use super::pages::{Line, List, When, page, unavailable};
use super::viewer::Viewer;
use crate::api::without_id;

/// How many heartbeats stand on one page.
const LINES_MAX: u32 = 500;

/// Which part of the list.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    cursor: Option<String>,
}

pub(super) async fn show(
    State(web): State<Web>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Response {
    let project = match viewer.projects(&web).await {
        Ok(all) => all.into_iter().next().map(|(project, _)| project.id),
        Err(error) => return unavailable(&web, &error),
    };
    let Some(project) = project else {
        return web.go_to("/projects/new");
    };
    let now = web.node.now();
    // A cursor that is not one shows the beginning: someone has cut the address.
    let after = wanted.cursor.and_then(|cursor| cursor.parse().ok());
    let after = after.map(without_id);
    let request = PageRequest::new(LINES_MAX, after);
    match read(&web, project, now, request).await {
        Ok(Some((name, total, found))) => {
            let mut list = list(&web, name, total, found, now);
            list.frame = web.frame_for(&viewer);
            list.project_id = project.to_string();
            page(StatusCode::OK, &list)
        }
        Ok(None) => web.no_such_page(),
        Err(error) => unavailable(&web, &error),
    }
}

async fn read(
    web: &Web,
    project: ProjectId,
    now: UnixMicros,
    request: PageRequest,
) -> nightbeat_store::Result<Option<(String, u64, Page<Heartbeat>)>> {
    let reading = web.store.read(move |sql| {
        let Some(found) = projects::get(sql, project)? else {
            return Ok(None);
        };
        let total = heartbeats::count(sql, project)?;
        let page = heartbeats::list(sql, project, &Filter::default(), now, &request)?;
        Ok(Some((found.name, total, page)))
    });
    reading.await
}

fn list(web: &Web, project: String, total: u64, found: Page<Heartbeat>, now: UnixMicros) -> List {
    let mut heartbeats = found.items;
    // What needs a person stands on top.
    heartbeats.sort_by_key(|heartbeat| urgency(heartbeat.status(now)));
    List {
        frame: web.frame(),
        project,
        project_id: String::new(),
        lines: heartbeats
            .into_iter()
            .map(|heartbeat| line(heartbeat, now))
            .collect(),
        total,
        next: found.next.map(|cursor| without_id(cursor).to_string()),
        now: clock_face(now),
    }
}

fn urgency(status: Status) -> u8 {
    match status {
        Status::Down => 0,
        Status::Unverified => 1,
        Status::Warning => 2,
        Status::Late => 3,
        Status::New => 4,
        Status::Up => 5,
        Status::Paused => 6,
    }
}

fn line(heartbeat: Heartbeat, now: UnixMicros) -> Line {
    let state = &heartbeat.state;
    let unreadable = &heartbeat.unreadable;
    let when = |at: Option<UnixMicros>| at.map(|at| when(at, now));
    let status = heartbeat.status(now).as_str();
    Line {
        slug: heartbeat.details.slug,
        status,
        running: when(state.running_since()),
        problem: (!unreadable.is_nothing()).then(|| unreadable.problems.join("; ")),
        schedule: if unreadable.settings {
            "cannot be read".to_owned()
        } else {
            heartbeat.settings.schedule.explain()
        },
        last: when(state.last_signal_at),
        next: when(state.expected_at),
        name: heartbeat.details.name,
        tags: heartbeat.details.tags,
    }
}

fn when(at: UnixMicros, now: UnixMicros) -> When {
    let short = if at <= now {
        format!("{} ago", rough(now.since(at)))
    } else {
        format!("in {}", rough(at.since(now)))
    };
    When {
        short,
        exact: at.to_string(),
    }
}

/// An instant to the second, as the command line shows it in UTC: `2026-11-22 02:00:00 UTC`.
fn clock_face(at: UnixMicros) -> When {
    let exact = at.to_string();
    let seconds = exact.get(..19).unwrap_or(&exact).replace('T', " ");
    When {
        short: format!("{seconds} UTC"),
        exact,
    }
}

/// A length with one unit, rounded as the command line does: a day that began a moment ago ends `in 24 h`.
fn rough(span: Duration) -> String {
    let seconds = span.as_secs();
    let (unit, name) = match seconds {
        0..=119 => (1, "s"),
        120..=7_199 => (60, "min"),
        7_200..=172_799 => (3_600, "h"),
        _ => (86_400, "days"),
    };
    format!("{} {name}", (seconds + unit / 2) / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_told_from_now() {
        let now = UnixMicros::from_seconds(1_795_312_800);
        for (seconds, short) in [
            (0, "0 s ago"),
            (-119, "119 s ago"),
            (-120, "2 min ago"),
            (-3_600, "60 min ago"),
            (-7_199, "120 min ago"),
            (-7_200, "2 h ago"),
            (-172_800, "2 days ago"),
            (30, "in 30 s"),
            (86_399, "in 24 h"),
            (86_400, "in 24 h"),
        ] {
            let at = UnixMicros::from_seconds(1_795_312_800 + seconds);
            assert_eq!(when(at, now).short, short);
        }
        assert_eq!(when(now, now).exact, "2026-11-22T02:00:00Z");
        let later = UnixMicros(1_795_312_800_500_000);
        assert_eq!(clock_face(later).short, "2026-11-22 02:00:00 UTC");
    }
}
